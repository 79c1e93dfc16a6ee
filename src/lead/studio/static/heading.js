/** Which way up the thing in a picture lies: an arrow, the view turned by it, and the person's own word on it. */

import {clamp} from './geometry.js';
import {NOWHERE} from './outbox.js';
import {stroke} from './paint.js';

/**
 * @import {App} from './app.js'
 * @import {PictureCanvas} from './canvas.js'
 * @import {Size} from './geometry.js'
 * @import {Labelling} from './labelling.js'
 * @import {Context} from './paint.js'
 * @typedef {{x: number, y: number}} Direction
 * @typedef {[x: number, y: number]} Place  on the canvas
 */

const TOLERATED = Math.PI / 6; // off upright, up to which the view is let alone while a picture is worked on
const AWAY = 16; // from the points to the arrow, in CSS pixels
const LENGTH = 30;
const TIP = 9;
const EDGE = 14; // of the canvas, from which the arrow stays away

/** By how much a picture has to be turned clockwise, in radians, for a direction in it to point up. Within ±π.
 *  @param {Direction} up */
export const turnOf = ({x, y}) => within(-Math.PI / 2 - Math.atan2(y, x));

/** An angle within ±π. @param {number} angle */
const within = (angle) => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));

/**
 * The arrow's ends: beyond the points of the thing, on the side that is its top, but on the canvas.
 * @param {Place[]} places  of the points
 * @param {Place} up  its direction on the canvas, of length 1
 * @param {Size} canvas
 * @returns {[from: Place, to: Place]|null} null without points
 */
export function arrowOf(places, [ux, uy], canvas) {
  if (!places.length) return null;
  const [x, y] = [0, 1].map((i) => places.reduce((sum, place) => sum + place[i], 0) / places.length);
  const reach = Math.max(...places.map((place) => (place[0] - x) * ux + (place[1] - y) * uy));
  /** @param {number} middle @param {number} half @param {number} room */
  const moved = (middle, half, room) => {
    const edge = EDGE + Math.abs(half);
    return clamp(middle, edge, Math.max(edge, room - edge));
  };
  const [dx, dy] = [ux * LENGTH / 2, uy * LENGTH / 2];
  const far = reach + AWAY + LENGTH / 2;
  const [mx, my] = [moved(x + far * ux, dx, canvas.width), moved(y + far * uy, dy, canvas.height)];
  return [[mx - dx, my - dy], [mx + dx, my + dy]];
}

/** An arrow that shows on any ground. @param {Context} ctx @param {Place} from @param {Place} to */
export function paintArrow(ctx, from, to) {
  const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
  if (length < 1) return;
  const [ux, uy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
  ctx.save();
  ctx.lineCap = 'round';
  ctx.lineJoin = 'round';
  for (const [width, colour] of /** @type {[number, string][]} */ ([[6, 'rgb(0 0 0 / 65%)'], [2.5, '#ffffff']])) {
    stroke(ctx, from, to, width, colour);
    for (const side of [1, -1]) {
      stroke(ctx, to, [to[0] - TIP * (ux - side * uy), to[1] - TIP * (uy + side * ux)], width, colour);
    }
  }
  ctx.restore();
}

export class Heading {
  /**
   * @param {App} app
   * @param {Labelling} work
   * @param {PictureCanvas} canvas
   * @param {HTMLElement} button  "This way up"
   * @param {object} on  what it calls back
   * @param {() => void} on.changed  what is shown is to be drawn anew
   * @param {() => void} on.heard  the server has heard another word on it, and suggests accordingly
   */
  constructor(app, work, canvas, button, on) {
    this.app = app;
    this.work = work;
    this.canvas = canvas;
    this.button = button;
    this.on = on;
    /** whether the view is turned so that things are upright */
    this.upright = false;
    /** the picture whose view is turned @type {string|null} */
    this.turned = null;
    /** of which picture the server has heard what @type {{id: string|null, word: string}} */
    this.heard = {id: null, word: ''};
  }

  /** Whether the person has said it of the picture on show. */
  get isSaid() {
    const {id} = this.work;
    return Boolean(id && this.app.labels(id)?.up);
  }

  /** Shows which way up the picture's thing lies, and turns the view where that is wanted. While a picture is worked
   *  on, the view turns again only when what is known of it becomes quite another, and never under a drag. */
  settle() {
    const {work: {id, suggestions: {up: known, turned}}, canvas, button} = this;
    const saying = this.app.outbox.entries.get(id ?? '')?.marks.up; // on its way to the server
    const up = saying && (saying.x || saying.y) ? saying : known;
    canvas.up = up;
    button.hidden = !turned && !up && !canvas.pointing;
    if (canvas.drag) return;
    if (!this.upright || (this.turned !== id && !up)) {
      this.turned = null;
      canvas.turnTo(0);
    } else if (up && (this.turned !== id || Math.abs(within(turnOf(up) - canvas.turn)) > TOLERATED)) {
      this.turned = id;
      canvas.turnTo(turnOf(up));
    }
  }

  /** The next drag says which way is up; asked again, it does not. */
  ask() {
    const {canvas, work} = this;
    if (canvas.pointing || !work.id || !work.names.length) this.stop();
    else this.point(true);
  }

  stop() {
    if (!this.canvas.pointing) return;
    this.canvas.breakOff();
    this.point(false);
  }

  /** @param {boolean} pointing */
  point(pointing) {
    this.canvas.pointing = pointing;
    this.canvas.gestures.cursor();
    this.button.setAttribute('aria-pressed', String(pointing));
    this.on.changed();
  }

  /** The view turns at once; the model's answer comes after. @param {Direction} up  in the picture, of length 1 */
  said(up) {
    const {work} = this;
    work.suggestions = {...work.suggestions, up};
    this.turned = null;
    this.point(false);
    this.say(up);
  }

  /** What the person said goes: labels, or else the model, say it again. */
  takeBack() {
    this.stop();
    this.say(NOWHERE);
  }

  /** @param {Direction} up */
  say(up) {
    const {app, work: {id}} = this;
    if (id && app.labels(id)) app.change(id, {}, {what: 'which way is up', up}); // else they are being read anew
  }

  /** The view is turned as is known now, even if that is not at all. */
  release() {
    this.turned = null;
  }

  /** Something was heard of the picture on show, perhaps another word on it, from here or from another tab. */
  hear() {
    const {id} = this.work;
    const up = this.app.outbox.entries.get(id ?? '')?.known?.up;
    const [word, before] = [up ? `${up.x} ${up.y}` : '', this.heard];
    this.heard = {id, word};
    if (before.id === id && before.word !== word) this.on.heard();
  }
}
