/** The cross-hair: places a point with the keyboard alone, where there is neither a label nor a suggestion to move. */

import {h, text} from './dom.js';
import {clamp, sight} from './geometry.js';
import {paintArms, paintCross} from './paint.js';

/**
 * @import {PictureCanvas} from './canvas.js'
 * @import {Size, View} from './geometry.js'
 * @import {Context} from './paint.js'
 * @typedef {{x: number, y: number}} Point  in the picture
 * @typedef {'coarse'|'pixel'|'fine'} Step
 */

const PART = 40; // a coarse step is this part of the longer side of what is in sight
const QUIET = 600; // milliseconds without a step, after which the place is read out

/** How far a step goes, in pixels of the picture. @param {Step} step @param {View} view @param {Size} picture
 *  @param {Size} canvas */
export function stepLength(step, view, picture, canvas) {
  if (step !== 'coarse') return step === 'pixel' ? 1 : 0.1;
  const [, , width, height] = sight(view, picture, canvas);
  return Math.max(1, Math.round(Math.max(width, height) / PART));
}

/** Where it first appears: where it was last, or in the middle of what is in sight. @param {Point|null} last
 *  @param {View} view @param {Size} picture @param {Size} canvas @returns {Point} */
export function startOf(last, view, picture, canvas) {
  const [sx, sy] = last ? view.place(last.x, last.y) : [0, 0];
  if (last && sx >= 0 && sy >= 0 && sx <= canvas.width && sy <= canvas.height) return last;
  const [left, top, width, height] = sight(view, picture, canvas);
  const [boxLeft, boxTop] = view.around(picture);
  const {x, y} = view.picture(boxLeft + (left + width / 2) * view.scale, boxTop + (top + height / 2) * view.scale);
  return {x: clamp(Math.round(x), 0, picture.width - 1), y: clamp(Math.round(y), 0, picture.height - 1)};
}

export class Crosshair {
  /** @param {HTMLElement} place  of what is read out @param {PictureCanvas} canvas */
  constructor(place, canvas) {
    this.canvas = canvas;
    /** @type {Point|null} */
    this.at = null;
    /** the landmark that it is to place @type {string|null} */
    this.name = null;
    /** where it was used last on this picture @type {Point|null} */
    this.last = null;
    /** @type {string|null} */
    this.picture = null;
    this.timer = 0;
    this.words = h('div.visually-hidden', {testid: 'crosshair-words', 'aria-live': 'polite'});
    place.append(this.words);
  }

  /** Shows it for a landmark, and moves it. @param {string} name @param {[number, number]} way  along x and y
   *  @param {Step} step */
  move(name, [ax, ay], step) {
    const {canvas} = this;
    const {picture, view, size} = canvas;
    if (!picture) return;
    if (picture.id !== this.picture) return;
    const from = this.at ?? startOf(this.last, view, picture, size);
    const by = stepLength(step, view, picture, size);
    this.name = name;
    this.at = {x: tidy(clamp(from.x + ax * by, -0.5, picture.width - 0.5)),
      y: tidy(clamp(from.y + ay * by, -0.5, picture.height - 0.5))};
    canvas.reveal(this.at.x, this.at.y);
    canvas.draw();
    this.sayLater();
  }

  /** Goes with the current landmark while that has no place of its own; another picture begins anew.
   *  @param {string|null} id  of the picture @param {string|null} current @param {boolean} placed */
  settle(id, current, placed) {
    if (id !== this.picture) {
      this.hide();
      this.picture = id;
      this.last = null;
    } else if (!this.at) return;
    // A suggestion that comes while the person is on the way to a place does not end it.
    else if (!current || (placed && current !== this.name)) this.hide();
    else this.name = current;
  }

  /** Takes it away; the next one begins where it was. */
  hide() {
    if (!this.at) return;
    this.last = this.at;
    this.at = null;
    clearTimeout(this.timer);
    this.canvas.draw();
  }

  /** Not at each step: only where it comes to rest. */
  sayLater() {
    clearTimeout(this.timer);
    this.timer = Number(setTimeout(() => {
      if (this.at) this.say(`Cross-hair at ${this.at.x}, ${this.at.y}`);
    }, QUIET));
  }

  /** @param {string} words */
  say(words) {
    text(this.words, words);
  }

  /** @param {Context} ctx @param {View} view @param {Size} size  of the canvas */
  paint(ctx, view, {width, height}) {
    if (!this.at) return;
    const place = view.place(this.at.x, this.at.y);
    const far = Math.max(width, height);
    paintArms(ctx, ...place, 16, far, 3, 'rgb(0 0 0 / 30%)');
    paintArms(ctx, ...place, 16, far, 1, 'rgb(255 255 255 / 75%)');
    paintCross(ctx, place, 9);
  }
}

/** Without the dust of adding tenths. @param {number} value */
const tidy = (value) => Math.round(value * 1000) / 1000;
