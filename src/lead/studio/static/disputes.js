/** The labels that the model disputes, for a second look: where the label is, where the model expects it, and what
 *  to do. */

import {count, emptyState, fill, h, kbd} from './dom.js';
import {whenSeen} from './parts.js';

const KINDS = {outlier: 'Far off', swap: 'Swapped?', duplicate: 'One spot', outside: 'Outside'};
const CROP = [336, 252]; // CSS pixels

/** What tells one dispute from another, through new fits. */
const keyOf = (d) => [d.id, d.kind, ...d.landmarks].join(' ');

export class DisputeList {
  /** @param {(n: number) => void} told  called with how many there are */
  constructor(root, app, told) {
    this.app = app;
    this.told = told;
    this.cards = new Map();
    this.settled = new Set();
    this.head = h('p.muted', {testid: 'disputes-summary'});
    this.list = h('div.d-list', {testid: 'disputes', role: 'list', 'aria-label': 'Disputed labels'});
    this.element = h('div.column.d-column', this.head, this.list);
    root.append(this.element);
    this.root = root;
    this.seen = whenSeen((canvas) => this.cut(canvas), root);
    this.model = app.state.model.model;
    this.offs = [
      app.on('model', (status) => {
        const news = [status.model, status.stage, status.fitting].join();
        if (news === this.heard && !this.waiting) return;
        this.heard = news;
        if (status.model !== this.model) this.settled.clear(); // this fit knows what was done about them
        this.model = status.model;
        this.read();
      }),
      app.on('back', () => this.read()),
      app.on('labels', ({id}) => this.redraw(id)),
      app.on('travelled', ({id}) => { // undone with Ctrl-Z
        const last = this.acts?.findLast((act) => act.gone[0].dispute.id === id);
        if (last) this.bring(last.gone, last.order);
      }),
      app.keys((event) => this.key(event)),
    ];
    this.read();
  }

  async read() {
    let answer;
    try {
      answer = await this.app.api.get('/disputes');
    } catch (error) {
      this.app.report(error);
      return;
    }
    if (this.dead) return;
    this.waiting = answer.waiting_for;
    const disputes = answer.disputes.filter((d) => !this.settled.has(keyOf(d)));
    const focus = this.current()?.dataset.key;
    const old = this.cards;
    this.cards = new Map(disputes.map((d) => {
      const key = keyOf(d);
      const before = old.get(key);
      return [key, before && before.dispute.message === d.message ? before : this.card(d, key)];
    }));
    fill(this.list, [...this.cards.values()].map((card) => card.element));
    if (focus) (this.cards.get(focus)?.element ?? this.list.firstElementChild)?.focus();
    else if (document.activeElement === document.body) this.list.firstElementChild?.focus();
    this.tell();
  }

  tell() {
    const n = this.cards.size;
    this.told(n);
    this.empty?.remove();
    this.element.hidden = !n;
    if (n) {
      fill(this.head, `${count(n, 'label')} for a second look, the most doubtful first. `,
        h('span.d-key', h('span.d-solid'), 'label'), h('span.d-key', h('span.d-hollow'), 'where the model expects it'));
      return;
    }
    this.empty = emptyState(this.waiting ? 'Nothing to compare with yet' : 'No disputed labels', this.waiting
      ?? 'The model, fitted without each labelled picture in turn, finds every landmark near where you put it.',
      h('a.button', {href: '#/label', testid: 'disputes-to-label'}, 'Label pictures'));
    this.root.append(this.empty);
  }

  card(dispute, key) {
    const canvas = h('canvas.d-crop', {'aria-hidden': 'true', 'data-key': key});
    const models = dispute.landmarks.filter((name) => dispute.expected[name]);
    const act = (testid, letter, text, run, title, more = {}) =>
      h('button', {testid, title, onclick: () => run(), ...more}, text, kbd(letter));
    const actions = {o: () => this.app.go('label', dispute.id),
      s: dispute.kind === 'swap' ? () => this.swap(dispute) : null,
      m: models.length ? () => this.take(dispute, models) : null, r: () => this.right(dispute)};
    const element = h('article.card.d-card', {tabindex: 0, role: 'listitem', testid: 'dispute', 'data-key': key,
      'data-id': dispute.id, 'data-kind': dispute.kind, 'aria-label': `${dispute.file}: ${dispute.message}`}, canvas,
      h('div.stack.d-words',
        h('div.row', h('span.badge.warn', KINDS[dispute.kind]),
          h('span.ellipsis.muted', {title: dispute.file}, dispute.file)), h('p.d-message', dispute.message),
        h('div.row.wrap',
          dispute.landmarks.map((name) =>
            h('span.row.d-name', h('span.swatch', {style: {'--colour': this.app.colour(name)}}), name)
          )), h('div.row.wrap.d-actions', actions.s
          ? act('dispute-swap', 'S', 'Swap them', actions.s, 'Exchanges the two labels', {class: 'primary'})
          : null, actions.m
          ? act('dispute-take', 'M', 'Take the model’s', actions.m, 'Puts the label where the model expects it')
          : null,
          act('dispute-right', 'R', 'It is right', actions.r, 'This picture’s labels are not disputed any more'),
          act('dispute-open', 'O', 'Open', actions.o, 'Opens the picture in the label view'))));
    this.seen.observe(canvas);
    return {dispute, element, canvas, actions};
  }

  // drawing

  async cut(canvas) {
    const card = this.cards.get(canvas.dataset.key);
    if (!card) return;
    try {
      card.detail = await this.app.load(card.dispute.id);
      const window = cropOf(card.dispute, card.detail);
      card.window = window;
      const scale = Math.max(card.detail.width, card.detail.height);
      card.image = new Image();
      card.image.src = this.app.api.image(card.dispute.id, (CROP[0] / window.width) * scale > 1400 ? 2048 : 1024);
      await card.image.decode();
      this.paint(card);
    } catch { /* it stays empty; the words say enough */ }
  }

  redraw(id) {
    for (const card of this.cards.values()) if (card.dispute.id === id && card.image) this.paint(card);
  }

  paint({dispute, detail, window, image, canvas}) {
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = CROP.map((side) => side * ratio);
    const context = canvas.getContext('2d');
    const scale = canvas.width / window.width;
    const part = image.naturalWidth / detail.width;
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, (window.x + 0.5) * part, (window.y + 0.5) * part, window.width * part,
      window.height * part, 0, 0, canvas.width, canvas.height);
    const at = (p) => [(p.x - window.x) * scale, (p.y - window.y) * scale];
    const labels = this.app.labels(dispute.id)?.points ?? detail.labels.points;
    for (const name of dispute.landmarks) {
      const [label, model] = [labels[name], dispute.expected[name]];
      const colour = this.app.colour(name);
      if (label?.x != null && model) dashes(context, at(label), at(model), ratio);
      if (model) dot(context, ...at(model), ratio, colour, false);
      if (label?.x != null) dot(context, ...at(label), ratio, colour, true);
    }
    if (dispute.landmarks.length < 2) return; // else which is which has to be said
    for (const name of dispute.landmarks) {
      // not on one spot
      const place = dispute.kind === 'duplicate' ? dispute.expected[name] ?? labels[name] : labels[name];
      if (place?.x != null) word(context, name, ...at(place), ratio);
    }
  }

  // what can be done

  change(dispute, points, what, checked) {
    const {app} = this;
    const undo = checked ? () => app.change(dispute.id, {}, {checked: false}) : () => app.undo();
    app.change(dispute.id, points, {what, checked});
    const order = [...this.cards.values()];
    const gone = order.filter((card) => card.dispute === dispute || (checked && card.dispute.id === dispute.id));
    app.toast(
      checked
        ? `${dispute.file} is not disputed any more.`
        : `${what[0].toUpperCase()}${what.slice(1)} on ${dispute.file}.`,
      'good',
      {label: 'Undo', run: () => {
        undo();
        this.bring(gone, order);
      }},
    );
    (this.acts ??= []).push({gone, order});
    const next =
      order.slice(order.findIndex((card) => card.dispute === dispute) + 1).find((card) => !gone.includes(card))
        ?? order.findLast((card) => !gone.includes(card));
    for (const card of gone) {
      this.settled.add(keyOf(card.dispute));
      this.cards.delete(keyOf(card.dispute));
      card.element.remove();
    }
    next?.element.focus();
    this.tell();
  }

  /** Puts cards back where they were in an earlier order. */
  bring(gone, order) {
    if (this.dead) return;
    for (const card of gone) this.settled.delete(keyOf(card.dispute));
    this.acts = this.acts.filter((act) => act.gone !== gone);
    const there = new Set([...this.cards.values(), ...gone]);
    const old = order.filter((card) => there.has(card));
    this.cards = new Map(
      [...old, ...[...there].filter((card) => !old.includes(card))].map((card) => [keyOf(card.dispute), card]),
    );
    fill(this.list, [...this.cards.values()].map((card) => card.element));
    this.tell();
    gone[0].element.focus();
  }

  async ready(dispute) {
    if (!this.app.labels(dispute.id)) await this.app.load(dispute.id);
    return this.app.labels(dispute.id).points;
  }

  async swap(dispute) {
    try {
      const labels = await this.ready(dispute);
      const [a, b] = dispute.landmarks;
      this.change(dispute, {[a]: labels[b] ?? null, [b]: labels[a] ?? null}, `swapped ${a} and ${b}`);
    } catch (error) {
      this.app.report(error);
    }
  }

  async take(dispute, names) {
    try {
      const labels = await this.ready(dispute);
      const point = (name) => ({state: labels[name]?.state === 'hidden' ? 'hidden' : 'visible',
        x: dispute.expected[name].x, y: dispute.expected[name].y});
      this.change(dispute, Object.fromEntries(names.map((name) => [name, point(name)])),
        `took the model’s ${names.join(' and ')}`);
    } catch (error) {
      this.app.report(error);
    }
  }

  async right(dispute) {
    try {
      await this.ready(dispute);
      this.change(dispute, {}, 'said that it is right', true);
    } catch (error) {
      this.app.report(error);
    }
  }

  // keys

  current() {
    return document.activeElement?.closest?.('.d-card') ?? null;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.cards.size) return false;
    const element = this.current();
    const letter = event.key.toLowerCase();
    const step = {ArrowDown: 1, ArrowUp: -1, j: 1, k: -1}[event.key];
    if (step) {
      const order = [...this.list.children];
      const to = element ? order[order.indexOf(element) + step] : order[0];
      to?.focus();
      to?.scrollIntoView({block: 'nearest'});
      return Boolean(to);
    }
    if (!element) return false;
    const card = this.cards.get(element.dataset.key);
    if (event.key === 'Enter' && document.activeElement === element) {
      card.actions.o();
      return true;
    }
    const action = card?.actions[letter];
    if (!action) return false;
    action();
    return true;
  }

  close() {
    this.dead = true;
    this.seen.disconnect();
    for (const off of this.offs) off();
    this.element.remove();
    this.empty?.remove();
  }
}

/** The part of a picture, in its pixels, that shows all places of a dispute and what is around them. */
export function cropOf(dispute, detail) {
  const places = dispute.landmarks.flatMap((name) => [detail.labels.points[name], dispute.expected[name]]).filter((p) =>
    p?.x != null
  );
  const xs = places.map((p) => p.x);
  const ys = places.map((p) => p.y);
  const [left, right, top, bottom] = places.length
    ? [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]
    : [0, detail.width - 1, 0, detail.height - 1];
  const shape = CROP[0] / CROP[1];
  const width = Math.max(1.7 * (right - left), 1.7 * (bottom - top) * shape,
    0.45 * Math.max(detail.width, detail.height));
  const height = width / shape;
  const within = (at, length,
    size) => (length >= size ? (size - length) / 2 - 0.5 : Math.min(Math.max(at, -0.5), size - 0.5 - length));
  return {x: within((left + right - width) / 2, width, detail.width),
    y: within((top + bottom - height) / 2, height, detail.height), width, height};
}

function dashes(context, [x1, y1], [x2, y2], ratio) {
  for (const [colour, width, dash] of [['rgb(0 0 0 / 0.6)', 3.5, []], ['#fff', 1.5, [4 * ratio, 3 * ratio]]]) {
    context.setLineDash(dash);
    context.strokeStyle = colour;
    context.lineWidth = width * ratio;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }
  context.setLineDash([]);
}

/** A name beside a point, on the side that has room. */
function word(context, text, x, y, ratio) {
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  const left = x + 12 * ratio + context.measureText(text).width > context.canvas.width;
  context.textAlign = left ? 'right' : 'left';
  context.lineWidth = 3 * ratio;
  context.lineJoin = 'round';
  context.strokeStyle = 'rgb(0 0 0 / 0.75)';
  context.fillStyle = '#fff';
  const at = x + (left ? -12 : 12) * ratio;
  context.strokeText(text, at, y + 4 * ratio);
  context.fillText(text, at, y + 4 * ratio);
}

/** A label as a disc, what the model expects as a ring; both with an edge that shows on any ground. */
function dot(context, x, y, ratio, colour, solid) {
  context.beginPath();
  context.arc(x, y, (solid ? 5 : 7) * ratio, 0, 2 * Math.PI);
  context.lineWidth = (solid ? 3 : 6) * ratio;
  context.strokeStyle = 'rgb(0 0 0 / 0.65)';
  context.stroke();
  context.lineWidth = (solid ? 1.5 : 3) * ratio;
  context.strokeStyle = solid ? '#fff' : colour;
  context.stroke();
  if (solid) {
    context.fillStyle = colour;
    context.fill();
  }
}
