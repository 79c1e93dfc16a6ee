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

/** Loads what a picture will be shown with, so that it is there at once. @param {Api} api @param {string} id */
export function prefetch(api, id) {
  hold(api.image(id, 320));
  holdLarge(api.image(id, 2048));
}
