/** Undoing and redoing: what was changed, on whatever picture, and never unseen. */

import {count} from './dom.js';
import {same, unsaid} from './outbox.js';

/**
 * @import {App} from './app.js'
 * @import {Points} from './outbox.js'
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
  const {id, what, from, to, said = {from: {}, to: {}}} = change;
  try {
    if (!app.labels(id)) await app.load(id);
  } catch (error) {
    app.history.step(!forward); // put it back: it can be tried again
    app.report(error);
    return;
  }
  const now = app.labels(id)?.points ?? {};
  const names = Object.keys(to).filter((name) => same(now[name], from[name]));
  const elsewhere = app.route.name === 'label' && app.route.id !== id;
  if (elsewhere) app.go('label', id);
  if (elsewhere || app.route.name !== 'label') {
    app.toast(`${forward ? 'Redone' : 'Undone'}: ${what} on ${app.picture(id)?.file ?? id}`);
  }
  const saying = unsaid(app.labels(id), said);
  if (names.length < Object.keys(to).length || Object.keys(saying).length < Object.keys(said.to).length) {
    app.toast('Some of these labels were changed elsewhere since; those were left.');
  }
  app.outbox.change(id, Object.fromEntries(names.map((name) => [name, to[name]])), saying);
  app.bus.emit('travelled', {id, names});
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
      app.go('label', id);
      travel(app, forward);
    },
  });
}

/**
 * Takes one change back, whatever was changed since, and shows it. Points that were touched meanwhile stay.
 * @param {App} app
 * @param {{id: string, before: Points, after: Points, what: string}} change
 */
export async function takeBack(app, {id, before, after, what}) {
  try {
    if (!app.labels(id)) await app.load(id);
  } catch (error) {
    app.report(error);
    return;
  }
  const now = app.labels(id)?.points ?? {};
  const names = Object.keys(after).filter((name) => same(now[name], after[name]));
  app.change(id, Object.fromEntries(names.map((name) => [name, before[name] ?? null])), {what: `undoing ${what}`});
  const left = Object.keys(after).length - names.length;
  if (left) app.toast(`${count(left, 'point was', 'points were')} changed since, and left as they are.`);
  if (app.route.name === 'label' && app.route.id !== id) app.go('label', id);
}
