/** The list of pictures beside the one being labelled. Only the rows in sight exist, so that it holds tens of
 *  thousands. */

import {count, fill, h, icon, markCurrent, percent, renew, text, throttle} from './dom.js';
import {loadSmall} from './images.js';
import {passing} from './kept.js';

/**
 * @import {Picture} from 'types/messages'
 * @import {App} from './app.js'
 * @typedef {{element: HTMLElement, progress: HTMLElement, error: HTMLElement}} Row
 */

const ROW = 60; // height in CSS pixels, as in app.css
const SPARE = 6;
const FILTERS = {all: 'All', todo: 'To do', begun: 'Begun', complete: 'Complete', disputed: 'Disputed'};

/** @param {Picture} picture @returns {'todo'|'begun'|'complete'|'unreadable'} */
export function stateOf(picture) {
  if (picture.unreadable) return 'unreadable';
  return picture.complete ? 'complete' : picture.labelled ? 'begun' : 'todo';
}

export class Rail {
  /**
   * @param {HTMLElement} place
   * @param {App} app
   */
  constructor(place, app) {
    this.app = app;
    const kept = passing.text('lead.filter') ?? '';
    this.filter = Object.hasOwn(FILTERS, kept) ? kept : 'all';
    this.query = '';
    /** @type {string|null} */
    this.current = null;
    /** @type {Set<string>} */
    this.disputed = new Set();
    /** pictures that pass the filter @type {Picture[]} */
    this.list = [];
    /** @type {Map<string, number>} */
    this.position = new Map();
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.select = h('select', {testid: 'rail-filter', 'aria-label': 'Which pictures',
      onchange: () => this.setFilter(this.select.value)},
      Object.entries(FILTERS).map(([value, label]) => h('option', {value}, label)));
    this.search = h('input', {type: 'search', testid: 'rail-search', placeholder: 'Search by name',
      'aria-label': 'Search pictures by name', oninput: () => {
        this.query = this.search.value.trim().toLowerCase();
        this.refilter();
      }, onkeydown: (e) => this.searched(e)});
    this.inner = h('div.rail-inner');
    this.scroller = h('div.rail-list', {testid: 'rail', tabindex: -1, onscroll: () => this.draw()}, this.inner);
    this.total = h('span.small.muted.number', {testid: 'rail-count'});
    fill(place,
      h('div.rail-head', h('div.rail-search', icon('search', 14), this.search), h('div.row', this.select, this.total)),
      this.scroller);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.scroller);
    const soon = throttle(() => this.refilter(), 60);
    app.on('pictures', soon);
    app.on('landmarks', soon);
    app.on('model', throttle(() => {
      if (this.filter === 'disputed') this.readDisputes();
    }, 2000));
    this.select.value = this.filter;
    this.setFilter(this.filter);
  }

  destroy() {
    this.observer.disconnect();
  }

  /** Enter opens the first picture found, Escape ends the search. @param {KeyboardEvent} event */
  searched(event) {
    if (event.key !== 'Enter' && event.key !== 'Escape') return;
    if (event.key === 'Enter' && this.list.length) this.app.go('label', this.list[0].id);
    if (event.key === 'Escape') {
      this.search.value = '';
      this.query = '';
      this.refilter();
    }
    this.search.blur();
  }

  /** @param {string} filter */
  setFilter(filter) {
    this.filter = filter;
    passing.keep('lead.filter', filter);
    if (filter === 'disputed') this.readDisputes();
    this.refilter();
  }

  async readDisputes() {
    try {
      const {disputes} = await this.app.api.get('/disputes');
      this.disputed = new Set(disputes.map((d) => d.id));
      this.refilter();
    } catch (error) {
      this.app.report(error);
    }
  }

  refilter() {
    const {filter, query} = this;
    this.list = this.app.pictures.filter((p) =>
      (filter === 'all' || (filter === 'disputed' ? this.disputed.has(p.id) : stateOf(p) === filter))
      && (!query || p.file.toLowerCase().includes(query))
    );
    this.position = new Map(this.list.map((p, i) => [p.id, i]));
    this.inner.style.height = `${this.list.length * ROW}px`;
    const all = this.app.pictures.length;
    text(this.total, this.list.length === all
      ? count(all, 'picture')
      : `${this.list.length.toLocaleString('en')} of ${all.toLocaleString('en')}`);
    this.inner.dataset.empty = this.list.length
      ? ''
      : filter === 'disputed' && !query
      ? 'No label is disputed.'
      : 'No picture passes.';
    this.draw(true);
  }

  /** The picture `step` places on from picture `id` in the list as filtered (in the whole list, if it is not in
   *  that); null at the ends. @param {string|null|undefined} id @param {number} step */
  neighbour(id, step) {
    const at = this.position.get(id ?? '');
    if (at !== undefined) return this.list[at + step]?.id ?? null;
    const all = this.app.pictures;
    for (let i = (this.app.index.get(id ?? '') ?? -1) + step; i >= 0 && i < all.length; i += step) {
      if (this.position.has(all[i].id) || !this.list.length) return all[i].id;
    }
    return null;
  }

  /** @param {string} id */
  show(id) {
    this.current = id;
    const at = this.position.get(id);
    if (at !== undefined) {
      const {scrollTop, clientHeight} = this.scroller;
      if (at * ROW < scrollTop) this.scroller.scrollTop = Math.max(0, at * ROW - ROW);
      else if ((at + 1) * ROW > scrollTop + clientHeight) this.scroller.scrollTop = (at + 2) * ROW - clientHeight;
    }
    this.draw(true);
  }

  /** Makes the rows in sight; `anew` also brings those that are there up to date. */
  draw(anew = false) {
    const {scrollTop, clientHeight} = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const last = Math.min(this.list.length - 1, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    const wanted = new Set(this.list.slice(first, last + 1).map((p) => p.id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    for (let i = first; i <= last; i += 1) {
      const picture = this.list[i];
      const there = this.rows.get(picture.id);
      const row = there ?? this.makeRow(picture);
      row.element.style.transform = `translateY(${i * ROW}px)`;
      if (!there || anew) this.update(row, picture);
    }
  }

  /** @param {Picture} picture @returns {Row} */
  makeRow(picture) {
    const {app} = this;
    const thumb = h('span.thumb');
    const cut = picture.file.lastIndexOf('/') + 1; // pictures of many folders may share their names
    const name = h('span.rail-name', cut ? h('span.rail-folder.ellipsis', picture.file.slice(0, cut)) : null,
      h('span.ellipsis', picture.file.slice(cut)));
    const progress = h('span.rail-progress.number');
    const error = h('span.rail-error.number');
    const element = h('a.rail-row', {href: app.href('label', picture.id), title: picture.file,
      dataset: {id: picture.id}, testid: 'rail-item'}, thumb,
      h('span.rail-text', name, h('span.rail-below', progress, error)));
    if (picture.unreadable) thumb.append(icon('warning'));
    // rows that only rush by ask for nothing
    else setTimeout(() => element.isConnected && this.fillThumb(thumb, picture.id), 40);
    const row = {element, progress, error};
    this.rows.set(picture.id, row);
    this.inner.append(element);
    return row;
  }

  /** @param {HTMLElement} thumb @param {string} id */
  fillThumb(thumb, id) {
    loadSmall(this.app.api.image(id, 128)).then(
      (image) => thumb.append(h('img', {src: image.src, alt: '', draggable: false})),
      () => thumb.append(icon('warning')),
    );
  }

  /** @param {Row} row @param {Picture} picture */
  update({element, progress, error}, picture) {
    const state = stateOf(picture);
    element.dataset.state = state;
    element.tabIndex = picture.id === this.current ? 0 : -1;
    markCurrent(element, picture.id === this.current);
    const all = this.app.landmarks().landmarks.length;
    const words =
      {todo: 'To do', unreadable: 'Unreadable', begun: `${picture.labelled} of ${all}`, complete: 'Complete'}[state];
    renew(progress, words, () => [
      state === 'complete' ? icon('accept', 12) : null,
      state === 'begun' ? h('span.pie', {style: {'--share': String(picture.labelled / Math.max(1, all))}}) : null,
      words,
    ]);
    text(error, picture.expected === null || state === 'complete' ? '' : `±${percent(picture.expected)}`);
    error.title = 'Mean expected error of the suggestions, as a share of the longer side';
  }
}
