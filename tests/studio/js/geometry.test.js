import assert from 'node:assert/strict';
import {test} from 'node:test';
import {cropOf} from '../../../src/lead/studio/static/disputes.js';
import {enlarge} from '../../../src/lead/studio/static/explore.js';
import {begin, inside, View} from '../../../src/lead/studio/static/geometry.js';
import {around} from '../../../src/lead/studio/static/guide.js';
import {layOut, room} from '../../../src/lead/studio/static/landmarks.js';

const near = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a - b) < 1e-9, `${a}, not ${b}`);

test('a pixel\'s centre is half a pixel from its edge', () => {
  const view = new View(4, 10, 20);
  assert.deepEqual(view.place(-0.5, -0.5), [10, 20]);
  assert.deepEqual(view.place(0, 0), [12, 22]);
});

test('from the picture to the canvas and back', () => {
  const view = new View(3.7, -12.3, 41);
  for (const [x, y] of [[-0.5, -0.5], [0, 0], [17.25, 99.5]]) {
    const back = view.picture(...view.place(x, y));
    near(back.x, x);
    near(back.y, y);
  }
});

test('a part of a picture fills the canvas on one axis and is in the middle of the other', () => {
  const view = View.of([10, 20, 40, 20], {width: 200, height: 300});
  near(view.scale, 5);
  assert.deepEqual(view.place(9.5, 19.5), [0, 100]); // the part's left and top edge
  assert.deepEqual(view.place(49.5, 39.5), [200, 200]);
});

test('zooming leaves the place under the pointer where it is', () => {
  const view = new View(2, 30, -15);
  const before = view.picture(120, 80);
  const after = view.zoomed(7, 120, 80);
  near(after.scale, 7);
  near(after.picture(120, 80).x, before.x);
  near(after.picture(120, 80).y, before.y);
});

test('a picture cannot be pushed off the canvas', () => {
  const [picture, canvas] = [{width: 100, height: 50}, {width: 400, height: 300}];
  for (const [left, top] of [[-1e6, 0], [1e6, 0], [0, -1e6], [0, 1e6], [1e6, 1e6]]) {
    const {scale, left: x, top: y} = new View(3, left, top).inSight(picture, canvas, 80);
    assert.ok(x + 100 * scale >= 80 && x <= 400 - 80, String(x));
    assert.ok(y + 50 * scale >= 80 && y <= 300 - 80, String(y));
  }
  const there = new View(3, 25, 35).inSight(picture, canvas, 80);
  assert.deepEqual([there.left, there.top], [25, 35]);
});

test('the edges of a picture belong to it', () => {
  const picture = {width: 10, height: 5};
  assert.ok(inside(picture, -0.5, 4.5) && inside(picture, 9.5, -0.5));
  assert.ok(!inside(picture, -0.51, 0) && !inside(picture, 0, 4.51));
});

test('a part lies within the picture, around the middle asked for where it can', () => {
  assert.equal(begin(50, 20, 100), 40);
  assert.equal(begin(3, 20, 100), 0);
  assert.equal(begin(99, 20, 100), 80);
  assert.equal(begin(10, 140, 100), -20); // longer than the picture: as much on either side
});

test('the guide shows the surroundings of a landmark in the shape of its canvas', () => {
  const [x, y, width, height] = around({x: 200, y: 150}, {width: 400, height: 300}, {width: 300, height: 150});
  near(width / height, 2);
  near(height, 0.42 * 300);
  near(x + width / 2, 200.5);
  near(y + height / 2, 150.5);
  const [left, top] = around({x: 0, y: 299}, {width: 400, height: 300}, {width: 100, height: 100});
  near(left, 0);
  near(top, 300 - 0.42 * 300);
});

test('a dispute is cut out with all its places, in the shape of its card', () => {
  const labels = {id: 'a', version: 1, checked: false, note: '', tags: [], up: null, track: '', box: null,
    complete: false, gone: false, points: {
      left: {state: /** @type {const} */ ('visible'), x: 20, y: 100},
      gone: {state: /** @type {const} */ ('absent'), x: null, y: null},
    }};
  const detail = {id: 'a', file: 'a.png', width: 1000, height: 600, labels, specimens: []};
  const suggestion = {x: 700, y: 500, expected_px: 3, score: 1};
  const [x, y, width, height] = cropOf({landmarks: ['left', 'gone'], expected: {left: suggestion}}, detail);
  near(width / height, 336 / 252);
  for (const place of [{x: 20, y: 100}, suggestion]) {
    assert.ok(place.x + 0.5 >= x && place.x + 0.5 <= x + width);
    assert.ok(place.y + 0.5 >= y && place.y + 0.5 <= y + height);
  }
});

test('a heat map is enlarged bilinearly, its cells\' centres keep their values', () => {
  const values = new Uint8Array([0, 100, 200, 40]); // 2 × 2
  const large = enlarge(values, 2, 2, 6, 6);
  const at = (/** @type {number} */ column, /** @type {number} */ row) => large[6 * row + column];
  assert.deepEqual([at(1, 1), at(4, 1), at(1, 4), at(4, 4)], [0, 100, 200, 40]);
  near(at(2, 1), Math.fround(100 / 3));
  assert.deepEqual([at(0, 0), at(5, 5)], [0, 40]); // beyond the outer centres nothing is made up
});

test('landmarks without a label stand in a strip below the picture', () => {
  const labelled = {state: /** @type {const} */ ('visible'), x: 49.5, y: 24.5};
  const laid = layOut(['a', 'b'], {width: 100, height: 50}, {a: labelled});
  assert.ok(laid);
  assert.deepEqual(laid.spots.get('a'), [280, (400 - 36) / 2]); // the middle of the picture
  const [, bottom] = laid.view.place(0, 49.5);
  assert.ok((laid.spots.get('b') ?? [0, 0])[1] > bottom);
  assert.equal(layOut(['a', 'b'], {width: 100, height: 50}, {}), null);
});

test('names keep off one another, and what finds no room is shown on demand', () => {
  /** @type {Parameters<typeof room>[3]} */
  const taken = [];
  const spots = Array.from({length: 9}, () => room('landmark', 280, 200, taken));
  assert.ok(spots[0].free && !spots[8].free);
  const overlap = taken.some((a, i) =>
    taken.some((b, j) => i < j && a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3])
  );
  assert.ok(!overlap);
});
