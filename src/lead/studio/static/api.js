/** Talking to the server: requests, live events, and whether it answers. Messages are those of messages.py. */

/** An answer that was an error, or (status 0) no answer at all. `body` is the server's Problem where it sent one. */
export class ApiError extends Error {
  constructor(status, message, body = null) {
    super(message);
    this.name = 'ApiError';
    /** HTTP status; 0 if the server did not answer */
    this.status = status;
    /** @type {{error: string, labels?: object, landmarks?: object, dropped?: object}|null} */
    this.body = body;
  }
}

const KINDS = ['labels', 'landmarks', 'model', 'training', 'problem', 'restored'];
const PROBE_SECONDS = 30; // a connection cut without a sign (a closed laptop, a dropped tunnel) is noticed this soon
const LONGEST_WAIT = 15;

/**
 * Fires `connection` (on itself) whenever `connection` changes, an event for each of the server's kinds (`detail` is
 * the message), `opened` when events begin to come, and `back` when the server answers again or has dropped events, so
 * that everything has to be read anew.
 */
export class Api extends EventTarget {
  constructor() {
    super();
    /** @type {'connecting'|'open'|'lost'|'denied'} denied: the server wants another token */
    this.connection = 'connecting';
    /** when the next attempt comes, in ms since 1970 */
    this.retryAt = 0;
    this.attempts = 0;
    this.source = null;
    this.timer = 0;
    this.heard = Date.now();
    this.wasOpen = false;
  }

  /**
   * @param {string} path  below /api, e.g. `/pictures`
   * @param {{method?: string, json?: *, body?: BodyInit, query?: object, signal?: AbortSignal, keepalive?: boolean,
   *   timeout?: number}} [options]
   * @returns {Promise<*>} the JSON answer, null if it is empty
   * @throws {ApiError}
   */
  async request(path, {method = 'GET', json, body, query, signal, keepalive = false, timeout = 60000} = {}) {
    const headers = {};
    if (json !== undefined) {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify(json);
    }
    let response;
    let content;
    try {
      const signals = [AbortSignal.timeout(timeout)];
      if (signal) signals.push(signal);
      response = await fetch(this.url(path, query), {method, headers, body, keepalive, signal: AbortSignal.any(signals),
        credentials: 'same-origin'});
      content = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      if (error.name === 'TimeoutError' && path !== '/state') { // slow, not necessarily gone
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

  get(path, query, options = {}) {
    return this.request(path, {query, ...options});
  }
  post(path, json, options = {}) {
    return this.request(path, {method: 'POST', json, ...options});
  }
  put(path, json, options = {}) {
    return this.request(path, {method: 'PUT', json, ...options});
  }
  patch(path, json, options = {}) {
    return this.request(path, {method: 'PATCH', json, ...options});
  }

  /** An address under /api, to fetch or to put in `src` or `href`. Absent and null query values are left out. */
  url(path, query) {
    const q = Object.entries(query ?? {}).filter(([, v]) => v !== null && v !== undefined);
    return `/api${path}${
      q.length ? `?${new URLSearchParams(q.map(([k, v]) => [k, Array.isArray(v) ? v.join(',') : String(v)]))}` : ''
    }`;
  }

  /** Where the picture's image is, longer side ≤ `side`: 128, 320, 1024 or 2048. */
  image(id, side) {
    return this.url(`/pictures/${id}/image`, {side});
  }

  /** Where one 512 × 512 px tile of the picture in full resolution is. */
  tile(id, column, row) {
    return this.url(`/pictures/${id}/tile`, {column, row});
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
    this.timer = 0;
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

  setConnection(value) {
    if (value === 'denied') {
      this.source?.close();
      this.source = null;
    }
    if (value === this.connection && value !== 'lost') return;
    this.connection = value;
    this.emit('connection', value);
  }

  emit(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, {detail}));
  }
}
