/** Zooms to each landmark as its turn comes: to its suggestion, or where it was on the picture before. */

/**
 * @import {PictureDetail} from 'types/messages'
 * @import {PictureCanvas} from './canvas.js'
 * @typedef {{x: number, y: number}} Share  of a picture's sides, from its corner
 */

export class Follower {
  /** @param {PictureCanvas} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    /** how near, as a multiple of the whole picture's size; null: not at all @type {number|null} */
    this.times = null;
    /** @type {string|null} */
    this.id = null;
    /** @type {string|null} */
    this.name = null;
    /** how well the place is known that was gone to */
    this.known = 0;
    /** the view that was given @type {import('./geometry.js').View|null} */
    this.view = null;
    /** where landmarks are on this picture, and were on the one before @type {Map<string, Share>} */
    this.here = new Map();
    /** @type {Map<string, Share>} */
    this.before = new Map();
  }

  /** Goes to a landmark once, and again when a suggestion of it comes while nobody has moved the view.
   *  @param {PictureDetail} picture @param {string} name  the current landmark
   *  @param {boolean} waits  for its place */
  follow(picture, name, waits) {
    const {canvas} = this;
    if (picture.id !== this.id) {
      this.id = picture.id;
      this.name = null;
      if (this.here.size) this.before = this.here;
    }
    this.here = new Map(
      canvas.marks.map((mark) => [mark.name, {x: (mark.x + 0.5) / picture.width, y: (mark.y + 0.5) / picture.height}]),
    );
    const place = this.here.get(name) ?? this.before.get(name);
    const known = this.here.has(name) ? 2 : place ? 1 : 0;
    const better = known > this.known && this.view === canvas.view;
    if (this.times === null || (name === this.name && !better)) return;
    this.name = name;
    this.known = known;
    if (canvas.drag || !waits) return;
    if (place) canvas.visit(place.x * picture.width - 0.5, place.y * picture.height - 0.5, this.times);
    else canvas.fit();
    this.view = canvas.view;
  }
}
