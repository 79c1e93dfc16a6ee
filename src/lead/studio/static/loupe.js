/** The magnifier: what lies under the point that is held, enlarged, beside the pointer. */

import {clamp, View} from './geometry.js';
import {disc, paintArms} from './paint.js';

/**
 * @import {Size} from './geometry.js'
 * @import {Context} from './paint.js'
 * @typedef {{left: number, top: number, right: number, bottom: number}} Bounds  in CSS pixels of the canvas
 * @typedef {'pointer'|'corner'|'off'} Where
 */

const LARGEST = 176; // its side, in CSS pixels
const SMALLEST = 104;
const ENLARGED = 3; // times what the view shows
const DEEPEST = 12; // CSS pixels to one of the picture's, unless the view itself is deeper
const LEAST = 1; // it shows the file's own pixels, however small a picture of it is in sight
const FROM_POINTER = 26;
const FROM_FINGER = 52; // which hides what lies around it
const EDGE = 8;

/** How deep it looks when the view has `scale`: single pixels can be told apart, but one still sees where one is.
 *  @param {number} scale */
export const loupeScale = (scale) => Math.max(scale, LEAST, Math.min(ENLARGED * scale, DEEPEST));

/** Its side. @param {Size} canvas */
export const loupeSide = ({width, height}) => clamp(Math.min(width, height) / 3, SMALLEST, LARGEST);

/**
 * The corner of the magnifier.
 * @param {[x: number, y: number]} at  the pointer, on the canvas
 * @param {number} side
 * @param {Size} canvas
 * @param {{where?: Where, touch?: boolean}} [how]  above a finger, else beside the pointer; on the other side where
 *   there is no room
 * @returns {[left: number, top: number]}
 */
export function loupePlace([x, y], side, canvas, {where = 'pointer', touch = false} = {}) {
  if (where === 'corner') return [x < side + 60 && y < side + 60 ? canvas.width - side - EDGE : EDGE, EDGE];
  const [right, below] = [canvas.width - side - EDGE, canvas.height - side - EDGE];
  const away = touch ? FROM_FINGER : FROM_POINTER;
  const above = y - away - side;
  const beside = x + away <= right ? x + away : x - away - side;
  if (touch && above >= EDGE) return [clamp(x - side / 2, EDGE, right), above];
  if (touch) return [clamp(beside, EDGE, right), clamp(y - side / 2, EDGE, below)];
  return [clamp(beside, EDGE, right), clamp(above >= EDGE ? above : y + away, EDGE, below)];
}

/**
 * @param {Context} ctx
 * @param {object} what
 * @param {{x: number, y: number}} what.point  in the picture
 * @param {string} what.colour
 * @param {[left: number, top: number]} what.corner
 * @param {number} what.side
 * @param {number} what.scale
 * @param {number} what.turn
 * @param {(view: View, bounds: Bounds) => void} what.picture  paints the picture
 */
export function paintLoupe(ctx, {point, colour, corner: [left, top], side, scale, turn, picture}) {
  const [x, y] = [left + side / 2, top + side / 2];
  const bounds = {left, top, right: left + side, bottom: top + side};
  ctx.save();
  ctx.beginPath();
  ctx.roundRect(left, top, side, side, 10);
  ctx.clip();
  ctx.fillStyle = '#0b0c0e';
  ctx.fillRect(left, top, side, side);
  picture(onPixels(View.with(point.x, point.y, x, y, scale, turn)), bounds);
  paintArms(ctx, x, y, 7, side / 2 - 10, 3, 'rgb(0 0 0 / 45%)');
  paintArms(ctx, x, y, 7, side / 2 - 10, 1, 'rgb(255 255 255 / 90%)');
  disc(ctx, x, y, 2.5, 'rgb(0 0 0 / 60%)');
  disc(ctx, x, y, 1.6, colour);
  ctx.fillStyle = 'rgb(12 14 17 / 78%)';
  ctx.fillRect(left, top + side - 20, side, 20);
  ctx.font = '500 11px system-ui, sans-serif';
  ctx.fillStyle = '#ffffff';
  ctx.textBaseline = 'middle';
  ctx.fillText(`${point.x.toFixed(1)}, ${point.y.toFixed(1)}`, left + 8, top + side - 9.5);
  ctx.restore();
  frame(ctx, left, top, side, 4, 'rgb(0 0 0 / 45%)');
  frame(ctx, left, top, side, 2, colour);
}

/** A view moved by less than a pixel of the screen, so that at full zoom those of the picture are not blended.
 *  @param {View} view */
function onPixels({scale, left, top, turn}) {
  const ratio = window.devicePixelRatio || 1;
  /** @param {number} at */
  const whole = (at) => Math.round(at * ratio) / ratio;
  return turn === 0 ? new View(scale, whole(left), whole(top)) : new View(scale, left, top, turn);
}

/** @param {Context} ctx @param {number} left @param {number} top @param {number} side @param {number} width
 *  @param {string} colour */
function frame(ctx, left, top, side, width, colour) {
  ctx.beginPath();
  ctx.roundRect(left, top, side, side, 10);
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.stroke();
}
