/** The picture to work on: zoomed, panned, pointed at. Coordinates are those of geometry.js. */

import {Crosshair} from './crosshair.js';
import {Crowd, met} from './crowd.js';
import {paintCurves, paintDraft} from './curve-paint.js';
import {h} from './dom.js';
import {carried, centred, clamp, outline, pinched, turned, View} from './geometry.js';
import {Gestures} from './gestures.js';
import {arrowOf, paintArrow} from './heading.js';
import {hold, holdLarge} from './images.js';
import {loupePlace, loupeScale, loupeSide, paintLoupe} from './loupe.js';
import {Minimap} from './minimap.js';
import {NEAREST_FROM, paintMark, paintName, paintSkeleton, prepare} from './paint.js';
import {LARGE, shrinkOf, Tiles} from './tiles.js';

/**
 * @import {Curve, PictureDetail} from 'types/messages'
 * @import {Api} from './api.js'
 * @import {Met, Other} from './crowd.js'
 * @import {Draft} from './curve-tool.js'
 * @import {Place as Spot} from './curves.js'
 * @import {Size} from './geometry.js'
 * @import {Direction} from './heading.js'
 * @import {Place} from './gestures.js'
 * @import {Context, Mark} from './paint.js'
 * @import {Bounds, Where} from './loupe.js'
 * @typedef {object} Shown  what is drawn over the picture
 * @property {boolean} points  labelled ones
 * @property {boolean} suggestions
 * @property {boolean} rings  of the expected errors
 * @property {'none'|'current'|'all'} names
 * @property {number} radius  of a point, in CSS pixels
 * @property {Where} loupe  where the magnifier is
 * @property {boolean} minimap
 */

const LARGEST_SCALE = 64;
const SMALLEST = 16; // a picture is shown at least so long
const MARGIN = 16; // around a picture that is shown whole
const BELOW = 54; // below it, where the hint is
const EDGE = 40; // what is to be in sight is so far from the canvas's edge
const KEPT_IN_SIGHT = 80;

/** A picture to zoom, pan, point at and work on. What it shows is set by `marks`, `skeleton`, `current`, then
 *  `draw()`. */
export class PictureCanvas {
  /**
   * @param {HTMLElement} place  it fills this; must be positioned
   * @param {Api} api
   * @param {object} on  what it calls back
   * @param {(under: string|null) => string|null} on.awaits  the landmark that a click places, on the point `under` or
   *  where no point is; null if it places none
   * @param {(name: string, x: number, y: number, hidden: boolean) => void} on.press  it is being placed
   * @param {(name: string) => void} on.grab  a point was pressed on or taken hold of
   * @param {(key: string, name: string) => void} on.choose  a point of another specimen was pressed on
   * @param {() => boolean} on.anywhere  whether what a click places is placed upon another specimen, too
   * @param {(name: string, x: number, y: number, moved: boolean, whole: boolean) => void} on.drop  let go of; `whole`:
   *  with all of its curve
   * @param {(name: string, to: {x: number, y: number}, whole: boolean) => Map<string, Spot>|null} on.along  where the
   *  other points of its curve are while one is dragged
   * @param {(name: string) => void} on.cancel  the placing or the drag was broken off
   * @param {(outside: boolean) => void} on.nothing  clicked where nothing is to be placed or held; outside the picture?
   * @param {(up: Direction) => void} on.up  the person has said which way the thing's up points, in the picture
   * @param {() => void} on.space  the space bar was pressed, and not to pan
   * @param {() => void} on.view  zoomed or panned
   * @param {(message: string) => void} on.failed  the picture cannot be shown
   */
  constructor(place, api, on) {
    this.api = api;
    this.on = on;
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {[string, string][]} */
    this.skeleton = [];
    /** those whose lines are drawn @type {Curve[]} */
    this.curves = [];
    /** the one that is being drawn @type {Draft|null} */
    this.draft = null;
    /** the specimen that the marks are of, where pictures show several @type {string|null} */
    this.key = null;
    /** those beside it @type {Other[]} */
    this.others = [];
    /** the one of them under the pointer @type {string|null} */
    this.pointed = null;
    /** @type {string|null} */
    this.current = null;
    /** which way the thing's up points in the picture, where that is shown @type {Direction|null} */
    this.up = null;
    /** while true, a drag says which way is up */
    this.pointing = false;
    /** @type {string|null} */
    this.hovered = null;
    /** CSS filter of the picture, for the eye alone, e.g. `brightness(1.5)` */
    this.filter = 'none';
    /** @type {PictureDetail|null} */
    this.picture = null;
    /** of its large image */
    this.address = '';
    /** @type {HTMLImageElement|null} */
    this.base = null;
    this.view = new View(1, 0, 0);
    /** of the picture in every view of it, clockwise, in radians */
    this.turn = 0;
    this.fitted = true;
    /** whether another picture is opened as near as the last one */
    this.keepsZoom = false;
    /** @type {Shown} */
    this.shown = {points: true, suggestions: true, rings: true, names: 'current', radius: 5, loupe: 'pointer',
      minimap: true};
    /** while true, the bare picture is shown */
    this.bare = false;
    this.frame = 0;
    this.element = h('canvas.picture', {testid: 'canvas', tabindex: 0, role: 'application', 'aria-label': 'Picture'});
    place.append(this.element);
    this.crowd = new Crowd();
    this.tiles = new Tiles(api, () => this.draw());
    this.minimap = new Minimap(place, this);
    this.crosshair = new Crosshair(place, this);
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.element);
    this.abort = new AbortController();
    this.gestures = new Gestures(this, this.abort.signal);
    this.watchRatio();
  }

  destroy() {
    this.abort.abort();
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
    this.tiles.clear();
    this.element.remove();
  }

  /** What the pointer is doing. */
  get drag() {
    return this.gestures.drag;
  }
  breakOff() {
    this.gestures.breakOff();
  }
  /** While space is held, a drag pans. */
  holdSpace(held = true) {
    this.gestures.holdSpace(held);
  }
  /** Shows the bare picture for a while. */
  hideMarks(hidden = true) {
    if (this.bare === hidden) return;
    this.bare = hidden;
    this.draw();
  }

  // --- which picture ------------------------------------------------------------------------------------------------

  /** Shows another picture: a small image of it at once, then a large one, then tiles where they are needed.
   *  @param {PictureDetail} picture */
  async open(picture) {
    const before = this.picture;
    const address = this.api.image(picture.id, LARGE); // another one where the file was replaced
    const another = this.address !== address || before?.width !== picture.width || before.height !== picture.height;
    this.picture = picture;
    this.address = address;
    this.element.setAttribute('aria-label', `Picture ${picture.file}`);
    if (!another && this.base) {
      this.draw();
      return;
    }
    this.gestures.letGo();
    this.hovered = this.pointed = null;
    this.element.dataset.ready = '';
    this.element.dataset.id = picture.id;
    if (this.keepsZoom && before && !this.fitted) this.look(carried(this.view, before, picture, this.size));
    else this.fit();
    const is = () => this.address === address;
    const [whole, small] = [holdLarge(address), hold(this.api.image(picture.id, 320))];
    this.base = whole.image ?? small.image;
    small.loading.then((image) => {
      if (!is() || this.base) return;
      this.base = image;
      this.draw();
    }, () => {});
    this.draw();
    try {
      const image = await whole.loading;
      if (!is()) return;
      this.base = image;
      this.paint();
      this.element.dataset.ready = picture.id;
      this.tiles.prepare(picture);
    } catch {
      if (is()) this.on.failed('This picture cannot be shown.');
    }
  }

  /** Shows no picture. */
  clear() {
    this.picture = null;
    this.address = '';
    this.base = null;
    this.marks = [];
    this.others = [];
    this.element.dataset.ready = '';
    this.draw();
  }

  // --- coordinates --------------------------------------------------------------------------------------------------

  /** From the picture to the window, in CSS pixels (what a mouse event's clientX and clientY are).
   *  @param {number} x @param {number} y */
  toScreen(x, y) {
    const box = this.element.getBoundingClientRect();
    const [sx, sy] = this.view.place(x, y);
    return {x: sx + box.left, y: sy + box.top};
  }

  /** From the window (clientX, clientY) to the picture. @param {number} clientX @param {number} clientY */
  toPicture(clientX, clientY) {
    const box = this.element.getBoundingClientRect();
    return this.view.picture(clientX - box.left, clientY - box.top);
  }

  /** In CSS pixels. @returns {Size} */
  get size() {
    return {width: this.element.clientWidth || 1, height: this.element.clientHeight || 1};
  }

  /** At which the whole picture is shown. @param {Size} picture */
  fitScale(picture) {
    const room = this.size;
    const {width, height} = outline(picture, this.turn);
    const scale = Math.min((room.width - 2 * MARGIN) / width, (room.height - MARGIN - BELOW) / height, LARGEST_SCALE);
    return Math.max(scale, SMALLEST / Math.max(width, height)); // also where there is no room at all
  }

  /** The whole picture. */
  fit() {
    if (!this.picture) return;
    const {width, height} = this.picture;
    const scale = this.fitScale(this.picture);
    const {width: across, height: down} = this.size;
    this.view = View.with((width - 1) / 2, (height - 1) / 2, across / 2, (down + MARGIN - BELOW) / 2, scale, this.turn);
    this.fitted = true;
    this.changed();
  }

  /** Turns the picture, for the eye alone; what is in the middle stays there. @param {number} turn  from how it is
   *  stored, clockwise, in radians */
  turnTo(turn) {
    if (turn === this.turn) return;
    this.turn = turn;
    if (this.fitted) this.fit();
    else this.look(this.view);
  }

  /** Zooms by `factor` about a place on the canvas (its middle, if left out).
   *  @param {number} factor @param {number} [sx] @param {number} [sy] */
  zoom(factor, sx = this.size.width / 2, sy = this.size.height / 2) {
    if (this.picture) this.look(this.view.zoomed(this.withinScales(this.view.scale * factor, this.picture), sx, sy));
  }

  /** @param {number} scale @param {Size} picture */
  withinScales(scale, picture) {
    return clamp(scale, Math.min(this.fitScale(picture), 1) / 2, LARGEST_SCALE);
  }

  /** Two fingers went from two places on the canvas to two others: what is between them goes along.
   *  @param {[Place, Place]} from @param {[Place, Place]} to */
  pinch(from, to) {
    const {picture} = this;
    if (picture) this.look(pinched(this.view, from, to, (scale) => this.withinScales(scale, picture)));
  }

  /** Looks at a place of the picture, so many times as near as where the whole is in sight.
   *  @param {number} x @param {number} y @param {number} times */
  visit(x, y, times) {
    const {picture} = this;
    if (picture) this.look(centred(x, y, this.withinScales(this.fitScale(picture) * times, picture), this.size));
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.look(this.view.moved(dx, dy));
  }

  /** Brings a place of the picture into sight if it is not. @param {number} x @param {number} y */
  reveal(x, y) {
    if (this.fitted) return; // all of it is in sight
    const {width, height} = this.size;
    const [sx, sy] = this.view.place(x, y);
    const dx = sx < EDGE ? EDGE - sx : sx > width - EDGE ? width - EDGE - sx : 0;
    const dy = sy < EDGE ? EDGE - sy : sy > height - EDGE ? height - EDGE - sy : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  /** A place of the picture in the middle, from so near that `reach` pixels around it can be judged.
   *  @param {number} x @param {number} y @param {number} reach @param {number} [part]  `reach` is this part of what is
   *  in sight @param {number} [deepest]  pixels of the screen to one of the picture's, at most */
  near(x, y, reach, part = 4, deepest = NEAREST_FROM) {
    if (!this.picture) return;
    const {width, height} = this.size;
    const fit = this.fitScale(this.picture);
    const nearest = Math.max(deepest / (window.devicePixelRatio || 1), fit);
    this.look(centred(x, y, clamp(Math.min(width, height) / part / Math.max(reach, 1), fit, nearest), this.size));
  }

  /** Some of the picture always stays on the canvas. Of a view of another turn, what is in its middle is shown.
   *  @param {View} view */
  look(view) {
    const {picture, size, turn} = this;
    const {x, y} = view.picture(size.width / 2, size.height / 2);
    const same = view.turn === turn ? view : centred(x, y, view.scale, size, turn);
    this.view = picture ? same.inSight(picture, size, KEPT_IN_SIGHT) : same;
    this.fitted = false;
    this.changed();
  }

  changed() {
    this.draw();
    this.on.view();
  }

  resized() {
    if (this.fitted) this.fit();
    else this.draw();
  }

  // --- what is where ------------------------------------------------------------------------------------------------

  /** The marks that are drawn, the dragged one where it is now. @returns {Mark[]} */
  marksNow() {
    if (this.bare) return [];
    const {drag, marks, shown} = this;
    const held = drag?.kind === 'point' ? drag : null;
    const along = held?.far && !held.placed ? this.on.along(held.name, held, held.whole) : null;
    const of = (/** @type {Mark} */ mark) => {
      const place = along?.get(mark.name);
      return place ? {...mark, x: place[0], y: place[1]} : mark;
    };
    return marks.filter(({name, style}) =>
      name === held?.name || (style === 'suggested' ? shown.suggestions : shown.points)
    )
      .map((mark) =>
        mark.name === held?.name && (held.far || held.placed)
          ? {...mark, x: held.x, y: held.y, accepted: false, style: mark.style === 'suggested' ? 'visible' : mark.style}
          : of(mark)
      );
  }

  /** The point nearest to a place on the canvas, within reach; of two the current one.
   *  @param {number} sx @param {number} sy @param {number} reach  in CSS pixels */
  nearest(sx, sy, reach) {
    /** @type {Mark|null} */
    let best = null;
    let least = reach;
    for (const mark of this.marksNow()) {
      const [x, y] = this.view.place(mark.x, mark.y);
      const d = Math.hypot(x - sx, y - sy) - (mark.name === this.current ? 0.5 : 0);
      if (d <= least) [least, best] = [d, mark];
    }
    return best;
  }

  /** Points of the specimen at work, drawn as marks, within reach of a place on the canvas.
   *  @param {string} key @param {number} sx @param {number} sy @param {number} reach  in CSS pixels @returns {Met[]} */
  nearestOwn(key, sx, sy, reach) {
    return this.marksNow().flatMap(({name, x, y}) => {
      const [px, py] = this.view.place(x, y);
      const away = Math.hypot(px - sx, py - sy);
      return away <= reach ? [{key, name, away}] : [];
    });
  }

  /** Points of other specimens within reach of a place on the canvas, the nearest first.
   *  @param {number} sx @param {number} sy @param {number} reach  in CSS pixels @returns {Met[]} */
  nearestOthers(sx, sy, reach) {
    const {shown} = this;
    if (this.bare || !this.others.length) return [];
    const seen = this.others.filter(({suggested}) => suggested ? shown.suggestions : shown.points);
    return met(seen, this.view, sx, sy, reach);
  }

  // --- drawing ------------------------------------------------------------------------------------------------------

  /** A window dragged to another screen is drawn at that screen's resolution. */
  watchRatio() {
    const query = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    query.addEventListener('change', () => {
      this.draw();
      this.watchRatio();
    }, {once: true, signal: this.abort.signal});
  }

  /** Draws with the next frame. */
  draw() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const {ctx, size} = prepare(this.element);
    const {picture, view, shown} = this;
    this.minimap.on = shown.minimap;
    this.minimap.draw();
    this.tiles.begin();
    if (picture) this.paintAll(ctx, picture, view, size, shown);
    this.tiles.end();
  }

  /** @param {Context} ctx @param {PictureDetail} picture @param {View} view @param {Size} size @param {Shown} shown */
  paintAll(ctx, picture, view, size, shown) {
    this.paintPicture(ctx, picture, view, {left: 0, top: 0, right: size.width, bottom: size.height});
    const marks = this.marksNow();
    if (!this.bare && this.others.length) this.crowd.paint(ctx, view, size, this.others, shown, this.pointed);
    if (!this.bare) {
      paintCurves(ctx, view, marks, this.curves);
      paintSkeleton(ctx, view, marks, this.skeleton);
    }
    const top = marks.filter(({name}) => name === this.hovered || name === this.current);
    const how = (/** @type {Mark} */ {small}) => ({r: small ? shown.radius / 2 : shown.radius,
      error: shown.rings && !small});
    for (const mark of marks) if (!top.includes(mark)) paintMark(ctx, view, mark, how(mark));
    for (const mark of top) paintMark(ctx, view, mark, {...how(mark), current: mark.name === this.current});
    const named = (shown.names === 'all' ? marks : shown.names === 'current' ? top : []).filter(({small}) => !small);
    if (this.draft) paintDraft(ctx, view, this.draft, this.nextClick());
    const magnified = this.magnified();
    if (!magnified || shown.names === 'all') {
      for (const mark of named) {
        paintName(ctx, view, mark, size, shown.radius);
      }
    }
    this.crosshair.paint(ctx, view, size);
    this.paintUp(ctx);
    if (magnified && shown.loupe !== 'off') this.paintLoupe(ctx, picture, magnified);
  }

  /** Where a click would be now, or is just being made. @returns {Spot|null} */
  nextClick() {
    const {drag, crosshair: {at}, gestures: {over}, view} = this;
    if (drag?.kind === 'point' && drag.placed) return [drag.x, drag.y];
    const {x, y} = at ?? (over && !drag ? view.picture(...over) : {x: NaN, y: NaN});
    return Number.isNaN(x) ? null : [x, y];
  }

  /** Which way is up: as it is being said, or as it is known. @param {Context} ctx */
  paintUp(ctx) {
    const {drag, view, up, size, bare} = this;
    if (drag?.kind === 'up') paintArrow(ctx, [drag.sx, drag.sy], drag.to);
    const marks = up && drag?.kind !== 'up' && !bare ? this.marks : [];
    const arrow = up && arrowOf(marks.map(({x, y}) => view.place(x, y)), turned(up.x, up.y, view.turn), size);
    if (arrow) paintArrow(ctx, ...arrow);
  }

  /** What the magnifier is for: the point that is held, or the cross-hair. */
  magnified() {
    const {drag, crosshair: {at, name}} = this;
    if (drag?.kind === 'point') return {name: drag.name, x: drag.x, y: drag.y, touch: drag.touch};
    return at && {name, ...at, touch: false};
  }

  /** @param {Context} ctx @param {PictureDetail} picture
   *  @param {{name: string|null, x: number, y: number, touch: boolean}} magnified */
  paintLoupe(ctx, picture, {name, x, y, touch}) {
    const {view, size} = this;
    const side = loupeSide(size);
    paintLoupe(ctx, {
      point: {x, y},
      colour: this.marks.find((m) => m.name === name)?.colour ?? '#ffffff',
      corner: loupePlace(view.place(x, y), side, size, {where: this.shown.loupe, touch}),
      side,
      scale: loupeScale(view.scale),
      turn: view.turn,
      picture: (seen, bounds) => this.paintPicture(ctx, picture, seen, bounds),
    });
  }

  /**
   * The picture where `view` puts it, as far as it lies within `bounds`.
   * @param {Context} ctx
   * @param {PictureDetail} picture
   * @param {View} view
   * @param {Bounds} bounds
   */
  paintPicture(ctx, picture, view, bounds) {
    const {base} = this;
    const {scale, left, top, turn} = view;
    const ratio = window.devicePixelRatio || 1;
    ctx.save();
    ctx.translate(left, top);
    ctx.rotate(turn);
    ctx.imageSmoothingQuality = 'high';
    ctx.filter = this.filter;
    if (base) {
      ctx.imageSmoothingEnabled = (scale * ratio * picture.width) / base.naturalWidth < NEAREST_FROM;
      ctx.drawImage(base, 0, 0, picture.width * scale, picture.height * scale);
    } else {
      ctx.fillStyle = 'rgb(128 128 128 / 12%)';
      ctx.fillRect(0, 0, picture.width * scale, picture.height * scale);
    }
    const shrink = shrinkOf(scale * ratio, picture);
    if (shrink !== null) {
      ctx.imageSmoothingEnabled = scale * ratio < NEAREST_FROM;
      this.tiles.paint(ctx, picture, view, bounds, shrink);
    }
    ctx.restore();
  }
}
