/** Brightness and contrast of the picture on show: for the eye alone, no file is changed. */

import {fill, h, iconButton} from './dom.js';
import {passing} from './kept.js';

const KEY = 'lead.tone';
const PLAIN = {brightness: 1, contrast: 1};

/** The CSS filter of two factors. @param {typeof PLAIN} factors */
export const filterOf = ({brightness, contrast}) =>
  brightness === 1 && contrast === 1
    ? 'none'
    : `brightness(${brightness.toFixed(2)}) contrast(${contrast.toFixed(2)})`;

export class Tone {
  /**
   * @param {HTMLElement} place  of the button
   * @param {(filter: string) => void} apply  takes a CSS filter
   */
  constructor(place, apply) {
    this.apply = apply;
    this.open = false;
    this.values = {...PLAIN, ...passing.value(KEY, {})};
    this.works = 'filter' in CanvasRenderingContext2D.prototype; // not every browser's canvas can
    this.button = iconButton('tone', 'Brightness and contrast', {testid: 'tone', 'aria-expanded': 'false',
      onclick: () => this.toggle()}, 'B');
    this.sliders = {brightness: this.slider('brightness'), contrast: this.slider('contrast')};
    this.panel = h('div.popover', {testid: 'tone-panel', hidden: true, onkeydown: (e) => {
      if (e.key !== 'Escape') return;
      this.toggle();
      this.button.focus();
    }}, h('label.field', 'Brightness', this.sliders.brightness), h('label.field', 'Contrast', this.sliders.contrast),
      h('div.row', h('span.small.muted', 'For your eye alone'), h('span.spacer'),
        h('button.small', {testid: 'tone-reset', onclick: () => this.set({...PLAIN})}, 'Reset')));
    if (!this.works) return;
    fill(place, this.button, this.panel);
    this.set(this.values);
  }

  /** @param {'brightness'|'contrast'} name */
  slider(name) {
    const slider = h('input', {type: 'range', min: '-2', max: '2', step: '0.05', testid: `tone-${name}`,
      'aria-label': name, oninput: () => this.set({...this.values, [name]: 2 ** Number(slider.value)})});
    return slider;
  }

  toggle() {
    if (!this.works) return;
    this.open = !this.open;
    this.panel.hidden = !this.open;
    this.button.setAttribute('aria-expanded', String(this.open));
  }

  /** @param {typeof PLAIN} values */
  set(values) {
    this.values = values;
    this.sliders.brightness.value = String(Math.log2(values.brightness));
    this.sliders.contrast.value = String(Math.log2(values.contrast));
    this.button.setAttribute('aria-pressed', String(filterOf(values) !== 'none'));
    passing.keep(KEY, values);
    this.apply(filterOf(values));
  }
}
