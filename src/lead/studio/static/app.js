/**
 * The page's shell: state, routes, undo, theme, banners and toasts. It is the one place that knows all views.
 *
 * HOW A VIEW IS WRITTEN. A view is a module with
 *
 *     export function mount(root, app, route) { root.append(h('div.page', …)); return () => { …unmount… }; }
 *
 * `root` is an empty <main>'s child that fills the window below the top bar; the shell empties it afterwards. `mount`
 * may be async and may also return `{unmount, update(route)}`: then a change of the id alone (`#/explore/a` →
 * `#/explore/b`) calls `update` in place of mounting anew. `route` is `{name, id}`. Everything subscribed with
 * `app.on` or `app.keys` inside `mount` (before its first await) is undone at unmount by itself. A view
 * shows `emptyState(…)` (dom.js) while it has nothing to show.
 *
 * `app` offers
 *   app.api                    requests (api.js): get, post, put, patch, url, image(id, side), tile(id, column, row)
 *   app.state                  State of messages.py, kept up to date by events
 *   app.pictures               list of Picture, kept up to date; app.picture(id)
 *   app.landmarks()            Landmarks; app.colour(name)
 *   app.route                  {name, id} of what is shown; app.go('label', id) goes elsewhere; app.href('label', id)
 *   app.on(kind, fn) → off     kinds: the server's labels (as shown here, own changes included), landmarks, model,
 *                              training, problem, folder; and state, pictures, connection, status (saving), theme,
 *                              back (read everything anew)
 *   app.keys(fn) → off         fn(event) for keys not typed in a field or a dialog; return true if it was yours
 *   app.load(id)               PictureDetail with the labels as shown (also makes app.labels(id) known)
 *   app.labels(id)             PictureLabels as shown, null before load
 *   app.change(id, points, {what, merge, checked, note, tags, up, track, complete, gone})   changes labels of a loaded
 *                              picture: saved at once; all but checked can be undone. Where pictures show several
 *                              specimens, each has a key that goes in place of the id (specimens.js)
 *   app.changeAll(changes, what)   several such changes in one step
 *   app.undo() / app.redo()
 *   app.unit()                 'px' | 'percent', what errors are said in: errorText (parts.js) goes by it, and the kind
 *                              `unit` tells of a change
 *   app.toast(text, kind, action)   kind: 'info' | 'good' | 'bad'; action: {label, run}
 *   app.report(error)          shows an error as a toast; use as `.catch(app.report)`
 *   app.outbox.flushed()       wait for it before what depends on all labels being on the server (export, landmarks)
 *   app.reload()               reads state and pictures anew
 */

import {Api, ApiError, wordsOf} from './api.js';
import {Bus} from './bus.js';
import {Conflicts} from './conflicts.js';
import {byId, emptyState, find, h, isTyping, lookUp, throttle} from './dom.js';
import {watchFolder} from './folder.js';
import {lasting} from './kept.js';
import {keys} from './keys.js';
import {Outbox, saidOf, same, Undo} from './outbox.js';
import {pictureOf} from './specimens.js';
import {Banners, TopBar} from './top.js';
import {travel, travelByKey} from './travel.js';

/**
 * @import {Action, Mounted, Route, Told} from 'types/app'
 * @import {Landmarks, Picture, PictureDetail, PictureLabels, State} from 'types/messages'
 * @import {MarksChange, Part, Points} from './outbox.js'
 */

/** Route name → module. @type {Record<string, string>} */
const VIEWS = {start: './start.js', label: './label.js', landmarks: './landmarks.js', features: './setup.js',
  review: './review.js', disputes: './review.js', explore: './explore.js', export: './export.js', film: './film.js',
  looks: './looks.js', measure: './measure.js'};
const FEW_PICTURES = 2000; // up to here the whole list is cheap to read again

/** What the first reading brings, before any view is mounted. */
const LATER = /** @type {never} */ (/** @type {unknown} */ (null));

export class App {
  constructor() {
    this.api = new Api();
    /** @type {Bus<Told>} */
    this.bus = new Bus();
    this.root = byId('view');
    /** @type {State} */
    this.state = LATER;
    /** @type {Outbox} */
    this.outbox = LATER;
    /** @type {Undo} */
    this.history = LATER;
    /** for each reading of the state that is under way, the parts of it that events told of meanwhile
     *  @type {Set<Set<string>>} */
    this.readings = new Set();
    /** @type {Picture[]} */
    this.pictures = [];
    /** @type {Map<string, number>} */
    this.index = new Map();
    /** @type {Route} */
    this.route = {name: '', id: null};
    /** the picture in the label view; null elsewhere @type {PictureDetail|null} */
    this.shown = null;
    /** the specimen that the label view begins with, on its picture @type {string|null} */
    this.chosen = null;
    /** id of the picture labelled last @type {string|null} */
    this.last = null;
    /** @type {Mounted|null} */
    this.view = null;
    /** what ends the view's subscriptions @type {(() => void)[]|null} */
    this.scope = null;
    /** @type {((event: KeyboardEvent) => boolean)[]} */
    this.keyHandlers = [];
    this.report = this.report.bind(this);
    this.rereadPictures = throttle(() => this.readPictures().catch(() => {}), 1500);
    this.rereadManyPictures = throttle(() => this.readPictures().catch(() => {}), 10000);
  }

  async start() {
    this.applyTheme();
    new Banners(this);
    this.hear();
    document.addEventListener('keydown', (event) => this.pressed(event));
    addEventListener('hashchange', () => this.navigate());
    // Its address alone would be taken for a view's.
    find(document, '.skip')?.addEventListener('click', (event) => {
      event.preventDefault();
      (find(this.root, '[data-entrance]') ?? this.root).focus();
    });
    await this.readFirst();
    this.outbox = new Outbox(this.api, this.state.label_file);
    this.outbox.several = this.state.landmarks.several;
    this.history = new Undo(this.state.label_file);
    this.outbox.on('labels', (labels) => {
      this.count(labels);
      this.bus.emit('labels', labels);
    });
    this.outbox.on('status', () => this.bus.emit('status', null));
    const conflicts = new Conflicts(this);
    this.outbox.on('conflict', (conflict) => conflicts.add(conflict));
    new TopBar(this);
    watchFolder(this);
    this.api.listen();
    await this.outbox.start();
    await this.navigate();
    // so that all views open also without the server
    for (const file of new Set(Object.values(VIEWS))) import(file).catch(() => {});
  }

  /** The first reading, tried until it works. */
  async readFirst() {
    for (;;) {
      try {
        await this.readAll();
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 0) {
          if (this.api.connection !== 'denied') {
            this.root.replaceChildren(emptyState('The studio cannot start', wordsOf(error)));
          }
          await new Promise((resolve) => setTimeout(resolve, 3000));
        } else await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  // --- state ---------------------------------------------------------------------------------------------------------

  async readAll() {
    /** @type {Set<string>} */
    const news = new Set();
    this.readings.add(news);
    try {
      const [state] = await Promise.all([this.api.get('/state'), this.readPictures()]);
      // What was told while this was under way is newer than what was read.
      if (news.has('problem')) news.add('foreign');
      Object.assign(state, Object.fromEntries(Object.entries(this.state ?? {}).filter(([part]) => news.has(part))));
      this.setState(state);
    } finally {
      this.readings.delete(news);
    }
  }

  async readPictures() {
    this.pictures = await this.api.get('/pictures');
    this.api.stamps = new Map(this.pictures.map(({id, stamp}) => [id, stamp]));
    this.index = new Map(this.pictures.map((p, i) => [p.id, i]));
    for (const id of new Set([...this.outbox?.entries.keys() ?? []].map(pictureOf))) {
      const labels = this.outbox.labels(id);
      if (labels) this.count(labels, false);
    }
    this.tally();
    this.bus.emit('pictures', this.pictures);
  }

  async reload() {
    await this.readAll();
    this.bus.emit('back', null);
  }

  /** @param {State} state */
  setState(state) {
    const {landmarks} = state;
    if (this.state) state.landmarks = this.state.landmarks;
    this.state = state;
    this.tally();
    this.newLandmarks(landmarks);
    document.title = `${state.folder.split(/[\\/]/).filter(Boolean).at(-1) ?? 'pictures'} · lead studio`;
    this.tell('model', state.model);
  }

  /** Takes what the server tells of. */
  hear() {
    const {api} = this;
    api.on('connection', () => this.bus.emit('connection', null));
    api.on('opened', () => this.readAll().catch(() => {})); // what changed since the first reading
    api.on('labels', (labels) => this.outbox?.receive(labels));
    api.on('back', () => this.heard('back', () => this.reload().catch(() => {})));
    api.on('folder', () => this.heard('folder', () => this.reload().catch(() => {})));
    api.on('restored', () => this.heard('restored', () => this.reload().catch(() => {})));
    api.on('landmarks', (landmarks) => this.heard('landmarks', () => this.newLandmarks(landmarks)));
    api.on('model', (model) =>
      this.heard('model', () => {
        const fitted = model.model !== this.state.model.model;
        this.state.model = model;
        if (fitted) (this.pictures.length <= FEW_PICTURES ? this.rereadPictures : this.rereadManyPictures)();
        this.tell('model', model);
      }));
    api.on('training', (training) =>
      this.heard('training', () => {
        this.state.training = training;
        this.tell('training', training);
      }));
    api.on('problem', (told) =>
      this.heard('problem', () => {
        Object.assign(this.state, {problem: told.problem, foreign: Boolean(told.foreign)});
        this.tell('problem', told);
      }));
  }

  /** @param {string} part  of the state @param {() => void} take */
  heard(part, take) {
    if (!this.state) return;
    for (const news of this.readings) news.add(part);
    take();
  }

  /** @template {keyof Told & string} K @param {K} kind @param {Told[K]} detail */
  tell(kind, detail) {
    this.bus.emit(kind, detail);
    this.bus.emit('state', this.state);
  }

  /** Names may have changed: labels known here are under the old ones. @param {Landmarks} landmarks */
  newLandmarks(landmarks) {
    if (landmarks.version === this.state.landmarks.version) return;
    const names = new Set(landmarks.landmarks.map((l) => l.name));
    // it is about names that are no more
    const {landmarks: before, several} = this.state.landmarks;
    if (several !== landmarks.several || before.some((l) => !names.has(l.name))) this.history?.clear();
    this.state.landmarks = landmarks;
    if (this.outbox) this.outbox.several = landmarks.several;
    this.outbox?.forget();
    this.outbox?.retry();
    this.rereadPictures();
    this.tell('landmarks', landmarks);
  }

  /** Brings the list's entry of one picture up to date. @param {PictureLabels} labels  of it, or of a specimen on it */
  count(labels, tell = true) {
    const picture = this.picture(labels.id);
    if (!picture) return;
    const {several} = this.landmarks();
    const whole = several ? this.labels(pictureOf(labels.id)) : labels;
    if (!whole) { // how many others there are, the server knows
      this.rereadPictures();
      return;
    }
    const specimens = several ? this.outbox.specimens(whole.id) : [labels];
    const points = specimens.flatMap((each) => Object.values(each.points));
    const labelled = points.length;
    const complete = several
      ? whole.complete
      : labelled > 0 && this.landmarks().landmarks.every((l) => labels.points[l.name]);
    const accepted = points.filter((point) => point.accepted).length;
    const {tags} = whole;
    const unlabelled = labelled && !complete && !several
      ? this.landmarks().landmarks.flatMap(({name}, i) => labels.points[name] ? [] : [i])
      : [];
    const now = {labelled, complete, unlabelled, accepted, tags, noted: whole.note !== '',
      ...several && {specimens: specimens.length}};
    const before = Object.fromEntries(Object.keys(now).map((key) => [key, Object(picture)[key]]));
    if (JSON.stringify(now) === JSON.stringify(before)) return;
    Object.assign(picture, now);
    if (!tell) return;
    this.tally();
    this.bus.emit('pictures', this.pictures);
  }

  tally() {
    if (!this.state) return;
    const readable = this.pictures.filter((p) => !p.unreadable);
    const skipped = (/** @type {Picture} */ p) => p.tags.includes('skip');
    this.state.skipped = readable.filter(skipped).length;
    this.state.pictures = readable.length - this.state.skipped;
    this.state.complete = readable.filter((p) => p.complete && !skipped(p)).length;
    this.state.begun = readable.filter((p) => p.labelled && !p.complete && !skipped(p)).length;
    this.state.accepted = this.pictures.reduce((sum, p) => sum + p.accepted, 0);
  }

  /** @param {string} id  of it, or the key of a specimen on it */
  picture(id) {
    return this.pictures[this.index.get(pictureOf(id ?? '')) ?? -1] ?? null;
  }
  landmarks() {
    return this.state.landmarks;
  }
  /** @param {string} name */
  colour(name) {
    return this.landmarks().landmarks.find((l) => l.name === name)?.colour ?? '#888888';
  }

  // --- labels --------------------------------------------------------------------------------------------------------

  /** @param {string} id */
  load(id) {
    return this.outbox.load(id);
  }
  /** @param {string} id */
  labels(id) {
    return this.outbox.labels(id);
  }

  /**
   * Changes labels of a loaded picture: shown and saved at once, and can be undone.
   * @param {string} id
   * @param {Points} points
   * @param {{what?: string, merge?: string} & MarksChange} [options]
   *   `what` in a few words, as in “undone: …”; for `merge` see Undo.record
   * @returns what changed, which `takeBack` of travel.js undoes by itself; null if nothing did
   */
  change(id, points, {what = 'change', merge = '', ...marks} = {}) {
    const part = this.part({id, points, marks});
    if (!part) return null;
    const change = {...part, what};
    if (Object.keys(part.after).length || part.said) this.history.record(change, merge);
    this.outbox.change(id, part.after, marks);
    return change;
  }

  /**
   * Several changes as `change` makes one, in one step to undo.
   * @param {{id: string, points: Points, marks?: MarksChange}[]} changes @param {string} what
   * @returns what changed; null if nothing did
   */
  changeAll(changes, what) {
    const made = changes.flatMap((change) => {
      const part = this.part(change);
      return part ? [{part, marks: change.marks}] : [];
    });
    if (!made.length) return null;
    const [first, ...more] = made.map(({part}) => part);
    const change = {...first, what, ...more.length && {more}};
    this.history.record(change);
    this.outbox.changeAll(made.map(({part, marks}) => ({id: part.id, points: part.after, marks})));
    return change;
  }

  /** What a change does, on one picture or specimen; null if nothing.
   *  @param {{id: string, points: Points, marks?: MarksChange}} change @returns {Part|null} */
  part({id, points, marks = {}}) {
    const labels = this.outbox.expect(id);
    const now = labels?.points ?? {};
    const names = Object.keys(points).filter((name) => !same(now[name], points[name]));
    if (!names.length && Object.values(marks).every((value) => value === undefined)) return null;
    const before = Object.fromEntries(names.map((name) => [name, now[name] ?? null]));
    const after = Object.fromEntries(names.map((name) => [name, points[name]]));
    const said = saidOf(labels, marks);
    return {id, before, after, ...said && {said}};
  }

  undo() {
    return travel(this, false);
  }
  redo() {
    return travel(this, true);
  }

  // --- routes --------------------------------------------------------------------------------------------------------

  /** @param {string} name @param {string|null} [id] */
  href(name, id) {
    return `#/${name}${id ? `/${id}` : ''}`;
  }
  /** @param {string} name @param {string|null} [id] */
  go(name, id = null) {
    location.hash = this.href(name, id);
  }

  async navigate() {
    if (!this.state) return;
    const [name, id] = location.hash.replace(/^#\/?/, '').split('/');
    const first = this.state.complete + this.state.begun ? 'label' : 'start';
    const route = {name: name in VIEWS ? name : first, id: id || null};
    const before = this.route;
    this.route = route;
    this.bus.emit('route', route);
    if (this.view?.update && before.name === route.name) {
      this.view.update(route);
      return;
    }
    await this.show(route);
  }

  /** @param {Route} route */
  async show(route) {
    this.leave();
    this.history.enter();
    const root = h('div.view', {testid: `view-${route.name}`});
    this.root.replaceChildren(root);
    let module;
    try {
      module = await import(VIEWS[route.name]);
    } catch (error) {
      console.error(error);
      if (this.route === route) {
        root.append(emptyState('Not here yet', `This part of the studio could not be loaded (${wordsOf(error)}).`));
      }
      return;
    }
    if (this.route.name !== route.name || !root.isConnected) return; // gone elsewhere meanwhile
    this.scope = [];
    try {
      const view = await module.mount(root, this, this.route);
      /** @type {Mounted} */
      const mounted = typeof view === 'function' ? {unmount: view} : view ?? {};
      this.view = mounted;
      if (!root.isConnected) mounted.unmount?.();
    } catch (error) {
      console.error(error);
      root.append(emptyState('This view failed', wordsOf(error)));
    }
  }

  leave() {
    for (const off of this.scope ?? []) off();
    this.scope = null;
    try {
      this.view?.unmount?.();
    } catch (error) {
      console.error(error);
    }
    this.view = null;
  }

  // --- events and keys -----------------------------------------------------------------------------------------------

  /** @template {keyof Told & string} K @param {K} kind @param {(detail: Told[K]) => void} fn */
  on(kind, fn) {
    return this.scoped(this.bus.on(kind, fn));
  }

  /** @param {(event: KeyboardEvent) => boolean} fn */
  keys(fn) {
    this.keyHandlers.unshift(fn);
    return this.scoped(() => {
      this.keyHandlers = this.keyHandlers.filter((f) => f !== fn);
    });
  }

  /** @param {() => void} off */
  scoped(off) {
    this.scope?.push(off);
    return off;
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (isTyping(event) || event.isComposing || document.querySelector('dialog[open]')) return;
    if (this.keyHandlers.some((handler) => handler(event)) || this.pressedAnywhere(event)) event.preventDefault();
  }

  /** @param {KeyboardEvent} event  which no view takes for its own */
  pressedAnywhere(event) {
    if (!this.state) return false;
    const {action, run} = keys.pressed(event);
    const does = lookUp({undo: () => travelByKey(this, false), redo: () => travelByKey(this, true),
      help: () => this.help(), theme: () => this.toggleTheme()}, action);
    if (run) does?.();
    return Boolean(does);
  }

  async help() {
    const {showHelp} = await import('./help.js');
    showHelp(this);
  }

  // --- unit, theme, toasts -------------------------------------------------------------------------------------------

  /** What expected errors are said in: pixels, or percent of the longer side. @returns {'px'|'percent'} */
  unit() {
    return lasting.text('lead.unit') === 'percent' ? 'percent' : 'px';
  }

  /** @param {'px'|'percent'} unit */
  setUnit(unit) {
    lasting.keep('lead.unit', unit);
    this.bus.emit('unit', unit);
  }

  /** @returns {'dark'|'light'} */
  theme() {
    const chosen = lasting.text('lead.theme');
    if (chosen === 'dark' || chosen === 'light') return chosen;
    return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  }

  applyTheme() {
    document.documentElement.dataset.theme = this.theme();
    matchMedia('(prefers-color-scheme: light)').onchange = () => this.applyTheme();
    this.bus.emit('theme', this.theme());
  }

  toggleTheme() {
    lasting.keep('lead.theme', this.theme() === 'dark' ? 'light' : 'dark');
    this.applyTheme();
  }

  /** Tells something for some seconds; what is bad and can be answered, until the person has read it.
   *  @param {string} message @param {'info'|'good'|'bad'} [kind] @param {Action} [action] */
  toast(message, kind = 'info', action) {
    const place = byId('toasts');
    const stays = Boolean(action) && kind === 'bad';
    const toast = h(`div.toast.${kind}`, {testid: 'toast'}, h('span', message));
    toast.classList.toggle('stays', stays);
    if (action) {
      toast.append(h('button', {testid: 'toast-action', onclick: () => {
        toast.remove();
        action.run();
      }}, action.label));
    }
    toast.append(h('button.plain', {'aria-label': 'Dismiss', onclick: () => toast.remove()}, '×'));
    const others = [...place.children].filter((other) => !other.classList.contains('stays'));
    for (const other of others) if (other.firstChild?.textContent === message) other.remove();
    for (const other of others.filter(({isConnected}) => isConnected).slice(0, -2)) other.remove();
    place.append(toast);
    if (!stays) setTimeout(() => toast.remove(), action || kind === 'bad' ? 12000 : 4000);
    return toast;
  }

  /** @param {unknown} error */
  report(error) {
    console.error(error);
    if (error instanceof ApiError && [0, 401, 403].includes(error.status)) return; // the banner says so
    this.toast(wordsOf(error), 'bad');
  }
}

const app = new App();
window.studio = {app, canvas: null};
app.start();
