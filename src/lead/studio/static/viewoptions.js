/** How the picture is shown: what is drawn over it, the magnifier, and the zoom from picture to picture. */

import {fill, h, iconButton, kbd} from './dom.js';
import {lasting} from './kept.js';
import {segmented} from './parts.js';

/**
 * @import {Shown} from './canvas.js'
 * @typedef {'small'|'normal'|'large'} Size
 * @typedef {'whole'|'keep'|'landmark'} Zoom
 * @typedef {'points'|'suggestions'|'rings'|'minimap'|'upright'} Check
 * @typedef {{size: Size, points: boolean, suggestions: boolean, rings: boolean, names: Shown['names'],
 *   loupe: Shown['loupe'], minimap: boolean, upright: boolean, zoom: Zoom, times: number}} Values
 */

const KEY = 'lead.view';

/** @type {Values} */
export const USUAL = {size: 'normal', points: true, suggestions: true, rings: true, names: 'current', loupe: 'pointer',
  minimap: true, upright: false, zoom: 'whole', times: 0};

/** @type {Record<Size, number>} */
const RADII = {small: 3.5, normal: 5, large: 8};
/** @type {[Shown['names'], string][]} */
const NAMES = [['current', 'of the current point'], ['all', 'of all points'], ['none', 'of none']];
/** @type {[Shown['loupe'], string][]} */
const LOUPES = [['pointer', 'beside the pointer'], ['corner', 'in the corner'], ['off', 'off']];
/** @type {[Zoom, string][]} */
const ZOOMS = [['whole', 'whole'], ['keep', 'as near as the last one'], ['landmark', 'near each landmark']];
const TIMES = [0, 2, 4, 8, 16]; // 0: as the expected error asks

/** What was kept, with the usual in place of whatever is no choice. @param {unknown} kept @returns {Values} */
export function valuesOf(kept) {
  const values = {...USUAL, ...(kept && typeof kept === 'object' ? kept : {})};
  /** @template T @param {readonly T[]} choices @param {T} value @param {T} usual */
  const oneOf = (choices, value, usual) => choices.includes(value) ? value : usual;
  return {
    size: oneOf(/** @type {Size[]} */ (Object.keys(RADII)), values.size, USUAL.size),
    points: values.points !== false,
    suggestions: values.suggestions !== false,
    rings: values.rings !== false,
    names: oneOf(NAMES.map(([name]) => name), values.names, USUAL.names),
    loupe: oneOf(LOUPES.map(([where]) => where), values.loupe, USUAL.loupe),
    minimap: values.minimap !== false,
    upright: values.upright === true,
    zoom: oneOf(ZOOMS.map(([zoom]) => zoom), values.zoom, USUAL.zoom),
    times: oneOf(TIMES, values.times, USUAL.times),
  };
}

/** @param {Values} values @returns {Shown} */
export const shownOf = ({size, points, suggestions, rings, names, loupe, minimap}) => ({points, suggestions, rings,
  names, loupe, minimap, radius: RADII[size]});

export class ViewOptions {
  /**
   * @param {HTMLElement} place  of the button
   * @param {(values: Values, shown: Shown) => void} apply
   */
  constructor(place, apply) {
    this.place = place;
    this.apply = apply;
    this.open = false;
    /** @type {Map<Check, HTMLInputElement>} */
    this.boxes = new Map();
    /** @type {Map<string, HTMLSelectElement>} */
    this.selects = new Map();
    this.values = valuesOf(lasting.value(KEY, {}));
    this.button = iconButton('visible', 'View: what is shown, and how near', {testid: 'view-options',
      'aria-expanded': 'false', 'aria-controls': 'view-panel', onclick: () => this.toggle()});
    this.times = h('select', {testid: 'view-times', 'aria-label': 'How near',
      onchange: () => this.set({times: Number(this.times.value)})},
      TIMES.map((times) =>
        h('option', {value: String(times)}, times ? `${times} × the whole` : 'as its expected error asks')
      ));
    this.panel = h('div.popover.view-panel', {id: 'view-panel', testid: 'view-panel', role: 'group',
      'aria-label': 'View', hidden: true, onkeydown: (e) => {
        e.stopPropagation(); // keys typed here are not the picture's
        if (e.key === 'Escape') this.toggle();
      }}, this.controls());
    fill(place, this.button, this.panel);
    this.times.value = String(this.values.times);
    this.set({});
  }

  controls() {
    const {values} = this;
    /** @type {[Size, string][]} */
    const sizes = [['small', 'Small'], ['normal', 'Normal'], ['large', 'Large']];
    return [
      h('div.field-row', h('span', 'Size of points'),
        segmented('Size of points', sizes, values.size, 'point-size', (size) => this.set({size}))),
      h('div.checks', this.check('points', 'Points'), this.check('suggestions', 'Suggestions'),
        this.check('rings', 'Expected errors'), this.check('minimap', 'Overview map'),
        this.check('upright', 'Turned upright')),
      this.select('names', 'Names', NAMES),
      this.select('loupe', 'Magnifier', LOUPES),
      this.select('zoom', 'Next picture', ZOOMS),
      this.times,
      h('p.small.muted', 'While you hold ', kbd('V'), ' down, the bare picture is shown.'),
    ];
  }

  /** @param {Check} name @param {string} words */
  check(name, words) {
    const box = h('input', {type: 'checkbox', testid: `view-${name}`, checked: this.values[name],
      onchange: () => this.set({[name]: box.checked})});
    this.boxes.set(name, box);
    return h('label.check', box, words);
  }

  /** @template {'names'|'loupe'|'zoom'} K @param {K} name @param {string} words
   *  @param {[Values[K], string][]} choices */
  select(name, words, choices) {
    const select = h('select', {testid: `view-${name}`,
      onchange: () => this.set({[name]: choices[select.selectedIndex][0]})},
      choices.map(([value, text]) => h('option', {value: String(value)}, text)));
    select.value = String(this.values[name]);
    this.selects.set(name, select);
    return h('label.field-row', words, select);
  }

  toggle() {
    this.open = !this.open;
    this.panel.hidden = !this.open;
    this.button.setAttribute('aria-expanded', String(this.open));
    /** @type {HTMLElement|null} */ (this.open ? this.panel.querySelector('[tabindex="0"]') : this.button)?.focus();
  }

  /** @param {Partial<Values>} change */
  set(change) {
    this.values = {...this.values, ...change};
    this.times.hidden = this.values.zoom !== 'landmark';
    for (const [name, box] of this.boxes) box.checked = this.values[name]; // a key may have changed it
    const zoom = this.selects.get('zoom');
    if (zoom) zoom.value = this.values.zoom;
    // what hides something is seen in the button, so that nobody looks for lost points
    const hides = !this.values.points || !this.values.suggestions;
    this.button.setAttribute('aria-pressed', String(hides));
    lasting.keep(KEY, this.values);
    this.apply(this.values, shownOf(this.values));
  }
}
