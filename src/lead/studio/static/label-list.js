/** The landmarks beside the picture: each with its state, and what can be done with the current one. */

import {fill, h, icon, markCurrent, renew, text} from './dom.js';
import {errorText} from './parts.js';

/**
 * @import {Landmark, Landmarks, Point} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Labelling} from './labelling.js'
 * @typedef {{item: HTMLElement, button: HTMLButtonElement, state: HTMLElement}} Row
 */

/** @type {Record<string, 'accept'|'hidden'|'absent'>} */
const ROW_ICONS = {visible: 'accept', hidden: 'hidden', absent: 'absent'};

export class LandmarkList {
  /** @param {App} app @param {Labelling} work */
  constructor(app, work) {
    this.app = app;
    this.work = work;
    /** those that the list shows @type {Landmarks|null} */
    this.listed = null;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.count = h('span.muted.number', {testid: 'landmark-count'});
    this.list = h('ol.landmarks', {testid: 'landmarks', 'aria-label': 'Landmarks'});
    this.acceptButton = action('accept', 'Accept', 'Accept the suggestion  (A)', () => work.accept());
    this.hiddenButton = action('hidden', 'Hidden', 'Hidden: there, but covered  (H)', () => work.toggleHidden());
    this.absentButton = action('absent', 'Absent', 'Absent from this picture  (X)', () => work.toggleAbsent());
    this.clearButton = action('trash', 'Clear', 'Clear: take the label away  (Delete)', () => work.clear());
    this.actions = h('div.point-actions', {role: 'group', 'aria-label': 'The current landmark'}, this.acceptButton,
      this.hiddenButton, this.absentButton, this.clearButton);
    this.elements = [h('div.side-head', h('h2', 'Landmarks'), this.count), this.list, this.actions];
  }

  draw() {
    const landmarks = this.app.landmarks();
    if (this.listed !== landmarks) this.make(landmarks);
    const {labels, names} = this.work;
    for (const [name, row] of this.rows) this.update(name, row);
    text(this.count, names.length ? `${names.filter((n) => labels[n]).length} of ${names.length} labelled` : '');
    this.drawActions();
  }

  /** @param {Landmarks} landmarks */
  make(landmarks) {
    this.listed = landmarks;
    this.rows = new Map(landmarks.landmarks.map((landmark, i) => [landmark.name, this.makeRow(landmark, i)]));
    fill(this.list, landmarks.landmarks.length
      ? [...this.rows.values()].map((row) => row.item)
      : h('li.no-landmarks',
        h('p', 'Say first what there is to label: name the landmarks, or take them from a label file.'),
        h('button.primary', {testid: 'name-landmarks', onclick: () => this.app.go('landmarks')},
          'Name the landmarks')));
  }

  /** @param {Landmark} landmark @param {number} i @returns {Row} */
  makeRow({name, colour}, i) {
    const state = h('span.landmark-state.number');
    const button = h('button.landmark', {testid: 'landmark', dataset: {name}, tabindex: -1,
      onclick: () => this.work.select(name)}, h('span.landmark-key', i < 9 ? String(i + 1) : ''),
      h('span.mark', {style: {'--colour': colour}}), h('span.ellipsis.landmark-name', {title: name}, name), state);
    return {item: h('li', button), button, state};
  }

  /** @param {string} name @param {Row} row */
  update(name, {button, state}) {
    const {work} = this;
    const label = /** @type {Point|undefined} */ (work.labels[name]);
    const guess = work.suggestions.points[name];
    const kind = label?.state ?? (guess ? 'suggested' : 'unlabelled');
    const words = kind === 'suggested'
      ? `±${errorText(this.app, guess.expected_px, work.detail ? Math.max(work.detail.width, work.detail.height) : 1)}`
      : kind === 'hidden' || kind === 'absent'
      ? kind
      : '';
    button.dataset.state = kind;
    button.tabIndex = name === (work.current ?? work.names[0]) ? 0 : -1;
    const current = name === work.current;
    if (current && !button.hasAttribute('aria-current')) button.scrollIntoView({block: 'nearest'});
    markCurrent(button, current);
    const said = words === kind ? null : h('span.visually-hidden', ` ${kind} `);
    renew(state, kind + words, () => [kind in ROW_ICONS ? icon(ROW_ICONS[kind], 14) : null, said, words]);
  }

  drawActions() {
    const {current, labels, suggestions, names, hiddenNext} = this.work;
    const label = current ? labels[current] : null;
    const guess = current ? suggestions.points[current] : null;
    this.actions.hidden = !names.length;
    this.acceptButton.disabled = !current || Boolean(label) || !guess;
    this.hiddenButton.disabled = !current || label?.state === 'absent';
    this.absentButton.disabled = !current;
    this.clearButton.disabled = !label;
    this.hiddenButton.setAttribute('aria-pressed', String(label?.state === 'hidden' || hiddenNext));
    this.absentButton.setAttribute('aria-pressed', String(label?.state === 'absent'));
  }
}

/** A button for the current landmark. @param {'accept'|'hidden'|'absent'|'trash'} name @param {string} label
 *  @param {string} title @param {() => void} run */
const action = (name, label, title, run) =>
  h('button.small', {testid: name === 'trash' ? 'clear' : name, title, onclick: run}, icon(name, 14), label);
