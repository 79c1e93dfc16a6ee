/** The landmarks: their names, colours, order, lines and left/right pairs; or all of that from a label file. */

import {count, fill, find, h, icon, iconButton, kbd, lookUp, refill, slug, spinner, svg} from './dom.js';
import {View} from './geometry.js';
import {LabelFile} from './labelfile.js';
import {PALETTE, segmented} from './parts.js';
import {added, distinct, lineToggled, LONGEST, moved, namesIn, pairToggled, recoloured, removed, renamed, schemaEdits,
  suggestedPairs} from './schema.js';
import {extentOf, middleOf, placesOf} from './specimens.js';

/**
 * @import {Landmark, PictureDetail, PictureLabels} from 'types/messages'
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
        h('div.card.l-card', this.list, h('div.l-entry', icon('plus'), this.entry), this.hint), this.mode, this.start,
        file.element), this.drawing.element);
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
    fill(this.list, schema.landmarks.map((landmark, i) => this.row(schema, landmark, i)));
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

  /** @param {Schema} schema @param {Landmark} landmark @param {number} i @returns {HTMLElement} */
  row(schema, {name, colour}, i) {
    const partner = schema.flip_pairs.find((pair) => pair.includes(name))?.find((other) => other !== name);
    const alone = schema.landmarks.length < 2;
    const field = h('input', {type: 'text', value: name, maxLength: LONGEST, testid: `name-${slug(name)}`,
      'data-focus': `name ${name}`, 'aria-label': `Name of landmark ${i + 1}`, autocomplete: 'off',
      onfocus: () => this.drawing.point(name), onblur: () => this.drawing.point(null),
      onchange: () => this.rename(field, name), onkeydown: (event) => this.typed(event, field, name, i)});
    const row = h('li.l-row', {testid: `landmark-${slug(name)}`, 'data-name': name,
      onpointerenter: () => this.drawing.point(name), onpointerleave: () => this.drawing.point(null),
      onkeydown: (event) => {
        if (!event.altKey || (event.key !== 'ArrowUp' && event.key !== 'ArrowDown')) return;
        event.preventDefault();
        this.move(name, i + (event.key === 'ArrowUp' ? -1 : 1));
      }},
      h('span.l-handle', {title: 'Drag to reorder', testid: `drag-${slug(name)}`, 'aria-hidden': 'true',
        onpointerdown: (event) => this.drag(event, row, name)}, icon('drag')),
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
        testid: `remove-${slug(name)}`, 'data-focus': `remove ${name}`, onclick: () => this.remove(name, i)}));
    return row;
  }

  /** @param {KeyboardEvent} event @param {HTMLInputElement} field @param {string} name @param {number} i */
  typed(event, field, name, i) {
    if (event.key === 'Escape') {
      field.value = name;
      field.removeAttribute('aria-invalid');
      this.say(null);
    }
    if (event.key !== 'Enter' || event.isComposing) return;
    event.preventDefault();
    if (this.rename(field, name)) this.goTo(i + 1, 'input[type=text]');
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

  /** @param {string} name @param {number} i */
  remove(name, i) {
    this.edits.edit(`remove ${name}`, (schema) => removed(schema, name));
    this.goTo(Math.min(i, this.list.children.length - 1), '[data-focus^="remove"]');
  }

  /** @param {string} name @param {number} to */
  move(name, to) {
    if (to < 0 || to >= this.edits.shown().landmarks.length) return;
    this.edits.edit(`move ${name}`,
      (schema) => (schema.landmarks.some((l) => l.name === name) ? moved(schema, name, to) : null));
  }

  /** @param {PointerEvent} event @param {HTMLElement} row @param {string} name */
  drag(event, row, name) {
    if (event.button !== 0) return;
    event.preventDefault();
    row.classList.add('dragged');
    this.dragging = true;
    const move = (/** @type {PointerEvent} */ {clientY}) => {
      const others = [...this.list.children].filter((other) => other !== row);
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
      this.move(name, [...this.list.children].indexOf(row));
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
    const laid = this.shown
      && layOut(names, this.shown, points, this.app.landmarks().several ? aroundOne(points) : undefined);
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
    for (const pair of schema.skeleton) line(pair, `bone${this.mode === 'pairs' ? ' faint' : ''}`);
    for (const pair of this.mode === 'pairs' ? schema.flip_pairs : []) line(pair, 'flip');
    this.rubber = svg('line', {class: this.mode === 'pairs' ? 'flip rubber' : 'bone rubber', visibility: 'hidden'});
    root.append(this.rubber);
    /** @type {Taken[]} */
    const taken = [...places.values()].map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
    for (const {name, colour} of schema.landmarks) {
      const [x, y] = places.get(name) ?? [0, 0];
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
      this.edits.edit('lines in order', (s) =>
        s.landmarks.slice(1).reduce((now, l, i) => lineToggled(now, s.landmarks[i].name, l.name), s));
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
      list.map(([a, b]) =>
        h('span.l-join', {testid: `join-${slug(a)}-${slug(b)}`}, swatch(schema, a), a,
          h('span.muted', pairs ? '⇄' : '—'), swatch(schema, b), b,
          h('button.plain', {'aria-label': `${pairs ? 'Part' : 'Remove the line between'} ${a} and ${b}`,
            testid: `unjoin-${slug(a)}-${slug(b)}`, onclick: () =>
              this.edits.edit(`${pairs ? 'pair' : 'line'} ${a} – ${b}`, (s) =>
                (pairs ? pairToggled : lineToggled)(s, a, b))}, '×'))
      ));
  }
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
 *  @param {Schema} schema */
function abstractLayout(schema) {
  /** @type {Spots} */
  const places = new Map();
  const names = schema.landmarks.map((l) => l.name);
  if (!schema.flip_pairs.length) {
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
    const pair = schema.flip_pairs.find((p) => p.includes(name));
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
