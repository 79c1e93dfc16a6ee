import assert from 'node:assert/strict';
import {test} from 'node:test';
import {startOf, stepLength} from '../../../src/lead/studio/static/crosshair.js';
import {carried, centred, pinched, sight, View} from '../../../src/lead/studio/static/geometry.js';
import {loupePlace, loupeScale, loupeSide} from '../../../src/lead/studio/static/loupe.js';
import {minimapSize, seenWhole} from '../../../src/lead/studio/static/minimap.js';
import {USUAL, valuesOf} from '../../../src/lead/studio/static/viewoptions.js';

const CANVAS = {width: 800, height: 600};
const PICTURE = {width: 2000, height: 1500};
const free = (/** @type {number} */ scale) => scale;

test('a pinch keeps what is between the fingers between them', () => {
  const view = new View(0.5, 12, -30);
  const {x, y} = view.picture(150, 220);
  const after = pinched(view, [[100, 200], [200, 240]], [[50, 190], [310, 250]], free);
  const [sx, sy] = after.place(x, y);
  assert.ok(Math.abs(sx - 180) < 1e-9 && Math.abs(sy - 220) < 1e-9);
  assert.ok(Math.abs(after.scale / 0.5 - Math.hypot(260, 60) / Math.hypot(100, 40)) < 1e-9);
});

test('a pinch goes no farther than the scales that are allowed, and still pans', () => {
  const after = pinched(new View(1, 0, 0), [[0, 0], [10, 0]], [[0, 0], [1000, 0]], () => 2);
  assert.equal(after.scale, 2);
  assert.equal(after.left, 500 - 5 * 2);
  assert.deepEqual(pinched(new View(1, 0, 0), [[5, 5], [5, 5]], [[5, 5], [9, 5]], free), new View(1, 2, 0));
});

test('the same view of a picture of the same size, the same part of one twice as large', () => {
  const view = new View(1.5, -200, -90);
  assert.deepEqual(carried(view, PICTURE, PICTURE, CANVAS), view);
  const twice = {width: 4000, height: 3000};
  const after = carried(view, PICTURE, twice, CANVAS);
  assert.equal(after.scale, 0.75);
  const [before, since] = [sight(view, PICTURE, CANVAS), sight(after, twice, CANVAS)];
  before.forEach((edge, i) => assert.ok(Math.abs(since[i] - 2 * edge) < 1e-9));
});

test('what is in sight ends at the picture\'s edges', () => {
  assert.deepEqual(sight(new View(0.2, 100, 50), PICTURE, CANVAS), [0, 0, 2000, 1500]);
  assert.deepEqual(sight(new View(1, -100, -200), PICTURE, CANVAS), [100, 200, 800, 600]);
  assert.deepEqual(sight(new View(1, 700, 0), PICTURE, CANVAS), [0, 0, 100, 600]);
});

test('the magnifier is deeper than the view, but leaves enough around the point to know it again', () => {
  for (const scale of [0.05, 0.31, 1, 3, 6.31, 20, 64]) {
    const deep = loupeScale(scale);
    assert.ok(deep >= scale);
    const across = loupeSide(CANVAS) / deep;
    const inSight = CANVAS.width / scale;
    assert.ok(scale > 12 || deep === 1 || across > inSight / 16, `${across} of ${inSight}`);
    assert.ok(deep >= 1); // the file's own pixels
  }
  assert.ok(loupeSide(CANVAS) / loupeScale(0.31) > 150); // of the picture's pixels, at 31 %
  assert.ok(loupeScale(1) >= 2.5);
});

test('the magnifier is on the canvas, near the pointer, and not under it or a finger', () => {
  for (const canvas of [CANVAS, {width: 340, height: 420}]) {
    const side = loupeSide(canvas);
    for (const touch of [false, true]) {
      for (let x = 0; x <= canvas.width; x += canvas.width / 8) {
        for (let y = 0; y <= canvas.height; y += canvas.height / 8) {
          const [left, top] = loupePlace([x, y], side, canvas, {touch});
          assert.ok(left >= 0 && top >= 0 && left + side <= canvas.width && top + side <= canvas.height);
          const dx = Math.max(left - x, 0, x - left - side);
          const dy = Math.max(top - y, 0, y - top - side);
          const away = Math.hypot(dx, dy);
          assert.ok(away >= (touch ? 40 : 20) && away < 90, `${x}, ${y} ${touch}: ${away}`);
        }
      }
    }
  }
  assert.ok(loupePlace([400, 300], 176, CANVAS, {touch: true})[1] + 176 < 300); // above the finger
});

test('in the corner the magnifier changes sides when a point is held there', () => {
  const [left, top] = loupePlace([400, 300], 176, CANVAS, {where: 'corner'});
  assert.ok(left < 20 && top < 20);
  assert.ok(loupePlace([60, 60], 176, CANVAS, {where: 'corner'})[0] > 400);
});

test('a coarse step is a part of what is in sight, never less than a fine one', () => {
  const whole = new View(0.4, 0, 0);
  assert.equal(stepLength('coarse', whole, PICTURE, CANVAS), 50);
  assert.equal(stepLength('coarse', new View(2, -100, -100), PICTURE, CANVAS), 10);
  assert.equal(stepLength('coarse', new View(64, 0, 0), PICTURE, CANVAS), 1);
  assert.equal(stepLength('pixel', whole, PICTURE, CANVAS), 1);
  assert.equal(stepLength('fine', whole, PICTURE, CANVAS), 0.1);
});

test('the cross-hair begins where it was last, if that is in sight; else in the middle of what is', () => {
  const view = new View(1, -1000, -500);
  assert.deepEqual(startOf(null, view, PICTURE, CANVAS), {x: 1400, y: 800});
  assert.deepEqual(startOf({x: 100, y: 100}, view, PICTURE, CANVAS), {x: 1400, y: 800});
  assert.deepEqual(startOf({x: 1100, y: 600}, view, PICTURE, CANVAS), {x: 1100, y: 600});
});

test('the overview map has the picture\'s shape and is a corner of the canvas', () => {
  assert.deepEqual(minimapSize(PICTURE, CANVAS), {width: 128, height: 96});
  const tall = minimapSize({width: 100, height: 4000}, {width: 300, height: 300});
  assert.deepEqual(tall, {width: 16, height: 90});
  assert.ok(seenWhole([0, 0, 2000, 1500], PICTURE));
  assert.ok(!seenWhole([0, 0, 2000, 700], PICTURE));
});

test('a place in the middle', () => {
  assert.deepEqual(centred(9.5, 19.5, 4, CANVAS).place(9.5, 19.5), [400, 300]);
});

test('what the browser kept of the view is taken as far as it makes sense', () => {
  assert.deepEqual(valuesOf(null), USUAL);
  assert.deepEqual(valuesOf('nonsense'), USUAL);
  assert.deepEqual(valuesOf({size: 'huge', names: 7, zoom: 'constructor', times: 3, extra: 1}), USUAL);
  assert.deepEqual(valuesOf({size: 'large', points: false, zoom: 'keep', times: 8}), {...USUAL, size: 'large',
    points: false, zoom: 'keep', times: 8});
});
