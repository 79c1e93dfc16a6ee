/** The labels that the model disputes, for a second look: where the label is, where the model expects it, and what
 *  to do. */

import {count, emptyState, fill, find, h, kbd, lookUp} from './dom.js';
import {begin} from './geometry.js';
import {loadImage} from './images.js';
import {drawPicture} from './paint.js';
import {whenSeen} from './parts.js';

/**
 * @import {Dispute, PictureDetail} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Box} from './geometry.js'
 * @import {Points} from './outbox.js'
 * @import {Mark} from './paint.js'
 * @typedef {{dispute: Dispute, element: HTMLElement, canvas: HTMLCanvasElement, actions: Record<string, () => void>,
 *   detail: PictureDetail|null, image: HTMLImageElement|null}} Card
 * @typedef {{gone: Card[], order: Card[]}} Act  what was settled, and the list before
 */

const KINDS = {outlier: 'Far off', swap: 'Swapped?', duplicate: 'One spot', outside: 'Outside'};
const CROP = {width: 336, height: 252}; // CSS pixels, as in views.css
const ACTIONS = [
  {key: 's', name: 'swap', text: 'Swap them', title: 'Exchanges the two labels', kind: 'primary'},
  {key: 'm', name: 'take', text: 'Take the model’s', title: 'Puts the label where the model expects it'},
  {key: 'r', name: 'right', text: 'It is right', title: 'This picture’s labels are not disputed any more'},
  {key: 'o', name: 'open', text: 'Open', title: 'Opens the picture in the label view'},
];

/** What tells one dispute from another, through new fits. @param {Dispute} d */
const keyOf = (d) => [d.id, d.kind, ...d.landmarks].join(' ');

export class DisputeList {
  /** @param {HTMLElement} root @param {App} app @param {(n: number) => void} told  called with how many there are */
  constructor(root, app, told) {
    this.app = app;
    this.told = told;
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    /** @type {Set<string>} */
    this.settled = new Set();
    /** @type {Act[]} */
    this.acts = [];
    /** @type {string|null} */
    this.waiting = null;
    /** @type {HTMLElement|null} */
    this.empty = null;
    this.heard = '';
    this.dead = false;
    this.head = h('p.muted', {testid: 'disputes-summary'});
    this.list = h('div.d-list', {testid: 'disputes', role: 'list', 'aria-label': 'Disputed labels'});
    this.element = h('div.column.d-column', this.head, this.list);
    root.append(this.element);
    this.root = root;
    this.seen = whenSeen((canvas) => this.cut(canvas.getAttribute('data-key') ?? ''), root);
    this.model = app.state.model.model;
    app.on('model', (status) => {
      const news = [status.model, status.stage, status.fitting].join();
      if (news === this.heard && !this.waiting) return;
      this.heard = news;
      if (status.model !== this.model) this.settled.clear(); // this fit knows what was done about them
      this.model = status.model;
      this.read();
    });
    app.on('back', () => this.read());
    app.on('labels', ({id}) => this.redraw(id));
    app.on('travelled', ({id}) => { // undone with Ctrl-Z
      const last = this.acts.findLast((act) => act.gone[0].dispute.id === id);
      if (last) this.bring(last);
    });
    app.keys((event) => this.key(event));
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
    const first = find(this.list, '.d-card');
    if (focus) (this.cards.get(focus)?.element ?? first)?.focus();
    else if (document.activeElement === document.body) first?.focus();
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

  /** @param {Dispute} dispute @param {string} key @returns {Card} */
  card(dispute, key) {
    const canvas = h('canvas.d-crop', {'aria-hidden': 'true', 'data-key': key});
    const models = dispute.landmarks.filter((name) => dispute.expected[name]);
    /** @type {Record<string, () => void>} */
    const actions = {o: () => this.app.go('label', dispute.id), r: () => this.right(dispute)};
    if (dispute.kind === 'swap') actions.s = () => this.swap(dispute);
    if (models.length) actions.m = () => this.take(dispute, models);
    const buttons = ACTIONS.filter(({key}) => actions[key]).map(({key, name, text, title, kind}) =>
      h('button', {testid: `dispute-${name}`, title, onclick: actions[key], class: kind}, text, kbd(key.toUpperCase()))
    );
    const element = h('article.card.d-card', {tabindex: 0, role: 'listitem', testid: 'dispute', 'data-key': key,
      'data-id': dispute.id, 'data-kind': dispute.kind, 'aria-label': `${dispute.file}: ${dispute.message}`}, canvas,
      h('div.stack.d-words',
        h('div.row', h('span.badge.warn', KINDS[dispute.kind]),
          h('span.ellipsis.muted', {title: dispute.file}, dispute.file)), h('p.d-message', dispute.message),
        h('div.row.wrap',
          dispute.landmarks.map((name) =>
            h('span.row.d-name', h('span.swatch', {style: {'--colour': this.app.colour(name)}}), name)
          )), h('div.row.wrap.d-actions', buttons)));
    this.seen.observe(canvas);
    return {dispute, element, canvas, actions, detail: null, image: null};
  }

  // drawing

  /** Fetches what a card's picture is drawn from. @param {string} key */
  async cut(key) {
    const card = this.cards.get(key);
    if (!card) return;
    try {
      card.detail = await this.app.load(card.dispute.id);
      const [, , width] = cropOf(card.dispute, card.detail);
      const side = (CROP.width / width) * Math.max(card.detail.width, card.detail.height);
      card.image = await loadImage(this.app.api.image(card.dispute.id, side > 1400 ? 2048 : 1024));
      this.paint(card);
    } catch { /* it stays empty; the words say enough */ }
  }

  /** @param {string} id */
  redraw(id) {
    for (const card of this.cards.values()) if (card.dispute.id === id) this.paint(card);
  }

  /** @param {Card} card */
  paint({dispute, detail, image, canvas}) {
    if (!detail || !image) return;
    const points = this.app.labels(dispute.id)?.points ?? detail.labels.points;
    /** @type {Map<string, Mark>} */
    const labels = new Map();
    /** @type {Map<string, Mark>} */
    const models = new Map();
    for (const name of dispute.landmarks) {
      const colour = this.app.colour(name);
      const [label, model] = [points[name], dispute.expected[name]];
      if (model) models.set(name, {name, colour, x: model.x, y: model.y, style: 'suggested'});
      if (label && label.state !== 'absent') labels.set(name, {name, colour, x: label.x, y: label.y, style: 'visible'});
    }
    const lines = [...labels.values()].flatMap((mark) => {
      const model = models.get(mark.name);
      return model ? [/** @type {[Mark, Mark]} */ ([mark, model])] : [];
    });
    // Which is which has to be said of two, but not on one spot.
    const named = dispute.landmarks.length < 2
      ? []
      : dispute.landmarks.flatMap((name) =>
        (dispute.kind === 'duplicate' ? models.get(name) : null) ?? labels.get(name) ?? []
      );
    drawPicture(canvas, {image, picture: detail, part: cropOf(dispute, detail),
      marks: [...models.values(), ...labels.values()], lines, named});
  }

  // what can be done

  /** @param {Dispute} dispute @param {Points} points @param {string} what @param {boolean} [checked] */
  change(dispute, points, what, checked) {
    const {app} = this;
    const undo = checked ? () => app.change(dispute.id, {}, {checked: false}) : () => app.undo();
    app.change(dispute.id, points, {what, checked});
    const order = [...this.cards.values()];
    const gone = order.filter((card) => card.dispute === dispute || (checked && card.dispute.id === dispute.id));
    const act = {gone, order};
    this.acts.push(act);
    const did = checked
      ? `${dispute.file} is not disputed any more.`
      : `${what[0].toUpperCase()}${what.slice(1)} on ${dispute.file}.`;
    app.toast(did, 'good', {label: 'Undo', run: () => {
      undo();
      this.bring(act);
    }});
    const later = order.slice(order.findIndex((card) => card.dispute === dispute) + 1);
    const next = later.find((card) => !gone.includes(card)) ?? order.findLast((card) => !gone.includes(card));
    for (const card of gone) {
      this.settled.add(keyOf(card.dispute));
      this.cards.delete(keyOf(card.dispute));
      card.element.remove();
    }
    next?.element.focus();
    this.tell();
  }

  /** Puts cards back where they were in an earlier order. @param {Act} act */
  bring(act) {
    if (this.dead) return;
    const {gone, order} = act;
    for (const card of gone) this.settled.delete(keyOf(card.dispute));
    this.acts = this.acts.filter((other) => other !== act);
    const there = new Set([...this.cards.values(), ...gone]);
    const old = order.filter((card) => there.has(card));
    this.cards = new Map(
      [...old, ...[...there].filter((card) => !old.includes(card))].map((card) => [keyOf(card.dispute), card]),
    );
    fill(this.list, [...this.cards.values()].map((card) => card.element));
    this.tell();
    gone[0].element.focus();
  }

  /** Does what is done with a dispute, once its picture's labels are known.
   *  @param {Dispute} dispute @param {(labels: Points) => void} act */
  async ready(dispute, act) {
    try {
      const labels = this.app.labels(dispute.id) ?? (await this.app.load(dispute.id)).labels;
      act(labels.points);
    } catch (error) {
      this.app.report(error);
    }
  }

  /** @param {Dispute} dispute */
  swap(dispute) {
    const [a, b] = dispute.landmarks;
    this.ready(dispute,
      (labels) => this.change(dispute, {[a]: labels[b] ?? null, [b]: labels[a] ?? null}, `swapped ${a} and ${b}`));
  }

  /** @param {Dispute} dispute @param {string[]} names */
  take(dispute, names) {
    this.ready(dispute, (labels) => {
      /** @type {Points} */
      const points = {};
      for (const name of names) {
        const {x, y} = dispute.expected[name];
        points[name] = {state: labels[name]?.state === 'hidden' ? 'hidden' : 'visible', x, y};
      }
      this.change(dispute, points, `took the model’s ${names.join(' and ')}`);
    });
  }

  /** @param {Dispute} dispute */
  right(dispute) {
    this.ready(dispute, () => this.change(dispute, {}, 'said that it is right', true));
  }

  // keys

  /** The card that the focus is in. @returns {HTMLElement|null} */
  current() {
    return document.activeElement?.closest('.d-card') ?? null;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.cards.size) return false;
    const element = this.current();
    const step = lookUp({ArrowDown: 1, ArrowUp: -1, j: 1, k: -1}, event.key);
    const order = [...this.cards.values()].map((card) => card.element);
    if (step) {
      const to = element ? order[order.indexOf(element) + step] : order[0];
      to?.focus();
      to?.scrollIntoView({block: 'nearest'});
      return Boolean(to);
    }
    const actions = this.cards.get(element?.dataset.key ?? '')?.actions ?? {};
    const opens = event.key === 'Enter' && document.activeElement === element;
    const action = lookUp(actions, opens ? 'o' : event.key.toLowerCase());
    action?.();
    return Boolean(action);
  }

  close() {
    this.dead = true;
    this.seen.disconnect();
  }
}

/** The part of a picture that shows all places of a dispute and what is around them.
 *  @param {Dispute} dispute @param {PictureDetail} detail @returns {Box} */
export function cropOf(dispute, detail) {
  const places = dispute.landmarks.flatMap((name) => {
    const label = detail.labels.points[name];
    return [label && label.state !== 'absent' ? label : [], dispute.expected[name] ?? []].flat();
  });
  const [xs, ys] = [places.map((p) => p.x), places.map((p) => p.y)];
  const [left, right, top, bottom] = places.length
    ? [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]
    : [0, detail.width - 1, 0, detail.height - 1];
  const shape = CROP.width / CROP.height;
  const width = Math.max(1.7 * (right - left), 1.7 * (bottom - top) * shape,
    0.45 * Math.max(detail.width, detail.height));
  const height = width / shape;
  return [begin((left + right + 1) / 2, width, detail.width), begin((top + bottom + 1) / 2, height, detail.height),
    width, height];
}
