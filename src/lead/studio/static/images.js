/** Images from the server, each loaded and decoded once; those used last are kept. */

/**
 * @import {Api} from './api.js'
 * @typedef {{loading: Promise<HTMLImageElement>, image: HTMLImageElement|null, awaited: boolean}} Held  `image`
 *  once it is
 *   loaded; `awaited`: whether somebody draws anew when it is
 */

/** @type {Map<string, Held>} */
const images = new Map();
const IMAGES_KEPT = 160;

/** Large ones: only a handful are kept, whatever else is. @type {string[]} */
const large = [];
const LARGE_KEPT = 5;
const SMALL_AT_ONCE = 2;

/** The image at `url`, to be asked whether it is there. @param {string} url */
export function hold(url) {
  const held = images.get(url) ?? fetched(url);
  images.delete(url); // to the end: the most recently used
  images.set(url, held);
  if (images.size > IMAGES_KEPT) forget(images.keys().next().value);
  return held;
}

/** @param {string} url @returns {Held} */
function fetched(url) {
  const image = new Image();
  image.decoding = 'async';
  image.src = url;
  /** @type {Held} */
  const held = {loading: image.decode().then(() => image), image: null, awaited: false};
  held.loading.then(() => held.image = image, () => forget(url));
  return held;
}

/** @param {string|undefined} url */
function forget(url) {
  if (url !== undefined) images.delete(url);
}

/** @param {string} url */
export const loadImage = (url) => hold(url).loading;

/** @param {string} url */
export function holdLarge(url) {
  const at = large.indexOf(url);
  if (at >= 0) large.splice(at, 1);
  large.push(url);
  if (large.length > LARGE_KEPT) forget(large.shift());
  return hold(url);
}

/** Loads what a picture will be shown with, so that it is there at once: a small image and, if `sharp`, the large one.
 *  @param {Api} api @param {string} id */
export function prefetch(api, id, sharp = true) {
  if (sharp) holdLarge(api.image(id, 2048)); // first: the server makes the small one of it
  hold(api.image(id, 320));
}

/** Small images still to load; the last asked for are the ones in sight. @type {(() => Promise<unknown>)[]} */
const waiting = [];
let loading = 0;

/** `loadImage` for lists of many: a few at a time, so that they never stand in the way of the picture that a person
 *  waits for; a browser opens no more than six connections to a server. @param {string} url
 *  @returns {Promise<HTMLImageElement>} */
export function loadSmall(url) {
  const there = images.get(url);
  if (there) return there.loading;
  return new Promise((resolve, reject) => {
    waiting.push(() => loadImage(url).then(resolve, reject));
    loadWaiting();
  });
}

function loadWaiting() {
  while (loading < SMALL_AT_ONCE && waiting.length) {
    loading += 1;
    waiting.pop()?.().finally(() => {
      loading -= 1;
      loadWaiting();
    });
  }
}
