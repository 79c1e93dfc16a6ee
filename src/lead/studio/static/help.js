/** Help: what the keys do, and how points look. */

import {dialog, h, kbd} from './dom.js';

/** @import {App} from './app.js' */

/** @type {[title: string, rows: [keys: string[], what: string][]][]} */
const KEYS = [['Labelling', [
  [['Click'], 'set the current landmark, and on to the next'],
  [['Shift', 'Click'], 'set it as hidden'],
  [['Drag'], 'correct the point that it begins on; a suggestion becomes a label'],
  [['←', '→', '↑', '↓'], 'nudge by 1 px; with Shift or Ctrl by 0.1 px'],
  [['←', '→', '↑', '↓'], 'without a place yet: move a cross-hair; with Shift by 1 px, with Ctrl by 0.1 px'],
  [['↵', 'Space'], 'place the landmark where the cross-hair is'],
  [['Tap'], 'set the current landmark with a finger; a long press takes hold of a point'],
  [['↵'], 'accept all suggestions and go on'],
  [['A'], 'accept the current one'],
  [['H'], 'hidden: there, but covered'],
  [['X'], 'absent from this picture'],
  [['Del'], 'take the label away'],
  [['Ctrl', 'Z'], 'undo, also on other pictures'],
  [['Ctrl', 'Shift', 'Z'], 'redo'],
]], ['Moving about', [
  [['.'], 'next picture (or Page Down)'],
  [[','], 'previous picture (or Page Up)'],
  [['N'], 'the picture that the page suggests'],
  [['Tab', 'J'], 'next landmark'],
  [['Shift', 'Tab', 'K'], 'previous landmark'],
  [['1', '…', '9'], 'choose a landmark'],
  [['Esc'], 'break off a drag; else leave the picture, so that Tab goes through the page'],
]], ['Looking', [
  [['Wheel'], 'zoom; on a trackpad two fingers pan, a pinch zooms'],
  [['Space', 'Drag'], 'pan (or with the middle or right button)'],
  [['+', '−'], 'zoom'],
  [['Pinch'], 'zoom with two fingers; one or two fingers pan'],
  [['F'], 'whole picture'],
  [['V'], 'hold: the bare picture'],
  [['B'], 'brightness and contrast'],
  [['G'], 'guide on or off'],
  [['S'], 'skeleton on or off'],
  [['T'], 'dark or light'],
  [['?'], 'this help'],
]], ['Other views', [
  [['A'], 'Review: accept the predictions of the chosen picture'],
  [['↵'], 'Review, disputes: open the picture'],
  [['S', 'M', 'R'], 'Disputes: swap, take the model’s, it is right'],
  [['↵'], 'Explore: pin the point; the arrow keys move it'],
  [['N', 'S'], 'Explore: other pictures, most similar first'],
  [['Alt', '↑', '↓'], 'Landmarks: move up or down the list'],
]]];

const LOOKS = [['solid', 'visible', 'labelled'], ['hidden', 'hidden', 'labelled as hidden'], [
  'hollow',
  'suggested',
  'suggested; the ring around it is the error to expect',
], ['', 'absent', 'absent: only in the list']];

/** Opens the help. @param {App} app */
export function showHelp(app) {
  const [labelling, moving, looking, others] = KEYS.map(([title, rows]) =>
    h('section', h('h3', title), h('dl.keys', rows.map(([keys, what]) => [h('dt', keys.map(kbd)), h('dd', what)])))
  );
  const looks = LOOKS.map((
    [, state, what],
  ) => [h('dt', {dataset: {state}}, h('span.mark', {style: {'--colour': '#3fa7ff'}})), h('dd', what)]);
  looking.append(h('section', h('h3', 'Points'), h('dl.keys.looks', looks)));
  moving.append(others); // where there is room
  return dialog({title: 'Keys', testid: 'help-dialog', actions: [{label: 'Close', value: null, kind: 'primary'}],
    body: [
      h('div.help', labelling, moving, looking),
      h('p.small.muted', `Every change is saved at once in ${app.state.label_file}. lead ${app.state.version}`),
    ]});
}
