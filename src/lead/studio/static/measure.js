/** Scales and measures: a line of known length drawn over a picture, and measures made by clicking its landmarks. */

import {wordsOf} from './api.js';
import {count, emptyState, fill, h, iconButton, refill, svg, text} from './dom.js';

/**
 * @import {Route} from 'types/app'
 * @import {MeasuredValue, Measurements, PictureDetail} from 'types/messages'
 * @import {App} from './app.js'
 * @typedef {[number, number]} Place  in pixels of the picture
 */

const GRAB = 12; // CSS pixels around an end of the line, from which it is moved
const UNITS = ['mm', 'cm', 'm', 'um', 'in'];
/** @type {Record<string, string>} */
const TITLES = {distance: 'Distance', path: 'Path', angle: 'Angle', axis: 'Direction', area: 'Area',
  from_line: 'Distance from a line', ratio: 'Ratio of two measures'};

/** @param {HTMLElement} root @param {App} app @param {Route} route */
export function mount(root, app, route) {
  const view = new MeasureView(root, app);
  view.show(route.id);
  return {update: (/** @type {Route} */ next) => view.show(next.id)};
}

/** A value with its standard error, as it is shown. @param {MeasuredValue} measured */
export function valueWords({value, error, unit, note}) {
  if (value === null) return note || '–';
  const number = `${Number(value.toPrecision(5))}${error === null ? '' : ` ± ${Number(error.toPrecision(2))}`}`;
  const words = unit === '°' ? `${number}°` : unit ? `${number} ${unit}` : number;
  return note ? `${words} (${note})` : words;
}

class MeasureView {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    /** @type {PictureDetail|null} */
    this.picture = null;
    /** @type {Measurements|null} */
    this.known = null;
    /** the ends of the line, if one is drawn @type {[Place, Place]|null} */
    this.line = null;
    /** which end is being moved @type {number|null} */
    this.moving = null;
    /** landmarks, or measures of a ratio, in the order in which they were clicked @type {string[]} */
    this.of = [];
    this.select = h('select', {testid: 'measure-picture', 'aria-label': 'Picture',
      onchange: () => app.go('measure', this.select.value)});
    this.scaleFacts = h('span.muted', {testid: 'measure-scale'});
    this.stage = h('div.x-extent', {testid: 'measure-stage'});
    this.drawn = svg('line', {class: 'box', visibility: 'hidden', 'data-testid': 'measure-line'});
    this.doubts = h('div');
    this.wrong = h('p.notice', {testid: 'measure-wrong', role: 'alert', hidden: true});
    this.body = h('div.m-body', this.stage,
      h('div.stack', this.wrong, this.doubts, this.scaleCard(), this.measureCard()));
    this.none = h('div', {hidden: true});
    root.append(
      h('div.page',
        h('div.column.m-column', h('div.page-head', h('h1', 'Measure'), this.select, this.scaleFacts), this.body,
          this.none)),
    );
    app.on('pictures', () => this.list());
    app.on('labels', ({id}) => {
      if (this.picture && id.startsWith(this.picture.id)) this.show(this.picture.id);
    });
    this.list();
  }

  scaleCard() {
    this.lineFacts = h('p.muted', {testid: 'line-facts'});
    this.length = h('input.small', {type: 'number', testid: 'line-length', min: '0', step: 'any',
      'aria-label': 'Length of the line'});
    this.unit = h('select', {testid: 'line-unit', 'aria-label': 'Unit'}, UNITS.map((unit) => h('option', unit)));
    this.whose = h('select', {testid: 'line-for', 'aria-label': 'For which pictures',
      onchange: () => this.drawChosen()}, h('option', {value: 'this'}, 'this picture'),
      h('option', {value: 'chosen'}, 'pictures that I choose'), h('option', {value: 'all'}, 'all pictures'));
    this.chosen = h('select', {multiple: true, size: 8, testid: 'line-chosen', 'aria-label': 'Pictures', hidden: true});
    this.replace = h('input', {type: 'checkbox', testid: 'line-replace'});
    return h('section.card.stack', {'aria-label': 'Scale'}, h('h2', 'Scale'),
      h('p.muted',
        'Draw a line over the picture, from one mark of the ruler to another far from it, and say how long it '
          + 'is. Its ends can be moved.'), this.lineFacts,
      h('div.row.m-line', h('label.row', 'It is', this.length), this.unit, h('label.row', 'long, for', this.whose)),
      this.chosen, h('label.row', this.replace, 'also where another scale is known'),
      h('div.row', h('button.primary', {testid: 'line-apply', onclick: () => this.apply()}, 'Set the scale')));
  }

  measureCard() {
    this.kind = h('select', {testid: 'measure-kind', 'aria-label': 'Kind of measure', onchange: () => this.begin()});
    this.name = h('input', {type: 'text', testid: 'measure-name', maxLength: 100, 'aria-label': 'Name of the measure'});
    this.ofWords = h('p', {testid: 'measure-of', role: 'status'});
    this.choices = h('div.row.wrap', {testid: 'measure-choices', role: 'group', 'aria-label': 'Landmarks'});
    this.table = h('table', {testid: 'measure-values'});
    return h('section.card.stack', {'aria-label': 'Measures'}, h('h2', 'Measures'), this.table,
      h('div.row.wrap', h('label.row', 'New:', this.kind), h('label.row', 'called', this.name)),
      h('p.muted', 'Click its landmarks in their order, in the picture or here.'), this.choices, this.ofWords,
      h('div.row.wrap', h('button.primary', {testid: 'measure-add', onclick: () => this.add()}, 'Add the measure'),
        h('button', {testid: 'measure-again', onclick: () => this.begin()}, 'Choose anew'), h('span.spacer'),
        h('a', {href: this.app.api.url('/export/measurements'), download: '', testid: 'measure-export'},
          'Export measurements')));
  }

  list() {
    const readable = this.app.pictures.filter((picture) => !picture.unreadable);
    for (const select of [this.select, this.chosen]) {
      const held = new Set([...select?.selectedOptions ?? []].map((option) => option.value));
      if (select) {
        fill(select, readable.map((one) => h('option', {value: one.id, selected: held.has(one.id)}, one.file)));
      }
    }
    if (this.picture) this.select.value = this.picture.id;
  }

  /** @param {string|null} id */
  async show(id) {
    const {app} = this;
    const wanted = app.picture(id ?? '')?.id ?? app.pictures.find((picture) => !picture.unreadable)?.id;
    try {
      if (!wanted) throw new Error('There are no pictures in this folder.');
      const [picture, known] = await Promise.all([
        app.api.get(`/pictures/${wanted}`),
        app.api.get(`/pictures/${wanted}/measurements`),
      ]);
      const another = this.picture?.id !== picture.id;
      this.picture = picture;
      this.select.value = picture.id;
      app.last = picture.id;
      if (another) this.line = null;
      this.none.hidden = true;
      this.body.hidden = false;
      this.take(known);
      if (another) this.begin();
    } catch (error) {
      this.body.hidden = true;
      this.none.hidden = false;
      fill(this.none, emptyState('This cannot be measured', wordsOf(error)));
    }
  }

  /** @param {Measurements} known */
  take(known) {
    this.known = known;
    const {scale, scaled, doubts, measures, kinds, values} = known;
    const here = scale
      ? `${Number(scale.mm.toPrecision(5))} mm a pixel: ${scale.source}`
      : 'No scale: lengths in pixels';
    text(this.scaleFacts, `${here} · ${scaled} of ${count(this.app.pictures.length, 'picture')} with a scale`);
    fill(this.doubts, doubts.map((doubt) => h('p.notice', {testid: 'measure-doubt'}, doubt)));
    if (this.kind && !this.kind.options.length) {
      fill(this.kind, kinds.map(({kind}) => h('option', {value: kind}, TITLES[kind] ?? kind)));
    }
    const several = new Set(values.map(({specimen}) => specimen)).size > 1;
    if (this.table) {
      refill(this.table, h('tbody', measures.map(({name, kind, of}) =>
        h('tr', h('th', {scope: 'row'}, name), h('td.muted', `${TITLES[kind] ?? kind}: ${of.join(', ')}`),
          h('td.number', {testid: `value-${name}`}, values.filter((value) =>
            value.name === name
          ).map((value) =>
            h('div', `${several ? `#${value.specimen}: ` : ''}${valueWords(value)}`)
          )), h('td', iconButton('trash', `Take out ${name}`, {testid: `remove-${name}`, onclick: () =>
            this.remove(name)})))
      )));
    }
    this.draw();
  }

  // --- the picture ---------------------------------------------------------------------------------------------------

  draw() {
    const {picture} = this;
    if (!picture) return;
    const {id, file, width, height} = picture;
    const radius = Math.max(width, height) / 160;
    const labels = picture.specimens.length ? picture.specimens : [picture.labels];
    const points = labels.flatMap((each) => Object.entries(each.points)).flatMap(([name, point]) =>
      point.state === 'absent'
        ? []
        : [
          svg('circle', {cx: point.x + 0.5, cy: point.y + 0.5, r: radius, fill: this.app.colour(name),
            stroke: this.of.includes(name) ? '#ffffff' : 'none', 'stroke-width': radius / 2,
            'data-testid': `point-${name}`, onpointerdown: (/** @type {PointerEvent} */ event) => {
              if (event.button !== 0 || this.kind?.value === 'ratio') return;
              event.stopPropagation();
              event.preventDefault();
              this.click(name);
            }}, svg('title', {}, name)),
        ]
    );
    const root = svg('svg', {viewBox: `0 0 ${width} ${height}`, 'aria-label': `Picture ${file}`, role: 'img',
      onpointerdown: (/** @type {PointerEvent} */ event) => this.press(root, event),
      onpointermove: (/** @type {PointerEvent} */ event) => this.move(root, event),
      onpointerup: () => this.moving = null, onpointercancel: () => this.moving = null},
      svg('image', {href: this.app.api.image(id, 2048), width, height, preserveAspectRatio: 'none'}), this.drawn,
      ...points);
    root.style.aspectRatio = `${width} / ${height}`;
    fill(this.stage, root);
    this.drawLine();
    this.drawOf();
  }

  /** Where in the picture the pointer is. @param {SVGSVGElement} root @param {PointerEvent} event @returns {Place} */
  at(root, {clientX, clientY}) {
    const box = root.getBoundingClientRect();
    const {width = 1, height = 1} = this.picture ?? {};
    return [(clientX - box.left) / box.width * width, (clientY - box.top) / box.height * height];
  }

  /** @param {SVGSVGElement} root @param {PointerEvent} event */
  press(root, event) {
    if (event.button !== 0 || !this.picture) return;
    event.preventDefault();
    root.setPointerCapture(event.pointerId);
    const at = this.at(root, event);
    const reach = GRAB * this.picture.width / root.getBoundingClientRect().width;
    const near = this.line?.findIndex((end) => Math.hypot(end[0] - at[0], end[1] - at[1]) < reach) ?? -1;
    if (near < 0) this.line = [at, at];
    this.moving = near < 0 ? 1 : near;
    this.drawLine();
  }

  /** @param {SVGSVGElement} root @param {PointerEvent} event */
  move(root, event) {
    if (this.moving === null || !this.line) return;
    this.line[this.moving] = this.at(root, event);
    this.drawLine();
  }

  drawLine() {
    const {line} = this;
    this.drawn.setAttribute('visibility', line ? 'visible' : 'hidden');
    const [[x1, y1], [x2, y2]] = line ?? [[0, 0], [0, 0]];
    for (const [name, value] of Object.entries({x1, y1, x2, y2})) this.drawn.setAttribute(name, String(value));
    if (this.lineFacts) {
      text(this.lineFacts,
        line ? `The line is ${Math.hypot(x2 - x1, y2 - y1).toFixed(1)} pixels long.` : 'No line yet.');
    }
  }

  // --- the scale -----------------------------------------------------------------------------------------------------

  drawChosen() {
    if (this.chosen && this.whose) this.chosen.hidden = this.whose.value !== 'chosen';
  }

  async apply() {
    const {picture, line} = this;
    if (!picture || !line) return this.fail(new Error('Draw a line over the picture first.'));
    const [[x1, y1], [x2, y2]] = line;
    const own = this.whose?.value === 'this' ? [picture.id] : null;
    const pictures = this.whose?.value === 'chosen'
      ? [...this.chosen?.selectedOptions ?? []].map((option) => option.value)
      : own;
    if (pictures && !pictures.length) return this.fail(new Error('Choose the pictures that are to have this scale.'));
    await this.ask(() =>
      this.app.api.post(`/pictures/${picture.id}/scale`, {x1, y1, x2, y2, length: Number(this.length?.value),
        unit: this.unit?.value ?? 'mm', pictures, replace: Boolean(this.replace?.checked)})
    );
  }

  // --- measures ------------------------------------------------------------------------------------------------------

  begin() {
    this.of = [];
    this.draw();
  }

  /** @param {string} name */
  click(name) {
    const most = this.known?.kinds.find(({kind}) => kind === this.kind?.value)?.most;
    if (most && this.of.length >= most) return;
    this.of.push(name);
    this.draw();
  }

  drawOf() {
    const {known} = this;
    const ratio = this.kind?.value === 'ratio';
    const names = ratio
      ? known?.measures.map(({name}) => name) ?? []
      : this.app.landmarks().landmarks.map(({name}) => name);
    const says = known?.kinds.find(({kind}) => kind === this.kind?.value)?.says ?? '';
    const order = says.replaceAll(/[[\]]/g, ''); // the file's brackets say nothing to who clicks
    if (this.choices) {
      refill(this.choices, names.map((name) =>
        h('button.small', {testid: `of-${name}`, onclick: () => this.click(name)}, name)
      ));
    }
    if (this.ofWords) text(this.ofWords, `${this.of.join(', ') || 'Nothing chosen yet'} – it takes ${order}`);
  }

  async add() {
    const {picture, of} = this;
    const name = this.name?.value.trim() ?? '';
    if (!picture) return;
    if (!name) return this.fail(new Error('Give the measure a name.'));
    if (await this.ask(() =>
      this.app.api.post(`/pictures/${picture.id}/measures`, {name, kind: this.kind?.value ?? '', of})
    )) {
      if (this.name) this.name.value = '';
      this.begin();
    }
  }

  /** @param {string} name */
  async remove(name) {
    const id = this.picture?.id;
    if (id) await this.ask(() => this.app.api.post(`/pictures/${id}/measures/remove`, {name}));
  }

  /** Sends something, and shows what is known then. @param {() => Promise<Measurements>} send */
  async ask(send) {
    try {
      this.take(await send());
      this.wrong.hidden = true;
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /** @param {unknown} error */
  fail(error) {
    text(this.wrong, wordsOf(error));
    this.wrong.hidden = false;
  }
}
