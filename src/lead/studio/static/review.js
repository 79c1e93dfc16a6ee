/** Review: all predictions, those to doubt first; and (disputes.js) the labels that the model disputes. */

import {linesOf} from './curves.js';
import {DisputeList} from './disputes.js';
import {ARROWS, count, emptyState, fill, find, h, icon, kbd, lookUp, percent, refill, slug, svg} from './dom.js';
import {clamp} from './geometry.js';
import {meanErrorText, pixels, segmented} from './parts.js';
import {coarseWords} from './picking.js';
import {extentOf, placesOf} from './specimens.js';

/**
 * @import {Route} from 'types/app'
 * @import {Child} from 'types/dom'
 * @import {Disputes, Picture, Prediction} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Points} from './outbox.js'
 * @typedef {Picture & {expected: number, expected_px: number}} Ranked
 * @typedef {Pick<Prediction, 'id'|'width'|'height'|'points'|'specimens'|'missed'|'doubtful'>} Drawn
 * @typedef {{n: number, from: number, to: number}} Bar
 */

const PAGE = 60; // predictions asked for at a time
const RANKED = 10; // parts of that size, of which the server's order is taken where pictures show several specimens
const LIKELY = 0.5; // from which on a suggested specimen is drawn as one
const TILE = 216; // CSS pixels: the narrowest tile
const GAP = 12;
const CAPTION = 32;
const BARS = 32;
/** @type {[choice: 'expected'|'name', text: string][]} */
const ORDERS = [['expected', 'Worst first'], ['name', 'By name']];
/** @type {[choice: 'px'|'percent', text: string][]} */
const UNITS = [['px', 'px'], ['percent', '%']];
/** @type {[choice: 'all'|'unlabelled', text: string][]} */
const FILTERS = [['all', 'All'], ['unlabelled', 'Unlabelled']];

// --- how the expected errors lie -------------------------------------------------------------------------------------

/** The value below which `share` of the sorted numbers lie. @param {number[]} sorted @param {number} share */
export const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** Bars of equal width from 0 to about the 99th percentile; the last one takes all above.
 *  @param {number[]} values @returns {Bar[]} */
export function histogram(values, bars = BARS) {
  const sorted = [...values].sort((a, b) => a - b);
  const top = Math.max(quantile(sorted, 0.99), 1e-9);
  const step = top / (bars - 1);
  /** @type {number[]} */
  const counts = new Array(bars).fill(0);
  for (const value of sorted) counts[Math.min(bars - 1, Math.floor(value / step))] += 1;
  return counts.map((n, i) => ({n, from: i * step, to: i === bars - 1 ? Infinity : (i + 1) * step}));
}

// --- the gallery -----------------------------------------------------------------------------------------------------

/**
 * Predictions as tiles. The order comes from the list of pictures, which holds every expected error; what is drawn on a
 * tile comes in parts from the server when it is scrolled to. Only tiles near the window exist, so 20,000 pictures are
 * as light as 20.
 */
class Gallery {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    /** @type {'expected'|'name'} */
    this.sort = 'expected';
    /** @type {'all'|'unlabelled'} */
    this.filter = 'all';
    /** that of the predictions which have been asked for @type {string|null} */
    this.asked = null;
    /** of the histogram @type {Bar|null} */
    this.range = null;
    /** what passes, in order @type {Ranked[]} */
    this.items = [];
    /** @type {Map<string, HTMLElement>} */
    this.tiles = new Map();
    /** places of all in the server's order, which is by share @type {Map<string, number>} */
    this.rank = new Map();
    /** what has been asked for @type {Map<number, Promise<void>>} */
    this.pages = new Map();
    /** @type {Map<string, Drawn>} */
    this.known = new Map();
    /** as the server has them, the worst first; the beginning of it @type {string[]} */
    this.order = [];
    /** of the fit that is shown @type {number|undefined} */
    this.model = undefined;
    this.shape = 1;
    this.height = 0;
    this.focused = 0;
    this.reading = false;
    this.again = false;
    this.dead = false;
    /** @type {HTMLElement|null} */
    this.empty = null;
    this.summary = h('p', {testid: 'review-summary'});
    this.bars = h('div.r-bars', {testid: 'histogram', role: 'toolbar',
      'aria-label': 'Pictures by expected error; choose a bar to see those'});
    this.axis = h('div.row.r-axis.small.muted');
    this.coarse = h('p.notice', {testid: 'review-coarse', hidden: true});
    this.news = h('div.r-news', {'aria-live': 'polite'});
    this.shown = h('span.muted', {testid: 'review-shown', role: 'status'});
    this.list = h('div.r-grid', {testid: 'gallery', role: 'list', 'aria-label': 'Predictions'});
    const keys = h('span.muted.r-keys', kbd('←'), kbd('↑'), kbd('↓'), kbd('→'), ' move ', kbd('Enter'), ' opens ',
      app.landmarks().several ? null : [kbd('A'), ' accepts']);
    this.element = h('div.r-gallery',
      h('div.card.r-head',
        h('div.stack', this.summary, h('div.row.wrap', segmented('Order', ORDERS, this.sort, 'review-sort', (sort) => {
          this.sort = sort;
          this.arrange();
        }), segmented('Which', FILTERS, this.filter, 'review-filter', (filter) => {
          this.filter = filter;
          this.arrange();
        }), this.shown), keys), h('div.r-histogram', this.bars, this.axis)), this.coarse, this.news, this.list);
    this.scroller = root;
    root.append(this.element);
    root.addEventListener('scroll', () => this.draw(), {passive: true});
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.list);
    app.on('labels', (labels) => this.mark(labels.id));
    app.on('pictures', () => {
      this.tally();
      for (const id of this.tiles.keys()) this.mark(id);
    });
    app.on('model', () => this.fitted());
    app.on('back', () => this.begin());
    app.on('landmarks', () => this.begin());
    app.on('unit', () => {
      this.range = null;
      for (const tile of this.tiles.values()) tile.remove();
      this.tiles.clear();
      this.arrange();
    });
    app.keys((event) => this.key(event));
    this.begin();
  }

  /** Reads the predictions as they are now, from the first. */
  async begin() {
    this.again = this.reading;
    if (this.reading) return;
    this.reading = true;
    try {
      await this.readFirst();
    } finally {
      this.reading = false;
    }
    if (this.again && !this.dead) await this.begin();
  }

  async readFirst() {
    let first;
    try {
      first = await this.app.api.get('/predictions', {sort: this.sort, offset: 0, limit: PAGE});
      if (first.total) await this.app.readPictures();
    } catch (error) {
      this.app.report(error);
      return;
    }
    if (this.dead) return;
    this.model = first.model;
    this.pages = new Map();
    this.known = new Map();
    this.pages.set(0, Promise.resolve());
    for (const p of first.pictures) this.known.set(p.id, p);
    this.order = first.pictures.map((p) => p.id);
    if (this.app.landmarks().several) await this.readOrder(first.total);
    if (this.dead) return;
    const waiting = !first.total ? first.waiting_for ?? 'There are no predictions yet.' : null;
    this.empty?.remove();
    this.element.hidden = Boolean(waiting);
    if (waiting) {
      this.empty = emptyState('No predictions yet', waiting, this.app.state.model.stage === 'none'
        ? h('a.button.primary', {href: '#/features', testid: 'review-to-features'}, 'Learn from my pictures')
        : null, h('a.button', {href: '#/label', testid: 'review-to-label'}, 'Label pictures'));
      this.scroller.append(this.empty);
      return;
    }
    const shapes = first.pictures.map((p) => p.height / p.width).sort((a, b) => a - b);
    this.shape = Math.min(1.15, Math.max(0.6, quantile(shapes, 0.5)));
    this.range = null;
    fill(this.news);
    this.arrange();
  }

  /** With several specimens a picture, those with missed or doubtful ones come first, of which the list of pictures
   *  says nothing: their order is the server's. @param {number} total */
  async readOrder(total) {
    for (let n = 1; n < Math.min(RANKED, Math.ceil(total / PAGE)) && !this.dead; n++) {
      try {
        const {pictures} = await this.app.api.get('/predictions', {sort: 'expected', offset: n * PAGE, limit: PAGE});
        this.order.push(...pictures.map((p) => p.id));
      } catch {
        return; // the others follow by their expected errors
      }
    }
  }

  /** The expected error of a picture in the unit that the person chose. @param {Ranked} picture */
  error(picture) {
    return this.app.unit() === 'px' ? picture.expected_px : picture.expected;
  }

  /** @param {number} error  in that unit */
  read(error) {
    return this.app.unit() === 'px' ? pixels(error) : percent(error);
  }

  /** Puts the pictures in order and filters them. */
  arrange() {
    const at = this.items[this.focused]?.id;
    const order = this.all();
    if (this.sort === 'expected') order.sort((a, b) => b.expected - a.expected); // equal ones stay as they are
    if (this.asked && this.asked !== this.sort) this.pages = new Map();
    this.asked = this.sort;
    this.rank = new Map(order.map((p, i) => [p.id, i]));
    const {several} = this.app.landmarks();
    if (this.sort === 'expected' && !several) order.sort((a, b) => this.error(b) - this.error(a));
    else if (this.sort === 'expected') {
      const at = new Map(this.order.map((id, i) => [id, i]));
      const last = order.length;
      order.sort((a, b) => (at.get(a.id) ?? last) - (at.get(b.id) ?? last));
    }
    const {range} = this;
    const within = (/** @type {number} */ error) => !range || (error >= range.from && error < range.to);
    // What is accepted here stays in view until the filter is chosen anew.
    this.items = order.filter((p) => this.passes(p) && within(this.error(p)));
    this.focused = Math.max(0, this.items.findIndex((p) => p.id === at));
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.tally();
    this.draw();
  }

  /** The pictures that there are predictions of, without those tagged “skip”. @returns {Ranked[]} */
  all() {
    if (this.app.landmarks().several) {
      // of one on which nothing is found there is no expected error, and it is worth a look
      const there = new Set(this.order);
      return this.app.pictures.flatMap((p) =>
        p.unreadable || p.tags.includes('skip') || (p.expected === null && !there.has(p.id))
          ? []
          : [{...p, expected: p.expected ?? 0, expected_px: p.expected_px ?? 0}]
      );
    }
    return this.app.pictures.flatMap((p) =>
      p.expected === null || p.expected_px === null || p.unreadable || p.tags.includes('skip')
        ? []
        : [/** @type {Ranked} */ (p)]
    );
  }

  /** @param {Picture} picture */
  passes(picture) {
    return this.filter === 'all' || !picture.complete;
  }

  tally() {
    const errors = this.all().filter((p) => this.passes(p)).map((p) => this.error(p));
    if (!errors.length) {
      fill(this.shown, 'None');
      return;
    }
    const sorted = [...errors].sort((a, b) => a - b);
    const median = quantile(sorted, 0.5);
    const bad = Number((1.5 * median).toPrecision(2));
    const above = errors.filter((error) => error > bad).length;
    const whole = this.app.unit() === 'px' ? '' : ' of the longer side';
    fill(this.summary, h('strong', `Median expected error ${this.read(median)}${whole}`),
      `; ${above ? count(above, 'picture') : 'none'} above ${this.read(bad)}.`);
    this.drawBars(errors);
    const coarse = this.app.pictures.filter((p) => p.coarse && !p.unreadable);
    this.coarse.hidden = !coarse.length;
    this.coarse.title = coarse.map((p) => `${p.file}: ${p.coarse}`).join('\n');
    fill(this.coarse, icon('warning'), h('span', coarse.length ? coarseWords(coarse) : ''));
    fill(this.shown, `${this.items.length.toLocaleString('en')} of ${count(errors.length, 'picture')}`,
      this.range && h('button.small', {testid: 'review-show-all', onclick: () => {
        this.range = null;
        this.arrange();
      }}, this.span(this.range), ' ×'));
  }

  /** @param {number[]} errors */
  drawBars(errors) {
    const bars = histogram(errors);
    const most = Math.max(...bars.map((b) => b.n));
    const focus = [...this.bars.children].findIndex((bar) => bar === document.activeElement);
    const tab = focus >= 0 ? focus : bars.findIndex((b) => b.n);
    refill(this.bars, bars.map((bar, i) => {
      const words = `${count(bar.n, 'picture')} of ${this.span(bar)}`;
      const on = this.range?.from === bar.from;
      const height = bar.n ? `${Math.max(4, (100 * bar.n) / most)}%` : '0';
      return h('button.r-bar', {testid: `histogram-${i}`, title: words, 'aria-label': words, 'aria-pressed': String(on),
        tabindex: i === tab ? 0 : -1, onclick: () => {
          this.range = on ? null : bar;
          this.arrange();
        }, onkeydown: (event) => this.barKey(event, i)}, h('span', {style: {height}}));
    }));
    fill(this.axis, h('span', '0'), h('span.spacer'), h('span', 'expected error'), h('span.spacer'),
      h('span', `${this.read(bars[bars.length - 1].from)} +`));
  }

  /** @param {KeyboardEvent} event @param {number} i */
  barKey(event, i) {
    const [across] = lookUp(ARROWS, event.key) ?? [0];
    if (!across) return;
    event.preventDefault();
    event.stopPropagation();
    find(this.bars, `[data-testid="histogram-${clamp(i + across, 0, BARS - 1)}"]`)?.focus();
  }

  /** @param {Bar} bar */
  span({from, to}) {
    return to === Infinity ? `${this.read(from)} and more` : `${this.read(from)} to ${this.read(to)}`;
  }

  fitted() {
    const {model} = this.app.state.model;
    // Predictions come a while after the fit, and perhaps while an answer without them is on its way.
    if (this.element.hidden || this.reading) {
      this.begin();
      return;
    }
    if (this.model === undefined || model === this.model) return;
    fill(this.news,
      h('div.notice', icon('info'),
        h('span', 'The model has learnt from your labels since. These are its earlier predictions.'), h('span.spacer'),
        h('button.small', {testid: 'review-refresh', onclick: () => this.begin()}, 'Show the newer ones')));
  }

  // tiles

  get columns() {
    return Math.max(1, Math.floor((this.list.clientWidth + GAP) / (TILE + GAP)));
  }

  /** Makes the tiles near the window, and lets the others go. */
  draw() {
    if (this.dead || this.element.hidden || !this.list.clientWidth) return;
    const {columns} = this;
    const width = (this.list.clientWidth - GAP * (columns - 1)) / columns;
    this.height = Math.round(width * this.shape) + CAPTION + GAP;
    const rows = Math.ceil(this.items.length / columns);
    this.list.style.height = `${rows * this.height}px`;
    const top = this.scroller.getBoundingClientRect().top - this.list.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / this.height) - 1) * columns;
    const last = Math.min(this.items.length,
      (Math.ceil((top + this.scroller.clientHeight) / this.height) + 1) * columns);
    const focused = this.items[this.focused]; // else the focus would be lost with its tile
    const near = new Set([...this.items.slice(first, last), focused].map((item) => item?.id));
    for (const [id, tile] of this.tiles) {
      if (near.has(id)) continue;
      tile.remove();
      this.tiles.delete(id);
    }
    for (let i = first; i < last; i++) this.place(i, columns, width);
    if (focused && (this.focused < first || this.focused >= last)) this.place(this.focused, columns, width);
    if (!this.items.length) {
      fill(this.list,
        h('p.muted.r-none', {role: 'listitem', testid: 'review-none'},
          this.filter === 'unlabelled' ? 'Every picture is labelled.' : 'No picture is in this range.'));
    } else this.list.querySelector('.r-none')?.remove();
  }

  /** @param {number} i @param {number} columns @param {number} width */
  place(i, columns, width) {
    const item = this.items[i];
    const tile = this.tiles.get(item.id) ?? this.tile(item, i);
    tile.tabIndex = i === this.focused ? 0 : -1;
    tile.classList.toggle('current', i === this.focused);
    Object.assign(tile.style, {width: `${width}px`, height: `${this.height - GAP}px`,
      transform: `translate(${(i % columns) * (width + GAP)}px, ${Math.floor(i / columns) * this.height}px)`});
  }

  /** @param {Ranked} item @param {number} i */
  tile(item, i) {
    const unknown = this.app.picture(item.id)?.expected === null;
    const error = h('span.r-error.number', {testid: 'expected', hidden: unknown}, this.read(this.error(item)));
    const tile = h('div.r-tile', {role: 'listitem', testid: `tile-${item.id}`, 'data-id': item.id,
      'aria-posinset': i + 1, 'aria-setsize': this.items.length,
      onclick: () => this.focus(this.items.findIndex((p) => p.id === item.id)),
      ondblclick: () => this.app.go('label', item.id)},
      h('div.r-frame', h('img', {src: this.app.api.image(item.id, 320), alt: '', loading: 'lazy', draggable: false}),
        h('div.r-points'), h('div.r-found'), h('div.r-actions', this.app.landmarks().several
          ? null
          : h('button.small', {testid: `accept-${item.id}`, tabindex: -1, title: 'Accept these points as labels  (A)',
            onclick: (e) => {
              e.stopPropagation();
              this.accept(item.id);
            }}, icon('accept', 14), 'Accept'),
          h('button.small', {testid: `open-${item.id}`, tabindex: -1, title: 'Open in the label view  (Enter)',
            onclick: (e) => {
              e.stopPropagation();
              this.app.go('label', item.id);
            }}, 'Open'))),
      h('div.r-caption', h('span.r-done', {title: 'Labelled'}, icon('accept', 14)),
        h('span.ellipsis', {title: item.file}, item.file), h('span.spacer'), error));
    this.tiles.set(item.id, tile);
    this.mark(item.id);
    this.list.append(tile);
    this.want(item.id);
    return tile;
  }

  /** Shows on a tile whether its picture is labelled. @param {string} id */
  mark(id) {
    const tile = this.tiles.get(id);
    const picture = this.app.picture(id);
    if (!tile || !picture) return;
    tile.classList.toggle('complete', picture.complete);
    tile.dataset.complete = String(picture.complete);
    tile.setAttribute('aria-label',
      `${picture.file}, expected error ${meanErrorText(this.app, picture.expected_px, picture.expected ?? 0)}, ${
        picture.complete ? 'labelled' : 'not labelled'
      }. Enter opens it, A accepts.`);
  }

  /** Draws a tile's prediction as soon as it is here. @param {string} id */
  async want(id) {
    try {
      if (!this.known.has(id)) await this.page(Math.floor((this.rank.get(id) ?? 0) / PAGE));
      // Between two fits the server's order may differ from the list's: then this one is asked for by itself.
      if (!this.known.has(id)) await this.single(id);
    } catch {
      return; // the banner says that the server does not answer; scrolling asks again
    }
    const tile = this.tiles.get(id);
    const place = tile && find(tile, '.r-points');
    const prediction = this.known.get(id);
    if (this.dead || !place || !prediction) return;
    fill(place, drawing(this.app, prediction));
    const found = find(tile, '.r-found');
    if (found) this.drawFound(found, prediction);
  }

  /** What the model says of the specimens as a whole. @param {HTMLElement} place @param {Drawn} prediction */
  drawFound(place, {specimens, missed, doubtful}) {
    if (!this.app.landmarks().several) return;
    const likely = specimens.length - doubtful;
    fill(place, missed ? h('span.badge.bad', {testid: 'missed'}, `${missed} missed`) : null, doubtful
      ? h('span.badge.warn', {testid: 'doubtful'}, `${doubtful} doubtful`)
      : null, h('span.badge', {testid: 'found'}, `${likely} found`));
  }

  /** Asks for a part of the predictions, once. @param {number} n */
  page(n) {
    const asked = this.pages.get(n) ?? this.askPage(n);
    this.pages.set(n, asked);
    return asked;
  }

  /** @param {number} n */
  async askPage(n) {
    try {
      const {pictures} = await this.app.api.get('/predictions', {sort: this.sort, offset: n * PAGE, limit: PAGE});
      for (const p of pictures) this.known.set(p.id, p);
    } catch (error) {
      this.pages.delete(n);
      throw error;
    }
  }

  /** @param {string} id */
  async single(id) {
    const [detail, suggestions] = await Promise.all([
      this.app.api.get(`/pictures/${id}`),
      this.app.api.get(`/pictures/${id}/suggestions`),
    ]);
    const {points, specimens} = suggestions;
    this.known.set(id, {id, width: detail.width, height: detail.height, points, specimens, missed: 0, doubtful: 0});
  }

  // keys

  /** @param {number} i */
  focus(i) {
    if (i < 0 || i >= this.items.length) return;
    this.focused = i;
    const row = Math.floor(i / this.columns) * this.height;
    const at = this.scroller.getBoundingClientRect().top - this.list.getBoundingClientRect().top;
    const room = this.scroller.clientHeight;
    if (row < at) this.scroller.scrollTop += row - at - GAP;
    else if (row + this.height > at + room) this.scroller.scrollTop += row + this.height - at - room + GAP;
    this.draw();
    this.tiles.get(this.items[i].id)?.focus({preventScroll: true});
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.element.hidden || !this.items.length) return false;
    const {activeElement} = document;
    const inside = this.list.contains(activeElement);
    const id = this.items[this.focused]?.id;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height)) * this.columns;
    const [across, down] = lookUp(ARROWS, event.key) ?? [0, 0];
    const pages = {Home: 0, End: this.items.length - 1, PageUp: Math.max(0, this.focused - page),
      PageDown: Math.min(this.items.length - 1, this.focused + page)};
    const to = across || down ? this.focused + across + down * this.columns : lookUp(pages, event.key);
    if (to !== undefined) this.focus(inside || !event.key.startsWith('Arrow') ? to : this.focused);
    else if (event.key.toLowerCase() === 'a') this.accept(id);
    else if (event.key === 'Enter' && !activeElement?.closest('button, a, input, summary')) this.app.go('label', id);
    else return false;
    return true;
  }

  /** The focus goes back to the picture that the keys act on. */
  refocus() {
    this.tiles.get(this.items[this.focused]?.id ?? '')?.focus({preventScroll: true});
  }

  /** Makes the predictions of a picture its labels, where it has none; then goes on to the next. @param {string} id */
  async accept(id) {
    const {app} = this;
    if (app.landmarks().several) {
      app.go('label', id); // which of the specimens are any, is decided there
      return;
    }
    try {
      const [detail] = await Promise.all([app.load(id), this.known.has(id) ? null : this.want(id)]);
      const there = (app.labels(id) ?? detail.labels).points;
      /** @type {Points} */
      const points = {};
      for (const [name, {x, y}] of Object.entries(this.known.get(id)?.points ?? {})) {
        if (!there[name]) points[name] = {state: 'visible', x, y, accepted: true};
      }
      const n = Object.keys(points).length;
      const {file} = detail;
      if (!n) {
        app.toast(`${file} is labelled already; Enter opens it.`);
        return;
      }
      app.change(id, points, {what: 'accept the predictions'});
      const i = this.items.findIndex((p) => p.id === id);
      app.toast(`Accepted ${count(n, 'point')} on ${file}.`, 'good', {label: 'Undo', run: () => {
        app.undo();
        if (!this.dead) this.focus(i);
      }});
      this.focus(Math.min(i + 1, this.items.length - 1));
    } catch (error) {
      app.report(error);
    }
  }

  close() {
    this.dead = true;
    this.resized.disconnect();
  }
}

/** A prediction as an SVG that lies on its picture, whatever the size it is shown at.
 *  @param {App} app @param {Drawn} prediction */
function drawing(app, {width, height, points, specimens}) {
  // (0, 0) is a pixel's centre
  const root = svg('svg', {viewBox: `-0.5 -0.5 ${width} ${height}`, 'aria-hidden': 'true'});
  const radius = Math.max(width, height) * 0.016;
  if (!app.landmarks().several) {
    drawOne(root, app, points, radius);
    return root;
  }
  for (const {points: own, likely} of specimens) {
    const group = svg('g', {class: likely !== null && likely < LIKELY ? 'r-one faint' : 'r-one'});
    drawOne(group, app, own, Math.min(radius, Math.max(radius / 4, 0.06 * extentOf(placesOf(own)))));
    root.append(group);
  }
  return root;
}

/** The landmarks of one specimen. @param {SVGElement} root @param {App} app @param {Prediction['points']} points
 *  @param {number} radius */
function drawOne(root, app, points, radius) {
  const {landmarks} = app.landmarks();
  const bones = linesOf(app.landmarks()).filter(([a, b]) => points[a] && points[b]).map(([a, b]) => ({x1: points[a].x,
    y1: points[a].y, x2: points[b].x, y2: points[b].y})
  );
  for (const ends of bones) root.append(svg('line', {class: 'under', ...ends}));
  for (const ends of bones) root.append(svg('line', {class: 'bone', ...ends}));
  for (const {name, colour} of landmarks.filter((l) => points[l.name])) {
    const {x, y} = points[name];
    root.append(svg('circle', {cx: x, cy: y, r: radius, fill: colour, 'data-name': slug(name)}));
  }
}

// --- the view --------------------------------------------------------------------------------------------------------

/** @param {HTMLElement} root @param {App} app @param {Route} route */
export function mount(root, app, route) {
  const disputes = route.name === 'disputes';
  const number = h('span');
  /** @param {string} name @param {...Child} inside */
  const tab = (name, ...inside) =>
    h('a', {href: app.href(name), testid: `tab-${name}`, 'aria-current': route.name === name ? 'page' : null}, inside);
  const page = h('div.page.r-page',
    h('div.page-head', h('h1', 'Review'),
      h('nav.v-tabs', {'aria-label': 'What to review'}, tab('review', 'Predictions'),
        tab('disputes', 'Disputed labels', number), tab('looks', 'Second look')), h('span.spacer'),
      h('div.row', h('span.muted', 'Errors in'),
        segmented('Errors in', UNITS, app.unit(), 'unit', (unit) => app.setUnit(unit)))));
  root.append(page);
  /** @param {number} n */
  const told = (n) =>
    fill(number, n ? h('span.badge.warn', {testid: 'disputes-number'}, n.toLocaleString('en')) : null);
  const view = disputes ? new DisputeList(page, app, told) : new Gallery(page, app);
  // Who presses a button with the mouse goes on with the keys of what is below.
  page.addEventListener('click', (event) => {
    const button = event.target instanceof Element && event.target.closest('button');
    if (event.detail && button && !view.list.contains(button)) view.refocus();
  });
  const pictures = (/** @type {Disputes} */ {disputes}) => new Set(disputes.map((d) => d.id)).size;
  if (!disputes) app.api.get('/disputes').then((answer) => told(pictures(answer))).catch(() => {});
  return () => view.close();
}
