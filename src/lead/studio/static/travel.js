/** Undoing and redoing: what was changed, on whatever picture, and never unseen. */

import {count} from './dom.js';
import {same, unsaid} from './outbox.js';
import {pictureOf} from './specimens.js';

/**
 * @import {App} from './app.js'
 * @import {MarksChange, Part, Points, Said} from './outbox.js'
 * @typedef {{id: string, from: Points, to: Points, said?: {from: Said, to: Said}}} Step
 */

/**
 * The last change back, or forward again. The label view goes to the picture it was made on.
 * @param {App} app
 * @param {boolean} forward
 */
export async function travel(app, forward) {
  const change = app.history.step(forward);
  if (!change) {
    app.toast(forward ? 'Nothing to redo.' : 'Nothing to undo.');
    return;
  }
  const {id: key, what, more = []} = change;
  const id = pictureOf(key);
  try {
    if (!app.labels(id) || !app.labels(key)) await app.load(key);
  } catch (error) {
    app.history.step(!forward); // put it back: it can be tried again
    app.report(error);
    return;
  }
  const elsewhere = app.route.name === 'label' && app.route.id !== id;
  if (elsewhere) app.go('label', id);
  if (elsewhere || app.route.name !== 'label') {
    app.toast(`${forward ? 'Redone' : 'Undone'}: ${what} on ${app.picture(id)?.file ?? id}`);
  }
  const parts = [change, ...more].map((step) => stepOf(app, step));
  if (parts.some(({left}) => left)) app.toast('Some of these labels were changed elsewhere since; those were left.');
  app.outbox.changeAll(parts);
  app.bus.emit('travelled', {id: key, names: Object.keys(parts[0].points)});
}

/** What of a step can still be made, and whether some of it is left. A specimen that has got other labels since is not
 *  taken out. @param {App} app @param {Step} step */
function stepOf(app, {id, from, to, said = {from: {}, to: {}}}) {
  const labels = app.outbox.expect(id);
  const now = labels?.points ?? {};
  const names = Object.keys(to).filter((name) => same(now[name], from[name]));
  const marks = unsaid(labels, said);
  if (marks.gone && Object.keys(now).some((name) => !names.includes(name))) delete marks.gone;
  const left = names.length < Object.keys(to).length || Object.keys(marks).length < Object.keys(said.to).length;
  return {id, points: /** @type {Points} */ (Object.fromEntries(names.map((name) => [name, to[name]]))), marks, left};
}

/**
 * What Ctrl-Z does. Outside the label view it undoes what was changed in the view on show, since only that is seen
 * there; of anything else it says where it can be undone.
 * @param {App} app
 * @param {boolean} forward
 */
export function travelByKey(app, forward) {
  const {history, route} = app;
  const change = (forward ? history.undone : history.done).at(-1);
  if (route.name === 'label' || !change || history.madeHere(forward)) {
    travel(app, forward);
    return;
  }
  const {id, what} = change;
  const [undo, file] = [forward ? 'redo' : 'undo', app.picture(id)?.file ?? id];
  app.toast(`Nothing to ${undo} in this view. The last change was ${what} on ${file}, in the label view.`, 'info', {
    label: forward ? 'Redo it there' : 'Undo it there',
    run: () => {
      app.go('label', pictureOf(id));
      travel(app, forward);
    },
  });
}

/**
 * Takes one change back, whatever was changed since, and shows it. Points that were touched meanwhile stay.
 * @param {App} app
 * @param {Part & {what: string, more?: Part[]}} change
 */
export async function takeBack(app, {what, more = [], ...part}) {
  const id = pictureOf(part.id);
  try {
    if (!app.labels(id) || !app.labels(part.id)) await app.load(part.id);
  } catch (error) {
    app.report(error);
    return;
  }
  const parts = [part, ...more].map((each) => backOf(app, each));
  app.changeAll(parts, `undoing ${what}`);
  const left = parts.reduce((sum, each) => sum + each.left, 0);
  if (left) app.toast(`${count(left, 'point was', 'points were')} changed since, and left as they are.`);
  if (app.route.name === 'label' && app.route.id !== id) app.go('label', id);
}

/** What takes a part of a change back, and how many of its points are left. A specimen that it has made goes, unless it
 *  has got other labels since; one that it took out comes again. @param {App} app @param {Part} part */
function backOf(app, {id, before, after, said}) {
  const labels = app.outbox.expect(id);
  const now = labels?.points ?? {};
  const names = Object.keys(after).filter((name) => same(now[name], after[name]));
  /** @type {MarksChange} */
  const marks = {};
  if (said?.after.gone === false && Object.keys(now).every((name) => names.includes(name))) marks.gone = true;
  if (said?.after.gone && labels?.gone) Object.assign(marks, {gone: false, track: said.before.track});
  const points = Object.fromEntries(names.map((name) => [name, before[name] ?? null]));
  return {id, points: /** @type {Points} */ (points), marks, left: Object.keys(after).length - names.length};
}
