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

/** The same part of another picture in sight, as large as before beside the whole: `before` and `after` may differ in
 *  size. @param {View} view @param {Size} before @param {Size} after @param {Size} canvas */
export function carried(view, before, after, canvas) {
  const scale = view.scale * Math.max(before.width, before.height) / Math.max(after.width, after.height);
  const {x, y} = view.picture(canvas.width / 2, canvas.height / 2);
  return centred((x + 0.5) / before.width * after.width - 0.5, (y + 0.5) / before.height * after.height - 0.5, scale,
    canvas);
}

/**
 * After two fingers went from two places on the canvas to two others: what lay between them goes along.
 * @param {View} view
 * @param {[[number, number], [number, number]]} from
 * @param {[[number, number], [number, number]]} to
 * @param {(scale: number) => number} within  the nearest scale that is allowed
 */
export function pinched(view, [a, b], [c, d], within) {
  const apart = Math.hypot(a[0] - b[0], a[1] - b[1]);
  const factor = apart ? Math.hypot(c[0] - d[0], c[1] - d[1]) / apart : 1;
  const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const {scale, left, top} = view.zoomed(within(view.scale * factor), x, y);
  return new View(scale, left + (c[0] + d[0]) / 2 - x, top + (c[1] + d[1]) / 2 - y);
}

/** With a place of the picture in the middle. @param {number} x @param {number} y @param {number} scale
 *  @param {Size} canvas */
export const centred = (x, y, scale, canvas) =>
  new View(scale, canvas.width / 2 - (x + 0.5) * scale, canvas.height / 2 - (y + 0.5) * scale);

/** What is in sight of a picture, its edges included. @param {View} view @param {Size} picture @param {Size} canvas
 *  @returns {Box} */
export function sight(view, picture, canvas) {
  const [left, top] = [Math.max(0, -view.left / view.scale), Math.max(0, -view.top / view.scale)];
  return [left, top, Math.min(picture.width, (canvas.width - view.left) / view.scale) - left,
    Math.min(picture.height, (canvas.height - view.top) / view.scale) - top];
}

/** Whether a place lies on a picture, its edges included. @param {Size} picture @param {number} x @param {number} y */
export const inside = ({width, height}, x, y) => x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;

/** Where a part that is `length` long begins, as an edge: around `middle` if it can, but within `whole`; a longer one
 *  lies around all of it. @param {number} middle @param {number} length @param {number} whole */
export const begin = (middle, length, whole) =>
  length >= whole ? (whole - length) / 2 : clamp(middle - length / 2, 0, whole - length);
