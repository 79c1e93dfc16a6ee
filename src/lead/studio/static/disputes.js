/** The labels that the model disputes, for a second look, a card for each picture, or for each specimen on it: where
 *  the labels are, where the model expects them, and what to do. */

import {count, emptyState, fill, h, kbd, lookUp} from './dom.js';
import {begin} from './geometry.js';
import {loadImage} from './images.js';
import {drawPicture} from './paint.js';
import {whenSeen} from './parts.js';
import {extentOf, isSpecimen, pictureOf, placesOf} from './specimens.js';

/**
 * @import {Dispute, PictureDetail, Suggestion} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Box} from './geometry.js'
 * @import {MarksChange, Points} from './outbox.js'
 * @import {Mark} from './paint.js'
 * @typedef {{landmarks: string[], expected: Record<string, Suggestion>}} Marked  what is drawn of a picture's labels
 * @typedef {Marked & {id: string, file: string, disputes: Dispute[], element: HTMLElement, canvas: HTMLCanvasElement,
 *   actions: Record<string, () => void>, detail: PictureDetail|null, image: HTMLImageElement|null}} Card
 * @typedef {{id: string, gone: Dispute[], order: Dispute[]}} Act  what was settled, and the list before
 */

const KINDS = {outlier: 'Far off', swap: 'Swapped?', duplicate: 'One spot', outside: 'Outside'};
const CROP = {width: 336, height: 252}; // CSS pixels, as in views.css
const SKIP = 'skip'; // the tag of a bad picture

/** What tells one dispute from another, through new fits. @param {Dispute} d */
const keyOf = (d) => [d.id, d.kind, ...d.landmarks].join(' ');

/** Disputes by their pictures, in the order of the most doubtful of each. @param {Dispute[]} disputes */
export function byPicture(disputes) {
  /** @type {Map<string, Dispute[]>} */
  const found = new Map();
  for (const dispute of disputes) found.set(dispute.id, [...(found.get(dispute.id) ?? []), dispute]);
  return found;
}

/** What several disputes of a picture are about. @param {Dispute[]} disputes @returns {Marked} */
const together = (disputes) => ({landmarks: [...new Set(disputes.flatMap((d) => d.landmarks))],
  expected: Object.assign({}, ...disputes.map((d) => d.expected))});

export class DisputeList {
  /** @param {HTMLElement} root @param {App} app
   *  @param {(n: number) => void} told  called with how many pictures there are */
  constructor(root, app, told) {
    this.app = app;
    this.told = told;
    /** as the server sorts them @type {Dispute[]} */
    this.disputes = [];
    /** by picture @type {Map<string, Card>} */
    this.cards = new Map();
    /** @type {Set<string>} */
    this.settled = new Set();
    /** @type {Act[]} */
    this.acts = [];
    /** id of the picture that the keys act on: where the focus was last @type {string|null} */
    this.at = null;
    /** @type {string|null} */
    this.waiting = null;
    /** @type {HTMLElement|null} */
    this.empty = null;
    this.heard = '';
    this.dead = false;
    this.head = h('p.muted', {testid: 'disputes-summary'});
    this.list = h('div.d-list', {testid: 'disputes', role: 'list', 'aria-label': 'Pictures with disputed labels',
      onfocusin: (event) => {
        const card = event.target instanceof Element && event.target.closest('.d-card');
        if (card) this.goTo(card.getAttribute('data-id'));
      }});
    this.element = h('div.column.d-column', this.head, this.list);
    root.append(this.element);
    this.root = root;
    this.seen = whenSeen((canvas) => this.cut(canvas.getAttribute('data-id') ?? ''), root);
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
    app.on('unit', () => this.read());
    app.on('labels', ({id}) => this.redraw(id));
    app.on('travelled', ({id}) => { // undone with Ctrl-Z
      const last = this.acts.findLast((act) => act.id === id || pictureOf(act.id) === id);
      if (last) this.bring(last);
    });
    app.keys((event) => this.key(event));
    this.read();
  }

  async read() {
    const unit = this.app.unit();
    let answer;
    try {
      answer = await this.app.api.get('/disputes', {unit});
    } catch (error) {
      this.app.report(error);
      return;
    }
    if (this.dead || unit !== this.app.unit()) return;
    this.waiting = answer.waiting_for;
    // of a specimen, its key stands for the picture here: it has a card of its own
    this.disputes = answer.disputes.map((dispute) => ({...dispute, id: dispute.key ?? dispute.id}));
    this.draw();
    if (document.activeElement === document.body) this.refocus();
  }

  /** Shows what is not settled, and leaves the focus where it is as far as that is there. */
  draw() {
    const focus = this.list.contains(document.activeElement) ? document.activeElement : null;
    const old = this.cards;
    this.cards = new Map();
    for (const [id, disputes] of byPicture(this.disputes.filter((d) => !this.settled.has(keyOf(d))))) {
      const before = old.get(id);
      const same = before && JSON.stringify(before.disputes) === JSON.stringify(disputes);
      this.cards.set(id, same ? before : this.card(disputes, before));
    }
    fill(this.list, [...this.cards.values()].map((card) => card.element));
    if (!this.at || !this.cards.has(this.at)) this.goTo([...this.cards.keys()][0] ?? null);
    else this.goTo(this.at);
    if (focus instanceof HTMLElement && this.list.contains(focus)) focus.focus();
    else if (focus) this.refocus();
    this.tell();
  }

  /** From here on the keys act on this picture. @param {string|null} id */
  goTo(id) {
    this.at = id;
    for (const card of this.cards.values()) card.element.classList.toggle('current', card.id === id);
  }

  /** The focus goes back to the card that the keys act on. */
  refocus() {
    this.cards.get(this.at ?? '')?.element.focus();
  }

  tell() {
    const n = this.cards.size;
    this.told(n);
    this.empty?.remove();
    this.element.hidden = !n;
    if (n) {
      const labels = [...this.cards.values()].reduce((sum, card) => sum + card.landmarks.length, 0);
      fill(this.head,
        `${count(n, this.app.landmarks().several ? 'specimen' : 'picture')} with ${
          count(labels, 'label')
        } for a second look, the most doubtful first. `, h('span.d-key', h('span.d-solid'), 'label'),
        h('span.d-key', h('span.d-hollow'), 'where the model expects it'));
      return;
    }
    this.empty = emptyState(this.waiting ? 'Nothing to compare with yet' : 'No disputed labels', this.waiting
      ?? 'The model, fitted without each labelled picture in turn, finds every landmark near where you put it.',
      h('a.button', {href: '#/label', testid: 'disputes-to-label'}, 'Label pictures'));
    this.root.append(this.empty);
  }

  /** @param {Dispute[]} disputes  of one picture @param {Card} [before]  what was shown of it @returns {Card} */
  card(disputes, before) {
    const [{id, file}] = disputes;
    const {landmarks, expected} = together(disputes);
    const canvas = h('canvas.d-crop', {'aria-hidden': 'true', 'data-id': id});
    const swaps = disputes.filter((d) => d.kind === 'swap');
    /** @type {Record<string, () => void>} */
    const actions = {o: () => this.open(id), r: () => this.right(card), b: () => this.skip(card)};
    if (swaps.length) actions.s = () => this.swap(card, swaps);
    if (Object.keys(expected).length) actions.m = () => this.take(card, disputes);
    /** @param {string} key @param {string} name @param {string} text @param {string} title @param {string} [kind] */
    const button = (key, name, text, title, kind = '') =>
      actions[key]
      && h('button', {testid: `dispute-${name}`, title, onclick: actions[key], class: kind}, text,
        kbd(key.toUpperCase()));
    const several = landmarks.length > 1;
    const element = h('div.card.d-card', {tabindex: 0, role: 'listitem', testid: 'dispute', 'data-id': id,
      'data-kind': [...new Set(disputes.map((d) => d.kind))].join(' '),
      'aria-label': `${file}: ${disputes.map((d) => d.message).join(' ')}`}, canvas,
      h('div.stack.d-words', h('div.row', h('span.ellipsis.muted', {title: file}, file)),
        h('ul.d-messages', disputes.map((dispute) => this.words(() => card, dispute, disputes.length > 1))),
        h('div.row.wrap.d-actions', button('s', 'swap', 'Swap them', 'Exchanges the two labels', 'primary'),
          button('m', 'take', several ? 'Take all of the model’s' : 'Take the model’s',
            'Puts the labels where the model expects them'),
          button('r', 'right', several ? 'They are right' : 'It is right',
            'This picture’s labels are not disputed any more'),
          button('o', 'open', 'Correct', 'Opens the picture in the label view'),
          button('b', 'skip', 'Bad picture: skip',
            'Tags the picture “skip”: it is not labelled, learnt from or shown here any more'))));
    /** @type {Card} */
    const card = {id, file, disputes, landmarks, expected, element, canvas, actions, detail: before?.detail ?? null,
      image: before?.image ?? null};
    if (card.image) this.paint(card);
    else this.seen.observe(canvas);
    return card;
  }

  /** One dispute in words; with others, what can be done about it alone.
   *  @param {() => Card} card @param {Dispute} dispute @param {boolean} alone */
  words(card, dispute, alone) {
    const {kind, message, landmarks, expected} = dispute;
    return h('li.stack', {testid: 'dispute-words', 'data-kind': kind},
      h('p.d-message', h('span.badge.warn', KINDS[kind]), ' ', message),
      h('div.row.wrap',
        landmarks.map((name) =>
          h('span.row.d-name', h('span.swatch', {style: {'--colour': this.app.colour(name)}}), name)
        ), alone && kind === 'swap'
        ? h('button.small', {testid: 'dispute-one-swap', onclick: () => this.swap(card(), [dispute])}, 'Swap them')
        : null, alone && landmarks.some((name) => expected[name])
        ? h('button.small', {testid: 'dispute-one-take', onclick: () => this.take(card(), [dispute])},
          'Take the model’s')
        : null));
  }

  // drawing

  /** Fetches what a card's picture is drawn from. @param {string} id */
  async cut(id) {
    const card = this.cards.get(id);
    if (!card) return;
    try {
      const detail = await this.app.load(id);
      card.detail = {...detail, labels: this.app.labels(id) ?? detail.labels};
      const [, , width] = cropOf(card, card.detail, this.leastOf(card.detail));
      const side = (CROP.width / width) * Math.max(card.detail.width, card.detail.height);
      card.image = await loadImage(this.app.api.image(pictureOf(id), side > 1400 ? 2048 : 1024));
      this.paint(card);
    } catch { /* it stays empty; the words say enough */ }
  }

  /** How much of a picture a card shows at least, in pixels: of a specimen, what is around it.
   *  @param {PictureDetail} detail */
  leastOf({labels}) {
    return this.app.landmarks().several ? Math.max(16, 2 * extentOf(placesOf(labels.points))) : undefined;
  }

  /** Opens a picture to label, with the specimen that is disputed. @param {string} id */
  open(id) {
    this.app.chosen = isSpecimen(id) ? id : null;
    this.app.go('label', pictureOf(id));
  }

  /** @param {string} id */
  redraw(id) {
    const card = this.cards.get(id);
    if (card) this.paint(card);
  }

  /** @param {Card} card */
  paint(card) {
    const {detail, image, canvas, disputes, landmarks, expected} = card;
    if (!detail || !image) return;
    const points = this.app.labels(card.id)?.points ?? detail.labels.points;
    /** @type {Map<string, Mark>} */
    const labels = new Map();
    /** @type {Map<string, Mark>} */
    const models = new Map();
    for (const name of landmarks) {
      const colour = this.app.colour(name);
      const [label, model] = [points[name], expected[name]];
      if (model) models.set(name, {name, colour, x: model.x, y: model.y, style: 'suggested'});
      if (label && label.state !== 'absent') labels.set(name, {name, colour, x: label.x, y: label.y, style: 'visible'});
    }
    const lines = [...labels.values()].flatMap((mark) => {
      const model = models.get(mark.name);
      return model ? [/** @type {[Mark, Mark]} */ ([mark, model])] : [];
    });
    // Which is which has to be said of several, but not on one spot.
    const doubled = new Set(disputes.flatMap((d) => d.kind === 'duplicate' ? d.landmarks : []));
    const named = landmarks.length < 2
      ? []
      : landmarks.flatMap((name) => (doubled.has(name) ? models.get(name) : null) ?? labels.get(name) ?? []);
    drawPicture(canvas, {image, picture: detail, part: cropOf(card, detail, this.leastOf(detail)),
      marks: [...models.values(), ...labels.values()], lines, named});
  }

  // what can be done

  /** Settles some of a card's disputes, or with marks all of them.
   *  @param {Card} card @param {Dispute[]} gone @param {Points} points @param {string} what
   *  @param {{marks: MarksChange, back: MarksChange, did: string}} [all] */
  change(card, gone, points, what, all) {
    const {app} = this;
    const {id, file} = card;
    const subject = all?.marks.tags ? pictureOf(id) : id; // tags are of the picture as a whole
    app.change(subject, points, {what, ...all?.marks});
    const pictures = [...this.cards.keys()];
    /** @type {Act} */
    const act = {id, gone, order: this.disputes};
    this.acts.push(act);
    for (const dispute of gone) this.settled.add(keyOf(dispute));
    app.toast(all?.did ?? `${what[0].toUpperCase()}${what.slice(1)} on ${file}.`, 'good', {label: 'Undo', run: () => {
      if (all) app.change(subject, {}, all.back);
      else app.undo();
      this.bring(act);
    }});
    const left = this.disputes.some((d) => d.id === id && !this.settled.has(keyOf(d)));
    const at = pictures.indexOf(id);
    this.at = left ? id : pictures[at + 1] ?? pictures[at - 1] ?? null;
    this.draw();
    this.refocus();
  }

  /** Puts disputes back where they were in an earlier order. @param {Act} act */
  bring(act) {
    if (this.dead) return;
    const {gone, order} = act;
    for (const dispute of gone) this.settled.delete(keyOf(dispute));
    this.acts = this.acts.filter((other) => other !== act);
    const there = new Map([...this.disputes, ...gone].map((dispute) => [keyOf(dispute), dispute]));
    const old = order.filter((dispute) => there.has(keyOf(dispute)));
    for (const dispute of old) there.delete(keyOf(dispute));
    this.disputes = [...old, ...there.values()];
    this.at = act.id;
    this.draw();
    this.refocus();
  }

  /** Does what is done with a picture's labels, once they are known.
   *  @param {Card} card @param {(labels: Points, detail: {tags: string[]}) => void} act */
  async ready({id}, act) {
    try {
      if (!this.app.labels(id)) await this.app.load(id);
      const [labels, whole] = [this.app.labels(id), this.app.labels(pictureOf(id))];
      if (labels && whole) act(labels.points, whole);
    } catch (error) {
      this.app.report(error);
    }
  }

  /** @param {Card} card @param {Dispute[]} swaps */
  swap(card, swaps) {
    this.ready(card, (labels) => {
      const pairs = swaps.map((d) => d.landmarks);
      const points = Object.fromEntries(pairs.flatMap(([a, b]) => [[a, labels[b] ?? null], [b, labels[a] ?? null]]));
      this.change(card, swaps, points, `swapped ${pairs.map(([a, b]) => `${a} and ${b}`).join(', ')}`);
    });
  }

  /** @param {Card} card @param {Dispute[]} disputes */
  take(card, disputes) {
    const {landmarks, expected} = together(disputes);
    const names = landmarks.filter((name) => expected[name]);
    this.ready(card, (labels) => {
      /** @type {Points} */
      const points = {};
      for (const name of names) {
        const {x, y} = expected[name];
        points[name] = {state: labels[name]?.state === 'hidden' ? 'hidden' : 'visible', x, y, accepted: true};
      }
      const settled = disputes.filter((d) => d.landmarks.some((name) => expected[name]));
      this.change(card, settled, points, `took the model’s ${names.join(' and ')}`);
    });
  }

  /** @param {Card} card */
  right(card) {
    this.ready(card,
      () =>
        this.change(card, card.disputes, {}, 'said that it is right', {marks: {checked: true}, back: {checked: false},
          did: `${card.file} is not disputed any more.`}));
  }

  /** @param {Card} card */
  skip(card) {
    this.ready(card, (_, {tags}) =>
      this.change(card, card.disputes, {}, 'skipped it', {
        marks: {tags: [...tags.filter((tag) => tag !== SKIP), SKIP]},
        back: {tags},
        did: `${card.file} is tagged “${SKIP}”.`,
      }));
  }

  // keys

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.cards.size) return false;
    const {activeElement} = document;
    const inside = this.list.contains(activeElement);
    const step = lookUp({ArrowDown: 1, ArrowUp: -1, j: 1, k: -1}, event.key);
    const order = [...this.cards.keys()];
    if (step) {
      const to = this.cards.get(order[order.indexOf(this.at ?? '') + (inside ? step : 0)])?.element;
      to?.focus();
      to?.scrollIntoView({block: 'nearest'});
      return Boolean(to);
    }
    const card = this.cards.get(this.at ?? '');
    const opens = event.key === 'Enter' && activeElement === card?.element;
    const action = lookUp(card?.actions ?? {}, opens ? 'o' : event.key.toLowerCase());
    action?.();
    return Boolean(action);
  }

  close() {
    this.dead = true;
    this.seen.disconnect();
  }
}

/** The part of a picture that shows all places of a dispute and what is around them.
 *  @param {Marked} dispute @param {PictureDetail} detail @param {number} [least]  how much is shown, in pixels
 *  @returns {Box} */
export function cropOf(dispute, detail, least = 0.45 * Math.max(detail.width, detail.height)) {
  const places = dispute.landmarks.flatMap((name) => {
    const label = detail.labels.points[name];
    return [label && label.state !== 'absent' ? label : [], dispute.expected[name] ?? []].flat();
  });
  const [xs, ys] = [places.map((p) => p.x), places.map((p) => p.y)];
  const [left, right, top, bottom] = places.length
    ? [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)]
    : [0, detail.width - 1, 0, detail.height - 1];
  const shape = CROP.width / CROP.height;
  const width = Math.max(1.7 * (right - left), 1.7 * (bottom - top) * shape, least);
  const height = width / shape;
  return [begin((left + right + 1) / 2, width, detail.width), begin((top + bottom + 1) / 2, height, detail.height),
    width, height];
}
