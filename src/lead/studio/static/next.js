/** Which picture comes next in the label view: chosen by the page or in the list's order, and read ahead of time. */

import {count, h, throttle} from './dom.js';
import {prefetch} from './images.js';
import {lasting, passing} from './kept.js';
import {pictureOf} from './specimens.js';

/**
 * @import {Choice, PictureDetail, Suggestions} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Rail} from './rail.js'
 */

const PASSING_MS = 150; // a picture that is shown for less is only leafed over: nothing is read ahead for it
const SKIPPED_SENT = 150;
const DETAILS_KEPT = 200;
const AHEAD_KEPT = 8;
const REASONS_KEPT = 50;

export class Next {
  /**
   * @param {App} app
   * @param {Rail} rail
   * @param {object} at  where the view is
   * @param {() => string|null} at.shown  id of the picture that is shown
   * @param {() => string|null} at.asked  the same, or of the one that was asked for and is not shown yet
   */
  constructor(app, rail, at) {
    this.app = app;
    this.rail = rail;
    this.at = at;
    /** by picture, why the page suggested it @type {Map<string, Choice>} */
    this.reasons = new Map(Object.entries(passing.value('lead.reasons', {})));
    /** @type {Set<string>} */
    this.skipped = new Set();
    /** what was chosen to come after the picture on show, best first, and is ready to be shown @type {Choice[]} */
    this.plan = [];
    /** by picture, for their sizes: what was or will soon be shown @type {Map<string, PictureDetail>} */
    this.details = new Map();
    /** of pictures that probably come next @type {Map<string, Suggestions>} */
    this.ahead = new Map();
    this.leaving = false;
    this.mode = h('select.small', {testid: 'next-mode', 'aria-label': 'Which picture comes next',
      onchange: () => this.setMode(this.mode.value)}, h('option', {value: 'useful'}, 'the most useful'),
      h('option', {value: 'order'}, 'in the list’s order'));
    this.mode.value = lasting.text('lead.next') ?? 'useful';
    let fit = app.state.model.model;
    const anew = throttle(() => this.readAnew(), 500);
    app.on('model', ({model}) => {
      if (model !== fit) anew();
      fit = model;
    });
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /** Reads a picture's labels and size, and keeps the size. @param {string} id */
  async load(id) {
    const detail = await this.app.load(id);
    keepLast(this.details, id, detail, DETAILS_KEPT);
    return detail;
  }

  /** @param {string} id */
  fetchSuggestions(id) {
    return this.app.api.get(`/pictures/${id}/suggestions`);
  }

  /** Suggestions that were read ahead of time. They may be those of an earlier fit: better these than none until the
   *  newest come. @param {string} id */
  suggestionsAhead(id) {
    return this.ahead.get(id) ?? null;
  }

  /** Chooses what comes after a picture, and reads it, so that it opens at once. The choice is made without that
   *  picture: nothing has to wait until it is labelled. @param {string|null} id  of the picture on show */
  async lookAhead(id) {
    if (!id || this.app.api.connection === 'lost') return;
    await new Promise((resolve) => setTimeout(resolve, PASSING_MS));
    if (this.at.shown() !== id) return;
    const plan = this.mode.value === 'order' ? [] : await this.choose(id);
    if (this.at.shown() !== id) return;
    this.plan = plan;
    const order = this.rail.neighbour(id, 1);
    for (const choice of plan) if (choice.id) this.prepare(choice.id);
    if (order) this.prepare(order, !plan.length);
  }

  /** @param {string} id @param {boolean} [sharp]  whether it is so likely that its large image is worth loading */
  prepare(id, sharp = true) {
    prefetch(this.app.api, id, sharp);
    if (!this.details.has(id) || !this.app.labels(id)) this.load(id).catch(() => {});
    this.readSuggestions(id);
  }

  /** @param {string} id */
  readSuggestions(id) {
    this.fetchSuggestions(id).then((found) => keepLast(this.ahead, id, found, AHEAD_KEPT), () => {});
  }

  /** There is another fit. What was chosen stands, for it is ready to be shown; the next choice knows better. */
  readAnew() {
    if (!this.plan.length || this.plan[0].kind === 'order') this.lookAhead(this.at.shown());
    else for (const {id} of this.plan) if (id) this.readSuggestions(id);
  }

  // --- choosing ------------------------------------------------------------------------------------------------------

  /** Asks the page which pictures to label next: the best, and the runner-up; none if all are labelled.
   *  @param {string|null} after @returns {Promise<Choice[]>} */
  async choose(after) {
    const dirty = [...this.app.outbox.entries].filter(([, entry]) => entry.dirty);
    const unsaved = [...new Set(dirty.map(([key]) => pictureOf(key)))];
    const skip = [...[...this.skipped].slice(-SKIPPED_SENT), ...unsaved.slice(-SKIPPED_SENT)];
    try {
      const choice = await this.app.api.get('/next', {after, skip: skip.length ? skip : null});
      if (!choice.id) return [];
      const {runner_up: second} = choice;
      return second ? [choice, {...choice, id: second, reason: 'It came second when the page chose.'}] : [choice];
    } catch { // without the server, in order
      const id = this.rail.neighbour(after, 1);
      return id ? [{id, kind: 'none', reason: '', runner_up: null}] : [];
    }
  }

  /** Whether a choice made before still stands. @param {Choice} choice */
  stands({id, kind}) {
    const picture = id && this.app.picture(id);
    if (!picture || picture.unreadable || picture.complete) return false;
    if (this.skipped.has(picture.id) || picture.tags.includes('skip')) return false;
    return kind === 'order' || kind === 'none' || !picture.labelled;
  }

  /** @param {Choice} choice */
  keepReason(choice) {
    if (!choice.id || choice.kind === 'none') return;
    keepLast(this.reasons, choice.id, choice, REASONS_KEPT);
    passing.keep('lead.reasons', Object.fromEntries(this.reasons));
  }

  /** @param {string} value */
  setMode(value) {
    lasting.keep('lead.next', value);
    this.lookAhead(this.at.shown());
  }

  // --- going ---------------------------------------------------------------------------------------------------------

  /** Whether another picture was asked for, and the one before is still shown. */
  get busy() {
    const shown = this.at.shown();
    return this.leaving || (shown !== null && shown !== this.at.asked());
  }

  /** @param {number} by */
  step(by) {
    const id = this.rail.neighbour(this.at.asked(), by);
    if (id) this.app.go('label', id);
    else this.app.toast(by > 0 ? 'This is the last picture in the list.' : 'This is the first picture in the list.');
  }

  /** Goes to what was chosen ahead of time; neither the labels' way to the server nor a new choice is waited for. */
  async goSuggested() {
    if (this.leaving) return;
    const id = this.at.asked();
    if (id && !this.app.picture(id)?.complete) this.skipped.add(id);
    const ready = this.plan.find((choice) => choice.id !== id && this.stands(choice));
    if (ready) {
      this.plan = this.plan.filter((choice) => choice !== ready);
      this.goTo(ready);
      return;
    }
    this.leaving = true;
    try {
      const [choice] = await this.choose(id);
      if (choice && choice.id !== id) this.goTo(choice);
      else this.allDone();
    } finally {
      this.leaving = false;
    }
  }

  /** @param {Choice} choice */
  goTo(choice) {
    if (!choice.id) return;
    this.keepReason(choice);
    this.skipped.delete(choice.id);
    this.app.go('label', choice.id);
  }

  allDone() {
    const {app} = this;
    const left = app.pictures.filter((p) => !p.complete && !p.unreadable).length;
    if (left) {
      this.skipped.clear();
      app.toast(
        `Nothing more to suggest; ${count(left, 'picture')} in the list ${left === 1 ? 'is' : 'are'} not complete.`,
      );
    } else app.toast('Every picture is labelled.', 'good', {label: 'Review them', run: () => app.go('review')});
  }

  goOn() {
    if (this.mode.value === 'order') this.step(1);
    else this.goSuggested();
  }
}

/** Puts a value at a map's end; the oldest go where there are more than `most`.
 *  @template T @param {Map<string, T>} map @param {string} key @param {T} value @param {number} most */
function keepLast(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete([...map.keys()][0]);
}
