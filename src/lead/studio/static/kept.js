/** What the browser keeps for the page, where it is let: after all, it can be full or switched off. */

class Shelf {
  /** @param {'localStorage'|'sessionStorage'} name */
  constructor(name) {
    this.name = name;
  }

  /** The text under `key`; null if there is none. @param {string} key */
  text(key) {
    try {
      return window[this.name].getItem(key);
    } catch {
      return null;
    }
  }

  /** What `keep` put under `key`; `otherwise` if that is nothing. @template T @param {string} key
   *  @param {T} otherwise @returns {T} */
  value(key, otherwise) {
    try {
      return JSON.parse(this.text(key) ?? 'null') ?? otherwise;
    } catch {
      return otherwise;
    }
  }

  /** Keeps a text as it is, all else as JSON, and null not at all. Whether it is kept. @param {string} key
   *  @param {unknown} value */
  keep(key, value) {
    try {
      if (value === null) window[this.name].removeItem(key);
      else window[this.name].setItem(key, typeof value === 'string' ? value : JSON.stringify(value));
      return true;
    } catch {
      return false;
    }
  }

  /** @returns {string[]} */
  keys() {
    try {
      return Object.keys(window[this.name]);
    } catch {
      return [];
    }
  }
}

/** Kept for good, for all tabs. */
export const lasting = new Shelf('localStorage');

/** Kept as long as this tab. */
export const passing = new Shelf('sessionStorage');
