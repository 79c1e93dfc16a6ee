/** What Enter does: accepts what is sure, shows what is very uncertain, and goes on when all is settled. */

import {count, h, icon, kbd, renew} from './dom.js';
import {keyCap, keys} from './keys.js';
import {errorText} from './parts.js';
import {takeBack} from './travel.js';

/**
 * @import {Child} from 'types/dom'
 * @import {App} from './app.js'
 * @import {PictureCanvas} from './canvas.js'
 * @import {CurveTool} from './curve-tool.js'
 * @import {View} from './geometry.js'
 * @import {Heading} from './heading.js'
 * @import {Labelling, Plan} from './labelling.js'
 * @import {Next} from './next.js'
 */

export class Enter {
  /** @param {App} app @param {Labelling} work @param {Next} next @param {() => PictureCanvas} canvas
   *  @param {() => Heading} heading */
  constructor(app, work, next, canvas, heading) {
    this.app = app;
    this.work = work;
    this.next = next;
    this.canvas = canvas;
    this.heading = heading;
    /** the picture that uncertain points are shown of from near, and what was shown of it before (null: the whole)
     *  @type {{id: string|null, view: View|null}|null} */
    this.from = null;
    /** draws curves @type {CurveTool|null} */
    this.curve = null;
    /** what a click just missed; until something changes @type {string|null} */
    this.missed = null;
    this.button = h('button.primary', {testid: 'accept-all', onclick: () => this.run()}, 'Next picture');
    this.hint = h('div.hint', {testid: 'hint', 'aria-live': 'polite'});
  }

  // --- doing ---------------------------------------------------------------------------------------------------------

  run() {
    const {work, next, app} = this;
    if (next.busy) return;
    if (this.curve?.drafting) {
      this.curve.end();
      return;
    }
    if (work.id && !work.names.length) {
      app.go('landmarks');
      return;
    }
    const {kind, names, doubts} = work.plan();
    if (kind === 'accept') this.acceptSure(names, doubts);
    else if (kind === 'single') {
      work.acceptAll(names);
      this.afterDoubt(names[0]);
    } else if (kind === 'look') work.look(names[0]);
    else if (kind === 'specimen') this.nextSpecimen();
    else if (kind === 'next') next.goOn();
    else this.tellLeft(names);
  }

  /** @param {string[]} names @param {string[]} doubts */
  acceptSure(names, doubts) {
    const {work, app} = this;
    const file = work.detail?.file ?? '';
    const change = work.acceptAll(names);
    if (!change) return;
    app.toast(`${count(names.length, 'point')} accepted on ${file}`, 'info', {label: 'Undo',
      run: () => takeBack(app, change)});
    const left = work.names.filter((name) => !work.labels[name]);
    if (doubts.length) work.look(doubts[0]);
    else if (left.length) this.tellLeft(left);
    else if (work.specimens.several) this.nextSpecimen(); // whether it was the last one, the person says
    else this.next.goOn();
  }

  /** On to the next specimen of which something is to be labelled or accepted. */
  nextSpecimen() {
    this.back();
    const key = this.work.specimens.nextOpen;
    if (key) this.work.choose(key);
    else this.work.on.changed();
  }

  /** The current one: its suggestion becomes a label, or its accepted label is checked. */
  accept() {
    const {work} = this;
    const {current} = work;
    const {kind, names} = work.plan();
    work.accept();
    if (current && kind === 'single' && names[0] === current) this.afterDoubt(current);
  }

  /** One that was very uncertain has its label: the next of them, or the picture as it was shown before.
   *  @param {string} name */
  afterDoubt(name) {
    const {work} = this;
    const {kind, names} = work.plan();
    if (kind === 'look') work.look(names[0]);
    else {
      this.back();
      work.advance(name);
    }
  }

  /** @param {string[]} left  landmarks that have neither */
  tellLeft(left) {
    this.back();
    this.work.select(left[0]);
    const have = left.length === 1 ? `${left[0]} has` : `${left.length} landmarks have`;
    const [absent, next] = [keys.hint('absent'), keys.hint('nextPicture')];
    this.app.toast(`${have} neither label nor suggestion: click where, or press ${absent} if absent. “${next}” goes on `
      + 'all the same.');
  }

  /** @param {number} x @param {number} y @param {number} reach */
  near(x, y, reach) {
    const canvas = this.canvas();
    const {id} = this.work;
    if (this.from?.id !== id) this.from = {id, view: canvas.fitted ? null : canvas.view};
    canvas.near(x, y, reach);
  }

  /** From near points back to what was shown of the picture before. */
  back() {
    const {from} = this;
    this.from = null;
    if (from?.id !== this.work.id || !from) return;
    if (from.view) this.canvas().look(from.view);
    else this.canvas().fit();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw() {
    const plan = this.work.plan();
    this.drawButton(plan);
    this.drawHint(plan);
  }

  /** @param {Plan} plan */
  drawButton(plan) {
    const {work, button} = this;
    const [words, sign] = this.curve?.drafting
      ? ['End the curve', /** @type {const} */ ('accept')]
      : this.buttonWords(plan);
    button.hidden = !work.names.length;
    button.disabled = Boolean(work.id) && plan.kind === 'place' && !this.curve?.drafting;
    button.classList.toggle('primary', plan.kind !== 'next');
    button.dataset.does = plan.kind;
    renew(button, words, () => [icon(sign, 14), h('span.ellipsis', words), keyCap('acceptAll')]);
  }

  /** @param {Plan} plan */
  drawHint({kind, doubts}) {
    const {id, current, labels, armed, hiddenNext, names, suggestions} = this.work;
    const label = current ? labels[current] : null;
    const shown = [this.work.key, this.work.specimens.several, current, label?.state, label?.accepted, armed,
      hiddenNext, names.length, kind, doubts.length, current && suggestions.points[current]?.expected_px, Boolean(id),
      this.missed, this.work.awaits(null), Boolean(this.canvas().crosshair.at), this.canvas().pointing,
      this.heading().isSaid, this.curve?.stamp];
    this.hint.hidden = !id;
    renew(this.hint, shown.join('|'), () => this.hintWords(kind, doubts));
  }

  /** What a click does now. @param {Plan['kind']} kind @param {string[]} doubts @returns {Child} */
  hintWords(kind, doubts) {
    const {id, current, names, labels, hiddenNext, suggestions, armed} = this.work;
    if (!id) return null;
    if (!names.length) return 'No landmarks are named yet.';
    if (this.canvas().pointing) {
      const said = this.heading().isSaid
        && h('button.small', {testid: 'take-up-back', onclick: () => this.heading().takeBack()}, 'Take it back',
          keyCap('clear'));
      return [icon('thisWayUp', 14), 'Drag from its bottom to its top.', kbd('Esc'), 'not', said];
    }
    if (this.missed) return [icon('info', 14), this.missed];
    const along = !this.canvas().crosshair.at && this.curve?.words((name) => this.named(name));
    if (along) return along;
    if (!current && this.work.specimens.several) {
      return [icon('accept', 14), 'This specimen is labelled.', keyCap('addSpecimen'), 'new specimen',
        keyCap('acceptAll'), kind === 'specimen' ? 'next specimen' : 'next picture'];
    }
    if (!current) return [icon('accept', 14), 'All labelled.', keyCap('acceptAll'), 'next picture'];
    const named = this.named(current);
    if (this.canvas().crosshair.at) return [named, kbd('↵'), 'places it', kbd('Esc'), 'not'];
    const label = labels[current];
    if (!label) {
      const guess = suggestions.points[current];
      const doubt = guess && doubts.includes(current);
      const click = hiddenNext ? [named, 'is covered: click where it would be'] : ['Click', named];
      return [doubt ? h('span', `Very uncertain, ±${errorText(this.app, guess.expected_px, this.work.side)}.`) : null,
        click, guess && ['or', keyCap('accept'), doubt && kind !== 'single' ? 'to look at it' : 'to accept']];
    }
    if (label.accepted) return [named, 'accepted, not checked:', keyCap('accept'), 'it is right, or drag it'];
    if (armed) return ['Click to set', named, 'anew'];
    const next = this.work.awaits(null);
    return [named, 'drag or', kbd('←'), kbd('→'), 'to correct', next ? ['· Click', this.named(next)] : null];
  }

  /** @param {string} name */
  named(name) {
    return [h('span.swatch', {style: {'--colour': this.app.colour(name)}}), h('b', name)];
  }

  /** What the large button does, in words and with its icon. @param {Plan} plan
   *  @returns {[string, Parameters<typeof icon>[0]]} */
  buttonWords({kind, names, doubts}) {
    const {several, current} = this.work.specimens;
    if (kind === 'accept' && doubts.length) return [`Accept ${names.length}, look at ${doubts.length}`, 'acceptAll'];
    if (kind === 'accept' && several) {
      const whole = current !== null && !this.work.specimens.isThere(current);
      return [whole ? 'Accept this specimen' : `Accept ${count(names.length, 'point')}`, 'acceptAll'];
    }
    if (kind === 'accept') {
      return [names.length === 1 ? 'Accept the suggestion' : `Accept all ${names.length}`, 'acceptAll'];
    }
    if (kind === 'look') return [`Look at ${names.length} uncertain`, 'search'];
    if (kind === 'single') return [`Accept ${this.work.called(names[0])}`, 'accept'];
    if (kind === 'place' && names.length) return [`${names.length.toLocaleString('en')} left to label`, 'skeleton'];
    return [kind === 'specimen' ? 'Next specimen' : 'Next picture', 'arrowRight'];
  }
}
