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
 * `app.on`, `app.keys` or `app.every` inside `mount` (before its first await) is undone at unmount by itself. A view
 * shows `emptyState(…)` (dom.js) while it has nothing to show.
 *
 * `app` offers
 *   app.api                    requests (api.js): get, post, put, patch, url, image(id, side), tile(id, column, row)
 *   app.state                  State of messages.py, kept up to date by events
 *   app.pictures               list of Picture, kept up to date; app.picture(id)
 *   app.landmarks()            Landmarks; app.colour(name)
 *   app.route                  {name, id} of what is shown; app.go('label', id) goes elsewhere; app.href('label', id)
 *   app.on(kind, fn) → off     kinds: the server's labels (as shown here, own changes included), landmarks, model,
 *                              training, problem, restored; and state, pictures, connection, status (saving), theme,
 *                              back (read everything anew)
 *   app.keys(fn) → off         fn(event) for keys not typed in a field or a dialog; return true if it was yours
 *   app.every(ms, fn) → off    an interval
 *   app.load(id)               PictureDetail with the labels as shown (also makes app.labels(id) known)
 *   app.labels(id)             PictureLabels as shown, null before load
 *   app.change(id, points, {what, merge, checked})   changes labels of a loaded picture: saved at once, can be undone
 *   app.undo() / app.redo()
 *   app.toast(text, kind, action)   kind: 'info' | 'good' | 'bad'; action: {label, run}
 *   app.report(error)          shows an error as a toast; use as `.catch(app.report)`
 *   app.outbox.flushed()       wait for it before what depends on all labels being on the server (export, landmarks)
 *   app.reload()               reads state and pictures anew
 */

import {Api, ApiError} from './api.js';
import {emptyState, h, isTyping, throttle} from './dom.js';
import {Outbox, same, Undo} from './outbox.js';
import {Banners, TopBar} from './top.js';

/** Route name → module. */
const VIEWS = {label: './label.js', landmarks: './landmarks.js', features: './setup.js', review: './review.js',
  disputes: './review.js', explore: './explore.js', export: './export.js'};
const FEW_PICTURES = 2000; // up to here the whole list is cheap to read again

class App {
  constructor() {
    this.api = new Api();
    this.bus = new EventTarget();
    this.root = document.getElementById('view');
    /** @type {object|null} State of messages.py */
    this.state = null;
    /** for each reading of the state that is under way, the parts of it that events told of meanwhile */
    this.readings = new Set();
    /** @type {object[]} list of Picture */
    this.pictures = [];
    this.index = new Map();
    this.route = {name: '', id: null};
    /** PictureDetail of the picture in the label view; null elsewhere */
    this.shown = null;
    /** id of the picture labelled last */
    this.last = null;
    this.view = null;
    this.scope = null;
    this.report = this.report.bind(this);
    this.rereadPictures = throttle(() => this.readPictures().catch(() => {}), 1500);
    this.rereadManyPictures = throttle(() => this.readPictures().catch(() => {}), 10000);
  }

  async start() {
    this.applyTheme();
    this.banners = new Banners(this);
    for (const kind of ['connection', 'landmarks', 'model', 'training', 'problem', 'restored', 'back']) {
      this.api.addEventListener(kind, (event) => this.heard(kind, event.detail));
    }
    this.api.addEventListener('opened', () => this.readAll().catch(() => {})); // what changed since the first reading
    this.api.addEventListener('labels', (event) => this.outbox?.receive(event.detail));
    document.addEventListener('keydown', (event) => this.pressed(event));
    addEventListener('hashchange', () => this.navigate());
    await this.readFirst();
    this.outbox = new Outbox(this.api, this.state.label_file);
    this.history = new Undo(this.state.label_file);
    this.outbox.addEventListener('labels', (event) => {
      this.count(event.detail);
      this.emit('labels', event.detail);
    });
    this.outbox.addEventListener('status', () => this.emit('status', null));
    this.outbox.addEventListener('conflict', (event) => this.conflict(event.detail));
    this.top = new TopBar(this);
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
            this.root.replaceChildren(emptyState('The studio cannot start', error.message));
          }
          await new Promise((resolve) => setTimeout(resolve, 3000));
        } else await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  // --- state ---------------------------------------------------------------------------------------------------------

  async readAll() {
    const news = new Set();
    this.readings.add(news);
    try {
      const [state] = await Promise.all([this.api.get('/state'), this.readPictures()]);
      // What was told while this was under way is newer than what was read.
      for (const kind of news) if (this.state && kind in state) state[kind] = this.state[kind];
      if (news.has('problem')) state.foreign = this.state?.foreign ?? state.foreign;
      this.setState(state);
    } finally {
      this.readings.delete(news);
    }
  }

  async readPictures() {
    this.pictures = await this.api.get('/pictures');
    this.index = new Map(this.pictures.map((p, i) => [p.id, i]));
    for (const entry of this.outbox?.entries.keys() ?? []) {
      const labels = this.outbox.labels(entry);
      if (labels) this.count(labels, false);
    }
    this.tally();
    this.emit('pictures', this.pictures);
  }

  async reload() {
    await this.readAll();
    this.emit('back', null);
  }

  setState(state) {
    const {landmarks} = state;
    if (this.state) state.landmarks = this.state.landmarks;
    this.state = state;
    this.tally();
    this.newLandmarks(landmarks);
    document.title = `${state.folder.split(/[\\/]/).filter(Boolean).at(-1) ?? 'pictures'} · lead studio`;
    this.emit('model', state.model);
    this.emit('state', state);
  }

  heard(kind, detail) {
    if (kind === 'connection') {
      this.emit(kind, detail);
      return;
    }
    if (!this.state) return;
    for (const news of this.readings) news.add(kind);
    if (kind === 'back' || kind === 'restored') {
      this.reload().catch(() => {});
      return;
    }
    if (kind === 'landmarks') {
      this.newLandmarks(detail);
      return;
    }
    if (kind === 'model') {
      const fitted = detail.model !== this.state.model.model;
      this.state.model = detail;
      if (fitted) (this.pictures.length <= FEW_PICTURES ? this.rereadPictures : this.rereadManyPictures)();
    }
    if (kind === 'training') this.state.training = detail;
    if (kind === 'problem') Object.assign(this.state, {problem: detail.problem, foreign: Boolean(detail.foreign)});
    this.emit(kind, detail);
    this.emit('state', this.state);
  }

  /** Names may have changed: labels known here are under the old ones. */
  newLandmarks(landmarks) {
    if (landmarks.version === this.state.landmarks.version) return;
    const names = new Set(landmarks.landmarks.map((l) => l.name));
    // it is about names that are no more
    if (this.state.landmarks.landmarks.some((l) => !names.has(l.name))) this.history?.clear();
    this.state.landmarks = landmarks;
    this.outbox?.forget();
    this.outbox?.retry();
    this.rereadPictures();
    this.emit('landmarks', landmarks);
    this.emit('state', this.state);
  }

  /** Brings the list's entry of one picture up to date. */
  count(labels, tell = true) {
    const picture = this.picture(labels.id);
    if (!picture) return;
    const labelled = Object.keys(labels.points).length;
    const complete = labelled > 0 && this.landmarks().landmarks.every((l) => labels.points[l.name]);
    if (picture.labelled === labelled && picture.complete === complete) return;
    Object.assign(picture, {labelled, complete});
    if (!tell) return;
    this.tally();
    this.emit('pictures', this.pictures);
  }

  tally() {
    if (!this.state) return;
    this.state.complete = this.pictures.filter((p) => p.complete).length;
    this.state.begun = this.pictures.filter((p) => p.labelled && !p.complete).length;
  }

  picture(id) {
    return this.pictures[this.index.get(id)] ?? null;
  }
  landmarks() {
    return this.state.landmarks;
  }
  colour(name) {
    return this.landmarks().landmarks.find((l) => l.name === name)?.colour ?? '#888888';
  }

  // --- labels --------------------------------------------------------------------------------------------------------

  load(id) {
    return this.outbox.load(id);
  }
  labels(id) {
    return this.outbox.labels(id);
  }

  /**
   * Changes labels of a loaded picture: shown and saved at once, and can be undone.
   * @param {Object<string, import('./outbox.js').Point|null>} points
   * @param {{what?: string, merge?: string, checked?: boolean}} [options]
   *   `what` in a few words; for `merge` see Undo.record
   */
  change(id, points, {what = 'change', merge = '', checked} = {}) {
    const now = this.labels(id).points;
    const names = Object.keys(points).filter((name) => !same(now[name], points[name]));
    if (!names.length && checked === undefined) return;
    const after = Object.fromEntries(names.map((name) => [name, points[name]]));
    if (names.length) {
      this.history.record({id, what, before: Object.fromEntries(names.map((name) => [name, now[name] ?? null])), after},
        merge);
    }
    this.outbox.change(id, after, checked);
  }

  undo() {
    return this.travel(false);
  }
  redo() {
    return this.travel(true);
  }

  async travel(forward) {
    const change = this.history.step(forward);
    if (!change) {
      this.toast(forward ? 'Nothing to redo.' : 'Nothing to undo.');
      return;
    }
    const {id, what, from, to} = change;
    try {
      if (!this.labels(id)) await this.load(id);
    } catch (error) {
      this.history.step(!forward); // put it back: it can be tried again
      this.report(error);
      return;
    }
    const now = this.labels(id).points;
    const names = Object.keys(to).filter((name) => same(now[name], from[name]));
    if (this.route.name === 'label' && this.route.id !== id) {
      this.go('label', id);
      this.toast(`${forward ? 'Redone' : 'Undone'}: ${what} on ${this.picture(id)?.file ?? id}`);
    }
    if (names.length < Object.keys(to).length) {
      this.toast('Some of these labels were changed elsewhere since; those were left.');
    }
    this.outbox.change(id, Object.fromEntries(names.map((name) => [name, to[name]])));
    this.emit('travelled', {id, names});
  }

  conflict({id, points}) {
    const names = points.map((p) => p.name).join(', ');
    const mine = Object.fromEntries(points.map((p) => [p.name, p.mine]));
    this.toast(
      `${names} on ${this.picture(id)?.file ?? id} was changed elsewhere at the same time; that value was kept.`,
      'bad',
      {label: 'Use mine', run: () => this.change(id, mine, {what: 'own value'})},
    );
  }

  // --- routes --------------------------------------------------------------------------------------------------------

  href(name, id) {
    return `#/${name}${id ? `/${id}` : ''}`;
  }
  go(name, id = null) {
    location.hash = this.href(name, id);
  }

  async navigate() {
    if (!this.state) return;
    const [name, id] = location.hash.replace(/^#\/?/, '').split('/');
    const route = {name: name in VIEWS ? name : 'label', id: id || null};
    const before = this.route;
    this.route = route;
    this.emit('route', route);
    if (this.view?.update && before.name === route.name) {
      this.view.update(route);
      return;
    }
    await this.show(route);
  }

  async show(route) {
    this.leave();
    const root = h('div.view', {testid: `view-${route.name}`});
    this.root.replaceChildren(root);
    let module;
    try {
      module = await import(VIEWS[route.name]);
    } catch (error) {
      console.error(error);
      if (this.route === route) {
        root.append(emptyState('Not here yet', `This part of the studio could not be loaded (${error.message}).`));
      }
      return;
    }
    if (this.route.name !== route.name || !root.isConnected) return; // gone elsewhere meanwhile
    this.scope = [];
    try {
      const mounted = module.mount(root, this, this.route);
      const view = await mounted;
      this.view = typeof view === 'function' ? {unmount: view} : view ?? {};
      if (!root.isConnected) this.view.unmount?.();
    } catch (error) {
      console.error(error);
      root.append(emptyState('This view failed', String(error.message ?? error)));
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

  on(kind, fn) {
    const listener = (event) => fn(event.detail);
    this.bus.addEventListener(kind, listener);
    return this.scoped(() => this.bus.removeEventListener(kind, listener));
  }

  every(ms, fn) {
    const timer = setInterval(fn, ms);
    return this.scoped(() => clearInterval(timer));
  }

  keys(fn) {
    this.keyHandlers ??= [];
    this.keyHandlers.unshift(fn);
    return this.scoped(() => {
      this.keyHandlers = this.keyHandlers.filter((f) => f !== fn);
    });
  }

  scoped(off) {
    this.scope?.push(off);
    return off;
  }

  emit(kind, detail) {
    this.bus.dispatchEvent(new CustomEvent(kind, {detail}));
  }

  pressed(event) {
    if (isTyping(event) || event.isComposing || document.querySelector('dialog[open]')) return;
    for (const handler of this.keyHandlers ?? []) {
      if (handler(event)) {
        event.preventDefault();
        return;
      }
    }
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (!this.state) return;
    if (command && !event.altKey && (key === 'y' || (key === 'z' && event.shiftKey))) {
      event.preventDefault();
      this.redo();
    } else if (command && !event.altKey && key === 'z') {
      event.preventDefault();
      this.undo();
    } else if (!command && !event.altKey && event.key === '?') {
      event.preventDefault();
      this.help();
    } else if (!command && !event.altKey && key === 't') {
      event.preventDefault();
      this.toggleTheme();
    }
  }

  async help() {
    const {showHelp} = await import('./help.js');
    showHelp(this);
  }

  // --- theme, toasts -------------------------------------------------------------------------------------------------

  /** @returns {'dark'|'light'} */
  theme() {
    let chosen = null;
    try {
      chosen = localStorage.getItem('lead.theme');
    } catch { /* switched off */ }
    return chosen ?? (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
  }

  applyTheme() {
    document.documentElement.dataset.theme = this.theme();
    matchMedia('(prefers-color-scheme: light)').onchange = () => this.applyTheme();
    this.emit('theme', this.theme());
  }

  toggleTheme() {
    try {
      localStorage.setItem('lead.theme', this.theme() === 'dark' ? 'light' : 'dark');
    } catch { /* not kept */ }
    this.applyTheme();
  }

  /** @param {'info'|'good'|'bad'} [kind]  @param {{label: string, run: () => void}} [action] */
  toast(message, kind = 'info', action) {
    const place = document.getElementById('toasts');
    const toast = h(`div.toast.${kind}`, {testid: 'toast'}, h('span', message));
    if (action) {
      toast.append(h('button', {testid: 'toast-action', onclick: () => {
        toast.remove();
        action.run();
      }}, action.label));
    }
    toast.append(h('button.plain', {'aria-label': 'Dismiss', onclick: () => toast.remove()}, '×'));
    for (const other of [...place.children]) if (other.firstChild.textContent === message) other.remove();
    while (place.children.length > 2) place.firstChild.remove();
    place.append(toast);
    setTimeout(() => toast.remove(), action || kind === 'bad' ? 12000 : 4000);
  }

  report(error) {
    if (error?.name === 'AbortError') return;
    console.error(error);
    if (error instanceof ApiError && [0, 401, 403].includes(error.status)) return; // the banner says so
    this.toast(String(error.message ?? error), 'bad');
  }
}

const app = new App();
window.studio = {app, canvas: null};
app.start();
