/** The loss curves of a training. */

import {h, svg} from './dom.js';
import {figure} from './parts.js';

/**
 * @import {LossPoint, Training} from 'types/messages'
 * @typedef {LossPoint['stage']} Stage
 */

/** @type {Stage[]} */
const STAGES = ['pretrain', 'distill'];
export const STAGE_NAMES = {pretrain: 'Part 1', distill: 'Part 2'};

/** About `wanted` round numbers that span [low, high]. @param {number} low @param {number} high */
export function ticks(low, high, wanted = 4) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((m) => m * power >= rough) ?? 10);
  const from = Math.ceil(low / step - 1e-9);
  const to = Math.floor(high / step + 1e-9);
  return Array.from({length: Math.max(0, to - from + 1)}, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

/** The loss of one stage of `steps` steps: axes, line, and the value under the pointer.
 *  @param {Stage} stage @param {LossPoint[]} points @param {number} steps @param {number} width
 *  @param {number} height */
function panel(stage, points, steps, width, height) {
  const pad = {left: 52, right: 14, top: 26, bottom: 38};
  const losses = points.map((p) => p.loss);
  let low = Math.min(...losses);
  let high = Math.max(...losses);
  if (high - low < 1e-9) {
    low -= 0.5;
    high += 0.5;
  }
  const margin = (high - low) * 0.06;
  low -= margin;
  high += margin;
  const x = (/** @type {number} */ step) => pad.left + ((width - pad.left - pad.right) * step) / Math.max(1, steps);
  const y = (/** @type {number} */ loss) => pad.top + ((height - pad.top - pad.bottom) * (high - loss)) / (high - low);
  const told = `loss ${figure(losses[0])} at first, ${figure(losses[losses.length - 1])} at step ${lastStep(points)}`;
  const root = svg('svg', {viewBox: `0 0 ${width} ${height}`, class: `v-chart ${stage}`, role: 'img',
    'aria-label': `${STAGE_NAMES[stage]}: ${told}`});
  const values = ticks(low, high);
  const decimals = Math.max(0, -Math.floor(Math.log10(values.length > 1 ? values[1] - values[0] : 1) + 1e-9));
  for (const value of values) {
    root.append(svg('line', {class: 'grid', x1: pad.left, x2: width - pad.right, y1: y(value), y2: y(value)}),
      label(value.toFixed(decimals), {x: pad.left - 8, y: y(value) + 4, 'text-anchor': 'end'}));
  }
  for (const step of ticks(0, steps)) {
    root.append(
      svg('line', {class: 'tick', x1: x(step), x2: x(step), y1: height - pad.bottom, y2: height - pad.bottom + 4}),
      label(step.toLocaleString('en'), {x: x(step), y: height - pad.bottom + 17, 'text-anchor': 'middle'}),
    );
  }
  root.append(
    svg('line', {class: 'axis', x1: pad.left, x2: width - pad.right, y1: height - pad.bottom, y2: height - pad.bottom}),
    label('step', {class: 'unit', x: width - pad.right, y: height - 5, 'text-anchor': 'end'}),
    label('loss (no unit)', {class: 'unit', x: 2, y: 13}),
    label(STAGE_NAMES[stage], {class: 'title', x: width - pad.right, y: 13, 'text-anchor': 'end'}),
    svg('polyline', {class: 'line',
      points: points.map((p) => `${x(p.step).toFixed(1)},${y(p.loss).toFixed(1)}`).join(' ')}),
  );
  hover(root, points, x, y, width, height - pad.bottom);
  return root;
}

/** @param {string} text @param {Record<string, string|number>} attributes */
const label = (text, attributes) => svg('text', attributes, text);

/**
 * Tells the value under the pointer.
 * @param {SVGSVGElement} root
 * @param {LossPoint[]} points
 * @param {(step: number) => number} x
 * @param {(loss: number) => number} y
 * @param {number} width
 * @param {number} bottom
 */
function hover(root, points, x, y, width, bottom) {
  const rule = svg('line', {class: 'rule', y1: 20, y2: bottom});
  const dot = svg('circle', {class: 'dot', r: 3.5});
  const value = label('', {class: 'value', y: 34});
  const told = svg('g', {visibility: 'hidden'}, rule, dot, value);
  root.append(told);
  const place = (/** @type {SVGElement} */ element, /** @type {Record<string, number|string>} */ at) => {
    for (const [name, v] of Object.entries(at)) element.setAttribute(name, String(v));
  };
  root.addEventListener('pointermove', ({clientX}) => {
    const box = root.getBoundingClientRect();
    const at = ((clientX - box.left) * width) / box.width;
    const p = points.reduce((best, q) => (Math.abs(x(q.step) - at) < Math.abs(x(best.step) - at) ? q : best));
    place(rule, {x1: x(p.step), x2: x(p.step)});
    place(dot, {cx: x(p.step), cy: y(p.loss)});
    const right = x(p.step) > width / 2;
    place(value, {x: x(p.step) + (right ? -8 : 8), 'text-anchor': right ? 'end' : 'start'});
    value.textContent = `step ${p.step.toLocaleString('en')}: ${figure(p.loss)}`;
    place(told, {visibility: 'visible'});
  });
  root.addEventListener('pointerleave', () => place(told, {visibility: 'hidden'}));
}

/** @param {LossPoint[]} points */
const lastStep = (points) => points[points.length - 1].step;

/** Both stages' losses; the stage under way is drawn over all of its steps. @param {Training} training */
export function lossCurve({curve, task, total}) {
  const panels = STAGES.map((stage) => ({stage, points: curve.filter((p) => p.stage === stage)}))
    .filter(({points}) => points.length > 1);
  const width = panels.length === 2 ? 372 : 760;
  return h('div.v-charts', {testid: 'loss-curve'},
    panels.map(({stage, points}) =>
      panel(stage, points, Math.max(lastStep(points), stage === task ? total : 0), width, 210)
    ));
}
