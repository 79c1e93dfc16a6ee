/** The whole picture in a corner while only a part of it is in sight: pressed or dragged on, the view goes there. */

import {ARROWS, h, lookUp} from './dom.js';
import {centred, outline, sight, View} from './geometry.js';
import {prepare} from './paint.js';

/**
 * @import {PictureCanvas} from './canvas.js'
 * @import {Box, Size} from './geometry.js'
 */

const LONGEST = 128; // side, in CSS pixels
const SHARE = 0.3; // of the canvas's sides, at most
const NEARLY_ALL = 0.97; // of the picture in sight: then there is no need of it
const STEP = 0.2; // of what is in sight, for an arrow key

/** Its size. @param {Size} picture  or of the box around one that is turned @param {Size} canvas @returns {Size} */
export function minimapSize(picture, canvas) {
  const room = Math.min(LONGEST, SHARE * canvas.width, SHARE * canvas.height);
  const scale = room / Math.max(picture.width, picture.height);
  return {width: Math.max(16, Math.round(picture.width * scale)),
    height: Math.max(16, Math.round(picture.height * scale))};
}

/** Whether a picture is seen as good as whole. @param {Box} part  in sight @param {Size} picture  as above */
export const seenWhole = ([, , width, height], picture) =>
  width >= NEARLY_ALL * picture.width && height >= NEARLY_ALL * picture.height;

export class Minimap {
  /** @param {HTMLElement} place  it lies in a corner of this @param {PictureCanvas} canvas */
  constructor(place, canvas) {
    this.canvas = canvas;
    this.on = true;
    this.element = h('canvas.minimap', {testid: 'minimap', hidden: true, tabindex: 0, role: 'application',
      'aria-label': 'The whole picture: the arrow keys move what is in sight', onpointerdown: (e) => {
        if (e.button !== 0) return;
        e.preventDefault();
        e.stopPropagation();
        this.element.setPointerCapture(e.pointerId);
        this.go(e);
      }, onpointermove: (e) => {
        if (this.element.hasPointerCapture(e.pointerId)) this.go(e);
      }, onkeydown: (e) => this.key(e)});
    place.append(this.element);
  }

  /** @param {Size} picture */
  view(picture) {
    const {clientWidth: width, clientHeight: height} = this.element;
    const size = {width: width || 1, height: height || 1};
    return View.of([0, 0, picture.width, picture.height], size, this.canvas.view.turn);
  }

  /** The view's middle goes where the pointer is. @param {PointerEvent} event */
  go(event) {
    const {canvas} = this;
    if (!canvas.picture) return;
    const box = this.element.getBoundingClientRect();
    const {x, y} = this.view(canvas.picture).picture(event.clientX - box.left, event.clientY - box.top);
    canvas.look(centred(x, y, canvas.view.scale, canvas.size));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const arrow = lookUp(ARROWS, event.key);
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // else the current point would move
    const {width, height} = this.canvas.size;
    this.canvas.pan(-arrow[0] * STEP * width, -arrow[1] * STEP * height);
  }

  draw() {
    const {canvas, element} = this;
    const {picture} = canvas;
    const part = picture && sight(canvas.view, picture, canvas.size);
    const whole = picture && outline(picture, canvas.view.turn);
    element.hidden = !this.on || !whole || !part || !canvas.base || seenWhole(part, whole);
    if (element.hidden || !picture || !whole || !part || !canvas.base) return;
    const {width, height} = minimapSize(whole, canvas.size);
    Object.assign(element.style, {width: `${width}px`, height: `${height}px`});
    const {ctx} = prepare(element);
    const view = this.view(picture);
    ctx.save();
    ctx.translate(view.left, view.top);
    ctx.rotate(view.turn);
    ctx.imageSmoothingQuality = 'high';
    ctx.filter = canvas.filter;
    ctx.drawImage(canvas.base, 0, 0, picture.width * view.scale, picture.height * view.scale);
    ctx.restore();
    const [boxLeft, boxTop] = view.around(picture);
    const [left, top] = [boxLeft + part[0] * view.scale, boxTop + part[1] * view.scale];
    const [w, hh] = [Math.max(3, part[2] * view.scale), Math.max(3, part[3] * view.scale)];
    ctx.fillStyle = 'rgb(0 0 0 / 40%)';
    ctx.beginPath();
    ctx.rect(0, 0, width, height);
    ctx.rect(left, top, w, hh);
    ctx.fill('evenodd');
    ctx.lineWidth = 1.5;
    ctx.strokeStyle = '#ffffff';
    ctx.strokeRect(left + 0.75, top + 0.75, Math.max(1, w - 1.5), Math.max(1, hh - 1.5));
  }
}
