/** Help: what the keys do, how to give them others, and how points look. */

import {dialog, fill, h, kbd, text} from './dom.js';
import {ACTIONS, caps, chord, keys, meaning, showKeys} from './keys.js';

/**
 * @import {App} from './app.js'
 * @import {Action, Group} from './keys.js'
 */

/** What cannot be changed. @type {Partial<Record<Group, [keys: string[], what: string][]>>} */
const FIXED = {
  Labelling: [
    [['Click'], 'set the current landmark, and on to the next'],
    [['Shift', 'Click'], 'set it as hidden'],
    [['Drag'], 'correct the point that it begins on; a suggestion becomes a label'],
    [['←', '→', '↑', '↓'], 'move the point by 1 px; with Shift or Ctrl by 0.1 px'],
    [['←', '→', '↑', '↓'], 'without a place yet: move a cross-hair; with Shift by 1 px, with Ctrl by 0.1 px'],
    [['↵', 'Space'], 'place the landmark where the cross-hair is'],
    [['Click', '↵'],
      'along a curve: it goes through the clicks; ↵ or a double click ends it, ⌫ takes one back, Esc all'],
    [['Shift', 'Drag'], 'move a curve as a whole; a drag alone bends it'],
    [['Tap'], 'set the current landmark with a finger; a long press takes hold of a point'],
  ],
  'Several specimens': [
    [['Click'], 'on a point of another specimen: go there; again, to the next point at that place'],
    [['Ctrl', 'Click'], 'the same, also where a click would place a landmark'],
  ],
  'Moving about': [
    [['1', '…', '99'], 'choose a landmark by its number'],
    [['Tab'], 'on through the page; in the list of landmarks ↑ and ↓ choose'],
    [['Esc'], 'break off a drag; from a button back to the picture'],
  ],
  Looking: [
    [['Wheel'], 'zoom; on a trackpad two fingers pan, a pinch zooms'],
    [['Pinch'], 'zoom with two fingers; one or two fingers pan'],
    [['Space', 'Drag'], 'pan (or with the middle or right button)'],
  ],
};

/** @type {[keys: string[], what: string][]} */
const OTHERS = [
  [['A'], 'Review: accept the predictions of the chosen picture'],
  [['↵'], 'Review, disputes: open the picture'],
  [['S', 'M', 'R'], 'Disputes: swap, take the model’s, it is right'],
  [['↵'], 'Explore: pin the point; the arrow keys move it'],
  [['N', 'S'], 'Explore: other pictures, most similar first'],
  [['Alt', '↑', '↓'], 'Landmarks: move up or down the list'],
];

/** @type {[state: string, what: string][]} */
const LOOKS = [['visible', 'labelled'], ['accepted',
  'accepted, not checked: moving it, or A, makes it a label of your own'], ['hidden', 'labelled as hidden'], [
  'suggested',
  'suggested; the ring around it is the error to expect',
], ['absent', 'absent: only in the list']];

/** @param {string[]} names @param {string} what */
const fixed = (names, what) => [h('dt', names.map(kbd)), h('dd', what)];

/** The dialog's keys, each of which can be given another. */
class KeyTable {
  constructor() {
    /** whose next key is awaited @type {Action|null} */
    this.awaited = null;
    this.said = h('p.small', {testid: 'keys-said', role: 'status'});
    this.reset = h('button.small', {testid: 'keys-reset', onclick: () => {
      keys.resetAll();
      this.say('All keys are as they were at first.');
    }}, 'Reset all keys');
    /** @type {Map<Action, {button: HTMLButtonElement, back: HTMLButtonElement}>} */
    this.rows = new Map();
  }

  /** @param {Group} group */
  section(group) {
    const rows = ACTIONS.filter((action) => meaning(action).group === group).map((action) => this.row(action));
    return h('section', h('h3', group),
      h('dl.keys', (FIXED[group] ?? []).map(([names, what]) => fixed(names, what)), rows));
  }

  /** @param {Action} action */
  row(action) {
    const {words} = meaning(action);
    const button = h('button.key-change', {testid: `key-${action}`, title: 'Give it another key',
      'aria-describedby': `means-${action}`, onclick: () => this.wait(action),
      onkeydown: (event) => this.take(event, action), onblur: () => {
        if (this.awaited === action) this.say('');
      }});
    const back = h('button.key-back', {testid: `key-reset-${action}`, 'aria-label': `Reset the key: ${words}`,
      title: 'Reset', onclick: () => {
        keys.reset(action);
        this.say(`${words}: reset.`);
        button.focus();
      }}, '↺');
    this.rows.set(action, {button, back});
    return [h('dt', button), h('dd', h('span', {id: `means-${action}`}, words), ' ', back)];
  }

  /** @param {Action} action */
  wait(action) {
    this.awaited = action;
    this.say('Press the new key; Esc leaves it as it is.', true);
  }

  /** @param {KeyboardEvent} event @param {Action} action */
  take(event, action) {
    if (this.awaited !== action) return;
    const key = chord(event);
    if (key === null) return;
    event.preventDefault(); // also Escape, which else closes the dialog
    event.stopPropagation();
    if (key === 'Escape') this.say('');
    else this.say(keys.set(action, key) ?? `${caps(key).join(' ')}: ${meaning(action).words}.`);
  }

  /** @param {string} words */
  say(words, waiting = false) {
    if (!waiting) this.awaited = null;
    text(this.said, words);
    this.draw();
    showKeys(document);
  }

  draw() {
    for (const [action, {button, back}] of this.rows) {
      const waiting = this.awaited === action;
      button.classList.toggle('waiting', waiting);
      fill(button, h('span.visually-hidden', `${meaning(action).words}: `), waiting
        ? 'Press a key'
        : keys.of(action).map((key) => h('span.key-caps', caps(key).map(kbd))));
      back.hidden = !keys.own[action];
    }
    this.reset.hidden = !Object.keys(keys.own).length;
  }
}

/** Opens the help. @param {App} app */
export function showHelp(app) {
  const table = new KeyTable();
  const looks = LOOKS.map((
    [state, what],
  ) => [h('dt', {dataset: {state}}, h('span.mark', {style: {'--colour': '#3fa7ff'}})), h('dd', what)]);
  const columns = [
    h('div', table.section('Labelling'), table.section('All points')),
    h('div', table.section('Moving about'), table.section('Several specimens'), table.section('Everywhere')),
    h('div', table.section('Looking'), h('section', h('h3', 'Points'), h('dl.keys.looks', looks)),
      h('section', h('h3', 'Other views'), h('dl.keys', OTHERS.map(([names, what]) => fixed(names, what))))),
  ];
  table.draw();
  return dialog({title: 'Keys', testid: 'help-dialog', actions: [{label: 'Close', value: null, kind: 'primary'}],
    body: [
      h('p.small.muted', 'Press one of the framed keys to give it another.'),
      h('div.row.wrap.keys-said', table.said, h('span.spacer'), table.reset),
      h('div.help', columns),
      h('p.small.muted', `Every change is saved at once in ${app.state.label_file}. lead ${app.state.version}`),
    ]});
}
