/** How curves look on a canvas: a line in the colour of their landmarks. */

import {lineThrough, resampled, sliding} from './curves.js';
import {disc} from './paint.js';

/**
 * @import {Curve} from 'types/messages'
 * @import {Draft} from './curve-tool.js'
 * @import {Place} from './curves.js'
 * @import {View} from './geometry.js'
 * @import {Context, Mark} from './paint.js'
 */

/** Lines through the points that are shown; dashed where one is a suggestion.
 *  @param {Context} ctx @param {View} view @param {Mark[]} marks @param {Curve[]} curves */
export function paintCurves(ctx, view, marks, curves) {
  const at = new Map(marks.map((mark) => [mark.name, mark]));
  for (const curve of curves) {
    const there = curve.points.flatMap((name) => at.get(name) ?? []);
    if (there.length < 2) continue;
    const colour = at.get(sliding(curve)[0])?.colour ?? there[0].colour;
    const dash = there.some(({style}) => style === 'suggested') ? [4, 4] : [];
    const whole = there.length === curve.points.length;
    const places = there.map(({x, y}) => /** @type {Place} */ ([x, y]));
    const line = lineThrough(places, {closed: curve.closed && whole, smooth: whole});
    paintLine(ctx, view, line, colour, 1, dash);
  }
}

/** A curve that is being drawn: its clicks, the line through them, and how that would go on.
 *  @param {Context} ctx @param {View} view @param {Draft} draft
 *  @param {Place|null} next  where the next click may be */
export function paintDraft(ctx, view, {curve, colour, places, clicks, next: withNext, smooth}, next) {
  const way = {closed: curve.closed, smooth};
  if (next) paintLine(ctx, view, lineThrough(withNext(next), way), colour, 0.45, []);
  paintLine(ctx, view, lineThrough(places, way), colour, 1, []);
  for (const [x, y] of resampled(places, curve.points.length, way) ?? []) {
    disc(ctx, ...view.place(x, y), 2.5, 'rgb(0 0 0 / 65%)');
    disc(ctx, ...view.place(x, y), 1.75, colour);
  }
  for (const [x, y] of clicks) {
    disc(ctx, ...view.place(x, y), 4.5, 'rgb(0 0 0 / 65%)');
    disc(ctx, ...view.place(x, y), 3.5, '#ffffff');
  }
}

/** @param {Context} ctx @param {View} view @param {Place[]} places @param {string} colour @param {number} alpha
 *  @param {number[]} dash */
function paintLine(ctx, view, places, colour, alpha, dash) {
  ctx.save();
  ctx.globalAlpha = alpha;
  ctx.lineJoin = 'round';
  ctx.setLineDash(dash);
  ctx.beginPath();
  for (const [x, y] of places) ctx.lineTo(...view.place(x, y));
  for (const [width, ink] of /** @type {[number, string][]} */ ([[4, 'rgb(0 0 0 / 45%)'], [2, colour]])) {
    ctx.lineWidth = width;
    ctx.strokeStyle = ink;
    ctx.stroke();
  }
  ctx.restore();
}
