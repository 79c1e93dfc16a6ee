/** Help: what the keys do, and how points look. */

import {dialog, h, kbd} from './dom.js';

const KEYS = [
  ['Labelling', [
    [['Click'], 'set the current landmark, and on to the next'],
    [['Shift', 'Click'], 'set it as hidden'],
    [['Drag'], 'correct a point; a suggestion becomes a label'],
    [['←', '→', '↑', '↓'], 'nudge by 1 px; with Shift by 0.1 px'],
    [['↵'], 'accept all suggestions and go on'],
    [['A'], 'accept the current one'],
    [['H'], 'hidden: there, but covered'],
    [['X'], 'absent from this picture'],
    [['Del'], 'take the label away'],
    [['Ctrl', 'Z'], 'undo, also on other pictures'],
    [['Ctrl', 'Shift', 'Z'], 'redo'],
  ]],
  ['Moving about', [
    [['.'], 'next picture (or Page Down)'],
    [[','], 'previous picture (or Page Up)'],
    [['N'], 'the picture that the page suggests'],
    [['Tab', 'J'], 'next landmark'],
    [['Shift', 'Tab', 'K'], 'previous landmark'],
    [['1', '…', '9'], 'choose a landmark'],
    [['Esc'], 'break off a drag; else leave the picture, so that Tab goes through the page'],
  ]],
  ['Looking', [
    [['Wheel'], 'zoom; on a trackpad two fingers pan, a pinch zooms'],
    [['Space', 'Drag'], 'pan (or with the middle or right button)'],
    [['+', '−'], 'zoom'],
    [['F'], 'whole picture'],
    [['B'], 'brightness and contrast'],
    [['G'], 'guide on or off'],
    [['S'], 'skeleton on or off'],
    [['T'], 'dark or light'],
    [['?'], 'this help'],
  ]],
  ['Other views', [
    [['A'], 'Review: accept the predictions of the chosen picture'],
    [['↵'], 'Review, disputes: open the picture'],
    [['S', 'M', 'R'], 'Disputes: swap, take the model’s, it is right'],
    [['↵'], 'Explore: pin the point; the arrow keys move it'],
    [['N', 'S'], 'Explore: other pictures, most similar first'],
    [['Alt', '↑', '↓'], 'Landmarks: move up or down the list'],
  ]],
];

const LOOKS = [
  ['solid', 'visible', 'labelled'], ['hidden', 'hidden', 'labelled as hidden'],
  ['hollow', 'suggested', 'suggested; the ring around it is the error to expect'], ['', 'absent', 'absent: only in the list'],
];

/** Opens the help. */
export function showHelp(app) {
  const groups = KEYS.map(([title, rows]) => h('section', h('h3', title), h('dl.keys', rows.map(([keys, what]) => [h('dt', keys.map(kbd)), h('dd', what)]))));
  const looks = h('section', h('h3', 'Points'), h('dl.keys.looks', LOOKS.map(([, state, what]) => [h('dt', {dataset: {state}}, h('span.mark', {style: {'--colour': '#3fa7ff'}})), h('dd', what)])));
  groups[2].append(looks);
  groups[1].append(groups.pop()); // the other views, where there is room
  return dialog({title: 'Keys', testid: 'help-dialog', actions: [{label: 'Close', value: null, kind: 'primary'}],
    body: [h('div.help', groups), h('p.small.muted', `Every change is saved at once in ${app.state.label_file}. lead ${app.state.version}`)]});
}

/*
 * TEST IDS (data-testid), kept stable.
 *
 * Everywhere: brand, nav-label, nav-review, nav-explore, nav-landmarks, nav-features, nav-export, progress, model-status,
 *   save-state (data-state: saved | saving | unsaved), theme, help; banner-lost, banner-denied, banner-problem, take-theirs, keep-mine, retry;
 *   toast, toast-action; help-dialog, help-dialog-close; confirm, confirm-cancel, confirm-<go ahead>; unsaved, unsaved-try-again,
 *   unsaved-close, unsaved-discard-what-was-refused; view-<route>; empty.
 * Label: canvas (data-ready and data-id: the picture's id, ready once it is drawn), prev, next, file-name, picture-facts, undo, redo,
 *   tone, tone-panel, tone-brightness, tone-contrast, tone-reset, skeleton, guide-toggle, zoom-out, zoom, zoom-in, fit, hint; rail, rail-item (data-id, data-state: todo | begun | complete |
 *   unreadable, aria-current), rail-filter, rail-search, rail-count; reason, accept-all, next-suggested, next-mode, waiting, to-features;
 *   landmarks, landmark (data-name, data-state: unlabelled | suggested | visible | hidden | absent, aria-current), landmark-count,
 *   name-landmarks, accept, hidden, absent, clear; guide, guide-name, guide-prev, guide-next.
 * Features: training (data-state), preset-<name>, start-training, cancel-training, resume-training, train-anew, show-curve, stage-<task>,
 *   training-progress, training-step, time-left, loss-curve, stopped-text, training-message, training-log, training-facts,
 *   training-problem, label-meanwhile, label-now, explore-now; model, model-stage, model-fit; runs, no-runs, run-<id>, open-run-<id>.
 * Landmarks (<name> as slug() makes it): landmark-entry, entry-hint, landmark-list, landmark-<name> (data-name), name-<name>,
 *   colour-<name>, remove-<name>, drag-<name>, landmarks-state (data-state: saved | saving | unsaved), landmarks-retry, landmarks-undo,
 *   distinct-colours; confirm-remove; drawing, joining-lines, joining-pairs, preview-<name>, preview-other, preview-help, suggest-pairs,
 *   join-all, clear-joined, join-<a>-<b>, unjoin-<a>-<b>; import, import-choose, import-file, import-name, import-what-labels,
 *   import-what-landmarks, import-replace, import-add, import-go, import-cancel, import-report, import-error.
 * Review: tab-review, tab-disputes, disputes-number, review-summary, review-sort-expected, review-sort-name, review-filter-all,
 *   review-filter-unlabelled, review-shown, review-show-all, review-refresh, review-none, histogram, histogram-<bar>, gallery, tile-<id>
 *   (data-id, data-complete), expected, accept-<id>, open-<id>. Disputes: disputes, disputes-summary, dispute (data-id, data-kind),
 *   dispute-swap, dispute-take, dispute-right, dispute-open.
 * Explore: explore-reference, explore-name, explore-status, explore-previous, explore-next, explore-grid, explore-tile (data-id),
 *   explore-score, explore-shuffle, explore-sort, explore-opacity, explore-amount-6, -12, -24.
 * Export: export-what-labels, -predictions, -both, format-<name>, export-download, export-model, export-model-why, label-file, copy-fit,
 *   copy-predict, copy-evaluate; history, no-history, snapshot (data-id), restore; confirm-restore.
 *
 * From tests: `studio.canvas.toScreen(x, y)` → {x, y} of a place of the picture in the window; `studio.canvas.view.scale`;
 *   `studio.canvas.marks`; `studio.app.labels(id)`; `studio.app.outbox.status()`.
 */
