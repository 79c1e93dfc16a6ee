/** The guide: a labelled picture with the current landmark marked, so that one sees where it sits. */

import {drawThumbnail, loadImage, marksOf} from './canvas.js';
import {fill, h, iconButton, text} from './dom.js';

const AT_MOST = 12; // pictures to leaf through
const PART = 0.42; // of the picture's shorter side that is shown around the landmark

export class Guide {
  constructor(place, app) {
    this.app = app;
    this.place = place;
    this.on = true;
    /** whether the whole picture is shown rather than the landmark's surroundings */
    this.whole = false;
    this.at = 0;
    this.details = new Map();
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
      if (labels.id === this.shown?.id) this.paint();
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

  leaf(by) {
    this.at += by;
    this.key = '';
    this.show(this.id, this.landmark);
  }

  /** Shows where `landmark` sits, on another picture than `id`. */
  async show(id, landmark) {
    this.id = id;
    this.landmark = landmark;
    this.place.hidden = !this.on || !this.app.landmarks().landmarks.length;
    if (this.place.hidden || !id) return;
    const candidates = this.candidates(id);
    const key = [id, landmark, this.at, candidates.map((p) => p.id).join()].join('|');
    if (key === this.key) return;
    this.key = key;
    this.before.disabled = this.after.disabled = candidates.length < 2;
    const found = await this.find(candidates, landmark).catch(() => null);
    if (key !== this.key) return;
    this.shown = found;
    text(this.title, found ? found.file.split('/').at(-1) : '');
    this.canvas.hidden = !found;
    this.note.hidden = Boolean(found);
    text(this.note, candidates.length
      ? `No other picture shows ${landmark ?? 'it'}.`
      : 'Once another picture is labelled, you see here where each landmark sits.');
    this.paint();
  }

  /** Labelled pictures, complete ones first. */
  candidates(id) {
    const labelled = this.app.pictures.filter((p) => p.labelled && p.id !== id && !p.unreadable);
    return [...labelled.filter((p) => p.complete), ...labelled.filter((p) => !p.complete)].slice(0, AT_MOST);
  }

  /** The first one, from where one has leafed to, that has the landmark. */
  async find(candidates, landmark) {
    const n = candidates.length;
    for (let i = 0; i < n; i += 1) {
      const {id} = candidates[(((this.at + i) % n) + n) % n];
      if (!this.details.has(id) || !this.app.labels(id)) this.details.set(id, await this.app.load(id));
      const point = this.app.labels(id)?.points[landmark];
      if (!landmark || (point && point.state !== 'absent')) return this.details.get(id);
    }
    return null;
  }

  async paint() {
    const {shown, landmark, app} = this;
    if (!shown || this.place.hidden) return;
    const points = app.labels(shown.id)?.points ?? {};
    const point = points[landmark];
    const {width, height} = shown;
    const side = Math.max(24, PART * Math.min(width, height));
    const ratio = (this.canvas.clientHeight || 1) / (this.canvas.clientWidth || 1);
    const within = (middle, length,
      whole) => (length >= whole ? (whole - length) / 2 : Math.min(Math.max(middle - length / 2, 0), whole - length));
    const [w, hh] = ratio < 1 ? [side / ratio, side] : [side, side * ratio];
    const near = point && point.state !== 'absent' && !this.whole;
    const crop = near ? [within(point.x + 0.5, w, width), within(point.y + 0.5, hh, height), w, hh] : undefined;
    const image = await loadImage(app.api.image(shown.id, 1024)).catch(() => null);
    if (this.shown !== shown || this.landmark !== landmark) return;
    this.canvas.setAttribute('aria-label', `${landmark ?? 'Landmarks'} on ${shown.file}`);
    drawThumbnail(this.canvas, {image, width, height, crop, current: landmark, marks: marksOf(app.landmarks(), points),
      skeleton: app.landmarks().skeleton, r: 4, names: true});
  }
}
