/** One look at work: a picture without its labels, what is placed on it, and on to the next. */

import {ApiError, wordsOf} from './api.js';
import {PictureCanvas} from './canvas.js';
import {ARROWS, count, fill, h, icon, iconButton, lookUp, renew, text} from './dom.js';
import {turned} from './geometry.js';
import {prefetch} from './images.js';
import {lasting} from './kept.js';
import {chord, keyCap, keyed, keys, ofControl} from './keys.js';
import {LandmarkList, Numbers} from './label-list.js';
import {Labelling, nothing} from './labelling.js';
import {marksOf} from './paint.js';

/**
 * @import {LookSeries, PictureDetail, PictureLabels} from 'types/messages'
 * @import {AllPoints} from './all-points.js'
 * @import {App} from './app.js'
 * @import {Action} from './keys.js'
 * @import {Points} from './outbox.js'
 * @typedef {Record<string, import('types/messages').Point>} Placed
 */

const STEP = 1; // of an arrow key, in pixels of the picture
const FINE_STEP = 0.1; // with Shift, Ctrl or Alt

/** Points after a change. @param {Placed} before @param {Points} change @returns {Placed} */
const after = (before, change) => /** @type {Placed} */ (Object.fromEntries(
  Object.entries({...before, ...change}).filter(([, point]) => point),
));

export class Look {
  /** @param {HTMLElement} root @param {App} app @param {LookSeries} series  of which something is left
   *  @param {() => void} stop  the person leaves it @param {() => void} done  nothing is left */
  constructor(root, app, series, stop, done) {
    this.app = app;
    this.series = series;
    this.done = done;
    /** pictures that were passed over in this sitting @type {Set<string>} */
    this.passed = new Set();
    /** what is placed on the picture @type {Placed} */
    this.points = {};
    /** states before, for undo, and after, for redo @type {Placed[]} */
    this.before = [];
    /** @type {Placed[]} */
    this.undone = [];
    /** what the last change may be put together with, such as one nudge with the next */
    this.merge = '';
    this.busy = this.closed = false;
    this.numbers = new Numbers();
    // All that it knows of labels is what is placed here: the first ones are neither shown nor changed.
    /** @type {App} */
    this.own = Object.assign(Object.create(app), {labels: () => ({points: this.points}),
      change: (/** @type {string} */ _id, /** @type {Points} */ points, /** @type {{merge?: string}} */ options) =>
        this.change(points, options.merge ?? '')});
    this.work = new Labelling(this.own, {changed: () => this.draw(), reveal: (x, y) => this.canvas.reveal(x, y),
      near: () => {}});
    const none = /** @type {AllPoints} */ (/** @type {unknown} */ ({element: null}));
    this.landmarks = new LandmarkList(this.own, this.work, none, () => this.toPicture());
    this.landmarks.acceptButton.hidden = true;
    this.place = h('b.number', {testid: 'look-progress'});
    this.bar = h('progress', {max: String(series.total), 'aria-label': 'Pictures looked at'});
    this.notice = h('p.notice.bad', {testid: 'look-problem', role: 'alert', hidden: true});
    this.next = h('button.primary', {testid: 'look-next', onclick: () => this.save()});
    this.pass = h('button', {testid: 'look-pass', hidden: true, onclick: () => this.passOver()}, 'Pass over');
    const canvas = h('div.canvas-place');
    /** @param {Action} action @param {Parameters<typeof icon>[0]} sign @param {string} label */
    const tool = (action, sign, label) =>
      keyed(iconButton(sign, label, {testid: `look-${action}`, onclick: () => this.does()[action]?.()}), action, label);
    root.append(
      h('div.look', {testid: 'look'},
        h('section.stage', {'aria-label': 'Picture'},
          h('div.stage-head', h('b.file', `${series.person}, look ${series.number}`), h('span.spacer'),
            tool('undo', 'undo', 'Undo'), tool('redo', 'redo', 'Redo'), h('span.rule'),
            tool('zoomOut', 'minus', 'Zoom out'), tool('zoomIn', 'plus', 'Zoom in'),
            tool('fit', 'fit', 'Whole picture')), h('div.canvas-frame', canvas)),
        h('aside.side', {'aria-label': 'Landmarks'},
          h('div.side-top',
            h('div.row', this.place, h('span.spacer'),
              h('button', {testid: 'look-stop', title: 'What is saved is kept; go on at any time', onclick: stop},
                'Stop here')), this.bar, h('div.row.side-buttons', this.next, this.pass), this.notice),
          this.landmarks.elements)),
    );
    this.canvas = new PictureCanvas(canvas, app.api, {
      awaits: (under) => this.work.awaits(under),
      press: (name, x, y, hidden) => this.work.pressed(name, x, y, hidden),
      grab: (name) => this.work.held(name),
      choose: () => {},
      along: () => null,
      anywhere: () => this.work.placesAnywhere,
      drop: (name, x, y, moved) => this.work.dropped(name, x, y, moved),
      cancel: () => this.work.cancelled(),
      nothing: () => {},
      up: () => {},
      space: () => this.placeCrosshair(false),
      view: () => {},
      failed: (message) => this.cannotShow(message),
    });
    this.canvas.element.dataset.entrance = '';
    window.studio.canvas = this.canvas;
    root.addEventListener('click', ({detail, target}) => {
      if (detail > 0 && target instanceof Element && target.closest('button')) this.toPicture();
    });
    this.open();
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    this.canvas.destroy();
    window.studio.canvas = null;
  }

  // --- which picture -------------------------------------------------------------------------------------------------

  /** Those still to come. */
  get left() {
    return this.series.left.filter((id) => !this.passed.has(id));
  }

  /** Where the browser keeps what is placed and not saved yet. */
  get draft() {
    return `lead.look.${this.series.id}`;
  }

  async open() {
    const [id, then] = this.left;
    if (!id) {
      this.done();
      return;
    }
    this.notice.hidden = this.pass.hidden = true;
    this.work.begin(null, nothing(''));
    this.points = {};
    this.draw();
    /** @type {PictureDetail} */
    let detail;
    try {
      detail = await this.app.api.get(`/pictures/${id}`);
    } catch (error) {
      if (!this.closed) this.cannotShow(wordsOf(error));
      return;
    }
    if (this.closed) return;
    const kept = lasting.value(this.draft, /** @type {{id: string, points: Placed}|null} */ (null));
    this.points = kept?.id === id ? kept.points : {};
    this.before = [];
    this.undone = [];
    this.work.begin(detail, nothing(id));
    this.canvas.open(detail);
    this.toPicture();
    this.draw();
    if (then) prefetch(this.app.api, then);
  }

  /** @param {string} why */
  cannotShow(why) {
    this.tell(why);
    this.pass.hidden = false;
  }

  passOver() {
    const [id] = this.left;
    if (id) this.passed.add(id);
    this.open();
  }

  /** Keeps what is placed, and goes on. */
  async save() {
    const {work: {id}, app} = this;
    if (this.busy || !id || !Object.keys(this.points).length) return;
    this.busy = true;
    this.draw();
    try {
      this.series = await app.api.put(`/looks/${this.series.id}/pictures/${id}`, {points: this.points});
      lasting.keep(this.draft, null);
      if (!this.closed) this.open();
    } catch (error) {
      const lost = error instanceof ApiError && error.status === 0;
      this.tell(lost
        ? 'The server does not answer. What you placed is kept here: save it again when it does.'
        : wordsOf(error));
    } finally {
      this.busy = false;
      if (!this.closed) this.draw();
    }
  }

  /** @param {string} why */
  tell(why) {
    this.notice.hidden = false;
    fill(this.notice, icon('warning'), h('span', why));
  }

  // --- what is placed ------------------------------------------------------------------------------------------------

  /** @param {Points} points @param {string} merge */
  change(points, merge) {
    if (!merge || merge !== this.merge) this.before.push(this.points);
    this.merge = merge;
    this.undone = [];
    this.put(after(this.points, points));
    return null;
  }

  /** @param {Placed} points */
  put(points) {
    this.points = points;
    lasting.keep(this.draft, {id: this.work.id, points});
    this.work.settleCurrent();
    this.draw();
  }

  /** @param {Placed[]} from @param {Placed[]} to */
  travel(from, to) {
    const points = from.pop();
    if (!points) return;
    to.push(this.points);
    this.merge = '';
    this.put(points);
  }

  // --- keys ----------------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  key(event) {
    const {work, canvas} = this;
    if (event.key === 'Escape') {
      if (canvas.drag) canvas.breakOff();
      else canvas.crosshair.hide();
      return true;
    }
    if (ofControl(event)) return false;
    const arrow = lookUp(ARROWS, event.key);
    if (arrow) {
      this.arrow(arrow, event);
      return true;
    }
    if (event.key === 'Enter' && canvas.crosshair.at) {
      if (!event.repeat) this.placeCrosshair(event.shiftKey);
      return true;
    }
    if (!event.ctrlKey && !event.metaKey && !event.altKey && /^\d$/.test(event.key)) {
      const at = this.numbers.type(event.key, event.timeStamp, work.names.length);
      if (at !== null) work.select(work.names[at]);
      return true;
    }
    if (chord(event) === 'Space') {
      canvas.holdSpace();
      return true;
    }
    const {action, run} = keys.pressed(event);
    const does = lookUp(this.does(), action);
    if (run) does?.();
    return Boolean(does);
  }

  /** What keys do here. @returns {Partial<Record<Action, () => void>>} */
  does() {
    const {work, canvas} = this;
    return {acceptAll: () => this.enter(), nextPicture: () => this.enter(), hidden: () => work.toggleHidden(),
      absent: () => work.toggleAbsent(), clear: () => work.clear(), nextLandmark: () => work.cycle(1),
      previousLandmark: () => work.cycle(-1), unlabelled: () => work.nextUnlabelled(),
      filter: () => this.landmarks.findOne(), zoomIn: () => canvas.zoom(1.25), zoomOut: () => canvas.zoom(1 / 1.25),
      fit: () => canvas.fit(), bare: () => canvas.hideMarks(), undo: () => this.travel(this.before, this.undone),
      redo: () => this.travel(this.undone, this.before)};
  }

  /** Enter saves a picture on which every landmark has a state. */
  enter() {
    const {work} = this;
    const open = work.names.filter((name) => !this.points[name]);
    if (!open.length) this.save();
    else {this.app.toast(
        `${count(open.length, 'landmark')} left: ${open.slice(0, 3).join(', ')}. “Save” goes on without.`,
      );}
  }

  /** Moves the current point; where it has no place yet, a cross-hair. @param {[number, number]} way
   *  @param {KeyboardEvent} event */
  arrow(way, {shiftKey, ctrlKey, metaKey, altKey}) {
    const {work, canvas} = this;
    const [ax, ay] = turned(...way, -canvas.view.turn);
    const fine = ctrlKey || metaKey || altKey;
    if (!work.current) return;
    if (canvas.crosshair.at || !work.pointOf(work.current)) {
      canvas.crosshair.move(work.current, [ax, ay], fine ? 'fine' : shiftKey ? 'pixel' : 'coarse');
      return;
    }
    const step = fine || shiftKey ? FINE_STEP : STEP;
    work.nudge(ax * step, ay * step);
  }

  /** Labels the current landmark where the cross-hair is. @param {boolean} hidden */
  placeCrosshair(hidden) {
    const {work, canvas: {crosshair}} = this;
    const {at, name} = crosshair;
    if (!at || !name) return;
    crosshair.hide();
    work.pressed(name, at.x, at.y, hidden);
    work.dropped(name, at.x, at.y, false);
  }

  toPicture() {
    this.canvas.element.focus({preventScroll: true});
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    const {app, work, series, canvas} = this;
    const {landmarks, skeleton} = app.landmarks();
    const points = /** @type {PictureLabels['points']} */ ({...this.points, ...work.placing && {
      [work.placing.name]: work.placing,
    }});
    canvas.marks = work.id ? marksOf(app.landmarks(), points, {}) : [];
    canvas.skeleton = skeleton;
    canvas.current = work.current;
    canvas.crosshair.settle(work.id, work.current, Boolean(work.current && work.pointOf(work.current)));
    canvas.draw();
    this.landmarks.draw();
    const at = series.done + this.passed.size + 1;
    text(this.place, `${Math.min(at, series.total)} of ${series.total}`);
    this.bar.value = series.done;
    const placed = landmarks.filter(({name}) => this.points[name]).length;
    const open = landmarks.length - placed;
    const words = this.busy ? 'Saving…' : open && placed ? `Save with ${open} left` : 'Save, next picture';
    this.next.disabled = this.busy || !placed;
    this.next.classList.toggle('primary', !open);
    renew(this.next, words,
      () => [icon('arrowRight', 14), h('span.ellipsis', words), open ? null : keyCap('acceptAll')]);
  }
}
