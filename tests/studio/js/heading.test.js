import assert from 'node:assert/strict';
import {test} from 'node:test';
import {startOf} from '../../../src/lead/studio/static/crosshair.js';
import {carried, inside, outline, pinched, sight, turned, View} from '../../../src/lead/studio/static/geometry.js';
import {arrowOf, turnOf} from '../../../src/lead/studio/static/heading.js';

const CANVAS = {width: 800, height: 600};
const PICTURE = {width: 400, height: 200};
const QUARTER = Math.PI / 2;

/** @param {ArrayLike<number>} found @param {number[]} wanted */
function near(found, wanted, within = 1e-9) {
  wanted.forEach((value, i) =>
    assert.ok(Math.abs(found[i] - value) < within, `${[...wanted]}, not ${Array.from(found)}`)
  );
}

test('a quarter turn clockwise puts a picture\'s left edge at the top', () => {
  const view = new View(2, 500, 100, QUARTER); // its corner is at the top right then
  near(view.place(-0.5, -0.5), [500, 100]);
  near(view.place(399.5, -0.5), [500, 900]); // along its top edge, down the canvas
  near(view.place(-0.5, 199.5), [100, 100]);
  near(view.around(PICTURE), [100, 100, 400, 800]);
  near(Object.values(outline(PICTURE, QUARTER)), [200, 400]);
});

test('at any turn: to the canvas and back, and distances are those of the scale', () => {
  for (const turn of [-3, -1.1, 0, 0.3, QUARTER, 2.9]) {
    const view = new View(1.7, -40, 333, turn);
    const {x, y} = view.picture(...view.place(17.25, 140.5));
    near([x, y], [17.25, 140.5]);
    const [a, b] = [view.place(10, 20), view.place(40, 60)];
    near([Math.hypot(a[0] - b[0], a[1] - b[1])], [1.7 * 50]);
  }
});

test('a turned picture fits, with its middle in the middle', () => {
  for (const turn of [0, 0.4, -2, QUARTER]) {
    const view = View.of([0, 0, 400, 200], CANVAS, turn);
    near(view.place(199.5, 99.5), [400, 300]);
    const [left, top, width, height] = view.around(PICTURE);
    assert.ok(left > -1e-9 && top > -1e-9 && left + width < 800 + 1e-9 && top + height < 600 + 1e-9);
    assert.ok(Math.abs(width - 800) < 1e-9 || Math.abs(height - 600) < 1e-9);
  }
});

test('zooming, pinching and moving a turned view leave the place that is held where it is', () => {
  const view = new View(2, 30, -15, 0.8);
  const held = view.picture(120, 80);
  near(view.zoomed(7, 120, 80).place(held.x, held.y), [120, 80]);
  near(view.moved(13, -8).place(held.x, held.y), [133, 72]);
  const after = pinched(view, [[100, 60], [140, 100]], [[200, 160], [280, 240]], (scale) => scale);
  near(after.place(held.x, held.y), [240, 200]);
  near([after.scale, after.turn], [4, 0.8]);
  const next = carried(view, PICTURE, PICTURE, CANVAS);
  near([next.left, next.top, next.turn], [view.left, view.top, 0.8]);
});

test('a turned picture cannot be pushed off the canvas', () => {
  for (const turn of [0.5, QUARTER, 2.4, -1]) {
    for (const [dx, dy] of [[-1e5, 0], [1e5, 0], [0, -1e5], [1e5, 1e5], [-1e5, 1e5]]) {
      const view = new View(1, 100, 100, turn).moved(dx, dy).inSight(PICTURE, CANVAS, 80);
      let seen = false; // some place of the picture is 80 pixels within the canvas, or its very edge
      for (let sx = 80; sx <= 720; sx += 1) {
        for (const sy of [80, 520]) {
          const {x, y} = view.picture(sx, sy);
          seen ||= inside({width: 402, height: 202}, x + 1, y + 1);
        }
      }
      for (let sy = 80; sy <= 520; sy += 1) {
        for (const sx of [80, 720]) {
          const {x, y} = view.picture(sx, sy);
          seen ||= inside({width: 402, height: 202}, x + 1, y + 1);
        }
      }
      assert.ok(seen, `${turn} ${dx} ${dy}`);
    }
  }
});

test('what is in sight of a turned picture, and where the cross-hair begins on it', () => {
  const whole = View.of([0, 0, 400, 200], CANVAS, QUARTER);
  near(sight(whole, PICTURE, CANVAS), [0, 0, 200, 400]);
  near(Object.values(startOf(null, whole, PICTURE, CANVAS)), [200, 100]);
  // At 10 CSS pixels to one, 80 by 60 of the picture are in sight, here around its place (300, 50).
  const part = View.with(300, 50, 400, 300, 10, QUARTER);
  const [, , width, height] = sight(part, PICTURE, CANVAS);
  near([width, height], [80, 60]);
  near(Object.values(startOf(null, part, PICTURE, CANVAS)), [300, 50], 0.51);
  near(Object.values(startOf({x: 325, y: 85}, part, PICTURE, CANVAS)), [325, 85]); // 350 left of the middle, 250 below
  near(Object.values(startOf({x: 335, y: 50}, part, PICTURE, CANVAS)), [300, 50], 0.51); // 350 below it: not in sight
});

test('by its turn a direction in the picture points up on the canvas', () => {
  assert.equal(turnOf({x: 0, y: -1}), 0);
  near([turnOf({x: 1, y: 0}), turnOf({x: -1, y: 0})], [-QUARTER, QUARTER]);
  near([Math.abs(turnOf({x: 0, y: 1}))], [Math.PI]);
  for (const angle of [-3, -2, -0.4, 0.1, 1.9, 3.1]) {
    const up = {x: Math.cos(angle), y: Math.sin(angle)};
    near(turned(up.x, up.y, turnOf(up)), [0, -1]);
  }
});

test('the arrow is beyond the top of the points, points that way, and is on the canvas', () => {
  const around = /** @type {[number, number][]} */ ([[390, 300], [410, 300], [400, 250], [400, 350]]);
  const above = arrowOf(around, [0, -1], CANVAS);
  assert.ok(above);
  near([above[0][0], above[1][0]], [400, 400]);
  assert.ok(above[0][1] < 250 && above[1][1] < above[0][1]);
  const slanting = arrowOf(around, [0.6, 0.8], CANVAS);
  assert.ok(slanting);
  const [dx, dy] = [slanting[1][0] - slanting[0][0], slanting[1][1] - slanting[0][1]];
  near([dx / Math.hypot(dx, dy), dy / Math.hypot(dx, dy)], [0.6, 0.8]);
  for (const [far, up]
    of /** @type {[[number, number], [number, number]][]} */ ([[[400, -500], [0, -1]], [[2000, 300], [1, 0]], [[-900,
      5000], [-0.6, 0.8]]]))
  {
    for (const [x, y] of arrowOf([far], up, CANVAS) ?? [[NaN, NaN]]) {
      assert.ok(x >= 0 && x <= 800 && y >= 0 && y <= 600, `${x}, ${y}`);
    }
  }
  assert.equal(arrowOf([], [0, -1], CANVAS), null);
});
