import assert from 'node:assert/strict';
import {test} from 'node:test';

/**
 * @import {App} from '../../../src/lead/studio/static/app.js'
 * @import {Point} from 'types/messages'
 */

Object.assign(globalThis, {window: globalThis, addEventListener: () => {}});
const {Conflicts} = await import('../../../src/lead/studio/static/conflicts.js');

/** @param {number} x @returns {Point} */
const at = (x) => ({state: 'visible', x, y: 0});
const told = () => new Promise((resolve) => setTimeout(resolve, 250));

/** What the page tells, and what it is asked to change. */
class Page {
  /** @type {{words: string, run: () => void, isConnected: boolean, remove: () => void}[]} */
  toasts = [];
  /** @type {unknown[]} */
  changes = [];
  picture = () => ({file: 'a.png'});
  labels = () => ({points: {}});
  report = assert.fail;
  /** @param {string} words @param {string} _ @param {{run: () => void}} action */
  toast(words, _, {run}) {
    const toast = {words, run, isConnected: true, remove: () => {
      toast.isConnected = false;
    }};
    this.toasts.push(toast);
    return toast;
  }
  /** @param {unknown[]} changes */
  changeAll(changes) {
    this.changes.push(...changes);
  }
}

test('specimens that were changed here and taken out elsewhere are all put back', async () => {
  const page = new Page();
  const conflicts = new Conflicts(/** @type {App} */ (/** @type {unknown} */ (page)));
  const mine = [1, 2, 3].map((n) => ({id: `a.${n}`, points: {eye: at(n)}, marks: {gone: false, track: ''}}));
  for (const {id, points} of mine) {
    conflicts.add({id, points: [], gone: {mine: false, points, track: ''}});
    if (id !== 'a.1') await told(); // two at once, the third after they were told
  }
  const shown = page.toasts.filter(({isConnected}) => isConnected);
  assert.deepEqual(shown.map(({words}) => words), ['3 specimens that you changed on a.png were taken out elsewhere.']);
  shown[0].remove();
  shown[0].run();
  await told();
  assert.deepEqual(page.changes, mine);

  conflicts.add({id: 'a.4', points: [], gone: {mine: false, points: {eye: at(4)}, track: ''}});
  await told();
  assert.equal(page.toasts.at(-1)?.words, 'A specimen that you changed on a.png was taken out elsewhere.');
});
