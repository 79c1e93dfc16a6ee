/** Curves in the list of landmarks: how one is added, and its row, which stands for all its own landmarks. */

import {curveAdded, curveDivided, curveRecoloured, curveRemoved, curveRenamed, LONGEST_NAME, MOST, namesFor, whyNot,
  wishOf} from './curve-edits.js';
import {curveOf, FEWEST, ownOf} from './curves.js';
import {count, fill, h, icon, iconButton, slug} from './dom.js';
import {segmented} from './parts.js';

/**
 * @import {Curve} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Wish} from './curve-edits.js'
 * @import {Schema, SchemaEdits} from './schema.js'
 */

const USUAL = 20; // points
/** @type {[choice: 'open'|'closed', text: string][]} */
const KINDS = [['open', 'Open'], ['closed', 'Closed']];
const HELP = 'A line of the thing, such as an outline: it is drawn with as many clicks as you like, and points come to '
  + 'stand evenly spaced along it.';

export class CurveCard {
  /** @param {App} app @param {SchemaEdits} edits */
  constructor(app, edits) {
    this.app = app;
    this.edits = edits;
    /** names of those whose landmarks are listed one by one @type {Set<string>} */
    this.open = new Set();
    this.closed = false;
    this.name = h('input', {type: 'text', testid: 'curve-name', maxLength: LONGEST_NAME, autocomplete: 'off',
      placeholder: 'For example outline', onkeydown: (event) => {
        if (event.key !== 'Enter' || event.isComposing) return;
        event.preventDefault();
        this.add();
      }});
    this.count = h('input', {type: 'number', testid: 'curve-count', min: String(FEWEST), max: String(MOST),
      value: String(USUAL)});
    this.from = h('select', {testid: 'curve-from'});
    this.to = h('select', {testid: 'curve-to'});
    this.toField = h('label.field', 'Ends at', this.to);
    const kind = segmented('Kind of curve', KINDS, 'open', 'curve-kind', (chosen) => {
      this.closed = chosen === 'closed';
      this.toField.hidden = this.closed;
    });
    this.form = h('div.stack', {hidden: true, onkeydown: (event) => {
      if (event.key === 'Escape') this.show(false);
    }}, h('p.muted.small', HELP),
      h('div.l-curve', h('label.field', 'Name', this.name), h('label.field', 'Points', this.count),
        h('label.field', 'Begins at', this.from), this.toField),
      h('div.row.wrap', kind, h('span.spacer'),
        h('button', {testid: 'curve-cancel', onclick: () => this.show(false)}, 'Cancel'),
        h('button.primary', {testid: 'curve-add', onclick: () => this.add()}, 'Add the curve')));
    this.opener = h('button.plain', {testid: 'curve-new', 'aria-expanded': 'false', onclick: () => this.show(true)},
      icon('plus'), 'Add a curve');
    this.hint = h('p.small.bad-text', {testid: 'curve-hint', role: 'status'});
    this.element = h('section.l-curves.stack', {'aria-label': 'Curves'}, this.opener, this.form, this.hint);
  }

  /** @param {string|null} problem */
  say(problem) {
    fill(this.hint, problem);
  }

  // --- adding --------------------------------------------------------------------------------------------------------

  /** @param {boolean} open */
  show(open) {
    this.form.hidden = !open;
    this.opener.hidden = open;
    this.opener.setAttribute('aria-expanded', String(open));
    this.say(null);
    if (open) this.name.focus();
    else this.opener.focus();
  }

  /** @returns {Wish} */
  get wish() {
    return {name: this.name.value.trim(), closed: this.closed, count: Number(this.count.value), from: this.from.value,
      to: this.closed ? '' : this.to.value};
  }

  add() {
    const {wish} = this;
    const problem = whyNot(this.edits.shown(), wish);
    if (problem) {
      this.say(problem);
      this.name.focus();
      return;
    }
    this.edits.edit(`add curve ${wish.name}`, (schema) => whyNot(schema, wish) ? null : curveAdded(schema, wish));
    this.name.value = '';
    this.show(false);
  }

  /** @param {Schema} schema */
  draw(schema) {
    const names = schema.landmarks.map((l) => l.name).filter((name) => !curveOf(schema, name));
    for (const end of [this.from, this.to]) {
      const {value} = end;
      fill(end, h('option', {value: ''}, 'a point of its own'), names.map((name) => h('option', {value: name}, name)));
      end.value = names.includes(value) ? value : '';
    }
  }

  // --- the row of one ------------------------------------------------------------------------------------------------

  /** What stands in its row, behind handle and number. @param {Schema} schema @param {Curve} curve */
  cells(schema, curve) {
    const {name, points, closed} = curve;
    const {from, to} = wishOf(curve);
    const colour = schema.landmarks.find((l) => l.name === ownOf(curve)[0])?.colour ?? '#888888';
    const open = this.open.has(name);
    const divided = h('input.l-count', {type: 'number', value: String(points.length), min: String(FEWEST),
      max: String(MOST), testid: `count-${slug(name)}`, 'data-focus': `count ${name}`,
      'aria-label': `Points of curve ${name}`, onchange: () => this.divide(divided, name)});
    const field = h('input', {type: 'text', value: name, maxLength: LONGEST_NAME, testid: `curve-name-${slug(name)}`,
      'data-focus': `curve ${name}`, 'aria-label': 'Name of the curve', autocomplete: 'off',
      onchange: () => this.rename(field, name), onkeydown: (event) => {
        if (event.key === 'Enter') field.blur();
        if (event.key === 'Escape') field.value = name;
      }});
    return [
      h('input', {type: 'color', value: colour, testid: `colour-${slug(name)}`, 'data-focus': `colour ${name}`,
        'aria-label': `Colour of curve ${name}`, onchange: (event) => {
          const {value} = event.currentTarget;
          this.edit(`colour of ${name}`, name, (now, it) => curveRecoloured(now, it, value));
        }}),
      field,
      divided,
      h('span.badge', closed ? 'closed' : from || to ? `${from || 'own end'} – ${to || 'own end'}` : 'open'),
      iconButton(open ? 'up' : 'arrowDown', `Landmarks of curve ${name}`, {testid: `curve-open-${slug(name)}`,
        'aria-expanded': String(open), 'data-focus': `open ${name}`, onclick: () => {
          if (!this.open.delete(name)) this.open.add(name);
          this.edits.tell();
        }}),
      iconButton('trash', `Remove curve ${name}`, {testid: `remove-curve-${slug(name)}`, 'data-focus': `remove ${name}`,
        onclick: () => this.remove(name)}),
    ];
  }

  /** @param {string} what @param {string} name @param {(schema: Schema, curve: Curve) => Schema} apply
   *  @param {Record<string, string>} [names] */
  edit(what, name, apply, names = {}) {
    this.edits.edit(what, (schema) => {
      const curve = schema.curves.find((each) => each.name === name);
      return curve ? apply(schema, curve) : null;
    }, names, undefined, `curve ${name}`);
  }

  /** The curve, and the landmarks as they are without it: it may take what it has. @param {string} name */
  find(name) {
    const schema = this.edits.shown();
    const curve = schema.curves.find((each) => each.name === name);
    return curve && {curve, others: {...schema, curves: schema.curves.filter((each) => each !== curve)}};
  }

  /** @param {HTMLInputElement} field @param {string} name */
  rename(field, name) {
    const to = field.value.trim();
    const found = this.find(name);
    if (to === name || !found) return;
    const {curve, others} = found;
    const names = namesFor(curve, to);
    const taken = others.landmarks.find((l) => Object.values(names).includes(l.name) && !(l.name in names))?.name;
    const problem = !to
      ? 'A curve needs a name. Press Esc to keep the old one.'
      : others.curves.some((each) => each.name === to)
      ? `There is a curve ${to} already. Choose another name, or press Esc.`
      : taken
      ? `There is a landmark ${taken} already. Choose another name for the curve, or press Esc.`
      : null;
    this.say(problem);
    if (problem) {
      field.setAttribute('aria-invalid', 'true');
      return;
    }
    if (this.open.delete(name)) this.open.add(to);
    this.edit(`rename curve ${name} to ${to}`, name, (schema, it) => curveRenamed(schema, it, to), names);
  }

  /** Another number of points; not while pictures have labels of it: the line that was drawn there is not known any
   *  more, and points between points would cut its corners. @param {HTMLInputElement} field @param {string} name */
  async divide(field, name) {
    const found = this.find(name);
    if (!found) return;
    const wanted = Number(field.value);
    const {curve, others} = found;
    const own = ownOf(curve);
    const refuse = (/** @type {string} */ why) => {
      this.say(why);
      field.value = String(curve.points.length);
    };
    const problem = whyNot(others, {...wishOf(curve), count: wanted}, own);
    if (problem) {
      refuse(problem);
      return;
    }
    try {
      if (!(await this.app.outbox.flushed())) throw new Error('Some labels are not saved yet.');
      const progress = await this.app.api.get('/landmarks/progress');
      const labelled = Math.max(...progress.filter((each) => own.includes(each.name))
        .map(({placed, absent}) => placed + absent));
      if (labelled > 0) {
        refuse(
          `${name} is labelled on ${count(labelled, 'picture')}, of which the lines are not kept, only the points. `
            + `Add another curve of ${wanted} points, or remove this one with its labels and draw it again.`,
        );
        return;
      }
    } catch (error) {
      this.app.report(error);
      field.value = String(curve.points.length);
      return;
    }
    this.say(null);
    this.edit(`${wanted} points of ${name}`, name, (schema, it) => curveDivided(schema, it, wanted));
  }

  /** @param {string} name */
  remove(name) {
    this.say(null);
    this.open.delete(name);
    this.edit(`remove curve ${name}`, name, curveRemoved);
    this.opener.focus();
  }
}
