/** Making elements, icons and dialogs. Text from files is only ever set as text, never parsed as HTML. */

/** @import {Child, Made, Props} from 'types/dom' */

/**
 * An element. `h('button.primary', {onclick: fn, 'aria-label': 'Close', testid: 'close'}, 'Close')`
 *
 * @template {string} Tag
 * @param {Tag} tag  tag name, with `.class` parts
 * @param {Props<Made<Tag>>|Child} [props]  properties and attributes; `on…` functions are listeners, `class` is
 *  added to
 *   the tag's, `style` and `dataset` are objects, `testid` is `data-testid`; `false`, `null` and `undefined` are left
 *   out. May be left out itself: a child in its place is taken as one.
 * @param {...Child} children
 * @returns {Made<Tag>}
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  if (element instanceof HTMLButtonElement) element.type = 'button';
  if (isChild(props)) children.unshift(props);
  else for (const [key, value] of Object.entries(props)) set(element, key, value);
  return /** @type {Made<Tag>} */ (add(element, children));
}

/** @param {object|Child} props @returns {props is Child} */
const isChild = (props) => typeof props !== 'object' || props === null || props instanceof Node || Array.isArray(props);

/** @param {HTMLElement} element @param {string} key @param {unknown} value */
function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === 'function') element.addEventListener(key.slice(2), /** @type {EventListener} */ (value));
  else if (key === 'class') element.classList.add(...String(value).split(' ').filter(Boolean));
  else if (key === 'style') { for (const [name, v] of Object.entries(value)) setStyle(element, name, v); }
  else if (key === 'dataset') Object.assign(element.dataset, value);
  else if (key === 'testid') element.dataset.testid = String(value);
  else if (key in element && !key.startsWith('aria') && key !== 'role') Object.assign(element, {[key]: value});
  else element.setAttribute(key, value === true ? '' : String(value));
}

/** @param {HTMLElement} element @param {string} name @param {string} value */
function setStyle(element, name, value) {
  if (name.startsWith('--')) element.style.setProperty(name, value);
  else Object.assign(element.style, {[name]: value});
}

/** Appends children as `h` does. @template {Element} E @param {E} element @param {...Child} children */
export function add(element, ...children) {
  for (const child of /** @type {unknown[]} */ (children).flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Puts `children` in place of all that `element` holds.
 *  @template {Element} E @param {E} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren();
  return add(element, children);
}

/** `fill`, with the focus left on the element of the same test id. @param {Element} element
 *  @param {...Child} children */
export function refill(element, ...children) {
  const focus = element.contains(document.activeElement) ? document.activeElement?.getAttribute('data-testid') : null;
  fill(element, children);
  if (focus) find(element, `[data-testid="${CSS.escape(focus)}"]`)?.focus();
}

/** `fill`, but only if `key` says that the children are others than last time.
 *  @param {HTMLElement} element @param {string} key @param {() => Child} children */
export function renew(element, key, children) {
  if (element.dataset.holds === key) return;
  element.dataset.holds = key;
  fill(element, children());
}

/** The first element that a selector finds. @param {ParentNode} root @param {string} selector
 *  @returns {HTMLElement|null} */
export const find = (root, selector) => root.querySelector(selector);

/** An element of index.html. @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Says of an element whether it is the current one. @param {Element} element @param {boolean} on
 *  @param {string} [as] */
export function markCurrent(element, on, as = 'true') {
  if (on) element.setAttribute('aria-current', as);
  else element.removeAttribute('aria-current');
}

/** Sets text only where it differs, so that screen readers and selections are left in peace.
 *  @param {Element} element @param {string} value */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * An SVG element: `svg('line', {x1: 0, …}, …children)`. `on…` functions are listeners; what is null is left out.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string|number|boolean|null|((event: never) => void)>} [attributes]
 * @param {...(Node|string)} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (value !== null) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

// Drawn on a grid of 16 × 16 with a stroke of 1.5.
const PATHS = {
  accept: 'M3 8.5l3.2 3.2L13 5',
  acceptAll: 'M1.5 8.5l3 3L11 5M7.5 11.2l.5.3L14.5 5',
  absent: 'M4 4l8 8M12 4l-8 8',
  arrowLeft: 'M10 3.5L5.5 8l4.5 4.5',
  arrowRight: 'M6 3.5L10.5 8 6 12.5',
  arrowDown: 'M3.5 6L8 10.5 12.5 6',
  close: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  fit: 'M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10',
  undo: 'M5.5 3L2.5 6l3 3M2.5 6H10a3.5 3.5 0 010 7H6.5',
  redo: 'M10.5 3l3 3-3 3M13.5 6H6a3.5 3.5 0 000 7h3.5',
  hidden: 'M2 8s2.2-4 6-4 6 4 6 4-2.2 4-6 4-6-4-6-4M3 13L13 3',
  visible: 'M2 8s2.2-4 6-4 6 4 6 4-2.2 4-6 4-6-4-6-4M8 9.7a1.7 1.7 0 100-3.4 1.7 1.7 0 000 3.4',
  trash: 'M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.6 8.5h5.8l.6-8.5M6.8 7v3.6M9.2 7v3.6',
  guide: 'M2.5 3h11v10h-11zM2.5 10.5l3-3 2.5 2.5 2-2 3.5 3M10.8 6.1h.01',
  skeleton: 'M4 4.5l4 3.5 4-3.5M8 8v4.5M4 4.5h.01M12 4.5h.01M8 12.5h.01',
  theme: 'M8 2.5a5.5 5.5 0 100 11zM8 2.5a5.5 5.5 0 010 11',
  help: 'M6 6a2 2 0 113 1.7c-.7.4-1 .8-1 1.6M8 11.7h.01M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4',
  tone: 'M8 5a3 3 0 100 6zM8 5a3 3 0 010 6M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3'
    + 'M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
  near: 'M8 1.8v3M8 11.2v3M1.8 8h3M11.2 8h3M8 4.8a3.2 3.2 0 100 6.4 3.2 3.2 0 000-6.4M8 8h.01',
  search: 'M7 11.5a4.5 4.5 0 100-9 4.5 4.5 0 000 9M10.3 10.3L14 14',
  warning: 'M8 2.5l6 11H2zM8 6.5v3.3M8 11.8h.01',
  info: 'M8 14.2A6.2 6.2 0 108 1.8a6.2 6.2 0 000 12.4M8 7.3v4M8 4.9h.01',
  sparkle: 'M8 2l1.4 4.1L13.5 8l-4.1 1.9L8 14l-1.4-4.1L2.5 8l4.1-1.9z',
  download: 'M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.2h10',
  upload: 'M8 10.5V3M4.8 6L8 2.8 11.2 6M3 13.2h10',
  history: 'M2.8 8a5.2 5.2 0 105.2-5.2A5.4 5.4 0 003.8 5M3 2.5V5.3h2.8M8 5v3.2l2.2 1.3',
  play: 'M5 3l8 5-8 5z',
  stop: 'M4 4h8v8H4z',
  folder: 'M2 4.5V12.5h12v-7H8L6.5 3.5H2z',
  copy: 'M6 6h7.5v7.5H6zM3.8 10H2.5V2.5H10v1.3',
  menu: 'M3 4.5h10M3 8h10M3 11.5h10',
  list: 'M5.5 4H14M5.5 8H14M5.5 12H14M2.3 4h.01M2.3 8h.01M2.3 12h.01',
  up: 'M3.5 10.5L8 6l4.5 4.5',
  thisWayUp: 'M8 13.5V3M4.5 6.5L8 3l3.5 3.5',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  refresh: 'M13 8a5 5 0 11-1.5-3.5M13 2.5v3h-3',
  note: 'M3 2.5h10v7.5L10 13.5H3zM13 10h-3v3.5M5.5 5.5h5M5.5 8h5',
  tag: 'M2.5 2.5H8l5.5 5.5L8 13.5 2.5 8zM5.4 5.4h.01',
  skip: 'M8 13.8A5.8 5.8 0 108 2.2a5.8 5.8 0 000 11.6M4 4l8 8',
  drag: 'M6 4h.01M10 4h.01M6 8h.01M10 8h.01M6 12h.01M10 12h.01',
};

/**
 * An icon as inline SVG, hidden from screen readers: label the button that holds it.
 * @param {keyof typeof PATHS} name
 * @param {number} [size]  in CSS pixels
 */
export function icon(name, size = 16) {
  const attributes = {viewBox: '0 0 16 16', width: size, height: size, class: 'icon', 'aria-hidden': 'true'};
  return svg('svg', attributes, svg('path', {d: PATHS[name]}));
}

/** A button that shows an icon alone; `label` is its name and, with its key, its tooltip.
 *  @param {keyof typeof PATHS} name @param {string} label @param {Props<HTMLButtonElement>} [props]
 *  @param {string} [key] */
export function iconButton(name, label, props = {}, key = '') {
  return h('button.icon-button', {title: key ? `${label}  (${key})` : label, 'aria-label': label, ...props},
    icon(name));
}

/** A key as on a keyboard. @param {string} label */
export const kbd = (label) => h('kbd', label);

/** A rotating ring: something is under way. */
export const spinner = () => h('span.spinner', {'aria-hidden': 'true'});

/** What a view shows when it has nothing else to show.
 *  @param {string} title @param {string} [body] @param {...Child} actions */
export function emptyState(title, body, ...actions) {
  return h('div.empty', {testid: 'empty'}, h('h2', title), body ? h('p', body) : null,
    actions.length ? h('div.actions', actions) : null);
}

/** Whether keys typed now belong to a field. @param {Event} event */
export function isTyping(event) {
  const t = event.target;
  if (!(t instanceof HTMLElement)) return false;
  if (t.isContentEditable || t instanceof HTMLTextAreaElement || t instanceof HTMLSelectElement) return true;
  return t instanceof HTMLInputElement && !['button', 'checkbox', 'radio', 'range', 'color', 'submit'].includes(t.type);
}

/** `fn`, but at most once every `ms`; the last call is never lost. @param {() => void} fn @param {number} ms */
export function throttle(fn, ms) {
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let last = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      last = Date.now();
      fn();
    }, Math.max(0, last + ms - Date.now()));
  };
}

/**
 * A modal dialog.
 *
 * @template T
 * @param {{title: string, body?: Child, actions: {label: string, value: T, kind?: string}[], testid?: string}} options
 *   the first action has the focus; Escape gives `null`
 * @returns {Promise<T|null>} the chosen action's value, or null
 */
export function dialog({title, body, actions, testid = 'dialog'}) {
  return new Promise((resolve) => {
    /** @type {T|null} */
    let result = null;
    /** @param {T} value */
    const close = (value) => {
      result = value;
      element.close();
    };
    const buttons = actions.map((a) =>
      h('button', {class: a.kind ?? '', testid: `${testid}-${slug(a.label)}`, onclick: () => close(a.value)}, a.label)
    );
    const within = h('div.dialog-body', typeof body === 'string' ? h('p', body) : body);
    const element = h('dialog.dialog', {testid, 'aria-label': title}, h('h2', title), within,
      h('div.actions', buttons));
    element.addEventListener('close', () => {
      element.remove();
      resolve(result);
    });
    element.addEventListener('click', (e) => {
      if (e.target === element) element.close();
    });
    document.body.append(element);
    element.showModal();
    if (within.scrollHeight > within.clientHeight) within.tabIndex = 0; // so that the arrow keys can scroll it
    buttons[0]?.focus();
  });
}

/** Asks; true if the person goes ahead.
 *  @param {string} title @param {string} body @param {string} [go] @param {string} [kind] */
export const confirm = (title, body, go = 'Go ahead', kind = 'primary') =>
  dialog({title, body, testid: 'confirm', actions: [{label: 'Cancel', value: false}, {label: go, value: true, kind}]})
    .then(Boolean);

/** A name fit for `data-testid`: "left eye" → "left-eye". @param {string} name */
export const slug = (name) => name.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '');

/** 3.14159 → "3.1"; large numbers without decimals. @param {number} value */
export const px = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1));

/** A share as per cent: 0.0123 → "1.2 %". @param {number} share */
export const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** 1 "picture", 2 "pictures". @param {number} n @param {string} one @param {string} [many] */
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

/** Seconds to a few words: 42 → "42 s", 150 → "3 min", 5400 → "1 h 30 min". @param {number} seconds */
export function duration(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Which way an arrow key points. @type {Record<string, [number, number]>} */
export const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

/** What an object has of its own under a name.
 *  @template T @param {Record<string, T>} object @param {string|null|undefined} name */
export const lookUp = (object, name) =>
  typeof name === 'string' && Object.hasOwn(object, name) ? object[name] : undefined;
