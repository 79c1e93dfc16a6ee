/** The picture to work on: zoomed, panned, pointed at. Coordinates are those of geometry.js. */

import {h} from './dom.js';
import {clamp, inside, View} from './geometry.js';
import {hold, holdLarge} from './images.js';
import {disc, NEAREST_FROM, paintArms, paintMark, paintName, paintSkeleton, prepare} from './paint.js';

/**
 * @import {PictureDetail} from 'types/messages'
 * @import {Api} from './api.js'
 * @import {Size} from './geometry.js'
 * @import {Context, Mark} from './paint.js'
 * @typedef {{kind: 'point', name: string, sx: number, sy: number, dx: number, dy: number, x: number, y: number,
 *   far: boolean, placed: boolean}} PointDrag
 * @typedef {PointDrag | {kind: 'pan', sx: number, sy: number} | {kind: 'none'}} Drag
 * @typedef {{left: number, top: number, right: number, bottom: number}} Bounds  in CSS pixels of the canvas
 */

const TILE = 512; // side of a tile of the server's, in pixels of the picture
const LARGEST_SCALE = 64;
const GRAB = 10; // how far from a point a press still takes hold of it, in CSS pixels
const MARGIN = 16; // around a picture that is shown whole
const BELOW = 54; // below it, where the hint is
const EDGE = 40; // what is to be in sight is so far from the canvas's edge
const KEPT_IN_SIGHT = 80;
const LOUPE = 176;

/** A picture to zoom, pan, point at and work on. What it shows is set by `marks`, `skeleton`, `current`, then
 *  `draw()`. */
export class PictureCanvas {
  /**
   * @param {HTMLElement} place  it fills this; must be positioned
   * @param {Api} api
   * @param {object} on  what it calls back
   * @param {(x: number, y: number, event: PointerEvent) => string|null} on.press  pressed where no point is; the
   *  name of
   *   the point that is there now, to be dragged, or null
   * @param {(name: string) => void} on.grab  pressed on a point
   * @param {(name: string, x: number, y: number, moved: boolean) => void} on.drop  let go of
   * @param {(name: string) => void} on.cancel  the drag was broken off
   * @param {() => void} on.view  zoomed or panned
   * @param {(message: string) => void} on.failed  the picture cannot be shown
   */
  constructor(place, api, on) {
    this.api = api;
    this.on = on;
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {[string, string][]} */
    this.skeleton = [];
    /** @type {string|null} */
    this.current = null;
    /** @type {string|null} */
    this.hovered = null;
    /** CSS filter of the picture, for the eye alone, e.g. `brightness(1.5)` */
    this.filter = 'none';
    /** @type {PictureDetail|null} */
    this.picture = null;
    /** of its large image */
    this.address = '';
    /** @type {HTMLImageElement|null} */
    this.base = null;
    this.view = new View(1, 0, 0);
    this.fitted = true;
    /** @type {Drag|null} */
    this.drag = null;
    this.space = false;
    this.frame = 0;
    this.wheel = {at: 0, trackpad: false};
    this.element = h('canvas.picture', {testid: 'canvas', tabindex: 0, role: 'application', 'aria-label': 'Picture'});
    place.append(this.element);
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.element);
    this.abort = new AbortController();
    this.bind();
  }

  destroy() {
    this.abort.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.element.remove();
  }

  // --- which picture -------------------------------------------------------------------------------------------------

  /** Shows another picture: a small image of it at once, then a large one, then tiles where they are needed.
   *  @param {PictureDetail} picture */
  async open(picture) {
    const address = this.api.image(picture.id, 2048); // another one where the file was replaced
    const {width, height} = this.picture ?? {};
    const another = this.address !== address || width !== picture.width || height !== picture.height;
    this.picture = picture;
    this.address = address;
    this.element.setAttribute('aria-label', `Picture ${picture.file}`);
    if (!another && this.base) {
      this.draw();
      return;
    }
    this.drag = null;
    this.element.dataset.ready = '';
    this.element.dataset.id = picture.id;
    this.fit();
    const is = () => this.address === address;
    const [small, whole] = [hold(this.api.image(picture.id, 320)), holdLarge(address)];
    this.base = whole.image ?? small.image;
    small.loading.then((image) => {
      if (!is() || this.base) return;
      this.base = image;
      this.draw();
    }, () => {});
    this.draw();
    try {
      const image = await whole.loading;
      if (!is()) return;
      this.base = image;
      this.paint();
      this.element.dataset.ready = picture.id;
    } catch {
      if (is()) this.on.failed('This picture cannot be shown.');
    }
  }

  /** Shows no picture. */
  clear() {
    this.picture = null;
    this.address = '';
    this.base = null;
    this.marks = [];
    this.element.dataset.ready = '';
    this.draw();
  }

  // --- coordinates ---------------------------------------------------------------------------------------------------

  /** From the picture to the window, in CSS pixels (what a mouse event's clientX and clientY are).
   *  @param {number} x @param {number} y */
  toScreen(x, y) {
    const box = this.element.getBoundingClientRect();
    const [sx, sy] = this.view.place(x, y);
    return {x: sx + box.left, y: sy + box.top};
  }

  /** From the window (clientX, clientY) to the picture. @param {number} clientX @param {number} clientY */
  toPicture(clientX, clientY) {
    const box = this.element.getBoundingClientRect();
    return this.view.picture(clientX - box.left, clientY - box.top);
  }

  /** In CSS pixels. @returns {Size} */
  get size() {
    return {width: this.element.clientWidth || 1, height: this.element.clientHeight || 1};
  }

  /** At which the whole picture is shown. @param {Size} picture */
  fitScale({width, height}) {
    const room = this.size;
    return Math.min((room.width - 2 * MARGIN) / width, (room.height - MARGIN - BELOW) / height, LARGEST_SCALE);
  }

  /** The whole picture. */
  fit() {
    if (!this.picture) return;
    const {width, height} = this.picture;
    const scale = this.fitScale(this.picture);
    const {width: across, height: down} = this.size;
    this.view = new View(scale, (across - width * scale) / 2, (down + MARGIN - BELOW - height * scale) / 2);
    this.fitted = true;
    this.changed();
  }

  /** Zooms by `factor` about a place on the canvas (its middle, if left out).
   *  @param {number} factor @param {number} [sx] @param {number} [sy] */
  zoom(factor, sx = this.size.width / 2, sy = this.size.height / 2) {
    if (!this.picture) return;
    const smallest = Math.min(this.fitScale(this.picture), 1) / 2;
    this.look(this.view.zoomed(clamp(this.view.scale * factor, smallest, LARGEST_SCALE), sx, sy));
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.look(new View(this.view.scale, this.view.left + dx, this.view.top + dy));
  }

  /** Brings a place of the picture into sight if it is not. @param {number} x @param {number} y */
  reveal(x, y) {
    const {width, height} = this.size;
    const [sx, sy] = this.view.place(x, y);
    const dx = sx < EDGE ? EDGE - sx : sx > width - EDGE ? width - EDGE - sx : 0;
    const dy = sy < EDGE ? EDGE - sy : sy > height - EDGE ? height - EDGE - sy : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  /** Some of the picture always stays on the canvas. @param {View} view */
  look(view) {
    this.view = this.picture ? view.inSight(this.picture, this.size, KEPT_IN_SIGHT) : view;
    this.fitted = false;
    this.changed();
  }

  changed() {
    this.draw();
    this.on.view();
  }

  resized() {
    if (this.fitted) this.fit();
    else this.draw();
  }

  // --- pointer -------------------------------------------------------------------------------------------------------

  bind() {
    const {element} = this;
    const {signal} = this.abort;
    element.addEventListener('pointerdown', (e) => this.down(e), {signal});
    element.addEventListener('pointermove', (e) => this.moved(e), {signal});
    element.addEventListener('pointerup', () => this.up(), {signal});
    element.addEventListener('pointercancel', () => this.breakOff(), {signal});
    element.addEventListener('pointerleave', () => this.pointed(null), {signal});
    element.addEventListener('wheel', (e) => this.wheeled(e), {passive: false, signal});
    element.addEventListener('contextmenu', (e) => e.preventDefault(), {signal});
    element.addEventListener('auxclick', (e) => e.preventDefault(), {signal});
    addEventListener('blur', () => this.holdSpace(false), {signal});
    addEventListener('keyup', (e) => e.key === ' ' && this.holdSpace(false), {signal});
    this.watchRatio();
  }

  /** A window dragged to another screen is drawn at that screen's resolution. */
  watchRatio() {
    const query = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    query.addEventListener('change', () => {
      this.draw();
      this.watchRatio();
    }, {once: true, signal: this.abort.signal});
  }

  /** While space is held, a drag pans. */
  holdSpace(held = true) {
    this.space = held;
    this.cursor();
  }

  /** @param {MouseEvent} event @returns {[number, number]} */
  at(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** The point nearest to a place on the canvas, within reach; of two the current one.
   *  @param {number} sx @param {number} sy */
  nearest(sx, sy) {
    /** @type {Mark|null} */
    let best = null;
    let least = GRAB;
    for (const mark of this.marks) {
      const [x, y] = this.view.place(mark.x, mark.y);
      const d = Math.hypot(x - sx, y - sy) - (mark.name === this.current ? 0.5 : 0);
      if (d <= least) [least, best] = [d, mark];
    }
    return best;
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (!this.picture || this.drag) return;
    this.element.focus({preventScroll: true});
    event.preventDefault();
    const [sx, sy] = this.at(event);
    this.element.setPointerCapture(event.pointerId);
    if (event.button !== 0 || this.space) this.drag = {kind: 'pan', sx, sy};
    else this.press(this.picture, event, sx, sy);
    this.cursor();
  }

  /** @param {Size} picture @param {PointerEvent} event @param {number} sx @param {number} sy */
  press(picture, event, sx, sy) {
    const {x, y} = this.view.picture(sx, sy);
    const hit = this.nearest(sx, sy);
    // A click near the current landmark's suggestion says where it is: it is not a grasp of the suggestion.
    const placing = hit?.style === 'suggested' && hit.name === this.current;
    const drag = {kind: /** @type {const} */ ('point'), sx, sy, far: false};
    if (hit && !placing) {
      this.drag = {...drag, name: hit.name, dx: hit.x - x, dy: hit.y - y, x: hit.x, y: hit.y, placed: false};
      this.on.grab(hit.name);
    } else {
      const name = inside(picture, x, y) ? this.on.press(x, y, event) : null;
      this.drag = name === null ? {kind: 'none'} : {...drag, name, dx: 0, dy: 0, x, y, placed: true};
    }
    this.draw();
  }

  /** @param {PointerEvent} event */
  moved(event) {
    if (!this.picture) return;
    const [sx, sy] = this.at(event);
    const {drag} = this;
    if (!drag) this.pointed(this.nearest(sx, sy));
    if (drag?.kind === 'pan') {
      this.pan(sx - drag.sx, sy - drag.sy);
      [drag.sx, drag.sy] = [sx, sy];
    }
    if (drag?.kind === 'point') {
      // A press that trembles is a click; a placed point follows from the first pixel.
      drag.far ||= Math.hypot(sx - drag.sx, sy - drag.sy) > (drag.placed ? 1 : 3);
      if (!drag.far) return;
      const {x, y} = this.view.picture(sx, sy);
      drag.x = clamp(x + drag.dx, -0.5, this.picture.width - 0.5);
      drag.y = clamp(y + drag.dy, -0.5, this.picture.height - 0.5);
      this.cursor();
      this.draw();
    }
  }

  /** @param {Mark|null} mark */
  pointed(mark) {
    const over = mark?.name ?? null;
    if (over === this.hovered) return;
    this.hovered = over;
    this.cursor();
    this.draw();
  }

  up() {
    const drag = this.letGo();
    if (drag?.kind === 'point') this.on.drop(drag.name, drag.x, drag.y, drag.far);
    this.draw();
  }

  breakOff() {
    const drag = this.letGo();
    if (drag?.kind === 'point') this.on.cancel(drag.name);
    this.draw();
  }

  letGo() {
    const {drag} = this;
    this.drag = null;
    this.cursor();
    return drag;
  }

  cursor() {
    const {drag} = this;
    const dragging = drag?.kind === 'point' && drag.far;
    this.element.style.cursor = dragging
      ? 'none'
      : drag?.kind === 'pan'
      ? 'grabbing'
      : this.space
      ? 'grab'
      : this.hovered
      ? 'move'
      : 'crosshair';
  }

  /** A wheel zooms at the pointer. On a trackpad two fingers pan, and a pinch (which comes as Ctrl and wheel) zooms.
   *  @param {WheelEvent} event */
  wheeled(event) {
    event.preventDefault();
    if (!this.picture) return;
    const [sx, sy] = this.at(event);
    const now = event.timeStamp;
    if (now - this.wheel.at > 250) {
      this.wheel.trackpad = event.deltaMode === 0 && (event.deltaX !== 0 || Math.abs(event.deltaY) < 40);
    }
    this.wheel.at = now;
    const unit = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 33 : this.size.height;
    const pinch = event.ctrlKey || event.metaKey;
    if (this.wheel.trackpad && !pinch) this.pan(-event.deltaX, -event.deltaY);
    else this.zoom(Math.exp(-event.deltaY * unit * (this.wheel.trackpad ? 0.01 : 0.002)), sx, sy);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  /** Draws with the next frame. */
  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const {ctx, size} = prepare(this.element);
    const {picture, view, drag} = this;
    if (!picture) return;
    this.paintPicture(ctx, picture, view, {left: 0, top: 0, right: size.width, bottom: size.height});
    const marks = this.marksNow();
    paintSkeleton(ctx, view, marks, this.skeleton);
    const top = marks.filter(({name}) => name === this.hovered || name === this.current);
    for (const mark of marks) if (!top.includes(mark)) paintMark(ctx, view, mark);
    for (const mark of top) paintMark(ctx, view, mark, {current: mark.name === this.current});
    if (drag?.kind === 'point') this.paintLoupe(ctx, picture, drag);
    else for (const mark of top) paintName(ctx, view, mark, size);
  }

  /** The marks, the dragged one where it is now. @returns {Mark[]} */
  marksNow() {
    const {drag} = this;
    if (drag?.kind !== 'point' || !(drag.far || drag.placed)) return this.marks;
    const {name, x, y} = drag;
    const moved = (/** @type {Mark} */ m) => ({...m, x, y, style: m.style === 'suggested' ? 'visible' : m.style});
    return this.marks.map((m) => m.name === name ? /** @type {Mark} */ (moved(m)) : m);
  }

  /**
   * The picture where `view` puts it, as far as it lies within `bounds`.
   * @param {Context} ctx
   * @param {PictureDetail} picture
   * @param {View} view
   * @param {Bounds} bounds
   */
  paintPicture(ctx, picture, view, bounds) {
    const {base} = this;
    const {scale, left, top} = view;
    const ratio = window.devicePixelRatio || 1;
    ctx.imageSmoothingQuality = 'high';
    ctx.filter = this.filter;
    if (base) {
      ctx.imageSmoothingEnabled = (scale * ratio * picture.width) / base.naturalWidth < NEAREST_FROM;
      ctx.drawImage(base, left, top, picture.width * scale, picture.height * scale);
      const coarse = scale * ratio > (1.1 * base.naturalWidth) / picture.width;
      if (coarse && base.naturalWidth < picture.width && base.naturalWidth > 320) {
        this.paintTiles(ctx, picture, view, bounds, scale * ratio < NEAREST_FROM);
      }
    } else {
      ctx.fillStyle = 'rgb(128 128 128 / 12%)';
      ctx.fillRect(left, top, picture.width * scale, picture.height * scale);
    }
    ctx.filter = 'none';
  }

  /**
   * @param {Context} ctx
   * @param {PictureDetail} picture
   * @param {View} view
   * @param {Bounds} bounds
   * @param {boolean} smooth
   */
  paintTiles(ctx, {id, width, height}, {scale, left, top}, bounds, smooth) {
    ctx.imageSmoothingEnabled = smooth;
    /** @param {number} edge @param {number} offset */
    const tile = (edge, offset) => Math.floor((edge - offset) / scale / TILE);
    const [firstRow, firstColumn] = [Math.max(0, tile(bounds.top, top)), Math.max(0, tile(bounds.left, left))];
    const lastRow = Math.min(Math.ceil(height / TILE) - 1, tile(bounds.bottom, top));
    const lastColumn = Math.min(Math.ceil(width / TILE) - 1, tile(bounds.right, left));
    for (let row = firstRow; row <= lastRow; row += 1) {
      for (let column = firstColumn; column <= lastColumn; column += 1) {
        const held = hold(this.api.tile(id, column, row));
        const [w, hh] = [Math.min(TILE, width - column * TILE), Math.min(TILE, height - row * TILE)];
        if (held.image) {
          ctx.drawImage(held.image, column * TILE * scale + left, row * TILE * scale + top, w * scale, hh * scale);
        } else if (!held.awaited) {
          held.awaited = true;
          held.loading.then(() => this.draw(), () => {});
        }
      }
    }
  }

  /** What lies under the point that is held, enlarged, in the corner that is not in the way.
   *  @param {Context} ctx @param {PictureDetail} picture @param {PointDrag} drag */
  paintLoupe(ctx, picture, drag) {
    const colour = this.marks.find((m) => m.name === drag.name)?.colour ?? '#ffffff';
    const [px, py] = this.view.place(drag.x, drag.y);
    const corner = px < LOUPE + 60 && py < LOUPE + 60 ? this.size.width - LOUPE - 12 : 12;
    const scale = clamp(this.view.scale * 4, 6, LARGEST_SCALE);
    const [x, y] = [corner + LOUPE / 2, 12 + LOUPE / 2];
    const view = new View(scale, x - (drag.x + 0.5) * scale, y - (drag.y + 0.5) * scale);
    ctx.save();
    ctx.beginPath();
    ctx.roundRect(corner, 12, LOUPE, LOUPE, 10);
    ctx.clip();
    ctx.fillStyle = '#0b0c0e';
    ctx.fillRect(corner, 12, LOUPE, LOUPE);
    this.paintPicture(ctx, picture, view, {left: corner, top: 12, right: corner + LOUPE, bottom: 12 + LOUPE});
    paintArms(ctx, x, y, 7, LOUPE / 2 - 10, 3, 'rgb(0 0 0 / 45%)');
    paintArms(ctx, x, y, 7, LOUPE / 2 - 10, 1, 'rgb(255 255 255 / 90%)');
    disc(ctx, x, y, 2.5, 'rgb(0 0 0 / 60%)');
    disc(ctx, x, y, 1.6, colour);
    ctx.restore();
    ctx.beginPath();
    ctx.roundRect(corner, 12, LOUPE, LOUPE, 10);
    ctx.lineWidth = 2;
    ctx.strokeStyle = colour;
    ctx.stroke();
    ctx.font = '500 11px system-ui, sans-serif';
    ctx.fillStyle = 'rgb(12 14 17 / 78%)';
    ctx.fillRect(corner + 1, 12 + LOUPE - 21, LOUPE - 2, 20);
    ctx.fillStyle = '#ffffff';
    ctx.textBaseline = 'middle';
    ctx.fillText(`${drag.x.toFixed(1)}, ${drag.y.toFixed(1)}`, corner + 8, 12 + LOUPE - 10.5);
  }
}
