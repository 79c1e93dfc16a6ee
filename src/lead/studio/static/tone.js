/** Brightness and contrast of the picture on show: for the eye alone, no file is changed. */

import {fill, h, iconButton} from './dom.js';

const KEY = 'lead.tone';

export class Tone {
  /**
   * @param {HTMLElement} place  of the button
   * @param {(filter: string) => void} apply  takes a CSS filter
   */
  constructor(place, apply) {
    this.apply = apply;
    this.open = false;
    this.values = {brightness: 1, contrast: 1};
    try {
      Object.assign(this.values, JSON.parse(sessionStorage.getItem(KEY)));
    } catch { /* as it is */ }
    if (!('filter' in CanvasRenderingContext2D.prototype)) return; // this browser's canvas cannot
    this.button = iconButton('tone', 'Brightness and contrast', {testid: 'tone', 'aria-expanded': 'false',
      onclick: () => this.toggle()}, 'B');
    this.sliders = Object.fromEntries(
      ['brightness', 'contrast'].map((
        name,
      ) => [
        name,
        h('input', {type: 'range', min: '-2', max: '2', step: '0.05', testid: `tone-${name}`, 'aria-label': name,
          oninput: () => this.slid(name)}),
      ]),
    );
    this.panel = h('div.popover', {testid: 'tone-panel', hidden: true, onkeydown: (e) => {
      if (e.key === 'Escape') {
        this.toggle();
        this.button.focus();
      }
    }}, h('label.field', 'Brightness', this.sliders.brightness), h('label.field', 'Contrast', this.sliders.contrast),
      h('div.row', h('span.small.muted', 'For your eye alone'), h('span.spacer'),
        h('button.small', {testid: 'tone-reset', onclick: () => this.reset()}, 'Reset')));
    fill(place, this.button, this.panel);
    this.set();
  }

  toggle() {
    if (!this.panel) return;
    this.open = !this.open;
    this.panel.hidden = !this.open;
    this.button.setAttribute('aria-expanded', String(this.open));
  }

  slid(name) {
    this.values[name] = 2 ** Number(this.sliders[name].value);
    this.set();
  }

  reset() {
    this.values = {brightness: 1, contrast: 1};
    this.set();
  }

  set() {
    const {brightness, contrast} = this.values;
    const plain = brightness === 1 && contrast === 1;
    for (const [name, slider] of Object.entries(this.sliders)) slider.value = String(Math.log2(this.values[name]));
    this.button.setAttribute('aria-pressed', String(!plain));
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.values));
    } catch { /* not kept */ }
    this.apply(plain ? 'none' : `brightness(${brightness.toFixed(2)}) contrast(${contrast.toFixed(2)})`);
  }
}
