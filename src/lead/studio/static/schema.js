/** Changing the landmarks: the edits as functions, and their way to the server. */

import {ApiError, wordsOf} from './api.js';
import {Bus} from './bus.js';
import {curveOf, FEWEST} from './curves.js';
import {confirm, count} from './dom.js';
import {freeColour, PALETTE} from './parts.js';

/**
 * @import {Landmarks} from 'types/messages'
 * @import {App} from './app.js'
 * @typedef {Pick<Landmarks, 'landmarks'|'skeleton'|'flip_pairs'|'curves'|'several'>} Schema
 * @typedef {[string, string]} Pair
 * @typedef {{what: string, apply: (schema: Schema) => Schema|null, names: Record<string, string>, drop: boolean,
 *   before: Schema, after: Schema, undo: boolean, labelsFrom?: string|null, refused?: (words: string) => void,
 *   whole?: string}} Edit
 *   `labelsFrom`: the state in the history that holds the labels that went with it, or that come back with it;
 *   `whole`: what it takes away, where that is not just landmarks
 */

export const LONGEST = 100; // characters of a name

/** @param {Pair} pair @param {string} a @param {string} b */
const joins = (pair, a, b) => (pair[0] === a && pair[1] === b) || (pair[0] === b && pair[1] === a);
/** @param {Pair[]} pairs @param {string} name */
const without = (pairs, name) => pairs.filter((pair) => !pair.includes(name));

/** The names in a pasted text, one a line; what stands after a tab, as copied from a table, is left out.
 *  @param {string} text */
export function namesIn(text) {
  return text.split(/\r?\n/).map((line) => line.split('\t')[0].trim().slice(0, LONGEST)).filter(Boolean);
}

/** Adds landmarks with the next free colours; names that are there already are left out. @returns {Schema}
 *  @param {Schema} schema @param {string[]} names */
export function added(schema, names) {
  const landmarks = [...schema.landmarks];
  for (const name of names) {
    if (landmarks.some((l) => l.name === name)) continue;
    landmarks.push({name, colour: freeColour(landmarks.map((l) => l.colour))});
  }
  return {...schema, landmarks};
}

/** @param {Schema} schema @param {string} from @param {string} to */
export function renamed(schema, from, to) {
  const rename = (/** @type {string} */ name) => name === from ? to : name;
  const swap = (/** @type {Pair} */ [a, b]) => /** @type {Pair} */ ([rename(a), rename(b)]);
  return {...schema, landmarks: schema.landmarks.map((l) => (l.name === from ? {...l, name: to} : l)),
    skeleton: schema.skeleton.map(swap), flip_pairs: schema.flip_pairs.map(swap),
    curves: schema.curves.map((curve) => ({...curve, points: curve.points.map(rename)}))};
}

/** @param {Schema} schema @param {string} name @param {string} colour */
export const recoloured = (schema, name, colour) => ({...schema,
  landmarks: schema.landmarks.map((l) => (l.name === name ? {...l, colour} : l))});

/** All landmarks in the palette's colours, in order; those of a curve in one. @param {Schema} schema */
export function distinct(schema) {
  /** @type {Map<string, string>} */
  const colours = new Map();
  return {...schema, landmarks: schema.landmarks.map((l) => {
    const curve = curveOf(schema, l.name);
    const key = curve ? `curve ${curve.name}` : `landmark ${l.name}`;
    const colour = colours.get(key) ?? PALETTE[colours.size % PALETTE.length];
    colours.set(key, colour);
    return {...l, colour};
  })};
}

/** A curve goes on without the landmark, as long as it has points enough.
 *  @param {Schema} schema @param {string} name */
export const removed = (schema, name) => ({...schema, landmarks: schema.landmarks.filter((l) => l.name !== name),
  skeleton: without(schema.skeleton, name), flip_pairs: without(schema.flip_pairs, name),
  curves: schema.curves.map((curve) => ({...curve, points: curve.points.filter((point) => point !== name)}))
    .filter((curve) => curve.points.length >= FEWEST)});

/** Puts landmarks, one after the other, before another one in the order; at its end without one.
 *  @param {Schema} schema @param {string[]} names @param {string|null} before  none of them */
export function moved(schema, names, before) {
  const landmarks = schema.landmarks.filter((l) => !names.includes(l.name));
  const at = before === null ? landmarks.length : landmarks.findIndex((l) => l.name === before);
  landmarks.splice(at, 0, ...schema.landmarks.filter((l) => names.includes(l.name)));
  return {...schema, landmarks};
}

/** Draws the line between two landmarks, or takes it away.
 *  @param {Schema} schema @param {string} a @param {string} b @returns {Schema} */
export const lineToggled = (schema, a, b) => ({...schema, skeleton: schema.skeleton.some((line) => joins(line, a, b))
  ? schema.skeleton.filter((line) => !joins(line, a, b))
  : [...schema.skeleton, [a, b]]});

/** Makes two landmarks a left/right pair, or no longer. A landmark is in one pair at most.
 *  @param {Schema} schema @param {string} a @param {string} b @returns {Schema} */
export const pairToggled = (schema, a, b) => ({...schema,
  flip_pairs: schema.flip_pairs.some((pair) => joins(pair, a, b))
    ? schema.flip_pairs.filter((pair) => !joins(pair, a, b))
    : [...without(without(schema.flip_pairs, a), b), [a, b]]});

/** What the right-hand partner of a left-hand landmark may be called. @param {string} name */
function mirrored(name) {
  /** @param {string} match @param {string} word */
  const cased = (match, word) => {
    if (match === match.toUpperCase()) return word.toUpperCase();
    return match[0] === match[0].toUpperCase() ? word[0].toUpperCase() + word.slice(1) : word;
  };
  return [
    name.replace(/left/gi, (m) => cased(m, 'right')),
    name.replace(/(^|[_\-. ])([lL])(?=$|[_\-. \d])/g, (_, before, letter) => before + (letter === 'l' ? 'r' : 'R')),
    name.replace(/([a-z\d])L$/, '$1R'),
    name.replace(/^([lL])(?=[A-Z])/, (m) => (m === 'l' ? 'r' : 'R')),
  ].filter((other) => other !== name);
}

/** Left/right pairs that the names suggest and that are not there yet, left first. @param {Schema} schema */
export function suggestedPairs(schema) {
  const names = new Set(schema.landmarks.map((l) => l.name));
  const taken = new Set(schema.flip_pairs.flat());
  /** @type {Pair[]} */
  const pairs = [];
  for (const {name} of schema.landmarks) {
    const other = mirrored(name).find((candidate) => names.has(candidate));
    if (!other || taken.has(name) || taken.has(other)) continue;
    taken.add(name).add(other);
    pairs.push([name, other]);
  }
  return pairs;
}

/** @param {Schema} schema @returns {Schema} */
const copy = ({landmarks, skeleton, flip_pairs, curves, several}) =>
  structuredClone({landmarks, skeleton, flip_pairs, curves, several});
/** @param {Schema} a @param {Schema} b */
const alike = (a, b) => JSON.stringify(copy(a)) === JSON.stringify(copy(b));

/**
 * Edits on their way to the server: each is shown at once and saved at once, in order. An edit is a function of the
 * landmarks, so that it can be made anew on what another tab has changed meanwhile. Tells of `change` whenever what is
 * shown, or whether it is saved, may have changed. There is one per page: an edit outlives the view that made it.
 * @extends {Bus<{change: null}>}
 */
export class SchemaEdits extends Bus {
  /** @param {App} app */
  constructor(app) {
    super();
    this.app = app;
    /** @type {Edit[]} */
    this.pending = [];
    /** @type {Edit[]} */
    this.done = [];
    /** @type {string|null} */
    this.problem = null;
    this.sending = false;
    app.bus.on('landmarks', () => this.tell());
    app.bus.on('connection', () => {
      if (app.api.connection === 'open') this.flush();
    });
    addEventListener('beforeunload', (event) => {
      if (this.pending.length) event.preventDefault();
    });
  }

  /** The landmarks with all edits made. @returns {Schema} */
  shown() {
    return this.pending.reduce((schema, edit) => edit.apply(schema) ?? schema, copy(this.app.landmarks()));
  }

  /** @returns {'saved'|'saving'|'unsaved'} */
  state() {
    return !this.pending.length ? 'saved' : this.problem ? 'unsaved' : 'saving';
  }

  /**
   * @param {string} what  in a few words
   * @param {(schema: Schema) => Schema|null} apply  null if it can no longer be made
   * @param {Record<string, string>} [names]  old name to new name
   * @param {(words: string) => void} [refused]  is told why the server will not have it; else a toast says so
   * @param {string} [whole]  what it may take away, where that is not just landmarks
   */
  edit(what, apply, names = {}, refused, whole) {
    const before = this.shown();
    const after = apply(before);
    if (!after || alike(before, after)) return;
    this.pending.push({what, apply, names, drop: false, before, after, undo: false, refused, whole});
    this.tell();
    this.flush();
  }

  /** The edit that undo would take back. The server wants one landmark at least. */
  get undoable() {
    const last = this.pending.length ? null : this.done.at(-1);
    return last?.before.landmarks.length ? last : null;
  }

  /** Takes the last edit back, unless the landmarks have been changed elsewhere since. @returns whether there was
   *  one */
  undo() {
    const last = this.undoable;
    if (!last) return false;
    this.done.pop();
    if (!alike(this.app.landmarks(), last.after)) {
      this.app.toast('The landmarks were changed elsewhere since; that was left.');
      this.done = [];
      return true;
    }
    this.pending.push({what: `undo: ${last.what}`, apply: () => last.before, drop: false, before: last.after,
      after: last.before, undo: true, labelsFrom: last.labelsFrom,
      names: Object.fromEntries(Object.entries(last.names).map(([from, to]) => [to, from]))});
    this.tell();
    this.flush();
    return true;
  }

  tell() {
    this.emit('change', null);
  }

  retry() {
    this.problem = null;
    this.tell();
    return this.flush();
  }

  async flush() {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.pending.length) await this.send(this.pending[0]);
    } catch (error) {
      this.problem = wordsOf(error);
    } finally {
      this.sending = false;
      this.tell();
    }
  }

  /** Sends the first pending edit; it leaves the queue when it is saved, or cannot be made. Throws if it has to be
   *  tried again. @param {Edit} edit */
  async send(edit) {
    const {app} = this;
    if (!(await app.outbox.flushed())) {
      throw new Error('Some labels are not saved yet; the landmarks follow when they are.');
    }
    const now = app.landmarks();
    const after = edit.apply(copy(now));
    if (!after || alike(now, after)) {
      this.pending.shift();
      return;
    }
    try {
      const saved = await app.api.put('/landmarks', {...after, version: now.version, renamed: edit.names,
        drop_labels: edit.drop, labels_from: edit.undo ? edit.labelsFrom ?? null : null});
      this.pending.shift();
      this.problem = null;
      if (!edit.undo) this.done.push({...edit, before: copy(now), after: copy(saved), labelsFrom: saved.labels_in});
      app.newLandmarks(saved);
    } catch (error) {
      await this.refused(edit, error);
    }
  }

  /** @param {Edit} edit @param {unknown} error */
  async refused(edit, error) {
    const {app} = this;
    if (!(error instanceof ApiError) || [0, 401, 403].includes(error.status) || error.status >= 500) throw error;
    const {landmarks, dropped} = error.body ?? {};
    if (dropped && !edit.drop) {
      const n = Object.values(dropped).reduce((sum, k) => sum + k, 0);
      const names = edit.whole ?? Object.keys(dropped).join(', ');
      edit.drop = await confirm(`Remove ${names} with ${count(n, 'label')}?`,
        `${names} is labelled on ${
          count(Math.max(...Object.values(dropped)), 'picture')
        }. These labels go with it. Undo brings them back, and the history (under Export) keeps the present state.`,
        'Remove', 'danger');
      if (!edit.drop) this.pending.shift();
    } else if (landmarks && landmarks.version !== app.landmarks().version) {
      app.newLandmarks(landmarks);
      if (edit.undo) {
        this.pending.shift();
        app.toast('The landmarks were changed in another tab; that was left.');
        return;
      }
      app.toast('The landmarks were changed in another tab; your edit is made on top of that.');
    } else {
      this.pending.shift();
      if (edit.refused) edit.refused(error.message);
      else app.toast(error.message, 'bad');
    }
  }
}

/** @type {SchemaEdits|null} */
let edits = null;

/** The page's one queue of edits. @param {App} app */
export function schemaEdits(app) {
  edits ??= new SchemaEdits(app);
  return edits;
}
