/** Learning from the pictures (in the code: training features): beginning, watching, stopping, and opening a model that
 *  was trained before. */

import {wordsOf} from './api.js';
import {lossCurve, STAGE_NAMES} from './chart.js';
import {count, duration, fill, h, icon, lookUp, refill, spinner} from './dom.js';
import {ExtentBox} from './extent.js';
import {basename, closelyWords, elapsed, meanErrorText} from './parts.js';
import {expectation, timeWords} from './start.js';

/**
 * @import {RunChoice, State, Training} from 'types/messages'
 * @import {App} from './app.js'
 */

/** Of a training, in their order: [task, name, what it is]. */
const STAGES = [
  ['decoding', 'Reading pictures', 'Every picture is decoded once and kept small in memory.'],
  ['pretrain', 'Part 1: telling pictures apart',
    'The network learns that two views of one picture are the same thing.'],
  ['distill', 'Part 2: telling places apart',
    'Each place of a picture gets a description that the same part has on all pictures.'],
];

/** What a preset needs besides what its description (from the server) says. @type {Record<string, string>} */
const NEEDS = {small: 'Starts from the ImageNet weights of the package’s extra “weights”.',
  short: 'Starts from the ImageNet weights of the package’s extra “weights”.'};

class Setup {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    /** @type {string|null} */
    this.preset = null;
    this.busy = false;
    this.dead = false;
    /** @type {string|null} */
    this.problem = null;
    /** asks how large a specimen is, where that has to be asked @type {ExtentBox|null} */
    this.extent = null;
    this.pointer = {x: -1, y: -1};
    this.training = app.state.training;
    this.status = app.state.model;
    this.now = h('section.card.stack', {testid: 'training', 'aria-label': 'Learning'});
    this.model = h('section.card.stack', {testid: 'model', 'aria-label': 'The model in this folder', hidden: true});
    this.runs = h('section.card.stack', {testid: 'runs', 'aria-label': 'Trained models'});
    this.path = h('input', {type: 'text', testid: 'run-path', autocomplete: 'off', spellcheck: false,
      placeholder: '/home/me/runs/beetles'});
    this.pathProblem = h('div');
    root.append(
      h('div.page', {onpointermove: ({clientX, clientY}) => this.pointer = {x: clientX, y: clientY}},
        h('div.column', h('h1', 'Learn from my pictures'), this.now, this.model, this.runs)),
    );
    app.on('training', (training) => this.tell(training));
    app.on('model', (status) => {
      this.status = status;
      this.drawModel();
    });
    app.on('back', () => this.refresh());
    app.on('unit', () => this.drawModel());
    this.drawTraining();
    this.drawModel();
    this.refresh();
  }

  /** What the server says of the training, merged: an event may leave the presets out. @param {Training} training */
  tell(training) {
    const {state: was, presets} = this.training;
    this.training = {...training, presets: training.presets.length ? training.presets : presets};
    this.drawTraining();
    if (was !== training.state) this.list();
  }

  async refresh() {
    try {
      this.tell(await this.app.api.get('/training'));
      this.status = (await this.app.api.get('/state')).model;
      this.drawModel();
      await this.list();
    } catch (error) {
      if (!this.dead) this.app.report(error);
    }
  }

  /** @param {() => Promise<Training>} work */
  async act(work) {
    if (this.busy) return;
    this.busy = true;
    this.problem = null;
    this.drawTraining();
    try {
      this.tell(await work());
    } catch (error) {
      this.problem = wordsOf(error);
    } finally {
      this.busy = false;
      if (!this.dead) this.drawTraining();
    }
  }

  /** @param {string|null} preset */
  start(preset) {
    const extent = this.asksExtent ? this.extent?.extent ?? null : null;
    return this.act(() => this.app.api.post('/training', {preset, extent}));
  }
  cancel() {
    return this.act(() => this.app.api.post('/training/cancel'));
  }

  drawTraining() {
    if (this.dead) return;
    const {state} = this.training;
    const body = {none: () => this.offer(), running: () => this.running(), stopping: () => this.running(),
      stopped: () => this.stopped(), failed: () => this.failed(), done: () => this.done()}[state]();
    const open = [...this.now.querySelectorAll('details[open]')].map((d) => d.getAttribute('data-name'));
    refill(this.now, body,
      this.problem ? h('p.notice.bad', {role: 'alert', testid: 'training-problem'}, this.problem) : null);
    this.now.dataset.state = state;
    for (const details of this.now.querySelectorAll('details')) {
      details.open = open.includes(details.dataset.name ?? '');
    }
    // A new curve goes on telling the value under the pointer.
    const {x, y} = this.pointer;
    document.elementFromPoint(x, y)?.closest('.v-chart')?.dispatchEvent(new PointerEvent('pointermove', {clientX: x}));
  }

  // nothing trained yet

  offer() {
    if (!this.training.presets.length) {
      return [
        h('h2', 'Nothing is learnt yet'),
        h('p.row.muted', spinner(), this.training.message ?? 'Loading…'),
      ];
    }
    const opened = this.status.stage !== 'none';
    const pictures = count(this.app.state.pictures, 'picture');
    return [
      h('h2', opened ? 'A trained model is in use' : 'Nothing is learnt yet'),
      opened
        ? h('p',
          'The model below is open. Learning here makes a new one from this folder’s pictures and uses that instead.')
        : h('p',
          `The program looks at the ${pictures} of this folder, without any labels, until it describes the same part `
            + 'in the same way on all of them. '
            + 'After that a few labelled pictures are enough to find your landmarks on the rest.'),
      this.expected(),
      this.choices(),
      this.size(),
      h('div.row', this.begin('Start learning')),
      this.meanwhile('Labelling works while it learns'),
    ];
  }

  /** A word on what to expect where there are few pictures. */
  expected() {
    const words = expectation(this.app.pictures.filter((p) => !p.unreadable).length);
    return words ? h('p.notice', {testid: 'expectation'}, icon('info'), h('span', words)) : null;
  }

  /** @param {string} text */
  begin(text) {
    return h('button.primary', {testid: 'start-training', disabled: !this.canBegin,
      onclick: () => this.start(this.preset)}, this.busy ? [spinner(), 'Starting…'] : [icon('play'), text]);
  }

  get asksExtent() {
    return ExtentBox.isNeeded(this.app);
  }

  get canBegin() {
    return !this.busy && this.preset !== null && (!this.asksExtent || Boolean(this.extent?.extent));
  }

  /** Asks how large a specimen is, where nothing else tells. */
  size() {
    if (!this.asksExtent) return null;
    this.extent ??= new ExtentBox(this.app, () => {
      for (const button of this.now.querySelectorAll('[data-testid="start-training"]')) {
        if (button instanceof HTMLButtonElement) button.disabled = !this.canBegin;
      }
    });
    return this.extent.element;
  }

  /** The presets and a button, folded away. @param {string} summary @param {string} words */
  anew(summary, words) {
    if (!this.training.presets.length) return null;
    return h('details', {'data-name': 'anew'}, h('summary', {testid: 'train-anew'}, summary), h('p', words),
      this.choices(), this.size(),
      h('button', {testid: 'start-training', disabled: !this.canBegin, onclick: () => this.start(this.preset)},
        icon('play'), 'Begin anew'));
  }

  choices() {
    const {presets} = this.training;
    if (!presets.some((p) => p.name === this.preset)) {
      this.preset = (presets.find((p) => p.name === 'small') ?? presets[0])?.name ?? null;
    }
    return h('fieldset.v-presets', {disabled: this.busy}, h('legend', 'How'),
      presets.map((preset) =>
        h('label.v-preset', {},
          h('input', {type: 'radio', name: 'preset', value: preset.name, checked: preset.name === this.preset,
            testid: `preset-${preset.name}`, onchange: () => this.preset = preset.name}),
          h('span.v-preset-text', h('strong', preset.name), h('span', preset.description), preset.minutes
            ? h('span.v-time', {testid: `time-${preset.name}`}, `${timeWords(preset.minutes)}.`)
            : null, NEEDS[preset.name] ? h('span.muted', NEEDS[preset.name]) : null))
      ));
  }

  /** @param {string} begin */
  meanwhile(begin) {
    return h('p.muted', begin, ': ', h('a', {href: '#/label', testid: 'label-meanwhile'}, 'label pictures'), '.');
  }

  // under way

  running() {
    const {task, step, total, seconds_left: left, state, preset} = this.training;
    const at = STAGES.findIndex(([name]) => name === task);
    const stopping = state === 'stopping';
    return [
      h('div.row', h('h2', stopping ? 'Stopping: what it learnt is being saved…' : 'Learning'),
        preset ? h('span.badge', preset) : null, h('span.spacer'),
        h('button', {testid: 'cancel-training', disabled: stopping || this.busy, onclick: () => this.cancel(),
          title: 'Stops after the step under way. Later it goes on from there.'}, icon('stop'),
          'Stop (keeps what it learnt)')),
      h('ol.v-stages',
        STAGES.map(([name, title], i) =>
          h('li', {class: i < at ? 'past' : i === at ? 'current' : '', 'aria-current': i === at ? 'step' : null,
            testid: `stage-${name}`}, title)
        )),
      at >= 0 ? h('p.muted', STAGES[at][2]) : null,
      this.bar(task ?? 'training', step, total),
      h('p.row', h('span', {testid: 'training-step'}, total
        ? `${step.toLocaleString('en')} of ${total.toLocaleString('en')} ${task === 'decoding' ? 'pictures' : 'steps'}`
        : 'Starting…'), h('span.spacer'),
        h('span', {testid: 'time-left'}, left === null ? 'time left: not known yet' : `${duration(left)} left`)),
      this.chart(),
      this.meanwhile('Labelling works meanwhile'),
    ];
  }

  /** @param {string} label @param {number} done @param {number} total */
  bar(label, done, total) {
    return h('div.progress-bar.wide.v-bar', {role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0,
      'aria-valuemax': total || 1, 'aria-valuenow': done, testid: 'training-progress'},
      h('span', {style: {width: `${total ? (100 * done) / total : 0}%`}}));
  }

  chart() {
    return this.training.curve.length > 1 ? lossCurve(this.training) : null;
  }

  // stopped, failed, done

  /** @param {string} text */
  resume(text) {
    return h('button.primary', {testid: 'resume-training', disabled: this.busy, onclick: () => this.start(null)},
      this.busy ? spinner() : icon('play'), text);
  }

  stopped() {
    const {step, total, task, run} = this.training;
    return [
      h('h2', 'Learning is stopped'),
      h('p', {testid: 'stopped-text'}, 'What it learnt is kept', run ? [' in ', h('code', run)] : null,
        total && task !== 'decoding'
          ? `. It can go on from step ${step.toLocaleString('en')} of ${total.toLocaleString('en')} (${
            lookUp(STAGE_NAMES, task) ?? task
          }), as if it had never stopped.`
          : '. It can go on from there.'),
      h('div.row', this.resume('Go on')),
      this.chart(),
      this.anew('Begin anew, in the same way or another',
        'This one stays where it is: you can go on with it later from the list below. '
          + 'A trained model can be opened there, too.'),
      this.meanwhile('Labelling works without it'),
    ];
  }

  failed() {
    const lines = (this.training.message ?? 'It says nothing of why.').trim().split('\n');
    return [
      h('h2', 'Learning failed'),
      h('p.notice.bad', {role: 'alert', testid: 'training-message'}, lines[0]),
      lines.length > 1
        ? h('pre.v-log', {testid: 'training-log', tabindex: '0', 'aria-label': 'The last lines of the log'},
          lines.slice(1).join('\n').replace(/^\n+/, ''))
        : null,
      this.training.run ? h('div.row', this.resume('Try again from the last saved state')) : null,
      this.anew('Begin anew, in the same way or another', 'What this one learnt stays where it is.'),
      this.meanwhile('Labelling works without it'),
    ];
  }

  done() {
    const {run, preset, curve, message, pictures, seconds} = this.training;
    const facts = [
      pictures ? `Learnt from ${count(pictures, 'picture')}` : null,
      seconds ? `${pictures ? 'in' : 'Took'} ${elapsed(seconds)}` : null,
    ].filter(Boolean).join(' ');
    return [
      h('div.row', h('h2', 'It has learnt from your pictures'), preset ? h('span.badge', preset) : null),
      message ? h('p', {testid: 'training-message'}, message) : null,
      facts ? h('p', {testid: 'training-facts'}, `${facts}, without any labels.`) : null,
      run ? h('p.muted', 'Kept in ', h('code', run)) : null,
      h('div.row', h('a.button.primary', {href: '#/label', testid: 'label-now'}, 'Label pictures'),
        h('a.button', {href: '#/explore', testid: 'explore-now'}, 'See what it knows')),
      curve.length > 1
        ? h('details', {'data-name': 'curve'}, h('summary', {testid: 'show-curve'}, 'Loss curve'), this.chart())
        : null,
      this.anew('Learn anew',
        'A new model goes into a folder of its own; this one stays and can be opened again below.'),
    ];
  }

  // the model side: what it makes of all pictures, and the fit

  drawModel() {
    if (this.dead) return;
    const {stage, done, total, message, fitting, fitted_to: fitted, method, held_out: error, held_out_px: px} =
      this.status;
    this.model.hidden = stage === 'none';
    if (stage === 'none') return;
    const making = stage === 'decoding' || stage === 'features';
    const line =
      {decoding: 'Reading the pictures…', features: 'Looking at every picture…',
        ready: `It is ready: all ${count(total || this.app.state.pictures, 'picture')} are looked at.`,
        failed: 'This model cannot be used.'}[stage];
    const off = error === null
      ? ''
      : `; off by ${meanErrorText(this.app, px, error)} on labels that it had not seen`;
    const how = method === 'matching' ? 'Suggestions are matched to' : 'Landmarks are fitted to';
    const fit = fitting
      ? 'Fitting landmarks to your labels…'
      : fitted
      ? `${how} ${count(fitted, 'labelled picture')}${off}.`
      : 'Label one picture, and points are suggested on all others.';
    fill(this.model, h('h2', 'In this folder'), h('p', {testid: 'model-stage'}, line), making
      ? [this.bar(line, done, total), h('p.muted', `${done.toLocaleString('en')} of ${count(total, 'picture')}`)]
      : null, stage === 'failed' ? h('p.notice.bad', {role: 'alert'}, message) : null,
      stage === 'ready' ? h('p.muted', {testid: 'model-fit'}, fit, message && !fitting ? ` ${message}` : null) : null,
      stage === 'ready' ? this.closely() : null);
  }

  /** Which landmarks were looked at closely; null where none was. */
  closely() {
    const names = this.app.landmarks().landmarks.map(({name}) => name);
    const words = closelyWords(names, this.status.closely);
    return words
      ? h('p.muted', {testid: 'model-closely', title: `Looked at closely: ${this.status.closely.join(', ')}`}, words)
      : null;
  }

  // existing runs

  async list() {
    let runs;
    try {
      runs = await this.app.api.get('/runs');
    } catch (error) {
      if (!this.dead) fill(this.runs, h('h2', 'Trained models'), h('p.notice.bad', wordsOf(error)));
      return;
    }
    if (this.dead) return;
    const typed = this.path.value;
    refill(this.runs, h('h2', 'Trained models'), runs.length
      ? h('ul.v-list', runs.map((run) => this.run(run)))
      : h('p.muted', {testid: 'no-runs'}, 'None was found beside this folder.'), this.elsewhere());
    this.path.value = typed;
  }

  /** A model that lies somewhere else, by its path. */
  elsewhere() {
    return h('form.v-elsewhere', {onsubmit: (event) => {
      event.preventDefault();
      this.openPath();
    }}, h('label.field', 'One that lies elsewhere: the path of its folder', this.path),
      h('button', {testid: 'open-path', type: 'submit', disabled: this.busy}, icon('folder'), 'Open'),
      this.pathProblem);
  }

  async openPath() {
    const {app, path} = this;
    if (!path.value.trim()) {
      path.focus();
      return;
    }
    try {
      const state = await app.api.post('/runs/open', {path: path.value});
      fill(this.pathProblem);
      path.removeAttribute('aria-invalid');
      path.value = '';
      this.took(state, basename(state.training.run ?? ''));
    } catch (error) {
      await this.list(); // first, so that nothing moves under whoever corrects the path
      path.setAttribute('aria-invalid', 'true');
      fill(this.pathProblem,
        h('p.notice.bad', {role: 'alert', testid: 'path-problem'}, icon('warning'), h('span', wordsOf(error))));
      return;
    }
    if (!this.dead) this.list();
  }

  /** What the server says after a model was opened. @param {State} state @param {string} name */
  took(state, name) {
    if (this.dead) return;
    this.status = state.model;
    this.tell(state.training);
    this.drawModel();
    this.app.toast(`Opened ${name}.`, 'good');
  }

  /** @param {RunChoice} run */
  run(run) {
    const training = ['running', 'stopping'].includes(this.training.state);
    const current = run.current && run.finished;
    const facts = run.pictures ? `learnt from ${count(run.pictures, 'picture')}` : '';
    const why = training
      ? 'Stop the learning first'
      : current
      ? 'It is open'
      : run.finished
      ? ''
      : 'It is not finished';
    const open = h('button', {testid: `open-run-${run.id}`, disabled: Boolean(why) || this.busy, title: why,
      'aria-label': `Open ${basename(run.path)}`, onclick: () => this.open(run)}, 'Open');
    const on = h('button', {testid: `resume-run-${run.id}`, disabled: training || this.busy,
      'aria-label': `Go on with ${basename(run.path)}`,
      onclick: () => this.act(() => this.app.api.post('/training', {preset: null, run: run.id}))}, 'Go on');
    return h('li', {testid: `run-${run.id}`},
      h('div.spacer', h('strong', basename(run.path)), ' ', run.preset ? h('span.badge', run.preset) : null,
        current ? h('span.badge.good', 'open') : null, run.finished ? null : h('span.badge.warn', 'not finished'), ' ',
        h('span.muted.small', facts), h('div.muted.v-path', {title: run.path}, run.path)), run.resumable ? on : open);
  }

  /** @param {RunChoice} run */
  async open(run) {
    await this.act(async () => {
      const state = await this.app.api.post(`/runs/${encodeURIComponent(run.id)}/open`);
      this.took(state, basename(run.path));
      return state.training;
    });
    this.list();
  }

  close() {
    this.dead = true;
  }
}

/** @param {HTMLElement} root @param {App} app */
export function mount(root, app) {
  const view = new Setup(root, app);
  return () => view.close();
}
