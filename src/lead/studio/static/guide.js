/** The guide: a labelled picture with the current landmark marked, so that one sees where it sits. */

import {linesOf} from './curves.js';
import {fill, h, iconButton, text} from './dom.js';
import {begin} from './geometry.js';
import {loadImage} from './images.js';
import {drawPicture, marksOf} from './paint.js';
import {extentOf, pictureOf, placesOf} from './specimens.js';

/**
 * @import {Picture, PictureDetail, PictureLabels} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Box, Size} from './geometry.js'
 */

const AT_MOST = 12; // pictures to leaf through
const PART = 0.42; // of the picture's shorter side that is shown around the landmark

export class Guide {
  /** @param {HTMLElement} place @param {App} app @param {() => void} changed  it shows another picture */
  constructor(place, app, changed) {
    this.app = app;
    this.changed = changed;
    this.place = place;
    this.on = true;
    /** whether the whole picture is shown rather than the landmark's surroundings */
    this.whole = false;
    this.at = 0;
    /** @type {Map<string, PictureDetail>} */
    this.details = new Map();
    /** the picture that is being labelled @type {string|null} */
    this.id = null;
    /** @type {string|null} */
    this.landmark = null;
    /** labelled pictures that are most similar to it, by id @type {string[]} */
    this.similar = [];
    /** @type {PictureDetail|null} */
    this.shown = null;
    this.key = '';
    this.title = h('span.ellipsis.small.muted', {testid: 'guide-name'});
    this.canvas = h('canvas', {testid: 'guide', role: 'img',
      title: 'Click: the whole picture, or the landmark from near', onclick: () => {
        this.whole = !this.whole;
        this.paint();
      }});
    this.note = h('p.small.muted.guide-note');
    this.before = iconButton('arrowLeft', 'Previous guide picture', {testid: 'guide-prev',
      onclick: () => this.leaf(-1)});
    this.after = iconButton('arrowRight', 'Next guide picture', {testid: 'guide-next', onclick: () => this.leaf(1)});
    fill(place, h('div.side-head', h('h2', 'Guide'), this.title, h('span.spacer'), this.before, this.after),
      h('div.guide-frame', this.canvas, this.note));
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.canvas);
    app.on('labels', (labels) => {
      if (pictureOf(labels.id) === this.shown?.id) this.paint();
    });
    app.on('back', () => {
      this.details.clear();
      this.key = '';
    });
  }

  destroy() {
    this.observer.disconnect();
  }

  toggle() {
    this.on = !this.on;
    this.key = '';
  }

  /** The picture on show, and where its landmarks are; null where none is. */
  get known() {
    if (!this.shown) return null;
    const {id, width, height} = this.shown;
    const marks = marksOf(this.app.landmarks(), this.pointsOn(id, this.landmark));
    return {width, height, places: new Map(marks.map(({name, x, y}) => [name, {x, y}]))};
  }

  /** @param {number} by */
  leaf(by) {
    this.at += by;
    this.key = '';
    this.show(this.id, this.landmark, this.similar);
  }

  /** Shows where `landmark` sits, on another picture than `id`. @param {string|null} id
   *  @param {string|null} landmark @param {string[]} similar  labelled pictures by id, the most similar first */
  async show(id, landmark, similar) {
    if (id !== this.id) this.at = 0;
    this.id = id;
    this.landmark = landmark;
    this.similar = similar;
    this.place.hidden = !this.on || !this.app.landmarks().landmarks.length;
    if (!id) this.key = '';
    if (this.place.hidden || !id) {
      this.shown = null;
      this.canvas.hidden = this.note.hidden = true;
      text(this.title, '');
      return;
    }
    const candidates = this.candidates(id);
    const key = [id, landmark, this.at, candidates.map((p) => p.id).join()].join('|');
    if (key === this.key) return;
    this.key = key;
    this.before.disabled = this.after.disabled = candidates.length < 2;
    const found = await this.find(candidates, landmark).catch(() => null);
    if (key !== this.key) return;
    this.shown = found;
    this.changed();
    text(this.title, found?.file.split('/').at(-1) ?? '');
    this.canvas.hidden = !found;
    this.note.hidden = Boolean(found);
    text(this.note, candidates.length
      ? `No other picture shows ${landmark ?? 'it'}.`
      : 'Once another picture is labelled, you see here where each landmark sits.');
    this.paint();
  }

  /** Labelled pictures, the most similar ones first, then that labelled last, then complete ones. @param {string} id */
  candidates(id) {
    const {app, similar} = this;
    const labelled = app.pictures.filter((p) => p.labelled && p.id !== id && !p.unreadable);
    const last = [...new Set(app.history.done.map((change) => pictureOf(change.id)).reverse())];
    /** @param {Picture} p */
    const rank = (p) => [similar, last].map((ids) => ids.indexOf(p.id)).map((at) => at < 0 ? AT_MOST : at);
    return labelled.map((p) => ({p, rank: [...rank(p), p.complete ? 0 : 1]})).sort((a, b) =>
      a.rank[0] - b.rank[0] || a.rank[1] - b.rank[1] || a.rank[2] - b.rank[2]
    ).slice(0, AT_MOST).map(({p}) => p);
  }

  /** The first one, from where one has leafed to, that has the landmark.
   *  @param {Picture[]} candidates @param {string|null} landmark */
  async find(candidates, landmark) {
    const n = candidates.length;
    for (let i = 0; i < n; i += 1) {
      const {id} = candidates[(((this.at + i) % n) + n) % n];
      const detail = this.app.labels(id) ? this.details.get(id) ?? await this.app.load(id) : await this.app.load(id);
      this.details.set(id, detail);
      const point = landmark ? this.pointsOn(id, landmark)[landmark] : null;
      if (!landmark || (point && point.state !== 'absent')) return detail;
    }
    return null;
  }

  /** What is labelled on a picture; where it shows several specimens, on that of them which has the landmark and most
   *  of the others. @param {string} id @param {string|null} landmark @returns {PictureLabels['points']} */
  pointsOn(id, landmark) {
    const {app} = this;
    if (!app.landmarks().several) return app.labels(id)?.points ?? {};
    const has = (/** @type {PictureLabels} */ {points}) =>
      Object.keys(points).length + (landmark && points[landmark] && points[landmark].state !== 'absent' ? 1000 : 0);
    return app.outbox.specimens(id).sort((a, b) => has(b) - has(a))[0]?.points ?? {};
  }

  /** Of what the landmark's surroundings are a part: the picture, or the specimen on it. @param {Size} picture
   *  @param {PictureLabels['points']} points @returns {Size} */
  sizeOf(picture, points) {
    if (!this.app.landmarks().several) return picture;
    const side = 1.5 * extentOf(placesOf(points)) || Math.min(picture.width, picture.height);
    return {width: side, height: side};
  }

  async paint() {
    const {shown, landmark, app} = this;
    if (!shown || this.place.hidden) return;
    const points = this.pointsOn(shown.id, landmark);
    const point = landmark ? points[landmark] : null;
    const near = point && point.state !== 'absent' && !this.whole;
    const part = near
      ? around(point, shown, {width: this.canvas.clientWidth || 1, height: this.canvas.clientHeight || 1},
        this.sizeOf(shown, points))
      : undefined;
    const image = await loadImage(app.api.image(shown.id, 1024)).catch(() => null);
    if (this.shown !== shown || this.landmark !== landmark) return;
    this.canvas.setAttribute('aria-label', `${landmark ?? 'Landmarks'} on ${shown.file}`);
    const marks = marksOf(app.landmarks(), points);
    drawPicture(this.canvas, {image, picture: shown, part, marks, skeleton: linesOf(app.landmarks()), current: landmark,
      named: marks.filter((mark) => mark.name === landmark)});
  }
}

/**
 * The part of a picture around a place, of a canvas's shape.
 * @param {{x: number, y: number}} place
 * @param {Size} picture
 * @param {Size} canvas
 * @param {Size} [thing]  of which the surroundings are a part
 * @returns {Box}
 */
export function around({x, y}, picture, canvas, thing = picture) {
  const side = Math.max(24, PART * Math.min(thing.width, thing.height));
  const scale = side / Math.min(canvas.width, canvas.height);
  const [width, height] = [canvas.width * scale, canvas.height * scale];
  return [begin(x + 0.5, width, picture.width), begin(y + 0.5, height, picture.height), width, height];
}
