/** What tells others of what happens. */

/** @template {Record<string, any>} Kinds  what is told of, and what is said with it */
export class Bus {
  #target = new EventTarget();

  /**
   * Calls `fn` whenever this happens; returns what ends that.
   * @template {keyof Kinds & string} K
   * @param {K} kind
   * @param {(detail: Kinds[K]) => void} fn
   */
  on(kind, fn) {
    /** @param {Event} event */
    const listener = (event) => fn(/** @type {CustomEvent<Kinds[K]>} */ (event).detail);
    this.#target.addEventListener(kind, listener);
    return () => this.#target.removeEventListener(kind, listener);
  }

  /**
   * @template {keyof Kinds & string} K
   * @param {K} kind
   * @param {Kinds[K]} detail
   */
  emit(kind, detail) {
    this.#target.dispatchEvent(new CustomEvent(kind, {detail}));
  }
}
