/** The specimens beside the picture, where pictures show several: which there are, and what can be done with them. */

import {count, h, icon, iconButton, markCurrent, percent, renew, text} from './dom.js';
import {keyCap, keyed} from './keys.js';
import {besides, freshKey} from './specimens.js';
import {takeBack} from './travel.js';

/**
 * @import {App} from './app.js'
 * @import {Action} from './keys.js'
 * @import {Labelling} from './labelling.js'
 * @import {Points} from './outbox.js'
 * @import {Guess, Specimen} from './specimens.js'
 * @typedef {{item: HTMLElement, button: HTMLButtonElement, number: HTMLElement, name: HTMLElement, state: HTMLElement}}
 *   Row
 */

const LONGEST_NAME = 500; // as the server has it

/** What stands beside a specimen: its number with its name, or how likely it is one. @param {Specimen} specimen
 *  @param {number} number */
export function markOf({labels, guess}, number) {
  if (labels) return labels.track ? `${number} ${labels.track}` : String(number);
  return guess && guess.likely !== null ? percent(guess.likely) : '?';
}

export class SpecimenList {
  /**
   * @param {App} app
   * @param {Labelling} work
   * @param {() => void} toPicture  gives the keys to the picture
   */
  constructor(app, work, toPicture) {
    this.app = app;
    this.work = work;
    this.specimens = work.specimens;
    this.toPicture = toPicture;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** the specimen whose name the field holds @type {string|null} */
    this.filled = null;
    this.count = h('span.muted.number', {testid: 'specimen-count'});
    this.list = h('ol.landmarks.specimens', {testid: 'specimens', 'aria-label': 'Specimens',
      onkeydown: (event) => this.listKey(event)});
    // What comes to stand below it takes room from the list.
    new ResizeObserver(() => {
      this.rows.get(this.specimens.current ?? '')?.item.scrollIntoView({block: 'nearest'});
    }).observe(this.list);
    this.name = h('input', {type: 'text', testid: 'specimen-name', maxLength: LONGEST_NAME, autocomplete: 'off',
      placeholder: 'Name of the individual', 'aria-label': 'Name of the current specimen’s individual',
      onchange: () => this.rename(), onkeydown: (event) => {
        if (event.key === 'Escape') this.filled = null;
        if ((event.key !== 'Enter' && event.key !== 'Escape') || event.isComposing) return;
        event.stopPropagation();
        this.draw();
        this.toPicture();
      }});
    this.addButton = this.icon('addSpecimen', 'plus', 'New specimen', () => this.add());
    this.copyButton = this.icon('duplicate', 'copy', 'A copy of this specimen', () => this.duplicate());
    this.removeButton = this.icon('clearAll', 'trash', 'Take this specimen out', () => this.remove());
    this.acceptButton = keyed(h('button.small', {testid: 'accept-specimens', onclick: () => this.acceptAll()}),
      'acceptSpecimens', 'Take all suggested specimens as labels');
    this.completeButton = keyed(
      h('button.small', {testid: 'all-labelled', onclick: () => this.toggleComplete()}, icon('accept', 14),
        h('span.ellipsis', 'All are labelled'), keyCap('allLabelled')),
      'allLabelled',
      'All specimens of this picture are labelled: the rest of it is background',
    );
    this.element = h('section.specimen-part', {'aria-label': 'Specimens', hidden: true},
      h('div.side-head', h('h2', 'Specimens'), this.count, this.addButton), this.list,
      h('div.row.specimen-name', this.name, this.copyButton, this.removeButton),
      h('div.row.specimen-actions', this.acceptButton, this.completeButton));
  }

  /** @param {Action} action @param {Parameters<typeof icon>[0]} sign @param {string} label @param {() => void} run */
  icon(action, sign, label, run) {
    return keyed(iconButton(sign, label, {testid: `specimen-${action}`, onclick: run}), action, label);
  }

  get file() {
    return this.work.detail?.file ?? '';
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  /** Begins one: it is there once it has a point. */
  add() {
    const {work, specimens} = this;
    if (!work.id || !specimens.several || !work.names.length) return;
    specimens.ask(specimens.isBlank && specimens.current ? specimens.current : freshKey(work.id));
    work.turnTo();
    work.on.changed();
  }

  /** A copy of the current one, a little beside it. */
  duplicate() {
    const {app, work, specimens} = this;
    const {id, key, detail} = work;
    if (!id || !key || !detail || !specimens.isThere(key)) return;
    const copy = freshKey(id);
    app.change(copy, besides(work.labels, detail), {what: 'copying a specimen', gone: false});
    work.choose(copy);
  }

  /** Takes the current one out; a suggested one is none, and a blank one is not begun. */
  remove() {
    const {app, work, specimens} = this;
    const {key, labels} = work;
    if (!key || !specimens.several) return;
    if (specimens.isThere(key)) {
      const number = specimens.at + 1;
      const points = Object.fromEntries(Object.keys(labels).map((name) => [name, null]));
      const change = app.change(key, points, {what: 'taking out a specimen', gone: true});
      if (change) {
        app.toast(`Specimen ${number} of ${this.file} taken out`, 'info', {label: 'Undo', run: () =>
          takeBack(app, change)});
      }
    } else specimens.dismiss(key);
    work.settleCurrent();
    work.on.changed();
  }

  /** All suggested ones become labels, in one step. */
  acceptAll() {
    const {app, work, specimens} = this;
    if (!work.id || !app.labels(work.id)) return;
    const {suggested} = specimens;
    const changes = suggested.map((guess) => ({id: guess.key, points: this.pointsOf(guess), marks: {gone: false}}));
    const what = count(changes.length, 'specimen');
    const change = app.changeAll(changes, `accepting ${what}`);
    if (!change) return;
    app.toast(`${what} accepted on ${this.file}`, 'info', {label: 'Undo', run: () => takeBack(app, change)});
    work.settleCurrent();
    work.on.changed();
  }

  /** @param {Guess} guess @returns {Points} */
  pointsOf({points}) {
    const names = this.work.names.filter((name) => points[name]);
    return Object.fromEntries(
      names.map((
        name,
      ) => [name, {state: 'visible', accepted: true, x: Math.round(points[name].x * 1000) / 1000,
        y: Math.round(points[name].y * 1000) / 1000}]
      ),
    );
  }

  /** The person says that all specimens of the picture are labelled, or takes that back. */
  toggleComplete() {
    const {app, work: {id}, specimens: {complete, several}} = this;
    if (!id || !several || !app.labels(id)) return;
    app.change(id, {}, {what: 'whether all specimens are labelled', complete: !complete});
  }

  rename() {
    const {work: {key}, specimens} = this;
    const track = this.name.value.trim();
    if (!key || key !== this.filled || !specimens.isThere(key) || track === this.app.labels(key)?.track) return;
    if (track && specimens.labelled.some((labels) => labels.track === track)) {
      this.app.toast(`Another specimen of ${this.file} is called ${track}. Two individuals need two names.`, 'bad');
      this.filled = null;
      this.draw();
    } else this.app.change(key, {}, {what: 'the name of a specimen', track});
  }

  // --- keys: the list is one stop of Tab, and the arrow keys choose in it --------------------------------------------

  /** @param {KeyboardEvent} event */
  listKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const {list, at} = this.specimens;
    const last = list.length - 1;
    /** @type {Record<string, number>} */
    const places = {ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last};
    if (!(event.key in places) || last < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const {key} = list[places[event.key]];
    this.work.choose(key);
    this.rows.get(key)?.button.focus();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    const {specimens, work} = this;
    this.element.hidden = !specimens.several || !work.id || !work.names.length;
    if (this.element.hidden) return;
    const {list, current} = specimens;
    const all = work.names.length;
    for (const key of this.rows.keys()) if (!list.some((each) => each.key === key)) this.rows.delete(key);
    const rows = list.map((specimen, i) => this.update(specimen, i, all, specimen.key === current));
    if (rows.length !== this.list.children.length || rows.some(({item}, i) => this.list.children[i] !== item)) {
      const focus = this.list.contains(document.activeElement);
      this.list.replaceChildren(...rows.map(({item}) => item));
      if (focus && current) this.rows.get(current)?.button.focus();
    }
    const row = current ? this.rows.get(current) : null;
    if (row && !row.button.hasAttribute('aria-current')) row.item.scrollIntoView({block: 'nearest'});
    for (const [key, {button}] of this.rows) {
      markCurrent(button, key === current);
      button.tabIndex = key === current ? 0 : -1;
    }
    this.drawActions(list);
  }

  /** @param {Specimen} specimen @param {number} i  in the list @param {number} all  landmarks @param {boolean} current
   *  @returns {Row} */
  update(specimen, i, all, current) {
    const {key, labels, guess} = specimen;
    let row = this.rows.get(key);
    if (!row) this.rows.set(key, row = this.makeRow(key));
    const points = Object.values(labels?.points ?? {});
    const unchecked = points.some((point) => point.accepted);
    const kind = labels ? (points.length < all ? 'begun' : unchecked ? 'accepted' : 'visible') : guess
      ? 'suggested'
      : 'unlabelled';
    row.button.dataset.state = kind;
    text(row.number, labels || !guess ? String(i + 1) : '');
    text(row.name, labels?.track || (labels ? `Specimen ${i + 1}` : guess ? 'Suggested' : 'New specimen'));
    row.name.classList.toggle('muted', !labels?.track);
    const [words, unseen] = labels
      ? [`${points.length} of ${all}`, `labelled${unchecked ? ', some not checked' : ''}`]
      : guess
      ? [guess.likely === null ? '' : percent(guess.likely), 'likely a specimen']
      : ['', current ? 'to be begun' : ''];
    renew(row.state, `${kind}|${words}|${unseen}`,
      () => [kind === 'visible' ? icon('accept', 14) : null, words,
        unseen ? h('span.visually-hidden', ` (${unseen})`) : null]);
    return row;
  }

  /** @param {string} key @returns {Row} */
  makeRow(key) {
    const [number, name, state] = [h('span.landmark-key'), h('span.ellipsis.landmark-name'),
      h('span.landmark-state.number')];
    const button = h('button.landmark', {testid: 'specimen', dataset: {key}, tabindex: -1, onclick: () => {
      this.work.choose(key);
      this.toPicture();
    }}, number, name, state);
    return {item: h('li', button), button, number, name, state};
  }

  /** @param {Specimen[]} list */
  drawActions(list) {
    const {specimens, work: {key}} = this;
    const labelled = list.filter(({labels}) => labels).length;
    const suggested = list.filter(({labels, guess}) => !labels && guess).length;
    text(this.count, [String(labelled), suggested ? `${suggested} suggested` : ''].filter(Boolean).join(', '));
    const there = Boolean(key && specimens.isThere(key));
    this.name.disabled = this.copyButton.disabled = !there;
    this.removeButton.disabled = list.length < 2 && !there;
    const track = (key && this.app.labels(key)?.track) || '';
    // What is being typed is left alone, but only of its own specimen.
    if (document.activeElement !== this.name || this.filled !== key) this.name.value = track;
    this.filled = key;
    this.acceptButton.hidden = !suggested;
    renew(this.acceptButton, String(suggested),
      () => [icon('acceptAll', 14), h('span.ellipsis', `Accept all ${suggested}`), keyCap('acceptSpecimens')]);
    this.completeButton.setAttribute('aria-pressed', String(specimens.complete));
    this.completeButton.disabled = !labelled && !specimens.complete && suggested > 0;
  }
}
