/** Curves of the schema: their landmarks, and what becomes of these; and how a handle bends its neighbours. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {curveAdded, curveDivided, curveRemoved, curveRenamed, whyNot,
  wishOf} from '../../../src/lead/studio/static/curve-edits.js';
import {bent, drawnPoints} from '../../../src/lead/studio/static/curve-tool.js';
import {curveOf, linesOf, lineThrough, ownOf, pulls, resampled,
  semilandmarks} from '../../../src/lead/studio/static/curves.js';
import {Labelling, nothing} from '../../../src/lead/studio/static/labelling.js';

/** @import {Points} from '../../../src/lead/studio/static/outbox.js' */
/** @import {Schema} from '../../../src/lead/studio/static/schema.js' */

/** @type {Schema} */
const BEETLE = {landmarks: ['head', 'tip'].map((name) => ({name, colour: '#000000'})), skeleton: [['head', 'tip']],
  flip_pairs: [], curves: [], several: false};
const EDGE = {name: 'edge', closed: false, count: 5, from: 'head', to: 'tip'};
const names = (/** @type {Schema} */ schema) => schema.landmarks.map((l) => l.name);

test('a curve between two landmarks makes those between, in one colour', () => {
  const schema = curveAdded(BEETLE, EDGE);
  assert.deepEqual(names(schema), ['head', 'tip', 'edge_01', 'edge_02', 'edge_03']);
  assert.equal(new Set(schema.landmarks.slice(2).map((l) => l.colour)).size, 1);
  const [curve] = schema.curves;
  assert.deepEqual(curve, {name: 'edge', closed: false, points: ['head', 'edge_01', 'edge_02', 'edge_03', 'tip']});
  assert.deepEqual(ownOf(curve), ['edge_01', 'edge_02', 'edge_03']);
  assert.deepEqual(wishOf(curve), EDGE);
  assert.equal(curveOf(schema, 'head'), null);
  assert.equal(curveOf(schema, 'edge_02'), curve);
  assert.equal(linesOf(schema).length, 5);
});

test('ends of its own are its landmarks, but do not slide', () => {
  const open = curveAdded(BEETLE, {...EDGE, from: '', to: ''});
  assert.equal(ownOf(open.curves[0]).length, 5);
  assert.deepEqual([...semilandmarks(open)], ['edge_02', 'edge_03', 'edge_04']);
  const closed = curveAdded(BEETLE, {...EDGE, closed: true, from: '', to: ''});
  assert.deepEqual([...semilandmarks(closed)], ['edge_02', 'edge_03', 'edge_04', 'edge_05']);
  assert.deepEqual(linesOf(closed).at(-1), ['edge_05', 'edge_01']);
});

test('a curve that cannot be is refused with its reason', () => {
  const schema = curveAdded(BEETLE, EDGE);
  assert.match(whyNot(schema, EDGE) ?? '', /curve edge already/);
  assert.match(whyNot(BEETLE, {...EDGE, count: 2}) ?? '', /3 to 500 points/);
  assert.match(whyNot(BEETLE, {...EDGE, to: 'head'}) ?? '', /same landmark/);
  assert.match(whyNot({...schema, curves: []}, {...EDGE, name: 'Edge'}) ?? '', /landmark Edge_01 already/);
  assert.equal(whyNot(BEETLE, EDGE), null);
  assert.equal(whyNot(BEETLE, {...EDGE, name: 'rim', to: ''}), null);
});

test('its landmarks follow its name, its number and its end', () => {
  const schema = curveAdded(curveAdded(BEETLE, EDGE), {...EDGE, name: 'rim', from: ''});
  const [edge, rim] = schema.curves;
  const lips = curveRenamed(schema, edge, 'lips');
  assert.deepEqual(lips.curves.map((curve) => curve.name), ['lips', 'rim']);
  assert.deepEqual(lips.curves[0].points, ['head', 'lips_01', 'lips_02', 'lips_03', 'tip']);
  assert.deepEqual(names(lips).slice(2, 5), ['lips_01', 'lips_02', 'lips_03']);
  const fewer = curveDivided(schema, edge, 4);
  assert.deepEqual(names(fewer).slice(0, 5), ['head', 'tip', 'edge_01', 'edge_02', 'rim_01']);
  assert.deepEqual(fewer.curves[0].points, ['head', 'edge_01', 'edge_02', 'tip']);
  assert.deepEqual(curveDivided(schema, edge, 120).curves[0].points.slice(0, 2), ['head', 'edge_001']);
  assert.deepEqual(curveRemoved(curveRemoved(schema, edge), rim), BEETLE);
});

test('evenly spaced points of a square, and a spline round a circle', () => {
  assert.deepEqual(resampled([[0, 0], [2, 0], [2, 2], [0, 2]], 8, {closed: true}), [[0, 0], [1, 0], [2, 0], [2, 1], [2,
    2], [1, 2], [0, 2], [0, 1]]);
  assert.equal(resampled([[0, 0], [0, 0]], 8), null);
  assert.equal(resampled([[0, 0], [1, 0]], 8, {closed: true}), null);
  const circle = /** @type {[number, number][]} */ ([0, 1, 2, 3, 4, 5].map((
    i,
  ) => [100 * Math.cos(i * Math.PI / 3), 100 * Math.sin(i * Math.PI / 3)]));
  const radii = lineThrough(circle, {closed: true, smooth: true}).map(([x, y]) => Math.hypot(x, y));
  assert.ok(Math.min(...radii) > 99.4 && Math.max(...radii) < 100.6);
});

test('a handle bends its neighbours softly, never what is fixed', () => {
  const open = pulls(11, 1, false, (i) => i === 0 || i === 10);
  assert.deepEqual([open[0], open[1], open[10]], [0, 1, 0]);
  assert.ok(open[2] > open[3] && open[3] > 0 && open[4] === 0);
  const closed = pulls(11, 0, true, () => false);
  assert.equal(closed[10], closed[1]);
  assert.deepEqual(pulls(5, 0, false, (i) => i === 0)[0], 1);
});

const side = curveAdded(BEETLE, EDGE).curves[0];
const at = (/** @type {number} */ x, y = 0) => ({state: /** @type {const} */ ('visible'), x, y});

test('a drawn curve begins and ends where its landmarks are, and does not move them', () => {
  const labels = {head: at(0), tip: at(8)};
  assert.deepEqual(drawnPoints(side, labels, [[4, 0]], false), {edge_01: at(2), edge_02: at(4), edge_03: at(6)});
  assert.equal(drawnPoints(side, labels, [], false), null);
});

test('without them the clicks are its ends; an absent one stays absent', () => {
  const points = drawnPoints(side, {tip: {state: 'absent', x: null, y: null}}, [[0, 0], [4, 4]], true);
  assert.deepEqual(Object.keys(points ?? {}), ['head', 'edge_01', 'edge_02', 'edge_03']);
  assert.deepEqual(points?.head, at(0));
  assert.equal(drawnPoints(side, {}, [[1, 1]], false), null);
});

test('one point bends those beside it, with Shift all of the curve, and never a landmark at its end', () => {
  const places = [0, 2, 4, 6, 8].map((x) => ({x, y: 0}));
  const {places: soft, pull} = bent(side, places, 'edge_02', {x: 4, y: 3}, false);
  assert.deepEqual([soft[0], soft[2], soft[4]], [[0, 0], [4, 3], [8, 0]]);
  assert.ok(soft[1][1] > 0 && soft[1][1] < 3 && soft[1][1] === soft[3][1]);
  assert.deepEqual([pull[0], pull[4]], [0, 0]);
  const whole = bent(side, places, 'edge_02', {x: 5, y: 3}, true);
  assert.deepEqual(whole.places, [[0, 0], [3, 3], [5, 3], [7, 3], [8, 0]]);
  assert.equal(whole.rigid, false);
  assert.equal(
    bent({...side, points: side.points.slice(1, -1), closed: true}, places.slice(1, -1), 'edge_02', {x: 0, y: 0}, true)
      .rigid,
    true,
  );
});

/** A picture at work, with these labels and suggestions. @param {Points} labels
 *  @param {Record<string, number>} errors  expected, in pixels, of what is suggested */
function atWork(labels, errors) {
  const points = {...labels};
  const landmarks = {...curveAdded(BEETLE, EDGE), version: 1};
  const app = {landmarks: () => landmarks, labels: () => ({points}), outbox: {specimens: () => []}, bus: {on: () => {}},
    change: (/** @type {string} */ _, /** @type {Points} */ change) => {
      for (const [name, point] of Object.entries(change)) {
        if (point) points[name] = point;
        else delete points[name];
      }
      return change;
    }};
  const work = new Labelling(/** @type {any} */ (app), {changed: () => {}, reveal: () => {}, near: () => {}});
  const suggested = Object.fromEntries(
    Object.entries(errors).map(([name, expected_px], i) => [name, {x: i, y: 1, score: 0.5, expected_px}]),
  );
  work.begin(/** @type {any} */ ({id: 'a', width: 1000, height: 800}), {...nothing('a'), points: suggested});
  return {work, points};
}

test('one key accepts all of a curve, then says that it is right, and takes it away', () => {
  const {work, points} = atWork({head: at(1), tip: at(9)}, {edge_01: 5, edge_02: 6, edge_03: 5});
  work.select('edge_02');
  work.accept();
  assert.deepEqual([1, 2, 3].map((i) => points[`edge_0${i}`]?.accepted), [true, true, true]);
  work.select('edge_01');
  work.accept();
  assert.ok([1, 2, 3].every((i) => points[`edge_0${i}`] && !points[`edge_0${i}`]?.accepted));
  work.select('edge_03');
  work.clear();
  assert.deepEqual(Object.keys(points), ['head', 'tip']);
  work.toggleAbsent();
  assert.deepEqual([1, 2, 3].map((i) => points[`edge_0${i}`]?.state), ['absent', 'absent', 'absent']);
});

test('a curve with a very uncertain point is looked at first, then accepted at once', () => {
  const {work, points} = atWork({head: at(1), tip: at(9)}, {edge_01: 5, edge_02: 6, edge_03: 90});
  work.select('edge_01');
  work.accept();
  assert.deepEqual([work.current, Object.keys(points).length], ['edge_03', 2]);
  work.accept();
  assert.equal(Object.keys(points).length, 5);
});
