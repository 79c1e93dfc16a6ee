/** A film beside the pictures: leafed through frame by frame; frames are taken out of it as pictures to label. */

import {wordsOf} from './api.js';
import {count, emptyState, fill, h, icon, iconButton, kbd, text} from './dom.js';
import {clamp} from './geometry.js';

/**
 * @import {Route} from 'types/app'
 * @import {Film, FilmEntry} from 'types/messages'
 * @import {App} from './app.js'
 */

const LEAP = 10; // frames, with Shift
const SPREAD = 20; // frames taken evenly, unless another number is given

/** @param {HTMLElement} root @param {App} app @param {Route} route */
export function mount(root, app, route) {
  const view = new FilmView(root, app);
  view.start(route.id);
  return {update: (/** @type {Route} */ next) => view.start(next.id)};
}

/** `n` of `total` frames, evenly from the first to the last. @param {number} n @param {number} total
 *  @returns {number[]} */
export function evenly(n, total) {
  const some = clamp(Math.round(n), 1, total);
  if (some === 1) return [0];
  return Array.from({length: some}, (_, i) => Math.round((i * (total - 1)) / (some - 1)));
}

class FilmView {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    /** @type {FilmEntry[]} */
    this.films = [];
    /** @type {Film|null} */
    this.film = null;
    this.number = 0;
    /** whether a frame is being loaded: the one to show then is loaded after it, those between are passed over */
    this.loading = false;
    this.taking = false;
    this.select = h('select', {testid: 'film-select', 'aria-label': 'Film',
      onchange: () => app.go('film', this.select.value)});
    this.facts = h('span.muted.number', {testid: 'film-facts'});
    this.image = h('img.film-frame', {testid: 'film-frame', alt: ''});
    this.slider = h('input.film-slider', {type: 'range', testid: 'film-slider', min: '0', step: '1',
      'aria-label': 'Frame', oninput: () => this.show(this.slider.valueAsNumber)});
    this.place = h('output.number.film-place', {testid: 'film-place', 'aria-live': 'polite'});
    this.takeButton = h('button.primary', {testid: 'take-frame', onclick: () => this.takeThis()});
    this.spread = h('input.small', {type: 'number', testid: 'film-spread', min: '1', max: '500', value: String(SPREAD),
      'aria-label': 'How many frames'});
    this.takeSome = h('button', {testid: 'take-spread', onclick: () => this.takeSpread()}, 'Take them');
    this.taken = h('ul.film-taken', {testid: 'film-taken', 'aria-label': 'Frames taken'});
    this.body = h('div.film-body', h('div.film-stage', this.image),
      h('div.row.film-row',
        iconButton('arrowLeft', 'Frame before', {testid: 'film-before', onclick: () => this.step(-1)}, '←'),
        this.slider, iconButton('arrowRight', 'Frame after', {testid: 'film-after', onclick: () => this.step(1)}, '→'),
        this.place),
      h('div.row.film-row', this.takeButton, h('span.spacer'), h('label.row', 'or', this.spread, 'evenly spread'),
        this.takeSome), this.taken);
    this.none = h('div', {hidden: true});
    root.append(
      h('div.page',
        h('div.column.film',
          h('div.page-head', h('h1', 'Film'), this.select, this.facts, h('span.spacer'),
            h('a', {href: app.href('label'), testid: 'film-back'}, 'Back to labelling')),
          h('p.muted', 'Frames that you take become pictures of the folder. Label one: on the frames after it its '
            + 'landmarks are suggested where they have moved to.'), this.body, this.none)),
    );
    app.on('pictures', () => this.drawTaken());
    app.keys((event) => this.key(event));
  }

  /** @param {string|null} id */
  async start(id) {
    const {app} = this;
    try {
      this.films = await app.api.get('/films');
      const entry = this.films.find((film) => film.id === id) ?? this.films[0];
      if (!entry) {
        this.fail('There is no film in this folder', 'Films that lie beside the pictures are listed here.');
        return;
      }
      fill(this.select, this.films.map((film) => h('option', {value: film.id}, film.file)));
      this.select.value = entry.id;
      this.film = null;
      const film = await app.api.get(`/films/${entry.id}`);
      if (this.select.value !== film.id) return; // gone on to another meanwhile
      this.film = film;
    } catch (error) {
      this.fail('This film cannot be shown', wordsOf(error));
      return;
    }
    this.body.hidden = false;
    this.none.hidden = true;
    const {film} = this;
    text(this.facts, `${film.width} × ${film.height} · ${count(film.frames, 'frame')}`);
    this.slider.max = String(film.frames - 1);
    this.show(0);
  }

  /** @param {string} title @param {string} body */
  fail(title, body) {
    this.film = null;
    this.body.hidden = true;
    this.none.hidden = false;
    fill(this.none, emptyState(title, body));
  }

  /** @param {number} number */
  show(number) {
    const {film} = this;
    if (!film) return;
    this.number = clamp(number, 0, film.frames - 1);
    this.slider.value = String(this.number);
    text(this.place, `${this.number} of 0 to ${(film.frames - 1).toLocaleString('en')}`);
    this.drawTaken();
    this.load();
  }

  /** Loads the frame to show; while one is on its way, only the last one asked for comes after it. */
  async load() {
    const {film, number, app} = this;
    if (this.loading || !film) return;
    this.loading = true;
    const image = new Image();
    image.src = app.api.url(`/films/${film.id}/frames/${number}`);
    try {
      await image.decode();
      if (this.film === film) {
        this.image.src = image.src;
        this.image.alt = `Frame ${number} of ${film.file}`;
        this.image.dataset.frame = String(number);
      }
    } catch {
      app.toast(`Frame ${number} cannot be shown.`, 'bad');
    }
    this.loading = false;
    if (this.film !== film || this.number !== number) this.load();
  }

  /** @param {number} by */
  step(by) {
    this.show(this.number + by);
  }

  /** Takes the frame on show, or opens it where it is taken already. */
  async takeThis() {
    const there = this.film?.taken[this.number];
    if (there && this.app.picture(there)) this.app.go('label', there);
    else {
      const [id] = await this.take([this.number]);
      if (id) this.app.go('label', id);
    }
  }

  async takeSpread() {
    const {film} = this;
    if (!film) return;
    const ids = await this.take(evenly(this.spread.valueAsNumber || SPREAD, film.frames));
    if (ids.length) this.app.toast(`${count(ids.length, 'frame')} of ${film.file} are in the list.`, 'good');
  }

  /** @param {number[]} numbers @returns {Promise<string[]>} ids of the pictures that they are */
  async take(numbers) {
    const {film, app} = this;
    if (!film || this.taking) return [];
    this.taking = true;
    this.drawTaken();
    try {
      const {ids} = await app.api.post(`/films/${film.id}/take`, {numbers});
      await app.readPictures();
      numbers.forEach((number, i) => film.taken[number] = ids[i]);
      return ids;
    } catch (error) {
      app.report(error);
      return [];
    } finally {
      this.taking = false;
      this.drawTaken();
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const onControl = event.target instanceof HTMLElement && event.target.closest('button, a, select');
    const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (by) this.step(event.shiftKey ? LEAP * by : by);
    else if (event.key === 'Enter' && !onControl && !event.repeat) this.takeThis();
    else return false;
    return true;
  }

  drawTaken() {
    const {film, app} = this;
    if (!film) return;
    const there = Object.entries(film.taken).filter(([, id]) => app.picture(id));
    const now = there.some(([number]) => Number(number) === this.number);
    fill(this.takeButton, now ? 'Label this frame' : 'Take this frame', kbd('↵'));
    this.takeButton.disabled = this.taking;
    this.takeSome.disabled = this.taking;
    fill(this.taken, there.map(([number, id]) => {
      const done = app.picture(id)?.complete;
      return h('li',
        h('a', {href: app.href('label', id), testid: 'film-taken-frame'}, number,
          done ? [' ', icon('accept', 12), h('span.visually-hidden', 'complete')] : null));
    }));
  }
}
