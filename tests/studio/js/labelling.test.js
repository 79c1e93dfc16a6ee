/** What the label view makes of suggestions, digits and another picture's points. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {copied} from '../../../src/lead/studio/static/all-points.js';
import {DOUBT, doubtful} from '../../../src/lead/studio/static/doubt.js';
import {Numbers} from '../../../src/lead/studio/static/label-list.js';

/** @param {Record<string, number>} errors  expected, in pixels */
const suggested = (errors) =>
  Object.fromEntries(
    Object.entries(errors).map(([name, expected_px]) => [name, {x: 1, y: 1, score: 0.5, expected_px}]),
  );

test('a suggestion is very uncertain by the size of the picture', () => {
  const points = suggested({eye: 40, chin: 121});
  assert.deepEqual([...doubtful(points, 1000)], ['chin']);
  assert.deepEqual([...doubtful(points, 4000)], []);
  const all = suggested({eye: 121, nose: 121, chin: 121});
  assert.deepEqual([...doubtful(all, 1000)], ['eye', 'nose', 'chin']); // not by the others alone
  assert.deepEqual([...doubtful({}, 1000)], []);
});

test('a suggestion is very uncertain beside the others of its picture', () => {
  assert.deepEqual([...doubtful(suggested({a: 5, b: 6, c: 7, tip: 30}), 1000)], ['tip']);
  assert.deepEqual([...doubtful(suggested({a: 1, b: 1, c: 1, tip: 14}), 1000)], []); // too little to matter
  assert.ok(DOUBT.least < DOUBT.share);
});

test('all is the same at another scale', () => {
  const errors = {a: 5, b: 6, c: 7, d: 19, e: 30, f: 60};
  const larger = Object.fromEntries(Object.entries(errors).map(([name, e]) => [name, 7 * e]));
  assert.deepEqual([...doubtful(suggested(larger), 7000)], [...doubtful(suggested(errors), 1000)]);
});

test('two digits within a second are one number', () => {
  const numbers = new Numbers();
  assert.equal(numbers.type('1', 10_000, 15), 0);
  assert.equal(numbers.type('2', 10_900, 15), 11);
  assert.equal(numbers.type('2', 20_000, 15), 1);
  assert.equal(numbers.type('2', 20_100, 15), 1); // there is no 22
  assert.equal(numbers.type('1', 30_000, 15), 0);
  assert.equal(numbers.type('2', 31_500, 15), 1); // too late
  assert.equal(numbers.type('0', 40_000, 15), null);
  assert.equal(numbers.type('9', 50_000, 4), null);
});

test('copied points are accepted ones, in the other picture’s own pixels', () => {
  const labels = {id: 'a', version: 1, checked: false, points: {
    eye: {state: /** @type {const} */ ('visible'), x: 9.5, y: 4.5},
    nose: {state: /** @type {const} */ ('hidden'), x: -0.5, y: 0},
    chin: {state: /** @type {const} */ ('absent'), x: null, y: null},
  }};
  const from = {id: 'a', file: 'a.jpg', width: 20, height: 10, labels: /** @type {any} */ (labels)};
  assert.deepEqual(copied(from, {width: 40, height: 10}, ['eye', 'nose', 'chin', 'tail']), {
    eye: {state: 'visible', x: 19.5, y: 4.5, accepted: true},
    nose: {state: 'hidden', x: -0.5, y: 0, accepted: true},
  });
  assert.deepEqual(copied(from, {width: 20, height: 10}, ['nose']).eye, undefined);
});
