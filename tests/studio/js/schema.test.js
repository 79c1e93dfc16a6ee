import assert from 'node:assert/strict';
import {test} from 'node:test';
import {added, lineToggled, moved, namesIn, pairToggled, removed, renamed,
  suggestedPairs} from '../../../src/lead/studio/static/schema.js';

/** @import {Schema} from '../../../src/lead/studio/static/schema.js' */

/** @type {Schema} */
const BEETLE = {
  landmarks: ['head', 'left', 'right', 'tip'].map((name) => ({name, colour: '#000000'})),
  skeleton: [['head', 'tip']],
  flip_pairs: [['left', 'right']],
  curves: [{name: 'rim', points: ['head', 'left', 'right', 'tip'], closed: false}],
  several: false,
};
const names = (/** @type {Schema} */ schema) => schema.landmarks.map((l) => l.name);

test('an edit leaves the landmarks that it was given as they are', () => {
  const before = structuredClone(BEETLE);
  added(BEETLE, ['new']);
  renamed(BEETLE, 'left', 'links');
  removed(BEETLE, 'left');
  moved(BEETLE, ['tip'], 'head');
  lineToggled(BEETLE, 'left', 'right');
  pairToggled(BEETLE, 'left', 'head');
  assert.deepEqual(BEETLE, before);
});

test('what is there already is not added', () => {
  assert.deepEqual(names(added(BEETLE, ['tip', 'wing', 'wing'])), ['head', 'left', 'right', 'tip', 'wing']);
});

test('lines and pairs follow a new name, and go with a landmark', () => {
  assert.deepEqual(renamed(BEETLE, 'left', 'links').flip_pairs, [['links', 'right']]);
  assert.deepEqual(renamed(BEETLE, 'tip', 'end').skeleton, [['head', 'end']]);
  assert.deepEqual([removed(BEETLE, 'tip').skeleton, removed(BEETLE, 'right').flip_pairs], [[], []]);
});

test('curves follow a new name, and go on without a landmark while they have three', () => {
  assert.deepEqual(renamed(BEETLE, 'left', 'links').curves[0].points, ['head', 'links', 'right', 'tip']);
  assert.deepEqual(removed(BEETLE, 'left').curves[0].points, ['head', 'right', 'tip']);
  assert.deepEqual(removed(removed(BEETLE, 'left'), 'tip').curves, []);
});

test('a landmark moves to a place of the order', () => {
  assert.deepEqual(names(moved(BEETLE, ['tip'], 'head')), ['tip', 'head', 'left', 'right']);
  assert.deepEqual(names(moved(BEETLE, ['head'], 'tip')), ['left', 'right', 'head', 'tip']);
  assert.deepEqual(names(moved(BEETLE, ['head', 'right'], null)), ['left', 'tip', 'head', 'right']);
});

test('a line is drawn once, whichever way about, and is in one pair at most', () => {
  assert.deepEqual(lineToggled(BEETLE, 'tip', 'head').skeleton, []);
  assert.deepEqual(lineToggled(BEETLE, 'tip', 'left').skeleton, [['head', 'tip'], ['tip', 'left']]);
  assert.deepEqual(pairToggled(BEETLE, 'right', 'left').flip_pairs, []);
  assert.deepEqual(pairToggled(BEETLE, 'left', 'head').flip_pairs, [['left', 'head']]);
});

test('names of left and right make pairs', () => {
  const all = ['left_eye', 'right_eye', 'Left Ear', 'Right Ear', 'wing_L', 'wing_R', 'l1', 'r1', 'nose', 'cleft'];
  const schema = {landmarks: all.map((name) => ({name, colour: '#000000'})), skeleton: [], flip_pairs: [], curves: [],
    several: false};
  assert.deepEqual(suggestedPairs(schema), [['left_eye', 'right_eye'], ['Left Ear', 'Right Ear'], ['wing_L', 'wing_R'],
    ['l1', 'r1']]);
  assert.deepEqual(suggestedPairs({...schema, flip_pairs: [['left_eye', 'nose']]}).length, 3);
});

test('a pasted table gives its first column', () => {
  assert.deepEqual(namesIn('head\t1\r\n\r\n  tip \n'), ['head', 'tip']);
});
