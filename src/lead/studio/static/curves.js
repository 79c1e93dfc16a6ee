/** Curves through landmarks: which landmarks they are of, and points evenly spaced along one that is drawn. */

/**
 * @import {Curve, Landmarks} from 'types/messages'
 * @typedef {[x: number, y: number]} Place  in pixels of the picture, as in geometry.js
 */

export const FEWEST = 3; // points of a curve
export const FINE = 64; // pieces of a spline between two clicks, as in lead.landmarks.curves
const COARSE = 8; // those that are enough to look at
const SOFT = 5; // a handle bends this part of the curve's points to either side of it

// --- which landmarks -------------------------------------------------------------------------------------------------

/** The landmarks that slide along a curve. @param {Curve} curve */
export const sliding = ({points, closed}) => closed ? points.slice(1) : points.slice(1, -1);

/** The landmarks that are the curve's alone: those that slide along it, and ends that go by its name.
 *  @param {Curve} curve */
export function ownOf(curve) {
  const slides = new Set(sliding(curve));
  const {name, points} = curve;
  return points.filter((point) =>
    slides.has(point) || (point.startsWith(`${name}_`)
      && /^\d+$/.test(point.slice(name.length + 1)))
  );
}

/** The curve that a landmark is of, and of nothing else. @param {Pick<Landmarks, 'curves'>} schema
 *  @param {string|null} name */
export const curveOf = ({curves}, name) =>
  name === null ? null : curves.find((curve) => curve.points.includes(name) && ownOf(curve).includes(name)) ?? null;

/** All landmarks that slide along a curve. @param {Pick<Landmarks, 'curves'>} schema */
export const semilandmarks = ({curves}) => new Set(curves.flatMap(sliding));

/** A curve's neighbouring points, in pairs. @param {Curve} curve @returns {[string, string][]} */
export const segmentsOf = ({points, closed}) =>
  points.flatMap((name, i) => i + 1 < points.length || closed ? [[name, points[(i + 1) % points.length]]] : []);

/** All lines to draw: the skeleton's, and those of the curves. @param {Pick<Landmarks, 'curves'|'skeleton'>} schema */
export const linesOf = ({skeleton, curves}) => [...skeleton, ...curves.flatMap(segmentsOf)];

/** Names for the points of a curve: `outline_01`, `outline_02`, … @param {string} curve @param {number} count */
export const namesAlong = (curve, count) =>
  Array.from({length: count}, (_, i) => `${curve}_${String(i + 1).padStart(Math.max(2, String(count).length), '0')}`);

// --- places ----------------------------------------------------------------------------------------------------------

/** How a line goes through places. @typedef {{closed?: boolean, smooth?: boolean}} Way */

/**
 * Points evenly spaced along a line through places, as :func:`lead.landmarks.curves.resampled` finds them.
 * @param {Place[]} places
 * @param {number} count
 * @param {Way} [way]
 * @returns {Place[]|null} null where too few places differ for a line
 */
export function resampled(places, count, {closed = false, smooth = false} = {}) {
  const ring = differing(places, closed);
  if (!ring) return null;
  const fine = smooth ? splined(ring, closed, FINE) : ring;
  const along = lengths(fine);
  const total = along[along.length - 1];
  let at = 0;
  return Array.from({length: count}, (_, i) => {
    if (i === 0) return fine[0];
    if (!closed && i === count - 1) return fine[fine.length - 1];
    const wanted = total * i / (closed ? count : count - 1);
    while (at < along.length - 2 && along[at + 1] <= wanted) at++;
    const share = (wanted - along[at]) / (along[at + 1] - along[at]);
    return between(fine[at], fine[at + 1], share);
  });
}

/** The line through places, to look at. @param {Place[]} places @param {Way} [way] @returns {Place[]} */
export function lineThrough(places, {closed = false, smooth = false} = {}) {
  const ring = differing(places, closed) ?? differing(places, false);
  if (!ring) return places;
  return smooth ? splined(ring, closed && ring.length > 3, COARSE) : ring;
}

/** Places one after the other, the first again at the end of a closed line; null if too few differ.
 *  @param {Place[]} places @param {boolean} closed */
function differing(places, closed) {
  const ring = (closed ? [...places, ...places.slice(0, 1)] : places)
    .filter(([x, y], i, all) => !i || x !== all[i - 1][0] || y !== all[i - 1][1]);
  return ring.length - Number(closed) < (closed ? 3 : 2) ? null : ring;
}

/** @param {Place} a @param {Place} b @param {number} share @returns {Place} */
const between = (a, b, share) => [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];

/** How far along the line each place is. @param {Place[]} places */
function lengths(places) {
  let sum = 0;
  return places.map(([x, y], i) => sum += i ? Math.hypot(x - places[i - 1][0], y - places[i - 1][1]) : 0);
}

/** Many places on the cubic spline through some, by the length of the chords; the ends of an open one do not bend.
 *  @param {Place[]} ring  of a closed one the last is the first again @param {boolean} closed
 *  @param {number} pieces  between two of them */
function splined(ring, closed, pieces) {
  const chords = lengths(ring);
  const steps = chords.slice(1).map((chord, i) => chord - chords[i]);
  const bends = [0, 1].map((axis) => bendsOf(ring.map((place) => place[axis]), steps, closed));
  /** @type {Place[]} */
  const fine = [ring[0]];
  steps.forEach((step, i) => {
    for (let piece = 1; piece < pieces; piece++) {
      const b = piece / pieces;
      const a = 1 - b;
      const [x, y] = [0, 1].map((axis) =>
        a * ring[i][axis] + b * ring[i + 1][axis]
        + ((a ** 3 - a) * bends[axis][i] + (b ** 3 - b) * bends[axis][i + 1]) * step * step / 6
      );
      fine.push([x, y]);
    }
    fine.push(ring[i + 1]);
  });
  return fine;
}

/** Second derivatives of the spline through values. @param {number[]} values @param {number[]} steps  between them
 *  @param {boolean} closed */
function bendsOf(values, steps, closed) {
  const n = steps.length;
  const slope = (/** @type {number} */ i) => (values[i + 1] - values[i]) / steps[i];
  if (!closed) {
    const inner = Array.from({length: n - 1}, (_, i) => i + 1);
    const bends = tridiagonal(inner.map((i) => steps[i - 1]), inner.map((i) => 2 * (steps[i - 1] + steps[i])),
      inner.map((i) => steps[i]), inner.map((i) => 6 * (slope(i) - slope(i - 1))));
    return [0, ...bends, 0];
  }
  // The two corners of the cyclic system are one outer product off a tridiagonal one (Sherman and Morrison).
  const all = Array.from({length: n}, (_, i) => i);
  const before = (/** @type {number} */ i) => (i + n - 1) % n;
  const below = all.map((i) => steps[before(i)]);
  const corner = steps[n - 1];
  const gamma = -2 * (steps[n - 1] + steps[0]);
  const middle = all.map((i) => 2 * (steps[before(i)] + steps[i]));
  middle[0] -= gamma;
  middle[n - 1] -= corner * corner / gamma;
  const solved = tridiagonal(below, middle, steps, all.map((i) => 6 * (slope(i) - slope(before(i)))));
  const off = tridiagonal(below, middle, steps, all.map((i) => i === 0 ? gamma : i === n - 1 ? corner : 0));
  const v = corner / gamma;
  const factor = (solved[0] + v * solved[n - 1]) / (1 + off[0] + v * off[n - 1]);
  const bends = solved.map((value, i) => value - factor * off[i]);
  return [...bends, bends[0]];
}

/** Solves a system whose matrix has a diagonal that outweighs the two beside it. @param {number[]} below  the first of
 *  it does not count @param {number[]} middle @param {number[]} above  nor the last of this
 *  @param {number[]} right */
function tridiagonal(below, middle, above, right) {
  const n = middle.length;
  const [upper, out] = [new Array(n), new Array(n)];
  for (let i = 0; i < n; i++) {
    const pivot = middle[i] - (i ? below[i] * upper[i - 1] : 0);
    upper[i] = above[i] / pivot;
    out[i] = (right[i] - (i ? below[i] * out[i - 1] : 0)) / pivot;
  }
  for (let i = n - 2; i >= 0; i--) out[i] -= upper[i] * out[i + 1];
  return out;
}

/**
 * How much of a handle's way each point of a curve goes along: the neighbours softly less, what is fixed not at all.
 * @param {number} count  of points
 * @param {number} handle
 * @param {boolean} closed
 * @param {(i: number) => boolean} fixed
 */
export function pulls(count, handle, closed, fixed) {
  const reach = Math.max(2, Math.round(count / SOFT)) + 1;
  return Array.from({length: count}, (_, i) => {
    const straight = Math.abs(i - handle);
    const away = closed ? Math.min(straight, count - straight) : straight;
    if (i !== handle && (fixed(i) || away >= reach)) return 0;
    return (1 + Math.cos(Math.PI * away / reach)) / 2;
  });
}
