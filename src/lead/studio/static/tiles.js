/** Parts of a large picture, as sharp as the view can show them: what is in sight is fetched, and no more. */

import {clamp} from './geometry.js';

/**
 * @import {PictureDetail} from 'types/messages'
 * @import {Api} from './api.js'
 * @import {Size, View} from './geometry.js'
 * @import {Bounds} from './loupe.js'
 * @import {Context} from './paint.js'
 * @typedef {{column: number, row: number, shrink: number}} Tile  `shrink`: of the picture's pixels, how many along each
 *   axis go into one of its own
 */

/** Longer side of a picture's large image, which is there before any tile. */
export const LARGE = 2048;
const TILE = 512; // side of a tile of the server's, in pixels of its own
const MOST_SHRUNK = 8; // as in pictures.py
const LOSSLESS = 1024; // longer side up to which an image of a whole picture is sent without loss, as there
const KEPT = 160;
const SETTLED = 300; // milliseconds for which a picture has to be in sight before all of it is decoded
const AT_ONCE = 4; // a browser opens no more than six connections to a server, and one of them hears of events

/**
 * Which tiles show more than a picture's large image does; null if none do.
 * @param {number} detail  pixels of the screen to one of the picture
 * @param {Size} picture
 * @returns {number|null} how far they are shrunk: 1 for the file's own pixels
 */
export function shrinkOf(detail, picture) {
  const side = Math.max(picture.width, picture.height);
  if (side <= LOSSLESS || detail <= Math.min(0.99, 1.1 * LARGE / side)) return null;
  return clamp(2 ** Math.floor(Math.log2(1.1 / detail)), 1, MOST_SHRUNK);
}

/** The tiles that lie within bounds of the canvas. @param {Size} picture @param {View} view @param {Bounds} bounds
 *  @param {number} shrink @returns {Tile[]} */
export function tilesIn({width, height}, view, {left, top, right, bottom}, shrink) {
  const side = TILE * shrink;
  const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(([x, y]) => view.picture(x, y));
  /** @param {number[]} places  along an axis @param {number} length  of the picture */
  const range = (places, length) => {
    const at = places.map((place) => Math.floor((place + 0.5) / side));
    const first = Math.max(0, Math.min(...at));
    const last = Math.min(Math.ceil(length / side) - 1, Math.max(...at));
    return Array.from({length: Math.max(0, last - first + 1)}, (_, i) => first + i);
  };
  const columns = range(corners.map(({x}) => x), width);
  return range(corners.map(({y}) => y), height).flatMap((row) => columns.map((column) => ({column, row, shrink})));
}

/** What a tile covers, in pixels of the picture as edges. @param {Tile} tile @param {Size} picture */
function covered({column, row, shrink}, {width, height}) {
  const side = TILE * shrink;
  const [x, y] = [column * side, row * side];
  return {x, y, width: Math.min(side, width - x), height: Math.min(side, height - y)};
}

export class Tiles {
  /** @param {Api} api @param {() => void} changed  some have come: draw anew */
  constructor(api, changed) {
    this.api = api;
    this.changed = changed;
    /** by address; those used last are at the end @type {Map<string, ImageBitmap>} */
    this.kept = new Map();
    /** @type {Map<string, AbortController>} */
    this.loading = new Map();
    /** of the last drawing: those that are there, and, with how far from the middle they are, those to come
     *  @type {Set<string>} */
    this.used = new Set();
    /** @type {Map<string, number>} */
    this.wanted = new Map();
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
  }

  /** Has the server decode all of a large picture, unless another one soon takes its place: the magnifier and the first
   *  zoom find it done. @param {PictureDetail} picture */
  prepare({id, width, height}) {
    clearTimeout(this.timer);
    if (Math.max(width, height) <= LARGE) return;
    const [column, row] = [width, height].map((length) => Math.floor(length / 2 / TILE));
    this.timer = setTimeout(() => fetch(this.api.tile(id, column, row, 1)).catch(() => {}), SETTLED);
  }

  /** A drawing begins: nothing is wanted yet. */
  begin() {
    this.used.clear();
    this.wanted.clear();
  }

  /** It is done: what is out of sight is no longer waited for. */
  end() {
    for (const [address, control] of this.loading) {
      if (this.wanted.has(address)) continue;
      control.abort();
      this.loading.delete(address);
    }
    this.load();
  }

  /** Lets all go. */
  clear() {
    clearTimeout(this.timer);
    this.begin();
    this.end();
    for (const bitmap of this.kept.values()) bitmap.close();
    this.kept.clear();
  }

  /**
   * Draws tiles; of those that are still to come, what shrunk ones show of them.
   * @param {Context} ctx  on which the picture's corner is at 0, 0
   * @param {PictureDetail} picture
   * @param {View} view
   * @param {Bounds} bounds  of what is in sight, on the canvas
   * @param {number} shrink
   */
  paint(ctx, picture, view, bounds, shrink) {
    const middle = view.picture((bounds.left + bounds.right) / 2, (bounds.top + bounds.bottom) / 2);
    for (const tile of tilesIn(picture, view, bounds, shrink)) {
      const {x, y, width, height} = covered(tile, picture);
      const away = Math.hypot(x + width / 2 - middle.x, y + height / 2 - middle.y);
      const found = this.find(picture, tile, away);
      if (!found) continue;
      const whole = covered(found.tile, picture);
      const [across, down] = [found.bitmap.width / whole.width, found.bitmap.height / whole.height];
      ctx.drawImage(found.bitmap, (x - whole.x) * across, (y - whole.y) * down, width * across, height * down,
        x * view.scale, y * view.scale, width * view.scale, height * view.scale);
    }
  }

  /** @param {PictureDetail} picture @param {Tile} tile @param {number} away
   *  @returns {{tile: Tile, bitmap: ImageBitmap}|null} */
  find(picture, tile, away) {
    for (let {column, row, shrink} = tile; shrink <= MOST_SHRUNK; shrink *= 2) {
      const address = this.api.tile(picture.id, column, row, shrink);
      const bitmap = this.kept.get(address);
      if (bitmap) {
        this.kept.delete(address);
        this.kept.set(address, bitmap);
        this.used.add(address);
        return {tile: {column, row, shrink}, bitmap};
      }
      if (shrink === tile.shrink) this.wanted.set(address, Math.min(away, this.wanted.get(address) ?? Infinity));
      [column, row] = [column >> 1, row >> 1];
    }
    return null;
  }

  /** Those nearest to the middle first, a few at a time. */
  load() {
    const waiting = [...this.wanted].filter(([address]) => !this.loading.has(address)).sort((a, b) => a[1] - b[1]);
    for (const [address] of waiting.slice(0, Math.max(0, AT_ONCE - this.loading.size))) this.fetch(address);
  }

  /** @param {string} address */
  async fetch(address) {
    const control = new AbortController();
    this.loading.set(address, control);
    /** @type {ImageBitmap|null} */
    let bitmap = null;
    try {
      const answer = await fetch(address, {signal: control.signal});
      if (answer.ok) bitmap = await createImageBitmap(await answer.blob());
    } catch { /* the next drawing asks for it again */ }
    if (control.signal.aborted) {
      bitmap?.close();
      return;
    }
    this.loading.delete(address);
    this.wanted.delete(address);
    if (bitmap) {
      this.keep(address, bitmap);
      this.changed();
    }
    this.load();
  }

  /** @param {string} address @param {ImageBitmap} bitmap */
  keep(address, bitmap) {
    this.kept.set(address, bitmap);
    this.used.add(address);
    for (const [old, gone] of this.kept) {
      if (this.kept.size <= KEPT) break;
      if (this.used.has(old)) continue;
      gone.close();
      this.kept.delete(old);
    }
  }
}
