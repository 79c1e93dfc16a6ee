/**
 * Where places of a picture are on a canvas.
 *
 * A picture's (0, 0) is the *centre* of its top-left pixel, so that its edges are at -0.5 and width - 0.5. On the
 * canvas a place is `(x + 0.5) * scale + offset` in CSS pixels from its corner.
 *
 * @typedef {{width: number, height: number}} Size
 * @typedef {[x: number, y: number, width: number, height: number]} Box  in pixels of a picture as edges: the whole
 *   picture is 0, 0, width, height
 */

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Where a part of a picture is on a canvas. */
export class View {
  /** @param {number} scale  CSS pixels to one of the picture's @param {number} left
   *  @param {number} top  of its corner */
  constructor(scale, left, top) {
    this.scale = scale;
    this.left = left;
    this.top = top;
  }

  /** A part of a picture, as large as it fits and in the middle. @param {Box} part @param {Size} canvas */
  static of([x, y, width, height], canvas) {
    const scale = Math.min(canvas.width / width, canvas.height / height);
    return new View(scale, (canvas.width - width * scale) / 2 - x * scale,
      (canvas.height - height * scale) / 2 - y * scale);
  }

  /** From the picture to the canvas. @param {number} x @param {number} y @returns {[number, number]} */
  place(x, y) {
    return [(x + 0.5) * this.scale + this.left, (y + 0.5) * this.scale + this.top];
  }

  /** From the canvas to the picture. @param {number} sx @param {number} sy */
  picture(sx, sy) {
    return {x: (sx - this.left) / this.scale - 0.5, y: (sy - this.top) / this.scale - 0.5};
  }

  /** At another scale, with one place of the canvas where it is. @param {number} scale @param {number} sx
   *  @param {number} sy */
  zoomed(scale, sx, sy) {
    const f = scale / this.scale;
    return new View(scale, sx - (sx - this.left) * f, sy - (sy - this.top) * f);
  }

  /** Moved so that at least `keep` CSS pixels of the picture are on the canvas. @param {Size} picture
   *  @param {Size} canvas @param {number} keep */
  inSight(picture, canvas, keep) {
    /** @param {number} at @param {number} length @param {number} room */
    const moved = (at, length, room) => Math.min(room - keep, Math.max(keep - length * this.scale, at));
    return new View(this.scale, moved(this.left, picture.width, canvas.width),
      moved(this.top, picture.height, canvas.height));
  }
}

/** Whether a place lies on a picture, its edges included. @param {Size} picture @param {number} x @param {number} y */
export const inside = ({width, height}, x, y) => x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;

/** Where a part that is `length` long begins, as an edge: around `middle` if it can, but within `whole`; a longer one
 *  lies around all of it. @param {number} middle @param {number} length @param {number} whole */
export const begin = (middle, length, whole) =>
  length >= whole ? (whole - length) / 2 : clamp(middle - length / 2, 0, whole - length);
