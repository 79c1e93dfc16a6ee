/** The landmarks beside the picture: each with its state, and what can be done with the current one. */

import {curveOf, ownOf} from './curves.js';
import {count, fill, h, icon, markCurrent, renew, text} from './dom.js';
import {keyed} from './keys.js';
import {errorText} from './parts.js';

/**
 * @import {Curve, LandmarkProgress, Landmarks, Point} from 'types/messages'
 * @import {AllPoints} from './all-points.js'
 * @import {App} from './app.js'
 * @import {Labelling} from './labelling.js'
 * @typedef {{item: HTMLElement, button: HTMLButtonElement, state: HTMLElement, number: string, names: string[],
 *   title: string, curve: boolean}} Row  `names`: of several landmarks, where it is a curve's
 */

const FILTERED_FROM = 10; // landmarks: more have no key of one digit
const JOINED_MS = 1000; // digits typed within this are one number

/** @type {Record<string, 'accept'|'hidden'|'absent'>} */
const ROW_ICONS = {visible: 'accept', hidden: 'hidden', absent: 'absent'};
/** What a row says of its state, and what it says besides to those who do not see the mark.
 *  @type {Record<string, string>} */
const SHOWN = {accepted: 'accepted', hidden: 'hidden', absent: 'absent'};
/** @type {Record<string, string>} */
const UNSEEN = {visible: 'labelled', unlabelled: 'not labelled'};

export class LandmarkList {
  /**
   * @param {App} app
   * @param {Labelling} work
   * @param {AllPoints} allPoints
   * @param {() => void} toPicture  gives the keys to the picture
   */
  constructor(app, work, allPoints, toPicture) {
    this.app = app;
    this.work = work;
    this.toPicture = toPicture;
    /** those that the list shows @type {Landmarks|null} */
    this.listed = null;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Map<string, LandmarkProgress>} */
    this.progress = new Map();
    this.count = h('span.muted.number', {testid: 'landmark-count'});
    this.filter = h('input.landmark-filter', {type: 'search', testid: 'landmark-filter', placeholder: 'Name or number',
      'aria-label': 'Find a landmark by its name or number', hidden: true, oninput: () => this.refilter(),
      onkeydown: (event) => this.filterKey(event)});
    this.list = h('ol.landmarks', {testid: 'landmarks', 'aria-label': 'Landmarks',
      onkeydown: (event) => this.listKey(event)});
    this.about = h('p.small.muted.landmark-about', {testid: 'landmark-about'});
    this.acceptButton = action('accept', () => work.accept());
    this.hiddenButton = action('hidden', () => work.toggleHidden());
    this.absentButton = action('absent', () => work.toggleAbsent());
    this.clearButton = action('clear', () => work.clear());
    this.actions = h('div.point-actions', {role: 'group', 'aria-label': 'The current landmark'}, this.acceptButton,
      this.hiddenButton, this.absentButton, this.clearButton);
    this.elements = [h('div.side-head', h('h2', 'Landmarks'), this.count, allPoints.element), this.filter, this.list,
      this.about, this.actions];
  }

  // --- making --------------------------------------------------------------------------------------------------------

  /** @param {Landmarks} landmarks */
  make(landmarks) {
    this.listed = landmarks;
    this.rows = new Map();
    landmarks.landmarks.forEach(({name, colour}, i) => {
      const curve = curveOf(landmarks, name);
      const names = curve ? ownOf(curve) : [name];
      if (!names.some((each) => this.rows.has(each))) this.rows.set(name, this.makeRow(names, curve, colour, i));
    });
    this.filter.hidden = landmarks.landmarks.length < FILTERED_FROM;
    this.filter.value = '';
    fill(this.list, landmarks.landmarks.length
      ? [...this.rows.values()].map((row) => row.item)
      : h('li.no-landmarks',
        h('p', 'Say first what there is to label: name the landmarks, or take them from a label file.'),
        h('button.primary', {testid: 'name-landmarks', onclick: () => this.app.go('landmarks')},
          'Name the landmarks')));
  }

  /** @param {string[]} names @param {Curve|null} curve  of which they are all @param {string} colour
   *  @param {number} i @returns {Row} */
  makeRow(names, curve, colour, i) {
    const title = curve?.name ?? names[0];
    const state = h('span.landmark-state.number');
    const number = String(i + 1);
    const button = h('button.landmark', {testid: curve ? 'curve' : 'landmark', dataset: {name: title}, tabindex: -1,
      onclick: () => {
        this.choose(names);
        this.toPicture();
      }}, h('span.landmark-key', number), h('span.mark', {class: curve ? 'of-curve' : '', style: {'--colour': colour}}),
      h('span.ellipsis.landmark-name', title), state);
    return {item: h('li', button), button, state, number, names, title, curve: curve !== null};
  }

  /** Of a curve, the first landmark without a label. @param {string[]} names */
  choose(names) {
    this.work.select(names.find((name) => !this.work.labels[name]) ?? names[0]);
  }

  /** The row that a landmark is in, by its key. @param {string|null} name */
  keyOf(name) {
    return [...this.rows].find(([, row]) => name !== null && row.names.includes(name))?.[0];
  }

  // --- keys: the list is one stop of Tab, and the arrow keys choose in it --------------------------------------------

  /** Names in the list as filtered. */
  get shown() {
    return [...this.rows].filter(([, row]) => !row.item.hidden).map(([name]) => name);
  }

  /** @param {KeyboardEvent} event */
  listKey(event) {
    const {shown} = this;
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || !shown.length) return;
    const at = shown.indexOf(this.keyOf(this.work.current) ?? '');
    const last = shown.length - 1;
    const to =
      {ArrowDown: Math.min(at + 1, last), ArrowUp: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last}[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(this.rows.get(shown[to])?.names ?? []);
    this.rows.get(shown[to])?.button.focus();
  }

  /** Enter chooses the first one found, ↓ goes into the list, Escape ends the search. @param {KeyboardEvent} event */
  filterKey(event) {
    const [first] = this.shown;
    if (event.key === 'Enter' && first) {
      this.clearFilter();
      this.work.select(first);
      this.toPicture();
    } else if (event.key === 'ArrowDown' && first) {
      this.work.select(first);
      this.rows.get(first)?.button.focus();
    } else if (event.key === 'Escape') {
      this.clearFilter();
      this.toPicture();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  findOne() {
    if (!this.filter.hidden) this.filter.focus();
  }

  clearFilter() {
    this.filter.value = '';
    this.refilter();
  }

  refilter() {
    const query = this.filter.value.trim().toLowerCase();
    const number = /^\d+$/.test(query);
    for (const row of this.rows.values()) {
      const found = [row.title, ...row.names].some((each) => each.toLowerCase().includes(query));
      row.item.hidden = !(found || (number && row.number.startsWith(query)));
    }
    this.draw();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    const landmarks = this.app.landmarks();
    if (this.listed !== landmarks) this.make(landmarks);
    const {labels, names, current} = this.work;
    const here = this.keyOf(current);
    const stop = this.shown.find((name) => name === here) ?? this.shown[0];
    for (const [name, row] of this.rows) this.update(row, name === stop, name === here);
    const unchecked = names.filter((name) => labels[name]?.accepted).length;
    text(this.count, names.length
      ? `${names.filter((n) => labels[n]).length} of ${names.length}${unchecked ? `, ${unchecked} unchecked` : ''}`
      : '');
    this.count.title = unchecked ? 'Unchecked: accepted from suggestions, and not touched since' : '';
    text(this.about, current ? this.aboutOf(current) : '');
    this.about.hidden = !this.about.textContent;
    this.drawActions();
  }

  /** How far a landmark is in the whole folder. @param {string} name */
  aboutOf(name) {
    const progress = this.progress.get(name);
    const {closely} = this.app.state.model;
    if (!progress) return '';
    const {placed, pictures, accepted, expected_px: error, expected: share} = progress;
    const {several} = this.app.landmarks();
    return [several
      ? `${name}: labelled on ${placed.toLocaleString('en')} of ${count(pictures, 'specimen')}`
      : `${name}: labelled on ${placed.toLocaleString('en')} of ${pictures.toLocaleString('en')}`,
      accepted ? `${accepted.toLocaleString('en')} unchecked` : '',
      error && share ? `±${errorText(this.app, error, error / share)} expected` : '',
      closely.length && !closely.includes(name) ? 'not looked at closely' : '']
      .filter(Boolean).join(' · ');
  }

  /** @param {LandmarkProgress[]} progress */
  setProgress(progress) {
    this.progress = new Map(progress.map((each) => [each.name, each]));
    this.draw();
  }

  /** @param {Row} row @param {boolean} stop  whether Tab stops here @param {boolean} current */
  update(row, stop, current) {
    const {button, state} = row;
    const {kind, words, unseen, title} = row.curve ? this.ofCurve(row) : this.ofOne(row.names[0]);
    button.dataset.state = kind;
    button.tabIndex = stop ? 0 : -1;
    button.title = title;
    if (current && !button.hasAttribute('aria-current')) button.scrollIntoView({block: 'nearest'});
    markCurrent(button, current);
    renew(state, `${kind}|${words}|${unseen}`,
      () => [kind in ROW_ICONS ? icon(ROW_ICONS[kind], 14) : null, words,
        unseen ? h('span.visually-hidden', ` (${unseen})`) : null]);
  }

  /** What a landmark's row says. @param {string} name */
  ofOne(name) {
    const {work} = this;
    const label = /** @type {Point|undefined} */ (work.labels[name]);
    const guess = work.suggestions.points[name];
    const unchecked = Boolean(label?.accepted);
    const kind = label
      ? unchecked && label.state === 'visible' ? 'accepted' : label.state
      : guess
      ? 'suggested'
      : 'unlabelled';
    const [words, unseen] = kind === 'suggested'
      ? [`±${errorText(this.app, guess.expected_px, work.side)}`, 'expected, suggested']
      : [kind === 'hidden' && unchecked ? 'hidden, accepted' : SHOWN[kind] ?? '',
        unchecked ? 'not checked' : UNSEEN[kind]];
    const title = [name, [words, unseen].filter(Boolean).join(', '), this.aboutOf(name)].filter(Boolean).join('\n');
    return {kind, words, unseen, title};
  }

  /** What a curve's row says of all its landmarks. @param {Row} row */
  ofCurve({names, title}) {
    const {labels, suggestions} = this.work;
    const labelled = names.flatMap((name) => labels[name] ?? []);
    const states = labelled.map(({accepted, state}) => accepted ? 'accepted' : state);
    const guessed = names.some((name) => !labels[name] && suggestions.points[name]);
    const whole = ['accepted', 'visible', 'hidden', 'absent'].find((kind) => states.some((state) => state === kind));
    const kind = labelled.length === names.length ? whole ?? 'visible' : guessed ? 'suggested' : 'unlabelled';
    const words = kind === 'visible' ? '' : SHOWN[kind] ?? `${labelled.length} of ${names.length}`;
    const unseen = {accepted: 'not checked', suggested: 'the rest suggested'}[kind] ?? UNSEEN[kind];
    return {kind, words, unseen, title: [`Curve ${title}`, words, unseen].filter(Boolean).join(', ')};
  }

  drawActions() {
    const {current, labels, suggestions, names, hiddenNext} = this.work;
    const label = current ? labels[current] : null;
    const guess = current ? suggestions.points[current] : null;
    this.actions.hidden = !names.length;
    this.acceptButton.disabled = !current || (label ? !label.accepted : !guess);
    this.hiddenButton.disabled = !current || label?.state === 'absent';
    this.absentButton.disabled = !current;
    this.clearButton.disabled = !label;
    this.hiddenButton.setAttribute('aria-pressed', String(label?.state === 'hidden' || hiddenNext));
    this.absentButton.setAttribute('aria-pressed', String(label?.state === 'absent'));
    const checks = Boolean(label?.accepted);
    const [words, title] = checks
      ? ['Checked', 'This accepted point is right: checked by eye']
      : ['Accept', 'Accept the suggestion'];
    renew(this.acceptButton, words, () => [icon('accept', 14), words]);
    keyed(this.acceptButton, 'accept', title);
  }
}

/** Digits typed one after the other, as the number of a landmark: 1, then 2 within a second, is 12. */
export class Numbers {
  constructor() {
    this.typed = '';
    this.at = 0;
  }

  /** The landmark, from 0, that a digit makes the current one; null if there is none. @param {string} digit
   *  @param {number} now  in milliseconds @param {number} count  of landmarks */
  type(digit, now, count) {
    const joined = now - this.at < JOINED_MS ? this.typed + digit : digit;
    this.typed = Number(joined) <= count ? joined : digit;
    this.at = now;
    const number = Number(this.typed);
    return number >= 1 && number <= count ? number - 1 : null;
  }
}

/** @type {Record<string, ['accept'|'hidden'|'absent'|'trash', string, string]>} */
const LOOKS = {accept: ['accept', 'Accept', 'Accept the suggestion'],
  hidden: ['hidden', 'Hidden', 'Hidden: there, but covered'], absent: ['absent', 'Absent', 'Absent from this picture'],
  clear: ['trash', 'Clear', 'Clear: take the label away']};

/** A button for the current landmark. @param {'accept'|'hidden'|'absent'|'clear'} name @param {() => void} run */
function action(name, run) {
  const [sign, label, title] = LOOKS[name];
  return keyed(h('button.small', {testid: name, onclick: run}, icon(sign, 14), label), name, title);
}
