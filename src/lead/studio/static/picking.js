/** Which pictures the list shows and in which order, and how their names are cut. */

import {curveOf, ownOf} from './curves.js';
import {count} from './dom.js';

/**
 * @import {Landmarks, Picture} from 'types/messages'
 * @typedef {{filter: string, query: string, sort: string}} Wish
 * @typedef {object} Facts  what is known beside the pictures themselves
 * @property {string[]} landmarks  their names, in order
 * @property {Set<string>} disputed  ids of pictures with a disputed label
 * @property {number} limit  expected error from which on a picture counts as uncertain, in per cent of its longer side;
 *   0 for the worst fifth
 */

export const SKIP = 'skip';
const WORST = 0.2; // share of the pictures that are uncertain where no limit is given
const TAIL = 9; // characters of a long name that always stay in sight at its end

/** @param {Picture} picture @returns {'todo'|'begun'|'complete'|'unreadable'|'skipped'} */
export function stateOf(picture) {
  if (picture.unreadable) return 'unreadable';
  if (picture.tags.includes(SKIP)) return 'skipped';
  return picture.complete ? 'complete' : picture.labelled ? 'begun' : 'todo';
}

/** The expected error that still matters: that of suggestions, taken over or still to be looked at.
 *  @param {Picture} picture */
export function openError(picture) {
  const state = stateOf(picture);
  const settled = state === 'skipped' || state === 'unreadable' || (state === 'complete' && !picture.accepted);
  return settled ? null : picture.expected;
}

/** Names of landmarks to filter by: of those of a curve, which are labelled together, the first.
 *  @param {Pick<Landmarks, 'landmarks'|'curves'>} schema */
export const namesToFilter = (schema) =>
  schema.landmarks.map((l) => l.name).filter((name) => {
    const curve = curveOf(schema, name);
    return !curve || ownOf(curve)[0] === name;
  });

/** The filters there are: groups of values with their names. @param {Picture[]} pictures @param {string[]} landmarks
 *  @returns {[group: string, [value: string, name: string][]][]} */
export function filters(pictures, landmarks) {
  const tags = [...new Set(pictures.flatMap((p) => p.tags))].filter((tag) => tag !== SKIP).sort(byName);
  return [
    ['', [['all', 'All'], ['todo', 'To do'], ['begun', 'Begun'], ['complete', 'Complete'], ['accepted',
      'Accepted, unchecked'], ['uncertain', 'Uncertain'], ['disputed', 'Disputed'], ['noted', 'With a note'], [
      'skipped',
      'Skipped',
    ], ['unreadable', 'Unreadable']]],
    ['Tagged', tags.map((tag) => [`tag:${tag}`, tag])],
    ['Begun, but without', landmarks.map((name) => [`without:${name}`, name])],
  ];
}

/** @type {[value: string, name: string][]} */
export const SORTS = [['order', 'In the folder’s order'], ['name', 'By name'], ['expected', 'Most uncertain first'], [
  'labelled',
  'Most labelled first',
], ['disputed', 'Disputed first']];

/** The pictures wished for, in the order wished for. @param {Picture[]} pictures @param {Wish} wish
 *  @param {Facts} facts */
export function picked(pictures, {filter, query, sort}, facts) {
  const passes = test(pictures, filter, facts);
  const found = pictures.filter((p) => passes(p) && (!query || p.file.toLowerCase().includes(query)));
  const rank = RANKS[sort];
  if (sort === 'name') return found.sort((a, b) => byName(basename(a.file), basename(b.file)));
  return rank ? found.sort((a, b) => rank(b, facts) - rank(a, facts)) : found;
}

/** What comes first has more. @type {Record<string, (picture: Picture, facts: Facts) => number>} */
const RANKS = {
  expected: (p) => openError(p) ?? -1,
  labelled: (p) => p.labelled,
  disputed: (p, {disputed}) => Number(disputed.has(p.id)),
};

/** @param {Picture[]} pictures @param {string} filter @param {Facts} facts @returns {(picture: Picture) => boolean} */
function test(pictures, filter, {landmarks, disputed, limit}) {
  const [kind, ...rest] = filter.split(':');
  const name = rest.join(':');
  if (kind === 'all') return () => true;
  if (kind === 'accepted') return (p) => p.accepted > 0;
  if (kind === 'disputed') return (p) => disputed.has(p.id);
  if (kind === 'noted') return (p) => p.noted;
  if (kind === 'tag') return (p) => p.tags.includes(name);
  if (kind === 'without') return (p) => p.unlabelled.includes(landmarks.indexOf(name));
  if (kind === 'uncertain') {
    const from = limit ? limit / 100 : worstFrom(pictures);
    return (p) => (openError(p) ?? -1) >= from;
  }
  return (p) => stateOf(p) === kind;
}

/** The expected error from which on a picture is of the worst fifth; Infinity where none is known.
 *  @param {Picture[]} pictures */
export function worstFrom(pictures) {
  const errors = pictures.flatMap((p) => openError(p) ?? []).sort((a, b) => b - a);
  return errors[Math.ceil(WORST * errors.length) - 1] ?? Infinity;
}

/** How far the folder is, in a line. @param {Picture[]} pictures */
export function progressWords(pictures) {
  const states = pictures.map(stateOf);
  const complete = states.filter((state) => state === 'complete').length;
  const skipped = states.filter((state) => state === 'skipped').length;
  const unreadable = states.filter((state) => state === 'unreadable').length;
  const accepted = pictures.reduce((sum, p) => sum + p.accepted, 0);
  return [`${complete.toLocaleString('en')} of ${(pictures.length - unreadable).toLocaleString('en')} complete`,
    accepted ? `${count(accepted, 'point')} accepted unchecked` : '',
    skipped ? `${skipped.toLocaleString('en')} skipped` : '',
    unreadable ? `${unreadable.toLocaleString('en')} unreadable` : ''].filter(Boolean).join(' · ');
}

/** What to say of pictures that could not be read again to be looked at closely. @param {Picture[]} pictures */
export function coarseWords(pictures) {
  const [{file, coarse}] = pictures;
  const [which, why, its] = pictures.length > 1
    ? [`${count(pictures.length, 'picture')}`, `; ${file}: ${coarse}`, 'their']
    : [file, `: ${coarse}`, 'its'];
  return `${which} could not be read again to be looked at closely${why}. What is suggested there is of a coarser `
    + `look, with ${its} larger expected error.`;
}

/** What stands after the last slash. @param {string} file */
const basename = (file) => file.slice(file.lastIndexOf('/') + 1);

const collator = new Intl.Collator('en', {numeric: true});
/** 2 before 10. @param {string} a @param {string} b */
const byName = (a, b) => collator.compare(a, b);

/** A name in two parts, of which the second stays in sight where the first has to be cut: names that begin alike differ
 *  at their end. @param {string} name @returns {[head: string, tail: string]} */
export function halves(name) {
  const characters = Array.from(name); // so that none is cut in two
  const at = characters.length > 2 * TAIL ? characters.length - TAIL : characters.length;
  return [characters.slice(0, at).join(''), characters.slice(at).join('')];
}
