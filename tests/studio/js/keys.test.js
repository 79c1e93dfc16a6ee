/** Keys: how they are named, found and changed. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {ACTIONS, caps, chord, Keys, meaning} from '../../../src/lead/studio/static/keys.js';

/** @param {string} key @param {Partial<KeyboardEvent>} [held] */
const pressed = (key, held = {}) =>
  chord({key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...held});

test('a key is named by what it types', () => {
  assert.equal(pressed('a'), 'A');
  assert.equal(pressed('A'), 'A'); // with Caps Lock
  assert.equal(pressed('X', {shiftKey: true}), 'Shift+X');
  assert.equal(pressed('?', {shiftKey: true}), '?'); // Shift is how it is typed
  assert.equal(pressed('Delete', {shiftKey: true}), 'Shift+Delete');
  assert.equal(pressed('z', {metaKey: true}), 'Ctrl+Z');
  assert.equal(pressed(' '), 'Space');
  assert.equal(pressed('Shift', {shiftKey: true}), null);
  assert.equal(pressed('a', {altKey: true}), null);
  const graph = {ctrlKey: true, altKey: true, getModifierState: () => true};
  assert.equal(pressed('[', graph), '['); // as on a German keyboard
});

test('no key has two meanings', () => {
  const all = ACTIONS.flatMap((action) => meaning(action).keys);
  assert.equal(new Set(all).size, all.length);
});

test('a key can be changed to one that is free, and back', () => {
  const keys = new Keys();
  assert.match(String(keys.set('hidden', 'X')), /taken: absent/);
  assert.match(String(keys.set('hidden', 'Tab')), /cannot be changed/);
  assert.match(String(keys.set('hidden', '7')), /cannot be changed/);
  assert.equal(keys.action('H'), 'hidden');
  assert.equal(keys.set('hidden', 'Q'), null);
  assert.deepEqual([keys.action('Q'), keys.action('H')], ['hidden', null]);
  assert.equal(keys.set('absent', 'H'), null);
  keys.reset('hidden'); // wants H back
  assert.deepEqual([keys.action('H'), keys.action('X'), keys.action('Q')], ['hidden', 'absent', null]);
});

test('keys read as on a keyboard', () => {
  assert.deepEqual(caps('Ctrl+Shift+Z'), ['Ctrl', 'Shift', 'Z']);
  assert.deepEqual(caps('+'), ['+']);
  assert.deepEqual(caps('Enter'), ['↵']);
});
