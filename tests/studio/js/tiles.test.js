import assert from 'node:assert/strict';
import {test} from 'node:test';
import {carriedOver} from '../../../src/lead/studio/static/follow.js';
import {similarity, View} from '../../../src/lead/studio/static/geometry.js';
import {shrinkOf, tilesIn} from '../../../src/lead/studio/static/tiles.js';

const PICTURE = {width: 10000, height: 8000};

test('tiles have as many pixels as the screen, but never many more, and at full zoom those of the file', () => {
  for (let detail = 0.23; detail < 40; detail *= 1.07) {
    const shrink = shrinkOf(detail, PICTURE) ?? assert.fail();
    assert.ok(shrink === 1 || shrink * detail <= 1.1, `${shrink} at ${detail}`);
    assert.ok(shrink === 8 || shrink * detail > 0.55, `${shrink} at ${detail}`);
    if (detail >= 1) assert.equal(shrink, 1);
  }
});

test('the large image does where it shows as much', () => {
  assert.equal(shrinkOf(0.2, PICTURE), null);
  assert.equal(shrinkOf(30, {width: 1024, height: 700}), null); // sent as it is
  const between = {width: 700, height: 1500}; // all of it, but not without loss
  assert.equal(shrinkOf(0.7, between), null);
  assert.equal(shrinkOf(1, between), 1);
  assert.equal(shrinkOf(1, {width: 2048, height: 2049}), 1);
});

test('the tiles in sight are those that a place in sight lies on', () => {
  for (const turn of [0, 0.4, -2]) {
    for (const shrink of [1, 2, 4]) {
      const view = View.with(9000, 300, 400, 300, 1.3 / shrink, turn);
      const tiles = tilesIn(PICTURE, view, {left: 0, top: 0, right: 800, bottom: 600}, shrink);
      const there = new Set(tiles.map(({column, row}) => `${column},${row}`));
      assert.equal(there.size, tiles.length);
      for (let sx = 0; sx <= 800; sx += 10) {
        for (let sy = 0; sy <= 600; sy += 10) {
          const {x, y} = view.picture(sx, sy);
          if (x < -0.5 || y < -0.5 || x >= 9999.5 || y >= 7999.5) continue;
          const [column, row] = [x, y].map((at) => Math.floor((at + 0.5) / 512 / shrink));
          assert.ok(there.has(`${column},${row}`));
        }
      }
      const last = [Math.ceil(10000 / 512 / shrink), Math.ceil(8000 / 512 / shrink)];
      for (const {column, row} of tiles) assert.ok(column >= 0 && row >= 0 && column < last[0] && row < last[1]);
    }
  }
  const apart = View.with(0, 0, 2000, 0, 1);
  assert.deepEqual(tilesIn(PICTURE, apart, {left: 0, top: 0, right: 800, bottom: 600}, 1), []);
});

/** @param {{x: number, y: number}} place  turned by 40 degrees, 1.5 times as large, and moved */
function moved({x, y}) {
  const [cos, sin] = [1.5 * Math.cos(0.7), 1.5 * Math.sin(0.7)];
  return {x: cos * x - sin * y + 30, y: sin * x + cos * y - 12};
}

test('places are laid upon others by turn, scale and shift', () => {
  const places = [{x: 10, y: 20}, {x: 300, y: 40}, {x: 120, y: 250}];
  const laid = similarity(places, places.map(moved), 1) ?? assert.fail();
  for (const place of [...places, {x: -40, y: 77}]) {
    const [found, true_] = [laid(place), moved(place)];
    assert.ok(Math.hypot(found.x - true_.x, found.y - true_.y) < 1e-9);
  }
  const one = similarity([{x: 10, y: 20}], [{x: 5, y: 5}], 2) ?? assert.fail();
  assert.deepEqual(one({x: 11, y: 18}), {x: 7, y: 1});
  assert.equal(similarity([], [], 1), null);
});

test('a landmark is looked for where the others say that it would be, the more surely the more they are', () => {
  const shape = {head: {x: 10, y: 20}, tail: {x: 300, y: 40}, wing: {x: 120, y: 250}};
  const other = {width: 400, height: 300, places: new Map(Object.entries(shape))};
  /** @param {('head'|'tail'|'wing')[]} names */
  const here = (names) => ({width: 800, height: 600, places: new Map(names.map((name) => [name, moved(shape[name])]))});
  const found = carriedOver('wing', other, here(['head', 'tail'])) ?? assert.fail();
  assert.ok(Math.hypot(found.x - moved(shape.wing).x, found.y - moved(shape.wing).y) < 1e-9);
  const alone = carriedOver('wing', other, here([])) ?? assert.fail();
  assert.deepEqual([alone.x, alone.y], [240.5, 500.5]); // the same share of the sides
  assert.ok((alone.error ?? 0) > (carriedOver('wing', other, here(['head']))?.error ?? Infinity));
  assert.equal(carriedOver('leg', other, here(['head', 'tail'])), null);
});
