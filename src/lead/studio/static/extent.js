/** How large one specimen is: a box dragged around one on a picture, or its share of the longer side typed. Asked
 *  before the first training of pictures of several specimens, as long as no label tells. */

import {fill, h, svg} from './dom.js';
import {clamp} from './geometry.js';

/**
 * @import {PictureDetail} from 'types/messages'
 * @import {App} from './app.js'
 * @typedef {{x: number, y: number, width: number, height: number}} Rect  in pixels of the picture, as edges
 */

const LEAST = 0.005; // of the longer side: a box that is smaller is a click

/** The share of a picture's longer side that a box takes up. @param {Rect} rect
 *  @param {{width: number, height: number}} picture */
export const shareOf = (rect, picture) =>
  Math.min(1, Math.max(rect.width, rect.height) / Math.max(picture.width, picture.height));

/** A box between two places, within the picture. @param {[number, number]} a @param {[number, number]} b
 *  @param {{width: number, height: number}} picture @returns {Rect} */
export function rectOf(a, b, {width, height}) {
  const [left, right] = [a[0], b[0]].map((x) => clamp(x, 0, width)).sort((p, q) => p - q);
  const [top, bottom] = [a[1], b[1]].map((y) => clamp(y, 0, height)).sort((p, q) => p - q);
  return {x: left, y: top, width: right - left, height: bottom - top};
}

export class ExtentBox {
  /** @param {App} app @param {() => void} changed */
  constructor(app, changed) {
    this.app = app;
    this.changed = changed;
    /** share of a picture's longer side; null until it is said @type {number|null} */
    this.extent = null;
    /** @type {PictureDetail|null} */
    this.picture = null;
    this.which = 0;
    /** @type {[number, number]|null} */
    this.from = null;
    this.stage = h('div.x-extent', {testid: 'extent-picture'});
    this.box = svg('rect', {class: 'box', visibility: 'hidden'});
    this.typed = h('input', {type: 'number', testid: 'extent', min: '0.5', max: '100', step: '0.5',
      'aria-label': 'Share of the picture’s longer side that one specimen takes up, in per cent',
      oninput: () => this.type()});
    this.element = h('section.stack.v-extent', {'aria-label': 'How large is one?', testid: 'extent-box'},
      h('h3', 'How large is one?'),
      h('p.muted', 'Drag a box around one specimen. What is learnt is looked at from so near; once specimens are '
        + 'labelled, their labels tell.'), this.stage,
      h('div.row.wrap', h('label.row', 'It takes up', this.typed, '% of the longer side'), h('span.spacer'),
        h('button.small', {testid: 'extent-other', onclick: () => this.show(1)}, 'Another picture')));
    this.show();
  }

  /** Whether it has to be asked: of pictures of several specimens, none of which is labelled. @param {App} app */
  static isNeeded = (app) => app.landmarks().several && app.pictures.every((picture) => !picture.specimens);

  /** Shows the first picture, or goes on by some. @param {number} [by] */
  async show(by = 0) {
    const readable = this.app.pictures.filter((p) => !p.unreadable && !p.tags.includes('skip'));
    if (!readable.length) return;
    this.which = (this.which + by) % readable.length;
    try {
      this.picture = await this.app.load(readable[this.which].id);
    } catch {
      return; // it can be typed
    }
    this.draw(this.picture);
  }

  /** @param {PictureDetail} picture */
  draw({id, file, width, height}) {
    const root = svg('svg', {viewBox: `0 0 ${width} ${height}`, 'aria-label': `Picture ${file}`, role: 'img',
      onpointerdown: (/** @type {PointerEvent} */ event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        root.setPointerCapture(event.pointerId);
        this.from = this.at(root, event);
      }, onpointermove: (/** @type {PointerEvent} */ event) => {
        if (this.from) this.drag(rectOf(this.from, this.at(root, event), {width, height}));
      }, onpointerup: () => this.from = null, onpointercancel: () => this.from = null},
      svg('image', {href: this.app.api.image(id, 1024), width, height, preserveAspectRatio: 'none'}), this.box);
    root.style.aspectRatio = `${width} / ${height}`;
    fill(this.stage, root);
    this.centre();
  }

  /** Where in the picture the pointer is. @param {SVGSVGElement} root @param {PointerEvent} event
   *  @returns {[number, number]} */
  at(root, {clientX, clientY}) {
    const box = root.getBoundingClientRect();
    const {width = 1, height = 1} = this.picture ?? {};
    return [(clientX - box.left) / box.width * width, (clientY - box.top) / box.height * height];
  }

  /** @param {Rect} rect */
  drag(rect) {
    if (!this.picture || shareOf(rect, this.picture) < LEAST) return;
    this.extent = shareOf(rect, this.picture);
    this.typed.value = (100 * this.extent).toFixed(1);
    this.lay(rect);
    this.changed();
  }

  type() {
    const value = Number(this.typed.value) / 100;
    this.extent = value >= LEAST && value <= 1 ? value : null;
    this.centre();
    this.changed();
  }

  /** What was typed, as a square in the middle. */
  centre() {
    const {picture, extent} = this;
    if (!picture || extent === null) {
      this.box.setAttribute('visibility', 'hidden');
      return;
    }
    const side = extent * Math.max(picture.width, picture.height);
    this.lay({x: (picture.width - side) / 2, y: (picture.height - side) / 2, width: side, height: side});
  }

  /** @param {Rect} rect */
  lay(rect) {
    for (const [name, value] of Object.entries(rect)) this.box.setAttribute(name, String(value));
    this.box.setAttribute('visibility', 'visible');
  }
}
