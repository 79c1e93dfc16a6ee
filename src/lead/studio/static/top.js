/** The top bar (navigation, progress, model, saving) and the banners below it. */

import {byId, count, dialog, duration, fill, h, icon, iconButton, lookUp, markCurrent, renew, spinner} from './dom.js';
import {meanErrorText} from './parts.js';

/**
 * @import {State} from 'types/messages'
 * @import {Child} from 'types/dom'
 * @import {App} from './app.js'
 */

const NAVIGATION = {landmarks: 'Landmarks', features: 'Learn', label: 'Label', review: 'Review', explore: 'Explore',
  measure: 'Measure', export: h('span', h('span.wide', 'Import, '), 'export')};
/** These open on the picture that is being labelled, and the other way about. */
const OF_PICTURES = ['label', 'explore', 'measure'];
const KINDS = /** @type {const} */ (['state', 'pictures', 'model', 'training', 'picture', 'unit']);
const TRAINING = {decoding: 'Reading pictures', pretrain: 'Learning, part 1 of 2', distill: 'Learning, part 2 of 2'};

export class TopBar {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.filled = h('span');
    this.progress = h('span.progress-text', {testid: 'progress'});
    this.model = h('a.chip.model', {testid: 'model-status', href: app.href('features')});
    this.save = h('button.chip.save', {testid: 'save-state', 'aria-live': 'polite', onclick: () => this.explain()});
    this.links = Object.entries(NAVIGATION).map(([name, label]) =>
      h('a', {href: app.href(name), testid: `nav-${name}`, dataset: {name}}, label)
    );
    fill(byId('top'),
      h('a.brand', {href: app.href('start'), testid: 'brand', title: app.state.folder,
        'aria-label': 'lead studio: the start'}, h('img', {src: '/static/icon.svg', alt: '', width: 22, height: 22}),
        h('span', 'lead studio')), h('nav', {'aria-label': 'Views'}, this.links), h('span.spacer'),
      h('span.progress', {title: 'Pictures on which every landmark is labelled'}, h('span.progress-bar', this.filled),
        this.progress), this.model, this.save,
      iconButton('theme', 'Dark or light', {testid: 'theme', onclick: () => app.toggleTheme()}, 'T'),
      iconButton('help', 'Keys and help', {testid: 'help', onclick: () => app.help()}, '?'));
    for (const kind of KINDS) app.on(kind, () => this.draw());
    app.on('status', () => this.drawSave());
    app.on('connection', () => this.drawSave());
    app.on('route', () => this.drawRoute());
    app.on('picture', () => this.drawRoute());
    this.draw();
    this.drawSave();
  }

  drawRoute() {
    const {name: route} = this.app.route;
    const shown = route === 'disputes' || route === 'looks' ? 'review' : route;
    for (const link of this.links) {
      const {name} = link.dataset;
      markCurrent(link, name === shown, 'page');
      if (name && OF_PICTURES.includes(name)) link.href = this.app.href(name, this.app.route.id ?? this.app.last);
    }
  }

  draw() {
    const {state} = this.app;
    const total = state.pictures; // but for those that are skipped or cannot be read
    const done = `${state.complete.toLocaleString('en')} of ${total.toLocaleString('en')}`;
    renew(this.progress, done, () => [done, h('span.unit', ' labelled')]);
    const share = total ? Math.max(state.complete ? 2 : 0, (100 * state.complete) / total) : 0;
    this.filled.style.width = `${share}%`;
    const {words, short, kind, busy} = modelWords(state, this.app);
    this.model.className = `chip model ${kind}`;
    this.model.title = words;
    renew(this.model, words + busy,
      () => [busy ? spinner() : h('span.dot'), h('span.long', words), h('span.short', short)]);
  }

  drawSave() {
    const {state, changes, reason} = this.app.outbox.status();
    const {connection} = this.app.api;
    const [lost, denied] = [connection === 'lost', connection === 'denied'];
    const shown = state === 'saving' && (lost || denied) ? 'unsaved' : state;
    const kept = `${changes} ${changes === 1 ? 'change is' : 'changes are'} kept here`;
    const why = denied
      ? `open the new URL; ${kept}`
      : lost
      ? `the server does not answer; ${kept}`
      : `${kept}. ${reason}`;
    const words = {saved: 'Saved', saving: 'Saving…', unsaved: `Not saved: ${why}`}[shown];
    this.save.className = `chip save ${{saved: '', saving: 'busy', unsaved: 'bad'}[shown]}`;
    this.save.dataset.state = shown;
    byId('top').classList.toggle('alert', shown === 'unsaved');
    this.save.title = state === 'saved' ? `Every change is saved at once in ${this.app.state.label_file}` : words;
    const sign = () => shown === 'saving' ? spinner() : icon(shown === 'saved' ? 'accept' : 'warning', 14);
    renew(this.save, words, () => [sign(), h('span', words)]);
  }

  async explain() {
    const {app} = this;
    const {changes, reason, refused} = app.outbox.status();
    if (!changes) {
      app.toast(`All is saved in ${app.state.label_file}`, 'good');
      return;
    }
    const body = [
      h('p', reason || 'Being sent.'),
      h('p.muted', app.outbox.stored
        ? 'They are kept in this browser until the server has them, also if you close the page.'
        : 'This browser does not let pages keep anything: leave this page open until they are saved.'),
    ];
    /** @type {{label: string, value: string|null, kind?: string}[]} */
    const actions = [{label: 'Try again', value: 'retry', kind: 'primary'}, {label: 'Close', value: null}];
    if (refused.length) actions.push({label: 'Discard what was refused', value: 'discard', kind: 'danger'});
    const choice = await dialog({title: `${changes} ${changes === 1 ? 'change' : 'changes'} not saved yet`, body,
      actions, testid: 'unsaved'});
    if (choice === 'retry') app.outbox.retry();
    for (const {id} of choice === 'discard' ? refused : []) app.outbox.discard(id);
  }
}

/** The model's state in a few words, and in one or two where there is no room. @param {State} state
 *  @param {Pick<App, 'unit'>} app */
export function modelWords(state, app) {
  const {model, training} = state;
  if (training.state === 'running' || training.state === 'stopping') {
    const part = lookUp(TRAINING, training.task) ?? 'Learning';
    const share = training.total ? ` ${Math.floor((100 * training.step) / training.total)} %` : '';
    const left = training.seconds_left ? ` · ${duration(training.seconds_left)} left` : '';
    const words = training.state === 'stopping' ? 'Stopping; what is learnt is kept' : `${part}${share}${left}`;
    return {words, short: training.state === 'stopping' ? 'Stopping' : share.trim() || 'Learning', kind: '',
      busy: true};
  }
  if (model.stage === 'failed') return {words: 'The model failed', short: 'Failed', kind: 'bad', busy: false};
  if (model.stage === 'decoding' || model.stage === 'features') {
    const done = `${model.done}/${model.total}`;
    const words = model.stage === 'decoding' ? `Reading pictures ${done}` : `Looking at every picture ${done}`;
    return {words, short: done, kind: '', busy: true};
  }
  if (model.stage === 'none') return {words: 'Nothing learnt yet', short: 'No model', kind: 'quiet', busy: false};
  if (!model.fitted_to) return {words: 'Ready for labels', short: 'Ready', kind: 'good', busy: model.fitting};
  const error = model.held_out === null ? '' : `±${meanErrorText(app, model.held_out_px, model.held_out)}`;
  return {words: `Suggestions from ${count(model.fitted_to, 'picture')}${error ? ` · ${error}` : ''}`,
    short: error || 'Ready', kind: 'good', busy: model.fitting};
}

/** What has to be said across the whole width: a lost server, another token, a full disk. */
export class Banners {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.place = byId('banners');
    app.on('connection', () => this.draw());
    app.on('state', () => this.draw());
    setInterval(() => {
      if (app.api.connection === 'lost') this.draw();
    }, 500);
  }

  draw() {
    const {api, state} = this.app;
    const seconds = Math.max(0, Math.ceil((api.retryAt - Date.now()) / 1000));
    /** @type {[kind: string, words: string, action: Child][]} */
    const lines = [];
    if (api.connection === 'lost') {
      const kept = this.app.outbox?.changes()
        ? 'Your changes are kept here and sent when it does.'
        : 'You can go on; changes are kept here.';
      lines.push([
        'lost',
        `The server does not answer. ${kept} ${seconds ? `Trying again in ${seconds} s.` : 'Trying…'}`,
        h('button', {testid: 'retry', onclick: () => api.retry()}, 'Try now'),
      ]);
    }
    if (api.connection === 'denied') {
      lines.push([
        'denied',
        'The studio was started anew and wants its new key: open the URL that it printed in the terminal. '
        + 'What is not saved yet is kept here.',
        h('button', {testid: 'retry', onclick: () => api.retry()}, 'Try again'),
      ]);
    }
    if (state?.problem) lines.push(['problem', state.problem, state.foreign ? this.choice() : null]);
    renew(this.place, lines.map((line) => line.slice(0, 2).join()).join('|'),
      () =>
        lines.map(([kind, words, action]) =>
          h(`div.banner.${kind}`, {testid: `banner-${kind}`}, icon('warning'), h('span', words), action)
        ));
  }

  /** Another program wrote the label file: whose labels are to stand. */
  choice() {
    const {app} = this;
    /** @param {'/reload'|'/keep'} path */
    const take = (path) => app.api.post(path).then(() => app.reload()).then(() => app.outbox.retry()).catch(app.report);
    return [
      h('button', {testid: 'take-theirs', title: 'What is not saved yet here is then put on top',
        onclick: () => take('/reload')}, 'Take that file’s'),
      h('button', {testid: 'keep-mine', onclick: () => take('/keep')}, 'Keep those open here'),
    ];
  }
}
