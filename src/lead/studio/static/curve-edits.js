/** Changing curves: what becomes of the landmarks where one is added, renamed, divided otherwise or taken away. */

import {FEWEST, namesAlong, ownOf} from './curves.js';
import {freeColour} from './parts.js';
import {recoloured, removed, renamed} from './schema.js';

/**
 * @import {Curve} from 'types/messages'
 * @import {Schema} from './schema.js'
 * @typedef {{name: string, closed: boolean, count: number, from: string, to: string}} Wish  `count`: of its points, its
 *   ends included; `from`, `to`: landmarks at its ends, '' for ends of its own; a closed one has `from` alone
 */

export const LONGEST_NAME = 90; // characters of a curve's: its points' have a number besides
export const MOST = 500; // points of a curve

/** The landmarks of a curve that is wished for: those made for it, and all in their order. @param {Wish} wish */
export function pointsOf({name, closed, count, from, to}) {
  const end = closed ? '' : to;
  const own = namesAlong(name, count - Number(from !== '') - Number(end !== ''));
  return {own, points: [...from ? [from] : [], ...own, ...end ? [end] : []]};
}

/** Why there cannot be such a curve, in words; null if there can. @param {Schema} schema @param {Wish} wish
 *  @param {string[]} [freed]  landmarks that go for it */
export function whyNot(schema, wish, freed = []) {
  const {name, closed, count, from, to} = wish;
  if (!name) return 'A curve needs a name.';
  if (schema.curves.some((curve) => curve.name === name)) {
    return `There is a curve ${name} already. Choose another name.`;
  }
  if (!Number.isInteger(count) || count < FEWEST || count > MOST) return `A curve has ${FEWEST} to ${MOST} points.`;
  if (!closed && from && from === to) {
    return 'Its two ends are the same landmark. Choose another one, or a closed curve.';
  }
  const there = schema.landmarks.map((l) => l.name.toLowerCase());
  const gone = freed.map((each) => each.toLowerCase());
  const taken = pointsOf(wish).own.find((each) =>
    there.includes(each.toLowerCase()) && !gone.includes(each.toLowerCase())
  );
  return taken ? `There is a landmark ${taken} already. Choose another name for the curve.` : null;
}

/** Adds a curve with landmarks of its own, in one colour. @param {Schema} schema @param {Wish} wish
 *  @returns {Schema} */
export function curveAdded(schema, wish) {
  const {own, points} = pointsOf(wish);
  const colour = freeColour([...new Set(schema.landmarks.map((l) => l.colour))]);
  return {...schema, landmarks: [...schema.landmarks, ...own.map((name) => ({name, colour}))],
    curves: [...schema.curves, {name: wish.name, points, closed: wish.closed}]};
}

/** What its landmarks are called as the curve gets another name: old name to new name. @param {Curve} curve
 *  @param {string} to @returns {Record<string, string>} */
export const namesFor = ({name, points}, to) =>
  Object.fromEntries(points.flatMap((point) => {
    const number = point.slice(name.length + 1);
    return point.startsWith(`${name}_`) && /^\d+$/.test(number) ? [[point, `${to}_${number}`]] : [];
  }));

/** A curve under another name, and so its landmarks. @param {Schema} schema @param {Curve} curve @param {string} to */
export function curveRenamed(schema, curve, to) {
  const names = Object.entries(namesFor(curve, to));
  const after = names.reduce((now, [from, name]) => renamed(now, from, name), schema);
  return {...after, curves: after.curves.map((each) => each.name === curve.name ? {...each, name: to} : each)};
}

/** The wish that a curve fulfils. @param {Curve} curve @returns {Wish} */
export function wishOf(curve) {
  const {name, points, closed} = curve;
  const own = ownOf(curve);
  const [first, last] = [points[0], points[points.length - 1]];
  return {name, closed, count: points.length, from: own.includes(first) ? '' : first,
    to: closed || own.includes(last) ? '' : last};
}

/** A curve with another number of points: its landmarks are made anew, where they stood in the order.
 *  @param {Schema} schema @param {Curve} curve @param {number} count @returns {Schema} */
export function curveDivided(schema, curve, count) {
  const old = ownOf(curve);
  const {own, points} = pointsOf({...wishOf(curve), count});
  const at = schema.landmarks.findIndex((l) => old.includes(l.name));
  const {colour} = schema.landmarks[at];
  const others = {...schema, curves: schema.curves.filter((each) => each !== curve)};
  const kept = old.filter((name) => !own.includes(name)).reduce((now, name) => removed(now, name), others);
  const landmarks = kept.landmarks.filter((l) => !old.includes(l.name));
  landmarks.splice(at, 0, ...own.map((name) => ({name, colour})));
  const curves = [...kept.curves];
  curves.splice(schema.curves.indexOf(curve), 0, {...curve, points});
  return {...kept, landmarks, curves};
}

/** Without a curve and the landmarks that are its alone. @param {Schema} schema @param {Curve} curve
 *  @returns {Schema} */
export function curveRemoved(schema, curve) {
  const without = {...schema, curves: schema.curves.filter(({name}) => name !== curve.name)};
  return ownOf(curve).reduce((now, name) => removed(now, name), without);
}

/** All landmarks of a curve's own in one colour. @param {Schema} schema @param {Curve} curve @param {string} colour */
export const curveRecoloured = (schema, curve, colour) =>
  ownOf(curve).reduce((now, name) => recoloured(now, name, colour), schema);
