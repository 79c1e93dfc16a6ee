/** Review: all predictions, those to doubt first; and (disputes.js) the labels that the model disputes. */

import {DisputeList} from './disputes.js';
import {count, emptyState, fill, h, icon, kbd, percent, slug} from './dom.js';
import {pixels, segmented, svg} from './parts.js';

const PAGE = 60; // predictions asked for at a time
const TILE = 216; // CSS pixels: the narrowest tile
const GAP = 12;
const CAPTION = 32;
const BARS = 32;

// --- how the expected errors lie -------------------------------------------------------------------------------------

/** The value below which `share` of the sorted numbers lie. */
export const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** Bars of equal width from 0 to about the 99th percentile; the last one takes all above. */
export function histogram(values, bars = BARS) {
  const sorted = [...values].sort((a, b) => a - b);
  const top = Math.max(quantile(sorted, 0.99), 1e-9);
  const step = top / (bars - 1);
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
  constructor(root, app) {
    this.app = app;
    this.sort = 'expected';
    this.filter = 'all';
    this.range = null; // a bar of the histogram
    this.items = [];
    this.tiles = new Map();
    this.focused = 0;
    this.summary = h('p', {testid: 'review-summary'});
    this.bars = h('div.r-bars', {testid: 'histogram', role: 'toolbar',
      'aria-label': 'Pictures by expected error; choose a bar to see those'});
    this.axis = h('div.row.r-axis.small.muted');
    this.news = h('div.r-news', {'aria-live': 'polite'});
    this.shown = h('span.muted', {testid: 'review-shown', role: 'status'});
    this.grid = h('div.r-grid', {testid: 'gallery', role: 'list', 'aria-label': 'Predictions'});
    const keys = h('span.muted.r-keys', kbd('←'), kbd('↑'), kbd('↓'), kbd('→'), ' move ', kbd('Enter'), ' opens ',
      kbd('A'), ' accepts');
    this.element = h('div.r-gallery',
      h('div.card.r-head',
        h('div.stack', this.summary,
          h('div.row.wrap',
            segmented('Order', [['expected', 'Worst first'], ['name', 'By name']], this.sort, 'review-sort', (v) => {
              this.sort = v;
              this.arrange();
            }),
            segmented('Which', [['all', 'All'], ['unlabelled', 'Unlabelled']], this.filter, 'review-filter', (v) => {
              this.filter = v;
              this.arrange();
            }), this.shown), keys), h('div.r-histogram', this.bars, this.axis)), this.news, this.grid);
    this.scroller = root;
    root.append(this.element);
    this.scrolled = () => this.draw();
    root.addEventListener('scroll', this.scrolled, {passive: true});
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.grid);
    this.offs = [
      app.on('labels', (labels) => this.labelled(labels.id)),
      app.on('pictures', () => {
        this.tally();
        for (const id of this.tiles.keys()) this.mark(id);
      }),
      app.on('model', () => this.fitted()),
      app.on('back', () => this.begin()),
      app.on('landmarks', () => this.begin()),
      app.keys((event) => this.key(event)),
    ];
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
    const waiting = !first.total ? first.waiting_for ?? 'There are no predictions yet.' : null;
    this.empty?.remove();
    this.element.hidden = Boolean(waiting);
    if (waiting) {
      this.empty = emptyState('No predictions yet', waiting, this.app.state.model.stage === 'none'
        ? h('a.button.primary', {href: '#/features', testid: 'review-to-features'}, 'Train features')
        : null, h('a.button', {href: '#/label', testid: 'review-to-label'}, 'Label pictures'));
      this.scroller.append(this.empty);
      return;
    }
    // One unit for all: pixels where the pictures are of one size, else shares of the longer side.
    const sides = first.pictures.map((p) => Math.max(p.width, p.height));
    this.side = Math.min(...sides) === Math.max(...sides) ? sides[0] : null;
    const shapes = first.pictures.map((p) => p.height / p.width).sort((a, b) => a - b);
    this.shape = Math.min(1.15, Math.max(0.6, quantile(shapes, 0.5)));
    this.range = null;
    fill(this.news);
    this.arrange();
  }

  read(share) {
    return this.side ? pixels(share * this.side) : percent(share);
  }

  /** Puts the pictures in order and filters them. */
  arrange() {
    const at = this.items[this.focused]?.id;
    const all = this.app.pictures.filter((p) => p.expected !== null && !p.unreadable);
    const order = this.sort === 'name'
      ? all
      : all.map((p, i) => [p, i]).sort(([a, i], [b, j]) => b.expected - a.expected || i - j).map(([p]) => p);
    if (this.ranked !== this.sort) {
      if (this.ranked) this.pages = new Map();
      this.ranked = this.sort;
    }
    this.rank = new Map(order.map((p, i) => [p.id, i]));
    const {range} = this;
    // What is accepted here stays in view until the filter is chosen anew.
    this.items = order.filter((p) => this.passes(p) && (!range || (p.expected >= range.from && p.expected < range.to)));
    this.focused = Math.max(0, this.items.findIndex((p) => p.id === at));
    for (const tile of this.tiles.values()) tile.remove();
    this.tiles.clear();
    this.tally();
    this.draw();
  }

  passes(picture) {
    return picture.expected !== null && !picture.unreadable && (this.filter === 'all' || !picture.complete);
  }

  tally() {
    const shares = this.app.pictures.filter((p) => this.passes(p)).map((p) => p.expected);
    if (!shares.length) {
      fill(this.shown, 'None');
      return;
    }
    const sorted = [...shares].sort((a, b) => a - b);
    const median = quantile(sorted, 0.5);
    const unit = this.side ?? 100;
    const bad = Number((1.5 * median * unit).toPrecision(2)) / unit;
    const above = shares.filter((s) => s > bad).length;
    fill(this.summary,
      h('strong', `Median expected error ${this.read(median)}${this.side ? '' : ' of the longer side'}`),
      `; ${above ? count(above, 'picture') : 'none'} above ${this.read(bad)}.`);
    this.drawBars(shares);
    fill(this.shown, `${this.items.length.toLocaleString('en')} of ${count(shares.length, 'picture')}`, this.range
      ? h('button.small', {testid: 'review-show-all', onclick: () => {
        this.range = null;
        this.arrange();
      }}, this.range.to === Infinity
        ? `${this.read(this.range.from)} and more`
        : `${this.read(this.range.from)} to ${this.read(this.range.to)}`, ' ×')
      : null);
  }

  drawBars(shares) {
    const bars = histogram(shares);
    const most = Math.max(...bars.map((b) => b.n));
    const focus = this.bars.contains(document.activeElement)
      ? [...this.bars.children].indexOf(document.activeElement)
      : -1;
    const tab = focus >= 0 ? focus : bars.findIndex((b) => b.n);
    fill(this.bars, bars.map((bar, i) => {
      const words = `${count(bar.n, 'picture')} ${
        bar.to === Infinity ? `of ${this.read(bar.from)} and more` : `of ${this.read(bar.from)} to ${this.read(bar.to)}`
      }`;
      const on = this.range?.from === bar.from;
      return h('button.r-bar', {testid: `histogram-${i}`, title: words, 'aria-label': words, 'aria-pressed': String(on),
        tabindex: i === tab ? 0 : -1, onclick: () => {
          this.range = on ? null : bar;
          this.arrange();
        }, onkeydown: (event) => {
          const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
          if (!step) return;
          event.preventDefault();
          event.stopPropagation();
          this.bars.children[Math.min(BARS - 1, Math.max(0, i + step))].focus();
        }}, h('span', {style: {height: bar.n ? `${Math.max(4, (100 * bar.n) / most)}%` : '0'}}));
    }));
    this.bars.children[focus]?.focus();
    fill(this.axis, h('span', '0'), h('span.spacer'), h('span', 'expected error'), h('span.spacer'),
      h('span', `${this.read(bars.at(-1).from)} +`));
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
    return Math.max(1, Math.floor((this.grid.clientWidth + GAP) / (TILE + GAP)));
  }

  /** Makes the tiles near the window, and lets the others go. */
  draw() {
    if (this.dead || this.element.hidden || !this.grid.clientWidth) return;
    const {columns} = this;
    const width = (this.grid.clientWidth - GAP * (columns - 1)) / columns;
    this.height = Math.round(width * this.shape) + CAPTION + GAP;
    const rows = Math.ceil(this.items.length / columns);
    this.grid.style.height = `${rows * this.height}px`;
    const top = this.scroller.getBoundingClientRect().top - this.grid.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / this.height) - 1) * columns;
    const last = Math.min(this.items.length,
      (Math.ceil((top + this.scroller.clientHeight) / this.height) + 1) * columns);
    const near = new Set();
    for (let i = first; i < last; i++) near.add(this.items[i].id);
    if (this.items[this.focused]) near.add(this.items[this.focused].id); // else the focus would be lost with its tile
    for (const [id, tile] of this.tiles) {
      if (!near.has(id)) {
        tile.remove();
        this.tiles.delete(id);
      }
    }
    for (let i = first; i < last; i++) this.place(i, columns, width);
    if (this.items[this.focused] && (this.focused < first || this.focused >= last)) {
      this.place(this.focused, columns, width);
    }
    if (!this.items.length) {
      fill(this.grid,
        h('p.muted.r-none', {testid: 'review-none'},
          this.filter === 'unlabelled' ? 'Every picture is labelled.' : 'No picture is in this range.'));
    } else this.grid.querySelector('.r-none')?.remove();
  }

  place(i, columns, width) {
    const item = this.items[i];
    let tile = this.tiles.get(item.id);
    if (!tile) {
      tile = this.tile(item, i);
      this.tiles.set(item.id, tile);
      this.grid.append(tile);
      this.want(item.id);
    }
    tile.tabIndex = i === this.focused ? 0 : -1;
    Object.assign(tile.style, {width: `${width}px`, height: `${this.height - GAP}px`,
      transform: `translate(${(i % columns) * (width + GAP)}px, ${Math.floor(i / columns) * this.height}px)`});
  }

  tile(item, i) {
    const error = h('span.r-error.number', {testid: 'expected'}, this.read(item.expected));
    const tile = h('div.r-tile', {role: 'listitem', testid: `tile-${item.id}`, 'data-id': item.id,
      'aria-posinset': i + 1, 'aria-setsize': this.items.length,
      onclick: () => this.focus(this.items.findIndex((p) => p.id === item.id)),
      ondblclick: () => this.app.go('label', item.id)},
      h('div.r-frame', h('img', {src: this.app.api.image(item.id, 320), alt: '', loading: 'lazy', draggable: false}),
        h('div.r-points'),
        h('div.r-actions',
          h('button.small', {testid: `accept-${item.id}`, tabindex: -1, title: 'Accept these points as labels  (A)',
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
    this.mark(item.id, tile);
    return tile;
  }

  /** Shows on a tile whether its picture is labelled. */
  mark(id, tile = this.tiles.get(id)) {
    const picture = this.app.picture(id);
    if (!tile || !picture) return;
    tile.classList.toggle('complete', picture.complete);
    tile.dataset.complete = picture.complete;
    tile.setAttribute('aria-label',
      `${picture.file}, expected error ${this.read(picture.expected ?? 0)}, ${
        picture.complete ? 'labelled' : 'not labelled'
      }. Enter opens it, A accepts.`);
  }

  labelled(id) {
    this.mark(id);
  }

  /** Draws a tile's prediction as soon as it is here. */
  async want(id) {
    try {
      if (!this.known.has(id)) await this.page(Math.floor(this.rank.get(id) / PAGE));
      // Between two fits the server's order may differ from the list's: then this one is asked for by itself.
      if (!this.known.has(id)) await this.single(id);
    } catch {
      return; // the banner says that the server does not answer; scrolling asks again
    }
    const tile = this.tiles.get(id);
    const prediction = this.known.get(id);
    if (!this.dead && tile && prediction) fill(tile.querySelector('.r-points'), drawing(this.app, prediction));
  }

  page(n) {
    if (!this.pages.has(n)) {
      const asked = this.app.api.get('/predictions', {sort: this.sort, offset: n * PAGE, limit: PAGE})
        .then((answer) => {
          for (const p of answer.pictures) this.known.set(p.id, p);
        });
      this.pages.set(n, asked);
      asked.catch(() => this.pages.delete(n));
    }
    return this.pages.get(n);
  }

  async single(id) {
    const [detail, suggestions] = await Promise.all([
      this.app.api.get(`/pictures/${id}`),
      this.app.api.get(`/pictures/${id}/suggestions`),
    ]);
    this.known.set(id, {id, width: detail.width, height: detail.height, points: suggestions.points});
  }

  // keys

  focus(i) {
    if (i < 0 || i >= this.items.length) return;
    this.focused = i;
    const row = Math.floor(i / this.columns) * this.height;
    const at = this.scroller.getBoundingClientRect().top - this.grid.getBoundingClientRect().top;
    const room = this.scroller.clientHeight;
    if (row < at) this.scroller.scrollTop += row - at - GAP;
    else if (row + this.height > at + room) this.scroller.scrollTop += row + this.height - at - room + GAP;
    this.draw();
    this.tiles.get(this.items[i].id)?.focus({preventScroll: true});
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.element.hidden || !this.items.length) return false;
    const inside = this.grid.contains(document.activeElement);
    if (!inside && document.activeElement?.closest?.('button, a, input')) return false;
    const id = this.items[this.focused]?.id;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height)) * this.columns;
    const to =
      {ArrowLeft: this.focused - 1, ArrowRight: this.focused + 1, ArrowUp: this.focused - this.columns,
        ArrowDown: this.focused + this.columns, Home: 0, End: this.items.length - 1,
        PageUp: Math.max(0, this.focused - page),
        PageDown: Math.min(this.items.length - 1, this.focused + page)}[event.key];
    if (to !== undefined) this.focus(inside || !event.key.startsWith('Arrow') ? to : this.focused);
    else if (event.key === 'Enter' && inside) this.app.go('label', id);
    else if (event.key.toLowerCase() === 'a' && inside) this.accept(id);
    else return false;
    return true;
  }

  /** Makes the predictions of a picture its labels, where it has none; then goes on to the next. */
  async accept(id) {
    const {app} = this;
    try {
      const [detail] = await Promise.all([app.load(id), this.known.has(id) ? null : this.want(id)]);
      const there = (app.labels(id) ?? detail.labels).points;
      const prediction = this.known.get(id);
      const points = Object.fromEntries(
        Object.entries(prediction.points).filter(([name]) => !there[name]).map((
          [name, p],
        ) => [name, {state: 'visible', x: p.x, y: p.y}]),
      );
      const n = Object.keys(points).length;
      const {file} = app.picture(id);
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
    this.scroller.removeEventListener('scroll', this.scrolled);
    for (const off of this.offs) off();
    this.element.remove();
    this.empty?.remove();
  }
}

/** A prediction as an SVG that lies on its picture, whatever the size it is shown at. */
function drawing(app, {width, height, points}) {
  // (0, 0) is a pixel's centre
  const root = svg('svg', {viewBox: `-0.5 -0.5 ${width} ${height}`, 'aria-hidden': 'true'});
  const line = ([a, b], name) => {
    if (points[a] && points[b]) {
      root.append(svg('line', {class: name, x1: points[a].x, y1: points[a].y, x2: points[b].x, y2: points[b].y}));
    }
  };
  for (const pair of app.landmarks().skeleton) line(pair, 'under');
  for (const pair of app.landmarks().skeleton) line(pair, 'bone');
  const radius = Math.max(width, height) * 0.016;
  for (const {name, colour} of app.landmarks().landmarks) {
    if (points[name]) {
      root.append(
        svg('circle', {cx: points[name].x, cy: points[name].y, r: radius, fill: colour, 'data-name': slug(name)}),
      );
    }
  }
  return root;
}

// --- the view --------------------------------------------------------------------------------------------------------

export function mount(root, app, route) {
  const disputes = route.name === 'disputes';
  const number = h('span');
  const tab = (name, text, ...more) =>
    h('a', {href: app.href(name), testid: `tab-${name}`, 'aria-current': route.name === name ? 'page' : null}, text,
      more);
  const page = h('div.page.r-page',
    h('div.page-head', h('h1', 'Review'),
      h('nav.v-tabs', {'aria-label': 'What to review'}, tab('review', 'Predictions'),
        tab('disputes', 'Disputed labels', number))));
  root.append(page);
  const told = (n) =>
    fill(number, n ? h('span.badge.warn', {testid: 'disputes-number'}, n.toLocaleString('en')) : null);
  const view = disputes ? new DisputeList(page, app, told) : new Gallery(page, app);
  if (!disputes) app.api.get('/disputes').then((answer) => told(answer.disputes.length)).catch(() => {});
  return () => view.close();
}
