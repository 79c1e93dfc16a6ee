/** Second looks: some labelled pictures are shown again without their labels; how far both looks lie apart is told. */

import {wordsOf} from './api.js';
import {count, dialog, fill, h, icon, refill} from './dom.js';
import {lasting} from './kept.js';
import {Look} from './look.js';
import {basename, pixels} from './parts.js';

/**
 * @import {Route} from 'types/app'
 * @import {LookResult, LookSeries, LookState} from 'types/messages'
 * @import {App} from './app.js'
 */

const PERSON = 'lead.person'; // where the browser keeps who is at work
const USUAL = 20; // pictures: as many as it takes to tell a model from a second look

/** @param {HTMLElement} root @param {App} app @param {Route} route */
export function mount(root, app, route) {
  const view = new Looks(root, app);
  app.keys((event) => view.look?.key(event) ?? false);
  view.open(route.id);
  return {unmount: () => view.close(), update: (/** @type {Route} */ next) => view.open(next.id)};
}

/** What a series is called. @param {LookSeries} series */
const called = ({person, number}) => `${person}, look ${number}`;

class Looks {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.root = root;
    this.app = app;
    /** the one at work @type {Look|null} */
    this.look = null;
    /** the series that is shown @type {string|null} */
    this.id = null;
    this.dead = false;
    this.busy = false;
    /** @type {LookState|null} */
    this.state = null;
    this.form = h('section.card.stack', {testid: 'look-form', 'aria-label': 'Begin a look'});
    this.list = h('section.card.stack', {testid: 'look-list', 'aria-label': 'Looks', hidden: true});
    this.result = h('section.card.stack', {testid: 'look-result', 'aria-label': 'Result', hidden: true});
    this.page = h('div.page',
      h('div.column',
        h('div.page-head', h('h1', 'Second look'), h('span.spacer'),
          h('a', {href: app.href('review'), testid: 'looks-back'}, 'Back to the review')),
        h('p.muted', 'How exact are labels? Some labelled pictures are shown again without their labels, and you, or '
          + 'somebody else, label them anew. The labels that are there stay as they are.'), this.result, this.form,
        this.list));
  }

  /** Shows the looks, or goes on with one; the result of one that is done. @param {string|null} id */
  async open(id) {
    this.id = id;
    this.leave();
    try {
      const state = await this.app.api.get('/looks');
      if (this.dead || this.id !== id) return;
      this.state = state;
      const series = state.series.find((each) => each.id === id);
      if (series?.left.length) {
        this.begin(series);
        return;
      }
      this.show();
      if (series) await this.showResult(series);
    } catch (error) {
      if (!this.dead && this.id === id) this.fail(error);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.root.replaceChildren(this.page);
    fill(this.form, h('p.notice.bad', {role: 'alert'}, icon('warning'), wordsOf(error)),
      h('button', {testid: 'looks-retry', onclick: () => this.open(this.id)}, 'Try again'));
  }

  show() {
    this.root.replaceChildren(this.page);
    this.result.hidden = true;
    this.drawForm();
    this.drawList();
  }

  /** Who is at work, and how much; the name is kept in this browser. */
  drawForm() {
    const {state} = this;
    if (!state) return;
    const person = h('input', {type: 'text', testid: 'look-person', maxLength: 100, autocomplete: 'name',
      value: lasting.text(PERSON) ?? ''});
    const known = state.series.find((series) => series.first_by)?.first_by ?? '';
    const first = h('input', {type: 'text', testid: 'look-first', maxLength: 100, value: known,
      placeholder: 'Empty if you do not know'});
    const mine = h('input', {type: 'checkbox', testid: 'look-mine', checked: !known, onchange: () => {
      theirs.hidden = mine.checked;
    }});
    const theirs = h('label.field', {hidden: mine.checked}, 'Whose are they?', first);
    const most = state.labelled;
    const number = h('input.looks-number', {type: 'number', testid: 'look-count', min: '1', max: String(most),
      value: String(Math.min(USUAL, most))});
    const seed = h('input.looks-number', {type: 'number', testid: 'look-seed', min: '0', value: '0'});
    const begin = h('button.primary', {testid: 'look-begin',
      onclick: () =>
        this.start({person: person.value, pictures: Math.max(1, Math.round(number.valueAsNumber) || 1),
          seed: Math.round(seed.valueAsNumber) || 0, first_by: mine.checked ? person.value : first.value})},
      icon('play'), 'Begin');
    const problems = state.problems.map((words) => h('p.notice.warn', icon('warning'), h('span', words)));
    if (state.refused) {
      refill(this.form, problems, h('p.notice', {testid: 'look-refused'}, icon('info'), h('span', state.refused)));
      return;
    }
    refill(this.form, h('h2', 'Begin a look'), problems, h('label.field', 'Your name', person), known
      ? h('p.muted', 'The first labels are ', h('b', known), '’s.')
      : [h('label.row', mine, 'The first labels are mine, too'), theirs],
      h('label.row', 'Pictures', number, h('span.muted', `drawn by chance from ${count(most, 'labelled one')}`)),
      h('label.row', 'Seed', seed,
        h('span.muted', 'of the draw; with the same seed, everybody is shown the same pictures')), h('div.row', begin));
  }

  /** @param {{person: string, pictures: number, seed: number, first_by: string}} wanted */
  async start(wanted) {
    const {app, state} = this;
    if (this.busy || !state) return;
    const name = wanted.person.trim();
    const before = state.series.filter(({person}) => person.toLowerCase() === name.toLowerCase());
    if (before.length && lasting.text(PERSON)?.toLowerCase() !== name.toLowerCase()) {
      const same = await dialog({title: `${before[0].person} has looked before`, testid: 'same-person',
        body: `If you are another ${
          before[0].person
        }, give another name: looks under one name are taken as one person’s.`,
        actions: [{label: 'Give another name', value: false}, {label: 'It is me', value: true}]});
      if (!same) return;
    }
    this.busy = true;
    try {
      const series = await app.api.post('/looks', wanted);
      lasting.keep(PERSON, series.person);
      app.go('looks', series.id);
    } catch (error) {
      app.report(error);
    } finally {
      this.busy = false;
    }
  }

  drawList() {
    const {app, state} = this;
    const series = state?.series ?? [];
    this.list.hidden = !series.length;
    fill(this.list, h('h2', 'Looks'), h('ul.v-list', series.map((each) => {
      const {id, done, total, left, gone, file} = each;
      return h('li.row', {testid: 'look-entry', title: file}, h('b', called(each)),
        h('span.muted.number', `${done} of ${total}`,
          gone ? `, ${count(gone, 'picture')} no longer in the folder` : ''), h('span.spacer'),
        done ? h('button', {testid: 'look-compare', onclick: () => this.showResult(each)}, 'Compare') : null,
        left.length ? h('a.button', {href: app.href('looks', id), testid: 'look-go-on'}, 'Go on') : null);
    })));
  }

  /** How far a look lies from the first labels. @param {LookSeries} series */
  async showResult(series) {
    try {
      const found = await this.app.api.get(`/looks/${series.id}/result`);
      if (this.dead || this.look) return;
      this.result.hidden = false;
      fill(this.result, this.compared(found));
    } catch (error) {
      this.app.report(error);
    }
  }

  /** @param {LookResult} found */
  compared({series, differences}) {
    const {app} = this;
    const head = ['Landmark', 'Mean distance', 'Largest', 'Pictures'].map((words, i) =>
      h('th', {scope: 'col', class: i ? 'number' : ''}, words)
    );
    const rows = differences.map(({name, mean_px: mean, most_px: most, most_in: where, pictures}) =>
      h('tr', {testid: 'look-difference', dataset: {name}}, h('th', {scope: 'row'}, name),
        h('td.number', mean === null ? '–' : pixels(mean)), h('td.number', most === null
          ? '–'
          : where
          ? h('a', {href: app.href('label', where)}, pixels(most))
          : pixels(most)), h('td.number', pictures.toLocaleString('en')))
    );
    return [h('h2', `${called(series)}, beside the first labels`),
      h('p.muted', `${series.done} of ${series.total} looked at. Distances between the two looks, in pixels of the `
        + 'picture; the landmark with the largest first.'),
      h('table.looks-table', h('thead', h('tr', head)), h('tbody', rows)),
      h('p.muted', 'With all people, measurements and a model beside them: ',
        h('code', `lead repeatability ${basename(app.state.label_file)} --out table.csv`))];
  }

  /** @param {LookSeries} series */
  begin(series) {
    this.root.replaceChildren();
    const {app} = this;
    this.look = new Look(this.root, app, series, () => {
      this.leave();
      if (this.id) app.go('looks');
    }, () => this.open(series.id));
  }

  leave() {
    this.look?.close();
    this.look = null;
  }

  close() {
    this.dead = true;
    this.leave();
  }
}
