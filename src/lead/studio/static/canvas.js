/**
 * Pictures with points on them: PictureCanvas to work on, drawThumbnail to look at.
 *
 * Coordinates. A picture's (0, 0) is the *centre* of its top-left pixel, so that its edges are at -0.5 and width - 0.5.
 * On the screen a place is `(x + 0.5) * scale + offset` in CSS pixels from the canvas's corner. An image of the
 * picture, whatever its own size, is drawn onto the picture's edges; each axis so gets its own exact scale.
 */

import {h} from './dom.js';

const TILE = 512; // side of a tile of the server's, in pixels of the picture
const NEAREST_FROM = 8; // device pixels to one pixel of the picture, from which on pixels are shown as squares
const LARGEST_SCALE = 64;
const GRAB = 10; // how far from a point a press still takes hold of it, in CSS pixels
const MARGIN = 16; // around a picture that is shown whole
const BELOW = 54; // below it, where the hint is
const LOUPE = 176;

/**
 * @typedef {{name: string, x: number, y: number, colour: string, style: 'visible'|'hidden'|'suggested',
 *   expected_px?: number}} Mark
 */

// --- images ----------------------------------------------------------------------------------------------------------

const images = new Map();
const IMAGES_KEPT = 160;

/** The image at `url`, loaded and decoded once. @returns {Promise<HTMLImageElement>} */
export function loadImage(url) {
  let promise = images.get(url);
  if (promise) images.delete(url); // to the end: the most recently used
  else {
    const image = new Image();
    image.decoding = 'async';
    image.src = url;
    promise = image.decode().then(() => {
      promise.image = image;
      return image;
    });
    promise.catch(() => images.delete(url));
  }
  images.set(url, promise);
  if (images.size > IMAGES_KEPT) images.delete(images.keys().next().value);
  return promise;
}

/** Later sizes are large: only a handful are kept, whatever else is. */
const LARGE_KEPT = 5;
const large = [];

function loadLarge(url) {
  const at = large.indexOf(url);
  if (at >= 0) large.splice(at, 1);
  large.push(url);
  if (large.length > LARGE_KEPT) images.delete(large.shift());
  return loadImage(url);
}

/** Loads what a picture will be shown with, so that it is there at once. */
export function prefetch(api, id) {
  loadImage(api.image(id, 320)).catch(() => {});
  loadLarge(api.image(id, 2048)).catch(() => {});
}

// --- painting --------------------------------------------------------------------------------------------------------

/** Lines between points that are shown; dashed where one of the two is a suggestion. */
export function paintSkeleton(ctx, view, marks, skeleton) {
  const at = new Map(marks.map((m) => [m.name, m]));
  for (const [a, b] of skeleton) {
    const [p, q] = [at.get(a), at.get(b)];
    if (!p || !q) continue;
    const sure = p.style !== 'suggested' && q.style !== 'suggested';
    for (const [width, colour] of [[3.5, 'rgb(0 0 0 / 45%)'], [
      1.5,
      sure ? 'rgb(255 255 255 / 90%)' : 'rgb(255 255 255 / 60%)',
    ]]) {
      ctx.beginPath();
      ctx.setLineDash(sure ? [] : [4, 4]);
      ctx.moveTo(...view.place(p.x, p.y));
      ctx.lineTo(...view.place(q.x, q.y));
      ctx.lineWidth = width;
      ctx.strokeStyle = colour;
      ctx.stroke();
    }
  }
  ctx.setLineDash([]);
}

function ring(ctx, x, y, r, width, colour, dash = []) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.setLineDash(dash);
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.stroke();
  ctx.setLineDash([]);
}

function disc(ctx, x, y, r, colour) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
}

/** One point: solid if labelled, dashed if hidden, hollow with a ring of the expected error if suggested. */
export function paintMark(ctx, view, mark, {r = 5, current = false, error = true} = {}) {
  const [x, y] = view.place(mark.x, mark.y);
  if (mark.style === 'suggested' && error && mark.expected_px) {
    const reach = Math.min(mark.expected_px * view.scale, 400);
    if (reach > r + 1) {
      ctx.globalAlpha = 0.16;
      disc(ctx, x, y, reach, mark.colour);
      ctx.globalAlpha = 1;
      ring(ctx, x, y, reach, 2.5, 'rgb(0 0 0 / 35%)');
      ring(ctx, x, y, reach, 1, mark.colour);
    }
  }
  if (current) {
    ring(ctx, x, y, r + 5, 3.5, 'rgb(0 0 0 / 50%)');
    ring(ctx, x, y, r + 5, 1.75, '#ffffff');
  }
  if (view.scale >= NEAREST_FROM && r >= 4) { // single pixels are judged: the place itself stays in sight
    ring(ctx, x, y, r + 1, 4, 'rgb(0 0 0 / 55%)');
    ring(ctx, x, y, r + 1, 2, mark.colour, mark.style === 'hidden' ? [3, 2.5] : []);
    disc(ctx, x, y, 2.2, 'rgb(0 0 0 / 60%)');
    disc(ctx, x, y, 1.4, mark.style === 'suggested' ? '#ffffff' : mark.colour);
    return;
  }
  if (mark.style === 'suggested') {
    ring(ctx, x, y, r, 4.5, 'rgb(0 0 0 / 55%)');
    ring(ctx, x, y, r, 2.25, mark.colour);
    disc(ctx, x, y, 1.2, mark.colour);
  } else if (mark.style === 'hidden') {
    disc(ctx, x, y, r + 3, 'rgb(0 0 0 / 50%)');
    ring(ctx, x, y, r + 1, 2.5, mark.colour, [3.6, 2.7]);
    disc(ctx, x, y, 1.5, mark.colour);
  } else {
    disc(ctx, x, y, r + 2.25, 'rgb(0 0 0 / 45%)');
    disc(ctx, x, y, r + 1.25, '#ffffff');
    disc(ctx, x, y, r, mark.colour);
  }
}

function paintName(ctx, view, mark, bounds) {
  const [x, y] = view.place(mark.x, mark.y);
  ctx.font = '500 12px system-ui, sans-serif';
  const width = ctx.measureText(mark.name).width + 12;
  const left = x + 14 + width > bounds.width ? x - 14 - width : x + 14;
  const top = Math.min(Math.max(y - 10, 4), bounds.height - 24);
  ctx.fillStyle = 'rgb(12 14 17 / 82%)';
  ctx.beginPath();
  ctx.roundRect(left, top, width, 20, 5);
  ctx.fill();
  ctx.fillStyle = '#ffffff';
  ctx.textBaseline = 'middle';
  ctx.fillText(mark.name, left + 6, top + 10.5);
}

/**
 * A canvas of `columns` × `rows` pixels, coloured and the more opaque the higher the value.
 * @param {{columns: number, rows: number, values: Uint8Array|string}} map  HeatMap of messages.py; base64 is decoded
 */
export function heatImage({columns, rows, values}) {
  const bytes = typeof values === 'string' ? Uint8Array.from(atob(values), (c) => c.charCodeAt(0)) : values;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [columns, rows];
  const data = new ImageData(columns, rows);
  for (let i = 0; i < bytes.length; i += 1) {
    const v = bytes[i] / 255;
    const [r, g, b] = heatColour(v);
    data.data.set([r, g, b, 235 * Math.min(1, v ** 1.4)], 4 * i);
  }
  canvas.getContext('2d').putImageData(data, 0, 0);
  return canvas;
}

const HEAT = [[20, 11, 52], [88, 15, 109], [159, 42, 99], [222, 73, 60], [249, 142, 9], [252, 255, 164]];

function heatColour(v) {
  const at = Math.min(v, 0.9999) * (HEAT.length - 1);
  const [a, b] = [HEAT[Math.floor(at)], HEAT[Math.floor(at) + 1]];
  return a.map((c, i) => c + (b[i] - c) * (at % 1));
}

/** Where a part of a picture is on a canvas. */
class View {
  constructor(scale, left, top) {
    Object.assign(this, {scale, left, top});
  }
  place(x, y) {
    return [(x + 0.5) * this.scale + this.left, (y + 0.5) * this.scale + this.top];
  }
}

/** Gives a canvas `width` × `height` CSS pixels at the screen's resolution; returns its context, in CSS pixels and
 *  cleared. */
function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, hh] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== hh) {
    canvas.width = w;
    canvas.height = hh;
  }
  const ctx = canvas.getContext('2d');
  ctx.setTransform(w / width, 0, 0, hh / height, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return ctx;
}

/**
 * Draws a picture to look at.
 *
 * @param {HTMLCanvasElement} canvas  laid out by CSS: it is drawn at the size that it has
 * @param {{image: CanvasImageSource|null, width: number, height: number, marks?: Mark[],
 *   skeleton?: [string, string][], crop?: number[], heat?: {image: HTMLCanvasElement, box: number[]}, current?: string,
 *   r?: number, error?: boolean, cover?: boolean, names?: boolean}} what
 *   `image` is of the picture, in whatever size; `width` and `height` are the picture's own; `crop` is x, y, width,
 *   height in its pixels as edges (the whole picture is 0, 0, width, height); `heat` as from heatImage; `cover` fills
 *   the canvas rather than fits into it
 * @returns {View} with `place(x, y)` from the picture to CSS pixels of the canvas, and `scale`
 */
export function drawThumbnail(canvas,
  {image, width, height, marks = [], skeleton = [], crop, heat, current, r = 3, error = false, cover = false,
    names = false})
{
  const [w, hh] = [canvas.clientWidth || 1, canvas.clientHeight || 1];
  const ctx = prepare(canvas, w, hh);
  const [cx, cy, cw, ch] = crop ?? [0, 0, width, height];
  const scale = (cover ? Math.max : Math.min)(w / cw, hh / ch);
  const view = new View(scale, (w - cw * scale) / 2 - cx * scale, (hh - ch * scale) / 2 - cy * scale);
  ctx.imageSmoothingEnabled = scale < NEAREST_FROM;
  ctx.imageSmoothingQuality = 'high';
  if (image) ctx.drawImage(image, view.left, view.top, width * scale, height * scale);
  if (heat) {
    ctx.imageSmoothingEnabled = true;
    const [bx, by, bw, bh] = heat.box;
    ctx.save();
    ctx.beginPath();
    ctx.rect(view.left, view.top, width * scale, height * scale);
    ctx.clip();
    ctx.drawImage(heat.image, bx * scale + view.left, by * scale + view.top, bw * scale, bh * scale);
    ctx.restore();
  }
  paintSkeleton(ctx, view, marks, skeleton);
  for (const mark of marks) if (mark.name !== current) paintMark(ctx, view, mark, {r, error});
  for (const mark of marks) if (mark.name === current) paintMark(ctx, view, mark, {r: r + 1, error, current: true});
  if (names) {
    for (const mark of marks) {
      if (mark.name === current) paintName(ctx, view, mark, {width: w, height: hh});
    }
  }
  return view;
}

/**
 * Labels and suggestions of a picture as marks to draw.
 * @param {object} landmarks  Landmarks
 * @param {Object<string, object>} points  of PictureLabels
 * @param {Object<string, object>} [suggested]  of Suggestions or a Prediction: drawn where there is no label
 * @returns {Mark[]} in the landmarks' order, without absent ones
 */
export function marksOf(landmarks, points, suggested = {}) {
  const marks = [];
  for (const {name, colour} of landmarks.landmarks) {
    const [label, guess] = [points[name], suggested[name]];
    if (label && label.state !== 'absent') marks.push({name, colour, x: label.x, y: label.y, style: label.state});
    else if (!label && guess) {
      marks.push({name, colour, x: guess.x, y: guess.y, style: 'suggested', expected_px: guess.expected_px});
    }
  }
  return marks;
}

// --- the picture to work on ------------------------------------------------------------------------------------------

/**
 * A picture to zoom, pan, point at and work on. What it shows is set by `marks`, `skeleton`, `current`, `heat` and then
 * `draw()`.
 *
 * `on` has what it calls back, each left out as one likes:
 *   press(x, y, event) → name|null   pressed where no point is; the name of the point there now, to be dragged, or null
 *   grab(name)                       pressed on a point
 *   move(name, x, y)                 it is being dragged
 *   drop(name, x, y, moved, event)   let go of
 *   cancel(name)                     the drag was broken off
 *   hover(x, y)                      pointed at, without a button; hover(null, null) when the pointer leaves
 *   view()                           zoomed or panned
 *   failed(message)                  the picture cannot be shown
 */
export class PictureCanvas {
  /**
   * @param {HTMLElement} place  it fills this; must be positioned
   * @param {import('./api.js').Api} api
   * @param {object} on
   */
  constructor(place, api, on = {}) {
    this.api = api;
    this.on = on;
    /** @type {Mark[]} */
    this.marks = [];
    this.skeleton = [];
    this.current = null;
    this.hovered = null;
    /** whether points can be dragged and placed */
    this.editable = true;
    /** CSS filter of the picture, for the eye alone, e.g. `brightness(1.5)` */
    this.filter = 'none';
    /** room left below a picture that is shown whole, in CSS pixels */
    this.below = on.press ? BELOW : MARGIN;
    /** @type {{image: HTMLCanvasElement, box: number[]}|null} */
    this.heat = null;
    this.picture = null;
    this.base = null;
    this.view = new View(1, 0, 0);
    this.fitted = true;
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

  /**
   * Shows another picture: a small image of it at once, then a large one, then tiles where they are needed.
   * @param {{id: string, width: number, height: number}} picture
   * @param {{keepView?: boolean}} [options]
   */
  async open(picture, {keepView = false} = {}) {
    const another = this.picture?.id !== picture.id;
    this.picture = picture;
    this.element.setAttribute('aria-label', `Picture ${picture.file ?? picture.id}`);
    if (!another && this.base) {
      this.draw();
      return;
    }
    this.drag = null;
    this.base = null;
    this.element.dataset.ready = '';
    this.element.dataset.id = picture.id;
    if (!keepView) this.fit();
    const is = () => this.picture?.id === picture.id;
    const [small, whole] = [loadImage(this.api.image(picture.id, 320)), loadLarge(this.api.image(picture.id, 2048))];
    if (whole.image) this.base = whole.image;
    else if (small.image) this.base = small.image;
    small.then((image) => {
      if (is() && !this.base) {
        this.base = image;
        this.draw();
      }
    }, () => {});
    this.draw();
    try {
      const image = await whole;
      if (!is()) return;
      this.base = image;
      this.paint();
      this.element.dataset.ready = picture.id;
    } catch {
      if (is()) this.on.failed?.('This picture cannot be shown.');
    }
  }

  /** Shows no picture. */
  clear() {
    this.picture = null;
    this.base = null;
    this.marks = [];
    this.element.dataset.ready = '';
    this.draw();
  }

  // --- coordinates ---------------------------------------------------------------------------------------------------

  /** From the picture to the window, in CSS pixels (what a mouse event's clientX and clientY are). */
  toScreen(x, y) {
    const box = this.element.getBoundingClientRect();
    const [sx, sy] = this.view.place(x, y);
    return {x: sx + box.left, y: sy + box.top};
  }

  /** From the window (clientX, clientY) to the picture. */
  toPicture(clientX, clientY) {
    const box = this.element.getBoundingClientRect();
    return this.fromCanvas(clientX - box.left, clientY - box.top);
  }

  fromCanvas(sx, sy) {
    const {scale, left, top} = this.view;
    return {x: (sx - left) / scale - 0.5, y: (sy - top) / scale - 0.5};
  }

  get width() {
    return this.element.clientWidth || 1;
  }
  get height() {
    return this.element.clientHeight || 1;
  }

  fitScale() {
    const {width, height} = this.picture;
    return Math.min((this.width - 2 * MARGIN) / width, (this.height - MARGIN - this.below) / height, LARGEST_SCALE);
  }

  /** The whole picture. */
  fit() {
    if (!this.picture) return;
    const scale = this.fitScale();
    this.view = new View(scale, (this.width - this.picture.width * scale) / 2,
      (this.height + MARGIN - this.below - this.picture.height * scale) / 2);
    this.fitted = true;
    this.changed();
  }

  /** Zooms by `factor` about a place on the canvas (its middle, if left out). */
  zoom(factor, sx = this.width / 2, sy = this.height / 2) {
    if (!this.picture) return;
    const {scale, left, top} = this.view;
    const smallest = Math.min(this.fitScale(), 1) / 2;
    const next = Math.min(LARGEST_SCALE, Math.max(smallest, scale * factor));
    const f = next / scale;
    this.view = new View(next, sx - (sx - left) * f, sy - (sy - top) * f);
    this.fitted = false;
    this.keepInSight();
    this.changed();
  }

  pan(dx, dy) {
    this.view = new View(this.view.scale, this.view.left + dx, this.view.top + dy);
    this.fitted = false;
    this.keepInSight();
    this.changed();
  }

  /** Brings a place of the picture into sight if it is not. */
  reveal(x, y) {
    const [sx, sy] = this.view.place(x, y);
    const edge = 40;
    const dx = sx < edge ? edge - sx : sx > this.width - edge ? this.width - edge - sx : 0;
    const dy = sy < edge ? edge - sy : sy > this.height - edge ? this.height - edge - sy : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  /** Some of the picture always stays on the canvas. */
  keepInSight() {
    if (!this.picture) return;
    const keep = 80;
    const {scale} = this.view;
    const clamp = (at, length, room) => Math.min(room - keep, Math.max(keep - length * scale, at));
    this.view.left = clamp(this.view.left, this.picture.width, this.width);
    this.view.top = clamp(this.view.top, this.picture.height, this.height);
  }

  changed() {
    this.draw();
    this.on.view?.();
  }

  resized() {
    if (this.fitted) this.fit();
    else this.draw();
  }

  // --- pointer -------------------------------------------------------------------------------------------------------

  bind() {
    const {element} = this;
    const {signal} = this.abort;
    const listen = (kind, fn, options = {}) => element.addEventListener(kind, fn, {signal, ...options});
    listen('pointerdown', (e) => this.down(e));
    listen('pointermove', (e) => this.moved(e));
    listen('pointerup', (e) => this.up(e));
    listen('pointercancel', () => this.breakOff());
    listen('pointerleave', () => {
      this.hovered = null;
      this.on.hover?.(null, null);
      this.draw();
    });
    listen('wheel', (e) => this.wheeled(e), {passive: false});
    listen('contextmenu', (e) => e.preventDefault());
    listen('auxclick', (e) => e.preventDefault());
    addEventListener('blur', () => {
      this.space = false;
    }, {signal});
    addEventListener('keyup', (e) => {
      if (e.key === ' ') {
        this.space = false;
        this.cursor();
      }
    }, {signal});
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

  /** Space is held: the next drag pans. */
  holdSpace() {
    this.space = true;
    this.cursor();
  }

  at(event) {
    const box = this.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** The point nearest to a place on the canvas, within reach; of two the current one. */
  nearest(sx, sy) {
    let best = null;
    let least = GRAB;
    for (const mark of this.marks) {
      const [x, y] = this.view.place(mark.x, mark.y);
      const d = Math.hypot(x - sx, y - sy) - (mark.name === this.current ? 0.5 : 0);
      if (d <= least) {
        least = d;
        best = mark;
      }
    }
    return best;
  }

  down(event) {
    if (!this.picture || this.drag) return;
    this.element.focus({preventScroll: true});
    event.preventDefault();
    const [sx, sy] = this.at(event);
    this.element.setPointerCapture(event.pointerId);
    if (event.button !== 0 || this.space) {
      this.drag = {kind: 'pan', sx, sy};
    } else {
      this.press(event, sx, sy);
    }
    this.cursor();
  }

  press(event, sx, sy) {
    const {x, y} = this.fromCanvas(sx, sy);
    const hit = this.editable ? this.nearest(sx, sy) : null;
    // A click near the current landmark's suggestion says where it is: it is not a grasp of the suggestion.
    const placing = hit?.style === 'suggested' && hit.name === this.current;
    if (hit && !placing) {
      this.drag = {kind: 'point', name: hit.name, sx, sy, dx: hit.x - x, dy: hit.y - y, x: hit.x, y: hit.y, far: false};
      this.on.grab?.(hit.name);
    } else if (this.inside(x, y)) {
      const name = this.on.press?.(x, y, event) ?? null;
      this.drag = name === null
        ? {kind: 'none'}
        : {kind: 'point', name, sx, sy, dx: 0, dy: 0, x, y, far: false, placed: true};
    } else this.drag = {kind: 'none'};
    this.draw();
  }

  inside(x, y) {
    const {width, height} = this.picture;
    return x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;
  }

  moved(event) {
    if (!this.picture) return;
    const [sx, sy] = this.at(event);
    const {drag} = this;
    if (!drag) {
      this.pointed(sx, sy);
      return;
    }
    if (drag.kind === 'pan') {
      this.pan(sx - drag.sx, sy - drag.sy);
      [drag.sx, drag.sy] = [sx, sy];
    }
    if (drag.kind === 'point') {
      // A press that trembles is a click; a placed point follows from the first pixel.
      drag.far ||= Math.hypot(sx - drag.sx, sy - drag.sy) > (drag.placed ? 1 : 3);
      if (!drag.far) return;
      const {x, y} = this.fromCanvas(sx, sy);
      drag.x = Math.min(Math.max(x + drag.dx, -0.5), this.picture.width - 0.5);
      drag.y = Math.min(Math.max(y + drag.dy, -0.5), this.picture.height - 0.5);
      this.on.move?.(drag.name, drag.x, drag.y);
      this.cursor();
      this.draw();
    }
  }

  pointed(sx, sy) {
    const {x, y} = this.fromCanvas(sx, sy);
    const inside = this.inside(x, y);
    this.on.hover?.(inside ? x : null, inside ? y : null);
    const over = this.editable ? this.nearest(sx, sy)?.name ?? null : null;
    if (over === this.hovered) return;
    this.hovered = over;
    this.cursor();
    this.draw();
  }

  up(event) {
    const {drag} = this;
    this.drag = null;
    this.cursor();
    if (drag?.kind === 'point') this.on.drop?.(drag.name, drag.x, drag.y, drag.far, event);
    this.draw();
  }

  breakOff() {
    const {drag} = this;
    this.drag = null;
    this.cursor();
    if (drag?.kind === 'point') this.on.cancel?.(drag.name);
    this.draw();
  }

  cursor() {
    const {drag} = this;
    const dragging = drag?.kind === 'point' && drag.far;
    this.element.style.cursor = dragging ? 'none' : drag?.kind === 'pan' ? 'grabbing' : this.space
      ? 'grab'
      : this.hovered
      ? 'move'
      : 'crosshair';
  }

  /** A wheel zooms at the pointer. On a trackpad two fingers pan, and a pinch (which comes as Ctrl and wheel) zooms. */
  wheeled(event) {
    event.preventDefault();
    if (!this.picture) return;
    const [sx, sy] = this.at(event);
    const now = event.timeStamp;
    if (now - this.wheel.at > 250) {
      this.wheel.trackpad = event.deltaMode === 0 && (event.deltaX !== 0 || Math.abs(event.deltaY) < 40);
    }
    this.wheel.at = now;
    const unit = event.deltaMode === 0 ? 1 : event.deltaMode === 1 ? 33 : this.height;
    if (event.ctrlKey || event.metaKey) {
      this.zoom(Math.exp(-event.deltaY * unit * (this.wheel.trackpad ? 0.01 : 0.002)), sx, sy);
    } else if (this.wheel.trackpad) this.pan(-event.deltaX, -event.deltaY);
    else this.zoom(Math.exp(-event.deltaY * unit * 0.002), sx, sy);
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  /** Draws with the next frame. */
  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const ctx = prepare(this.element, this.width, this.height);
    if (!this.picture) return;
    this.paintPicture(ctx, this.view, {left: 0, top: 0, right: this.width, bottom: this.height});
    const marks = this.marksNow();
    paintSkeleton(ctx, this.view, marks, this.skeleton);
    const top = [this.hovered, this.current];
    for (const mark of marks) if (!top.includes(mark.name)) paintMark(ctx, this.view, mark);
    for (const mark of marks) {
      if (top.includes(mark.name)) paintMark(ctx, this.view, mark, {current: mark.name === this.current});
    }
    const dragging = this.drag?.kind === 'point';
    const bounds = {width: this.width, height: this.height};
    for (const mark of marks) if (!dragging && top.includes(mark.name)) paintName(ctx, this.view, mark, bounds);
    if (dragging) this.paintLoupe(ctx);
  }

  /** The marks, the dragged one where it is now. */
  marksNow() {
    const {drag} = this;
    if (drag?.kind !== 'point' || !(drag.far || drag.placed)) return this.marks;
    return this.marks.map((
      m,
    ) => (m.name === drag.name
      ? {...m, x: drag.x, y: drag.y, style: m.style === 'suggested' ? 'visible' : m.style}
      : m)
    );
  }

  /** The picture where `view` puts it, as far as it lies within `bounds` (CSS pixels). */
  paintPicture(ctx, view, bounds) {
    const {picture, base} = this;
    const {scale, left, top} = view;
    const ratio = window.devicePixelRatio || 1;
    ctx.imageSmoothingQuality = 'high';
    ctx.filter = this.filter;
    if (base) {
      ctx.imageSmoothingEnabled = (scale * ratio * picture.width) / base.naturalWidth < NEAREST_FROM;
      ctx.drawImage(base, left, top, picture.width * scale, picture.height * scale);
      if (base.naturalWidth < picture.width && scale * ratio > (1.1 * base.naturalWidth) / picture.width
        && base.naturalWidth > 320)
      {
        this.paintTiles(ctx, view, bounds, ratio);
      }
    } else {
      ctx.fillStyle = 'rgb(128 128 128 / 12%)';
      ctx.fillRect(left, top, picture.width * scale, picture.height * scale);
    }
    ctx.filter = 'none';
    if (this.heat) {
      const [bx, by, bw, bh] = this.heat.box;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, top, picture.width * scale, picture.height * scale);
      ctx.clip();
      ctx.imageSmoothingEnabled = true;
      ctx.drawImage(this.heat.image, bx * scale + left, by * scale + top, bw * scale, bh * scale);
      ctx.restore();
    }
  }

  paintTiles(ctx, {scale, left, top}, bounds, ratio) {
    const {id, width, height} = this.picture;
    ctx.imageSmoothingEnabled = scale * ratio < NEAREST_FROM;
    const first = (edge, offset) => Math.max(0, Math.floor((edge - offset) / scale / TILE));
    const last = (edge, offset, length) =>
      Math.min(Math.ceil(length / TILE) - 1, Math.floor((edge - offset) / scale / TILE));
    for (let row = first(bounds.top, top); row <= last(bounds.bottom, top, height); row += 1) {
      for (let column = first(bounds.left, left); column <= last(bounds.right, left, width); column += 1) {
        const promise = loadImage(this.api.tile(id, column, row));
        if (!promise.image) {
          if (!promise.awaited) {
            promise.awaited = true;
            promise.then(() => this.draw(), () => {});
          }
          continue;
        }
        const [w, hh] = [Math.min(TILE, width - column * TILE), Math.min(TILE, height - row * TILE)];
        ctx.drawImage(promise.image, column * TILE * scale + left, row * TILE * scale + top, w * scale, hh * scale);
      }
    }
  }

  /** What lies under the point that is held, enlarged, in the corner that is not in the way. */
  paintLoupe(ctx) {
    const {drag} = this;
    const colour = this.marks.find((m) => m.name === drag.name)?.colour ?? '#ffffff';
    const [px, py] = this.view.place(drag.x, drag.y);
    const corner = px < LOUPE + 60 && py < LOUPE + 60 ? this.width - LOUPE - 12 : 12;
    const scale = Math.min(LARGEST_SCALE, Math.max(6, this.view.scale * 4));
    const middle = LOUPE / 2;
    const view = new View(scale, corner + middle - (drag.x + 0.5) * scale, 12 + middle - (drag.y + 0.5) * scale);
    ctx.save();
    ctx.beginPath();
    ctx.roundRect(corner, 12, LOUPE, LOUPE, 10);
    ctx.clip();
    ctx.fillStyle = '#0b0c0e';
    ctx.fillRect(corner, 12, LOUPE, LOUPE);
    this.paintPicture(ctx, view, {left: corner, top: 12, right: corner + LOUPE, bottom: 12 + LOUPE});
    const [x, y] = [corner + middle, 12 + middle];
    for (const [width, line] of [[3, 'rgb(0 0 0 / 45%)'], [1, 'rgb(255 255 255 / 90%)']]) {
      ctx.beginPath();
      for (const [ax, ay] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        ctx.moveTo(x + 7 * ax, y + 7 * ay);
        ctx.lineTo(x + (middle - 10) * ax, y + (middle - 10) * ay);
      }
      ctx.lineWidth = width;
      ctx.strokeStyle = line;
      ctx.stroke();
    }
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
