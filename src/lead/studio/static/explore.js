/** The correspondence explorer: point at a place of one picture and see where the same part is on the others. */

import {wordsOf} from './api.js';
import {ARROWS, count, emptyState, h, iconButton, kbd, lookUp} from './dom.js';
import {clamp, inside, View} from './geometry.js';
import {lasting} from './kept.js';
import {layOut, paintCross, paintOver, prepare} from './paint.js';
import {HEAT, segmented} from './parts.js';

/**
 * @import {HeatMap, Picture} from 'types/messages'
 * @import {Route} from 'types/app'
 * @import {App} from './app.js'
 * @import {Size} from './geometry.js'
 * @typedef {{x: number, y: number}} Place
 * @typedef {{picture: Picture, root: HTMLElement, canvas: HTMLCanvasElement, score: HTMLElement, map: HeatMap|null,
 *   painted: OffscreenCanvas|null}} Tile
 */

/** @type {[number, string][]} */
const AMOUNTS = [[6, '6'], [12, '12'], [24, '24']];
const LEAST = 72; // CSS pixels: the smallest tile
const SIDE = 128; // a heat map is made this large before the browser stretches it: finer than can be seen

/**
 * A heat map's bytes, enlarged bilinearly.
 *
 * @param {Uint8Array} values rows × columns, row by row.
 * @param {number} columns
 * @param {number} rows
 * @param {number} width
 * @param {number} height
 * @returns {Float32Array} height × width; its edges lie on the map's edges, as in a resize of a picture.
 */
export function enlarge(values, columns, rows, width, height) {
  const out = new Float32Array(width * height);
  /** @param {number} n @param {number} m */
  const along = (n, m) =>
    Array.from({length: n}, (_, i) => {
      const at = Math.min(m - 1, Math.max(0, ((i + 0.5) * m) / n - 0.5));
      const low = Math.floor(at);
      return [low, Math.min(m - 1, low + 1), at - low];
    });
  const xs = along(width, columns);
  const ys = along(height, rows);
  for (let y = 0, o = 0; y < height; y++) {
    const [y0, y1, fy] = ys[y];
    const top = y0 * columns;
    const bottom = y1 * columns;
    for (let x = 0; x < width; x++, o++) {
      const [x0, x1, fx] = xs[x];
      const a = values[top + x0] + (values[top + x1] - values[top + x0]) * fx;
      const b = values[bottom + x0] + (values[bottom + x1] - values[bottom + x0]) * fx;
      out[o] = a + (b - a) * fy;
    }
  }
  return out;
}

/** A heat map (messages.HeatMap) as a small canvas of colours; likely places are opaque, the rest shows the picture.
 *  @param {HeatMap} map */
function paint(map) {
  const values = Uint8Array.from(atob(map.values), (c) => c.charCodeAt(0));
  const scale = Math.max(1, Math.ceil(SIDE / Math.max(map.columns, map.rows)));
  const width = map.columns * scale;
  const height = map.rows * scale;
  const smooth = enlarge(values, map.columns, map.rows, width, height);
  const canvas = new OffscreenCanvas(width, height);
  const image = new ImageData(width, height);
  for (let i = 0; i < smooth.length; i++) {
    const value = Math.round(smooth[i]);
    image.data[4 * i] = HEAT[3 * value];
    image.data[4 * i + 1] = HEAT[3 * value + 1];
    image.data[4 * i + 2] = HEAT[3 * value + 2];
    image.data[4 * i + 3] = 110 + (145 * value) / 255;
  }
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas;
}

/** @template T @param {T[]} items */
function shuffled(items) {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

function legend() {
  const canvas = h('canvas.x-ramp', {width: '256', height: '1', 'aria-hidden': 'true'});
  const image = new ImageData(256, 1);
  for (let i = 0; i < 256; i++) image.data.set([...HEAT.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return canvas;
}

/** @param {Size} size @returns {Place} */
const middle = ({width, height}) => ({x: (width - 1) / 2, y: (height - 1) / 2});

class Explorer {
  /** @param {HTMLElement} root @param {App} app @param {Picture} picture */
  constructor(root, app, picture) {
    this.app = app;
    /** @type {Map<string, Size>} */
    this.sizes = new Map();
    this.amount = Number(lasting.text('lead.explore.amount')) || 12;
    this.opacity = Number(lasting.text('lead.explore.opacity') ?? 0.75);
    /** in pixels of the reference @type {Place|null} */
    this.point = null;
    this.id = picture.id;
    this.pinned = false;
    this.asking = false;
    this.again = false;
    /** @type {Tile[]} */
    this.tiles = [];
    /** @type {string|null} */
    this.problem = null;
    /** @type {string|null} */
    this.waiting = null;
    this.dead = false;
    this.image = h('img', {alt: ''});
    this.cross = h('canvas', {'aria-hidden': 'true'});
    this.frame = h('div.x-frame', {tabindex: '0', role: 'application', testid: 'explore-reference',
      'aria-label': 'Reference picture. Arrow keys move the point, Shift for larger steps, Enter pins it.',
      onkeydown: (event) => this.key(event)}, this.image, this.cross);
    this.name = h('span.x-name', {testid: 'explore-name'});
    this.status = h('p.muted.x-status', {testid: 'explore-status'});
    this.grid = h('div.x-grid', {testid: 'explore-grid', role: 'list', 'aria-label': 'Other pictures'});
    this.resized = new ResizeObserver(() => {
      this.lay();
      this.draw();
    });
    root.append(
      h('div.v-explore', {testid: 'explore'}, h('h1.visually-hidden', 'Explore'), this.left(), this.right()),
    );
    this.listen();
    this.refer(picture);
    this.others();
  }

  left() {
    return h('section.x-left', {'aria-label': 'Reference'},
      h('div.x-bar',
        iconButton('arrowLeft', 'Earlier picture', {testid: 'explore-previous', onclick: () => this.step(-1)},
          'PageUp'), this.name,
        iconButton('arrowRight', 'Later picture', {testid: 'explore-next', onclick: () => this.step(1)}, 'PageDown')),
      this.frame, this.status);
  }

  right() {
    const slider = h('input', {type: 'range', min: '0', max: '100', value: String(Math.round(this.opacity * 100)),
      testid: 'explore-opacity', 'aria-label': 'Strength of the heat map', oninput: () => {
        this.opacity = Number(slider.value) / 100;
        lasting.keep('lead.explore.opacity', this.opacity);
        this.draw();
      }});
    const amount = segmented('Number of other pictures', AMOUNTS, this.amount, 'explore-amount', (n) => {
      this.amount = n;
      lasting.keep('lead.explore.amount', n);
      this.others();
    });
    return h('section.x-right', {'aria-label': 'The same part on other pictures'},
      h('div.x-bar',
        h('button', {testid: 'explore-shuffle', title: 'Show others, drawn at random', 'aria-keyshortcuts': 'N',
          onclick: () => this.others()}, 'Other pictures', kbd('N')),
        h('button', {testid: 'explore-sort', title: 'Put the pictures in the order of their similarity',
          'aria-keyshortcuts': 'S', onclick: () => this.sort()}, 'Most similar first', kbd('S')), h('span.spacer'),
        h('label.x-slider', 'Heat', slider), amount), this.grid,
      h('p.muted.x-legend', h('span', 'unlike'), legend(), h('span', 'alike'), h('span.spacer'),
        'Double click or Enter on a picture makes it the reference.'));
  }

  /** What is pointed at; null beside the picture. @param {PointerEvent} event @returns {Place|null} */
  place(event) {
    const size = this.sizes.get(this.id);
    if (!size) return null;
    const box = this.cross.getBoundingClientRect();
    const {x, y} = View.of([0, 0, size.width, size.height], box).picture(event.clientX - box.left,
      event.clientY - box.top);
    return inside(size, x, y) ? {x, y} : null;
  }

  listen() {
    this.frame.addEventListener('pointermove', (event) => {
      const at = this.pinned ? null : this.place(event);
      if (at) this.look(at);
    });
    this.frame.addEventListener('pointerdown', (event) => {
      const at = this.place(event);
      if (!at || event.button !== 0) return;
      this.pinned = !this.pinned || event.pointerType === 'touch';
      this.look(at);
    });
    this.app.keys((event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      const actions = {n: () => this.others(), s: () => this.sort(), PageUp: () => this.step(-1),
        PageDown: () => this.step(1), Escape: () => this.unpin()};
      const action = lookUp(actions, event.key);
      action?.();
      return Boolean(action);
    });
    this.app.on('model', () => {
      if (this.waiting) this.ask();
    });
    this.app.on('back', () => this.ask());
    this.resized.observe(this.frame);
    this.resized.observe(this.grid);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const size = this.sizes.get(this.id);
    const way = lookUp(ARROWS, event.key);
    if (way && size) {
      event.preventDefault();
      event.stopPropagation();
      const step = Math.max(size.width, size.height) * (event.shiftKey ? 0.05 : 0.01);
      const from = this.point ?? middle(size);
      this.look({x: clamp(from.x + way[0] * step, 0, size.width - 1),
        y: clamp(from.y + way[1] * step, 0, size.height - 1)});
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.pinned = !this.pinned;
      this.say();
      this.draw();
    }
  }

  unpin() {
    this.pinned = false;
    this.say();
    this.draw();
  }

  /** Makes a picture the reference. @param {Picture} picture */
  async refer(picture) {
    const {id} = picture;
    this.id = id;
    this.point = null;
    this.pinned = false;
    this.name.textContent = picture.file;
    this.name.title = picture.file;
    this.image.src = this.app.api.image(id, 1024);
    this.image.alt = picture.file;
    history.replaceState(null, '', this.app.href('explore', id));
    this.app.route.id = id;
    for (const tile of this.tiles) this.clear(tile);
    await this.measure([id]);
    if (this.dead || this.id !== id) return;
    this.look(middle(this.sizes.get(id) ?? {width: 1, height: 1}));
  }

  /** @param {number} by */
  step(by) {
    const usable = this.app.pictures.filter((p) => !p.unreadable);
    const at = usable.findIndex((p) => p.id === this.id);
    this.refer(usable[(at + by + usable.length) % usable.length]);
  }

  /** Learns pictures' sizes, which the heat maps' boxes are measured in. @param {string[]} ids */
  async measure(ids) {
    await Promise.all(ids.filter((id) => !this.sizes.has(id)).map(async (id) => {
      try {
        this.sizes.set(id, await this.app.api.get(`/pictures/${id}`));
      } catch { /* an unreadable picture simply shows nothing */ }
    }));
  }

  /** Draws other pictures at random. */
  async others() {
    const pool = this.app.pictures.filter((p) => p.id !== this.id && !p.unreadable);
    const chosen = shuffled(pool).slice(0, this.amount);
    this.tiles = chosen.map((picture) => this.tile(picture));
    this.grid.replaceChildren(...this.tiles.map((tile) => tile.root));
    this.lay();
    await this.measure(chosen.map((p) => p.id));
    if (!this.dead) this.ask();
  }

  /** @param {Picture} picture @returns {Tile} */
  tile(picture) {
    const canvas = h('canvas', {'aria-hidden': 'true'});
    const score = h('span.x-score', {testid: 'explore-score'});
    const root = h('div.x-tile', {tabindex: '0', role: 'listitem', testid: 'explore-tile', 'data-id': picture.id,
      title: picture.file, 'aria-label': picture.file}, h('img', {src: this.app.api.image(picture.id, 320), alt: ''}),
      canvas, score);
    const swap = () => {
      const here = this.app.picture(this.id);
      if (!here) return;
      const fresh = this.tile(here);
      this.refer(picture);
      this.tiles[this.tiles.findIndex((t) => t.picture.id === picture.id)] = fresh;
      root.replaceWith(fresh.root);
      this.frame.focus();
    };
    root.addEventListener('dblclick', swap);
    root.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') {
        event.preventDefault();
        swap();
      }
    });
    return {picture, root, canvas, score, map: null, painted: null};
  }

  /** @param {Tile} tile */
  clear(tile) {
    tile.map = tile.painted = null;
    tile.score.textContent = '';
    prepare(tile.canvas);
  }

  /** Chooses the number of columns that shows the tiles largest without scrolling; where the page scrolls in any case,
   *  because it is narrow, tiles that are large enough to be told apart. */
  lay() {
    const n = this.tiles.length;
    const {clientWidth: width, clientHeight: height} = this.grid;
    if (!n || !width) return;
    const gap = 8;
    if (getComputedStyle(this.grid).overflowY === 'visible') {
      this.grid.style.gridTemplateColumns = `repeat(${Math.max(2, Math.floor(width / 150))}, minmax(0, 1fr))`;
      return;
    }
    /** @param {number} columns */
    const side = (columns) =>
      Math.min((width - gap * (columns - 1)) / columns,
        (height - gap * (Math.ceil(n / columns) - 1)) / Math.ceil(n / columns));
    const most = Math.max(1, Math.min(n, Math.floor((width + gap) / (LEAST + gap))));
    const columns = Array.from({length: most}, (_, i) => i + 1).reduce((best, c) => (side(c) > side(best) ? c : best),
      1);
    this.grid.style.gridTemplateColumns = `repeat(${columns}, ${Math.max(LEAST, Math.floor(side(columns)))}px)`;
  }

  /** @param {Place} point */
  look(point) {
    this.point = point;
    this.say();
    this.drawCross();
    this.ask();
  }

  /** Asks for the heat maps at the point: one request in flight, and then the latest place, never those between. */
  async ask() {
    if (!this.point || !this.tiles.length || this.dead) return;
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    this.again = false;
    const {id, point} = this;
    try {
      const answer = await this.app.api.get('/explore', {id, x: point.x.toFixed(2), y: point.y.toFixed(2),
        pictures: this.tiles.map((tile) => tile.picture.id)});
      if (this.dead) return;
      this.waiting = answer.waiting_for;
      this.problem = null;
      if (this.id === id) this.show(answer.maps);
    } catch (error) {
      this.problem = wordsOf(error);
    } finally {
      this.asking = false;
      if (!this.dead) {
        this.say();
        if (this.again && !this.problem) this.ask();
      }
    }
  }

  /** @param {HeatMap[]} maps */
  show(maps) {
    const of = new Map(maps.map((map) => [map.id, map]));
    for (const tile of this.tiles) {
      const map = of.get(tile.picture.id);
      if (!map) continue;
      tile.map = map;
      tile.painted = paint(map);
      tile.score.textContent = map.similarity.toFixed(2);
      tile.root.setAttribute('aria-label', `${tile.picture.file}, similarity ${map.similarity.toFixed(2)}`);
    }
    this.draw();
  }

  sort() {
    this.tiles.sort((a, b) => (b.map?.similarity ?? -2) - (a.map?.similarity ?? -2));
    this.grid.replaceChildren(...this.tiles.map((tile) => tile.root));
  }

  say() {
    const at = this.point ? `x ${this.point.x.toFixed(0)}, y ${this.point.y.toFixed(0)}` : '';
    this.status.textContent = this.problem ?? this.waiting
      ?? (this.pinned
        ? `Pinned at ${at}. Click again, or Esc, to let it go.`
        : `At ${at}. Move over the picture; click to pin.`);
    this.frame.classList.toggle('pinned', this.pinned);
  }

  draw() {
    this.drawCross();
    for (const tile of this.tiles) {
      const size = this.sizes.get(tile.picture.id);
      if (!size || !tile.map || !tile.painted) continue;
      const {ctx, view} = layOut(tile.canvas, size);
      paintOver(ctx, view, size, tile.painted, tile.map.box, this.opacity);
      paintCross(ctx, view.place(tile.map.x, tile.map.y), 5);
    }
  }

  drawCross() {
    const size = this.sizes.get(this.id);
    const {ctx, view} = layOut(this.cross, size ?? {width: 1, height: 1});
    if (size && this.point) paintCross(ctx, view.place(this.point.x, this.point.y), this.pinned ? 5 : 8);
  }

  close() {
    this.dead = true;
    this.resized.disconnect();
  }
}

/** @param {HTMLElement} root @param {App} app */
export function mount(root, app) {
  const usable = app.pictures.filter((p) => !p.unreadable);
  if (usable.length < 2) {
    root.append(
      emptyState('Nothing to compare yet',
        `This folder holds ${count(usable.length, 'readable picture')}; the explorer needs two.`),
    );
    return null;
  }
  /** @type {Explorer|null} */
  let explorer = null;
  /** @type {HTMLElement|null} */
  let waiting = null;
  const begin = () => {
    const ready = app.state.model.stage !== 'none';
    if (explorer || (!ready && waiting)) return;
    if (ready) {
      waiting?.remove();
      explorer = new Explorer(root, app, usable.find((p) => p.id === app.route.id) ?? usable[0]);
      return;
    }
    waiting = emptyState('First it has to learn from your pictures',
      'Then this page shows where any part of one picture is on the others.',
      h('a.button.primary', {href: app.href('features'), testid: 'explore-to-features'}, 'Learn from my pictures'));
    root.append(waiting);
  };
  app.on('model', begin);
  begin();
  return {
    unmount: () => explorer?.close(),
    /** @param {Route} route */
    update({id}) {
      const picture = id && app.picture(id);
      if (picture && id !== explorer?.id) explorer?.refer(picture);
    },
  };
}
