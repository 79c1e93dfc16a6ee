/**
 * Changes of labels on their way to the server. A change shows at once, is kept in localStorage until the server has
 * it, and is sent again until it does: a reload, a crash, a lost server or a full disk lose nothing.
 *
 * For each picture the outbox holds what the server last said (`known`) and, on top, the landmarks changed here
 * (`touched`), each with the values (`ours`) that the server may hold if nobody else changed it: what it held when the
 * landmark was first changed here, and what we set since, which may have been written though we never heard so. When
 * the server's state turns out to have moved on (another tab, another person), landmarks that did not change there keep
 * our value; where both changed, theirs stands and the person is told. A picture's note goes the same way as a
 * landmark. Of its tags, those that were added or taken away here are so on top of theirs. Which way is up, what a
 * specimen is called and whether all of a picture are labelled, as the latest says.
 *
 * Where pictures show several specimens, each has an entry of its own (specimens.js), beside that of the picture. One
 * that the server does not have is `gone`: not made yet, or taken out. Landmarks that were changed before a picture
 * could show several are then those of its first specimen.
 */

import {ApiError, wordsOf} from './api.js';
import {Bus} from './bus.js';
import {throttle} from './dom.js';
import {lasting, passing} from './kept.js';
import {absent, freshKey, isSpecimen, pictureOf} from './specimens.js';

/**
 * @import {Direction, LabelsChange, PictureLabels, Point} from 'types/messages'
 * @import {Api} from './api.js'
 * @typedef {Record<string, Point|null>} Points  null for no label
 * @typedef {{value: Point|null, ours: (Point|null)[]}} Touched
 * @typedef {{checked?: boolean, note?: {value: string, ours: string[]},
 *   tags?: {value: string[], base: string[]}, up?: Direction, track?: string, complete?: boolean,
 *   gone?: {value: boolean, ours: Points, tracks?: string[]}}} Marks  what is changed of a picture beside its
 *   landmarks; `gone.ours`: the points that went; `gone.tracks`: names that the specimen may have had on the server
 * @typedef {{checked?: boolean, note?: string, tags?: string[], up?: Direction, track?: string, complete?: boolean,
 *   gone?: boolean}} MarksChange  `gone`: the specimen is taken out; false: it is made
 * @typedef {{id: string, points: {name: string, mine: Point|null, theirs: Point|null}[],
 *   note?: {mine: string, theirs: string}, gone?: {mine: boolean, points: Points, track: string}}} Conflict
 *   `gone`: a specimen was changed here and taken out elsewhere, or (`mine`) the other way about; with what it had here
 * @typedef {{note?: string, tags?: string[], up?: Direction, track?: string, complete?: boolean, gone?: boolean}} Said
 *   of a picture, or of a specimen, as a whole
 * @typedef {{id: string, before: Points, after: Points, said?: {before: Said, after: Said}}} Part
 * @typedef {Part & {what: string, merge: string, more?: Part[]}} Change  `more`: of other specimens, in the same step
 */

const LONGEST_WAIT = 15;
const OURS_KEPT = 50; // values of one landmark while the server is away
const AT_ONCE = 6; // requests on their way: browsers refuse more than a little that outlives the page, of all together
const KEEPALIVE_BYTES = 30000; // browsers refuse bigger requests that outlive the page

/** Whether two points (or nulls, for no label) are the same label. @param {Point|null|undefined} a
 *  @param {Point|null|undefined} b */
export function same(a, b) {
  if (!a || !b) return !a && !b;
  return a.state === b.state && close(a.x, b.x) && close(a.y, b.y) && Boolean(a.accepted) === Boolean(b.accepted);
}

/** No direction: nothing is said of which way is up, or that is taken back. @type {Direction} */
export const NOWHERE = {x: 0, y: 0};

/** What is changed of what is said of a picture as a whole, and what that was; null if nothing is. A specimen that is
 *  taken out leaves its name behind.
 *  @param {PictureLabels|null} now @param {MarksChange} change @returns {{before: Said, after: Said}|null} */
export function saidOf(now, {note, tags, up, track, complete, gone}) {
  if (!now || [note, tags, up, track, complete, gone].every((value) => value === undefined)) return null;
  const called = track !== undefined || gone;
  return {
    before: {...note !== undefined && {note: now.note}, ...tags && {tags: now.tags}, ...up && {up: now.up ?? NOWHERE},
      ...called && {track: now.track}, ...complete !== undefined && {complete: now.complete},
      ...gone !== undefined && {gone: now.gone}},
    after: {...note !== undefined && {note}, ...tags && {tags}, ...up && {up}, ...called && {track: gone ? '' : track},
      ...complete !== undefined && {complete}, ...gone !== undefined && {gone}},
  };
}

/** That part of what was said of a picture that nobody has changed since. @param {PictureLabels|null} now
 *  @param {{from: Said, to: Said}} said @returns {Said} */
export function unsaid(now, {from, to}) {
  /** @type {Said} */
  const out = {};
  if (to.note !== undefined && now?.note === from.note) out.note = to.note;
  if (to.tags && sameTags(now?.tags ?? [], from.tags ?? [])) out.tags = to.tags;
  if (to.up && sameUp(now?.up, from.up)) out.up = to.up;
  if (to.track !== undefined && (now?.track ?? '') === from.track) out.track = to.track;
  if (to.complete !== undefined && now?.complete === from.complete) out.complete = to.complete;
  if (to.gone !== undefined && Boolean(now?.gone) === from.gone) out.gone = to.gone;
  return out;
}

/** Whether two lists hold the same tags. @param {string[]} a @param {string[]} b */
const sameTags = (a, b) => a.length === b.length && a.every((tag) => b.includes(tag));

/** @param {Direction|null|undefined} a @param {Direction|null|undefined} b */
const sameUp = (a, b) => Math.hypot((a?.x ?? 0) - (b?.x ?? 0), (a?.y ?? 0) - (b?.y ?? 0)) < 1e-6;

/** The file keeps fewer digits than JavaScript; a thousandth of a pixel is nobody's change.
 *  @param {number|null} a @param {number|null} b */
const close = (a, b) => a === b || Math.abs(Number(a) - Number(b)) < 1e-3;

class Entry {
  constructor() {
    /** @type {PictureLabels|null} */
    this.known = null;
    /** @type {Map<string, Touched>} */
    this.touched = new Map();
    /** @type {Marks} */
    this.marks = {};
    this.sending = false;
    /** goes up with every state heard of, and every request begun */
    this.told = 0;
    /** told by an event while our own request was under way: looked at once that is answered
     *  @type {PictureLabels|null} */
    this.held = null;
    /** why the server will not take it; null while it may still @type {string|null} */
    this.refused = null;
    /** the labels as they are shown; null: to be put together anew @type {PictureLabels|null} */
    this.shown = null;
  }

  get dirty() {
    return this.changes > 0;
  }

  /** How many changes the server does not have yet. */
  get changes() {
    return this.touched.size + Object.keys(this.marks).length;
  }

  /** A specimen that is to be made, or to be taken out, and is so on the server: nothing of that is left to do. */
  settle() {
    const {known, marks} = this;
    if (!known || this.sending) return;
    if (marks.gone && marks.gone.value === Boolean(known.gone)) delete marks.gone;
    if (!known.gone || marks.gone) return;
    this.touched.clear();
    delete marks.track;
  }
}

/** The server's labels with our changes on top. @param {PictureLabels} known
 *  @param {Pick<Entry, 'touched'|'marks'>} ours
 *  @returns {PictureLabels} */
function shownOf(known, {touched, marks}) {
  const gone = marks.gone?.value ?? known.gone;
  const points = gone ? {} : {...known.points};
  for (const [name, {value}] of gone ? [] : touched) {
    if (value) points[name] = value;
    else delete points[name];
  }
  const {checked = known.checked, note, tags, up = known.up ?? null} = marks;
  return {...known, points, checked, note: note?.value ?? known.note, tags: tags?.value ?? known.tags,
    up: up && (up.x || up.y) ? up : null, track: gone ? '' : marks.track ?? known.track,
    complete: marks.complete ?? known.complete, gone};
}

/**
 * Tells of `labels` (as shown) whenever what is shown of a picture changes, of `status` when the save state may
 *  have, and
 * of each `conflict`.
 * @extends {Bus<{labels: PictureLabels, status: null, conflict: Conflict}>}
 */
export class Outbox extends Bus {
  /**
   * @param {Api} api
   * @param {string} place  what distinguishes this label file from others edited at this address
   */
  constructor(api, place) {
    super();
    this.api = api;
    this.prefix = `lead.outbox|${place}|`;
    /** whether pictures show several specimens */
    this.several = false;
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
    /** by picture, the keys of its specimens, in order @type {Map<string, string[]>} */
    this.keys = new Map();
    /** pictures of which something changed while much is done together, to be told of at its end; null else
     *  @type {Set<string>|null} */
    this.changed = null;
    /** pictures that are being read to be compared with @type {Map<string, Promise<unknown>>} */
    this.loading = new Map();
    /** how many requests are on their way, and what waits for one of them to come back */
    this.flying = 0;
    /** @type {Set<string>} */
    this.waiting = new Set();
    this.keepSoon = throttle(() => this.keep(), 500);
    this.stored = true;
    this.problem = '';
    this.attempts = 0;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.tab = '';
    this.ready = false;
    api.on('connection', () => {
      if (api.connection === 'open') this.retry();
    });
    addEventListener('pagehide', () => {
      if (this.ready) this.flush();
    });
    addEventListener('beforeunload', (event) => {
      if (this.changes() && !this.stored) event.preventDefault();
    });
  }

  // --- what is shown -------------------------------------------------------------------------------------------------

  /** What is shown of a picture, or of a specimen: the server's state with our changes on top. Null before it was
   *  loaded. @param {string} id @returns {PictureLabels|null} */
  labels(id) {
    const entry = this.entries.get(id);
    if (!entry?.known) return null;
    entry.shown ??= shownOf(entry.known, entry);
    return entry.shown;
  }

  /** The specimens of a picture, where it shows several: as the file has them, then those made since.
   *  @param {string} id @returns {PictureLabels[]} */
  specimens(id) {
    return (this.keys.get(id) ?? []).flatMap((key) => {
      const labels = this.labels(key);
      return labels && !labels.gone ? [labels] : [];
    });
  }

  /** Reads a picture from the server, its `labels` as shown here. @param {string} key  of it, or of a specimen on it */
  async load(key) {
    const id = pictureOf(key);
    const entry = this.entry(id);
    const keys = [id, ...this.keys.get(id) ?? []];
    const before = new Map(keys.map((each) => [each, this.entry(each).told]));
    const detail = await this.api.get(`/pictures/${id}`);
    const specimens = detail.specimens ?? [];
    // If the server told of something else while this was under way, this may be older: then only versions count.
    const fresh = (/** @type {string} */ each) => before.get(each) === this.entry(each).told;
    /** @type {string|null} */
    let moved = null;
    this.together(() => {
      if (this.isMisplaced(id)) moved = this.moveToSpecimen(id, specimens[0]?.id ?? null);
      this.adopt(id, detail.labels, entry === this.entries.get(id) && fresh(id));
      for (const labels of specimens) this.adopt(labels.id, labels, fresh(labels.id));
      const there = specimens.map((labels) => labels.id);
      // Where a picture shows one, those that are not sent yet wait until it may show several again.
      const others = this.several ? keys.slice(1).filter((each) => !there.includes(each)) : [];
      for (const each of others) if (!this.entry(each).known?.gone) this.adopt(each, absent(each), fresh(each));
      const since = (this.keys.get(id) ?? []).filter((each) => !there.includes(each));
      if (since.length || there.length) this.keys.set(id, [...there, ...since]);
    });
    if (moved) this.send(moved);
    return {...detail, labels: this.labels(id) ?? detail.labels, specimens: this.specimens(id)};
  }

  /** The same, if that is not under way: many specimens may want to know of their picture. @param {string} id */
  loadOnce(id) {
    const loading = this.loading.get(id) ?? this.load(id).finally(() => this.loading.delete(id));
    this.loading.set(id, loading);
    return loading;
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  /** A specimen's labels, to be changed: those of none, if there is none of that key on a picture that is loaded.
   *  @param {string} key */
  expect(key) {
    if (isSpecimen(key) && this.entries.get(pictureOf(key))?.known) this.entry(key).known ??= absent(key);
    return this.labels(key);
  }

  /**
   * Changes landmarks of a picture, or a specimen, that is loaded; a null point takes the label away.
   * @param {string} id
   * @param {Points} points
   * @param {MarksChange} [marks]
   */
  change(id, points, {checked, note, tags, up, track, complete, gone} = {}) {
    this.expect(id);
    const entry = this.entry(id);
    const {known, marks} = entry;
    if (!known) throw new Error(`picture ${id} is not loaded`);
    const shown = this.labels(id) ?? known;
    for (const [name, value] of Object.entries(points)) {
      const before = entry.touched.get(name);
      const ours = before ? [...before.ours, before.value].slice(-OURS_KEPT) : [known.points[name] ?? null];
      entry.touched.set(name, {value, ours});
    }
    if (checked !== undefined) marks.checked = checked;
    if (note !== undefined) {
      const ours = marks.note ? [...marks.note.ours, marks.note.value].slice(-OURS_KEPT) : [known.note];
      marks.note = {value: note, ours};
    }
    if (tags !== undefined) marks.tags = {value: tags, base: marks.tags?.base ?? known.tags};
    if (up !== undefined) marks.up = up;
    if (track !== undefined) marks.track = track;
    if (complete !== undefined) marks.complete = complete;
    if (gone !== undefined) marks.gone = {value: gone, ours: shown.points, tracks: [known.track, shown.track]};
    if (gone) {
      entry.touched.clear();
      delete marks.track;
    }
    entry.settle();
    entry.refused = null;
    entry.shown = null;
    this.keep();
    this.show(id);
    this.send(id);
  }

  /** Several changes at once. @param {{id: string, points: Points, marks?: MarksChange}[]} changes */
  changeAll(changes) {
    this.together(() => {
      for (const {id, points, marks} of changes) this.change(id, points, marks);
    });
  }

  /** How many changes (landmarks, notes …) the server does not have yet. */
  changes() {
    let n = 0;
    for (const entry of this.entries.values()) n += entry.changes;
    return n;
  }

  /** @returns {{state: 'saved'|'saving'|'unsaved', changes: number, reason: string, refused: {id: string, error:
   *  string}[]}} */
  status() {
    const changes = this.changes();
    const refused = [...this.entries].flatMap(([id, e]) => e.refused ? [{id, error: e.refused}] : []);
    const reason = refused[0]?.error ?? this.problem;
    return {state: !changes ? 'saved' : reason ? 'unsaved' : 'saving', changes, reason, refused};
  }

  /** Waits until all is saved; false if that fails. */
  async flushed() {
    const until = Date.now() + 5000;
    while (this.changes()) {
      if (this.status().state === 'unsaved' || Date.now() > until) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  }

  /** Sends all again at once, also what was refused. */
  retry() {
    this.attempts = 0;
    for (const entry of this.entries.values()) entry.refused = null;
    this.flush();
  }

  /** Gives up our changes of a picture. @param {string} id */
  discard(id) {
    const entry = this.entry(id);
    entry.touched.clear();
    entry.marks = {};
    entry.refused = null;
    entry.shown = null;
    this.keep();
    this.show(id);
  }

  // --- the server's side ---------------------------------------------------------------------------------------------

  /** The server told of a picture's new state, or of a specimen's. @param {PictureLabels} labels */
  receive(labels) {
    this.expect(labels.id); // one that was made elsewhere, on a picture that is known here
    const entry = this.entries.get(labels.id);
    if (entry?.sending) entry.held = labels;
    else if (entry?.known) this.adopt(labels.id, labels, false);
    else this.emit('labels', labels);
  }

  /** Everything known may be out of date: forgets what is not on its way. Pictures shown have to be loaded again. */
  forget() {
    for (const [id, entry] of this.entries) if (!entry.dirty && !entry.sending) this.entries.delete(id);
    for (const [id, keys] of this.keys) this.keys.set(id, keys.filter((key) => this.entries.has(key)));
  }

  /** Takes over the server's state of a picture and puts our changes on top, except where both changed a landmark.
   *  @param {string} id @param {PictureLabels} labels @param {boolean} force */
  adopt(id, labels, force) {
    const entry = this.entry(id);
    const {known} = entry;
    if (entry.sending || (!force && known && !known.gone && labels.version <= known.version)) return;
    const gone = adoptGone(entry, labels);
    const conflicts = [];
    for (const [name, {value, ours}] of labels.gone ? [] : entry.touched) {
      const theirs = labels.points[name] ?? null;
      if (!same(theirs, value) && ours.some((point) => same(theirs, point))) continue;
      entry.touched.delete(name);
      if (!same(theirs, value)) conflicts.push({name, mine: value, theirs});
    }
    const {marks} = entry;
    if (marks.checked === labels.checked) delete marks.checked;
    if (sameUp(marks.up, labels.up)) delete marks.up;
    if (marks.track === labels.track) delete marks.track;
    if (marks.complete === labels.complete) delete marks.complete;
    const note = adoptNote(marks, labels.note);
    adoptTags(marks, labels.tags);
    entry.known = labels;
    entry.settle();
    entry.shown = null;
    entry.told += 1;
    this.keep();
    this.show(id);
    if (conflicts.length || note || gone) {
      this.emit('conflict', {id, points: conflicts, ...(note ? {note} : {}), ...(gone ? {gone} : {})});
    }
    if (entry.dirty && !entry.refused) this.send(id);
  }

  /** Whether landmarks of a picture were changed while it showed one specimen, and now it may show several.
   *  @param {string} id */
  isMisplaced(id) {
    const {touched, marks} = this.entry(id);
    return this.several && !isSpecimen(id) && (touched.size > 0 || marks.checked !== undefined);
  }

  /** Returns the key of the specimen that the changes are of now, if any.
   *  @param {string} id @param {string|null} first  key of the picture's first specimen; null: one is to be made */
  moveToSpecimen(id, first) {
    const from = this.entry(id);
    if (from.sending) return null; // what comes of that is not known yet
    const {touched, marks: {checked}} = from;
    from.touched = new Map();
    delete from.marks.checked;
    from.shown = null;
    const key = first ?? freshKey(id);
    const to = this.entry(key);
    to.shown = null;
    if (first === null) {
      if (![...touched.values()].some(({value}) => value)) return null;
      to.known = absent(key);
      to.marks.gone = {value: false, ours: {}};
    }
    for (const [name, change] of touched) if (!to.touched.has(name)) to.touched.set(name, change);
    if (checked !== undefined) to.marks.checked = checked;
    this.show(key);
    return key;
  }

  /** @param {string} id */
  async send(id) {
    const entry = this.entry(id);
    if (entry.sending || !entry.dirty || entry.refused) return;
    if (!entry.known || this.isMisplaced(id)) {
      this.loadOnce(pictureOf(id)).catch((error) => this.fail(entry, error));
      return;
    }
    if (this.flying >= AT_ONCE) {
      this.waiting.add(id);
      return;
    }
    const {checked, note, tags, up, track, complete, gone} = entry.marks;
    const sent = new Map(gone?.value ? [] : entry.touched);
    /** @type {LabelsChange} */
    const change = {base: entry.known.gone ? 0 : entry.known.version, remove: Boolean(gone?.value),
      points: Object.fromEntries([...sent].map(([name, {value}]) => [name, value]))};
    const marks = {checked, note: note?.value, tags: tags?.value, up, track, complete};
    for (const [key, value] of Object.entries(marks)) if (value !== undefined) Object.assign(change, {[key]: value});
    entry.sending = true;
    entry.told += 1;
    this.flying += 1;
    this.emit('status', null);
    try {
      const keepalive = JSON.stringify(change).length < KEEPALIVE_BYTES;
      const labels = await this.api.patch(`/pictures/${id}/labels`, change, {keepalive})
        .finally(() => this.flying -= 1);
      this.acknowledge(id, entry, sent, marks, labels);
    } catch (error) {
      entry.sending = false;
      if (error instanceof ApiError && error.status === 409 && error.body?.labels) {
        this.adopt(id, error.body.labels, true);
      } else if (this.isMisplaced(id)) this.later();
      else this.fail(entry, error);
    }
    const {held} = entry;
    entry.held = null;
    if (held) this.adopt(id, held, false);
    const [next] = this.waiting;
    this.waiting.delete(next);
    if (next !== undefined) this.send(next);
    this.emit('status', null);
  }

  /** @param {string} id @param {Entry} entry @param {Map<string, Touched>} sent @param {MarksChange} marks  sent
   *  @param {PictureLabels} labels */
  acknowledge(id, entry, sent, marks, labels) {
    entry.sending = false;
    entry.told += 1;
    entry.known = labels;
    for (const [name, {value}] of sent) {
      const now = entry.touched.get(name);
      if (now && now.value === value) entry.touched.delete(name); // else it was changed again meanwhile
      else if (now) now.ours = [value];
    }
    const now = entry.marks;
    if (now.checked === marks.checked) delete now.checked;
    if (now.up === marks.up) delete now.up;
    if (now.track === marks.track) delete now.track;
    if (now.complete === marks.complete) delete now.complete;
    if (now.note && now.note.value === marks.note) delete now.note;
    else if (now.note && marks.note !== undefined) now.note.ours = [marks.note];
    if (now.tags && now.tags.value === marks.tags) delete now.tags;
    else if (now.tags) now.tags.base = labels.tags;
    entry.settle();
    entry.shown = null;
    this.problem = '';
    this.attempts = 0;
    // Of many, what has arrived may be kept a moment longer: sent again, it would say what stands there already.
    if (this.waiting.size) this.keepSoon();
    else this.keep();
    this.show(id);
    if (entry.dirty) this.send(id);
  }

  /** @param {Entry} entry @param {unknown} error */
  fail(entry, error) {
    const status = error instanceof ApiError ? error.status : 0;
    const forGood = status >= 400 && status < 500 && ![401, 403, 408, 409, 429].includes(status);
    if (forGood) entry.refused = wordsOf(error);
    else {
      this.waiting.clear(); // all is tried again later
      this.problem = status === 403 || status === 401
        ? 'The server was started anew and wants the URL that it printed then.'
        : wordsOf(error);
      if (status !== 403 && status !== 401) this.later();
    }
    this.emit('status', null);
  }

  later() {
    if (this.timer) return;
    const wait = Math.min(LONGEST_WAIT, 2 ** this.attempts);
    this.attempts += 1;
    this.timer = setTimeout(() => this.flush(), wait * 1000);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const id of this.entries.keys()) this.send(id);
  }

  // --- surviving the page --------------------------------------------------------------------------------------------

  /** Takes up what this tab, before a reload, and tabs that are gone left behind. Call once, before anything is
   *  changed. */
  async start() {
    this.tab = await claimTab(this.prefix);
    this.take(this.prefix + this.tab);
    this.ready = true;
    for (const key of lasting.keys()) {
      if (!key.startsWith(this.prefix) || key === this.prefix + this.tab) continue;
      // The lock is granted when the tab that left these is gone; without locks (no secure context) there is no
      // telling.
      if (navigator.locks) {
        navigator.locks.request(key, () => {
          this.take(key);
          this.flush();
        });
      } else this.take(key);
    }
    this.flush();
  }

  /** @param {string} key */
  take(key) {
    /** @type {Record<string, {touched: Record<string, Touched>} & Marks>} */
    const left = lasting.value(key, {});
    for (const [id, {touched, ...marks}] of Object.entries(left)) {
      const entry = this.entry(id);
      entry.known = null; // to be loaded, and compared with, before these are sent
      for (const [name, t] of Object.entries(touched)) if (!entry.touched.has(name)) entry.touched.set(name, t);
      entry.marks = {...marks, ...entry.marks};
      entry.shown = null;
    }
    if (key !== this.prefix + this.tab) {
      lasting.keep(key, null);
      this.keep();
    }
  }

  keep() {
    if (this.changed) return;
    const left = [...this.entries].filter(([, entry]) => entry.dirty).map((
      [id, {touched, marks}],
    ) => [id, {touched: Object.fromEntries(touched), ...marks}]);
    // What is not kept, where the browser is full or keeps nothing, lives as long as this page.
    this.stored = lasting.keep(this.prefix + this.tab, left.length ? Object.fromEntries(left) : null);
    this.emit('status', null);
  }

  /** @param {string} id */
  entry(id) {
    let entry = this.entries.get(id);
    if (entry) return entry;
    this.entries.set(id, entry = new Entry());
    if (isSpecimen(id)) {
      const keys = this.keys.get(pictureOf(id)) ?? [];
      if (!keys.includes(id)) this.keys.set(pictureOf(id), [...keys, id]);
    }
    return entry;
  }

  /** Does much at once, and keeps and tells of it at its end, once for each picture. @param {() => void} work */
  together(work) {
    if (this.changed) {
      work();
      return;
    }
    const changed = this.changed = new Set();
    try {
      work();
    } finally {
      this.changed = null;
      this.keep();
      for (const id of changed) this.show(id);
    }
  }

  /** @param {string} id */
  show(id) {
    if (this.changed) this.changed.add(pictureOf(id));
    else {
      const labels = this.labels(id);
      if (labels) this.emit('labels', labels);
    }
  }
}

/** Takes over that a specimen is there, or is not. Returns what was said of that here, if it was otherwise.
 *  @param {Entry} entry @param {PictureLabels} labels @returns {Conflict['gone']|null} */
function adoptGone({known, touched, marks}, labels) {
  const {gone} = marks;
  if (gone?.value === false) return null; // it is being made
  if (!labels.gone) {
    const changed = gone && (gone.tracks?.includes(labels.track) === false
      || [...Object.keys(gone.ours), ...Object.keys(labels.points)].some((name) =>
        !same(gone.ours[name], labels.points[name])
      ));
    if (!changed) return null;
    delete marks.gone;
    return {mine: true, points: {}, track: ''};
  }
  const mine = touched.size || marks.track !== undefined;
  const {points, track} = shownOf(known ?? {...absent(labels.id), gone: false}, {touched, marks});
  touched.clear();
  delete marks.track;
  delete marks.gone;
  return mine ? {mine: false, points, track} : null;
}

/** Returns what both have written, if they have. @param {Marks} marks @param {string} theirs */
function adoptNote(marks, theirs) {
  const {note} = marks;
  if (!note || (theirs !== note.value && note.ours.includes(theirs))) return null;
  delete marks.note;
  return theirs === note.value ? null : {mine: note.value, theirs};
}

/** @param {Marks} marks @param {string[]} theirs */
function adoptTags(marks, theirs) {
  const {tags} = marks;
  if (!tags) return;
  const {base, value} = tags;
  const joined = [...theirs.filter((tag) => value.includes(tag) || !base.includes(tag)),
    ...value.filter((tag) => !base.includes(tag) && !theirs.includes(tag))];
  if (sameTags(joined, theirs)) delete marks.tags;
  else marks.tags = {value: joined, base: theirs};
}

/** This tab's name, the same after a reload; a duplicated tab gets its own. Held, by a lock, for as long as the tab
 *  lives.
 *  @param {string} prefix */
async function claimTab(prefix) {
  const fresh = () => Math.random().toString(36).slice(2, 10);
  let tab = passing.text('lead.tab') ?? fresh();
  while (!(await hold(prefix + tab))) tab = fresh();
  passing.keep('lead.tab', tab);
  return tab;
}

/** @param {string} name @returns {Promise<boolean>} */
function hold(name) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks.request(name, {ifAvailable: true}, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {}); // until the page goes
    });
  });
}

/** What was changed in this session, to go back and forth in, across pictures and reloads. */
export class Undo {
  /** @param {string} place */
  constructor(place) {
    this.key = `lead.undo|${place}`;
    const {done, undone} = passing.value(this.key, {done: [], undone: []});
    /** @type {Change[]} */
    this.done = done;
    /** @type {Change[]} */
    this.undone = undone;
    this.at = 0;
    /** how many there were when the view on show was opened */
    this.entered = {done: done.length, undone: undone.length};
  }

  /** A view is opened: what is changed from now on is changed in it. */
  enter() {
    this.entered = {done: this.done.length, undone: this.undone.length};
  }

  /** Whether the change that `step` would take was made, or undone, in the view on show. @param {boolean} forward */
  madeHere(forward) {
    return forward
      ? this.undone.length > this.entered.undone
      : this.done.length > this.entered.done;
  }

  /** @param {Omit<Change, 'merge'>} change
   *  @param {string} [merge]  changes in a row (within a second) with the same `merge` are undone as one, e.g.
   *  nudges */
  record(change, merge = '') {
    const last = this.done.at(-1);
    const now = Date.now();
    if (merge && last?.merge === merge && last.id === change.id && !last.more && now - this.at < 1000) {
      last.after = change.after;
      if (last.said && change.said) last.said.after = change.said.after;
    } else this.done.push({...change, merge});
    this.at = now;
    this.undone = [];
    this.entered.undone = 0;
    this.done = this.done.slice(-500);
    this.keep();
  }

  /** Moves the last change to the other side and returns it, as what to set now: `{id, from, to, said, what}`, with
   *  `more` of other specimens. @param {boolean} forward */
  step(forward) {
    const [source, target] = forward ? [this.undone, this.done] : [this.done, this.undone];
    const change = source.pop();
    if (!change) return null;
    target.push({...change, merge: ''});
    this.keep();
    const {what, more} = change;
    return {what, ...turned(change, forward), ...more && {more: more.map((part) => turned(part, forward))}};
  }

  /** A picture or landmark that is gone takes its changes with it. */
  clear() {
    this.done = [];
    this.undone = [];
    this.enter();
    this.keep();
  }

  keep() {
    passing.keep(this.key, {done: this.done, undone: this.undone});
  }
}

/** What to set now, to go forward or back. @param {Part} part @param {boolean} forward */
function turned({id, before, after, said}, forward) {
  const [from, to] = forward ? [before, after] : [after, before];
  if (!said) return {id, from, to};
  return {id, from, to, said: forward ? {from: said.before, to: said.after} : {from: said.after, to: said.before}};
}
