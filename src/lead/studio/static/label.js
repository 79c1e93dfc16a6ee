/** The label view: pictures on the left, the one at work in the middle, its landmarks and a guide on the right. */

import {AllPoints} from './all-points.js';
import {ApiError, wordsOf} from './api.js';
import {PictureCanvas} from './canvas.js';
import {otherOf} from './crowd.js';
import {CurveTool} from './curve-tool.js';
import {linesOf} from './curves.js';
import {ARROWS, emptyState, fill, h, icon, iconButton, lookUp, renew, text, throttle} from './dom.js';
import {Enter} from './enter.js';
import {Follower} from './follow.js';
import {turned} from './geometry.js';
import {Guide} from './guide.js';
import {Heading} from './heading.js';
import {prefetch} from './images.js';
import {chord, keyCap, keyed, keys, ofControl} from './keys.js';
import {LandmarkList, Numbers} from './label-list.js';
import {Labelling, nothing} from './labelling.js';
import {Next} from './next.js';
import {Note} from './note.js';
import {marksOf} from './paint.js';
import {Panels} from './panels.js';
import {coarseWords} from './picking.js';
import {nameParts, Rail} from './rail.js';
import {markOf, SpecimenList} from './specimen-list.js';
import {isSpecimen, pictureOf} from './specimens.js';
import {Tone} from './tone.js';
import {ViewOptions} from './viewoptions.js';

/**
 * @import {Route} from 'types/app'
 * @import {Props} from 'types/dom'
 * @import {Choice, PictureDetail, Suggestions} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Other} from './crowd.js'
 * @import {Action} from './keys.js'
 */

/** @param {HTMLElement} root @param {App} app @param {Route} route */
export function mount(root, app, route) {
  const view = new LabelView(root, app);
  view.open(route.id);
  return {unmount: () => view.destroy(), update: (/** @type {Route} */ next) => view.open(next.id)};
}

const STEP = 1; // of an arrow key, in pixels of the picture
const FINE_STEP = 0.1; // with Shift, Ctrl or Alt
/** @type {Record<Choice['kind'], string>} */
const REASONS = {coverage: 'Stands for many', uncertain: 'Unsure here', order: 'Next in order', none: ''};

class LabelView {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    /** id of the picture asked for @type {string|null} */
    this.wanted = null;
    /** id of the picture that the page chose itself when the view was opened @type {string|null} */
    this.offered = null;
    this.showSkeleton = true;
    /** what is in sight of another picture, where not each landmark in turn is @type {'whole'|'keep'} */
    this.otherZoom = 'whole';
    this.fit = '';
    this.numbers = new Numbers();
    this.work = new Labelling(app, {changed: () => this.draw(), reveal: (x, y) => this.canvas.reveal(x, y),
      near: (x, y, reach) => this.enter.near(x, y, reach)});
    this.specimens = new SpecimenList(app, this.work, () => this.toPicture());
    /** the other specimens as they were drawn last, by key, with what they were made of
     *  @type {Map<string, {of: unknown[], other: Other|null}>} */
    this.crowd = new Map();
    const allPoints = new AllPoints(app, this.work, () => this.rail.neighbour(this.id, -1),
      () => this.specimens.remove());
    this.allPoints = allPoints;
    this.landmarks = new LandmarkList(app, this.work, allPoints, () => this.toPicture());

    this.name = h('span.file', {testid: 'file-name'});
    this.facts = h('span.muted.number.facts', {testid: 'picture-facts'});
    this.zoomText = h('span.zoom-text.number.muted', {testid: 'zoom'});
    this.skeletonButton = this.tool('skeleton', 'skeleton', 'Skeleton lines', {testid: 'skeleton',
      'aria-pressed': 'true'});
    this.guideButton = this.tool('guide', 'guide', 'Guide picture', {testid: 'guide-toggle', 'aria-pressed': 'true'});
    this.nearButton = this.tool('near', 'near', 'Each landmark from near', {testid: 'near', 'aria-pressed': 'false'});
    this.upButton = this.tool('thisWayUp', 'thisWayUp', 'This way up', {testid: 'this-way-up', 'aria-pressed': 'false',
      hidden: true});
    this.notice = h('div.stage-notice', {hidden: true});
    this.reason = h('p.reason', {testid: 'reason'});
    this.waiting = h('div.notice.small', {testid: 'waiting', hidden: true});
    this.coarse = h('div.notice.small', {testid: 'coarse', hidden: true});

    const places = {rail: h('aside.rail', {'aria-label': 'Pictures'}), tone: h('span.tone-place'),
      options: h('span.tone-place'), canvas: h('div.canvas-place'), guide: h('div.guide')};
    this.rail = new Rail(places.rail, app);
    this.note = new Note(app);
    this.next = new Next(app, this.rail, {shown: () => this.id, asked: () => this.wanted ?? this.id});
    this.enter = new Enter(app, this.work, this.next, () => this.canvas, () => this.heading);
    root.append(
      h('div.label', places.rail, this.stage(places.tone, places.options, places.canvas), this.side(places.guide)),
    );
    this.panels = new Panels(root, {rail: () => this.rail.show(this.id ?? this.wanted ?? '')});
    this.canvas = new PictureCanvas(places.canvas, app.api, {
      awaits: (under) => this.work.awaits(under),
      press: (name, x, y, hidden) => this.work.pressed(name, x, y, hidden),
      grab: (name) => this.work.held(name),
      choose: (key, name) => this.work.choose(key, name),
      anywhere: () => this.work.placesAnywhere,
      drop: (name, x, y, moved, whole) => this.drop(name, x, y, moved, whole),
      along: (name, to, whole) => this.curve.along(name, to, whole),
      cancel: () => this.work.cancelled(),
      nothing: (outside) => this.clickedNothing(outside),
      up: (up) => this.heading.said(up),
      space: () => this.placeCrosshair(false),
      view: () => this.drawZoom(),
      failed: (message) => this.cannotShow(this.wanted ?? '', new Error(message)),
    });
    this.canvas.element.dataset.entrance = ''; // where the link past the top bar leads
    window.studio.canvas = this.canvas;
    this.curve = new CurveTool(app, this.work, this.canvas);
    this.enter.curve = this.curve;
    this.guide = new Guide(places.guide, app, () => this.follow());
    this.tone = new Tone(places.tone, (filter) => {
      this.canvas.filter = filter;
      this.canvas.draw();
    });
    this.follower = new Follower(this.canvas, () => this.guide.known);
    this.heading = new Heading(app, this.work, this.canvas, this.upButton, {changed: () => this.draw(),
      heard: () => this.readSuggestions(() => this.heading.release())});
    this.options = new ViewOptions(places.options, (values, shown) => {
      this.canvas.shown = shown;
      this.canvas.keepsZoom = values.zoom === 'keep';
      this.heading.upright = values.upright;
      this.turn();
      this.follower.set(values.zoom === 'landmark' ? values.times : null);
      this.nearButton.setAttribute('aria-pressed', String(values.zoom === 'landmark'));
      this.follow();
      this.canvas.draw();
    });
    // A button pressed with the mouse gives the keys back to the picture.
    root.addEventListener('click', ({detail, target}) => {
      const pressed = detail > 0 && target instanceof Element && target.closest('button, a');
      if (pressed && !pressed.closest('dialog, .popover, .note-place, .all-points-place')) this.toPicture();
    });
    this.subscribe();
  }

  // --- building ------------------------------------------------------------------------------------------------------

  /** @param {HTMLElement} tone @param {HTMLElement} options @param {HTMLElement} canvas  where these come */
  stage(tone, options, canvas) {
    const {app} = this;
    return h('section.stage', {'aria-label': 'Picture'},
      h('div.stage-head', this.tool('previousPicture', 'arrowLeft', 'Previous picture', {testid: 'prev'}),
        this.tool('nextPicture', 'arrowRight', 'Next picture', {testid: 'next'}), this.name, this.facts,
        this.note.place, h('span.spacer'),
        this.tool('undo', 'undo', 'Undo', {testid: 'undo', onclick: () => app.undo()}),
        this.tool('redo', 'redo', 'Redo', {testid: 'redo', onclick: () => app.redo()}), h('span.rule'),
        h('div.stage-tools', tone, options, this.skeletonButton, this.guideButton, this.upButton, h('span.rule'),
          this.nearButton, this.tool('zoomOut', 'minus', 'Zoom out', {testid: 'zoom-out'}), this.zoomText,
          this.tool('zoomIn', 'plus', 'Zoom in', {testid: 'zoom-in'}),
          this.tool('fit', 'fit', 'Whole picture', {testid: 'fit'}))),
      h('div.canvas-frame', canvas, this.enter.hint, this.notice));
  }

  /** A button for what a key does too. @param {Action} action @param {Parameters<typeof icon>[0]} sign
   *  @param {string} label @param {Props<HTMLButtonElement>} props */
  tool(action, sign, label, props) {
    return keyed(iconButton(sign, label, {onclick: () => this.does()[action]?.(), ...props}), action, label);
  }

  /** @param {HTMLElement} guide  where it comes */
  side(guide) {
    return h('aside.side', {'aria-label': 'Landmarks'},
      h('div.side-top', this.reason, h('div.row.side-buttons', this.enter.button, keyed(
        h('button', {testid: 'next-suggested', onclick: () => this.next.goSuggested()}, 'Pick a picture',
          keyCap('pick')),
        'pick',
        'Go to the picture that helps most',
      )), h('label.row.small.muted.next-mode', 'Then comes', this.next.mode), this.waiting, this.coarse),
      this.specimens.element, this.landmarks.elements, guide);
  }

  subscribe() {
    const {app, work} = this;
    const later = throttle(() => this.readSuggestions(), 1000);
    const manyHeard = throttle(() => this.heardLabels(), 250);
    app.on('labels', ({id}) => {
      if (id === this.id || id === work.key) this.heardLabels();
      else if (pictureOf(id) === this.id) manyHeard(); // of other specimens: of many, one after the other
      // Which suggested specimen is the one that was just labelled, the server says.
      if (work.found.specimens.length && pictureOf(id) === this.id) later();
    });
    app.on('landmarks', () => {
      work.current = null;
      this.reopen();
      readProgress();
    });
    app.on('back', () => this.reopen());
    const readProgress = throttle(() => this.readProgress(), 2000);
    app.on('pictures', readProgress);
    app.on('model', readProgress);
    readProgress();
    const soon = throttle(() => this.readSuggestions(), 150);
    app.on('model', ({model, stage, fitted_to: fittedTo}) => {
      const fit = [model, stage, fittedTo].join();
      if (fit !== this.fit) soon();
      else if (work.suggestions.waiting_for) later(); // progress alone changes no suggestion
      this.fit = fit;
    });
    app.on('state', () => this.drawWaiting());
    app.on('pictures', () => this.drawWaiting());
    app.on('travelled', ({id: key, names}) => {
      if (pictureOf(key) !== this.id) return;
      if (isSpecimen(key) && work.specimens.isThere(key)) work.choose(key);
      if (!names[0] || key !== work.key) return;
      this.follower.again();
      work.select(names[0], false);
    });
    app.on('theme', () => this.canvas.draw());
    app.on('unit', () => this.draw());
    app.keys((event) => this.key(event));
  }

  /** Labels of the picture on show have changed. */
  heardLabels() {
    this.heading.hear();
    this.work.settleCurrent();
    this.draw();
  }

  destroy() {
    this.canvas.destroy();
    this.rail.destroy();
    this.guide.destroy();
    this.note.destroy();
    this.app.shown = null;
    window.studio.canvas = null;
  }

  // --- which picture -------------------------------------------------------------------------------------------------

  get id() {
    return this.work.id;
  }
  get detail() {
    return this.work.detail;
  }

  /** Shows a picture; without an id, the one that the page suggests. @param {string|null} id */
  async open(id) {
    const {app, next} = this;
    if (!app.pictures.length) {
      this.clear();
      this.fail('There are no pictures in this folder',
        `lead studio looks for pictures in ${app.state.folder} and the folders in it.`);
      return;
    }
    if (!id || !app.picture(id)) {
      const asked = location.hash; // the route follows it a moment later
      const [first] = await next.choose(null);
      if (first) next.keepReason(first);
      const {name, id: since} = app.route;
      // else gone elsewhere meanwhile
      this.offered = first?.id ?? null;
      if (name === 'label' && since === id && location.hash === asked) {
        location.replace(app.href('label', first?.id ?? app.pictures[0].id));
      }
      return;
    }
    if (this.panels.open === 'rail' && id !== this.wanted) this.panels.close(); // it was opened to find this one
    this.wanted = id;
    this.rail.show(id);
    prefetch(app.api, id); // on its way while the labels are read
    const suggestions = next.fetchSuggestions(id).catch(() => null);
    const before = next.details.get(id);
    if (before && app.labels(id) && this.id !== id) this.begin(before); // at once; what the server says comes after
    let detail;
    try {
      detail = await next.load(id);
    } catch (error) {
      if (this.wanted === id && this.id !== id) {
        this.cannotShow(id, error);
        this.offerAnother(id).catch(() => {});
      }
      return;
    }
    if (this.wanted !== id) return;
    this.begin(detail);
    const found = await suggestions;
    if (found && this.id === id) this.setSuggestions(found);
    next.lookAhead(id);
  }

  /** Where the page itself chose a picture to begin with that cannot be read, it chooses again. @param {string} id */
  async offerAnother(id) {
    const {app} = this;
    if (id !== this.offered) return;
    await app.readPictures();
    if (this.wanted === id && app.picture(id)?.unreadable) location.replace(app.href('label'));
  }

  /** @param {string} id @param {unknown} error */
  cannotShow(id, error) {
    const file = this.app.picture(id)?.file ?? id;
    this.clear();
    renew(this.name, file, () => nameParts(file));
    this.name.title = file;
    if (error instanceof ApiError && error.status === 0) {
      this.fail('Not here yet', `${file} is shown as soon as the server answers.`);
    } else {
      this.fail('This picture cannot be shown', wordsOf(error));
      this.app.rereadPictures(); // the list says so too
    }
  }

  /** Nothing stays of the picture before. */
  clear() {
    this.work.begin(null, nothing(''));
    this.heading.stop();
    this.app.shown = null;
    this.canvas.clear();
    renew(this.name, '', () => []);
    this.name.title = '';
    text(this.facts, '');
    text(this.zoomText, '');
    fill(this.reason);
    this.drawWaiting();
  }

  /** @param {PictureDetail} detail */
  begin(detail) {
    const {app, work} = this;
    const another = this.id !== detail.id;
    if (another) {
      work.begin(detail, this.next.suggestionsAhead(detail.id) ?? nothing(detail.id));
      this.heading.stop();
    } else work.detail = detail;
    app.shown = detail;
    app.last = detail.id;
    app.bus.emit('picture', detail);
    this.heading.hear();
    this.notice.hidden = true;
    this.canvas.open(detail);
    renew(this.name, detail.file, () => nameParts(detail.file));
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

  // --- suggestions ---------------------------------------------------------------------------------------------------

  /** @param {() => void} [first]  done before they are shown */
  async readSuggestions(first = () => {}) {
    const {id} = this;
    if (!id) return;
    try {
      const found = await this.next.fetchSuggestions(id);
      if (this.id !== id) return;
      first();
      this.setSuggestions(found);
    } catch { /* the banner tells of a lost server; the next model event asks again */ }
  }

  /** How far each landmark is, for the list. */
  async readProgress() {
    try {
      this.landmarks.setProgress(await this.app.api.get('/landmarks/progress'));
    } catch { /* the list does without */ }
  }

  /** Points that the person touched are labels, which no suggestion moves. @param {Suggestions} found */
  setSuggestions(found) {
    const {work} = this;
    work.suggestions = found;
    if (work.specimens.several && work.specimens.settle()) work.turnTo();
    this.drawWaiting();
    this.draw();
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

  /** Takes the current landmark's label away; or the last click of a curve; or, while that is asked for, what was said
   *  of which way is up. */
  clearOne() {
    if (this.canvas.pointing && this.heading.isSaid) this.heading.takeBack();
    else if (this.curve.drafting) this.curve.back();
    else this.work.clear();
  }

  /** Looks at each landmark in turn from near; or again as before. */
  toggleNear() {
    const {options} = this;
    const {zoom} = options.values;
    if (zoom !== 'landmark') this.otherZoom = zoom;
    options.set({zoom: zoom === 'landmark' ? this.otherZoom : 'landmark'});
  }

  toggleUpright() {
    const {options, work, app} = this;
    options.set({upright: !options.values.upright});
    if (options.values.upright && !work.suggestions.up) {
      app.toast('The view is turned where it is known how the thing in the picture lies.');
    }
  }

  // --- keys ----------------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === 'Escape') return this.escape(event.target);
    if (ofControl(event)) return false;
    const {work} = this;
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const arrow = lookUp(ARROWS, event.key);
    if (arrow) {
      this.arrow(arrow, event);
      return true;
    }
    if (event.key === 'Enter' && this.canvas.crosshair.at) {
      if (!event.repeat) this.placeCrosshair(event.shiftKey);
      return true;
    }
    if (plain && /^\d$/.test(event.key)) {
      const at = this.numbers.type(event.key, event.timeStamp, work.names.length);
      if (at !== null) work.select(work.names[at]);
      return true;
    }
    if (chord(event) === 'Space') {
      this.canvas.holdSpace();
      return true;
    }
    const {action, run} = keys.pressed(event);
    const does = lookUp(this.does(), action);
    if (run) does?.();
    return Boolean(does);
  }

  /** What keys do in this view. @returns {Partial<Record<Action, () => void>>} */
  does() {
    const {work, next, canvas, allPoints, enter, specimens} = this;
    const several = {addSpecimen: () => specimens.add(), duplicate: () => specimens.duplicate(),
      nextSpecimen: () => work.cycleSpecimens(1), previousSpecimen: () => work.cycleSpecimens(-1),
      acceptSpecimens: () => specimens.acceptAll(), allLabelled: () => specimens.toggleComplete()};
    return {...work.specimens.several ? several : {}, acceptAll: () => enter.run(), accept: () => enter.accept(),
      hidden: () => work.toggleHidden(), absent: () => work.toggleAbsent(), clear: () => this.clearOne(),
      remainingAbsent: () => allPoints.remainingAbsent(), clearAll: () => allPoints.clearAll(),
      copyPrevious: () => allPoints.copyPrevious(), nextLandmark: () => work.cycle(1),
      previousLandmark: () => work.cycle(-1), unlabelled: () => work.nextUnlabelled(),
      filter: () => this.landmarks.findOne(), nextPicture: () => next.step(1), previousPicture: () => next.step(-1),
      pick: () => next.goSuggested(), zoomIn: () => canvas.zoom(1.25), zoomOut: () => canvas.zoom(1 / 1.25),
      fit: () => canvas.fit(), tone: () => this.tone.toggle(), note: () => this.note.toggle(),
      skip: () => this.note.toggleSkip(), bare: () => canvas.hideMarks(), guide: () => this.toggleGuide(),
      skeleton: () => this.toggleSkeleton(), thisWayUp: () => this.heading.ask(), upright: () => this.toggleUpright(),
      near: () => this.toggleNear()};
  }

  /** Breaks off a drag or closes what is open; from a button it leads back to the picture.
   *  @param {EventTarget|null} from */
  escape(from) {
    if (this.canvas.pointing) this.heading.stop();
    else if (this.canvas.drag) this.canvas.breakOff();
    else if (this.canvas.crosshair.at) {
      this.canvas.crosshair.hide();
      this.enter.draw();
    } else if (this.options.open) this.options.toggle();
    else if (this.curve.drafting) this.curve.cancel();
    else if (this.tone.open) this.tone.toggle();
    else if (from !== this.canvas.element) this.toPicture();
    return true;
  }

  /** Gives the keys to the picture. */
  toPicture() {
    this.canvas.element.focus({preventScroll: true});
  }

  /** Moves the current point; where it has no place yet, a cross-hair. @param {[number, number]} way  on the screen
   *  @param {KeyboardEvent} event */
  arrow(way, {shiftKey, ctrlKey, metaKey, altKey}) {
    const {work, canvas} = this;
    const [ax, ay] = turned(...way, -canvas.view.turn);
    const fine = ctrlKey || metaKey || altKey;
    if (!work.current) return;
    if (canvas.crosshair.at || this.curve.drafting || !work.pointOf(work.current)) {
      canvas.crosshair.move(work.current, [ax, ay], fine ? 'fine' : shiftKey ? 'pixel' : 'coarse');
      this.enter.draw();
      return;
    }
    const step = fine || shiftKey ? FINE_STEP : STEP;
    work.nudge(ax * step, ay * step);
  }

  /** A point was let go of, which may be for a curve. @param {string} name @param {number} x @param {number} y
   *  @param {boolean} moved @param {boolean} whole */
  drop(name, x, y, moved, whole) {
    if (!this.curve.drop(name, x, y, moved, whole)) this.work.dropped(name, x, y, moved);
  }

  /** Labels the current landmark where the cross-hair is. @param {boolean} hidden */
  placeCrosshair(hidden) {
    const {work, canvas: {crosshair}} = this;
    const {at, name} = crosshair;
    if (!at || !name) return;
    crosshair.hide();
    work.pressed(name, at.x, at.y, hidden);
    this.drop(name, at.x, at.y, false, false);
    crosshair.say(`${name} placed at ${at.x}, ${at.y}${work.current ? `; next: ${work.current}` : ''}`);
  }

  /** A click placed and met nothing: that is said. @param {boolean} outside  the picture */
  clickedNothing(outside) {
    const {work} = this;
    if (!work.names.length) return;
    this.enter.missed = outside
      ? 'That is outside the picture.'
      : work.specimens.several
      ? `This specimen is labelled: press ${keys.hint('addSpecimen')} for a new one, or choose one.`
      : 'Nothing waits for its place: choose a landmark in the list to set it anew.';
    this.enter.draw();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    this.enter.missed = null;
    this.drawCanvas();
    this.follow();
    this.specimens.draw();
    this.landmarks.draw();
    this.enter.draw();
    this.note.show(this.id);
    this.guide.show(this.id, this.work.current, this.work.suggestions.guides);
  }

  /** Turns the view as it is wanted; what follows the landmarks takes it for the one that it gave. */
  turn() {
    const before = this.canvas.view;
    this.heading.settle();
    if (this.follower.view === before) this.follower.view = this.canvas.view;
  }

  drawCanvas() {
    const {canvas, work} = this;
    this.turn();
    const points = {...work.labels};
    if (work.placing) points[work.placing.name] = work.placing;
    canvas.marks = this.id ? marksOf(this.app.landmarks(), points, work.suggestions.points) : [];
    canvas.key = work.specimens.several ? work.key : null;
    canvas.others = this.others();
    const {skeleton, curves} = this.app.landmarks();
    Object.assign(canvas, this.showSkeleton ? {skeleton, curves} : {skeleton: [], curves: []});
    canvas.draft = this.id ? this.curve.draft : null;
    canvas.current = work.current;
    canvas.crosshair.settle(this.id, work.current,
      Boolean(work.current && work.pointOf(work.current) && !this.curve.drafting));
    canvas.draw();
  }

  /** The specimens beside the current one; only those that have changed are made anew. @returns {Other[]} */
  others() {
    const {work: {specimens}, crowd} = this;
    if (!specimens.several || !this.id) {
      crowd.clear();
      return [];
    }
    const landmarks = this.app.landmarks();
    const {list, current} = specimens;
    const others = list.flatMap((specimen, i) => {
      const words = markOf(specimen, i + 1);
      const of = [specimen.labels, specimen.guess, words, landmarks, this.showSkeleton];
      let made = crowd.get(specimen.key);
      if (!made || made.of.some((each, k) => each !== of[k])) {
        const skeleton = this.showSkeleton ? linesOf(landmarks) : [];
        made = {of, other: otherOf(specimen, words, {...landmarks, skeleton})};
        crowd.set(specimen.key, made);
      }
      return made.other && specimen.key !== current ? [made.other] : [];
    });
    if (crowd.size > 2 * list.length + 8) crowd.clear(); // of other pictures
    return others;
  }

  /** Where that is wanted, looks at each landmark as its turn comes. */
  follow() {
    const {work} = this;
    if (work.detail && work.current) this.follower.follow(work.detail, work.current, work.waits);
  }

  drawZoom() {
    if (this.id) {
      text(this.zoomText, `${Math.round(this.canvas.view.scale * (window.devicePixelRatio || 1) * 100)} %`);
    }
  }

  drawReason() {
    const choice = this.next.reasons.get(this.id ?? '');
    fill(this.reason, choice
      ? [h('span.badge.accent', icon('sparkle', 12), REASONS[choice.kind]), ` ${choice.reason}`]
      : 'You chose this picture yourself.');
  }

  /** What is missing until there are suggestions, or what they do without. */
  drawWaiting() {
    const {app, work} = this;
    const picture = this.id ? app.picture(this.id) : null;
    this.coarse.hidden = !picture?.coarse;
    renew(this.coarse, picture?.coarse ? `${picture.file}|${picture.coarse}` : '',
      () => [icon('warning', 14), h('span', picture?.coarse ? coarseWords([picture]) : '')]);
    const message = work.suggestions.waiting_for;
    this.waiting.hidden = !message || !work.names.length;
    const {stage, message: why} = app.state.model;
    const features = stage === 'failed' || (stage === 'none' && !why); // else the studio is only starting
    if (!message) return;
    renew(this.waiting, `${message}${features}`,
      () => [icon('info', 14),
        h('span', message, ' ',
          features ? h('a', {href: app.href('features'), testid: 'to-features'}, 'Learn from my pictures') : null)]);
  }
}
