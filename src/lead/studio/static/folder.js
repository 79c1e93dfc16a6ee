/** What the folder holds, followed while the page is open: looked at again when the page is loaded, when its window is
 *  returned to, now and then, and when asked. */

import {count} from './dom.js';

/**
 * @import {FolderChange} from 'types/messages'
 * @import {App} from './app.js'
 */

const EVERY_SECONDS = 30; // the server looks less often where looking takes long

/** @param {App} app */
export function watchFolder(app) {
  const look = () => document.hidden || app.api.connection !== 'open' || lookAgain(app, false);
  app.api.on('opened', look);
  addEventListener('focus', look);
  document.addEventListener('visibilitychange', look);
  setInterval(look, EVERY_SECONDS * 1000);
}

/** Has the server look at the folder; what has changed comes as an event. @param {App} app
 *  @param {boolean} asked  whether a person asked, who then is told what came of it */
export async function lookAgain(app, asked) {
  try {
    const change = await app.api.post('/folder/look', undefined, {at_once: asked});
    if (asked) app.toast(changeWords(change), 'good');
  } catch (error) {
    if (asked) app.report(error);
  }
}

/** @param {FolderChange} change */
export function changeWords({added, removed, replaced}) {
  const parts = [[added, 'came'], [removed, 'gone'], [replaced, 'replaced']].filter(([n]) => n);
  if (!parts.length) return 'Nothing has changed in the folder.';
  const [[first, word], ...others] = /** @type {[number, string][]} */ (parts);
  return `${count(first, 'picture')} ${word}${others.map(([n, w]) => `, ${n.toLocaleString('en')} ${w}`).join('')}.`;
}
