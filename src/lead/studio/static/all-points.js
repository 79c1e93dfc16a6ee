/** What is done with all points of a picture at once, and the menu of it. */

import {count, fill, h, iconButton} from './dom.js';
import {keyCap, keyed} from './keys.js';
import {freshKey} from './specimens.js';
import {takeBack} from './travel.js';

/**
 * @import {PictureDetail} from 'types/messages'
 * @import {App} from './app.js'
 * @import {Action} from './keys.js'
 * @import {Labelling} from './labelling.js'
 * @import {Points} from './outbox.js'
 */

export class AllPoints {
  /**
   * @param {App} app
   * @param {Labelling} work
   * @param {() => string|null} previous  id of the picture before this one in the list
   * @param {() => void} remove  takes the specimen out, where pictures show several
   */
  constructor(app, work, previous, remove) {
    this.app = app;
    this.work = work;
    this.previous = previous;
    this.remove = remove;
    this.clears = h('span', 'Clear all');
    this.button = iconButton('menu', 'All points', {testid: 'all-points', 'aria-expanded': 'false',
      onclick: () => this.toggle(this.menu.hidden)});
    this.items = [
      this.item('unlabelled', 'Next without a label', () => work.nextUnlabelled()),
      this.item('remainingAbsent', 'The rest is absent', () => this.remainingAbsent()),
      this.item('copyPrevious', 'Copy from the previous picture', () => this.copyPrevious()),
      this.item('clearAll', this.clears, () => this.clearAll()),
    ];
    this.menu = h('div.popover.all-points', {testid: 'all-points-menu', role: 'group', 'aria-label': 'All points',
      hidden: true, onkeydown: (event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        this.toggle(false);
        this.button.focus();
      }}, this.items);
    this.element = h('span.all-points-place', {onfocusout: ({relatedTarget}) => {
      if (!(relatedTarget instanceof Node && this.element.contains(relatedTarget))) this.toggle(false);
    }}, this.button, this.menu);
  }

  /** @param {Action} action @param {string|HTMLElement} words @param {() => void} run */
  item(action, words, run) {
    const title = typeof words === 'string' ? words : words.textContent ?? '';
    return keyed(h('button.plain', {testid: `all-${action}`, onclick: () => {
      this.toggle(false);
      run();
    }}, words, h('span.spacer'), keyCap(action)), action, title);
  }

  /** @param {boolean} open */
  toggle(open) {
    this.menu.hidden = !open;
    this.button.setAttribute('aria-expanded', String(open));
    const {several} = this.work.specimens;
    fill(this.clears, several ? 'Take the specimen out' : 'Clear all');
    if (open) this.items[0].focus();
  }

  /** Changes points, says so, and offers to take that back. @param {Points} points @param {string} what
   *  @param {string} done  a sentence without its full stop */
  change(points, what, done) {
    const {app, work} = this;
    const change = work.change(points, what);
    if (change) app.toast(`${done} on ${this.file}`, 'info', {label: 'Undo', run: () => takeBack(app, change)});
    work.current = null;
    work.settleCurrent();
    work.on.changed();
  }

  get file() {
    return this.work.detail?.file ?? '';
  }

  remainingAbsent() {
    const {names, labels, id} = this.work;
    const left = names.filter((name) => !labels[name]);
    if (!id) return;
    if (!left.length) this.app.toast('Every landmark has a label.');
    else {
      this.change(Object.fromEntries(left.map((name) => [name, {state: 'absent', x: null, y: null}])),
        `${count(left.length, 'landmark')} absent`, `${count(left.length, 'landmark')} marked as absent`);
    }
  }

  clearAll() {
    const {labels, id} = this.work;
    const there = Object.keys(labels);
    if (!id) return;
    if (this.work.specimens.several) {
      this.remove();
      return;
    }
    if (!there.length) this.app.toast('There is no label to clear.');
    else {
      this.change(Object.fromEntries(there.map((name) => [name, null])), 'clearing all',
        `${count(there.length, 'label')} cleared`);
    }
  }

  /** The previous picture's points, where this one has no label: nobody placed them here, so they count as accepted. */
  async copyPrevious() {
    const {app, work} = this;
    const {detail} = work;
    const id = this.previous();
    if (!detail) return;
    if (!id) {
      app.toast('There is no picture before this one in the list.');
      return;
    }
    try {
      const from = await app.load(id);
      if (work.id !== detail.id) return; // gone elsewhere meanwhile
      if (work.specimens.several) {
        this.copySpecimens(from, detail);
        return;
      }
      const points = copied(from, detail, work.names.filter((name) => !work.labels[name]));
      const n = Object.keys(points).length;
      if (n) this.change(points, `copying ${count(n, 'point')}`, `${count(n, 'point')} of ${from.file} copied`);
      else app.toast(`${from.file} has no point that this picture lacks.`);
    } catch (error) {
      app.report(error);
    }
  }

  /** All specimens of another picture, on one that has none. @param {PictureDetail} from @param {PictureDetail} to */
  copySpecimens(from, to) {
    const {app, work} = this;
    if (work.specimens.labelled.length) {
      app.toast('Specimens are copied only to a picture that has none.');
      return;
    }
    const changes = from.specimens.flatMap((labels) => {
      const points = copied({...from, labels}, to, work.names);
      return Object.keys(points).length
        ? [{id: freshKey(to.id), points, marks: {gone: false, track: labels.track}}]
        : [];
    });
    const what = count(changes.length, 'specimen');
    const change = app.changeAll(changes, `copying ${what}`);
    if (change) {
      app.toast(`${what} of ${from.file} copied`, 'info', {label: 'Undo', run: () => takeBack(app, change)});
    } else app.toast(`${from.file} has no specimen that could be copied.`);
    work.settleCurrent();
    work.on.changed();
  }
}

/**
 * Points of one picture as they come to stand on another, whose size may differ.
 * @param {Pick<PictureDetail, 'width'|'height'|'labels'>} from
 * @param {{width: number, height: number}} to
 * @param {string[]} names  of the landmarks wanted
 * @returns {Points} accepted ones: nobody has placed them there. Absent landmarks are not copied.
 */
export function copied(from, to, names) {
  const [across, down] = [to.width / from.width, to.height / from.height];
  /** @param {number} value @param {number} scale */
  const scaled = (value, scale) => Math.round(((value + 0.5) * scale - 0.5) * 1000) / 1000;
  /** @type {Points} */
  const points = {};
  for (const name of names) {
    const point = from.labels.points[name];
    if (!point || point.state === 'absent') continue;
    points[name] = {state: point.state, x: scaled(point.x, across), y: scaled(point.y, down), accepted: true};
  }
  return points;
}
