/** The top bar (navigation, progress, model, saving) and the banners below it. */

import {dialog, duration, fill, h, icon, iconButton, percent, px, spinner, text} from './dom.js';

const NAVIGATION = [['label', 'Label'], ['review', 'Review'], ['explore', 'Explore'], ['landmarks', 'Landmarks'], [
  'features',
  'Features',
], ['export', 'Export']];

export class TopBar {
  /** @param {object} app */
  constructor(app) {
    this.app = app;
    this.links = new Map();
    this.bar = h('span.progress-bar', h('span'));
    this.progress = h('span.progress-text', {testid: 'progress'});
    this.model = h('a.chip.model', {testid: 'model-status', href: app.href('features')});
    this.save = h('button.chip.save', {testid: 'save-state', 'aria-live': 'polite', onclick: () => this.explain()});
    const links = NAVIGATION.map(([name, label]) => {
      const link = h('a', {href: app.href(name), testid: `nav-${name}`}, label);
      this.links.set(name, link);
      return link;
    });
    fill(document.getElementById('top'),
      h('a.brand', {href: app.href('label'), testid: 'brand', title: app.state.folder}, mark(),
        h('span', 'lead studio')), h('nav', {'aria-label': 'Views'}, links), h('span.spacer'),
      h('span.progress', {title: 'Pictures on which every landmark is labelled'}, this.bar, this.progress), this.model,
      this.save, iconButton('theme', 'Dark or light', {testid: 'theme', onclick: () => app.toggleTheme()}, 'T'),
      iconButton('help', 'Keys and help', {testid: 'help', onclick: () => app.help()}, '?'));
    for (const kind of ['state', 'pictures', 'model', 'training', 'picture']) app.on(kind, () => this.draw());
    app.on('status', () => this.drawSave());
    app.on('connection', () => this.drawSave());
    app.on('route', () => this.drawRoute());
    app.on('picture', () => this.drawRoute());
    this.draw();
    this.drawSave();
  }

  drawRoute() {
    const shown = this.app.route.name === 'disputes' ? 'review' : this.app.route.name;
    for (const [name, link] of this.links) {
      if (name === shown) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
      // Explore opens on the picture that is being labelled, and the other way about.
      if (['label', 'explore'].includes(name)) link.href = this.app.href(name, this.app.route.id ?? this.app.last);
    }
  }

  draw() {
    const {state, pictures} = this.app;
    const total = pictures.length;
    text(this.progress, `${state.complete.toLocaleString('en')} of ${total.toLocaleString('en')} labelled`);
    this.bar.firstChild.style.width = `${
      total ? Math.max(state.complete ? 2 : 0, (100 * state.complete) / total) : 0
    }%`;
    const {words, kind, busy} = modelWords(state, this.app.shown);
    if (this.model.dataset.words === words + kind + busy) return;
    this.model.dataset.words = words + kind + busy;
    this.model.className = `chip model ${kind}`;
    this.model.title = words;
    fill(this.model, busy ? spinner() : h('span.dot'), h('span', words));
  }

  drawSave() {
    const {state, changes, reason} = this.app.outbox.status();
    const denied = this.app.api.connection === 'denied';
    const lost = this.app.api.connection === 'lost';
    const kept = `${changes} ${changes === 1 ? 'change is' : 'changes are'} kept here`;
    const why = denied
      ? `open the new URL; ${kept}`
      : lost
      ? `the server does not answer; ${kept}`
      : `${kept}. ${reason}`;
    const words = state === 'saved'
      ? 'Saved'
      : state === 'saving' && !lost && !denied
      ? 'Saving…'
      : `Not saved: ${why}`;
    this.save.className = `chip save ${state === 'saved' ? '' : state === 'saving' && !lost ? 'busy' : 'bad'}`;
    this.save.dataset.state = state === 'saving' && (lost || denied) ? 'unsaved' : state;
    document.getElementById('top').classList.toggle('alert',
      this.save.dataset.state === 'unsaved' || state === 'unsaved');
    this.save.title = state === 'saved' ? `Every change is saved at once in ${this.app.state.label_file}` : words;
    if (this.save.dataset.words === words) return;
    this.save.dataset.words = words;
    fill(this.save,
      state === 'saved' ? icon('accept', 14) : state === 'saving' && !lost && !denied ? spinner() : icon('warning', 14),
      h('span', words));
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
    const actions = [{label: 'Try again', value: 'retry', kind: 'primary'}, {label: 'Close', value: null}];
    if (refused.length) actions.push({label: 'Discard what was refused', value: 'discard', kind: 'danger'});
    const choice = await dialog({title: `${changes} ${changes === 1 ? 'change' : 'changes'} not saved yet`, body,
      actions, testid: 'unsaved'});
    if (choice === 'retry') app.outbox.retry();
    if (choice === 'discard') { for (const {id} of refused) app.outbox.discard(id); }
  }
}

/** The model's state in a few words. `shown` is the PictureDetail of the picture on show, for an error in its
 *  pixels. */
export function modelWords(state, shown) {
  const {model, training} = state;
  if (training.state === 'running' || training.state === 'stopping') {
    const part =
      {decoding: 'Reading pictures', pretrain: 'Training, stage 1', distill: 'Training, stage 2'}[training.task]
        ?? 'Training';
    const share = training.total ? ` ${Math.floor((100 * training.step) / training.total)} %` : '';
    const left = training.seconds_left ? ` · ${duration(training.seconds_left)} left` : '';
    return {words: training.state === 'stopping' ? 'Stopping the training' : `${part}${share}${left}`, kind: '',
      busy: true};
  }
  if (model.stage === 'failed') return {words: 'The model failed', kind: 'bad', busy: false};
  if (model.stage === 'decoding') return {words: `Reading pictures ${model.done}/${model.total}`, kind: '', busy: true};
  if (model.stage === 'features') {
    return {words: `Computing features ${model.done}/${model.total}`, kind: '', busy: true};
  }
  if (model.stage === 'none') return {words: 'No features yet', kind: 'quiet', busy: false};
  if (!model.fitted_to) return {words: 'Features ready', kind: 'good', busy: model.fitting};
  const error = model.held_out === null
    ? ''
    : shown
    ? ` · ±${px(model.held_out * Math.max(shown.width, shown.height))} px`
    : ` · ±${percent(model.held_out)}`;
  return {words: `Suggestions from ${model.fitted_to} ${model.fitted_to === 1 ? 'picture' : 'pictures'}${error}`,
    kind: 'good', busy: model.fitting};
}

function mark() {
  const image = h('img', {src: '/static/icon.svg', alt: '', width: 22, height: 22});
  return image;
}

/** What has to be said across the whole width: a lost server, another token, a full disk. */
export class Banners {
  constructor(app) {
    this.app = app;
    this.place = document.getElementById('banners');
    app.on('connection', () => this.draw());
    app.on('state', () => this.draw());
    setInterval(() => {
      if (app.api.connection === 'lost') this.draw();
    }, 500);
  }

  draw() {
    const {api, state} = this.app;
    const seconds = Math.max(0, Math.ceil((api.retryAt - Date.now()) / 1000));
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
    const now = lines.map((l) => l.slice(0, 2).join()).join('|');
    if (now === this.now) return;
    this.now = now;
    fill(this.place,
      lines.map(([kind, words, action]) =>
        h(`div.banner.${kind}`, {testid: `banner-${kind}`}, icon('warning'), h('span', words), action)
      ));
  }

  /** Another program wrote the label file: whose labels are to stand. */
  choice() {
    const {app} = this;
    const take = (path) => app.api.post(path).then(() => app.reload()).then(() => app.outbox.retry()).catch(app.report);
    return [
      h('button', {testid: 'take-theirs', title: 'What is not saved yet here is then put on top', onclick: () =>
        take('/reload')}, 'Take that file’s'),
      h('button', {testid: 'keep-mine', onclick: () => take('/keep')}, 'Keep those open here'),
    ];
  }
}
