/** Files out and in: labels in every format, the fitted model, the same in a terminal; labels from elsewhere; and
 *  earlier states of the labels. */

import {wordsOf} from './api.js';
import {confirm, count, fill, h, icon, refill, spinner} from './dom.js';
import {lasting} from './kept.js';
import {LabelFile} from './labelfile.js';
import {copyable, segmented} from './parts.js';

/**
 * @import {ExportFormat, Snapshot} from 'types/messages'
 * @import {App} from './app.js'
 */

/** @type {[choice: 'labels'|'predictions'|'both', text: string][]} */
const CHOICES = [['labels', 'My labels'], ['predictions', 'Predictions'], ['both', 'Both']];

/** A path as a shell's word. @param {string} word */
export const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll('\'', '\'\\\'\'')}'`);

/** A time with its zone, as the person's own clock shows it. @param {string} iso */
const local = (iso) =>
  new Intl.DateTimeFormat(undefined, {dateStyle: 'medium', timeStyle: 'medium'}).format(new Date(iso));

/** Hands a fetched file to the browser, under the name that the server gives it.
 *  @param {string} address @param {string} fallback */
async function download(address, fallback) {
  const response = await fetch(address, {credentials: 'same-origin'});
  if (!response.ok) {
    const body = await response.json().catch(() => null);
    throw new Error(body?.error ?? `The server answered with error ${response.status}.`);
  }
  const disposition = response.headers.get('Content-Disposition') ?? '';
  const name = /filename="([^"]+)"/.exec(disposition)?.[1] ?? fallback;
  const href = URL.createObjectURL(await response.blob());
  const link = h('a', {href, download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
  return name;
}

class Export {
  /** @param {HTMLElement} root @param {App} app */
  constructor(root, app) {
    this.app = app;
    this.format = lasting.text('lead.export.format') ?? 'coco';
    /** @type {'labels'|'predictions'|'both'} */
    this.what = 'labels';
    /** @type {ExportFormat[]} */
    this.formats = [];
    this.downloading = false;
    this.dead = false;
    this.status = app.state.model;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.files = h('section.card.stack', {testid: 'export-files', 'aria-label': 'Export labels'});
    this.button = h('span');
    this.model = h('section.card.stack', {testid: 'export-model-card', 'aria-label': 'The model'});
    this.terminal = h('section.card.stack', {testid: 'export-terminal', 'aria-label': 'In a terminal'});
    this.history = h('section.card.stack', {testid: 'history', 'aria-label': 'Earlier states of the labels'});
    const incoming = new LabelFile(app, () => app.landmarks().landmarks.length > 0, 'Import labels');
    root.append(
      h('div.page',
        h('div.column.e-page', h('h1', 'Import and export'),
          h('div.e-columns', this.files, h('div.e-beside', incoming.element, this.model)), this.terminal,
          this.history)),
    );
    app.on('model', (status) => {
      const same = status.stage === this.status.stage && status.model === this.status.model;
      this.status = status;
      if (same || this.downloading) return;
      this.drawFiles();
      this.drawModel();
      this.drawTerminal();
    });
    app.on('labels', () => this.later());
    app.on('pictures', () => {
      if (!this.downloading) this.drawFiles();
    });
    app.on('back', () => this.refresh());
    fill(this.files, h('h2', 'Export labels'), h('p.muted', spinner(), ' Reading the formats…'));
    this.drawModel();
    this.drawTerminal();
    this.refresh();
  }

  /** Reads the history anew, but not for every one of many changes. */
  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.readHistory(), 500);
  }

  async refresh() {
    try {
      this.formats = await this.app.api.get('/formats');
      if (!this.formats.some((f) => f.name === this.format)) this.format = this.formats[0]?.name;
      this.drawFiles();
    } catch (error) {
      if (!this.dead) fill(this.files, h('h2', 'Export labels'), h('p.notice.bad', {role: 'alert'}, wordsOf(error)));
    }
    await this.readHistory();
  }

  // files

  get predicts() {
    return this.status.model > 0;
  }

  drawFiles() {
    if (this.dead || !this.formats.length) return;
    if (!this.predicts) this.what = 'labels';
    this.name();
    const what = segmented('What to export', CHOICES, this.what, 'export-what', (value) => {
      this.what = value;
      this.drawFiles();
    });
    for (const b of what.querySelectorAll('button')) {
      b.disabled = b.dataset.testid !== 'export-what-labels' && !this.predicts;
    }
    const held =
      {labels: this.labelled(),
        predictions: `What the model finds on all ${count(this.app.state.pictures, 'picture')}, labelled or not.`,
        both: `Your labels where there are some, the model’s landmarks on every other picture.`}[this.what];
    refill(this.files,
      h('div.row.wrap', h('h2.spacer', 'Export labels'),
        h('button.primary', {testid: 'export-download',
          onclick: (e) =>
            this.download(e.currentTarget, this.app.api.url('/export', {format: this.format, what: this.what}),
              'landmarks')}, icon('download'), this.button)),
      h('div.row.wrap', what,
        h('span.muted', this.predicts ? held : `${held} Predictions come once it has learnt, and with labels.`)),
      h('fieldset.v-formats', h('legend', 'Format'),
        this.formats.map((f) =>
          h('label.v-preset', {},
            h('input', {type: 'radio', name: 'format', value: f.name, checked: f.name === this.format,
              testid: `format-${f.name}`, onchange: () => this.pick(f.name)}),
            h('span.v-preset-text', h('span', h('strong', f.title), ' ', h('span.badge', f.extension)),
              h('span.muted', f.loses ? `Cannot hold: ${f.loses}` : 'Holds everything.')))
        )));
  }

  /** What there is of labels; apart, those that a suggestion became by being accepted. */
  labelled() {
    const {complete, begun, accepted} = this.app.state;
    const unseen = accepted
      ? ` ${count(accepted, 'label is an accepted suggestion', 'labels are accepted suggestions')} that nobody moved.`
      : '';
    return `Your labels of ${count(complete + begun, 'picture')}.${unseen}`;
  }

  /** @param {string} name */
  pick(name) {
    this.format = name;
    lasting.keep('lead.export.format', name);
    this.name();
  }

  /** Says on the button which format it is. */
  name() {
    const [title] = this.formats.find((f) => f.name === this.format)?.title.split(',') ?? [''];
    fill(this.button, `Download ${title}`);
  }

  /** @param {HTMLButtonElement} button @param {string} address @param {string} fallback */
  async download(button, address, fallback) {
    button.disabled = this.downloading = true;
    const inside = [...button.childNodes];
    fill(button, spinner(), 'Writing…');
    try {
      this.app.toast(`Downloaded ${await download(address, fallback)}.`, 'good');
    } catch (error) {
      this.app.toast(wordsOf(error), 'bad');
    } finally {
      fill(button, inside);
      button.disabled = this.downloading = false;
    }
  }

  // the model

  drawModel() {
    if (this.dead) return;
    const ready = this.status.stage === 'ready' && this.app.state.complete + this.app.state.begun > 0;
    fill(this.model, h('h2', 'The model'),
      h('p', 'One file with what was learnt and the landmarks fitted to your labels. ', h('code', 'lead predict'),
        ' and ', h('code', 'lead.Landmarker'), ' use it on any pictures, without this folder.'),
      h('div.row',
        h('button', {testid: 'export-model', disabled: !ready,
          onclick: (e) => this.download(e.currentTarget, this.app.api.url('/export/model'), 'landmarks.safetensors')},
          icon('download'), 'Download the model'), ready
        ? h('span.muted', 'Fitted anew to all of your labels: may take a minute.')
        : h('span.muted', {testid: 'export-model-why'},
          'It needs a trained model and at least one labelled picture.')));
  }

  // in a terminal

  drawTerminal() {
    if (this.dead) return;
    const {folder, label_file: labels, training} = this.app.state;
    const run = quote(training.run ?? 'RUN');
    const inside = labels.slice(0, labels.lastIndexOf('/')) === folder.replace(/\/+$/, '');
    /** @type {[name: string, title: string, line: string][]} */
    const lines = [
      [
        'fit',
        'Fit landmarks to your labels',
        `lead fit ${run} ${quote(labels)} --pictures ${quote(folder)} --out mine.safetensors`,
      ],
      [
        'predict',
        'Find them on pictures',
        `lead predict mine.safetensors ${quote(folder)} --out landmarks.json --draw drawings`,
      ],
    ];
    if (inside) {
      lines.push(['evaluate', 'Measure how good it is on your labels',
        `lead evaluate ${run} ${quote(folder)} regression`]);
    }
    fill(this.terminal, h('h2', 'In a terminal'),
      h('p', 'Your labels are in ', h('code', {testid: 'label-file'}, labels),
        ' as COCO key points, always up to date. The same work there:'),
      lines.map(([name, title, line]) =>
        h('div.v-line', h('span.muted', title), copyable(line, `copy-${name}`, title))
      ),
      training.run ? null : h('p.muted', 'RUN stands for the folder of the trained model, which does not exist yet.'));
  }

  // history

  async readHistory() {
    try {
      const snapshots = await this.app.api.get('/history');
      if (!this.dead) this.drawHistory(snapshots);
    } catch (error) {
      if (!this.dead) fill(this.history, h('h2', 'History'), h('p.notice.bad', {role: 'alert'}, wordsOf(error)));
    }
  }

  /** @param {Snapshot[]} snapshots */
  drawHistory(snapshots) {
    fill(this.history, h('h2', 'History'),
      h('p.muted',
        'Earlier states of the label file, newest first. Restoring one puts the present state in here first, '
          + 'so that you can come back.'), snapshots.length
      ? h('ul.v-list.v-history',
        snapshots.map((s) =>
          h('li', {testid: 'snapshot', 'data-id': s.id},
            h('div.spacer', h('strong', h('time', {datetime: s.at}, local(s.at))), h('span.muted', ` ${s.why}`),
              h('div.muted', `${count(s.pictures, 'picture')}, ${count(s.points, 'point')}`)),
            h('button', {testid: 'restore', 'aria-label': `Restore the state of ${local(s.at)}`, onclick: () =>
              this.restore(s)}, icon('history'), 'Restore'))
        ))
      : h('p.muted', {testid: 'no-history'},
        'None yet. The labels are put in here before the first change of a session, now and then while you '
          + 'label, and before anything that takes labels away.'));
  }

  /** @param {Snapshot} snapshot */
  async restore(snapshot) {
    const yes = await confirm('Go back to this state?',
      `The labels become what they were on ${local(snapshot.at)}: ${count(snapshot.points, 'point')} on ${
        count(snapshot.pictures, 'picture')
      }. The present state is put into the history first.`, 'Restore');
    if (!yes || this.dead) return;
    try {
      await this.app.api.post(`/history/${encodeURIComponent(snapshot.id)}/restore`);
      this.app.toast('Restored. The state before it is in the history.', 'good');
      await this.readHistory();
    } catch (error) {
      this.app.toast(wordsOf(error), 'bad');
    }
  }

  close() {
    this.dead = true;
    clearTimeout(this.timer);
  }
}

/** @param {HTMLElement} root @param {App} app */
export function mount(root, app) {
  const view = new Export(root, app);
  return () => view.close();
}
