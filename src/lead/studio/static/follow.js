/** Looks at each landmark from near as its turn comes: where it is suggested, or where the others and another picture's
 *  labels would put it. */

import {similarity} from './geometry.js';

/**
 * @import {PictureDetail} from 'types/messages'
 * @import {PictureCanvas} from './canvas.js'
 * @import {View} from './geometry.js'
 * @typedef {{x: number, y: number, error: number|null}} Place  in a picture; `error` that is expected, in its pixels
 * @typedef {Map<string, {x: number, y: number}>} Places  by landmark
 * @typedef {{width: number, height: number, places: Places}} Known  a picture, and where its landmarks are
 */

/** The error to expect of a place that no model suggests, as a share of the picture's longer side, by how many
 *  landmarks the two pictures have in common: 0, 1, or more. */
const GUESSED = [0.1, 0.07, 0.04];
/** That of labels, where nothing else tells how near they are to be looked at. */
const USUAL = 0.02;
/** The expected error is this part of what is in sight, */
const PART = 8;
/** but no more pixels of the screen show one of the file's: nearer, photographs are a blur that nobody knows again. */
const DEEPEST = 4;

/** @param {{width: number, height: number}} picture */
const sideOf = ({width, height}) => Math.max(width, height);

/**
 * Where another picture's landmark would be on this one.
 * @param {string} name
 * @param {Known} other
 * @param {Known} here
 * @returns {Place|null} null where the other one lacks it
 */
export function carriedOver(name, other, here) {
  const from = other.places.get(name);
  if (!from) return null;
  const common = [...other.places.keys()].filter((each) => each !== name && here.places.has(each));
  /** @param {Known} known */
  const of = ({places}) => common.map((each) => /** @type {{x: number, y: number}} */ (places.get(each)));
  const side = sideOf(here);
  const error = GUESSED[Math.min(common.length, 2)] * side;
  const laid = similarity(of(other), of(here), side / sideOf(other));
  const share = () => ({x: (from.x + 0.5) / other.width * here.width - 0.5,
    y: (from.y + 0.5) / other.height * here.height - 0.5});
  return {...(laid ? laid(from) : share()), error};
}

export class Follower {
  /** @param {PictureCanvas} canvas @param {() => Known|null} guide  a labelled picture like this one, where one is */
  constructor(canvas, guide) {
    this.canvas = canvas;
    this.guide = guide;
    /** how near: so many times as near as the whole picture; 0: as its expected error asks; null: not at all
     *  @type {number|null} */
    this.times = null;
    /** @type {string|null} */
    this.id = null;
    /** @type {string|null} */
    this.name = null;
    /** whether the current landmark is gone to whether or not it waits for its place */
    this.asked = false;
    /** how well the place is known that was gone to */
    this.known = 0;
    /** the view that was given @type {View|null} */
    this.view = null;
    /** where landmarks are on this picture, and were on the one before @type {Known|null} */
    this.here = null;
    /** @type {Known|null} */
    this.before = null;
    /** the view before it began, and of which picture; null for the whole @type {{id: string|null, view: View|null}} */
    this.from = {id: null, view: null};
  }

  /** Begins, goes on at another zoom, or ends: then what was in sight before is in sight again.
   *  @param {number|null} times */
  set(times) {
    const {canvas, from} = this;
    if (times === this.times) return;
    const [began, ended] = [this.times === null, times === null];
    this.times = times;
    this.again();
    if (began) this.from = {id: canvas.picture?.id ?? null, view: canvas.fitted ? null : canvas.view};
    if (!ended || !canvas.picture) return;
    if (from.view && from.id === canvas.picture.id) canvas.look(from.view);
    else canvas.fit();
  }

  /** The current landmark is gone to anew. */
  again() {
    this.name = null;
    this.asked = true;
  }

  /** Goes to a landmark once, and again when a better place for it comes while nobody has moved the view.
   *  @param {PictureDetail} picture @param {string} name  the current landmark
   *  @param {boolean} waits  for its place */
  follow(picture, name, waits) {
    const {canvas} = this;
    if (picture.id !== this.id) {
      this.id = picture.id;
      this.name = null;
      if (this.here?.places.size) this.before = this.here;
    }
    const {width, height} = picture;
    this.here = {width, height, places: new Map(canvas.marks.map(({name: each, x, y}) => [each, {x, y}]))};
    if (this.times === null) return;
    const [place, known] = this.placeOf(name, this.here);
    const better = known > this.known && this.view === canvas.view;
    if (name === this.name && !better) return;
    this.name = name;
    this.known = known;
    const goes = waits || this.asked;
    this.asked = false;
    if (canvas.drag || !goes) return;
    this.go(place, this.times);
    this.view = canvas.view;
  }

  /** Where a landmark is, and how well that is known. @param {string} name @param {Known} here
   *  @returns {[Place|null, number]} */
  placeOf(name, here) {
    const mark = this.canvas.marks.find((each) => each.name === name);
    if (mark) return [{x: mark.x, y: mark.y, error: mark.expected_px ?? this.typical()}, 3];
    const guide = this.guide();
    const guessed = guide && carriedOver(name, guide, here);
    if (guessed) return [guessed, 2];
    const last = this.before && carriedOver(name, this.before, here);
    return last ? [last, 1] : [null, 0];
  }

  /** The median expected error of the picture's suggestions; null without any. */
  typical() {
    const errors = this.canvas.marks.flatMap(({expected_px: error}) => error === undefined ? [] : [error]);
    return errors.sort((a, b) => a - b)[Math.floor(errors.length / 2)] ?? null;
  }

  /** @param {Place|null} place @param {number} times */
  go(place, times) {
    const {canvas} = this;
    if (!place || !canvas.picture) canvas.fit();
    else if (times) canvas.visit(place.x, place.y, times);
    else canvas.near(place.x, place.y, place.error ?? USUAL * sideOf(canvas.picture), PART, DEEPEST);
  }
}
