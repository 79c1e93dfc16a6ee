import assert from 'node:assert/strict';
import {test} from 'node:test';
import {ticks} from '../../../src/lead/studio/static/chart.js';
import {count, duration, lookUp, percent, px, slug} from '../../../src/lead/studio/static/dom.js';
import {quote} from '../../../src/lead/studio/static/export.js';
import {size} from '../../../src/lead/studio/static/labelfile.js';
import {basename, closelyWords, elapsed, figure, freeColour, HEAT, PALETTE,
  pixels} from '../../../src/lead/studio/static/parts.js';
import {stateOf} from '../../../src/lead/studio/static/picking.js';
import {histogram, quantile} from '../../../src/lead/studio/static/review.js';
import {filterOf} from '../../../src/lead/studio/static/tone.js';

test('ticks are round numbers within the range, none left out', () => {
  assert.deepEqual(ticks(0, 10), [0, 5, 10]);
  assert.deepEqual(ticks(0.12, 0.58), [0.2, 0.4]);
  assert.deepEqual(ticks(-3, 3), [-2, 0, 2]);
  assert.deepEqual(ticks(0, 400), [0, 100, 200, 300, 400]);
  assert.deepEqual(ticks(0.1, 0.5), [0.1, 0.2, 0.3, 0.4, 0.5]); // and no 0.30000000000000004
});

test('a histogram counts every value once, the last bar all above', () => {
  const values = [...Array.from({length: 1000}, (_, i) => i / 1000), 50];
  const bars = histogram(values, 8);
  assert.equal(bars.reduce((sum, bar) => sum + bar.n, 0), values.length);
  assert.equal(bars[7].to, Infinity);
  for (const {n, from, to} of bars) assert.equal(n, values.filter((v) => v >= from && v < to).length);
  assert.deepEqual(histogram([0, 0], 4).map((bar) => bar.n), [2, 0, 0, 0]);
});

test('a quantile is one of the numbers', () => {
  assert.equal(quantile([1, 2, 3, 4], 0.5), 3);
  assert.equal(quantile([1, 2, 3, 4], 1), 4);
  assert.equal(quantile([7], 0.01), 7);
});

test('numbers read as they should', () => {
  assert.deepEqual([0, 0.0412, 2.314, 48.21, 517.4, NaN].map(figure), ['0', '0.0412', '2.31', '48.2', '517', '–']);
  assert.deepEqual([0.84, 12.3].map(pixels), ['0.8 px', '12 px']);
  assert.deepEqual([3.14159, 234.5].map(px), ['3.1', '235']);
  assert.deepEqual([0.0123, 0.1234].map(percent), ['1.2 %', '12 %']);
  assert.deepEqual([count(1, 'picture'), count(1200, 'picture'), count(0, 'box', 'boxes')], ['1 picture',
    '1,200 pictures', '0 boxes']);
  assert.deepEqual([0.2, 42, 150, 5400].map(duration), ['1 s', '42 s', '3 min', '1 h 30 min']);
  assert.deepEqual([48, 200, 3900].map(elapsed), ['48 s', '3 min 20 s', '1 h 5 min']);
  assert.deepEqual([999, 12345, 2.5e6].map(size), ['999 bytes', '12 kB', '2.5 MB']);
});

test('words for a shell, a path and a test', () => {
  assert.equal(quote('/home/me/run-1'), '/home/me/run-1');
  assert.equal(quote('it\'s here'), '\'it\'\\\'\'s here\'');
  assert.equal(basename('/a/b c/'), 'b c');
  assert.equal(basename('C:\\pictures\\beetles'), 'beetles');
  assert.equal(slug(' Left eye, upper '), 'left-eye-upper');
});

test('the next colour is one that is used least', () => {
  assert.equal(freeColour([]), PALETTE[0]);
  assert.equal(freeColour(PALETTE.slice(0, 3)), PALETTE[3]);
  assert.equal(freeColour([...PALETTE, PALETTE[0]]), PALETTE[1]);
});

test('the heat map grows lighter from end to end', () => {
  const light = (/** @type {number} */ i) => 0.2126 * HEAT[3 * i] + 0.7152 * HEAT[3 * i + 1] + 0.0722 * HEAT[3 * i + 2];
  for (let i = 8; i < 256; i += 8) assert.ok(light(i) > light(i - 8), String(i));
});

test('no filter where nothing is changed', () => {
  assert.equal(filterOf({brightness: 1, contrast: 1}), 'none');
  assert.equal(filterOf({brightness: 2, contrast: 0.5}), 'brightness(2.00) contrast(0.50)');
});

test('how far a picture is', () => {
  const picture = {id: 'a', file: 'a.png', labelled: 0, complete: false, unlabelled: [], specimens: 0, accepted: 0,
    tags: [], noted: false, unreadable: null, coarse: null, stamp: '', expected: null, expected_px: null};
  assert.equal(stateOf(picture), 'todo');
  assert.equal(stateOf({...picture, labelled: 2}), 'begun');
  assert.equal(stateOf({...picture, labelled: 4, complete: true}), 'complete');
  assert.equal(stateOf({...picture, labelled: 4, complete: true, unreadable: 'cut short'}), 'unreadable');
});

test('which landmarks are looked at closely, and by name those that are not', () => {
  assert.equal(closelyWords(['a', 'b'], []), null);
  assert.match(closelyWords(['a', 'b'], ['a', 'b']) ?? '', /^2 of 2 landmarks are looked at closely, .* picture\.$/);
  assert.match(closelyWords(['a', 'b', 'c'], ['b']) ?? '', /^1 of 3 landmarks is .*\. Not a, c: little to gain/);
  const many = Array.from({length: 30}, (_, i) => `n${i}`);
  assert.match(closelyWords(many, ['n3']) ?? '', /\. Not the others: little .* fewer than 4 labels\.$/);
});

test('a name of every object is none of its own', () => {
  assert.equal(lookUp({a: 1}, 'a'), 1);
  assert.equal(lookUp({a: 1}, 'constructor'), undefined);
  assert.equal(lookUp({a: 1}, null), undefined);
});
