// The correspondence explorer: point at a place of one picture and see where the same part is on the others.

import {count, emptyState, h, iconButton, kbd} from './dom.js';
import {HEAT, segmented} from './parts.js';

const SIDE = 128; // a heat map is made this large before the browser stretches it: finer than can be seen

/**
 * A heat map's bytes, enlarged bilinearly.
 *
 * @param {Uint8Array} values rows × columns, row by row.
 * @returns {Float32Array} height × width; its edges lie on the map's edges, as in a resize of a picture.
 */
export function enlarge(values, columns, rows, width, height) {
  const out = new Float32Array(width * height);
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

/** How a picture of `width` × `height` pixels lies in a frame: `scale`, and the place of its top-left edge. */
export function contain(width, height, frameWidth, frameHeight) {
  const scale = Math.min(frameWidth / width, frameHeight / height);
  return {scale, left: (frameWidth - width * scale) / 2, top: (frameHeight - height * scale) / 2};
}

/** A heat map (messages.HeatMap) as a small canvas of colours; likely places are opaque, the rest shows the picture. */
function paint(map) {
  const values = Uint8Array.from(atob(map.values), (c) => c.charCodeAt(0));
  const scale = Math.max(1, Math.ceil(SIDE / Math.max(map.columns, map.rows)));
  const width = map.columns * scale;
  const height = map.rows * scale;
  const smooth = enlarge(values, map.columns, map.rows, width, height);
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  const image = context.createImageData(width, height);
  for (let i = 0; i < smooth.length; i++) {
    const value = Math.round(smooth[i]);
    image.data[4 * i] = HEAT[3 * value];
    image.data[4 * i + 1] = HEAT[3 * value + 1];
    image.data[4 * i + 2] = HEAT[3 * value + 2];
    image.data[4 * i + 3] = 110 + (145 * value) / 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Draws a heat map and its peak over a picture of `size` (width, height), shown whole in the canvas's frame. */
function overlay(canvas, size, map, painted, opacity) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!map) return;
  const {scale, left, top} = contain(...size, width, height);
  context.save();
  context.beginPath();
  context.rect(left, top, size[0] * scale, size[1] * scale);
  context.clip();
  context.globalAlpha = opacity;
  context.imageSmoothingQuality = 'high';
  const [x, y, boxWidth, boxHeight] = map.box; // edges: the picture begins at 0, not at -0.5
  context.drawImage(painted, left + x * scale, top + y * scale, boxWidth * scale, boxHeight * scale);
  context.restore();
  marker(context, left + (map.x + 0.5) * scale, top + (map.y + 0.5) * scale, 5);
}

/** A cross-hair that shows on any ground. */
function marker(context, x, y, radius) {
  for (const [colour, width] of [['rgb(0 0 0 / 0.75)', 4.5], ['#fff', 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + dx * radius, y + dy * radius);
      context.lineTo(x + dx * (radius + 4), y + dy * (radius + 4));
    }
    context.stroke();
  }
}

function shuffled(items) {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

class Explorer {
  constructor(root, app, picture) {
    this.app = app;
    this.sizes = new Map();
    this.amount = Number(localStorage.getItem('lead.explore.amount')) || 12;
    this.opacity = Number(localStorage.getItem('lead.explore.opacity') ?? 0.75);
    this.point = null; // in pixels of the reference
    this.pinned = false;
    this.asking = false;
    this.again = false;
    this.tiles = [];
    this.dead = false;
    this.build(root);
    this.refer(picture);
    this.others();
  }

  build(root) {
    this.image = h('img', {alt: ''});
    this.cross = h('canvas', {'aria-hidden': 'true'});
    this.frame = h('div', {class: 'x-frame', tabindex: '0', role: 'application', testid: 'explore-reference',
      'aria-label': 'Reference picture. Arrow keys move the point, Shift for larger steps, Enter pins it.'}, this.image,
      this.cross);
    this.name = h('span.x-name', {testid: 'explore-name'});
    this.status = h('p.muted.x-status', {testid: 'explore-status'});
    this.grid = h('div.x-grid', {testid: 'explore-grid', role: 'list', 'aria-label': 'Other pictures'});
    const button = (text, key, testid, fn, title) =>
      h('button', {testid: testid, title, 'aria-keyshortcuts': key, onclick: fn}, text, kbd(key));
    this.slider = h('input', {type: 'range', min: '0', max: '100', value: String(Math.round(this.opacity * 100)),
      testid: 'explore-opacity', 'aria-label': 'Strength of the heat map'});
    this.slider.addEventListener('input', () => {
      this.opacity = this.slider.value / 100;
      localStorage.setItem('lead.explore.opacity', this.opacity);
      this.draw();
    });
    root.append(
      h('div.v-explore', {testid: 'explore'}, h('h1.visually-hidden', 'Explore'),
        h('section.x-left', {'aria-label': 'Reference'},
          h('div.x-bar',
            iconButton('arrowLeft', 'Earlier picture', {testid: 'explore-previous', onclick: () => this.step(-1)},
              'PageUp'), this.name,
            iconButton('arrowRight', 'Later picture', {testid: 'explore-next', onclick: () => this.step(1)},
              'PageDown')), this.frame, this.status),
        h('section.x-right', {'aria-label': 'The same part on other pictures'},
          h('div.x-bar',
            button('Other pictures', 'N', 'explore-shuffle', () => this.others(), 'Show others, drawn at random'),
            button('Most similar first', 'S', 'explore-sort', () => this.sort(),
              'Put the pictures in the order of their similarity'), h('span.spacer'),
            h('label.x-slider', 'Heat', this.slider),
            segmented('Number of other pictures', [[6, '6'], [12, '12'], [24, '24']], this.amount, 'explore-amount',
              (n) => {
                this.amount = n;
                localStorage.setItem('lead.explore.amount', n);
                this.others();
              })), this.grid,
          h('p.muted.x-legend', h('span', 'unlike'), this.legend(), h('span', 'alike'), h('span.spacer'),
            'Double click or Enter on a picture makes it the reference.'))),
    );
    this.listen();
  }

  legend() {
    const canvas = h('canvas.x-ramp', {width: '256', height: '1', 'aria-hidden': 'true'});
    const context = canvas.getContext('2d');
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) image.data.set([...HEAT.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    context.putImageData(image, 0, 0);
    return canvas;
  }

  listen() {
    const place = (event) => {
      const size = this.sizes.get(this.id);
      if (!size) return null;
      const box = this.frame.getBoundingClientRect();
      const {scale, left, top} = contain(...size, this.frame.clientWidth, this.frame.clientHeight);
      const x = (event.clientX - box.left - this.frame.clientLeft - left) / scale - 0.5;
      const y = (event.clientY - box.top - this.frame.clientTop - top) / scale - 0.5;
      return x < -0.5 || y < -0.5 || x > size[0] - 0.5 || y > size[1] - 0.5 ? null : {x, y};
    };
    this.frame.addEventListener('pointermove', (event) => {
      const at = this.pinned ? null : place(event);
      if (at) this.look(at);
    });
    this.frame.addEventListener('pointerdown', (event) => {
      const at = place(event);
      if (!at || event.button !== 0) return;
      this.pinned = !this.pinned || event.pointerType === 'touch';
      this.look(at);
    });
    this.frame.addEventListener('keydown', (event) => this.key(event));
    this.app.keys((event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      const action =
        {n: () => this.others(), s: () => this.sort(), PageUp: () => this.step(-1), PageDown: () => this.step(1),
          Escape: () => this.unpin()}[event.key];
      action?.();
      return Boolean(action);
    });
    this.app.on('model', () => {
      if (this.waiting) this.ask();
    });
    this.app.on('back', () => this.ask());
    this.resized = new ResizeObserver(() => {
      this.lay();
      this.draw();
    });
    this.resized.observe(this.frame);
    this.resized.observe(this.grid);
  }

  key(event) {
    const size = this.sizes.get(this.id);
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (way && size) {
      event.preventDefault();
      event.stopPropagation();
      const step = Math.max(...size) * (event.shiftKey ? 0.05 : 0.01);
      const from = this.point ?? {x: (size[0] - 1) / 2, y: (size[1] - 1) / 2};
      const clamp = (v, n) => Math.min(n - 1, Math.max(0, v));
      this.look({x: clamp(from.x + way[0] * step, size[0]), y: clamp(from.y + way[1] * step, size[1])});
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

  /** Makes a picture the reference. */
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
    const [width, height] = this.sizes.get(id) ?? [1, 1];
    this.look({x: (width - 1) / 2, y: (height - 1) / 2});
  }

  step(by) {
    const usable = this.app.pictures.filter((p) => !p.unreadable);
    const at = usable.findIndex((p) => p.id === this.id);
    this.refer(usable[(at + by + usable.length) % usable.length]);
  }

  /** Learns pictures' sizes, which the heat maps' boxes are measured in. */
  async measure(ids) {
    await Promise.all(ids.filter((id) => !this.sizes.has(id)).map(async (id) => {
      try {
        const detail = await this.app.api.get(`/pictures/${id}`);
        this.sizes.set(id, [detail.width, detail.height]);
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

  tile(picture) {
    const canvas = h('canvas', {'aria-hidden': 'true'});
    const score = h('span.x-score', {testid: 'explore-score'});
    const root = h('div.x-tile', {tabindex: '0', role: 'listitem', testid: 'explore-tile', 'data-id': picture.id,
      title: picture.file, 'aria-label': picture.file}, h('img', {src: this.app.api.image(picture.id, 320), alt: ''}),
      canvas, score);
    const swap = () => {
      const fresh = this.tile(this.app.picture(this.id));
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

  clear(tile) {
    tile.map = tile.painted = null;
    tile.score.textContent = '';
    overlay(tile.canvas, [1, 1], null, null, 0);
  }

  /** Chooses the number of columns that shows the tiles largest without scrolling. */
  lay() {
    const n = this.tiles.length;
    const {clientWidth: width, clientHeight: height} = this.grid;
    if (!n || !width) return;
    const gap = 8;
    const side = (columns) =>
      Math.min((width - gap * (columns - 1)) / columns,
        (height - gap * (Math.ceil(n / columns) - 1)) / Math.ceil(n / columns));
    const columns = Array.from({length: n}, (_, i) => i + 1).reduce((best, c) => (side(c) > side(best) ? c : best), 1);
    this.grid.style.gridTemplateColumns = `repeat(${columns}, ${Math.max(72, Math.floor(side(columns)))}px)`;
  }

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
      const ids = this.tiles.map((tile) => tile.picture.id).join(',');
      const answer = await this.app.api.get(
        `/explore?id=${id}&x=${point.x.toFixed(2)}&y=${point.y.toFixed(2)}&pictures=${ids}`,
      );
      if (this.dead) return;
      this.waiting = answer.waiting_for;
      this.problem = null;
      if (this.id === id) this.show(answer.maps);
    } catch (error) {
      this.problem = error.message;
    } finally {
      this.asking = false;
      if (!this.dead) {
        this.say();
        if (this.again && !this.problem) this.ask();
      }
    }
  }

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
      if (size && tile.map) overlay(tile.canvas, size, tile.map, tile.painted, this.opacity);
    }
  }

  drawCross() {
    const size = this.sizes.get(this.id);
    overlay(this.cross, [1, 1], null, null, 0);
    if (!size || !this.point) return;
    const {scale, left, top} = contain(...size, this.cross.clientWidth, this.cross.clientHeight);
    marker(this.cross.getContext('2d'), left + (this.point.x + 0.5) * scale, top + (this.point.y + 0.5) * scale,
      this.pinned ? 5 : 8);
  }

  close() {
    this.dead = true;
    this.resized.disconnect();
  }
}

export function mount(root, app, route) {
  const usable = app.pictures.filter((p) => !p.unreadable);
  if (usable.length < 2) {
    root.append(
      emptyState('Nothing to compare yet',
        `This folder holds ${count(usable.length, 'readable picture')}; the explorer needs two.`),
    );
    return null;
  }
  let explorer = null;
  let waiting = null;
  const begin = () => {
    const ready = app.state.model.stage !== 'none';
    if (explorer || (!ready && waiting)) return;
    if (ready) {
      waiting?.remove();
      explorer = new Explorer(root, app, usable.find((p) => p.id === app.route.id) ?? usable[0]);
      return;
    }
    waiting = emptyState('The explorer needs features',
      'Train them, or open a run; then this page shows where any part of one picture is on the others.',
      h('a.button.primary', {href: app.href('features'), testid: 'explore-to-features'}, 'Train features'));
    root.append(waiting);
  };
  app.on('model', begin);
  begin();
  return {unmount: () => explorer?.close(), update: ({id}) => {
    if (explorer && app.picture(id) && id !== explorer.id) explorer.refer(app.picture(id));
  }};
}
