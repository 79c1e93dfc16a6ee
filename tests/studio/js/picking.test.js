import assert from 'node:assert/strict';
import {test} from 'node:test';
import {changeWords} from '../../../src/lead/studio/static/folder.js';
import {coarseWords, filters, halves, openError, picked, progressWords, stateOf,
  worstFrom} from '../../../src/lead/studio/static/picking.js';
import {filmWords} from '../../../src/lead/studio/static/rail.js';

/** @import {Picture} from '../../../types/messages' */

const LANDMARKS = ['head', 'tip', 'left'];

/** @param {string} file @param {Partial<Picture>} [more] @returns {Picture} */
const picture = (file, more = {}) => ({id: file, file, labelled: 0, complete: false, unlabelled: [], specimens: 0,
  accepted: 0, tags: [], noted: false, unreadable: null, coarse: null, stamp: '', expected: null, expected_px: null,
  ...more});

/** @type {Partial<Picture>} */
const complete = {labelled: 3, complete: true};
const PICTURES = [
  picture('a10', {expected: 0.01}),
  picture('b/a9', {expected: 0.09, tags: ['torn', 'old']}),
  picture('a2', {labelled: 2, unlabelled: [1], expected: 0.05, noted: true}),
  picture('c', {...complete, expected: 0.2}),
  picture('d', {...complete, expected: 0.04, accepted: 2}),
  picture('e', {expected: 0.5, tags: ['skip']}),
  picture('f', {unreadable: 'torn off', expected: null}),
];
const FACTS = {landmarks: LANDMARKS, disputed: new Set(['c']), limit: 0};

/** @param {string} filter @param {string} [sort] @param {string} [query] @param {Partial<typeof FACTS>} [facts] */
const names = (filter, sort = 'order', query = '', facts = {}) =>
  picked(PICTURES, {filter, query, sort}, {...FACTS, ...facts}).map((p) => p.file).join(' ');

test('a picture that is skipped is not to do, one that cannot be read is nothing else', () => {
  assert.deepEqual(PICTURES.map(stateOf), ['todo', 'todo', 'begun', 'complete', 'complete', 'skipped', 'unreadable']);
  assert.equal(stateOf(picture('g', {tags: ['skip'], unreadable: 'x'})), 'unreadable');
});

test('each filter lets through what it says', () => {
  assert.equal(names('all'), 'a10 b/a9 a2 c d e f');
  assert.equal(names('todo'), 'a10 b/a9');
  assert.equal(names('begun'), 'a2');
  assert.equal(names('complete'), 'c d');
  assert.equal(names('accepted'), 'd');
  assert.equal(names('disputed'), 'c');
  assert.equal(names('noted'), 'a2');
  assert.equal(names('skipped'), 'e');
  assert.equal(names('unreadable'), 'f');
  assert.equal(names('tag:torn'), 'b/a9');
  assert.equal(names('without:tip'), 'a2');
  assert.equal(names('without:head'), '');
  assert.equal(names('all', 'order', 'a'), 'a10 b/a9 a2');
});

test('a landmark or a tag may hold a colon', () => {
  const pictures = [picture('a', {tags: ['x:y'], labelled: 1, unlabelled: [0]}), picture('b')];
  const facts = {...FACTS, landmarks: ['1:2']};
  for (const filter of ['tag:x:y', 'without:1:2']) {
    assert.deepEqual(picked(pictures, {filter, query: '', sort: 'order'}, facts).map((p) => p.id), ['a']);
  }
});

test('uncertain is the worst fifth, or what is over a limit; labels by hand and skipped pictures have no say', () => {
  assert.equal(openError(PICTURES[3]), null);
  assert.equal(worstFrom(PICTURES), 0.09); // of four
  assert.equal(names('uncertain'), 'b/a9');
  assert.equal(names('uncertain', 'order', '', {limit: 4}), 'b/a9 a2 d');
  const many = Array.from({length: 50}, (_, i) => picture(String(i), {expected: i / 100}));
  const worst = picked(many, {filter: 'uncertain', query: '', sort: 'order'}, FACTS).map((p) => p.id);
  assert.deepEqual(worst, ['40', '41', '42', '43', '44', '45', '46', '47', '48', '49']);
  assert.equal(picked([picture('a')], {filter: 'uncertain', query: '', sort: 'order'}, FACTS).length, 0);
});

test('each order, with the folder’s among equals', () => {
  assert.equal(names('all', 'name'), 'a2 b/a9 a10 c d e f');
  assert.equal(names('all', 'expected'), 'b/a9 a2 d a10 c e f');
  assert.equal(names('all', 'labelled'), 'c d a2 a10 b/a9 e f');
  assert.equal(names('all', 'disputed'), 'c a10 b/a9 a2 d e f');
  assert.equal(PICTURES.map((p) => p.file).join(' '), 'a10 b/a9 a2 c d e f'); // and the list itself stays as it is
});

test('tags in use and landmarks are choices', () => {
  const groups = new Map(filters(PICTURES, LANDMARKS));
  assert.deepEqual(groups.get('Tagged'), [['tag:old', 'old'], ['tag:torn', 'torn']]);
  assert.deepEqual(groups.get('Begun, but without')?.map(([value]) => value), ['without:head', 'without:tip',
    'without:left']);
});

test('how far the folder is', () => {
  assert.equal(progressWords(PICTURES), '2 of 6 complete · 2 points accepted unchecked · 1 skipped · 1 unreadable');
  assert.equal(progressWords([picture('a')]), '0 of 1 complete');
});

test('the two parts of a name make it whole, and no character is cut in two', () => {
  for (const name of ['a.png', 'x'.repeat(18), `${'x'.repeat(40)}-left-0001.jpeg`, `${'🪲'.repeat(30)}.png`, '']) {
    const [head, tail] = halves(name);
    assert.equal(head + tail, name);
    assert.ok(!/[\uDC00-\uDFFF]/.test(tail.charAt(0)));
  }
  assert.deepEqual(halves('specimen_dorsal_view_00012.tif'), ['specimen_dorsal_view_', '00012.tif']);
  assert.deepEqual(halves('short.png'), ['short.png', '']);
});

test('what has changed in the folder, in words', () => {
  assert.equal(changeWords({added: 0, removed: 0, replaced: 0}), 'Nothing has changed in the folder.');
  assert.equal(changeWords({added: 1, removed: 0, replaced: 0}), '1 picture came.');
  assert.equal(changeWords({added: 0, removed: 2, replaced: 1}), '2 pictures gone, 1 replaced.');
});

test('films are named', () => {
  assert.equal(filmWords(['flies.mp4']), 'Take frames from 1 film: flies.mp4');
  assert.equal(filmWords(['a.mp4', 'b.mp4', 'c.mp4']), 'Take frames from 3 films: a.mp4 and 2 more');
});

test('pictures that could not be read again are named, with the reason', () => {
  const one = coarseWords([picture('a/b.tif', {coarse: 'Permission denied'})]);
  assert.match(one, /^a\/b\.tif could not be read again to be looked at closely: Permission denied\. /);
  const two = coarseWords([picture('a.tif', {coarse: 'torn off'}), picture('b.tif', {coarse: 'gone'})]);
  assert.match(two, /^2 pictures could .*; a\.tif: torn off\. /);
});
