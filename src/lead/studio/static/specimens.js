/**
 * The specimens of a picture, where pictures show several: which there are, which one is worked on, and those that are
 * suggested. The key of one is `<picture>.<n>`; without several, labels go by the picture's id, which is its own key.
 */

/**
 * @import {PictureLabels, SuggestedSpecimen, Suggestion} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Points} from './outbox.js'
 * @typedef {{x: number, y: number}} Place
 * @typedef {{key: string, likely: number|null, points: Record<string, Suggestion>}} Guess  a suggested specimen; the
 *   key is that of the labelled one that it is, or the one that it gets if it is accepted
 * @typedef {{key: string, labels: PictureLabels|null, guess: Guess|null}} Specimen  labelled, suggested or both; one
 *   without either is to be begun
 */

const MOST = 2 ** 31; // numbers of specimens are below
const SAME = 0.25; // of its size: two suggestions with their middles so near are of the same specimen

// --- keys ------------------------------------------------------------------------------------------------------------

/** The picture that a key is of. @param {string} key */
export const pictureOf = (key) => key.split('.', 1)[0];

/** Whether it is the key of a specimen. @param {string} key */
export const isSpecimen = (key) => key.includes('.');

/** A key that no specimen has, also where the server cannot be asked. @param {string} id  of the picture */
export const freshKey = (id) => `${id}.${1 + Math.floor(Math.random() * (MOST - 1))}`;

/** The labels of a specimen that is not there. @param {string} key @returns {PictureLabels} */
export const absent = (key) => ({id: key, version: 0, points: {}, checked: false, note: '', tags: [], up: null,
  track: '', box: null, complete: false, gone: true});

// --- places ----------------------------------------------------------------------------------------------------------

/** Points that have a place. @param {Record<string, {x: number|null, y: number|null}|null>} points
 *  @returns {Place[]} */
export const placesOf = (points) =>
  Object.values(points).flatMap((point) =>
    point && point.x !== null && point.y !== null
      ? [{x: point.x, y: point.y}]
      : []
  );

/** The box around places: left, top, right, bottom; null without any. @param {Place[]} places
 *  @returns {[number, number, number, number]|null} */
export function boxOf(places) {
  if (!places.length) return null;
  const [xs, ys] = [places.map(({x}) => x), places.map(({y}) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** The longer side of the box around places, in pixels; 0 without any. @param {Place[]} places */
export function extentOf(places) {
  const [left, top, right, bottom] = boxOf(places) ?? [0, 0, 0, 0];
  return Math.max(right - left, bottom - top);
}

/** @param {Place[]} places  one at least */
export const middleOf = (places) => ({x: places.reduce((sum, {x}) => sum + x, 0) / places.length,
  y: places.reduce((sum, {y}) => sum + y, 0) / places.length});

/**
 * Suggested specimens with a key each: that of the labelled specimen, or else that of the suggestion before at the same
 * place, so that what is worked on stays the same when the model has learnt more; or a fresh one.
 * @param {string} id  of the picture
 * @param {SuggestedSpecimen[]} found
 * @param {Guess[]} before
 * @returns {Guess[]}
 */
export function keyed(id, found, before) {
  const taken = new Set(found.flatMap(({key}) => key === null ? [] : [key]));
  const old = before.map((guess) => ({guess, at: middleOf(placesOf(guess.points))}));
  return found.filter(({points}) => Object.keys(points).length).map(({key, likely, points}) => {
    const places = placesOf(points);
    const [at, reach] = [middleOf(places), Math.max(1, SAME * extentOf(places))];
    const same = key === null
      && old.find(({guess, at: there}) => !taken.has(guess.key) && Math.hypot(there.x - at.x, there.y - at.y) <= reach);
    const known = key ?? (same ? same.guess.key : freshKey(id));
    taken.add(known);
    return {key: known, likely, points};
  });
}

/** Points moved a little, to begin a copy with: accepted ones, as nobody has placed them there. They stay in the
 *  picture. @param {PictureLabels['points']} points @param {{width: number, height: number}} picture
 *  @returns {Points} */
export function besides(points, {width, height}) {
  const places = placesOf(points);
  const box = boxOf(places);
  if (!box) return {};
  const step = Math.max(4, SAME * extentOf(places));
  const [left, top, right, bottom] = box;
  const dx = right + step <= width - 0.5 ? step : -Math.min(step, left + 0.5);
  const dy = bottom + step <= height - 0.5 ? step : -Math.min(step, top + 0.5);
  /** @type {Points} */
  const moved = {};
  for (const [name, point] of Object.entries(points)) {
    moved[name] = point.state === 'absent'
      ? point
      : {state: point.state, x: rounded(point.x + dx), y: rounded(point.y + dy), accepted: true};
  }
  return moved;
}

/** @param {number} value */
const rounded = (value) => Math.round(value * 1000) / 1000;

// --- which one is worked on ------------------------------------------------------------------------------------------

/** The specimens of the picture at work. */
export class Specimens {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** the picture at work @type {string|null} */
    this.id = null;
    /** key of the one that is worked on @type {string|null} */
    this.current = null;
    /** suggested ones, also of those that are labelled @type {Guess[]} */
    this.guesses = [];
    /** suggested ones that the person has said are none, by key @type {Set<string>} */
    this.dismissed = new Set();
    /** the blank one that the person asked for @type {string|null} */
    this.asked = null;
    /** the place of the current one in the list, for what comes after it when it is gone */
    this.at = 0;
  }

  /** Whether pictures show several. */
  get several() {
    return this.app.landmarks().several;
  }

  /** Another picture, or none. @param {string|null} id */
  begin(id) {
    this.id = id;
    this.current = null;
    this.guesses = [];
    this.dismissed.clear();
    this.asked = null;
    this.at = 0;
    const {chosen} = this.app;
    if (id && chosen && pictureOf(chosen) === id) {
      this.app.chosen = null;
      if (this.isThere(chosen)) this.current = chosen;
    }
  }

  /** @param {SuggestedSpecimen[]} found */
  suggest(found) {
    if (this.id) this.guesses = keyed(this.id, found, this.guesses);
  }

  get complete() {
    return Boolean(this.id && this.app.labels(this.id)?.complete);
  }

  /** Labelled ones. @returns {PictureLabels[]} */
  get labelled() {
    return this.id ? this.app.outbox.specimens(this.id) : [];
  }

  /** Suggested ones that are new; none where the person said that all are labelled. @returns {Guess[]} */
  get suggested() {
    if (this.complete) return [];
    return this.guesses.filter(({key}) => !this.dismissed.has(key) && !this.isThere(key));
  }

  /** Whether one is labelled. @param {string} key */
  isThere(key) {
    const labels = this.app.labels(key);
    return Boolean(labels && !labels.gone);
  }

  /** All of them, in the list's order: the labelled ones, one that is to be begun, the suggested ones.
   *  @returns {Specimen[]} */
  get list() {
    const guesses = new Map(this.guesses.map((guess) => [guess.key, guess]));
    /** @type {Specimen[]} */
    const list = this.labelled.map((labels) => ({key: labels.id, labels, guess: guesses.get(labels.id) ?? null}));
    const suggested = this.suggested.map((guess) => ({key: guess.key, labels: null, guess}));
    const {current} = this;
    if (current && ![...list, ...suggested].some(({key}) => key === current)) {
      list.push({key: current, labels: null, guess: null});
    }
    return [...list, ...suggested];
  }

  /** The suggestions for a specimen's landmarks. @param {string|null} key @returns {Record<string, Suggestion>} */
  guessOf(key) {
    return this.guesses.find((guess) => guess.key === key)?.points ?? {};
  }

  /** Whether the current one is still to be begun: neither labelled nor suggested. */
  get isBlank() {
    const {current} = this;
    return current !== null && !this.isThere(current) && !this.suggested.some(({key}) => key === current);
  }

  /** Whether something of a specimen is still to be labelled. @param {Specimen} specimen */
  isOpen({labels, guess}) {
    if (!labels) return Boolean(guess);
    return this.app.landmarks().landmarks.some(({name}) => !labels.points[name]);
  }

  /** The current one is one that there is. Where it is gone, the one that stands at its place is it now; at first, and
   *  in place of a blank one that nobody asked for, the first of which something is open; where there is none, a blank
   *  one. @returns whether it is another one now */
  settle() {
    const before = this.current;
    if (!this.id || !this.several) this.current = null;
    else if (!before || (this.isBlank && before !== this.asked)) {
      const list = this.list.filter(({key}) => key !== before);
      const gone = before && (this.dismissed.has(before) || this.app.labels(before)?.gone);
      const next = gone
        ? list[Math.min(this.at, list.length - 1)]
        : list.find((each) => this.isOpen(each)) ?? list[0];
      this.current = next?.key ?? (gone || !before ? freshKey(this.id) : before);
    }
    this.note();
    return this.current !== before;
  }

  /** @param {string} key */
  select(key) {
    this.current = key;
    if (key !== this.asked) this.asked = null;
    this.note();
  }

  /** The person begins a specimen. @param {string} key  a fresh one */
  ask(key) {
    this.asked = key;
    this.select(key);
  }

  /** The person says of a suggested one that it is none, or goes away from a blank one. @param {string} key */
  dismiss(key) {
    this.dismissed.add(key);
    this.asked = null;
  }

  note() {
    this.at = Math.max(0, this.list.findIndex(({key}) => key === this.current));
  }

  /** The key of the specimen that comes `by` after the current one. @param {number} by */
  neighbour(by) {
    const {list} = this;
    if (!list.length) return null;
    return list[(this.at + by + list.length) % list.length].key;
  }

  /** The next one, after the current, of which something is to be labelled or accepted; null if there is none.
   *  @returns {string|null} */
  get nextOpen() {
    const {list, at} = this;
    return [...list.slice(at + 1), ...list.slice(0, at)].find((each) => this.isOpen(each))?.key ?? null;
  }
}
