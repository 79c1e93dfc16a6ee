/** Taking landmarks, or landmarks and labels, from a label file in any format that is read. */

import {ApiError, wordsOf} from './api.js';
import {Called} from './called.js';
import {count, fill, find, h, icon, refill, spinner} from './dom.js';
import {segmented} from './parts.js';

/**
 * @import {Imported} from 'types/messages'
 * @import {App} from './app.js'
 */

const LARGEST = 64 * 2 ** 20; // bytes
const NAMED = 8; // missing pictures that are named
/** @type {[choice: 'labels'|'landmarks', text: string][]} */
const CHOICES = [['labels', 'Landmarks and labels'], ['landmarks', 'Landmarks only']];

/** Bytes as "12 kB". @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export class LabelFile {
  /** @param {App} app @param {() => boolean} some  whether there are landmarks already */
  constructor(app, some, title = 'From a label file') {
    this.app = app;
    this.title = title;
    this.some = some;
    /** @type {File|null} */
    this.file = null;
    /** @type {'labels'|'landmarks'} */
    this.what = 'labels';
    this.busy = false;
    this.replace = false;
    this.add = false;
    /** once it is known that the file's landmarks are not those here @type {Called|null} */
    this.called = null;
    this.picker = h('input.visually-hidden', {type: 'file', testid: 'import-file', tabindex: -1,
      'aria-label': 'Label file', onchange: () => this.choose(this.picker.files)});
    this.body = h('div.stack');
    this.report = h('div', {testid: 'import-report', 'aria-live': 'polite'});
    this.element = h('section.card.stack.l-file', {testid: 'import', 'aria-label': title, ondragover: (event) => {
      event.preventDefault();
      this.element.classList.add('over');
    }, ondragleave: () => this.element.classList.remove('over'), ondrop: (event) => {
      event.preventDefault();
      this.element.classList.remove('over');
      this.choose(event.dataTransfer?.files);
    }}, this.picker, this.body, this.report);
    this.draw();
  }

  /** @param {FileList|null|undefined} files */
  choose(files) {
    if (!files?.length) return;
    [this.file] = files;
    this.called = null;
    fill(this.report);
    this.draw();
    find(this.body, '[data-testid="import-go"]')?.focus();
  }

  forget() {
    this.file = this.called = null;
    this.picker.value = '';
    this.draw();
  }

  draw() {
    const {file} = this;
    refill(this.body,
      h('div.row', h('h2', this.title), h('span.spacer'),
        h('button', {testid: 'import-choose', onclick: () => this.picker.click()}, icon('folder'),
          file ? 'Choose another' : 'Choose a file')), file
      ? this.offer(file)
      : h('p.muted',
        'Names, lines, pairs and labels from COCO key points, CSV and the other formats that are written here. '
          + 'Drop the file here, or choose it.'));
  }

  /** @param {File} file */
  offer(file) {
    const large = file.size > LARGEST;
    return [
      h('p', {testid: 'import-name'}, h('strong', file.name), h('span.muted', ` ${size(file.size)}`)),
      this.called?.element,
      large ? h('p.notice.bad', 'A label file can be 64 MB at most.') : null,
      segmented('What to take', CHOICES, this.what, 'import-what', (what) => {
        this.what = what;
        this.called = null;
        this.draw();
      }),
      this.what === 'labels'
        ? h('label.check',
          h('input', {type: 'checkbox', testid: 'import-replace', checked: this.replace,
            onchange: (e) => this.replace = e.currentTarget.checked}),
          'Where the file and the labels here differ, take the file’s')
        : null,
      this.some()
        ? h('label.check', h('input', {type: 'checkbox', testid: 'import-add', checked: this.add, onchange: (e) => {
          this.add = e.currentTarget.checked;
          this.called = null;
          this.draw();
        }}), 'Add landmarks of the file that are not here yet')
        : null,
      h('div.row',
        h('button.primary', {testid: 'import-go', disabled: large || this.busy, onclick: () => this.send(file)},
          this.busy ? [spinner(), 'Reading…'] : [icon('upload'), this.called ? 'Take them so' : 'Take them']),
        h('button.plain', {testid: 'import-cancel', onclick: () => this.forget()}, 'Not now')),
    ];
  }

  /** @param {File} file @param {Record<string, string | boolean>} more what else is asked for */
  async send(file, more = {}) {
    const {app, what} = this;
    const called = this.called?.chosen.join('\n');
    this.busy = true;
    this.draw();
    try {
      if (!(await app.outbox.flushed())) throw new Error('Some labels are not saved yet; try again when they are.');
      /** @type {Imported} */
      const told = await app.api.request('/import', {method: 'POST', timeout: 300000,
        body: new Blob([file], {type: 'application/octet-stream'}),
        query: {what, replace: what === 'labels' && this.replace, add: this.some() && this.add, name: file.name, called,
          ...more}});
      await app.reload();
      fill(this.report, this.told(file.name, told), this.further(file, told, more));
      this.busy = false;
      this.forget();
      this.report.scrollIntoView({block: 'nearest'});
    } catch (error) {
      this.busy = false;
      const theirs = error instanceof ApiError && what === 'labels' ? error.body?.theirs : null;
      if (theirs && !this.called) {
        this.called = new Called(file.name, theirs, app.landmarks().landmarks.map((l) => l.name));
        this.draw();
        fill(this.report);
        find(this.body, '[data-testid="import-go"]')?.focus();
        return;
      }
      this.draw();
      fill(this.report,
        h('p.notice.bad', {role: 'alert', testid: 'import-error'}, icon('warning'), h('span', wordsOf(error))));
      this.report.scrollIntoView({block: 'nearest'});
    }
  }

  /** What else the person may want of the file.
   * @param {File} file @param {Imported} told @param {Record<string, string | boolean>} more what was asked for */
  further(file, {predicted, unclear}, more) {
    /** @type {(words: string, button: string, testid: string, query: Record<string, string | boolean>) => Node} */
    const offer = (words, button, testid, query) =>
      h('div.notice', icon('help'), h('div.stack', h('p', words), h('button', {testid, onclick: () =>
        this.send(file, {...more, ...query})}, button)));
    return [
      predicted
        ? offer(`Left out: ${count(predicted, 'point')} that a model said and no person has touched. Taken as accepted `
          + 'suggestions, models learn from them, but no error is measured on them.',
          'Take them as accepted suggestions', 'import-predictions', {predictions: true})
        : null,
      unclear
        ? offer(
          `${count(unclear, 'labelled picture')}: turned by the camera’s mark (EXIF). If the points lie wrong now, `
            + 'the other tool showed them unturned.',
          'They were labelled unturned: take them so',
          'import-stored',
          {labelled_as: 'stored', replace: true},
        )
        : null,
    ];
  }

  /** @param {string} name @param {Imported} told */
  told(name, {format, landmarks, added, same, kept, replaced, missing, notes}) {
    /** @type {[n: number, one: string, how: string][]} */
    const found = [
      [landmarks, 'landmark', 'taken'],
      [added, 'label', 'added'],
      [replaced, 'label', 'replaced by the file’s'],
      [kept, 'label', 'kept; the file says otherwise'],
      [same, 'label', 'the same in both'],
    ];
    const lines = found.filter(([n]) => n);
    return h('div.notice.l-report', icon('accept'),
      h('div.stack', h('p', h('strong', name), ` was read as ${format}.`), lines.length
        ? h('ul', lines.map(([n, one, how]) => h('li', h('span.number', count(n, one)), ` ${how}`)))
        : h('p', 'There was nothing new in it.'), notes.map((note) => h('p', note)), missing.length
        ? h('details',
          h('summary',
            `${count(missing.length, 'picture')} of the file ${
              missing.length === 1 ? 'is' : 'are'
            } not in this folder`),
          h('ul.mono', missing.slice(0, NAMED).map((file) => h('li', file)),
            missing.length > NAMED ? h('li', `and ${missing.length - NAMED} more`) : null))
        : null));
  }
}
