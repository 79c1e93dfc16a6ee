/** The keys: what each does, which can be changed, and what the person has changed them to. */

import {h} from './dom.js';
import {lasting} from './kept.js';

/**
 * A key is kept as `A`, `Shift+X`, `Ctrl+Z`, `Enter`, `.`; Shift is named only where the key is not another one by it.
 * @typedef {{keys: string[], words: string, group: Group, once?: boolean}} Meaning  `once`: not again while it is held
 * @typedef {'Labelling'|'All points'|'Several specimens'|'Moving about'|'Looking'|'Everywhere'} Group
 * @typedef {keyof typeof MEANINGS} Action
 */

const KEPT = 'lead.keys';

/** What keys mean, by action, with those that they have until they are changed. */
export const MEANINGS = {
  acceptAll: {keys: ['Enter'], group: 'Labelling', once: true,
    words: 'accept the sure suggestions, then look at each very uncertain one; when all is settled, the next picture'},
  accept: {keys: ['A'], group: 'Labelling', once: true,
    words: 'accept the current suggestion, of a curve all; on an accepted point: checked by eye'},
  hidden: {keys: ['H'], group: 'Labelling', once: true, words: 'hidden: there, but covered'},
  absent: {keys: ['X'], group: 'Labelling', once: true, words: 'absent from this picture'},
  clear: {keys: ['Delete', 'Backspace'], group: 'Labelling', words: 'take the label away'},
  remainingAbsent: {keys: ['Shift+X'], group: 'All points', once: true, words: 'mark all that have no label as absent'},
  clearAll: {keys: ['Shift+Delete'], group: 'All points', once: true,
    words: 'take all labels of the picture away; of several specimens, the current one'},
  copyPrevious: {keys: ['C'], group: 'All points', once: true,
    words: 'copy the points of the previous picture in the list'},
  addSpecimen: {keys: ['I'], group: 'Several specimens', once: true, words: 'a new specimen'},
  duplicate: {keys: ['D'], group: 'Several specimens', once: true, words: 'a copy of the specimen, a little beside it'},
  nextSpecimen: {keys: ['Shift+J'], group: 'Several specimens', words: 'next specimen'},
  previousSpecimen: {keys: ['Shift+K'], group: 'Several specimens', words: 'previous specimen'},
  acceptSpecimens: {keys: ['Shift+A'], group: 'Several specimens', once: true, words: 'accept all suggested specimens'},
  allLabelled: {keys: ['L'], group: 'Several specimens', once: true,
    words: 'all specimens of the picture are labelled; or not'},
  note: {keys: ['M'], group: 'Labelling', once: true, words: 'a note and tags of the picture'},
  skip: {keys: ['Shift+S'], group: 'Labelling', once: true, words: 'skip this picture, a bad one; or no longer'},
  nextLandmark: {keys: ['J', ']'], group: 'Moving about', words: 'next landmark'},
  previousLandmark: {keys: ['K', '['], group: 'Moving about', words: 'previous landmark'},
  unlabelled: {keys: ['U'], group: 'Moving about', words: 'next landmark without a label'},
  filter: {keys: ['/'], group: 'Moving about', words: 'find a landmark by its name or number'},
  nextPicture: {keys: ['.', 'PageDown'], group: 'Moving about', words: 'next picture in the list'},
  previousPicture: {keys: [',', 'PageUp'], group: 'Moving about', words: 'previous picture in the list'},
  pick: {keys: ['N'], group: 'Moving about', once: true, words: 'the picture that helps most'},
  zoomIn: {keys: ['+', '='], group: 'Looking', words: 'zoom in'},
  zoomOut: {keys: ['-'], group: 'Looking', words: 'zoom out'},
  fit: {keys: ['F'], group: 'Looking', words: 'whole picture'},
  near: {keys: ['Z'], group: 'Looking', once: true,
    words: 'look at each landmark from near as its turn comes; or no longer'},
  bare: {keys: ['V'], group: 'Looking', words: 'hold: the bare picture, without points'},
  upright: {keys: ['R'], group: 'Looking', once: true,
    words: 'turn the view so that the thing is upright; or no longer'},
  thisWayUp: {keys: ['W'], group: 'Labelling', once: true,
    words: 'this way up: then drag from the thing’s bottom to its top, and the model looks again; or take that back'},
  tone: {keys: ['B'], group: 'Looking', once: true, words: 'brightness and contrast'},
  guide: {keys: ['G'], group: 'Looking', once: true, words: 'guide picture on or off'},
  skeleton: {keys: ['S'], group: 'Looking', once: true, words: 'skeleton lines on or off'},
  undo: {keys: ['Ctrl+Z'], group: 'Everywhere', words: 'undo, also on other pictures'},
  redo: {keys: ['Ctrl+Shift+Z', 'Ctrl+Y'], group: 'Everywhere', words: 'redo'},
  theme: {keys: ['T'], group: 'Everywhere', once: true, words: 'dark or light'},
  help: {keys: ['?'], group: 'Everywhere', once: true, words: 'this help'},
};

/** @type {Action[]} */
export const ACTIONS = /** @type {Action[]} */ (Object.keys(MEANINGS));

/** @param {Action} action @returns {Meaning} */
export const meaning = (action) => /** @type {Record<string, Meaning>} */ (MEANINGS)[action];

const MODIFIERS = ['Control', 'Shift', 'Alt', 'AltGraph', 'Meta', 'CapsLock', 'Dead', 'Process', 'Unidentified'];
const FIXED = [/^(Shift\+)?Tab$/, /^Escape$/, /^Space$/, /^(Ctrl\+)?(Shift\+)?Arrow/, /^[0-9]$/];

/** The key of an event; null for a modifier by itself, and for what the system or the browser takes.
 *  @param {Pick<KeyboardEvent, 'key'|'ctrlKey'|'metaKey'|'altKey'|'shiftKey'> & {getModifierState?: (key: string) =>
 *  boolean}} event */
export function chord(event) {
  const {key, shiftKey} = event;
  if (MODIFIERS.includes(key)) return null;
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  // Where `[` or `@` are typed with AltGr, that is no Alt.
  const typed = key.length === 1 && !letter && Boolean(event.getModifierState?.('AltGraph'));
  if (event.altKey && !typed) return null;
  const name = key === ' ' ? 'Space' : letter ? key.toUpperCase() : key;
  const ctrl = (event.ctrlKey || event.metaKey) && !typed;
  return `${ctrl ? 'Ctrl+' : ''}${shiftKey && (letter || key.length > 1) ? 'Shift+' : ''}${name}`;
}

/** Keys that belong to what has the focus: a button, a link, a slider. @param {KeyboardEvent} event */
export function ofControl(event) {
  const own = ['Enter', ' ', 'Tab', 'Home', 'End', 'ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight'];
  if (!(event.target instanceof HTMLElement)) return false;
  if (event.target instanceof HTMLInputElement && /^Page/.test(event.key)) return true;
  return own.includes(event.key) && Boolean(event.target.closest('button, a, input, select, summary, [role="menu"]'));
}

/** Whether a key has a meaning that cannot be changed. @param {string} key */
export const isFixed = (key) => FIXED.some((pattern) => pattern.test(key));

/** The caps of a key, as they stand on a keyboard. @param {string} key */
export function caps(key) {
  const parts = key.split('+').filter(Boolean);
  if (key.endsWith('+')) parts.push('+');
  const names =
    /** @type {Record<string, string>} */ ({Enter: '↵', Delete: 'Del', Backspace: '⌫', PageDown: 'Page Down',
      PageUp: 'Page Up', ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→', '-': '−', Escape: 'Esc'});
  return parts.map((part) => names[part] ?? part);
}

/** Which keys do what, as the person has them. Kept in the browser, for all folders. */
export class Keys {
  constructor() {
    /** those that were changed @type {Partial<Record<Action, string[]>>} */
    this.own = {};
    const kept = lasting.value(KEPT, /** @type {Record<string, unknown>} */ ({}));
    for (const action of ACTIONS) {
      const keys = kept[action];
      if (Array.isArray(keys) && keys.length && keys.every((key) => typeof key === 'string')) this.own[action] = keys;
    }
  }

  /** @param {Action} action @returns {string[]} */
  of(action) {
    return this.own[action] ?? meaning(action).keys;
  }

  /** What a key does; null if nothing. @param {string|null} key @returns {Action|null} */
  action(key) {
    if (key === null) return null;
    return ACTIONS.find((action) => this.of(action).includes(key)) ?? null;
  }

  /** What an event's key does, and whether it is to be done: not again and again while it is held, where that would
   *  do harm. @param {KeyboardEvent} event */
  pressed(event) {
    const action = this.action(chord(event));
    return {action, run: action !== null && !(event.repeat && meaning(action).once)};
  }

  /** Gives an action another key in place of those it has. Returns, in words, why it cannot; null if it could.
   *  @param {Action} action @param {string} key */
  set(action, key) {
    if (isFixed(key)) return `${caps(key).join(' ')} has a meaning that cannot be changed.`;
    const other = this.action(key);
    if (other && other !== action) {
      return `${caps(key).join(' ')} is taken: ${meaning(other).words}. Change that one first.`;
    }
    this.own[action] = [key];
    this.keep();
    return null;
  }

  /** Gives back the keys that it had; what has taken them meanwhile gives them up, and so gets its own back.
   *  @param {Action} action */
  reset(action) {
    delete this.own[action];
    for (const key of meaning(action).keys) {
      const other = ACTIONS.find((each) => each !== action && this.own[each]?.includes(key));
      if (other) this.reset(other);
    }
    this.keep();
  }

  resetAll() {
    this.own = {};
    this.keep();
  }

  keep() {
    lasting.keep(KEPT, Object.keys(this.own).length ? this.own : null);
  }

  /** For a tooltip: "Ctrl Z". @param {Action} action */
  hint(action) {
    return caps(this.of(action)[0]).join(' ');
  }
}

export const keys = new Keys();

/** Puts the key of what a button does into its tooltip, now and whenever it is changed.
 *  @template {HTMLElement} E @param {E} element @param {Action} action @param {string} title */
export function keyed(element, action, title) {
  Object.assign(element.dataset, {action, title});
  element.title = `${title}  (${keys.hint(action)})`;
  return element;
}

/** The key of an action, as on a keyboard. @param {Action} action */
export const keyCap = (action) => h('kbd', {dataset: {cap: action}, 'aria-hidden': 'true'}, keys.hint(action));

/** Shows the keys anew where they are shown, after one was changed. @param {ParentNode} root */
export function showKeys(root) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-action]'))) {
    const {action, title} = element.dataset;
    element.title = `${title}  (${keys.hint(/** @type {Action} */ (action))})`;
  }
  for (const cap of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('[data-cap]'))) {
    cap.textContent = keys.hint(/** @type {Action} */ (cap.dataset.cap));
  }
}
