/** What the further views share: how numbers and times read, colours, and small controls. */

import {ARROWS, count, h, lookUp, percent} from './dom.js';

/** @import {App} from './app.js' */

const FEW_NAMES = 8; // landmarks that are named; of more, only the number is told
const FEWEST = 4; // labels below which a landmark is not looked at closely, as in lead.training.local

// --- how things read -------------------------------------------------------------------------------------------------

/** Three figures at most: 0.0412, 2.31, 48.2, 517. @param {number} value */
export function figure(value) {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(6, Math.max(0, 2 - Math.max(size, -4))));
}

/** Pixels with as many decimals as mean something: "0.8 px", "12 px". @param {number} value */
export const pixels = (value) => `${value < 9.95 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} px`;

/** An expected error in the unit that the person chose: "2.3 px", or "0.7 %" of the longer side.
 *  @param {Pick<App, 'unit'>} app @param {number} px  in pixels of the picture @param {number} side  its longer side */
export const errorText = (app, px, side) => app.unit() === 'px' ? pixels(px) : percent(px / side);

/** That of something as a whole, of which there is the mean in pixels and as a share of the longer side.
 *  @param {Pick<App, 'unit'>} app @param {number|null} px @param {number} share */
export const meanErrorText = (app, px, share) => app.unit() === 'px' && px !== null ? pixels(px) : percent(share);

/** Which landmarks are looked at closely, and by name those that are not, where they are few; null where none is.
 *  @param {string[]} names  of all landmarks @param {string[]} closely */
export function closelyWords(names, closely) {
  if (!closely.length) return null;
  const left = names.filter((name) => !closely.includes(name));
  const all =
    `${closely.length} of ${count(names.length, 'landmark')} ${closely.length === 1 ? 'is' : 'are'} looked at `
    + 'closely, each in a square cut from the original picture';
  if (!left.length) return `${all}.`;
  const rest = left.length > FEW_NAMES ? 'the others' : left.join(', ');
  return `${all}. Not ${rest}: little to gain there, or fewer than ${FEWEST} labels.`;
}

/** Seconds as "48 s", "3 min 20 s", "1 h 5 min". @param {number} seconds */
export function elapsed(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/** What stands between slashes at the end of a path. @param {string} path */
export const basename = (path) => path.replace(/[\\/]+$/, '').split(/[\\/]/).pop() || path;

// --- colours ---------------------------------------------------------------------------------------------------------

/** Landmark colours that stay apart under the common kinds of colour blindness: Okabe and Ito's, then lighter and
 *  darker. */
export const PALETTE = (
  '#e69f00 #56b4e9 #009e73 #f0e442 #d55e00 #cc79a7 #0072b2 '
  + '#ffd27a #b3e2ff #66d9b8 #a65628 #f7b6d8 #7b9bff #b5b35c'
).split(' ');

/** The first colour of the palette that is used least. @param {string[]} used */
export function freeColour(used) {
  const times = new Map(PALETTE.map((colour) => [colour, 0]));
  for (const colour of used) if (times.has(colour)) times.set(colour, (times.get(colour) ?? 0) + 1);
  return [...times].reduce((best, entry) => (entry[1] < best[1] ? entry : best))[0];
}

/** An OKLCH colour (hue in radians) as linear sRGB, which lies beyond [0, 1] where no screen can show it.
 *  @param {number} light @param {number} chroma @param {number} hue */
function linear(light, chroma, hue) {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

/**
 * 256 RGB triples from dark violet through red to pale yellow. Lightness grows in equal steps (in OKLCH), so that equal
 * differences of similarity look equally large, also without colour.
 */
export const HEAT = (() => {
  const table = new Uint8Array(256 * 3);
  /** @param {number} v */
  const encode = (v) => Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
  for (let i = 0; i < 256; i++) {
    const t = i / 255;
    const hue = ((295 + 175 * t) * Math.PI) / 180;
    /** @param {number} chroma */
    const shown = (chroma) => linear(0.16 + 0.79 * t, chroma, hue).every((v) => v >= 0 && v <= 1);
    let chroma = 0.2;
    while (chroma > 0 && !shown(chroma)) chroma -= 0.002;
    table.set(linear(0.16 + 0.79 * t, Math.max(0, chroma), hue).map(encode), 3 * i);
  }
  return table;
})();

// --- controls --------------------------------------------------------------------------------------------------------

/**
 * One of a few choices, as a row of buttons.
 * @template {string|number} T
 * @param {string} label
 * @param {[choice: T, text: string][]} choices
 * @param {T} value
 * @param {string} testid
 * @param {(choice: T) => void} changed
 */
export function segmented(label, choices, value, testid, changed) {
  const buttons = choices.map(([choice, text], i) =>
    h('button', {role: 'radio', testid: `${testid}-${choice}`, onclick: () => pick(i)}, text)
  );
  /** @param {number} at */
  const show = (at) =>
    buttons.forEach((button, i) => {
      button.setAttribute('aria-checked', String(i === at));
      button.tabIndex = i === at ? 0 : -1;
    });
  /** @param {number} at */
  const pick = (at) => {
    value = choices[at][0];
    show(at);
    changed(value);
  };
  const now = () => choices.findIndex(([choice]) => choice === value);
  show(now());
  return h('div.segmented', {role: 'radiogroup', 'aria-label': label, testid, onkeydown: (event) => {
    const [across, down] = lookUp(ARROWS, event.key) ?? [0, 0];
    if (!across && !down) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (now() + across + down + choices.length) % choices.length;
    pick(at);
    buttons[at].focus();
  }}, buttons);
}

/** A line of text with a button that copies it. @param {string} text @param {string} testid @param {string} what */
export function copyable(text, testid, what) {
  const button = h('button.v-copy', {testid, 'aria-label': `Copy: ${what}`}, 'Copy');
  const code = h('code', text);
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  button.addEventListener('click', async () => {
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange(); // no clipboard without a secure origin: select it, for Ctrl-C
      range.selectNodeContents(code);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      done = document.execCommand('copy');
    }
    button.textContent = done ? 'Copied' : 'Press Ctrl-C';
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = 'Copy';
    }, 1600);
  });
  return h('div.v-command', code, button);
}

/** Calls `fn` for each element when it first comes near the window.
 *  @param {(element: Element) => void} fn @param {Element} root */
export function whenSeen(fn, root) {
  return new IntersectionObserver((entries, observer) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      fn(entry.target);
    }
  }, {root, rootMargin: '300px'});
}
