/** Talking to the server: requests, live events, and whether it answers. Messages are those of messages.py. */

import {Bus} from './bus.js';

/**
 * @import {Answer, Options, Query, Sent, Told} from 'types/api'
 * @import {Problem} from 'types/messages'
 */

/** An answer that was an error, or (status 0) no answer at all. `body` is the server's Problem where it sent one. */
export class ApiError extends Error {
  /** @param {number} status  of HTTP; 0 if the server did not answer @param {string} message
   *  @param {Problem|null} [body] */
  constructor(status, message, body = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.body = body;
  }
}

/** An error in words. @param {unknown} error */
export const wordsOf = (error) => error instanceof Error ? error.message : String(error);

/** @type {('labels'|'landmarks'|'model'|'training'|'problem'|'restored'|'folder')[]} */
const KINDS = ['labels', 'landmarks', 'model', 'training', 'problem', 'restored', 'folder'];
const PROBE_SECONDS = 30; // a connection cut without a sign (a closed laptop, a dropped tunnel) is noticed this soon
const LONGEST_WAIT = 15;

/**
 * Tells of `connection` whenever that changes, of each of the server's kinds, of `opened` when events begin to
 *  come, and
 * of `back` when the server answers again or has dropped events, so that everything has to be read anew.
 * @extends {Bus<Told>}
 */
export class Api extends Bus {
  constructor() {
    super();
    /** @type {'connecting'|'open'|'lost'|'denied'} denied: the server wants another token */
    this.connection = 'connecting';
    /** when the next attempt comes, in ms since 1970 */
    this.retryAt = 0;
    this.attempts = 0;
    /** @type {EventSource|null} */
    this.source = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.heard = Date.now();
    this.wasOpen = false;
    /** by picture, what stands in its images' addresses, so that a replaced file is not shown as it was
     *  @type {Map<string, string>} */
    this.stamps = new Map();
  }

  /**
   * @param {string} path  below /api, e.g. `/pictures`
   * @param {Options & {method?: string, json?: unknown, body?: BodyInit, query?: Query}} [options]
   * @returns {Promise<any>} the JSON answer, null if it is empty
   * @throws {ApiError}
   */
  async request(path, {method = 'GET', json, body, query, keepalive = false, timeout = 60000} = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (json !== undefined) {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify(json);
    }
    let response;
    let content;
    try {
      response = await fetch(this.url(path, query), {method, headers, body, keepalive, credentials: 'same-origin',
        signal: AbortSignal.timeout(timeout)});
      content = await response.text();
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError' && path !== '/state') { // slow, not necessarily gone
        this.probe();
        throw new ApiError(0, 'The server takes too long to answer.');
      }
      this.lose();
      throw new ApiError(0, 'The server does not answer.');
    }
    let value = null;
    try {
      value = content ? JSON.parse(content) : null;
    } catch { /* an error page: the status says enough */ }
    if (this.connection === 'lost' && this.timer) this.retry(); // it answers again
    if (response.ok) return value;
    if (response.status === 403 || response.status === 401) this.setConnection('denied');
    throw new ApiError(response.status, value?.error ?? `The server answered with error ${response.status}.`, value);
  }

  /** @template {string} P @param {P} path @param {Query|null} [query] @param {Options} [options]
   *  @returns {Promise<Answer<'get', P>>} */
  get(path, query, options) {
    return this.request(path, {query: query ?? {}, ...options});
  }

  /** @template {string} P @param {P} path @param {Sent<'post', P>} [json] @param {Query} [query]
   *  @returns {Promise<Answer<'post', P>>} */
  post(path, json, query) {
    return this.request(path, {method: 'POST', json, query});
  }

  /** @template {string} P @param {P} path @param {Sent<'put', P>} json @returns {Promise<Answer<'put', P>>} */
  put(path, json) {
    return this.request(path, {method: 'PUT', json});
  }

  /** @template {string} P @param {P} path @param {Sent<'patch', P>} json @param {Options} [options]
   *  @returns {Promise<Answer<'patch', P>>} */
  patch(path, json, options) {
    return this.request(path, {method: 'PATCH', json, ...options});
  }

  /** An address under /api, to fetch or to put in `src` or `href`. Absent and null query values are left out.
   *  @param {string} path @param {Query} [query] */
  url(path, query = {}) {
    const given = Object.entries(query).flatMap(([k, v]) => v === null || v === undefined ? [] : [[k, String(v)]]);
    return `/api${path}${given.length ? `?${new URLSearchParams(given)}` : ''}`;
  }

  /** Where the picture's image is, longer side ≤ `side`: 128, 320, 1024 or 2048. @param {string} id
   *  @param {number} side */
  image(id, side) {
    return this.url(`/pictures/${id}/image`, {side, stamp: this.stamps.get(id) || null});
  }

  /** Where one tile of 512 × 512 pixels is, each the mean of `shrink` × `shrink` of the picture's: 1, 2, 4 or 8.
   *  @param {string} id @param {number} column @param {number} row @param {number} shrink */
  tile(id, column, row, shrink) {
    const stamp = this.stamps.get(id) || null;
    return this.url(`/pictures/${id}/tile`, {column, row, shrink: shrink > 1 ? shrink : null, stamp});
  }

  /** Begins to listen. Goes on until the page is left, whatever happens to the server. */
  listen() {
    this.open();
    addEventListener('online', () => this.retry());
    addEventListener('offline', () => this.probe());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.probe();
    });
    setInterval(() => {
      if (!document.hidden && Date.now() - this.heard > PROBE_SECONDS * 1000) this.probe();
    }, 5000);
  }

  open() {
    this.source?.close();
    const source = new EventSource('/api/events');
    this.source = source;
    source.onopen = () => {
      this.heard = Date.now();
      this.attempts = 0;
      const kind = this.wasOpen ? 'back' : 'opened';
      this.wasOpen = true;
      this.setConnection('open');
      this.emit(kind, null); // what happened meanwhile was not told
    };
    source.onerror = () => {
      if (source === this.source) this.lose();
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        this.heard = Date.now();
        this.emit(kind, JSON.parse(event.data));
      });
    }
    source.addEventListener('missed', () => this.emit('back', null));
  }

  /** The server did not answer: tries again after 1, 2, 4, 8, then each 15 s. */
  lose() {
    if (this.connection === 'denied' || this.timer) return;
    this.source?.close();
    this.source = null;
    const wait = Math.min(LONGEST_WAIT, 2 ** this.attempts);
    this.attempts += 1;
    this.retryAt = Date.now() + wait * 1000;
    this.timer = setTimeout(() => this.retry(), wait * 1000);
    this.setConnection('lost');
  }

  /** Tries at once. */
  async retry() {
    if (this.connection === 'open') return;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.connection === 'denied') this.connection = 'lost';
    if (await this.probe()) this.open();
  }

  /** Whether the server answers, and to us. */
  async probe() {
    this.heard = Date.now();
    try {
      await this.get('/state', null, {timeout: 8000});
      return true;
    } catch {
      return false; // request has said so already
    }
  }

  /** @param {Api['connection']} value */
  setConnection(value) {
    if (value === 'denied') {
      this.source?.close();
      this.source = null;
    }
    if (value === this.connection && value !== 'lost') return;
    this.connection = value;
    this.emit('connection', null);
  }
}
