/** Which of the landmarks here those of a label file are: guessed, and then chosen for each. */

import {count, fill, h} from './dom.js';

/** Whether a file's landmarks have numbers for names. @param {string[]} theirs */
export const numbered = (theirs) => theirs.every((name) => /^\d+$/.test(name));

/** A name without what people write now this way, now that. @param {string} name */
const plain = (name) => name.trim().toLowerCase().replace(/[\s_.-]+/g, ' ');

/**
 * For each of a file's landmarks the one here that it probably is; '' where there is none to be had.
 *
 * Those of the same name are the same; where there are as many here as there, the others are taken in order.
 * @param {string[]} theirs
 * @param {string[]} here
 */
export function guessed(theirs, here) {
  if (numbered(theirs)) return theirs.map((_, i) => here[i] ?? '');
  const taken = theirs.map((name) => here.includes(name) ? name : '');
  theirs.forEach((name, i) => {
    taken[i] ||= here.find((other) => plain(other) === plain(name) && !taken.includes(other)) ?? '';
  });
  const free = here.filter((name) => !taken.includes(name));
  return theirs.length === here.length ? taken.map((name) => name || (free.shift() ?? '')) : taken;
}

/** With another choice for one of them; a landmark that was chosen elsewhere changes places with it.
 *  @param {string[]} chosen @param {number} i @param {string} name */
export function chosenFor(chosen, i, name) {
  return chosen.map((other, j) => j === i ? name : name && other === name ? chosen[i] : other);
}

export class Called {
  /** @param {string} file @param {string[]} theirs @param {string[]} here  names */
  constructor(file, theirs, here) {
    this.theirs = theirs;
    this.here = here;
    this.chosen = guessed(theirs, here);
    this.table = h('tbody');
    const [n, m] = [theirs.length, here.length];
    const numbers = numbered(theirs);
    const some = count(n, 'landmark');
    const [asked, then] = numbers && n === m
      ? [`${file} numbers its landmarks and does not name them.`,
        n > 1 ? `Take ${theirs[0]} … ${theirs[n - 1]} as these, in this order?` : 'Take it as this?']
      : numbers
      ? [`${file} numbers its landmarks and has ${n}; here are ${m}.`, 'Say which is which, or leave some out.']
      : [`${file} has ${some} of other names${n === m ? '' : `; here are ${m}`}.`, 'Say which is which.'];
    this.element = h('div.stack', {testid: 'import-called', role: 'group', 'aria-label': 'Which landmark is which'},
      h('p', {role: 'status'}, h('strong', asked), ` ${then}`),
      h('div.l-called',
        h('table', h('thead', h('tr', h('th', {scope: 'col'}, 'In the file'), h('th', {scope: 'col'}, 'Here'))),
          this.table)), numbers ? null : h('button.small', {testid: 'called-in-order', onclick: () => {
          this.chosen = theirs.map((_, i) => here[i] ?? '');
          this.draw();
        }}, 'All in order'));
    this.draw();
  }

  draw() {
    fill(this.table, this.theirs.map((name, i) => {
      const choice = h('select', {testid: `called-${i + 1}`, 'aria-label': `${name} of the file is`, onchange: () => {
        this.chosen = chosenFor(this.chosen, i, choice.value);
        this.draw();
        this.table.querySelectorAll('select')[i].focus();
      }}, h('option', {value: ''}, '– left out'), this.here.map((other) => h('option', {value: other}, other)));
      choice.value = this.chosen[i];
      return h('tr', h('th', {scope: 'row'}, name), h('td', choice));
    }));
  }
}
