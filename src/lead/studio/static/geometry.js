/**
 * Where places of a picture are on a canvas.
 *
 * A picture's (0, 0) is the *centre* of its top-left pixel, so that its edges are at -0.5 and width - 0.5. On the
 * canvas a place is `(x + 0.5, y + 0.5) * scale`, turned clockwise about the picture's corner, from where that lies, in
 * CSS pixels from the canvas's own corner. Places that are stored are the picture's own: turning is for the eye alone.
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
   *  @param {number} top  of its corner @param {number} [turn]  of the picture about that, clockwise, in radians */
  constructor(scale, left, top, turn = 0) {
    this.scale = scale;
    this.left = left;
    this.top = top;
    this.turn = turn;
  }

  /** A part of a picture, as large as it fits and in the middle. @param {Box} part @param {Size} canvas
   *  @param {number} [turn] */
  static of([x, y, width, height], canvas, turn = 0) {
    const across = outline({width, height}, turn);
    const scale = Math.min(canvas.width / across.width, canvas.height / across.height);
    return View.with(x + width / 2 - 0.5, y + height / 2 - 0.5, canvas.width / 2, canvas.height / 2, scale, turn);
  }

  /** With a place of the picture at one of the canvas. @param {number} x @param {number} y @param {number} sx
   *  @param {number} sy @param {number} scale @param {number} [turn] */
  static with(x, y, sx, sy, scale, turn = 0) {
    const [dx, dy] = turned((x + 0.5) * scale, (y + 0.5) * scale, turn);
    return new View(scale, sx - dx, sy - dy, turn);
  }

  /** From the picture to the canvas. @param {number} x @param {number} y @returns {[number, number]} */
  place(x, y) {
    const [dx, dy] = turned((x + 0.5) * this.scale, (y + 0.5) * this.scale, this.turn);
    return [dx + this.left, dy + this.top];
  }

  /** From the canvas to the picture. @param {number} sx @param {number} sy */
  picture(sx, sy) {
    const [dx, dy] = turned(sx - this.left, sy - this.top, -this.turn);
    return {x: dx / this.scale - 0.5, y: dy / this.scale - 0.5};
  }

  /** At another scale, with one place of the canvas where it is. @param {number} scale @param {number} sx
   *  @param {number} sy */
  zoomed(scale, sx, sy) {
    const f = scale / this.scale;
    return new View(scale, sx - (sx - this.left) * f, sy - (sy - this.top) * f, this.turn);
  }

  /** Moved over the canvas. @param {number} dx @param {number} dy */
  moved(dx, dy) {
    return new View(this.scale, this.left + dx, this.top + dy, this.turn);
  }

  /** Moved so that at least `keep` CSS pixels of the picture are on the canvas. @param {Size} picture
   *  @param {Size} canvas @param {number} keep */
  inSight(picture, canvas, keep) {
    const {x, y} = this.picture(canvas.width / 2, canvas.height / 2);
    const nearest = this.place(clamp(x, -0.5, picture.width - 0.5), clamp(y, -0.5, picture.height - 0.5));
    /** @param {number} at @param {number} room */
    const away = (at, room) => clamp(at, Math.min(keep, room / 2), Math.max(room - keep, room / 2)) - at;
    return this.moved(away(nearest[0], canvas.width), away(nearest[1], canvas.height));
  }

  /** The box around a picture, as it is turned, on the canvas. @param {Size} picture @returns {Box} */
  around({width, height}) {
    const corners = [[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]]
      .map(([x, y]) => this.place(x, y));
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    const [left, top] = [Math.min(...xs), Math.min(...ys)];
    return [left, top, Math.max(...xs) - left, Math.max(...ys) - top];
  }
}

/** A step turned clockwise on the screen. @param {number} x @param {number} y @param {number} turn  in radians
 *  @returns {[number, number]} */
export function turned(x, y, turn) {
  if (turn === 0) return [x, y]; // exactly
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  return [x * cos - y * sin, x * sin + y * cos];
}

/** The size of the box around something that is turned. @param {Size} size @param {number} turn @returns {Size} */
export function outline({width, height}, turn) {
  if (turn === 0) return {width, height};
  const [cos, sin] = [Math.abs(Math.cos(turn)), Math.abs(Math.sin(turn))];
  return {width: width * cos + height * sin, height: width * sin + height * cos};
}

/** The same part of another picture in sight, as large as before beside the whole: `before` and `after` may differ in
 *  size. @param {View} view @param {Size} before @param {Size} after @param {Size} canvas */
export function carried(view, before, after, canvas) {
  const scale = view.scale * Math.max(before.width, before.height) / Math.max(after.width, after.height);
  const {x, y} = view.picture(canvas.width / 2, canvas.height / 2);
  return centred((x + 0.5) / before.width * after.width - 0.5, (y + 0.5) / before.height * after.height - 0.5, scale,
    canvas, view.turn);
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
  return view.zoomed(within(view.scale * factor), x, y).moved((c[0] + d[0]) / 2 - x, (c[1] + d[1]) / 2 - y);
}

/** With a place of the picture in the middle. @param {number} x @param {number} y @param {number} scale
 *  @param {Size} canvas @param {number} [turn] */
export const centred = (x, y, scale, canvas, turn = 0) =>
  View.with(x, y, canvas.width / 2, canvas.height / 2, scale, turn);

/** What is in sight of a picture, its edges included, in its pixels; of one that is turned, from the corner of the box
 *  around it. @param {View} view @param {Size} picture @param {Size} canvas @returns {Box} */
export function sight(view, picture, canvas) {
  const {scale} = view;
  const {width, height} = outline(picture, view.turn);
  const [boxLeft, boxTop] = view.around(picture);
  const [left, top] = [Math.max(0, -boxLeft / scale), Math.max(0, -boxTop / scale)];
  return [left, top, Math.min(width, (canvas.width - boxLeft) / scale) - left,
    Math.min(height, (canvas.height - boxTop) / scale) - top];
}

/**
 * The turn, scale and shift that lay places best upon others (least squares).
 * @param {{x: number, y: number}[]} from
 * @param {{x: number, y: number}[]} to  as many
 * @param {number} scale  where a single place leaves it open, or several on one spot
 * @returns {((place: {x: number, y: number}) => {x: number, y: number})|null} null without places
 */
export function similarity(from, to, scale) {
  if (!from.length) return null;
  /** @param {{x: number, y: number}[]} places */
  const middle = (places) => ({x: places.reduce((sum, {x}) => sum + x, 0) / places.length,
    y: places.reduce((sum, {y}) => sum + y, 0) / places.length});
  const [p, q] = [middle(from), middle(to)];
  let [across, along, size] = [0, 0, 0];
  from.forEach(({x, y}, i) => {
    const [px, py, qx, qy] = [x - p.x, y - p.y, to[i].x - q.x, to[i].y - q.y];
    along += px * qx + py * qy;
    across += px * qy - py * qx;
    size += px * px + py * py;
  });
  const [a, b] = size > 1 ? [along / size, across / size] : [scale, 0];
  return ({x, y}) => ({x: q.x + a * (x - p.x) - b * (y - p.y), y: q.y + b * (x - p.x) + a * (y - p.y)});
}

/** Whether a place lies on a picture, its edges included. @param {Size} picture @param {number} x @param {number} y */
export const inside = ({width, height}, x, y) => x >= -0.5 && y >= -0.5 && x <= width - 0.5 && y <= height - 0.5;

/** Where a part that is `length` long begins, as an edge: around `middle` if it can, but within `whole`; a longer one
 *  lies around all of it. @param {number} middle @param {number} length @param {number} whole */
export const begin = (middle, length, whole) =>
  length >= whole ? (whole - length) / 2 : clamp(middle - length / 2, 0, whole - length);
