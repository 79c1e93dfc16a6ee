/** What mouse, pen and fingers do on the picture. Places are CSS pixels from the canvas's corner, or pixels of the
 *  picture where it says so. */

import {clamp, inside} from './geometry.js';

/**
 * @import {PictureCanvas} from './canvas.js'
 * @import {Met} from './crowd.js'
 * @import {Mark} from './paint.js'
 * @typedef {[x: number, y: number]} Place
 * @typedef {object} PointDrag  a point that is held: one that was there, or one that is just being placed
 * @property {'point'} kind
 * @property {string} name
 * @property {number} x  where it is now, in the picture
 * @property {number} y
 * @property {number} dx  from the pointer to it, in the picture
 * @property {number} dy
 * @property {number} sx  where the press began
 * @property {number} sy
 * @property {boolean} far  moved by more than a tremble
 * @property {boolean} placed  being placed by this very press
 * @property {Mark|null} under  the point that was pressed on while another is placed: a drag takes hold of it
 * @property {boolean} touch
 * @property {boolean} whole  with Shift or Alt: all of its curve goes along
 * @typedef {PointDrag
 *   | {kind: 'up', sx: number, sy: number, to: Place}
 *   | {kind: 'idle', sx: number, sy: number}
 *   | {kind: 'tap', sx: number, sy: number, event: PointerEvent, timer: number}
 *   | {kind: 'pan', sx: number, sy: number}
 *   | {kind: 'pinch', at: [Place, Place]}} Drag
 * `up`: says which way is up, from the thing's bottom; `idle`: pressed where there is nothing to do; `tap`: a finger
 * that has not moved yet
 */

const REACH = {pointer: 10, finger: 24}; // how far from a point a press still meets it
const TREMBLE = {pointer: 3, finger: 8}; // a press that moves no farther is a click
const LONG_PRESS = 400; // milliseconds
const TELLING = 12; // from how long a drag on says which way is up

/** Turns presses into placing, holding, panning and zooming. A click places what waits for a place, wherever it falls,
 *  also on another point; a drag that begins on a point takes hold of that point. */
export class Gestures {
  /** @param {PictureCanvas} canvas @param {AbortSignal} signal  ends it */
  constructor(canvas, signal) {
    this.canvas = canvas;
    /** @type {Drag|null} */
    this.drag = null;
    /** while space is held, a drag pans */
    this.space = false;
    /** whether something was panned since space was pressed */
    this.panned = false;
    /** where a mouse or pen is that is not pressed @type {Place|null} */
    this.over = null;
    /** fingers on the picture @type {Map<number, Place>} */
    this.fingers = new Map();
    this.wheel = {at: 0, trackpad: false};
    /** whether Shift or Alt was held at the last press */
    this.whole = false;
    /** the point that was pressed on last, among those at the same place, to go on to the next of them
     *  @type {{place: Place, point: string}|null} */
    this.last = null;
    const {element} = canvas;
    element.addEventListener('pointerdown', (e) => this.down(e), {signal});
    element.addEventListener('pointermove', (e) => this.moved(e), {signal});
    element.addEventListener('pointerup', (e) => this.up(e), {signal});
    element.addEventListener('pointercancel', (e) => this.cancelled(e), {signal});
    element.addEventListener('pointerleave', () => this.hover(null), {signal});
    element.addEventListener('wheel', (e) => this.wheeled(e), {passive: false, signal});
    element.addEventListener('contextmenu', (e) => e.preventDefault(), {signal});
    element.addEventListener('auxclick', (e) => e.preventDefault(), {signal});
    addEventListener('blur', () => {
      this.holdSpace(false);
      canvas.hideMarks(false);
    }, {signal});
    addEventListener('keyup', (e) => {
      canvas.hideMarks(false); // whichever key it was: it may be another one than at first
      if (e.key !== ' ' || !this.space) return;
      this.holdSpace(false);
      if (!this.panned) canvas.on.space();
    }, {signal});
  }

  /** @param {boolean} held */
  holdSpace(held) {
    if (held && !this.space) this.panned = false;
    this.space = held;
    this.cursor();
  }

  /** @param {MouseEvent} event @returns {Place} */
  at(event) {
    const box = this.canvas.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // --- pressing -----------------------------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  down(event) {
    const {canvas} = this;
    if (!canvas.picture) return;
    canvas.element.focus({preventScroll: true});
    event.preventDefault();
    const place = this.at(event);
    this.whole = event.shiftKey || event.altKey;
    if (event.pointerType === 'touch') this.fingerDown(event, place);
    else if (!this.drag) {
      canvas.element.setPointerCapture(event.pointerId);
      if (event.button !== 0 || this.space) this.drag = {kind: 'pan', sx: place[0], sy: place[1]};
      else this.press(event, place);
    }
    this.cursor();
    canvas.draw();
  }

  /** @param {PointerEvent} event @param {Place} place */
  press(event, place) {
    const {canvas} = this;
    const {picture, view, on} = canvas;
    if (canvas.pointing) {
      this.drag = {kind: 'up', sx: place[0], sy: place[1], to: place};
      return;
    }
    const under = canvas.nearest(...place, REACH.pointer);
    if (this.choose(place, under, REACH.pointer, event.ctrlKey || event.metaKey)) return;
    const {x, y} = view.picture(...place);
    const name = picture && inside(picture, x, y) ? on.awaits(under?.name ?? null) : null;
    if (name !== null) {
      on.press(name, x, y, event.shiftKey);
      this.drag = {kind: 'point', name, x, y, dx: 0, dy: 0, sx: place[0], sy: place[1], far: false, placed: true, under,
        touch: false, whole: false};
    } else if (under) this.take(under, place, false);
    else this.drag = {kind: 'idle', sx: place[0], sy: place[1]};
  }

  /**
   * Where a point of another specimen is under the pointer, and no click is waited for that goes wherever it falls,
   * that specimen is chosen and the point taken hold of. Of several points at one place, each press takes the next.
   * @param {Place} place
   * @param {Mark|null} under  the nearest of the specimen at work
   * @param {number} reach
   * @param {boolean} asked  with Ctrl: that is wanted whatever is waited for
   * @param {boolean} [touch]
   * @returns whether one was
   */
  choose(place, under, reach, asked, touch = false) {
    const {canvas, last} = this;
    const {on, key: current} = canvas;
    this.last = null;
    if (current === null || (!asked && on.anywhere())) return false;
    const others = canvas.nearestOthers(...place, reach);
    const points = asked && others.length ? others : [...canvas.nearestOwn(current, ...place, reach), ...others];
    if (!points.length) return false;
    points.sort((a, b) => a.away - b.away);
    const placed = !asked && under && points[0].key === current && on.awaits(under.name) !== null;
    if (placed) return false;
    const again = last && Math.hypot(last.place[0] - place[0], last.place[1] - place[1]) <= TREMBLE.pointer;
    if (again) points.sort((a, b) => idOf(a) < idOf(b) ? -1 : 1); // the same order each time
    const chosen = points[again ? (points.findIndex((each) => idOf(each) === last.point) + 1) % points.length : 0];
    this.last = {place, point: idOf(chosen)};
    const {key, name} = chosen;
    if (key !== current) on.choose(key, name);
    const mark = canvas.marks.find((each) => each.name === name);
    if (mark) this.take(mark, place, touch);
    return true;
  }

  /** Takes hold of a point. @param {Mark} mark @param {Place} place  where the press began @param {boolean} touch */
  take({name, x, y}, place, touch) {
    const pressed = this.canvas.view.picture(...place);
    this.drag = {kind: 'point', name, x, y, dx: x - pressed.x, dy: y - pressed.y, sx: place[0], sy: place[1],
      far: false, placed: false, under: null, touch, whole: this.whole};
    this.canvas.on.grab(name);
  }

  // --- moving -------------------------------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  moved(event) {
    const place = this.at(event);
    if (event.pointerType === 'touch') this.fingerMoved(event, place);
    else if (this.drag) this.dragTo(place);
    else this.hover(place);
  }

  /** @param {Place} place */
  dragTo([sx, sy]) {
    const {drag, canvas} = this;
    if (drag?.kind === 'pan') {
      canvas.pan(sx - drag.sx, sy - drag.sy);
      [drag.sx, drag.sy] = [sx, sy];
      this.panned = true;
    } else if (drag?.kind === 'idle') {
      if (Math.hypot(sx - drag.sx, sy - drag.sy) <= TREMBLE.pointer) return;
      this.drag = {...drag, kind: 'pan'}; // with nothing to place, what is dragged is the picture
      this.cursor();
      this.dragTo([sx, sy]);
    } else if (drag?.kind === 'up') {
      drag.to = [sx, sy];
      canvas.draw();
    } else if (drag?.kind === 'point') this.dragPoint(drag, [sx, sy]);
  }

  /** @param {PointDrag} drag @param {Place} place */
  dragPoint(drag, place) {
    const {canvas} = this;
    if (!canvas.picture) return;
    const gone = Math.hypot(place[0] - drag.sx, place[1] - drag.sy);
    // A placed point follows from the first pixel, but not where the press may yet be for the point under it.
    drag.far ||= gone > (drag.touch ? 0 : drag.placed && !drag.under ? 1 : TREMBLE.pointer);
    if (!drag.far) return;
    if (drag.under) {
      canvas.on.cancel(drag.name);
      this.take(drag.under, [drag.sx, drag.sy], drag.touch);
      this.dragTo(place);
      return;
    }
    const {x, y} = canvas.view.picture(...place);
    drag.x = clamp(x + drag.dx, -0.5, canvas.picture.width - 0.5);
    drag.y = clamp(y + drag.dy, -0.5, canvas.picture.height - 0.5);
    this.cursor();
    canvas.draw();
  }

  /** @param {Place|null} place */
  hover(place) {
    this.over = place;
    const {canvas} = this;
    const name = place ? canvas.nearest(...place, REACH.pointer)?.name ?? null : null;
    const pointed = place && name === null ? canvas.nearestOthers(...place, REACH.pointer)[0]?.key ?? null : null;
    if (name !== canvas.hovered || pointed !== canvas.pointed) {
      Object.assign(canvas, {hovered: name, pointed});
      canvas.draw();
    }
    this.cursor();
  }

  // --- letting go ---------------------------------------------------------------------------------------------------

  /** @param {PointerEvent} event */
  up(event) {
    if (event.pointerType === 'touch') {
      this.fingerUp(event);
      return;
    }
    this.over = this.at(event);
    this.finish();
  }

  finish() {
    const drag = this.letGo();
    const {on} = this.canvas;
    if (drag?.kind === 'point') on.drop(drag.name, drag.x, drag.y, drag.far, drag.whole);
    if (drag?.kind === 'idle') this.metNothing([drag.sx, drag.sy]);
    if (drag?.kind === 'up') this.pointed([drag.sx, drag.sy], drag.to);
    this.canvas.draw();
  }

  /** A drag that goes hardly anywhere says nothing: the next one may. @param {Place} from @param {Place} to */
  pointed(from, to) {
    const {canvas} = this;
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) < TELLING) return;
    const [a, b] = [canvas.view.picture(...from), canvas.view.picture(...to)];
    const length = Math.hypot(b.x - a.x, b.y - a.y);
    canvas.on.up({x: (b.x - a.x) / length, y: (b.y - a.y) / length});
  }

  /** @param {PointerEvent} event */
  cancelled(event) {
    this.fingers.delete(event.pointerId);
    this.breakOff();
  }

  /** Ends what is under way as if it had not begun. */
  breakOff() {
    const drag = this.letGo();
    if (drag?.kind === 'point') this.canvas.on.cancel(drag.name);
    this.canvas.draw();
  }

  letGo() {
    const {drag} = this;
    if (drag?.kind === 'tap') clearTimeout(drag.timer);
    this.drag = null;
    this.cursor();
    return drag;
  }

  /** Says what a press would do here. */
  cursor() {
    const {drag, canvas, over} = this;
    const {style} = canvas.element;
    if (drag?.kind === 'pan') style.cursor = 'grabbing';
    else if (drag?.kind === 'point') style.cursor = drag.far ? 'none' : 'crosshair';
    else if (this.space) style.cursor = 'grab';
    else if (canvas.pointing) style.cursor = 'crosshair';
    else if (over && canvas.picture) {
      const {x, y} = canvas.view.picture(...over);
      const chosen = canvas.pointed !== null && !canvas.on.anywhere();
      const places = inside(canvas.picture, x, y) && canvas.on.awaits(canvas.hovered) !== null;
      style.cursor = chosen ? 'pointer' : places ? 'crosshair' : canvas.hovered ? 'move' : 'grab';
    }
  }

  // --- fingers ------------------------------------------------------------------------------------------------------

  /** @param {PointerEvent} event @param {Place} place */
  fingerDown(event, place) {
    if (this.drag && !this.fingers.size) return; // the mouse or pen is at work
    this.canvas.element.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, place);
    if (this.fingers.size === 1 && this.canvas.pointing) {
      this.drag = {kind: 'up', sx: place[0], sy: place[1], to: place};
      return;
    }
    if (this.fingers.size === 1) {
      const timer = setTimeout(() => this.pressedLong(place), LONG_PRESS);
      this.drag = {kind: 'tap', sx: place[0], sy: place[1], event, timer: Number(timer)};
      return;
    }
    this.breakOff(); // with a second finger nothing is placed or moved any more
    this.pinch();
  }

  /** Two fingers zoom and pan, one that is left of them pans. */
  pinch() {
    const [one, two] = this.fingers.values();
    this.drag = two ? {kind: 'pinch', at: [one, two]} : one ? {kind: 'pan', sx: one[0], sy: one[1]} : null;
  }

  /** @param {Place} place */
  pressedLong(place) {
    const under = this.canvas.nearest(...place, REACH.finger);
    if (this.drag?.kind !== 'tap' || !under) return;
    this.take(under, place, true);
    this.canvas.draw();
  }

  /** @param {PointerEvent} event @param {Place} place */
  fingerMoved({pointerId}, place) {
    if (!this.fingers.has(pointerId)) return;
    this.fingers.set(pointerId, place);
    const {drag, canvas} = this;
    if (drag?.kind === 'tap') {
      if (Math.hypot(place[0] - drag.sx, place[1] - drag.sy) <= TREMBLE.finger) return;
      clearTimeout(drag.timer);
      this.drag = {kind: 'pan', sx: drag.sx, sy: drag.sy};
    }
    if (drag?.kind === 'pinch') {
      const [one, two] = this.fingers.values();
      canvas.pinch(drag.at, [one, two]);
      drag.at = [one, two];
    } else this.dragTo(place);
  }

  /** @param {PointerEvent} event */
  fingerUp({pointerId}) {
    if (!this.fingers.delete(pointerId)) return;
    const {drag} = this;
    if (this.fingers.size) {
      this.pinch();
      return;
    }
    if (drag?.kind === 'tap') this.tap([drag.sx, drag.sy], drag.event);
    this.finish();
  }

  /** @param {Place} place @param {PointerEvent} event */
  tap(place, event) {
    const {canvas} = this;
    const {on, picture, view} = canvas;
    const under = canvas.nearest(...place, REACH.finger);
    if (this.choose(place, under, REACH.finger, false, true)) return;
    const {x, y} = view.picture(...place);
    const name = picture && inside(picture, x, y) ? on.awaits(under?.name ?? null) : null;
    if (name !== null) {
      on.press(name, x, y, event.shiftKey);
      on.drop(name, x, y, false, false);
    } else if (under) on.grab(under.name);
    else this.metNothing(place);
  }

  /** @param {Place} place */
  metNothing(place) {
    const {on, picture, view} = this.canvas;
    const {x, y} = view.picture(...place);
    on.nothing(!picture || !inside(picture, x, y));
  }

  // --- the wheel ----------------------------------------------------------------------------------------------------

  /** A wheel zooms at the pointer. On a trackpad two fingers pan, and a pinch (which comes as Ctrl and wheel) zooms.
   *  @param {WheelEvent} event */
  wheeled(event) {
    event.preventDefault();
    const {canvas, wheel} = this;
    if (!canvas.picture) return;
    const now = event.timeStamp;
    if (now - wheel.at > 250) {
      wheel.trackpad = event.deltaMode === 0 && (event.deltaX !== 0 || Math.abs(event.deltaY) < 40);
    }
    wheel.at = now;
    const unit = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 33 : canvas.size.height;
    const pinch = event.ctrlKey || event.metaKey;
    if (wheel.trackpad && !pinch) canvas.pan(-event.deltaX, -event.deltaY);
    else canvas.zoom(Math.exp(-event.deltaY * unit * (wheel.trackpad ? 0.01 : 0.002)), ...this.at(event));
  }
}

/** @param {Met} point */
const idOf = ({key, name}) => `${key} ${name}`;
