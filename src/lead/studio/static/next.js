/** Which picture comes next in the label view: chosen by the page or in the list's order, and read ahead of time. */

import {count, h} from './dom.js';
import {prefetch} from './images.js';
import {lasting, passing} from './kept.js';

/**
 * @import {Choice, PictureDetail, Suggestions} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Rail} from './rail.js'
 */

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
    /** by picture, for their sizes: what was or will soon be shown @type {Map<string, PictureDetail>} */
    this.details = new Map();
    /** of the picture that probably comes next @type {Suggestions|null} */
    this.ahead = null;
    this.leaving = false;
    this.mode = h('select.small', {testid: 'next-mode', 'aria-label': 'Which picture comes next',
      onchange: () => this.setMode(this.mode.value)}, h('option', {value: 'useful'}, 'the most useful'),
      h('option', {value: 'order'}, 'in the list’s order'));
    this.mode.value = lasting.text('lead.next') ?? 'useful';
  }

  // --- reading -------------------------------------------------------------------------------------------------------

  /** Reads a picture's labels and size, and keeps the size. @param {string} id */
  async load(id) {
    const detail = await this.app.load(id);
    this.details.delete(id);
    this.details.set(id, detail);
    if (this.details.size > 200) this.details.delete([...this.details.keys()][0]);
    return detail;
  }

  /** @param {string} id */
  fetchSuggestions(id) {
    return this.app.api.get(`/pictures/${id}/suggestions`);
  }

  /** Suggestions that were read ahead of time, if they are still the model's. @param {string} id */
  suggestionsAhead(id) {
    const {ahead} = this;
    return ahead?.id === id && ahead.model === this.app.state.model.model ? ahead : null;
  }

  /** Loads what the next picture will need, so that it opens at once. @param {string|null} id */
  async lookAhead(id) {
    if (!id || this.app.api.connection === 'lost') return;
    await new Promise((resolve) => setTimeout(resolve, 250));
    if (this.at.shown() !== id) return;
    const next = this.mode.value === 'order' ? this.rail.neighbour(id, 1) : await this.choose(id);
    if (!next || this.at.shown() !== id) return;
    prefetch(this.app.api, next);
    this.load(next).catch(() => {});
    this.fetchSuggestions(next).then((found) => {
      this.ahead = found;
    }, () => {});
  }

  // --- choosing ------------------------------------------------------------------------------------------------------

  /** Asks the page which picture to label next. @returns {Promise<string|null>} its id; null if all are labelled
   *  @param {string|null} after */
  async choose(after) {
    try {
      const choice = await this.app.api.get('/next', {after,
        skip: this.skipped.size ? [...this.skipped].slice(-200) : null});
      if (choice.id) this.keepReason(choice.id, choice);
      return choice.id;
    } catch {
      return this.rail.neighbour(after, 1); // without the server, in order
    }
  }

  /** @param {string} id @param {Choice} choice */
  keepReason(id, choice) {
    this.reasons.delete(id);
    this.reasons.set(id, choice);
    passing.keep('lead.reasons', Object.fromEntries([...this.reasons].slice(-50)));
  }

  /** @param {string} value */
  setMode(value) {
    lasting.keep('lead.next', value);
    this.lookAhead(this.at.shown());
  }

  // --- going ---------------------------------------------------------------------------------------------------------

  /** @param {number} by */
  step(by) {
    const id = this.rail.neighbour(this.at.asked(), by);
    if (id) this.app.go('label', id);
    else this.app.toast(by > 0 ? 'This is the last picture in the list.' : 'This is the first picture in the list.');
  }

  async goSuggested() {
    if (this.leaving) return;
    this.leaving = true;
    const {app} = this;
    const id = this.at.asked();
    try {
      if (id && !app.picture(id)?.complete) this.skipped.add(id);
      await app.outbox.flushed(); // what to label next depends on what is labelled
      const next = await this.choose(id);
      if (next && next !== id) {
        this.skipped.delete(next);
        app.go('label', next);
      } else this.allDone();
    } finally {
      this.leaving = false;
    }
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
