/** Drawing a curve: clicks that it goes through, until Enter makes evenly spaced points of it; and bending it after. */

import {curveOf, ownOf, pulls, resampled} from './curves.js';
import {count, h, kbd} from './dom.js';
import {clamp} from './geometry.js';
import {lasting} from './kept.js';
import {keyCap} from './keys.js';

/**
 * @import {Curve, PictureLabels, Point} from 'types/messages'
 * @import {Child} from 'types/dom'
 * @import {App} from './app.js'
 * @import {PictureCanvas} from './canvas.js'
 * @import {Place} from './curves.js'
 * @import {Labelling} from './labelling.js'
 * @import {Points} from './outbox.js'
 * @typedef {{curve: Curve, colour: string, places: Place[], clicks: Place[], next: (at: Place) => Place[],
 *   smooth: boolean}} Draft  `places`: what the line goes through, `next`: with another click
 */

const KEPT = 'lead.curves';
const REACH = 10; // CSS pixels: a click so near to an end is meant for it
const TREMBLE = 4; // CSS pixels: a click so near to the last is that one again
const DOUBLE = 500; // milliseconds: a click so soon after the last one belongs to it

/** Clicks of curves that are not ended, by labels and curve: they wait while something else is done.
 *  @type {Map<string, Place[]>} */
const drafts = new Map();

/** @param {number} value */
const thousandth = (value) => Math.round(value * 1000) / 1000;

/** What a curve goes through: its ends where these are landmarks with a place, and the clicks between.
 *  @param {Curve} curve @param {PictureLabels['points']} labels @param {Place[]} clicks */
export function through(curve, labels, clicks) {
  const {points, closed} = curve;
  const own = ownOf(curve);
  /** @param {string} name @returns {Place|null} */
  const placeOf = (name) => {
    const label = own.includes(name) ? null : labels[name];
    return label && label.state !== 'absent' ? [label.x, label.y] : null;
  };
  const from = placeOf(points[0]);
  const to = closed ? null : placeOf(points[points.length - 1]);
  return {from, to, places: [...from ? [from] : [], ...clicks, ...to ? [to] : []]};
}

/** The labels that a drawn curve makes: those of its own landmarks, and of an end that has none yet; null where the
 *  clicks are too few. @param {Curve} curve @param {PictureLabels['points']} labels @param {Place[]} clicks
 *  @param {boolean} smooth @param {'visible'|'hidden'} [state] @returns {Points|null} */
export function drawnPoints(curve, labels, clicks, smooth, state = 'visible') {
  const {points, closed} = curve;
  const own = ownOf(curve);
  const even = clicks.length ? resampled(through(curve, labels, clicks).places, points.length, {closed, smooth}) : null;
  return even && Object.fromEntries(points.flatMap((name, i) =>
    own.includes(name) || !labels[name]
      ? [[name, {state, x: even[i][0], y: even[i][1]}]]
      : []
  ));
}

/**
 * Where a curve's points come to stand while one of them is dragged.
 * @param {Curve} curve
 * @param {{x: number, y: number}[]} points  where they are
 * @param {string} name  of the dragged one
 * @param {{x: number, y: number}} to  where it is dragged to
 * @param {boolean} whole  all that are the curve's alone go along
 */
export function bent(curve, points, name, to, whole) {
  const {points: names, closed} = curve;
  const own = new Set(ownOf(curve));
  const at = names.indexOf(name);
  const isEnd = (/** @type {number} */ i) => !closed && (i === 0 || i === names.length - 1);
  const pull = whole
    ? names.map((each) => Number(own.has(each)))
    : pulls(names.length, at, closed, (i) => !own.has(names[i]) || isEnd(i));
  const [dx, dy] = [to.x - points[at].x, to.y - points[at].y];
  const places = points.map(({x, y}, i) => /** @type {Place} */ ([x + pull[i] * dx, y + pull[i] * dy]));
  return {places, pull, rigid: whole && names.every((each) => own.has(each))};
}

export class CurveTool {
  /** @param {App} app @param {Labelling} work @param {PictureCanvas} canvas */
  constructor(app, work, canvas) {
    this.app = app;
    this.work = work;
    this.canvas = canvas;
    this.smooth = lasting.text(KEPT) !== 'straight';
    /** when and where the last one was ended: a double click does so with its first, and means nothing with its second
     *  @type {{time: number, at: Place}|null} */
    this.ended = null;
    canvas.element.addEventListener('dblclick', () => {
      if (this.drafting) this.end();
    });
    canvas.element.addEventListener('pointermove', () => {
      if (this.drafting) canvas.draw();
    });
  }

  // --- what is drawn -------------------------------------------------------------------------------------------------

  /** The curve that a click is for. */
  get curve() {
    const {app, work} = this;
    return curveOf(app.landmarks(), work.placing?.name ?? work.awaits(null));
  }

  get key() {
    return `${this.work.key} ${this.curve?.name}`;
  }
  get clicks() {
    return (this.curve && drafts.get(this.key)) ?? [];
  }
  /** Whether clicks were made that are no labels yet. */
  get drafting() {
    return this.clicks.length > 0;
  }

  /** What is to be seen of it now. @returns {Draft|null} */
  get draft() {
    const {curve, clicks, smooth, work: {labels}} = this;
    if (!curve || !clicks.length) return null;
    return {curve, colour: this.app.colour(ownOf(curve)[0]), clicks, smooth,
      places: through(curve, labels, clicks).places, next: (at) => through(curve, labels, [...clicks, at]).places};
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  /** A point was let go of. Whether that was for a curve. @param {string} name @param {number} x @param {number} y
   *  @param {boolean} moved @param {boolean} whole */
  drop(name, x, y, moved, whole) {
    const {work} = this;
    if (!work.placing) return moved && this.bend(name, {x, y}, whole);
    const again = this.ended && performance.now() - this.ended.time < DOUBLE && this.near([x, y], this.ended.at, REACH);
    if (!again && !curveOf(this.app.landmarks(), name)) return false;
    const {curve} = this; // while it is being placed
    work.placing = null;
    if (!again && curve) this.add(curve, [x, y]);
    work.on.changed();
    return true;
  }

  /** @param {Place} a @param {Place} b @param {number} reach  in CSS pixels */
  near(a, b, reach) {
    return Math.hypot(a[0] - b[0], a[1] - b[1]) * this.canvas.view.scale <= reach;
  }

  /** @param {Curve} curve @param {Place} at */
  add(curve, at) {
    const {clicks, key} = this;
    const {from, to} = through(curve, this.work.labels, clicks);
    const last = clicks[clicks.length - 1];
    const closes = curve.closed && clicks.length > 2 && this.near(at, clicks[0], REACH);
    const arrives = to && clicks.length > 0 && this.near(at, to, REACH);
    if (closes || arrives) this.end(at);
    else if (last ? !this.near(at, last, TREMBLE) : !(from && this.near(at, from, REACH))) {
      drafts.set(key, [...clicks, at]);
    }
  }

  /** Makes labels of it, in one change. @param {Place} [at]  of the click that ended it */
  end(at) {
    const {app, work, curve, clicks, key} = this;
    if (!curve) return;
    const points = drawnPoints(curve, work.labels, clicks, this.smooth, work.hiddenNext ? 'hidden' : 'visible');
    if (!points) {
      app.toast(`${curve.name} needs ${curve.closed ? 'three clicks' : 'another click'} in different places.`);
      return;
    }
    if (!work.change(this.kept(points), `curve ${curve.name}`)) {
      app.toast('The labels are being read anew: press Enter again in a moment.');
      return;
    }
    drafts.delete(key);
    this.ended = at ? {time: performance.now(), at} : null;
    work.advance(ownOf(curve).at(-1) ?? '');
  }

  /** Within the picture, in thousandths of a pixel. @param {Points} points @returns {Points} */
  kept(points) {
    const {detail} = this.work;
    if (!detail) return points;
    return Object.fromEntries(Object.entries(points).map(([name, point]) => [name, point && point.state !== 'absent'
      ? {...point, x: thousandth(clamp(point.x, -0.5, detail.width - 0.5)),
        y: thousandth(clamp(point.y, -0.5, detail.height - 0.5))}
      : point]
    ));
  }

  /** Takes the last click away. */
  back() {
    const {clicks, key} = this;
    if (clicks.length > 1) drafts.set(key, clicks.slice(0, -1));
    else drafts.delete(key);
    this.work.on.changed();
  }

  /** Leaves it off. */
  cancel() {
    const {app, clicks, key, curve} = this;
    drafts.delete(key);
    app.toast(`${count(clicks.length, 'click')} along ${curve?.name} taken away`, 'info', {label: 'Undo', run: () => {
      drafts.set(key, clicks);
      this.work.on.changed();
    }});
    this.work.on.changed();
  }

  straighten() {
    this.smooth = !this.smooth;
    lasting.keep(KEPT, this.smooth ? null : 'straight');
    this.work.on.changed();
  }

  // --- bending -------------------------------------------------------------------------------------------------------

  /** Where the points of its curve come to stand while one is dragged; null where that is of no curve, or its curve
   *  has a point without a place. @param {string} name @param {{x: number, y: number}} to @param {boolean} whole */
  bending(name, to, whole) {
    const {app, work} = this;
    const curve = curveOf(app.landmarks(), name);
    const points = curve?.points.flatMap((each) => work.pointOf(each) ?? []) ?? [];
    return curve && points.length === curve.points.length ? {curve, ...bent(curve, points, name, to, whole)} : null;
  }

  /** The same as the canvas shows it, by name. @param {string} name @param {{x: number, y: number}} to
   *  @param {boolean} whole */
  along(name, to, whole) {
    const bending = this.bending(name, to, whole);
    return bending && new Map(bending.curve.points.map((each, i) => [each, bending.places[i]]));
  }

  /** A point of a curve was dragged. The others go along, and all are spaced evenly again. Whether that could be.
   *  @param {string} name @param {{x: number, y: number}} to @param {boolean} whole */
  bend(name, to, whole) {
    const bending = this.bending(name, to, whole);
    if (!bending) return false;
    const {work: {labels}, smooth} = this;
    const {curve, places, pull, rigid} = bending;
    const even = rigid ? places : resampled(places, places.length, {closed: curve.closed, smooth});
    if (!even) return false;
    const own = ownOf(curve);
    /** @type {Points} */
    const points = {};
    curve.points.forEach((each, i) => {
      if (!own.includes(each)) return;
      const label = labels[each];
      const accepted = pull[i] === 0 && (label ? Boolean(label.accepted) : true);
      points[each] =
        /** @type {Point} */ ({state: label?.state ?? 'visible', x: even[i][0], y: even[i][1],
          ...accepted && {accepted}});
    });
    this.work.change(this.kept(points), `curve ${curve.name}`);
    this.work.held(name);
    return true;
  }

  // --- words ---------------------------------------------------------------------------------------------------------

  /** What the hint says while a click is for a curve; null while it is for none. @param {(name: string) => Child} named
   *  @returns {Child} */
  words(named) {
    const {curve, clicks, work: {labels, current, suggestions, armed}} = this;
    if (!curve) return null;
    const own = ownOf(curve);
    const style = h('button.small', {testid: 'curve-straight', 'aria-pressed': String(!this.smooth),
      onclick: () => this.straighten()}, 'Straight lines');
    if (clicks.length) {
      return [h('span', {testid: 'curve-clicks'}, `${count(clicks.length, 'click')} along`), h('b', curve.name),
        kbd('↵'), 'ends', kbd('⌫'), 'one back', kbd('Esc'), 'not', style];
    }
    if (current && labels[current] && !armed) return null;
    const {points, closed} = curve;
    const [first, last] = [points[0], points[points.length - 1]];
    const ends = closed
      ? 'round'
      : own.includes(first) && own.includes(last)
      ? 'along'
      : `from ${first} to ${last} along`;
    return ['Click', ends, named(own[0]), own.some((name) => labels[name]) ? 'to draw it anew' : null,
      own.some((name) => !labels[name] && suggestions.points[name])
        ? ['or', keyCap('accept'), 'to accept all of it']
        : null, style];
  }

  /** What the hint depends on. */
  get stamp() {
    return `${this.key}|${this.clicks.length}|${this.smooth}`;
  }
}
