/** The label view: pictures on the left, the one at work in the middle, its landmarks and a guide on the right. */

import {ApiError, wordsOf} from './api.js';
import {PictureCanvas} from './canvas.js';
import {ARROWS, count, emptyState, fill, h, icon, iconButton, kbd, lookUp, markCurrent, px, renew, text,
  throttle} from './dom.js';
import {clamp} from './geometry.js';
import {Guide} from './guide.js';
import {prefetch} from './images.js';
import {lasting, passing} from './kept.js';
import {marksOf} from './paint.js';
import {Panels} from './panels.js';
import {Rail} from './rail.js';
import {Tone} from './tone.js';

/**
 * @import {Route} from 'types/app'
 * @import {Child} from 'types/dom'
 * @import {Choice, Landmark, Landmarks, PictureDetail, Point, Suggestions} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Points} from './outbox.js'
 * @typedef {{item: HTMLElement, button: HTMLButtonElement, state: HTMLElement}} Row
 */

/** @param {HTMLElement} root @param {App} app @param {Route} route */
export function mount(root, app, route) {
  const view = new LabelView(root, app);
  view.open(route.id);
  return {unmount: () => view.destroy(), update: (/** @type {Route} */ next) => view.open(next.id)};
}

/** @param {number} value */
const thousandth = (value) => Math.round(value * 1000) / 1000;
const STEP = 1; // of an arrow key, in pixels of the picture
const FINE_STEP = 0.1; // with Shift
/** @type {Record<string, 'accept'|'hidden'|'absent'>} */
const ROW_ICONS = {visible: 'accept', hidden: 'hidden', absent: 'absent'};
/** @type {Record<Choice['kind'], string>} */
const REASONS = {coverage: 'Stands for many', uncertain: 'Unsure here', order: 'Next in order', none: ''};

class LabelView {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    /** the picture at work @type {PictureDetail|null} */
    this.detail = null;
    /** id of the picture asked for @type {string|null} */
    this.wanted = null;
    this.suggestions = nothing('');
    /** @type {string|null} */
    this.current = null;
    /** whether the current landmark was chosen (list, keys) and not by pressing on its point: then a click sets it
     *  anew */
    this.armed = false;
    /** whether it is simply the next one without a label */
    this.inOrder = true;
    this.hiddenNext = false;
    /** a point just pressed into the picture and not let go of yet
     *  @type {{name: string, x: number, y: number, state: 'visible'|'hidden'}|null} */
    this.placing = null;
    /** by picture, why the page suggested it @type {Map<string, Choice>} */
    this.reasons = new Map(Object.entries(passing.value('lead.reasons', {})));
    /** @type {Set<string>} */
    this.skipped = new Set();
    /** by picture, for their sizes: what was or will soon be shown @type {Map<string, PictureDetail>} */
    this.details = new Map();
    /** of the picture that probably comes next @type {Suggestions|null} */
    this.ahead = null;
    this.showSkeleton = true;
    this.leaving = false;
    this.fit = '';
    /** those that the list shows @type {Landmarks|null} */
    this.listed = null;
    /** @type {Map<string, Row>} */
    this.rows = new Map();

    this.name = h('span.ellipsis.file', {testid: 'file-name'});
    this.facts = h('span.muted.number.facts', {testid: 'picture-facts'});
    this.zoomText = h('span.zoom-text.number.muted', {testid: 'zoom'});
    this.skeletonButton = iconButton('skeleton', 'Skeleton lines', {testid: 'skeleton', 'aria-pressed': 'true',
      onclick: () => this.toggleSkeleton()}, 'S');
    this.guideButton = iconButton('guide', 'Guide picture', {testid: 'guide-toggle', 'aria-pressed': 'true',
      onclick: () => this.toggleGuide()}, 'G');
    this.hint = h('div.hint', {testid: 'hint', 'aria-live': 'polite'});
    this.notice = h('div.stage-notice', {hidden: true});
    this.reason = h('p.reason', {testid: 'reason'});
    this.mode = h('select.small', {testid: 'next-mode', 'aria-label': 'Which picture comes next',
      onchange: () => this.setMode(this.mode.value)}, h('option', {value: 'useful'}, 'the most useful'),
      h('option', {value: 'order'}, 'in the list’s order'));
    this.mode.value = lasting.text('lead.next') ?? 'useful';
    this.acceptAllButton = h('button.primary', {testid: 'accept-all', onclick: () => this.acceptAll()});
    this.waiting = h('div.notice.small', {testid: 'waiting', hidden: true});
    this.listHead = h('span.muted.number', {testid: 'landmark-count'});
    this.list = h('ol.landmarks', {testid: 'landmarks', 'aria-label': 'Landmarks'});
    this.acceptButton = action('accept', 'Accept', 'Accept the suggestion  (A)', () => this.accept());
    this.hiddenButton = action('hidden', 'Hidden', 'Hidden: there, but covered  (H)', () => this.toggleHidden());
    this.absentButton = action('absent', 'Absent', 'Absent from this picture  (X)', () => this.toggleAbsent());
    this.clearButton = action('trash', 'Clear', 'Clear: take the label away  (Delete)', () => this.clear());
    this.actions = h('div.point-actions', {role: 'group', 'aria-label': 'The current landmark'}, this.acceptButton,
      this.hiddenButton, this.absentButton, this.clearButton);

    const places = {rail: h('aside.rail', {'aria-label': 'Pictures'}), tone: h('span.tone-place'),
      canvas: h('div.canvas-place'), guide: h('div.guide')};
    root.append(h('div.label', places.rail, this.stage(places.tone, places.canvas), this.side(places.guide)));
    this.panels = new Panels(root, {rail: () => this.rail.show(this.id ?? this.wanted ?? '')});
    this.canvas = new PictureCanvas(places.canvas, app.api, {
      press: (x, y, event) => this.pressed(x, y, event),
      grab: (name) => this.select(name, false),
      drop: (name, x, y, moved) => this.dropped(name, x, y, moved),
      cancel: () => {
        this.placing = null;
        this.draw();
      },
      view: () => this.drawZoom(),
      failed: (message) => this.fail(message),
    });
    window.studio.canvas = this.canvas;
    this.rail = new Rail(places.rail, app);
    this.guide = new Guide(places.guide, app);
    this.tone = new Tone(places.tone, (filter) => {
      this.canvas.filter = filter;
      this.canvas.draw();
    });
    // A button pressed with the mouse gives the keys back to the picture.
    root.addEventListener('click', ({detail, target}) => {
      const pressed = detail > 0 && target instanceof Element && target.closest('button, a');
      if (pressed && !pressed.closest('dialog')) this.canvas.element.focus({preventScroll: true});
    });
    this.subscribe();
  }

  // --- building ------------------------------------------------------------------------------------------------------

  /** @param {HTMLElement} tone @param {HTMLElement} canvas  where these come */
  stage(tone, canvas) {
    const {app} = this;
    return h('section.stage', {'aria-label': 'Picture'},
      h('div.stage-head',
        iconButton('arrowLeft', 'Previous picture', {testid: 'prev', onclick: () => this.step(-1)}, ','),
        iconButton('arrowRight', 'Next picture', {testid: 'next', onclick: () => this.step(1)}, '.'), this.name,
        this.facts, h('span.spacer'), iconButton('undo', 'Undo', {testid: 'undo', onclick: () => app.undo()}, 'Ctrl Z'),
        iconButton('redo', 'Redo', {testid: 'redo', onclick: () => app.redo()}, 'Ctrl Shift Z'), h('span.rule'),
        h('div.stage-tools', tone, this.skeletonButton, this.guideButton, h('span.rule'),
          iconButton('minus', 'Zoom out', {testid: 'zoom-out', onclick: () => this.canvas.zoom(1 / 1.25)}, '−'),
          this.zoomText, iconButton('plus', 'Zoom in', {testid: 'zoom-in', onclick: () => this.canvas.zoom(1.25)}, '+'),
          iconButton('fit', 'Whole picture', {testid: 'fit', onclick: () => this.canvas.fit()}, 'F'))),
      h('div.canvas-frame', canvas, this.hint, this.notice));
  }

  /** @param {HTMLElement} guide  where it comes */
  side(guide) {
    return h('aside.side', {'aria-label': 'Landmarks'},
      h('div.side-top', this.reason,
        h('div.row.side-buttons', this.acceptAllButton,
          h('button', {testid: 'next-suggested', title: 'The picture that helps most  (N)',
            onclick: () => this.goSuggested()}, 'Suggest', kbd('N'))),
        h('label.row.small.muted.next-mode', 'Then comes', this.mode), this.waiting),
      h('div.side-head', h('h2', 'Landmarks'), this.listHead), this.list, this.actions, guide);
  }

  subscribe() {
    const {app} = this;
    app.on('labels', (labels) => {
      if (labels.id === this.detail?.id) {
        this.settleCurrent();
        this.draw();
      }
    });
    app.on('landmarks', () => {
      this.current = null;
      this.reopen();
    });
    app.on('back', () => this.reopen());
    const soon = throttle(() => this.readSuggestions(), 150);
    const later = throttle(() => this.readSuggestions(), 1000);
    app.on('model', ({model, stage, fitted_to: fittedTo}) => {
      const fit = [model, stage, fittedTo].join();
      if (fit !== this.fit) soon();
      else if (this.suggestions.waiting_for) later(); // progress alone changes no suggestion
      this.fit = fit;
    });
    app.on('state', () => this.drawWaiting());
    app.on('travelled', ({id, names}) => {
      if (id === this.detail?.id && names[0]) this.select(names[0], false);
    });
    app.on('theme', () => this.canvas.draw());
    app.keys((event) => this.key(event));
  }

  destroy() {
    this.canvas.destroy();
    this.rail.destroy();
    this.guide.destroy();
    this.app.shown = null;
    window.studio.canvas = null;
  }

  // --- which picture -------------------------------------------------------------------------------------------------

  get id() {
    return this.detail?.id ?? null;
  }
  get labels() {
    return (this.id && this.app.labels(this.id)?.points) || {};
  }
  get names() {
    return this.app.landmarks().landmarks.map((l) => l.name);
  }

  /** Shows a picture; without an id, the one that the page suggests. @param {string|null} id */
  async open(id) {
    const {app} = this;
    if (!app.pictures.length) {
      this.fail('There are no pictures in this folder',
        `lead studio looks for pictures in ${app.state.folder} and the folders in it.`);
      return;
    }
    if (!id || !app.picture(id)) {
      const first = await this.choose(null);
      const {name, id: since} = app.route;
      // else gone elsewhere meanwhile
      if (name === 'label' && since === id) location.replace(app.href('label', first ?? app.pictures[0].id));
      return;
    }
    this.wanted = id;
    this.rail.show(id);
    prefetch(app.api, id); // on its way while the labels are read
    const suggestions = this.fetchSuggestions(id).catch(() => null);
    const before = this.details.get(id);
    if (before && app.labels(id) && this.id !== id) this.begin(before); // at once; what the server says comes after
    let detail;
    try {
      detail = await this.load(id);
    } catch (error) {
      if (this.wanted === id && this.id !== id) this.cannotShow(id, error);
      return;
    }
    if (this.wanted !== id) return;
    this.begin(detail);
    const found = await suggestions;
    if (found && this.id === id) this.setSuggestions(found);
    this.lookAhead(id);
  }

  /** Reads a picture's labels and size, and keeps the size. @param {string} id */
  async load(id) {
    const detail = await this.app.load(id);
    this.details.delete(id);
    this.details.set(id, detail);
    if (this.details.size > 200) this.details.delete([...this.details.keys()][0]);
    return detail;
  }

  /** @param {string} id @param {unknown} error */
  cannotShow(id, error) {
    const file = this.app.picture(id)?.file ?? id;
    this.detail = null;
    this.app.shown = null;
    this.setCurrent(null, true);
    this.canvas.clear();
    text(this.name, file);
    text(this.facts, '');
    if (error instanceof ApiError && error.status === 0) {
      this.fail('Not here yet', `${file} is shown as soon as the server answers.`);
    } else {
      this.fail('This picture cannot be shown', wordsOf(error));
      this.app.rereadPictures(); // the list says so too
    }
  }

  /** @param {PictureDetail} detail */
  begin(detail) {
    const {app} = this;
    const another = this.id !== detail.id;
    this.detail = detail;
    app.shown = detail;
    app.last = detail.id;
    app.bus.emit('picture', detail);
    this.notice.hidden = true;
    if (another) {
      const {ahead} = this;
      const current = ahead?.id === detail.id && ahead.model === app.state.model.model;
      this.suggestions = ahead && current ? ahead : nothing(detail.id);
      this.placing = null;
      this.setCurrent(this.firstUnlabelled(), true);
    }
    this.canvas.open(detail);
    text(this.name, detail.file);
    this.name.title = detail.file;
    const place = (app.index.get(detail.id) ?? 0) + 1;
    text(this.facts,
      `${detail.width} × ${detail.height} · ${place.toLocaleString('en')} of ${
        app.pictures.length.toLocaleString('en')
      }`);
    this.drawReason();
    this.drawWaiting();
    this.drawZoom();
    this.draw();
  }

  /** Reads the picture on show anew: something may have changed while nobody told. */
  reopen() {
    const id = this.id ?? this.wanted;
    if (id) this.open(id);
    else this.draw();
  }

  /** @param {string} title */
  fail(title, body = '') {
    this.notice.hidden = false;
    fill(this.notice, emptyState(title, body));
    this.draw();
  }

  /** @param {number} by */
  step(by) {
    const id = this.rail.neighbour(this.id ?? this.wanted, by);
    if (id) this.app.go('label', id);
    else this.app.toast(by > 0 ? 'This is the last picture in the list.' : 'This is the first picture in the list.');
  }

  /** Asks the page which picture to label next. @returns {Promise<string|null>} its id; null if all are labelled
   *  @param {string|null} after */
  async choose(after) {
    try {
      const choice = await this.app.api.get('/next', {after,
        skip: this.skipped.size ? [...this.skipped].slice(-200) : null});
      if (choice.id) this.keepReason(choice.id, choice);
      return choice.id;
    } catch {
      return this.rail.neighbour(after, 1); // without the server, in order
    }
  }

  /** @param {string} id @param {Choice} choice */
  keepReason(id, choice) {
    this.reasons.delete(id);
    this.reasons.set(id, choice);
    passing.keep('lead.reasons', Object.fromEntries([...this.reasons].slice(-50)));
  }

  async goSuggested() {
    if (this.leaving) return;
    this.leaving = true;
    const {app} = this;
    const id = this.id ?? this.wanted;
    try {
      if (id && !app.picture(id)?.complete) this.skipped.add(id);
      await app.outbox.flushed(); // what to label next depends on what is labelled
      const next = await this.choose(id);
      if (next && next !== id) {
        this.skipped.delete(next);
        app.go('label', next);
      } else this.allDone();
    } finally {
      this.leaving = false;
    }
  }

  allDone() {
    const {app} = this;
    const left = app.pictures.filter((p) => !p.complete && !p.unreadable).length;
    if (left) {
      this.skipped.clear();
      app.toast(
        `Nothing more to suggest; ${count(left, 'picture')} in the list ${left === 1 ? 'is' : 'are'} not complete.`,
      );
    } else app.toast('Every picture is labelled.', 'good', {label: 'Review them', run: () => app.go('review')});
  }

  goOn() {
    if (this.mode.value === 'order') this.step(1);
    else this.goSuggested();
  }

  /** @param {string} value */
  setMode(value) {
    lasting.keep('lead.next', value);
    this.lookAhead(this.id);
  }

  /** Loads what the next picture will need, so that it opens at once. @param {string|null} id */
  async lookAhead(id) {
    if (!id || this.app.api.connection === 'lost') return;
    await new Promise((resolve) => setTimeout(resolve, 250));
    if (this.id !== id) return;
    const next = this.mode.value === 'order' ? this.rail.neighbour(id, 1) : await this.choose(id);
    if (!next || this.id !== id) return;
    prefetch(this.app.api, next);
    this.load(next).catch(() => {});
    this.fetchSuggestions(next).then((found) => {
      this.ahead = found;
    }, () => {});
  }

  // --- suggestions ---------------------------------------------------------------------------------------------------

  /** @param {string} id */
  fetchSuggestions(id) {
    return this.app.api.get(`/pictures/${id}/suggestions`);
  }

  async readSuggestions() {
    const {id} = this;
    if (!id) return;
    try {
      const found = await this.fetchSuggestions(id);
      if (this.id === id) this.setSuggestions(found);
    } catch { /* the banner tells of a lost server; the next model event asks again */ }
  }

  /** Points that the person touched are labels, which no suggestion moves. @param {Suggestions} found */
  setSuggestions(found) {
    this.suggestions = found;
    this.drawWaiting();
    this.draw();
  }

  // --- the current landmark ------------------------------------------------------------------------------------------

  firstUnlabelled(after = -1) {
    const {names, labels} = this;
    return [...names.slice(after + 1), ...names.slice(0, after + 1)].find((name) => !labels[name]) ?? null;
  }

  /** The current landmark is one that there is and, unless chosen, one without a label. */
  settleCurrent() {
    const at = this.current ? this.names.indexOf(this.current) : -1;
    if (at < 0 || (this.inOrder && this.labels[this.names[at]])) this.setCurrent(this.firstUnlabelled(at), true);
  }

  /** @param {string|null} name @param {boolean} inOrder */
  setCurrent(name, inOrder, armed = false) {
    this.current = name;
    this.inOrder = inOrder;
    this.armed = armed;
    this.hiddenNext = false;
  }

  /** @param {string} name */
  select(name, armed = true) {
    this.setCurrent(name, false, armed);
    this.draw();
    const point = this.pointOf(name);
    if (armed && point) this.canvas.reveal(point.x, point.y);
  }

  /** On from a landmark to the next one without a label. @param {string} name */
  advance(name) {
    this.setCurrent(this.firstUnlabelled(this.names.indexOf(name)), true);
    this.draw();
  }

  /** @param {number} by */
  cycle(by) {
    const {names} = this;
    if (!names.length) return;
    const at = this.current ? names.indexOf(this.current) : by > 0 ? -1 : names.length;
    this.select(names[(at + by + names.length) % names.length]);
  }

  /** Where a landmark is drawn: its label, or the suggestion in its place. @param {string} name */
  pointOf(name) {
    const label = this.labels[name];
    if (label) return label.state === 'absent' ? null : label;
    return this.suggestions.points[name] ?? null;
  }

  /** The state of a landmark that is moved. @param {string} name */
  stateOf(name) {
    return this.labels[name]?.state === 'hidden' ? 'hidden' : 'visible';
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  /** @param {Points} points @param {string} what @param {string} [merge] */
  change(points, what, merge) {
    // else they are being read anew
    if (this.id && this.app.labels(this.id)) this.app.change(this.id, points, {what, merge});
  }

  /** @param {string} name @param {number} x @param {number} y @param {'visible'|'hidden'} state
   *  @param {string} [merge] */
  put(name, x, y, state, merge) {
    this.change({[name]: {state, x: thousandth(x), y: thousandth(y)}}, name, merge);
  }

  /** @param {number} x @param {number} y @param {PointerEvent} event */
  pressed(x, y, event) {
    if (!this.detail || !this.names.length) return null;
    if (!this.current || (this.labels[this.current] && !this.armed)) {
      this.setCurrent(this.firstUnlabelled(), true);
      this.draw();
      return null;
    }
    this.placing = {name: this.current, x, y, state: event.shiftKey || this.hiddenNext ? 'hidden' : 'visible'};
    this.draw();
    return this.current;
  }

  /** @param {string} name @param {number} x @param {number} y @param {boolean} moved */
  dropped(name, x, y, moved) {
    const {placing} = this;
    this.placing = null;
    if (placing) {
      this.put(name, x, y, placing.state);
      this.advance(name);
    } else if (moved) {
      this.put(name, x, y, this.stateOf(name));
      this.select(name, false);
    }
    this.draw();
  }

  /** @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    const {current, detail} = this;
    const point = current && this.pointOf(current);
    if (!point || !detail) return;
    const x = clamp(point.x + dx, -0.5, detail.width - 0.5);
    const y = clamp(point.y + dy, -0.5, detail.height - 0.5);
    this.inOrder = false; // it stays the current one, though it has a label now
    this.put(current, x, y, this.stateOf(current), `nudge ${current}`);
    this.canvas.reveal(x, y);
  }

  /** Names of landmarks with a suggestion and no label. */
  acceptable() {
    return this.names.filter((name) => !this.labels[name] && this.suggestions.points[name]);
  }

  /** @param {string} name @param {'visible'|'hidden'} [state] @returns {Point} */
  suggestedPoint(name, state = 'visible') {
    const {x, y} = this.suggestions.points[name];
    return {state, x: thousandth(x), y: thousandth(y)};
  }

  accept() {
    const name = this.current;
    if (!name || this.labels[name] || !this.suggestions.points[name]) return;
    this.change({[name]: this.suggestedPoint(name)}, name);
    this.advance(name);
  }

  /** All suggestions become labels, in one change, and the next picture comes. */
  acceptAll() {
    if (this.leaving) return;
    if (this.detail && !this.names.length) {
      this.app.go('landmarks');
      return;
    }
    const left = this.detail ? this.accepted() : [];
    if (!left.length) {
      this.goOn();
      return;
    }
    this.select(left[0]);
    const have = left.length === 1 ? `${left[0]} has` : `${left.length} landmarks have`;
    this.app.toast(
      `${have} neither label nor suggestion: click where, or press X if absent. “.” goes on all the same.`,
    );
  }

  /** Accepts the suggestions; returns the landmarks that are left without a label. */
  accepted() {
    const names = this.acceptable();
    if (names.length) {
      this.change(Object.fromEntries(names.map((name) => [name, this.suggestedPoint(name)])),
        count(names.length, 'suggestion'));
    }
    return this.names.filter((name) => !this.labels[name]);
  }

  toggleHidden() {
    const name = this.current;
    if (!name) return;
    this.inOrder = false;
    const label = this.labels[name];
    if (label && label.state !== 'absent') {
      this.change({[name]: {...label, state: label.state === 'hidden' ? 'visible' : 'hidden'}}, name);
    } else if (!label && this.suggestions.points[name]) {
      this.change({[name]: this.suggestedPoint(name, 'hidden')}, name);
    } else {
      this.hiddenNext = !this.hiddenNext;
      this.draw();
    }
  }

  toggleAbsent() {
    const name = this.current;
    if (!name) return;
    if (this.labels[name]?.state === 'absent') this.change({[name]: null}, name);
    else {
      this.change({[name]: {state: 'absent', x: null, y: null}}, name);
      this.advance(name);
    }
  }

  clear() {
    const name = this.current;
    if (!name || !this.labels[name]) return;
    this.change({[name]: null}, name);
    this.select(name);
  }

  toggleSkeleton() {
    this.showSkeleton = !this.showSkeleton;
    this.skeletonButton.setAttribute('aria-pressed', String(this.showSkeleton));
    this.draw();
  }

  toggleGuide() {
    this.guide.toggle();
    this.guideButton.setAttribute('aria-pressed', String(this.guide.on));
    this.draw();
  }

  // --- keys ----------------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const onControl = event.target instanceof HTMLElement && event.target.closest('button, a, select');
    if (onControl && ['Enter', ' ', 'Tab', 'ArrowUp', 'ArrowDown'].includes(event.key)) return false;
    const arrow = lookUp(ARROWS, event.key);
    if (arrow) {
      const step = event.shiftKey ? FINE_STEP : STEP;
      this.nudge(arrow[0] * step, arrow[1] * step);
      return true;
    }
    const at = '123456789'.indexOf(event.key);
    if (at >= 0) {
      if (this.names[at]) this.select(this.names[at]);
      return true;
    }
    const run = lookUp(this.keyActions(event), event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!run || (event.repeat && ['Enter', 'n', 'h', 'x', 'a', 'g', 's'].includes(event.key.toLowerCase()))) {
      return Boolean(run);
    }
    run();
    return true;
  }

  /** @param {KeyboardEvent} event */
  keyActions(event) {
    return {'.': () => this.step(1), ',': () => this.step(-1), PageDown: () => this.step(1),
      PageUp: () => this.step(-1), n: () => this.goSuggested(), Enter: () => this.acceptAll(), a: () => this.accept(),
      Tab: () => this.cycle(event.shiftKey ? -1 : 1), j: () => this.cycle(1), k: () => this.cycle(-1),
      h: () => this.toggleHidden(), x: () => this.toggleAbsent(), Delete: () => this.clear(),
      Backspace: () => this.clear(), f: () => this.canvas.fit(), '+': () => this.canvas.zoom(1.25),
      '=': () => this.canvas.zoom(1.25), '-': () => this.canvas.zoom(1 / 1.25), g: () => this.toggleGuide(),
      s: () => this.toggleSkeleton(), b: () => this.tone.toggle(), ' ': () => this.canvas.holdSpace(),
      Escape: () => this.escape()};
  }

  /** Breaks off a drag; otherwise gives Tab back to the browser, by putting the focus on the buttons. */
  escape() {
    if (this.canvas.drag) this.canvas.breakOff();
    else if (this.tone.open) this.tone.toggle();
    else this.acceptAllButton.focus();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    this.drawCanvas();
    this.drawList();
    this.drawActions();
    this.drawHint();
    this.guide.show(this.id, this.current);
  }

  drawCanvas() {
    const {canvas, placing} = this;
    const points = {...this.labels};
    if (placing) points[placing.name] = placing;
    canvas.marks = this.detail ? marksOf(this.app.landmarks(), points, this.suggestions.points) : [];
    canvas.skeleton = this.showSkeleton ? this.app.landmarks().skeleton : [];
    canvas.current = this.current;
    canvas.draw();
  }

  drawZoom() {
    if (this.detail) {
      text(this.zoomText, `${Math.round(this.canvas.view.scale * (window.devicePixelRatio || 1) * 100)} %`);
    }
  }

  drawReason() {
    const choice = this.reasons.get(this.id ?? '');
    fill(this.reason, choice
      ? [h('span.badge.accent', icon('sparkle', 12), REASONS[choice.kind]), ` ${choice.reason}`]
      : 'You chose this picture yourself.');
  }

  /** What is missing until there are suggestions. */
  drawWaiting() {
    const {app} = this;
    const message = this.suggestions.waiting_for;
    this.waiting.hidden = !message || !this.names.length;
    const features = app.state.model.stage === 'none' || app.state.model.stage === 'failed';
    if (!message) return;
    renew(this.waiting, `${message}${features}`,
      () => [icon('info', 14),
        h('span', message, ' ',
          features ? h('a', {href: app.href('features'), testid: 'to-features'}, 'Go to Features') : null)]);
  }

  drawList() {
    const {app} = this;
    const landmarks = app.landmarks();
    if (this.listed !== landmarks) {
      this.listed = landmarks;
      this.rows = new Map(landmarks.landmarks.map((landmark, i) => [landmark.name, this.makeRow(landmark, i)]));
      fill(this.list, landmarks.landmarks.length
        ? [...this.rows.values()].map((row) => row.item)
        : h('li.no-landmarks',
          h('p', 'Say first what there is to label: name the landmarks, or take them from a label file.'),
          h('button.primary', {testid: 'name-landmarks', onclick: () => app.go('landmarks')}, 'Name the landmarks')));
    }
    const {labels, names} = this;
    for (const [name, row] of this.rows) this.updateRow(name, row);
    text(this.listHead, names.length ? `${names.filter((n) => labels[n]).length} of ${names.length} labelled` : '');
    this.acceptAllButton.hidden = !names.length;
  }

  /** @param {Landmark} landmark @param {number} i @returns {Row} */
  makeRow({name, colour}, i) {
    const state = h('span.landmark-state.number');
    const button = h('button.landmark', {testid: 'landmark', dataset: {name}, tabindex: -1,
      onclick: () => this.select(name)}, h('span.landmark-key', i < 9 ? String(i + 1) : ''),
      h('span.mark', {style: {'--colour': colour}}), h('span.ellipsis.landmark-name', {title: name}, name), state);
    return {item: h('li', button), button, state};
  }

  /** @param {string} name @param {Row} row */
  updateRow(name, {button, state}) {
    const label = /** @type {Point|undefined} */ (this.labels[name]);
    const guess = this.suggestions.points[name];
    const kind = label?.state ?? (guess ? 'suggested' : 'unlabelled');
    const words = kind === 'suggested'
      ? `±${px(guess.expected_px)} px`
      : kind === 'hidden' || kind === 'absent'
      ? kind
      : '';
    button.dataset.state = kind;
    button.tabIndex = name === (this.current ?? this.names[0]) ? 0 : -1;
    button.setAttribute('aria-label', `${name}: ${kind}${kind === 'suggested' ? `, ${words}` : ''}`);
    const current = name === this.current;
    if (current && !button.hasAttribute('aria-current')) button.scrollIntoView({block: 'nearest'});
    markCurrent(button, current);
    renew(state, kind + words, () => [kind in ROW_ICONS ? icon(ROW_ICONS[kind], 14) : null, words]);
  }

  drawActions() {
    const {current, labels} = this;
    const label = current ? labels[current] : null;
    const guess = current ? this.suggestions.points[current] : null;
    this.actions.hidden = !this.names.length;
    this.acceptButton.disabled = !current || Boolean(label) || !guess;
    this.hiddenButton.disabled = !current || label?.state === 'absent';
    this.absentButton.disabled = !current;
    this.clearButton.disabled = !label;
    this.hiddenButton.setAttribute('aria-pressed', String(label?.state === 'hidden' || this.hiddenNext));
    this.absentButton.setAttribute('aria-pressed', String(label?.state === 'absent'));
    const n = this.acceptable().length;
    const done = this.names.length && !n && this.names.every((name) => labels[name]);
    const words = n ? `Accept ${n === 1 ? 'the suggestion' : `all ${n}`}` : 'Next picture';
    this.acceptAllButton.disabled = Boolean(this.detail) && !n && !done;
    renew(this.acceptAllButton, words, () => [words, kbd('↵')]);
  }

  drawHint() {
    const {current, labels} = this;
    const shown = [current, current && labels[current]?.state, this.armed, this.hiddenNext, this.names.length,
      Boolean(current && this.suggestions.points[current]), Boolean(this.detail)];
    this.hint.hidden = !this.detail;
    renew(this.hint, shown.join('|'), () => this.hintWords());
  }

  /** What a click does now. @returns {Child} */
  hintWords() {
    const {current, app} = this;
    if (!this.detail) return null;
    if (!this.names.length) return 'No landmarks are named yet.';
    if (!current) return [icon('accept', 14), 'All labelled.', kbd('↵'), 'next picture'];
    const named = [h('span.swatch', {style: {'--colour': app.colour(current)}}), h('b', current)];
    if (!this.labels[current]) {
      return [this.hiddenNext ? [named, 'is covered: click where it would be'] : ['Click', named],
        this.suggestions.points[current] ? ['or', kbd('A'), 'accept'] : null];
    }
    return this.armed ? ['Click to set', named, 'anew'] : [named, 'drag or', kbd('←'), kbd('→'), 'to correct'];
  }
}

/** @param {string} id @returns {Suggestions} */
const nothing = (id) => ({id, method: null, model: 0, points: {}, waiting_for: null});

/** A button for the current landmark. @param {'accept'|'hidden'|'absent'|'trash'} name @param {string} label
 *  @param {string} title @param {() => void} run */
const action = (name, label, title, run) =>
  h('button.small', {testid: name === 'trash' ? 'clear' : name, title, onclick: run}, icon(name, 14), label);
