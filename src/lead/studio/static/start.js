/** The start: the three steps from a folder of pictures to suggestions, each with where it stands and its button. */

import {wordsOf} from './api.js';
import {count, duration, fill, h, icon, refill, spinner} from './dom.js';
import {ExtentBox} from './extent.js';

/**
 * @import {Training} from 'types/messages'
 * @import {Child} from 'types/dom'
 * @import {App} from './app.js'
 * @typedef {{name: string, title: string, done: boolean, state: Child, text: Child, action: Child}} Step
 */

const FEWEST = 8; // pictures below which nothing can be learnt, as in lead.training.run
const LABELS = 5; // from which on a fit is worth its name
const MEASURED = 116; // pictures of the smallest folder in docs/few-labels.md
const INTENDED = 300;

/** What to expect of so many pictures; null where there are enough. @param {number} n */
export function expectation(n) {
  if (n < FEWEST) {
    return `Learning needs at least ${FEWEST} pictures, and this folder has ${n}. Label them by hand, add more, or `
      + 'open a model that was trained on pictures of the same kind.';
  }
  if (n < MEASURED) {
    const small = n < 30 ? 'Labelling them all by hand may be as quick. ' : '';
    return `${n} pictures are few to learn from: expect rough suggestions, and check each. ${small}The smallest folder `
      + `that was measured has ${MEASURED}: with five labels half of the points were within 4.5 % of the animal’s `
      + 'length. More pictures of the same kind in the folder help, without labels too.';
  }
  return n < INTENDED
    ? `${n} pictures will do. It is made for a few hundred and more: others of the same kind in the folder help, `
      + 'without labels too.'
    : null;
}

/** "About 13 to 38 minutes": how long a training takes here. @param {[number, number]|null|undefined} minutes */
export function timeWords(minutes) {
  if (!minutes) return null;
  const [least, most] = minutes.map((m) => (m < 10 ? Math.max(1, Math.round(m)) : m < 90 ? 5 * Math.round(m / 5) : m));
  if (most >= 90) {
    return `About ${Math.max(1, Math.round(least / 60))} to ${Math.round(most / 60)} hours on this machine`;
  }
  return least === most
    ? `About ${most} ${most === 1 ? 'minute' : 'minutes'} on this machine`
    : `About ${least} to ${most} minutes on this machine`;
}

class Start {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    this.busy = false;
    /** @type {string|null} */
    this.problem = null;
    /** trained models that could be opened */
    this.runs = 0;
    this.dead = false;
    this.list = h('ol.s-steps', {testid: 'steps'});
    this.word = h('p.notice', {testid: 'expectation'});
    root.append(
      h('div.page',
        h('div.column.s-start',
          h('div', h('h1', 'From pictures to landmarks'),
            h('p.muted', {testid: 'start-folder'}, `${count(app.state.pictures, 'picture')} in `,
              h('code', app.state.folder))), this.list, this.word, this.more())),
    );
    for (const kind of /** @type {const} */ (['state', 'pictures'])) app.on(kind, () => this.draw());
    app.on('back', () => this.read());
    this.draw();
    this.read();
  }

  /** Asks how long learning takes here, and what is there already. */
  async read() {
    const {app} = this;
    try {
      const training = await app.api.get('/training');
      if (this.dead) return;
      app.state.training = training;
      this.draw();
      this.runs = (await app.api.get('/runs')).filter((run) => run.finished).length;
      if (!this.dead) this.draw();
    } catch { /* the banner says that the server does not answer */ }
  }

  draw() {
    const steps = [this.naming(), this.learning(), this.labelling()];
    const next = steps.find((step) => !step.done)?.name;
    refill(this.list, steps.map((step, i) => {
      const current = step.name === next;
      return h('li.card.s-step', {testid: `step-${step.name}`,
        'data-state': step.done ? 'done' : current ? 'next' : 'later', 'aria-current': current ? 'step' : null},
        h('span.s-number', {'aria-hidden': 'true'}, step.done ? icon('accept') : String(i + 1)),
        h('div.s-words', h('h2', h('span.visually-hidden', `Step ${i + 1}: `), step.title), h('p', step.text),
          h('p.row.wrap.s-state', {testid: `state-${step.name}`}, step.state)), h('div.s-action', step.action));
    }));
    const words = expectation(this.app.pictures.filter((p) => !p.unreadable).length);
    this.word.hidden = !words;
    fill(this.word, icon('info'), h('span', words));
  }

  /** @returns {Step} */
  naming() {
    const n = this.app.landmarks().landmarks.length;
    return {name: 'landmarks', title: 'Name the landmarks', done: n > 0,
      text: 'The places to find on every picture, in the order in which you want to click them.',
      state: n ? count(n, 'landmark') : 'None is named yet',
      action: h('a.button', {href: '#/landmarks', testid: 'start-landmarks', class: n ? '' : 'primary'},
        n ? 'Change them' : 'Name them')};
  }

  /** @returns {Step} */
  learning() {
    const {state} = this.app;
    const {training, model} = state;
    const done = model.stage === 'ready' || model.stage === 'features' || training.state === 'done';
    const under = training.state === 'running' || training.state === 'stopping';
    const small = training.presets.find((preset) => preset.name === 'small') ?? training.presets[0];
    const enough = state.pictures >= FEWEST;
    const share = training.total ? `${Math.floor((100 * training.step) / training.total)} %` : 'beginning';
    const left = training.seconds_left ? `, ${duration(training.seconds_left)} left` : '';
    const other = h('a', {href: '#/features', testid: 'start-other'}, this.runs && !done
      ? `Or open ${this.runs === 1 ? 'the trained model' : `one of ${this.runs} trained models`} found here`
      : 'All choices');
    const stands = this.problem
      ? h('span.bad-text', {role: 'alert'}, this.problem)
      : under
      ? [spinner(), h('span.number', `Learning: ${share}${left}`)]
      : done
      ? model.stage === 'features' ? [spinner(), 'Looking at every picture'] : 'Learnt'
      : training.state === 'failed'
      ? h('span.bad-text', 'It failed')
      : training.state === 'stopped'
      ? 'Stopped; what it learnt is kept'
      : timeWords(small?.minutes) ?? 'Not begun';
    const go = ExtentBox.isNeeded(this.app)
      ? h('a.button', {href: '#/features', testid: 'start-learning', class: enough ? 'primary' : ''},
        'Learn from my pictures')
      : h('button', {testid: 'start-learning', disabled: this.busy || !small || !enough, class: enough ? 'primary' : '',
        onclick: () => this.learn(small?.name ?? null)}, icon('play'), 'Learn from my pictures');
    const resume = h('button.primary', {testid: 'start-resume', disabled: this.busy, onclick: () => this.learn(null)},
      icon('play'), 'Go on learning');
    const choices = h('a.button', {href: '#/features', testid: 'start-features'}, under ? 'Watch' : 'See');
    return {name: 'learn', title: 'Let it study your pictures', done,
      text: 'It looks at them by itself, without labels, until it knows the same part on all of them. '
        + 'You can name landmarks and label meanwhile.', state: [h('span.row', stands), done || under ? null : other],
      action: under || done || training.state === 'failed' ? choices : training.state === 'stopped' ? resume : go};
  }

  /** @returns {Step} */
  labelling() {
    const {state} = this.app;
    const n = state.complete;
    const named = state.landmarks.landmarks.length > 0;
    const begun = state.begun ? `, ${state.begun.toLocaleString('en')} begun` : '';
    return {name: 'label', title: 'Label five pictures', done: n >= LABELS,
      text: 'Click each landmark once. From the second picture on, points are suggested; you correct them.',
      state: n < LABELS ? `${n} of ${LABELS} labelled${begun}` : `${count(n, 'picture')} labelled`,
      action: h('a.button', {href: this.app.href('label', this.app.last), testid: 'start-label',
        class: named && n < LABELS ? 'primary' : ''}, n ? 'Go on labelling' : 'Label pictures')};
  }

  more() {
    return h('p.muted', 'Then ', h('a', {href: '#/review'}, 'review'), ' what is found on the rest, and ',
      h('a', {href: '#/export'}, 'export'), ' it. ', h('a', {href: '#/landmarks'}, 'Label files of other tools'),
      ' can be taken over at any time. How exact labels are, a ',
      h('a', {href: '#/looks', testid: 'start-looks'}, 'second look'), ' tells.');
  }

  /** @param {string|null} preset  null to go on with what was stopped */
  async learn(preset) {
    this.busy = true;
    this.problem = null;
    this.draw();
    try {
      /** @type {Training} */
      this.app.state.training = await this.app.api.post('/training', {preset});
    } catch (error) {
      this.problem = wordsOf(error);
    } finally {
      this.busy = false;
      if (!this.dead) this.draw();
    }
  }

  close() {
    this.dead = true;
  }
}

/** @param {HTMLElement} root @param {App} app */
export function mount(root, app) {
  const view = new Start(root, app);
  return () => view.close();
}
