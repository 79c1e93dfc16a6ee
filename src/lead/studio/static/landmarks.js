/** The landmarks: their names, colours, order, lines and left/right pairs; or all of that from a label file. */

import {CurveCard} from './curve-card.js';
import {curveOf, linesOf, ownOf, semilandmarks} from './curves.js';
import {count, fill, find, h, icon, iconButton, kbd, lookUp, refill, slug, spinner, svg} from './dom.js';
import {View} from './geometry.js';
import {LabelFile} from './labelfile.js';
import {PALETTE, segmented} from './parts.js';
import {added, distinct, lineToggled, LONGEST, moved, namesIn, pairToggled, recoloured, removed, renamed, schemaEdits,
  suggestedPairs} from './schema.js';
import {extentOf, middleOf, placesOf} from './specimens.js';

/**
 * @import {Curve, Landmark, PictureDetail, PictureLabels} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Box, Size} from './geometry.js'
 * @import {Pair, Schema, SchemaEdits} from './schema.js'
 * @typedef {[x: number, y: number]} Spot  in the drawing's own pixels
 * @typedef {Map<string, Spot>} Spots  of landmarks
 * @typedef {[left: number, top: number, right: number, bottom: number]} Taken
 */

/** @type {[choice: 'one'|'several', text: string][]} */
const KINDS = [['one', 'One specimen'], ['several', 'Several specimens']];

class LandmarksView {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    this.edits = schemaEdits(app);
    this.list = h('ol.l-list', {testid: 'landmark-list', 'aria-label': 'Landmarks in the order of labelling'});
    this.entry = h('input', {type: 'text', testid: 'landmark-entry', maxLength: LONGEST, autocomplete: 'off',
      'aria-label': 'Name of a new landmark', 'aria-describedby': 'entry-hint', onkeydown: (event) => {
        if (event.key !== 'Enter' || event.isComposing) return;
        event.preventDefault();
        this.addNames([this.entry.value.trim()].filter(Boolean));
      }, onpaste: (event) => {
        const names = namesIn(event.clipboardData?.getData('text/plain') ?? '');
        if (names.length < 2) return;
        event.preventDefault();
        this.addNames(names);
      }});
    this.saved = h('span.l-saved', {testid: 'landmarks-state', role: 'status'});
    this.hint = h('p.muted.small', {id: 'entry-hint', testid: 'entry-hint'});
    this.mode = h('div.stack.l-mode');
    /** why the pictures cannot be of the other kind @type {string|null} */
    this.refusal = null;
    this.undoButton = h('button.plain', {testid: 'landmarks-undo', onclick: () => this.edits.undo()}, icon('undo'),
      'Undo');
    this.drawing = new Drawing(app, this.edits);
    this.curves = new CurveCard(app, this.edits);
    const file = new LabelFile(app, () => this.edits.shown().landmarks.length > 0);
    this.title = h('p.muted.spacer');
    this.colours = h('button.small.plain', {testid: 'distinct-colours',
      title: 'Colours that stay apart, also for the colour-blind', onclick: () => this.edits.edit('colours', distinct)},
      'Distinct colours');
    this.start = h('div.row.l-start',
      h('button.primary', {testid: 'start-labelling', onclick: () => app.go('label', app.last)}, 'Start labelling',
        icon('arrowRight')));
    this.columns = h('div.l-columns',
      h('section.stack.l-left', {'aria-label': 'Names'},
        h('div.page-head', h('h1', 'Landmarks'), h('span.spacer'), this.saved, this.undoButton),
        h('div.row', this.title, this.colours),
        h('div.card.l-card', this.list, h('div.l-entry', icon('plus'), this.entry), this.hint, this.curves.element),
        this.mode, this.start, file.element), this.drawing.element);
    root.append(h('div.page', this.columns));
    this.dragging = false;
    /** what the focus goes on to, for what is renamed @type {Record<string, string>} */
    this.follow = {};
    this.close = this.edits.on('change', () => this.draw());
    app.keys((event) => this.key(event));
    this.draw();
    if (!this.edits.shown().landmarks.length) this.entry.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'z' && this.edits.undoable) {
      return this.edits.undo();
    }
    return this.drawing.key(event);
  }

  /** @param {string[]} names */
  addNames(names) {
    if (!names.length) return;
    const there = new Set(this.edits.shown().landmarks.map((l) => l.name));
    const fresh = names.filter((name) => !there.has(name));
    if (fresh.length) this.edits.edit(`add ${count(fresh.length, 'landmark')}`, (schema) => added(schema, fresh));
    this.say(fresh.length < names.length ? `${names.filter((n) => there.has(n)).join(', ')} is there already.` : null);
    this.entry.value = '';
    this.entry.focus();
    this.entry.scrollIntoView({block: 'nearest'});
  }

  /** @param {string|null} problem */
  say(problem) {
    this.hint.classList.toggle('bad-text', Boolean(problem));
    fill(this.hint, problem ?? [kbd('Enter'), ' adds it. A pasted list adds one landmark a line.']);
  }

  draw() {
    const schema = this.edits.shown();
    const n = schema.landmarks.length;
    fill(this.title, n
      ? `${count(n, 'landmark')}, labelled in this order. Drag, or press Alt-↑ and Alt-↓, to reorder.`
      : 'Name the places to find on every picture, in the order in which you want to click them.');
    this.entry.placeholder = n ? 'Next name' : 'First name, for example left_eye';
    if (!this.hint.textContent) this.say(null);
    this.start.hidden = !n;
    this.colours.hidden = schema.landmarks.every((l) => PALETTE.includes(l.colour));
    this.drawState();
    this.drawMode(schema);
    if (!this.dragging) this.drawRows(schema);
    this.curves.draw(schema);
    this.list.parentElement?.classList.toggle('empty-list', !n);
    this.columns.classList.toggle('alone', !n);
    this.drawing.draw(schema);
  }

  /** How many specimens a picture shows. @param {Schema} schema */
  drawMode({several, landmarks}) {
    this.mode.hidden = !landmarks.length;
    const holds = `${several}|${this.refusal}`;
    if (this.mode.dataset.holds === holds) return;
    this.mode.dataset.holds = holds;
    const choice = segmented('Each picture shows', KINDS, several ? 'several' : 'one', 'shows', (kind) => {
      this.refusal = null;
      this.edits.edit(kind === 'several' ? 'several specimens a picture' : 'one specimen a picture',
        (now) => ({...now, several: kind === 'several'}), {}, (words) => {
        this.refusal = words;
        this.mode.dataset.holds = ''; // the choice stands where it stood
        this.draw();
      });
      this.draw();
    });
    refill(this.mode, h('div.row.wrap', h('span.muted', 'Each picture shows'), choice), this.refusal
      ? h('p.notice.bad', {role: 'alert', testid: 'shows-refused'}, icon('warning'), h('span', this.refusal))
      : several
      ? h('p.muted.small', 'Each specimen is labelled by itself, and the model finds how many there are.')
      : null);
  }

  /** Makes the rows anew; the focus, and what is being typed, stay. @param {Schema} schema */
  drawRows(schema) {
    const old = this.list.contains(document.activeElement) ? document.activeElement : null;
    fill(this.list, schema.landmarks.flatMap((landmark, i) => this.rowsAt(schema, landmark, i)));
    const focus = old?.getAttribute('data-focus') ?? '';
    const follow = lookUp(this.follow, focus);
    this.follow = {};
    const again = focus && find(this.list, `[data-focus="${CSS.escape(follow ?? focus)}"]`);
    if (!again) return;
    again.focus();
    const typed = old instanceof HTMLInputElement && old.type === 'text' && !follow;
    if (typed && again instanceof HTMLInputElement) again.value = old.value;
  }

  drawState() {
    const state = this.edits.state();
    this.saved.dataset.state = state;
    const problem = () =>
      h('span.notice.bad', icon('warning'), h('span', `Not saved yet: ${this.edits.problem}`),
        h('button.small', {testid: 'landmarks-retry', onclick: () => this.edits.retry()}, 'Try again'));
    fill(this.saved, state === 'saving' ? [spinner(), h('span', 'Saving…')] : state === 'unsaved' ? problem() : null);
    this.undoButton.hidden = !this.edits.undoable;
    this.undoButton.title = this.edits.undoable ? `Undo: ${this.edits.undoable.what}  (Ctrl-Z)` : '';
  }

  /** The rows that begin with a landmark: its own; that of a curve, with the first landmark of those that are the
   *  curve's alone. @param {Schema} schema @param {Landmark} landmark @param {number} i */
  rowsAt(schema, landmark, i) {
    const curve = curveOf(schema, landmark.name);
    if (!curve) return [this.row(schema, landmark, i)];
    const own = new Set(ownOf(curve));
    const all = schema.landmarks.flatMap((each, k) => own.has(each.name) ? [{each, k}] : []);
    if (all[0].k !== i) return [];
    const members = this.curves.open.has(curve.name) ? all.map(({each, k}) => this.row(schema, each, k, true)) : [];
    return [this.curveRow(schema, curve, landmark.name, i), ...members];
  }

  /** @param {Schema} schema @param {Curve} curve @param {string} first  landmark of its own @param {number} i */
  curveRow(schema, curve, first, i) {
    const row = h('li.l-row', {testid: `curve-${slug(curve.name)}`, 'data-name': first,
      onkeydown: (event) => this.moveByKey(event, row)}, this.handle(curve.name),
      h('span.l-number.number.muted', String(i + 1)), this.curves.cells(schema, curve));
    return row;
  }

  /** @param {string} name */
  handle(name) {
    return h('span.l-handle', {title: 'Drag to reorder', testid: `drag-${slug(name)}`, 'aria-hidden': 'true',
      onpointerdown: (event) => this.drag(event)}, icon('drag'));
  }

  /** @param {Schema} schema @param {Landmark} landmark @param {number} i @param {boolean} [member]  of a curve, with
   *  which it is moved @returns {HTMLElement} */
  row(schema, {name, colour}, i, member = false) {
    const partner = schema.flip_pairs.find((pair) => pair.includes(name))?.find((other) => other !== name);
    const alone = schema.landmarks.length < 2;
    const field = h('input', {type: 'text', value: name, maxLength: LONGEST, testid: `name-${slug(name)}`,
      'data-focus': `name ${name}`, 'aria-label': `Name of landmark ${i + 1}`, autocomplete: 'off',
      onfocus: () => this.drawing.point(name), onblur: () => this.drawing.point(null),
      onchange: () => this.rename(field, name), onkeydown: (event) => this.typed(event, field, name, row)});
    const row = h('li.l-row', {class: member ? 'l-member' : '', testid: `landmark-${slug(name)}`, 'data-name': name,
      onpointerenter: () => this.drawing.point(name), onpointerleave: () => this.drawing.point(null),
      onkeydown: (event) => member || this.moveByKey(event, row)},
      member ? h('span.l-handle', {'aria-hidden': 'true'}) : this.handle(name),
      h('span.l-number.number.muted', String(i + 1)),
      h('input', {type: 'color', value: colour, testid: `colour-${slug(name)}`, 'data-focus': `colour ${name}`,
        'aria-label': `Colour of ${name}`, onchange: (event) => {
          const {value} = event.currentTarget;
          this.edits.edit(`colour of ${name}`, (s) => recoloured(s, name, value));
        }}), field, partner
      ? h('span.badge', {title: `${name} and ${partner} change places in a mirrored picture`}, '⇄',
        h('span.l-partner', ` ${partner}`))
      : null,
      iconButton('trash', alone ? 'The only landmark cannot be removed: rename it' : `Remove ${name}`, {disabled: alone,
        testid: `remove-${slug(name)}`, 'data-focus': `remove ${name}`, onclick: () => this.remove(name, row)}));
    return row;
  }

  /** @param {KeyboardEvent} event @param {HTMLInputElement} field @param {string} name
   *  @param {HTMLElement} row */
  typed(event, field, name, row) {
    if (event.key === 'Escape') {
      field.value = name;
      field.removeAttribute('aria-invalid');
      this.say(null);
    }
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    const at = this.at(row);
    if (this.rename(field, name)) this.goTo(at + 1, 'input[type=text]');
  }

  /** Puts the focus on what a selector finds in a row; after the last one, on the entry. @param {number} i
   *  @param {string} selector */
  goTo(i, selector) {
    const row = this.list.children.item(i);
    (row ? find(row, selector) : this.entry)?.focus();
  }

  /** Returns whether the name in the field is one that can be. @param {HTMLInputElement} field @param {string} name */
  rename(field, name) {
    const to = field.value.trim();
    if (to === name) return true;
    const taken = this.edits.shown().landmarks.some((l) => l.name === to);
    if (!to || taken) {
      field.setAttribute('aria-invalid', 'true');
      this.say(to
        ? `There is a landmark ${to} already. Choose another name, or press Esc.`
        : 'A landmark needs a name. Press Esc to keep the old one.');
      return false;
    }
    this.say(null);
    this.follow = {[`name ${name}`]: `name ${to}`};
    this.edits.edit(`rename ${name} to ${to}`,
      (schema) => (schema.landmarks.some((l) => l.name === name) ? renamed(schema, name, to) : null), {[name]: to});
    return true;
  }

  /** @param {HTMLElement} row */
  at(row) {
    return [...this.list.children].indexOf(row);
  }

  /** @param {string} name @param {HTMLElement} row */
  remove(name, row) {
    const i = this.at(row);
    this.edits.edit(`remove ${name}`, (schema) => removed(schema, name));
    this.goTo(Math.min(i, this.list.children.length - 1), '[data-focus^="remove"]');
  }

  /** The rows that can be moved: not those of a curve's single landmarks. */
  get units() {
    return /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll('.l-row:not(.l-member)')]);
  }

  /** @param {KeyboardEvent} event @param {HTMLElement} row */
  moveByKey(event, row) {
    const up = event.key === 'ArrowUp';
    if (!event.altKey || (!up && event.key !== 'ArrowDown')) return;
    event.preventDefault();
    const {units} = this;
    const at = units.indexOf(row);
    if (up ? at > 0 : at < units.length - 1) this.move(row, units[up ? at - 1 : at + 2]);
  }

  /** Moves a landmark, or all that are a curve's alone, before what another row stands for; to the end without one.
   *  @param {HTMLElement} row @param {HTMLElement} [next] */
  move(row, next) {
    const [name, before] = [row.dataset.name ?? '', next?.dataset.name ?? null];
    this.edits.edit(`move ${name}`, (schema) => {
      const curve = curveOf(schema, name);
      const there = (/** @type {string|null} */ each) => schema.landmarks.some((l) => l.name === each);
      if (!there(name) || (before !== null && !there(before))) return null;
      return moved(schema, curve ? ownOf(curve) : [name], before);
    });
  }

  /** @param {PointerEvent & {currentTarget: HTMLElement}} event  on the handle of a row */
  drag(event) {
    const row = event.currentTarget.closest('li');
    if (event.button !== 0 || !row) return;
    event.preventDefault();
    row.classList.add('dragged');
    this.dragging = true;
    const move = (/** @type {PointerEvent} */ {clientY}) => {
      const others = this.units.filter((other) => other !== row);
      const before = others.find((other) => {
        const box = other.getBoundingClientRect();
        return clientY < box.top + box.height / 2;
      });
      if (before !== row.nextElementSibling) this.list.insertBefore(row, before ?? null);
    };
    const gone = new AbortController();
    const end = () => {
      gone.abort();
      this.dragging = false;
      row.classList.remove('dragged');
      const {units} = this;
      this.move(row, units[units.indexOf(row) + 1]);
      this.draw();
    };
    // On the window: the row leaves the document for a moment when it moves, and would lose a capture.
    addEventListener('pointermove', move, {signal: gone.signal});
    for (const kind of ['pointerup', 'pointercancel', 'blur']) addEventListener(kind, end, {signal: gone.signal});
  }
}

// --- lines and pairs, on a picture -----------------------------------------------------------------------------------

const WIDTH = 560;
const HEIGHT = 400;
const STRIP = 36; // below the picture, for landmarks without a place on it
/** @type {[choice: 'lines'|'pairs', text: string][]} */
const MODES = [['lines', 'Skeleton lines'], ['pairs', 'Left/right pairs']];
const HELP = {
  lines: 'Lines show how landmarks hang together. Choose one landmark after another; a line that is there goes away.',
  pairs: 'Pairs change places in a mirrored picture. Choose two landmarks to pair them, or to part them again.',
};

class Drawing {
  /** @param {App} app @param {SchemaEdits} edits */
  constructor(app, edits) {
    this.app = app;
    this.edits = edits;
    /** @type {'lines'|'pairs'} */
    this.mode = 'lines';
    /** the first of two @type {string|null} */
    this.chosen = null;
    /** @type {string|null} */
    this.pointed = null;
    /** what is drawn on @type {PictureDetail|null} */
    this.shown = null;
    this.several = false;
    this.which = 0;
    this.rubber = svg('line');
    this.stage = h('div.l-stage', {testid: 'preview'});
    this.caption = h('div.row.wrap.l-caption');
    this.joined = h('div.l-joined', {testid: 'joined'});
    this.help = h('p.muted', {testid: 'preview-help', role: 'status'});
    const modes = segmented('What two landmarks become', MODES, this.mode, 'joining', (mode) => {
      this.mode = mode;
      this.chosen = null;
      this.draw();
    });
    this.actions = h('span.row');
    this.element = h('section.card.stack.l-right', {'aria-label': 'Lines and pairs', testid: 'drawing'},
      h('div.row.wrap', modes, h('span.spacer'), this.actions), this.help, this.stage, this.caption, this.joined);
    this.pick();
    app.on('pictures', () => {
      if (!this.shown) this.pick();
    });
    app.on('landmarks', () => this.pick()); // names may have changed
  }

  /** Draws on the picture with the most labels; `further` goes on to the next one. */
  async pick(further = 0) {
    const labelled = this.app.pictures.filter((p) => p.labelled && !p.unreadable)
      .sort((a, b) => b.labelled - a.labelled).slice(0, 30);
    this.several = labelled.length > 1;
    this.which = labelled.length ? (this.which + further) % labelled.length : 0;
    if (!labelled.length) return;
    try {
      this.shown = await this.app.load(labelled[this.which].id);
      this.draw();
    } catch { /* then it is drawn without a picture */ }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key !== 'Escape' || !this.chosen) return false;
    this.chosen = null;
    this.draw();
    return true;
  }

  /** @param {string|null} name */
  point(name) {
    if (this.pointed === name) return;
    this.pointed = name;
    for (const group of this.stage.querySelectorAll('g.point')) {
      group.classList.toggle('pointed', group.getAttribute('data-name') === name);
    }
  }

  draw(schema = this.edits.shown()) {
    const names = schema.landmarks.map((l) => l.name);
    if (this.chosen && !names.includes(this.chosen)) this.chosen = null;
    this.element.hidden = names.length < 1;
    if (!names.length) return;
    const points = this.shown ? this.pointsOf(this.shown) : {};
    const sliding = semilandmarks(schema);
    const laid = this.shown
      && layOut(names.filter((name) => points[name] || !sliding.has(name)), this.shown, points,
        this.app.landmarks().several ? aroundOne(points) : undefined);
    refill(this.stage, this.picture(schema, laid?.spots ?? abstractLayout(schema), laid?.view ?? null));
    this.drawWords(schema, laid ? this.shown : null);
  }

  /** What is drawn on: the labels of the picture, or of that of its specimens which has most.
   *  @param {PictureDetail} picture @returns {PictureLabels['points']} */
  pointsOf({id, labels}) {
    if (!this.app.landmarks().several) return (this.app.labels(id) ?? labels).points;
    const most = (/** @type {PictureLabels} */ {points}) => Object.keys(points).length;
    return this.app.outbox.specimens(id).sort((a, b) => most(b) - most(a))[0]?.points ?? {};
  }

  /** @param {Schema} schema @param {Spots} places
   *  @param {View|null} view  where the picture is, if it is drawn on one */
  picture(schema, places, view) {
    const root = svg('svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: `l-svg${view ? ' on-picture' : ''}`,
      role: 'group', 'aria-label': 'Landmarks to join',
      onpointermove: (/** @type {PointerEvent} */ event) => this.stretch(root, event, places)});
    if (view && this.shown) {
      const {id, width, height} = this.shown;
      root.append(
        svg('image', {href: this.app.api.image(id, 1024), x: view.left, y: view.top, width: width * view.scale,
          height: height * view.scale, preserveAspectRatio: 'none'}),
      );
    }
    const line = (/** @type {Pair} */ [a, b], /** @type {string} */ kind) => {
      const [p, q] = [places.get(a), places.get(b)];
      if (!p || !q) return;
      const ends = {x1: p[0], y1: p[1], x2: q[0], y2: q[1]};
      root.append(svg('line', {class: `under ${kind}`, ...ends}), svg('line', {class: kind, ...ends}));
    };
    for (const pair of linesOf(schema)) line(pair, `bone${this.mode === 'pairs' ? ' faint' : ''}`);
    for (const pair of this.mode === 'pairs' ? schema.flip_pairs : []) line(pair, 'flip');
    this.rubber = svg('line', {class: this.mode === 'pairs' ? 'flip rubber' : 'bone rubber', visibility: 'hidden'});
    root.append(this.rubber);
    /** @type {Taken[]} */
    const taken = [...places.values()].map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
    const sliding = semilandmarks(schema);
    for (const {name, colour} of schema.landmarks) {
      const place = places.get(name);
      if (sliding.has(name)) {
        if (place) root.append(svg('circle', {class: 'slides', cx: place[0], cy: place[1], r: 2.5, fill: colour}));
        continue;
      }
      const [x, y] = place ?? [0, 0];
      const spot = room(name, x, y, taken);
      const text = svg('text', {x: spot.x, y: spot.y, 'text-anchor': spot.anchor,
        class: spot.free ? null : 'on-demand'});
      text.textContent = name;
      const group = svg('g', {class: `point${this.chosen === name ? ' chosen' : ''}`, tabindex: 0, role: 'button',
        'data-name': name, 'data-testid': `preview-${slug(name)}`, 'aria-label': name,
        'aria-pressed': this.chosen === name, onclick: () => this.choose(name),
        onkeydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key === 'Enter' || event.key === ' ') {
            event.preventDefault();
            this.choose(name);
          }
        }}, svg('circle', {class: 'reach', cx: x, cy: y, r: 13}),
        svg('circle', {class: 'dot', cx: x, cy: y, r: 5.5, fill: colour}), text);
      root.append(group);
    }
    return root;
  }

  /** @param {SVGSVGElement} root @param {PointerEvent} event @param {Spots} places */
  stretch(root, event, places) {
    const from = places.get(this.chosen ?? '');
    if (!from) return;
    const [x1, y1] = from;
    const box = root.getBoundingClientRect();
    const at = {x1, y1, x2: ((event.clientX - box.left) * WIDTH) / box.width,
      y2: ((event.clientY - box.top) * HEIGHT) / box.height};
    for (const [key, value] of Object.entries(at)) this.rubber.setAttribute(key, String(value));
    this.rubber.setAttribute('visibility', 'visible');
  }

  /** @param {string} name */
  choose(name) {
    if (!this.chosen || this.chosen === name) {
      this.chosen = this.chosen === name ? null : name;
      this.draw();
      return;
    }
    this.join(this.chosen, name);
  }

  /** @param {string} a @param {string} b */
  join(a, b) {
    const toggle = this.mode === 'pairs' ? pairToggled : lineToggled;
    // A chain is drawn by going on from the last point; a pair is done.
    this.chosen = this.mode === 'pairs' ? null : b;
    this.edits.edit(`${this.mode === 'pairs' ? 'pair' : 'line'} ${a} – ${b}`, (schema) => {
      const names = schema.landmarks.map((l) => l.name);
      return names.includes(a) && names.includes(b) ? toggle(schema, a, b) : null;
    });
    this.draw();
  }

  /** @param {Schema} schema @param {PictureDetail|null} picture  that is drawn on */
  drawWords(schema, picture) {
    const pairs = this.mode === 'pairs';
    const list = pairs ? schema.flip_pairs : schema.skeleton;
    const suggested = suggestedPairs(schema);
    const chosen = this.chosen
      && [h('strong', this.chosen), ` – choose the landmark to ${pairs ? 'pair it with' : 'draw a line to'}. `,
        kbd('Esc'), ' lets it go.'];
    fill(this.help, chosen ?? HELP[this.mode]);
    const suggest = () =>
      this.edits.edit('pairs from the names', (s) =>
        suggestedPairs(s).reduce((now, [a, b]) => pairToggled(now, a, b), s));
    const joinAll = () =>
      this.edits.edit('lines in order', (s) => {
        const sliding = semilandmarks(s);
        const names = s.landmarks.map((l) => l.name).filter((name) => !sliding.has(name));
        return names.slice(1).reduce((now, name, i) => lineToggled(now, names[i], name), s);
      });
    const clear = () =>
      this.edits.edit(pairs ? 'no pairs' : 'no lines', (s) => ({...s, [pairs ? 'flip_pairs' : 'skeleton']: []}));
    fill(this.actions, pairs && suggested.length
      ? h('button', {testid: 'suggest-pairs', title: suggested.map((p) => p.join(' ⇄ ')).join('\n'), onclick: suggest},
        icon('sparkle'), `Pair ${count(suggested.length, 'left/right name', 'left/right names')}`)
      : null, !pairs && !schema.skeleton.length && schema.landmarks.length > 1
      ? h('button', {testid: 'join-all', onclick: joinAll}, 'Join in order')
      : null, list.length > 1
      ? h('button.plain', {testid: 'clear-joined', onclick: clear}, pairs ? 'Remove all pairs' : 'Remove all lines')
      : null);
    fill(this.caption,
      h('span.muted.ellipsis', picture?.file ?? 'As soon as a picture is labelled, this is drawn on it.'),
      h('span.spacer'), picture && this.several
      ? h('button.small', {testid: 'preview-other', onclick: () => this.pick(1)}, 'Another picture')
      : null);
    fill(this.joined,
      joinsOf(schema, list).map(({ends: [a, b], of}) =>
        h('span.l-join', {testid: `join-${slug(a)}-${slug(b)}`}, swatch(schema, of[0][0]), a,
          h('span.muted', pairs ? '⇄' : '—'), swatch(schema, of[0][1]), b,
          h('button.plain', {'aria-label': `${pairs ? 'Part' : 'Remove the line between'} ${a} and ${b}`,
            testid: `unjoin-${slug(a)}-${slug(b)}`, onclick: () =>
              this.edits.edit(`${pairs ? 'pair' : 'line'} ${a} – ${b}`, (s) =>
                of.reduce((now, [p, q]) =>
                  (pairs ? pairToggled : lineToggled)(now, p, q), s))}, '×'))
      ));
  }
}

/** Lines or pairs as they are listed: those between the landmarks of two curves as one.
 *  @param {Schema} schema @param {Pair[]} list */
function joinsOf(schema, list) {
  /** @type {Map<string, {ends: Pair, of: Pair[]}>} */
  const joins = new Map();
  for (const pair of list) {
    const [a, b] = pair.map((name) => curveOf(schema, name)?.name);
    const key = a && b ? `${a}\n${b}` : `\n${pair.join('\n')}`;
    const join = joins.get(key) ?? {ends: a && b ? /** @type {Pair} */ ([a, b]) : pair, of: []};
    join.of.push(pair);
    joins.set(key, join);
  }
  return [...joins.values()];
}

/** @param {Schema} schema @param {string} name */
const swatch = (schema, name) =>
  h('span.swatch', {style: {'--colour': schema.landmarks.find((l) => l.name === name)?.colour ?? '#888'}});

/**
 * Where landmarks are drawn on a picture: at their labels, in a strip below it without one; null if none has one.
 * @param {string[]} names
 * @param {Size} picture
 * @param {PictureLabels['points']} points
 * @param {Box} [part]  of the picture, that is shown
 */
export function layOut(names, picture, points, part = [0, 0, picture.width, picture.height]) {
  const missing = names.filter((name) => typeof points[name]?.x !== 'number');
  if (missing.length === names.length) return null;
  const view = View.of(part, {width: WIDTH, height: missing.length ? HEIGHT - STRIP : HEIGHT});
  /** @type {Spots} */
  const spots = new Map();
  for (const name of names) {
    const {x, y} = points[name] ?? {};
    if (typeof x === 'number') spots.set(name, view.place(x, y));
  }
  missing.forEach((name, i) => spots.set(name, [24 + ((WIDTH - 48) * (i + 0.5)) / missing.length, HEIGHT - 18]));
  return {spots, view};
}

/** What is shown of a picture around one of its specimens. @param {PictureLabels['points']} points
 *  @returns {Box|undefined} all of it, where none is labelled */
function aroundOne(points) {
  const places = placesOf(points);
  if (!places.length) return undefined;
  const {x, y} = middleOf(places);
  const side = Math.max(24, 1.5 * extentOf(places));
  return [x + 0.5 - side / 2, y + 0.5 - side / 2, side, side];
}

/**
 * Where a landmark's name can stand without covering another name or point; beside it, shown on demand, if nowhere.
 * @param {string} name
 * @param {number} x
 * @param {number} y
 * @param {Taken[]} taken  boxes that are in use; the name's own is added
 */
export function room(name, x, y, taken) {
  const width = 6.6 * name.length;
  /** @type {[x: number, y: number, anchor: string, left: number][]} */
  const spots = [[x + 10, y + 4, 'start', x + 10], [x - 10, y + 4, 'end', x - 10 - width], [x, y - 11, 'middle',
    x - width / 2], [x, y + 19, 'middle', x - width / 2]];
  for (const [atX, atY, anchor, left] of spots) {
    /** @type {Taken} */
    const box = [left, atY - 10, left + width, atY + 3];
    if (left < 2 || left + width > WIDTH - 2 || box[1] < 0 || box[3] > HEIGHT) continue;
    if (taken.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) continue;
    taken.push(box);
    return {x: atX, y: atY, anchor, free: true};
  }
  const right = x > WIDTH / 2;
  return {x: x + (right ? -10 : 10), y: y + 4, anchor: right ? 'end' : 'start', free: false};
}

/** Without a labelled picture: pairs face each other, the rest stands between them; with no pairs, all in a ring.
 *  Curves bend from end to end. @param {Schema} schema */
function abstractLayout(schema) {
  const sliding = semilandmarks(schema);
  const places = spread(schema, schema.landmarks.map((l) => l.name).filter((name) => !sliding.has(name)));
  for (const {points, closed} of schema.curves) {
    const [from, to] = [places.get(points[0]), places.get(points[points.length - 1])];
    points.forEach((name, i) => {
      if (!from || places.has(name)) return;
      const angle = (2 * Math.PI * i) / points.length;
      const share = i / (points.length - 1);
      if (closed || !to) places.set(name, [from[0] + 40 * Math.sin(angle), from[1] + 40 * (1 - Math.cos(angle))]);
      else {
        const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
        const bulge = 0.2 * Math.sin(Math.PI * share);
        places.set(name, [from[0] + share * dx - bulge * dy, from[1] + share * dy + bulge * dx]);
      }
    });
  }
  return places;
}

/** @param {Schema} schema @param {string[]} names  of landmarks that do not slide along a curve */
function spread(schema, names) {
  /** @type {Spots} */
  const places = new Map();
  if (!schema.flip_pairs.some(([a]) => names.includes(a))) {
    names.forEach((name, i) => {
      const angle = (2 * Math.PI * i) / names.length - Math.PI / 2;
      places.set(name, names.length === 1
        ? [WIDTH / 2, HEIGHT / 2]
        : [WIDTH / 2 + 170 * Math.cos(angle), HEIGHT / 2 + 150 * Math.sin(angle)]);
    });
    return places;
  }
  /** @type {(string|Pair)[]} */
  const rows = [];
  for (const name of names) {
    const pair = schema.flip_pairs.find((p) => p.includes(name) && p.every((each) => names.includes(each)));
    if (pair && rows.includes(pair)) continue;
    rows.push(pair ?? name);
  }
  rows.forEach((row, i) => {
    const y = 28 + ((HEIGHT - 56) * (i + 0.5)) / rows.length;
    if (typeof row === 'string') places.set(row, [WIDTH / 2, y]);
    else {
      const spread = 90 + 60 * Math.sin((Math.PI * (i + 0.5)) / rows.length);
      places.set(row[0], [WIDTH / 2 - spread, y]).set(row[1], [WIDTH / 2 + spread, y]);
    }
  });
  return places;
}

/** @param {HTMLElement} root @param {App} app */
export function mount(root, app) {
  const view = new LandmarksView(root, app);
  return () => view.close();
}
