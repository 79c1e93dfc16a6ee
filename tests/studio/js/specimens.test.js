/** Several specimens in a picture: their keys, suggestions that come anew, copies, and what is met on the canvas. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {greyed, inSight, met, otherOf} from '../../../src/lead/studio/static/crowd.js';
import {rectOf, shareOf} from '../../../src/lead/studio/static/extent.js';
import {View} from '../../../src/lead/studio/static/geometry.js';
import {absent, besides, freshKey, isSpecimen, keyed, pictureOf} from '../../../src/lead/studio/static/specimens.js';

/** @import {Landmarks, PictureLabels, SuggestedSpecimen} from 'types/messages' */

/** Two landmarks, 10 pixels apart. @param {number} x @param {number} y @param {string|null} [key]
 *  @returns {SuggestedSpecimen} */
const suggested = (x, y, key = null) => ({key, likely: 0.8,
  points: {head: {x, y, score: 1, expected_px: 1}, tip: {x: x + 10, y, score: 1, expected_px: 1}}});

/** @type {PictureLabels['points']} */
const POINTS = {head: {state: 'visible', x: 2, y: 5}, tip: {state: 'hidden', x: 22, y: 5},
  wing: {state: 'absent', x: null, y: null}};
/** @type {Landmarks} */
const LANDMARKS = {version: 1, several: true, flip_pairs: [], curves: [], skeleton: [['head', 'tip']],
  landmarks: ['head', 'tip', 'wing'].map((name) => ({name, colour: '#ff0000'}))};

test('a key says which picture it is of', () => {
  const key = freshKey('3f0a');
  assert.deepEqual([pictureOf(key), pictureOf('3f0a'), isSpecimen(key), isSpecimen('3f0a')], ['3f0a', '3f0a', true,
    false]);
  const number = Number(key.slice(5));
  assert.ok(Number.isInteger(number) && number > 0 && number < 2 ** 31);
});

test('a suggestion that comes anew keeps its key, if it is at the same place', () => {
  const before = keyed('a', [suggested(0, 0), suggested(100, 0)], []);
  assert.equal(new Set(before.map(({key}) => key)).size, 2);
  const after = keyed('a', [suggested(101, 1), suggested(50, 50), suggested(0, 1, 'a.7')], before);
  assert.deepEqual(after.map(({key}) => key).filter((key) => key !== after[1].key), [before[1].key, 'a.7']);
  assert.ok(!before.some(({key}) => key === after[1].key));
});

test('two suggestions at one place are two', () => {
  const before = keyed('a', [suggested(0, 0)], []);
  const after = keyed('a', [suggested(0, 0), suggested(0, 0)], before);
  assert.equal(after[0].key, before[0].key);
  assert.notEqual(after[1].key, before[0].key);
});

test('a copy lies beside, within the picture, and nobody has placed it', () => {
  const copy = besides(POINTS, {width: 100, height: 100});
  assert.deepEqual(copy, {head: {state: 'visible', x: 7, y: 10, accepted: true},
    tip: {state: 'hidden', x: 27, y: 10, accepted: true}, wing: {state: 'absent', x: null, y: null}});
  const atEdge = besides(POINTS, {width: 24, height: 7});
  const {head, tip} = atEdge;
  assert.ok(head && tip && head.x !== null && tip.x !== null);
  assert.ok(head.x >= -0.5 && head.x < 2 && tip.x - head.x === 20);
});

test('what is met is in reach, the nearest first, on a turned view too', () => {
  const others = ['a.1', 'a.2'].flatMap((key, i) =>
    otherOf({key, labels: {...absent(key), gone: false, points: {...POINTS, head: {state: 'visible', x: 2 + i, y: 5}}},
      guess: null}, key, LANDMARKS) ?? []
  );
  assert.deepEqual(others.map(({spots, lines}) => [spots.length, lines.length]), [[2, 1], [2, 1]]);
  for (const turn of [0, 1]) {
    const view = new View(4, 10, 20, turn);
    const [x, y] = view.place(2, 5);
    assert.deepEqual(met(others, view, x, y, 10).map(({key, name}) => `${key} ${name}`), ['a.1 head', 'a.2 head']);
    assert.deepEqual(met(others, view, x, y, 3).map(({key}) => key), ['a.1']);
    assert.deepEqual(met(others, view, x + 60, y + 60, 10), []);
  }
});

test('only what may be in sight is drawn', () => {
  const far = otherOf({key: 'a.1', labels: null, guess: {key: 'a.1', likely: 1, points: suggested(5000, 5000).points}},
    '?', LANDMARKS);
  const near = otherOf({key: 'a.2', labels: null, guess: {key: 'a.2', likely: 1, points: suggested(50, 50).points}},
    '?', LANDMARKS);
  assert.ok(far && near && near.suggested);
  assert.deepEqual(inSight([far, near], new View(1, 0, 0), {width: 200, height: 200}), [near]);
  assert.deepEqual(inSight([far, near], new View(1, -4900, -4900), {width: 200, height: 200}), [far]);
  assert.equal(otherOf({key: 'a.3', labels: absent('a.3'), guess: null}, '1', LANDMARKS), null);
  assert.equal(greyed('#808080'), 'rgb(148 148 148)');
});

test('a box says how large one is', () => {
  const picture = {width: 400, height: 200};
  assert.deepEqual(rectOf([50, 60], [10, 250], picture), {x: 10, y: 60, width: 40, height: 140});
  assert.equal(shareOf({x: 0, y: 0, width: 40, height: 100}, picture), 0.25);
});
