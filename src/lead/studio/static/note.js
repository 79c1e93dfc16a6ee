/** What a person says of a picture as a whole: a note, tags, and that it is to be skipped. */

import {h, icon, iconButton, renew} from './dom.js';
import {SKIP} from './picking.js';

/**
 * @import {PictureLabels} from 'types/messages'
 * @import {App} from './app.js'
 */

const NOTE_LENGTH = 2000; // as the server has them
const TAG_LENGTH = 40;
const WORDS = 24; // characters of a note that stand on the button
const SUGGESTED = 8;
/** @type {Pick<PictureLabels, 'note'|'tags'>} */
const NONE = {note: '', tags: []};
const PAUSE = 500; // in typing, after which a note is saved

/** A note's beginning, in a line. @param {string} note */
export function firstWords(note) {
  const line = note.trim().replace(/\s+/g, ' ');
  const characters = Array.from(line);
  return characters.length > WORDS ? `${characters.slice(0, WORDS).join('').trimEnd()}…` : line;
}

/** Tags with one more, as it was typed; null where it is there already, or is none. @param {string[]} tags
 *  @param {string} typed */
export function withTag(tags, typed) {
  const tag = typed.trim().replace(/\s+/g, ' ');
  if (!tag || tags.some((each) => each.toLowerCase() === tag.toLowerCase())) return null;
  return [...tags, tag.toLowerCase() === SKIP ? SKIP : tag];
}

/** Tags in use on other pictures, the commonest first, without those given. @param {{tags: string[]}[]} pictures
 *  @param {string[]} without */
export function tagsInUse(pictures, without) {
  /** @type {Map<string, number>} */
  const uses = new Map();
  for (const tag of pictures.flatMap((p) => p.tags)) uses.set(tag, (uses.get(tag) ?? 0) + 1);
  for (const tag of [SKIP, ...without]) uses.delete(tag);
  return [...uses].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([tag]) => tag);
}

/** The button in the picture's head, and what it opens. */
export class Note {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    /** @type {string|null} */
    this.id = null;
    /** the picture whose note the field holds @type {string|null} */
    this.filled = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.timer = undefined;
    this.button = h('button.plain.small.note-button', {testid: 'note', 'aria-expanded': 'false',
      onclick: () => this.toggle()});
    this.text = h('textarea', {testid: 'note-text', rows: 3, maxLength: NOTE_LENGTH, oninput: () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.saveNote(), PAUSE);
    }, onblur: () => this.saveNote()});
    this.skip = h('input', {type: 'checkbox', testid: 'note-skip', onchange: () => this.toggleSkip()});
    this.chips = h('div.chips', {testid: 'tags', role: 'list', 'aria-label': 'Tags of this picture'});
    this.suggestions = h('div.chips', {role: 'group', 'aria-label': 'Tags in use'});
    this.typed = h('input', {type: 'text', testid: 'tag-new', maxLength: TAG_LENGTH, placeholder: 'Add a tag',
      'aria-label': 'Add a tag', onkeydown: (e) => {
        if (e.key !== 'Enter' || e.isComposing) return;
        e.preventDefault();
        this.add(this.typed.value);
        this.typed.value = '';
      }});
    this.panel = h('div.popover.note-panel', {testid: 'note-panel', role: 'group', 'aria-label': 'About this picture',
      hidden: true, onkeydown: (e) => {
        if (e.key !== 'Escape') return;
        e.stopPropagation();
        this.toggle();
        this.button.focus();
      }}, h('label.check', this.skip, 'Skip this picture: bad picture'), h('label.field', 'Note', this.text),
      h('div.field', this.chips, this.typed, this.suggestions));
    this.place = h('span.note-place', this.button, this.panel);
    app.on('labels', (labels) => {
      if (labels.id === this.id) this.draw(labels);
    });
    this.show(null);
  }

  get labels() {
    return this.id ? this.app.labels(this.id) : null;
  }

  /** @param {string|null} id  of the picture that it is about now; null for none */
  show(id) {
    if (id !== this.id) {
      this.saveNote();
      this.id = id;
    }
    this.draw(this.labels);
  }

  destroy() {
    this.saveNote();
  }

  toggle() {
    if (this.button.disabled) return;
    this.panel.hidden = !this.panel.hidden;
    this.button.setAttribute('aria-expanded', String(!this.panel.hidden));
    if (this.panel.hidden) this.saveNote();
    else this.text.focus();
  }

  // --- changing ------------------------------------------------------------------------------------------------------

  saveNote() {
    clearTimeout(this.timer);
    const {id, labels} = this;
    const note = this.text.value;
    if (id && labels && note !== labels.note) this.app.change(id, {}, {note, what: 'the note', merge: 'note'});
  }

  /** @param {string[]} tags @param {string} what */
  setTags(tags, what) {
    if (this.id && this.labels) this.app.change(this.id, {}, {tags, what});
  }

  toggleSkip() {
    const {labels} = this;
    if (!labels) return;
    const skipped = labels.tags.includes(SKIP);
    this.setTags(skipped ? labels.tags.filter((tag) => tag !== SKIP) : [...labels.tags, SKIP],
      skipped ? 'no longer skipping it' : 'skipping it');
    if (this.panel.hidden) this.app.toast(skipped ? 'This picture is no longer skipped.' : 'This picture is skipped.');
  }

  /** @param {string} typed */
  add(typed) {
    const tags = withTag(this.labels?.tags ?? [], typed);
    if (tags) this.setTags(tags, `tag ${tags.at(-1)}`);
  }

  /** @param {string} tag */
  remove(tag) {
    this.setTags((this.labels?.tags ?? []).filter((each) => each !== tag), `tag ${tag}`);
    this.typed.focus(); // the button that had it is gone
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  /** @param {PictureLabels|null} labels */
  draw(labels) {
    const {note, tags} = labels ?? NONE;
    this.button.disabled = !labels;
    // What is being typed is left alone, but only on its own picture.
    if (document.activeElement !== this.text || this.filled !== this.id || !labels) this.text.value = note;
    this.filled = labels && this.id;
    this.skip.checked = tags.includes(SKIP);
    const others = tags.filter((tag) => tag !== SKIP);
    const words = [this.skip.checked ? 'Skipped' : '', ...others, firstWords(note)].filter(Boolean).join(' · ');
    renew(this.button, words || '-',
      () => [icon(this.skip.checked ? 'skip' : 'note', 14), h('span.ellipsis', words || 'Note')]);
    this.button.title = words ? [...tags, note].filter(Boolean).join('\n') : 'Note and tags of this picture';
    renew(this.chips, JSON.stringify(others),
      () =>
        others.map((tag) =>
          h('span.tag', {role: 'listitem', testid: 'tag'}, tag,
            iconButton('close', `Remove the tag ${tag}`, {onclick: () => this.remove(tag)}))
        ));
    const inUse = tagsInUse(this.app.pictures, others).slice(0, SUGGESTED);
    renew(this.suggestions, JSON.stringify(inUse),
      () =>
        inUse.map((tag) =>
          h('button.small', {testid: 'tag-suggested', onclick: () => this.add(tag)}, icon('plus', 12), tag)
        ));
  }
}
