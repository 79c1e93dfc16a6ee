import assert from 'node:assert/strict';
import {test} from 'node:test';
import {chosenFor, guessed, numbered} from '../../../src/lead/studio/static/called.js';

const HERE = ['head', 'left eye', 'right_eye'];

test('numbers are taken in order, as many as there are', () => {
  assert.equal(numbered(['1', '2']), true);
  assert.equal(numbered(['1', 'b']), false);
  assert.deepEqual(guessed(['1', '2', '3'], HERE), HERE);
  assert.deepEqual(guessed(['1', '2', '3', '4'], HERE), [...HERE, '']);
  assert.deepEqual(guessed(['1'], HERE), ['head']);
});

test('the same name is the same landmark, also written otherwise; the rest in order if none is missing', () => {
  assert.deepEqual(guessed(['Right-Eye', 'head', 'left_eye'], HERE), ['right_eye', 'head', 'left eye']);
  assert.deepEqual(guessed(['snout', 'right eye', 'L'], HERE), ['head', 'right_eye', 'left eye']);
  assert.deepEqual(guessed(['snout', 'right eye'], HERE), ['', 'right_eye']);
});

test('a landmark is chosen once: what had it takes the other', () => {
  assert.deepEqual(chosenFor(['a', 'b', 'c'], 0, 'c'), ['c', 'b', 'a']);
  assert.deepEqual(chosenFor(['a', 'b', ''], 2, 'a'), ['', 'b', 'a']);
  assert.deepEqual(chosenFor(['a', '', ''], 0, ''), ['', '', '']);
});
