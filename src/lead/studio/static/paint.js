/** How points, lines and pictures look on a canvas. Coordinates are those of geometry.js. */

import {semilandmarks} from './curves.js';
import {View} from './geometry.js';

/**
 * @import {Landmarks, PictureLabels, Suggestions} from 'types/messages'
 * @import {Box, Size} from './geometry.js'
 * @typedef {{name: string, x: number, y: number, colour: string, style: 'visible'|'hidden'|'suggested',
 *   accepted?: boolean, expected_px?: number, small?: boolean}} Mark  `accepted`: taken over from a suggestion, and not
 *   checked; `small`: one of the points along a curve
 * @typedef {CanvasRenderingContext2D} Context
 */

export const NEAREST_FROM = 8; // device pixels to one pixel of the picture, from which on pixels are shown as squares

/**
 * Lines between points that are shown; dashed where one of the two is a suggestion.
 * @param {Context} ctx
 * @param {View} view
 * @param {Mark[]} marks
 * @param {[string, string][]} skeleton
 */
export function paintSkeleton(ctx, view, marks, skeleton) {
  const at = new Map(marks.map((m) => [m.name, m]));
  for (const [a, b] of skeleton) {
    const [p, q] = [at.get(a), at.get(b)];
    if (!p || !q) continue;
    const sure = p.style !== 'suggested' && q.style !== 'suggested';
    stroke(ctx, view.place(p.x, p.y), view.place(q.x, q.y), 3.5, 'rgb(0 0 0 / 45%)', sure ? [] : [4, 4]);
    stroke(ctx, view.place(p.x, p.y), view.place(q.x, q.y), 1.5, `rgb(255 255 255 / ${sure ? 90 : 60}%)`,
      sure ? [] : [4, 4]);
  }
}

/**
 * @param {Context} ctx
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @param {number} width
 * @param {string} colour
 * @param {number[]} [dash]
 */
export function stroke(ctx, from, to, width, colour, dash = []) {
  ctx.beginPath();
  ctx.setLineDash(dash);
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.stroke();
  ctx.setLineDash([]);
}

/**
 * @param {Context} ctx
 * @param {number} x
 * @param {number} y
 * @param {number} r
 * @param {number} width
 * @param {string} colour
 * @param {number[]} [dash]
 */
function ring(ctx, x, y, r, width, colour, dash = []) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.setLineDash(dash);
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.stroke();
  ctx.setLineDash([]);
}

/** @param {Context} ctx @param {number} x @param {number} y @param {number} r @param {string} colour */
export function disc(ctx, x, y, r, colour) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
}

/** A ring between a light and a dark one, so that it shows on any ground. @param {Context} ctx @param {number} x
 *  @param {number} y @param {number} r @param {number} width @param {string} colour @param {number[]} [dash] */
function haloed(ctx, x, y, r, width, colour, dash) {
  ring(ctx, x, y, r, width + 4, 'rgb(0 0 0 / 65%)');
  ring(ctx, x, y, r, width + 2, 'rgb(255 255 255 / 90%)', dash);
  ring(ctx, x, y, r, width, colour, dash);
}

/** The very place of a point. @param {Context} ctx @param {number} x @param {number} y @param {string} colour */
function core(ctx, x, y, colour) {
  disc(ctx, x, y, 2.4, 'rgb(0 0 0 / 60%)');
  disc(ctx, x, y, 1.7, 'rgb(255 255 255 / 90%)');
  disc(ctx, x, y, 1.1, colour);
}

/**
 * One point: solid if labelled, half solid if accepted and not checked, dashed if hidden, hollow with a ring of the
 * expected error if suggested.
 * @param {Context} ctx
 * @param {View} view
 * @param {Mark} mark
 * @param {{r?: number, current?: boolean, error?: boolean}} [how]
 */
export function paintMark(ctx, view, mark, {r = 5, current = false, error = true} = {}) {
  const [x, y] = view.place(mark.x, mark.y);
  if (mark.style === 'suggested' && error && mark.expected_px) {
    const reach = mark.expected_px * view.scale;
    if (reach > r + 1) {
      ctx.globalAlpha = 0.16;
      disc(ctx, x, y, reach, mark.colour);
      ctx.globalAlpha = 1;
      ring(ctx, x, y, reach, 3, 'rgb(0 0 0 / 40%)');
      ring(ctx, x, y, reach, 2, 'rgb(255 255 255 / 50%)');
      ring(ctx, x, y, reach, 1, mark.colour);
    }
  }
  if (current) {
    ring(ctx, x, y, r + 5.5, 3.5, 'rgb(0 0 0 / 60%)');
    ring(ctx, x, y, r + 5.5, 1.75, '#ffffff');
  }
  const dashes = mark.style === 'hidden' ? [r * 0.72, r * 0.54] : undefined;
  if (view.scale >= NEAREST_FROM && r >= 3) { // single pixels are judged: the place itself stays in sight
    haloed(ctx, x, y, r + 1, mark.accepted ? 1 : 2, mark.colour, dashes);
    if (mark.accepted) half(ctx, x, y, r + 1, mark.colour, false);
    core(ctx, x, y, mark.style === 'suggested' || mark.accepted ? '#000000' : mark.colour);
  } else if (mark.style === 'suggested') {
    haloed(ctx, x, y, r + 1, 2, mark.colour);
    core(ctx, x, y, mark.colour);
  } else if (mark.style === 'hidden') {
    disc(ctx, x, y, r + 3, 'rgb(0 0 0 / 40%)');
    haloed(ctx, x, y, r + 1, 2, mark.colour, dashes);
    core(ctx, x, y, mark.accepted ? '#000000' : mark.colour);
  } else {
    disc(ctx, x, y, r + 2.75, 'rgb(0 0 0 / 65%)');
    disc(ctx, x, y, r + 1.25, '#ffffff');
    if (mark.accepted) {
      half(ctx, x, y, r, mark.colour, true);
      ring(ctx, x, y, r - 0.75, 1.5, mark.colour);
    } else disc(ctx, x, y, r, mark.colour);
  }
}

/** The lower half of a disc, or of its edge.
 *  @param {Context} ctx @param {number} x @param {number} y @param {number} r @param {string} colour
 *  @param {boolean} filled */
function half(ctx, x, y, r, colour, filled) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, Math.PI);
  if (filled) {
    ctx.fillStyle = colour;
    ctx.fill();
  } else {
    ctx.lineWidth = 3;
    ctx.strokeStyle = colour;
    ctx.stroke();
  }
}

/** @param {Context} ctx @param {View} view @param {Mark} mark @param {Size} bounds @param {number} [r]  of the point */
export function paintName(ctx, view, mark, bounds, r = 5) {
  const [x, y] = view.place(mark.x, mark.y);
  ctx.font = '500 12px system-ui, sans-serif';
  const width = ctx.measureText(mark.name).width + 12;
  const left = x + r + 9 + width > bounds.width ? x - r - 9 - width : x + r + 9;
  const top = Math.min(Math.max(y - 10, 4), bounds.height - 24);
  ctx.fillStyle = 'rgb(12 14 17 / 82%)';
  ctx.beginPath();
  ctx.roundRect(left, top, width, 20, 5);
  ctx.fill();
  ctx.fillStyle = '#ffffff';
  ctx.textBaseline = 'middle';
  ctx.fillText(mark.name, left + 6, top + 10.5);
}

/** A cross-hair that shows on any ground. @param {Context} ctx @param {[number, number]} place
 *  @param {number} radius */
export function paintCross(ctx, [x, y], radius) {
  ring(ctx, x, y, radius, 4.5, 'rgb(0 0 0 / 75%)');
  paintArms(ctx, x, y, radius, radius + 4, 4.5, 'rgb(0 0 0 / 75%)');
  ring(ctx, x, y, radius, 2, '#ffffff');
  paintArms(ctx, x, y, radius, radius + 4, 2, '#ffffff');
}

/**
 * The four arms of a cross-hair, at distances `from` … `to` from its middle.
 * @param {Context} ctx
 * @param {number} x
 * @param {number} y
 * @param {number} from
 * @param {number} to
 * @param {number} width
 * @param {string} colour
 */
export function paintArms(ctx, x, y, from, to, width, colour) {
  for (const [ax, ay] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    stroke(ctx, [x + from * ax, y + from * ay], [x + to * ax, y + to * ay], width, colour);
  }
}

/**
 * An image that lies over a part of a picture, cut off at the picture's edges.
 * @param {Context} ctx
 * @param {View} view
 * @param {Size} picture
 * @param {CanvasImageSource} image
 * @param {Box} box  the part
 * @param {number} opacity
 */
export function paintOver(ctx, {scale, left, top}, picture, image, [x, y, width, height], opacity) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, picture.width * scale, picture.height * scale);
  ctx.clip();
  ctx.globalAlpha = opacity;
  ctx.imageSmoothingQuality = 'high';
  ctx.drawImage(image, left + x * scale, top + y * scale, width * scale, height * scale);
  ctx.restore();
}

/**
 * Gives a canvas the size that CSS lays it out with, at the screen's resolution, and clears it.
 * @param {HTMLCanvasElement} canvas
 * @returns {{ctx: Context, size: Size}} in CSS pixels
 */
export function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth || 1, canvas.clientHeight || 1];
  const [w, hh] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== hh) [canvas.width, canvas.height] = [w, hh];
  const ctx = /** @type {Context} */ (canvas.getContext('2d'));
  ctx.setTransform(w / width, 0, 0, hh / height, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return {ctx, size: {width, height}};
}

/**
 * Prepares a canvas for a picture, or a part of one.
 * @param {HTMLCanvasElement} canvas
 * @param {Size} picture
 * @param {Box} [part]
 */
export function layOut(canvas, {width, height}, part = [0, 0, width, height]) {
  const {ctx, size} = prepare(canvas);
  return {ctx, size, view: View.of(part, size)};
}

/**
 * Draws a picture, or a part of one, to look at.
 * @param {HTMLCanvasElement} canvas  laid out by CSS: it is drawn at the size that it has
 * @param {{image: CanvasImageSource|null, picture: Size, part?: Box, marks: Mark[], lines?: [Mark, Mark][],
 *   skeleton?: [string, string][], current?: string|null, named?: Mark[]}} what
 *   `image` is of the whole picture, in whatever size; `lines` are drawn dashed; `named` have their names beside them
 */
export function drawPicture(canvas, {image, picture, part, marks, lines = [], skeleton = [], current, named = []}) {
  const {ctx, size, view} = layOut(canvas, picture, part);
  ctx.imageSmoothingEnabled = view.scale < NEAREST_FROM;
  ctx.imageSmoothingQuality = 'high';
  if (image) ctx.drawImage(image, view.left, view.top, picture.width * view.scale, picture.height * view.scale);
  paintSkeleton(ctx, view, marks, skeleton);
  for (const [p, q] of lines) {
    stroke(ctx, view.place(p.x, p.y), view.place(q.x, q.y), 3.5, 'rgb(0 0 0 / 60%)');
    stroke(ctx, view.place(p.x, p.y), view.place(q.x, q.y), 1.5, '#ffffff', [4, 3]);
  }
  for (const mark of marks.filter(({name}) => name !== current)) {
    paintMark(ctx, view, mark, {r: mark.style === 'suggested' ? 7 : 4, error: false});
  }
  for (const mark of marks) {
    if (mark.name === current) paintMark(ctx, view, mark, {r: 5, error: false, current: true});
  }
  for (const mark of named) paintName(ctx, view, mark, size);
}

/**
 * Labels and suggestions of a picture as marks to draw.
 * @param {Landmarks} landmarks
 * @param {PictureLabels['points']} points
 * @param {Suggestions['points']} [suggested]  drawn where there is no label
 * @returns {Mark[]} in the landmarks' order, without absent ones
 */
export function marksOf(landmarks, points, suggested = {}) {
  /** @type {Mark[]} */
  const marks = [];
  const sliding = semilandmarks(landmarks);
  for (const {name, colour} of landmarks.landmarks) {
    const [label, guess] = [points[name], suggested[name]];
    if (label && label.state !== 'absent') {
      marks.push({name, colour, x: label.x, y: label.y, style: label.state, accepted: label.accepted,
        ...sliding.has(name) && {small: true}});
    } else if (!label && guess) {
      marks.push({name, colour, x: guess.x, y: guess.y, style: 'suggested', expected_px: guess.expected_px,
        ...sliding.has(name) && {small: true}});
    }
  }
  return marks;
}
