/** The list of pictures beside the one being labelled. Only the rows in sight exist, so that it holds tens of
 *  thousands. */

import {count, fill, h, icon, markCurrent, renew, text, throttle} from './dom.js';
import {lookAgain} from './folder.js';
import {loadSmall} from './images.js';
import {passing} from './kept.js';
import {meanErrorText} from './parts.js';
import {coarseWords, filters, halves, namesToFilter, openError, picked, progressWords, SKIP, SORTS,
  stateOf} from './picking.js';

/**
 * @import {Picture} from 'types/messages'
 * @import {App} from './app.js'
 * @typedef {{place: HTMLElement, element: HTMLAnchorElement, thumb: HTMLElement, progress: HTMLElement,
 *   marks: HTMLElement, error: HTMLElement}} Row
 */

const ROW = 60; // height in CSS pixels, as in app.css
const SPARE = 6;
const NOTHING = {disputed: 'No label is disputed.', unreadable: 'All pictures can be read.',
  accepted: 'No suggestion was accepted unchecked.', uncertain: 'No picture is uncertain, as far as is known.'};

export class Rail {
  /**
   * @param {HTMLElement} place
   * @param {App} app
   */
  constructor(place, app) {
    this.app = app;
    this.filter = passing.text('lead.filter') ?? 'all';
    this.sort = passing.text('lead.sort') ?? 'order';
    this.limit = passing.value('lead.uncertain', 0);
    this.query = '';
    /** @type {string|null} */
    this.current = null;
    /** the one row that Tab leads to, if it is in the list @type {string|null} */
    this.active = null;
    /** @type {Set<string>} */
    this.disputed = new Set();
    /** pictures that pass the filter, in the order chosen @type {Picture[]} */
    this.list = [];
    /** @type {Map<string, number>} */
    this.position = new Map();
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.select = h('select', {testid: 'rail-filter', 'aria-label': 'Which pictures',
      onchange: () => this.choose(this.select.value, this.sort)});
    this.order = h('select', {testid: 'rail-sort', 'aria-label': 'In which order',
      onchange: () => this.choose(this.filter, this.order.value)},
      SORTS.map(([value, name]) => h('option', {value}, name)));
    this.over = h('input', {type: 'number', testid: 'rail-limit', min: '0', max: '100', step: '0.5',
      placeholder: 'worst fifth', title: 'In per cent of the picture’s longer side', value: this.limit || '',
      oninput: () => this.setLimit(Number(this.over.value))});
    this.overRow = h('label.row.small.muted.rail-over', 'Error from', this.over, '%');
    this.search = h('input', {type: 'search', testid: 'rail-search', placeholder: 'Search by name',
      'aria-label': 'Search pictures by name', oninput: () => {
        this.query = this.search.value.trim().toLowerCase();
        this.refilter();
      }, onkeydown: (e) => this.searched(e)});
    this.inner = h('div.rail-inner', {role: 'list'});
    this.scroller = h('div.rail-list', {testid: 'rail', tabindex: -1, onscroll: () => this.draw(),
      onkeydown: (e) => this.moved(e), onfocusin: (e) => this.entered(e)}, this.inner);
    this.progress = h('p.small.muted.number.rail-progress-line', {testid: 'rail-progress'});
    this.total = h('span.small.muted.number', {testid: 'rail-count', 'aria-live': 'polite'});
    this.films = h('a.small.muted', {testid: 'rail-films', href: app.href('film'), hidden: true});
    this.unread = h('p.small.muted', {testid: 'rail-unread', hidden: true});
    this.notes = h('p.small.muted', {testid: 'rail-notes', hidden: true});
    this.coarse = h('p.small.muted', {testid: 'rail-coarse', hidden: true});
    this.foot = h('div.rail-foot', this.films, this.unread, this.notes, this.coarse,
      h('button.plain.small', {testid: 'look-again', title: 'See whether pictures came, went or were replaced',
        onclick: () => lookAgain(app, true)}, icon('refresh', 13), 'Look again'));
    fill(place,
      h('div.rail-head', this.progress, h('div.rail-search', icon('search', 14), this.search),
        h('div.row', this.select, this.total), this.overRow, this.order), this.scroller, this.foot);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.scroller);
    const soon = throttle(() => this.refilter(), 60);
    app.on('pictures', soon);
    app.on('pictures', () => this.drawFoot());
    app.on('landmarks', soon);
    app.on('unit', () => this.draw(true));
    app.on('state', () => this.drawFoot());
    app.on('model', throttle(() => {
      if (this.asksForDisputes) this.readDisputes();
    }, 2000));
    this.choose(this.filter, this.sort);
    this.drawFoot();
  }

  destroy() {
    this.observer.disconnect();
  }

  // --- which pictures ------------------------------------------------------------------------------------------------

  /** Enter opens the first picture found, ↓ leads into the list, Escape ends the search.
   *  @param {KeyboardEvent} event */
  searched(event) {
    if (!['Enter', 'Escape', 'ArrowDown'].includes(event.key)) return;
    if (event.key === 'ArrowDown') {
      event.preventDefault();
      this.focusRow(0);
      return;
    }
    if (event.key === 'Enter' && this.list.length) this.app.go('label', this.list[0].id);
    if (event.key === 'Escape') {
      this.search.value = '';
      this.query = '';
      this.refilter();
    }
    this.search.blur();
  }

  /** @param {string} filter @param {string} sort */
  choose(filter, sort) {
    Object.assign(this, {filter, sort});
    passing.keep('lead.filter', filter);
    passing.keep('lead.sort', sort);
    if (this.asksForDisputes) this.readDisputes();
    this.refilter();
  }

  /** @param {number} limit */
  setLimit(limit) {
    this.limit = limit;
    passing.keep('lead.uncertain', limit);
    this.refilter();
  }

  get asksForDisputes() {
    return this.filter === 'disputed' || this.sort === 'disputed';
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
    const {pictures} = this.app;
    const landmarks = this.app.landmarks().landmarks.map((l) => l.name);
    this.drawChoices(filters(pictures, namesToFilter(this.app.landmarks())));
    const {filter, query, sort, disputed, limit} = this;
    this.list = picked(pictures, {filter, query, sort}, {landmarks, disputed, limit});
    this.position = new Map(this.list.map((p, i) => [p.id, i]));
    this.inner.style.height = `${this.list.length * ROW}px`;
    const all = pictures.length;
    text(this.total, this.list.length === all
      ? count(all, 'picture')
      : `${this.list.length.toLocaleString('en')} of ${all.toLocaleString('en')}`);
    text(this.progress, progressWords(pictures));
    this.inner.dataset.empty = this.list.length
      ? ''
      : (!query && Object.entries(NOTHING).find(([kind]) => kind === filter)?.[1]) || 'No picture passes.';
    this.draw(true);
  }

  /** @param {ReturnType<typeof filters>} groups */
  drawChoices(groups) {
    const values = groups.flatMap(([, options]) => options.map(([value]) => value));
    if (!values.includes(this.filter)) this.filter = 'all'; // it was of a tag or a landmark that is gone
    if (!SORTS.some(([value]) => value === this.sort)) this.sort = 'order';
    renew(this.select, JSON.stringify(groups),
      () =>
        groups.filter(([, options]) => options.length).map(([group, options]) => {
          const made = options.map(([value, name]) => h('option', {value}, name));
          return group ? h('optgroup', {label: group}, made) : made;
        }));
    this.select.value = this.filter;
    this.order.value = this.sort;
    this.overRow.hidden = this.filter !== 'uncertain';
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

  // --- keys ----------------------------------------------------------------------------------------------------------

  /** The list is one stop of Tab; within it arrows lead from row to row, and Enter opens one.
   *  @param {KeyboardEvent} event */
  moved(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.list.length) return;
    const at = this.position.get(this.active ?? '') ?? 0;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 1);
    const last = this.list.length - 1;
    /** @type {Record<string, number>} */
    const steps = {ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last};
    if (event.key in steps) this.focusRow(Math.min(last, Math.max(0, steps[event.key])));
    else if (event.key === 'Enter' && this.active) {
      this.app.go('label', this.active);
      window.studio.canvas?.element.focus({preventScroll: true}); // what is opened is what is worked on
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} at  place in the list */
  focusRow(at) {
    const picture = this.list[at];
    if (!picture) return;
    this.active = picture.id;
    this.bringIntoSight(at);
    this.draw(true);
    this.rows.get(picture.id)?.element.focus({preventScroll: true});
  }

  /** @param {FocusEvent} event */
  entered({target}) {
    const id = target instanceof HTMLElement ? target.dataset.id : null;
    if (!id || id === this.active) return;
    this.active = id;
    this.draw(true);
  }

  // --- rows ----------------------------------------------------------------------------------------------------------

  /** @param {string} id */
  show(id) {
    this.current = id;
    this.active = id;
    const at = this.position.get(id);
    if (at !== undefined) this.bringIntoSight(at);
    this.draw(true);
  }

  /** @param {number} at */
  bringIntoSight(at) {
    const {scrollTop, clientHeight} = this.scroller;
    if (at * ROW < scrollTop) this.scroller.scrollTop = Math.max(0, at * ROW - ROW);
    else if ((at + 1) * ROW > scrollTop + clientHeight) this.scroller.scrollTop = (at + 2) * ROW - clientHeight;
  }

  /** Makes the rows in sight, and the one that Tab leads to; `anew` also brings those that are there up to date. */
  draw(anew = false) {
    const {scrollTop, clientHeight} = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const last = Math.min(this.list.length - 1, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    const stop = this.position.get(this.active ?? '') ?? 0;
    const places = new Set([...Array.from({length: Math.max(0, last - first + 1)}, (_, i) => first + i), stop]);
    const wanted = new Map([...places].flatMap((at) => this.list[at] ? [[this.list[at].id, at]] : []));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.place.remove();
      this.rows.delete(id);
    }
    for (const [id, at] of wanted) {
      const picture = this.list[at];
      const there = this.rows.get(id);
      const row = there ?? this.makeRow(picture);
      row.place.style.transform = `translateY(${at * ROW}px)`;
      row.element.tabIndex = at === stop ? 0 : -1;
      if (!there || anew) this.update(row, picture, at);
    }
  }

  /** @param {Picture} picture @returns {Row} */
  makeRow(picture) {
    const cut = picture.file.lastIndexOf('/') + 1; // pictures of many folders may share their names
    const name = h('span.rail-name', cut ? h('span.rail-folder.ellipsis', picture.file.slice(0, cut)) : null,
      nameParts(picture.file.slice(cut)));
    const parts = {thumb: h('span.thumb'), progress: h('span.rail-progress.number'), marks: h('span.rail-marks'),
      error: h('span.rail-error.number')};
    const element = h('a.rail-row', {href: this.app.href('label', picture.id), dataset: {id: picture.id},
      testid: 'rail-item'}, parts.thumb,
      h('span.rail-text', name, h('span.rail-below', parts.progress, parts.marks, parts.error)));
    const row = {place: h('div.rail-place', {role: 'listitem'}, element), element, ...parts};
    this.rows.set(picture.id, row);
    this.inner.append(row.place);
    return row;
  }

  /** Asks for the small image, unless the row only rushes by. @param {HTMLElement} thumb @param {string} id */
  fillThumb(thumb, id) {
    setTimeout(() => {
      if (!thumb.isConnected) return;
      loadSmall(this.app.api.image(id, 128)).then(
        (image) => fill(thumb, h('img', {src: image.src, alt: '', draggable: false})),
        () => fill(thumb, icon('warning')),
      );
    }, 40);
  }

  /** @param {Row} row @param {Picture} picture @param {number} at */
  update({place, element, thumb, progress, marks, error}, picture, at) {
    const state = stateOf(picture);
    element.dataset.state = state;
    element.title = picture.unreadable
      ? `${picture.file}\nCannot be read: ${picture.unreadable}`
      : picture.coarse
      ? `${picture.file}\nNot looked at closely: ${picture.coarse}`
      : picture.file;
    markCurrent(element, picture.id === this.current);
    place.setAttribute('aria-posinset', String(at + 1));
    place.setAttribute('aria-setsize', String(this.list.length));
    renew(thumb, `${picture.stamp}${picture.unreadable ?? ''}`, () => {
      if (picture.unreadable) return icon('warning');
      this.fillThumb(thumb, picture.id);
      return null;
    });
    const all = this.app.landmarks().landmarks.length;
    const {several} = this.app.landmarks();
    const found = count(picture.specimens, 'specimen');
    const words =
      {todo: 'To do', unreadable: 'Unreadable', skipped: 'Skipped',
        begun: several ? found : `${picture.labelled} of ${all}`,
        complete: picture.accepted ? `${picture.accepted} unchecked` : several ? found : 'Complete'}[state];
    progress.classList.toggle('unchecked', state === 'complete' && picture.accepted > 0);
    renew(progress, words + state, () => [
      state === 'complete' ? icon('accept', 12) : state === 'skipped' ? icon('skip', 12) : null,
      state === 'begun' && !several
        ? h('span.pie', {style: {'--share': String(picture.labelled / Math.max(1, all))}})
        : null,
      several && state === 'complete' ? h('span.visually-hidden', 'Complete, ') : null,
      words,
    ]);
    const tags = picture.tags.filter((tag) => tag !== SKIP);
    renew(marks, JSON.stringify([tags, picture.noted, picture.coarse]), () => [
      picture.coarse ? mark('warning', `Not looked at closely: ${picture.coarse}`) : null,
      tags.length ? mark('tag', `Tags: ${tags.join(', ')}`) : null,
      picture.noted ? mark('note', 'Has a note') : null,
    ]);
    const expected = openError(picture);
    text(error, expected === null ? '' : `±${meanErrorText(this.app, picture.expected_px, expected)}`);
    error.title = 'Mean expected error of the suggestions';
  }

  /** What the folder holds that is not shown. */
  drawFoot() {
    const {films, unread, notes} = this.app.state;
    this.films.hidden = !films.length;
    if (films.length) text(this.films, filmWords(films));
    this.films.title = films.join('\n');
    this.unread.hidden = !unread;
    text(this.unread, unread ? `Left out: ${unread}` : '');
    this.unread.title = unread.replaceAll('; ', '\n');
    this.notes.hidden = !notes.length;
    text(this.notes, notes.join(' '));
    const coarse = this.app.pictures.filter((p) => p.coarse && !p.unreadable);
    this.coarse.hidden = !coarse.length;
    text(this.coarse, coarse.length ? coarseWords(coarse) : '');
    this.coarse.title = coarse.map((p) => `${p.file}: ${p.coarse}`).join('\n');
  }
}

/** @param {'tag'|'note'|'warning'} name @param {string} label */
const mark = (name, label) =>
  h('span.rail-mark', {title: label, testid: `rail-${name}`}, icon(name, 12), h('span.visually-hidden', label));

/** @param {string[]} films */
export function filmWords(films) {
  const more = films.length > 1 ? ` and ${(films.length - 1).toLocaleString('en')} more` : '';
  return `Take frames from ${count(films.length, 'film')}: ${films[0]}${more}`;
}

/** A name that is cut in the middle where there is no room for it. @param {string} name */
export function nameParts(name) {
  const [head, tail] = halves(name);
  return h('span.name-parts', h('span.ellipsis', head), tail ? h('span', tail) : null);
}
