/** The parts of the label view that a narrow window has no room for: the list of pictures, the landmarks and the tools.
 *  There each of them opens over the picture by a button, one at a time; in a wide window they simply stand there. */

import {find, h, iconButton} from './dom.js';

/**
 * @typedef {'rail'|'side'|'tools'} Name
 * @typedef {{element: HTMLElement, button: HTMLButtonElement}} Panel
 */

const FIRST = '[aria-current="true"], button:not(:disabled), select, a';

export class Panels {
  /**
   * @param {HTMLElement} root  holds the label view
   * @param {{[name in Name]?: () => void}} [opened]  what to do once a panel can be seen
   */
  constructor(root, opened = {}) {
    this.opened = opened;
    /** `data-open` tells the style sheet which one is open */
    this.root = part(root, '.label');
    /** @type {Record<Name, Panel>} */
    this.panels = {rail: this.panel('rail', '.rail', iconButton('list', 'Pictures', this.toggles('rail'))),
      side: this.panel('side', '.side', iconButton('up', 'Landmarks and guide', this.toggles('side'))),
      tools: this.panel('tools', '.stage-tools', iconButton('more', 'View', this.toggles('tools')))};
    const {rail, side, tools} = this.panels;
    part(root, '.stage-head').prepend(rail.button);
    tools.element.before(tools.button);
    part(root, '.side-buttons').append(side.button);
    this.root.append(h('div.scrim', {testid: 'scrim', onclick: () => this.close()}));
    this.root.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.open || !seen(this.panels[this.open].button)) return;
      event.stopPropagation();
      this.close();
    });
    // What was looked for is found: the picture is wanted again.
    for (const [{element}, choice] of /** @type {[Panel, string][]} */ ([[rail, 'a'], [side, '.landmark']])) {
      element.addEventListener('click', ({target}) => {
        if (target instanceof Element && target.closest(choice)) this.close();
      });
    }
    this.show('');
  }

  /** @param {Name} name @param {string} selector @param {HTMLButtonElement} button @returns {Panel} */
  panel(name, selector, button) {
    const element = part(this.root, selector);
    element.id = `panel-${name}`;
    button.setAttribute('aria-controls', element.id);
    return {element, button};
  }

  /** @param {Name} name  what the button of a panel does */
  toggles(name) {
    return {testid: `open-${name}`, class: 'panel-button', onclick: () => this.toggle(name)};
  }

  /** @returns {Name|''} */
  get open() {
    return /** @type {Name|''} */ (this.root.dataset.open ?? '');
  }

  /** @param {Name|''} name */
  show(name) {
    this.root.dataset.open = name;
    for (const [each, {button}] of Object.entries(this.panels)) {
      button.setAttribute('aria-expanded', String(each === name));
    }
  }

  /** @param {Name} name */
  toggle(name) {
    if (this.open === name) {
      this.close();
      return;
    }
    this.show(name);
    this.opened[name]?.();
    const {element, button} = this.panels[name];
    const choices = /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll(FIRST));
    const first = [...choices].filter((each) => seen(each) && each !== button);
    (first.find((each) => each.hasAttribute('aria-current')) ?? first[0])?.focus();
  }

  /** Closes what is open; a focus in it goes back to its button. */
  close() {
    if (!this.open) return;
    const {element, button} = this.panels[this.open];
    const inside = element.contains(document.activeElement);
    this.show('');
    if (inside && seen(button)) button.focus();
  }
}

/** @param {HTMLElement} element  whether it is shown in this window */
const seen = (element) => element.offsetParent !== null;

/** @param {HTMLElement} root @param {string} selector  of what the label view has in any case */
const part = (root, selector) => /** @type {HTMLElement} */ (find(root, selector));
