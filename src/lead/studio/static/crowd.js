/** The specimens beside the one at work: drawn thinner and paler, as many as there are, and picked with the pointer. */

import {boxOf} from './specimens.js';

/**
 * @import {Landmarks} from 'types/messages'
 * @import {Size, View} from './geometry.js'
 * @import {Context} from './paint.js'
 * @import {Specimen} from './specimens.js'
 * @typedef {{name: string, colour: string, x: number, y: number, suggested: boolean}} Spot
 * @typedef {{key: string, words: string, suggested: boolean, spots: Spot[], lines: [Spot, Spot][],
 *   box: [left: number, top: number, right: number, bottom: number]}} Other  `words`: its number and name, or how
 *   likely it is; `suggested`: it is no label yet
 * @typedef {{points: boolean, suggestions: boolean}} Visible  what is shown
 * @typedef {{key: string, name: string, away: number}} Met  a point within reach; `away` in CSS pixels
 */

const RADIUS = 3.25; // of a point, in CSS pixels
const BOX_BELOW = 20; // CSS pixels: smaller ones are drawn as a few strokes, without points
const WORDS_FROM = 28; // and only larger ones have their number
const MOST_WORDS = 120; // in sight
const MANY = 8; // in sight, from which on they are drawn once
const AROUND = 240; // CSS pixels beyond what is in sight that are drawn with it
const ABOVE = 6; // from a specimen to its number

/** Makes what is drawn of a specimen. @param {Specimen} specimen @param {string} words @param {Landmarks} landmarks
 *  @returns {Other|null} null where nothing has a place */
export function otherOf({key, labels, guess}, words, {landmarks, skeleton}) {
  /** @type {Map<string, Spot>} */
  const spots = new Map();
  for (const {name, colour} of landmarks) {
    const [label, suggestion] = [labels?.points[name], guess?.points[name]];
    if (label && label.state !== 'absent') spots.set(name, {name, colour, x: label.x, y: label.y, suggested: false});
    else if (!label && suggestion) spots.set(name, {name, colour, x: suggestion.x, y: suggestion.y, suggested: true});
  }
  const box = boxOf([...spots.values()]);
  if (!box) return null;
  const lines = skeleton.flatMap(([a, b]) => {
    const [p, q] = [spots.get(a), spots.get(b)];
    return p && q ? [/** @type {[Spot, Spot]} */ ([p, q])] : [];
  });
  return {key, words, suggested: !labels, spots: [...spots.values()], lines, box};
}

/** Those of which something may be on the canvas. @param {Other[]} others @param {View} view @param {Size} size */
export function inSight(others, view, {width, height}) {
  const corners = [[0, 0], [width, 0], [0, height], [width, height]].map(([x, y]) => view.picture(x, y));
  const [left, top, right, bottom] = boxOf(corners) ?? [0, 0, 0, 0];
  const edge = 12 / view.scale;
  return others.filter(({box}) =>
    box[0] <= right + edge && box[2] >= left - edge && box[1] <= bottom + edge && box[3] >= top - edge
  );
}

/** Draws the specimens beside the one at work. Many of them are drawn once, on a canvas that is larger than what is in
 *  sight, and moved with the view until that is not enough. */
export class Crowd {
  constructor() {
    /** what was drawn, of which, and how
     *  @type {{canvas: HTMLCanvasElement, of: Other[], how: string, view: View, margin: number}|null} */
    this.drawn = null;
  }

  /**
   * @param {Context} ctx
   * @param {View} view
   * @param {Size} size
   * @param {Other[]} others
   * @param {Visible} shown
   * @param {string|null} pointed  key of the one under the pointer
   */
  paint(ctx, view, size, others, shown, pointed) {
    const seen = inSight(visible(others, shown), view, size);
    const large = seen.filter(({box}) => extent(box) * view.scale >= WORDS_FROM);
    const words = large.length <= MOST_WORDS;
    if (seen.length < MANY) {
      this.drawn = null;
      paintOthers(ctx, view, seen);
      paintWords(ctx, view, large);
    } else this.paintMany(ctx, view, size, others, shown, words);
    paintWords(ctx, view, seen.filter((other) => other.key === pointed && !(words && large.includes(other))));
  }

  /** @param {Context} ctx @param {View} view @param {Size} size @param {Other[]} others @param {Visible} shown
   *  @param {boolean} words  whether they have their words */
  paintMany(ctx, view, size, others, shown, words) {
    const ratio = window.devicePixelRatio || 1;
    const how = [view.scale, view.turn, shown.points, shown.suggestions, size.width, size.height, ratio, words].join();
    if (!this.still(view, others, how)) this.drawn = drawn(view, size, others, shown, how, words);
    const {canvas, view: from, margin} = /** @type {NonNullable<Crowd['drawn']>} */ (this.drawn);
    const whole = (/** @type {number} */ place) => Math.round(place * ratio) / ratio;
    ctx.drawImage(canvas, whole(view.left - from.left) - margin, whole(view.top - from.top) - margin,
      canvas.width / ratio, canvas.height / ratio);
  }

  /** Whether what is drawn is still right, and reaches as far as one sees. @param {View} view @param {Other[]} others
   *  @param {string} how */
  still(view, others, how) {
    const {drawn} = this;
    if (!drawn || drawn.how !== how || drawn.of.length !== others.length) return false;
    const reaches = Math.abs(view.left - drawn.view.left) <= drawn.margin
      && Math.abs(view.top - drawn.view.top) <= drawn.margin;
    return reaches && others.every((other, i) => other === drawn.of[i]);
  }
}

/** @param {View} view @param {Size} size @param {Other[]} others @param {Visible} shown @param {string} how
 *  @param {boolean} words */
function drawn(view, {width, height}, others, shown, how, words) {
  const ratio = window.devicePixelRatio || 1;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height].map((side) => Math.ceil((side + 2 * AROUND) * ratio));
  const ctx = /** @type {Context} */ (canvas.getContext('2d'));
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  const moved = view.moved(AROUND, AROUND);
  const size = {width: width + 2 * AROUND, height: height + 2 * AROUND};
  const some = inSight(visible(others, shown), moved, size);
  paintOthers(ctx, moved, some);
  if (words) paintWords(ctx, moved, some.filter(({box}) => extent(box) * view.scale >= WORDS_FROM));
  return {canvas, of: others, how, view, margin: AROUND};
}

/** @param {Other[]} others @param {Visible} shown */
const visible = (others, shown) => others.filter(({suggested}) => suggested ? shown.suggestions : shown.points);

/** Draws them: one path for each colour, whatever their number. @param {Context} ctx @param {View} view
 *  @param {Other[]} others */
function paintOthers(ctx, view, others) {
  for (const suggested of [true, false]) {
    const some = others.filter((other) => other.suggested === suggested);
    if (some.length) paintSome(ctx, view, some, suggested);
  }
}

/** @param {Other['box']} box */
const extent = ([left, top, right, bottom]) => Math.max(right - left, bottom - top);

/** @param {Context} ctx @param {View} view @param {Other[]} others @param {boolean} suggested */
function paintSome(ctx, view, others, suggested) {
  ctx.save();
  ctx.globalAlpha = suggested ? 0.6 : 0.85;
  ctx.beginPath();
  for (const [p, q] of others.flatMap(({lines}) => lines)) {
    ctx.moveTo(...view.place(p.x, p.y));
    ctx.lineTo(...view.place(q.x, q.y));
  }
  ctx.lineWidth = 2.5;
  ctx.strokeStyle = 'rgb(0 0 0 / 35%)';
  ctx.stroke();
  if (suggested) ctx.setLineDash([3, 3]);
  ctx.lineWidth = 1;
  ctx.strokeStyle = '#d4d8dd';
  ctx.stroke();
  ctx.setLineDash([]);
  const small = others.filter(({box, lines}) => extent(box) * view.scale < BOX_BELOW && lines.length > 0);
  paintSpots(ctx, view, others.filter((other) => !small.includes(other)).flatMap(({spots}) => spots), suggested);
  ctx.restore();
}

/** @param {Context} ctx @param {View} view @param {Spot[]} spots @param {boolean} hollow */
function paintSpots(ctx, view, spots, hollow) {
  /** @type {Map<string, [number, number][]>} */
  const colours = new Map();
  for (const {colour, x, y} of spots) {
    const places = colours.get(colour) ?? [];
    places.push(view.place(x, y));
    colours.set(colour, places);
  }
  trace(ctx, [...colours.values()].flat(), RADIUS + (hollow ? 0 : 1));
  if (hollow) {
    ctx.lineWidth = 3.5;
    ctx.strokeStyle = 'rgb(0 0 0 / 50%)';
    ctx.stroke();
  } else {
    ctx.fillStyle = 'rgb(24 26 29 / 80%)';
    ctx.fill();
  }
  for (const [colour, places] of colours) {
    trace(ctx, places, RADIUS);
    ctx.fillStyle = ctx.strokeStyle = greyed(colour);
    ctx.lineWidth = 1.5;
    if (hollow) ctx.stroke();
    else ctx.fill();
  }
}

/** Discs, as one path. @param {Context} ctx @param {[number, number][]} places @param {number} radius */
function trace(ctx, places, radius) {
  ctx.beginPath();
  for (const [x, y] of places) {
    ctx.moveTo(x + radius, y);
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
  }
}

/** Numbers, names and likelihoods, above their specimens. @param {Context} ctx @param {View} view
 *  @param {Other[]} others */
function paintWords(ctx, view, others) {
  ctx.font = '500 11px system-ui, sans-serif';
  ctx.textBaseline = 'middle';
  for (const {words, box, suggested} of others) {
    const [left, top, right, bottom] = box;
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(([x, y]) => view.place(x, y));
    const x = Math.min(...corners.map(([cx]) => cx));
    const y = Math.min(...corners.map(([, cy]) => cy)) - ABOVE - 8;
    const width = ctx.measureText(words).width + 8;
    ctx.fillStyle = `rgb(12 14 17 / ${suggested ? 45 : 70}%)`;
    ctx.fillRect(x - 4, y - 8, width, 16);
    ctx.fillStyle = suggested ? '#d4d8dd' : '#ffffff';
    ctx.fillText(words, x, y + 0.5);
  }
}

/** @type {Map<string, string>} */
const greys = new Map();

/** A colour half way to grey. @param {string} colour  as `#rrggbb` */
export function greyed(colour) {
  const known = greys.get(colour);
  if (known) return known;
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const grey = 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2];
  const made = `rgb(${parts.map((part) => Math.round((part + grey + 40) / 2)).join(' ')})`;
  greys.set(colour, made);
  return made;
}

/** Points within reach of a place on the canvas, the nearest first. @param {Other[]} others @param {View} view
 *  @param {number} sx @param {number} sy @param {number} reach  in CSS pixels @returns {Met[]} */
export function met(others, view, sx, sy, reach) {
  const {x, y} = view.picture(sx, sy);
  const far = reach / view.scale;
  /** @type {Met[]} */
  const found = [];
  for (const {key, spots, box} of others) {
    if (x < box[0] - far || x > box[2] + far || y < box[1] - far || y > box[3] + far) continue;
    for (const spot of spots) {
      const away = Math.hypot(spot.x - x, spot.y - y) * view.scale;
      if (away <= reach) found.push({key, name: spot.name, away});
    }
  }
  return found.sort((a, b) => a.away - b.away);
}
