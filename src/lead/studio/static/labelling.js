/** The labels of the picture at work, or of one specimen on it: which landmark is the current one, and what clicks and
 *  keys make of it. */

import {curveOf, ownOf} from './curves.js';
import {count} from './dom.js';
import {doubtful} from './doubt.js';
import {clamp} from './geometry.js';
import {extentOf, middleOf, placesOf, Specimens} from './specimens.js';

/**
 * @import {PictureDetail, Point, Suggestions} from 'types/messages'
 * @import {App} from './app.js'
 * @import {MarksChange, Points} from './outbox.js'
 * @typedef {{kind: 'accept'|'look'|'single'|'place'|'specimen'|'next', names: string[], doubts: string[]}} Plan  what
 *   Enter does: accepts `names`, shows the first of `names` from near, accepts it, points at what nobody can suggest,
 *   goes to another specimen of which something is open, or to another picture; `doubts` are those left that are too
 *   uncertain to be accepted unseen
 */

const WINDOW = 1.8; // of its extent: through so large a window the model looks at a specimen

/** @param {number} value */
const thousandth = (value) => Math.round(value * 1000) / 1000;

/** @param {string} id @returns {Suggestions} */
export const nothing = (id) => ({id, method: null, model: 0, points: {}, waiting_for: null, guides: [], turned: false,
  up: null, specimens: []});

export class Labelling {
  /**
   * @param {App} app
   * @param {object} on  what it calls back
   * @param {() => void} on.changed  what is shown is to be drawn anew
   * @param {(x: number, y: number) => void} on.reveal  this place of the picture is to be in sight
   * @param {(x: number, y: number, reach: number) => void} on.near  it is to be seen from near, with `reach` pixels
   *   of the picture around it
   */
  constructor(app, on) {
    this.app = app;
    this.on = on;
    /** the picture at work @type {PictureDetail|null} */
    this.detail = null;
    this.specimens = new Specimens(app);
    /** suggestions for the picture @type {Suggestions} */
    this.found = nothing('');
    /** those for the specimen at work
     *  @type {{key: string|null, found: Suggestions, guesses: unknown, own: Suggestions}|null} */
    this.ofOne = null;
    /** @type {string|null} */
    this.current = null;
    /** whether the current landmark was chosen (list, keys) and not by pressing on its point: then a click sets it
     *  anew */
    this.armed = false;
    /** whether it is simply the next one without a label */
    this.inOrder = true;
    this.hiddenNext = false;
    /** the landmark that waited for its place while the drag of another came between: it waits on
     *  @type {{name: string, inOrder: boolean, armed: boolean}|null} */
    this.interrupted = null;
    /** a point just pressed into the picture and not let go of yet
     *  @type {{name: string, x: number, y: number, state: 'visible'|'hidden'}|null} */
    this.placing = null;
    /** very uncertain suggestions that were looked at, and where they stood then @type {Map<string, string>} */
    this.looked = new Map();
  }

  /** Another picture, or none. @param {PictureDetail|null} detail @param {Suggestions} suggestions */
  begin(detail, suggestions) {
    this.detail = detail;
    this.specimens.begin(detail?.id ?? null);
    this.suggestions = suggestions;
    this.placing = null;
    this.looked.clear();
    this.specimens.settle();
    this.setCurrent(detail ? this.firstUnlabelled() : null, true);
  }

  /** For the specimen at work, where pictures show several. @returns {Suggestions} */
  get suggestions() {
    const {found, specimens: {several, current: key, guesses}, ofOne} = this;
    if (!several) return found;
    if (ofOne?.key === key && ofOne.found === found && ofOne.guesses === guesses) return ofOne.own;
    const own = {...found, points: this.specimens.guessOf(key)};
    this.ofOne = {key, found, guesses, own};
    return own;
  }
  set suggestions(found) {
    this.found = {...nothing(found.id), ...found};
    this.specimens.suggest(this.found.specimens);
  }

  get id() {
    return this.detail?.id ?? null;
  }
  /** What the labels at work go by: the picture, or the specimen. */
  get key() {
    return this.specimens.several ? this.specimens.current : this.id;
  }
  /** The longer one of the picture, in pixels. */
  get side() {
    return this.detail ? Math.max(this.detail.width, this.detail.height) : 1;
  }
  /** That of what the model looks at: the picture, or a window around the specimen. */
  get reach() {
    const {specimens: {several}, suggestions, side} = this;
    return several ? Math.min(side, WINDOW * extentOf(placesOf({...suggestions.points, ...this.labels}))) : side;
  }
  get labels() {
    return (this.key && this.app.labels(this.key)?.points) || {};
  }
  get names() {
    return this.app.landmarks().landmarks.map((l) => l.name);
  }

  // --- the current landmark ------------------------------------------------------------------------------------------

  firstUnlabelled(after = -1) {
    const {names, labels} = this;
    return [...names.slice(after + 1), ...names.slice(0, after + 1)].find((name) => !labels[name]) ?? null;
  }

  /** The current landmark is one that there is and, unless chosen, one without a label. */
  settleCurrent() {
    if (this.specimens.settle()) {
      this.turnTo();
      return;
    }
    const at = this.current ? this.names.indexOf(this.current) : -1;
    if (at < 0 || (this.inOrder && this.labels[this.names[at]])) this.setCurrent(this.firstUnlabelled(at), true);
  }

  /** @param {string|null} name @param {boolean} inOrder */
  setCurrent(name, inOrder, armed = false) {
    this.current = name;
    this.inOrder = inOrder;
    this.armed = armed;
    this.hiddenNext = false;
    this.interrupted = null;
  }

  /** Makes a landmark the current one. @param {string} name */
  select(name, armed = true) {
    this.setCurrent(name, false, armed);
    this.on.changed();
    const point = this.pointOf(name);
    if (armed && point) this.on.reveal(point.x, point.y);
  }

  /** On from a landmark to the next one without a label. @param {string} name */
  advance(name) {
    this.setCurrent(this.firstUnlabelled(this.names.indexOf(name)), true);
    this.on.changed();
  }

  /** @param {number} by */
  cycle(by) {
    const {names} = this;
    if (!names.length) return;
    const at = this.current ? names.indexOf(this.current) : by > 0 ? -1 : names.length;
    this.select(names[(at + by + names.length) % names.length]);
  }

  /** The next landmark that has no label. */
  nextUnlabelled() {
    const name = this.firstUnlabelled(this.current ? this.names.indexOf(this.current) : -1);
    if (name) this.select(name);
    else this.app.toast('Every landmark has a label.');
  }

  /** The landmarks that are labelled together with one: those that are its curve's alone. @param {string} name */
  together(name) {
    const curve = curveOf(this.app.landmarks(), name);
    return curve ? ownOf(curve) : [name];
  }

  /** What a change of them is called. @param {string} name */
  called(name) {
    const curve = curveOf(this.app.landmarks(), name);
    return curve ? `curve ${curve.name}` : name;
  }

  // --- the current specimen ------------------------------------------------------------------------------------------

  /** Another specimen is the current one, from its first landmark without a label on. */
  turnTo() {
    this.placing = null;
    this.looked.clear();
    this.setCurrent(this.firstUnlabelled(), true);
  }

  /** Makes a specimen the current one. @param {string} key @param {string} [name]  of the landmark */
  choose(key, name) {
    if (key !== this.specimens.current) {
      this.specimens.select(key);
      this.turnTo();
    }
    if (name) this.setCurrent(name, false);
    this.on.changed();
    if (name) return;
    const places = placesOf({...this.suggestions.points, ...this.labels});
    if (!places.length) return;
    const {x, y} = middleOf(places);
    this.on.reveal(x, y);
  }

  /** @param {number} by */
  cycleSpecimens(by) {
    const key = this.specimens.neighbour(by);
    if (key) this.choose(key);
  }

  /** Where a landmark is drawn: its label, or the suggestion in its place. @param {string} name */
  pointOf(name) {
    const label = this.labels[name];
    if (label) return label.state === 'absent' ? null : label;
    return this.suggestions.points[name] ?? null;
  }

  /** The state of a landmark that is moved. @param {string} name */
  stateOf(name) {
    return this.labels[name]?.state === 'hidden' ? 'hidden' : 'visible';
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  /** Returns what it did, to be taken back; null if nothing. @param {Points} points @param {string} what
   *  @param {string} [merge] */
  change(points, what, merge) {
    const {app, id, key} = this;
    if (!id || !key || !app.labels(id)) return null; // they are being read anew
    /** @type {MarksChange} */
    const marks = key === id || this.specimens.isThere(key) ? {} : {gone: false};
    return app.change(key, points, {what, merge, ...marks});
  }

  /** Whether the click that is waited for goes wherever it falls, also upon another specimen: the landmark has no place
   *  yet, or is to be set anew. */
  get placesAnywhere() {
    return this.waits && (this.armed || !this.current || !this.suggestions.points[this.current]);
  }

  /** @param {string} name @param {number} x @param {number} y @param {'visible'|'hidden'} state
   *  @param {string} [merge] */
  put(name, x, y, state, merge) {
    this.change({[name]: {state, x: thousandth(x), y: thousandth(y)}}, name, merge);
  }

  /** Whether the current landmark waits for a click: it has no label, or was chosen to be set anew. */
  get waits() {
    return Boolean(this.current && (!this.labels[this.current] || this.armed));
  }

  /** The landmark that a click places; null if it places none. @param {string|null} under  the point that it falls on:
   *  one that waits is placed there all the same */
  awaits(under) {
    const {current, labels, interrupted} = this;
    if (!this.detail || !this.names.length) return null;
    if (this.waits) return current;
    if (interrupted && (interrupted.armed || !labels[interrupted.name])) return interrupted.name;
    return under === null ? this.firstUnlabelled() : null;
  }

  /** A landmark, one of `awaits`, is being placed. @param {string} name @param {number} x @param {number} y
   *  @param {boolean} hidden */
  pressed(name, x, y, hidden) {
    if (name !== this.current) {
      const {inOrder, armed} = this.interrupted?.name === name ? this.interrupted : {inOrder: true, armed: false};
      this.setCurrent(name, inOrder, armed);
    }
    this.placing = {name, x, y, state: hidden || this.hiddenNext ? 'hidden' : 'visible'};
    this.on.changed();
  }

  /** A point was taken hold of: it is the current one, so that the arrow keys move it on; what waits, waits on.
   *  @param {string} name */
  held(name) {
    const {current, inOrder, armed} = this;
    const interrupted = current && this.waits && current !== name ? {name: current, inOrder, armed} : this.interrupted;
    this.setCurrent(name, false);
    this.interrupted = interrupted;
    this.on.changed();
  }

  /** @param {string} name @param {number} x @param {number} y @param {boolean} moved */
  dropped(name, x, y, moved) {
    const {placing} = this;
    this.placing = null;
    if (placing) {
      this.put(name, x, y, placing.state);
      this.advance(name);
    } else if (moved) {
      this.put(name, x, y, this.stateOf(name));
      this.held(name);
    }
    this.on.changed();
  }

  /** The press or the drag was broken off. */
  cancelled() {
    const {placing, interrupted} = this;
    this.placing = null;
    if (!placing && interrupted) this.setCurrent(interrupted.name, interrupted.inOrder, interrupted.armed);
    this.on.changed();
  }

  /** @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    const {current, detail} = this;
    const point = current && this.pointOf(current);
    if (!point || !detail) return;
    const x = clamp(point.x + dx, -0.5, detail.width - 0.5);
    const y = clamp(point.y + dy, -0.5, detail.height - 0.5);
    this.inOrder = false; // it stays the current one, though it has a label now
    this.put(current, x, y, this.stateOf(current), `nudge ${current}`);
    this.on.reveal(x, y);
  }

  // --- accepting -----------------------------------------------------------------------------------------------------

  /** Names of landmarks with a suggestion and no label. */
  acceptable() {
    return this.names.filter((name) => !this.labels[name] && this.suggestions.points[name]);
  }

  /** Those among them whose suggestion is too uncertain to be accepted unseen. */
  doubts() {
    if (!this.detail) return [];
    const doubts = doubtful(this.suggestions.points, this.reach);
    return this.acceptable().filter((name) => doubts.has(name));
  }

  /** Whether the current landmark is one of those, and was looked at where it is now. @param {string[]} doubts */
  isLookedAt(doubts) {
    const {current} = this;
    return current !== null && doubts.includes(current) && this.looked.get(current) === this.placeOf(current);
  }

  /** @param {string} name  with a suggestion */
  placeOf(name) {
    const {x, y} = this.suggestions.points[name];
    return `${Math.round(x)},${Math.round(y)}`;
  }

  /** What Enter does now. @returns {Plan} */
  plan() {
    const doubts = this.doubts();
    const sure = this.acceptable().filter((name) => !doubts.includes(name));
    if (sure.length) return {kind: 'accept', names: sure, doubts};
    const {current} = this;
    if (current && this.isLookedAt(doubts)) {
      const others = this.together(current).filter((name) => name !== current && doubts.includes(name));
      return {kind: 'single', names: [current, ...others], doubts};
    }
    if (doubts.length) return {kind: 'look', names: doubts, doubts};
    const left = this.detail ? this.names.filter((name) => !this.labels[name]) : [];
    const {several, isBlank, list, nextOpen} = this.specimens;
    if (several && this.detail && (!left.length || (isBlank && list.length > 1))) {
      return {kind: nextOpen ? 'specimen' : 'next', names: [], doubts};
    }
    return {kind: left.length ? 'place' : 'next', names: left, doubts};
  }

  /** Shows a very uncertain suggestion from near; then it can be accepted. @param {string} name */
  look(name) {
    this.setCurrent(name, false, true);
    this.looked.set(name, this.placeOf(name));
    const {x, y, expected_px: reach} = this.suggestions.points[name];
    this.on.near(x, y, reach);
    this.on.changed();
  }

  /** @param {string} name @param {'visible'|'hidden'} [state] @returns {Point} */
  suggestedPoint(name, state = 'visible') {
    const {x, y} = this.suggestions.points[name];
    return {state, x: thousandth(x), y: thousandth(y), accepted: true};
  }

  /** Suggestions become labels, in one change. @param {string[]} names */
  acceptAll(names) {
    return this.change(Object.fromEntries(names.map((name) => [name, this.suggestedPoint(name)])),
      `accepting ${count(names.length, 'point')}`);
  }

  /** The current suggestion becomes a label, and all of its curve. One that is accepted already is the person's own
   *  from then on. */
  accept() {
    const name = this.current;
    if (!name) return;
    const label = this.labels[name];
    if (label?.accepted) this.check(name);
    else if (!label && this.suggestions.points[name]) {
      const doubts = this.doubts();
      const there = this.acceptable();
      const names = this.together(name).filter((each) => there.includes(each));
      const unsure = names.filter((each) => doubts.includes(each));
      if (unsure.length && !this.isLookedAt(doubts)) this.look(unsure.includes(name) ? name : unsure[0]);
      else {
        this.acceptAll(names);
        this.advance(names[names.length - 1]);
      }
    }
  }

  /** The person says of an accepted point, and so of all of its curve, that it is right, and the next of them comes.
   *  @param {string} name */
  check(name) {
    const points = this.together(name).flatMap((each) => {
      const {accepted, ...label} = this.labels[each] ?? {};
      return accepted ? [[each, /** @type {Point} */ (label)]] : [];
    });
    this.change(Object.fromEntries(points), `checking ${this.called(name)}`);
    const {names, labels} = this;
    const at = names.indexOf(name);
    const next = [...names.slice(at + 1), ...names.slice(0, at)].find((each) => labels[each]?.accepted);
    if (next) this.select(next);
    else this.advance(name);
  }

  // --- other states --------------------------------------------------------------------------------------------------

  toggleHidden() {
    const name = this.current;
    if (!name) return;
    this.inOrder = false;
    const label = this.labels[name];
    if (label && label.state !== 'absent') {
      this.change({[name]: {...label, state: label.state === 'hidden' ? 'visible' : 'hidden'}}, name);
    } else if (!label && this.suggestions.points[name]) {
      this.change({[name]: this.suggestedPoint(name, 'hidden')}, name);
    } else {
      this.hiddenNext = !this.hiddenNext;
      this.on.changed();
    }
  }

  toggleAbsent() {
    const name = this.current;
    if (!name) return;
    const {labels} = this;
    const together = this.together(name);
    if (labels[name]?.state === 'absent') {
      const gone = together.filter((each) => labels[each]?.state === 'absent');
      this.change(Object.fromEntries(gone.map((each) => [each, null])), this.called(name));
    } else {
      const names = together.filter((each) => each === name || !labels[each]);
      this.change(Object.fromEntries(names.map((each) => [each, {state: 'absent', x: null, y: null}])),
        this.called(name));
      this.advance(name);
    }
  }

  clear() {
    const name = this.current;
    if (!name || !this.labels[name]) return;
    const names = this.together(name).filter((each) => this.labels[each]);
    this.change(Object.fromEntries(names.map((each) => [each, null])), this.called(name));
    this.select(name);
  }
}
