/** What was changed here and elsewhere at the same time: it is told until the person has read it. */

import {count, throttle} from './dom.js';
import {pictureOf} from './specimens.js';

/**
 * @import {App} from './app.js'
 * @import {Conflict, MarksChange, Points} from './outbox.js'
 * @typedef {{id: string, points: Points, marks: MarksChange}} Mine  what was to be here
 * @typedef {{words: (n: number, where: string) => string, label: string, what: string}} Kind
 */

/** @type {Kind} */
const CHANGED = {
  words: (n, where) =>
    `${count(n, 'value')} on ${where} ${n === 1 ? 'was' : 'were'} changed elsewhere at the same time; `
    + `what was set there was kept.`,
  label: 'Use mine',
  what: 'own values',
};
/** @type {Kind} */
const TAKEN_OUT = {
  words: (n, where) =>
    n === 1
      ? `A specimen that you changed on ${where} was taken out elsewhere.`
      : `${n} specimens that you changed on ${where} were taken out elsewhere.`,
  label: 'Put back',
  what: 'specimens put back',
};
/** @type {Kind} */
const KEPT = {
  words: (n, where) =>
    n === 1
      ? `A specimen that you took out of ${where} was changed elsewhere at the same time; it was kept.`
      : `${n} specimens that you took out of ${where} were changed elsewhere at the same time; they were kept.`,
  label: 'Take out all the same',
  what: 'taking out specimens',
};

export class Conflicts {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** those that the person has not answered @type {Map<Kind, Mine[]>} */
    this.open = new Map();
    /** where they are told @type {Map<Kind, HTMLElement>} */
    this.told = new Map();
    /** @type {Set<Kind>} */
    this.fresh = new Set();
    this.tellSoon = throttle(() => this.tell(), 200);
  }

  /** @param {Conflict} conflict */
  add({id, points, note, gone}) {
    if (!gone) {
      const mine = Object.fromEntries(points.map((point) => [point.name, point.mine]));
      this.keep(CHANGED, {id, points: mine, marks: note ? {note: note.mine} : {}});
    } else if (gone.mine) this.keep(KEPT, {id, points: {}, marks: {gone: true}});
    else this.keep(TAKEN_OUT, {id, points: gone.points, marks: {gone: false, track: gone.track}});
  }

  /** @param {Kind} kind @param {Mine} mine */
  keep(kind, mine) {
    if (this.told.get(kind)?.isConnected === false) { // answered
      this.open.delete(kind);
      this.told.delete(kind);
    }
    this.open.set(kind, [...this.open.get(kind) ?? [], mine]);
    this.fresh.add(kind);
    this.tellSoon();
  }

  /** One message of each kind, of all that is open. */
  tell() {
    const {app} = this;
    for (const kind of this.fresh) {
      const open = this.open.get(kind) ?? [];
      const ids = [...new Set(open.map(({id}) => pictureOf(id)))];
      const where = ids.length === 1 ? app.picture(ids[0])?.file ?? ids[0] : count(ids.length, 'picture');
      this.told.get(kind)?.remove();
      this.told.set(kind, app.toast(this.words(kind, open, where), 'bad', {label: kind.label, run: () =>
        this.answer(kind, open).catch(app.report)}));
    }
    this.fresh.clear();
  }

  /** @param {Kind} kind @param {Mine[]} open @param {string} where */
  words(kind, open, where) {
    if (kind !== CHANGED) return kind.words(open.length, where);
    const names = open.flatMap(({points, marks}) => [...Object.keys(points), ...marks.note === undefined
      ? []
      : ['The note']]
    );
    return open.length > 1
      ? kind.words(names.length, where)
      : `${names.join(', ')} on ${where} was changed elsewhere at the same time; that value was kept.`;
  }

  /** As the person had it. @param {Kind} kind @param {Mine[]} open */
  async answer(kind, open) {
    const {app} = this;
    await Promise.all(open.filter(({id}) => !app.labels(id)).map(({id}) => app.outbox.loadOnce(pictureOf(id))));
    app.changeAll(open.map(({id, points, marks}) => {
      const there = marks.gone ? Object.keys(app.labels(id)?.points ?? {}) : [];
      return {id, points: {...points, ...Object.fromEntries(there.map((name) => [name, null]))}, marks};
    }), kind.what);
  }
}
