/** Which suggestions are too uncertain to be accepted without a look. */

/** @import {Suggestions} from 'types/messages' */

/**
 * A suggestion is very uncertain if its expected error is above `share` of the picture's longer side: a point that far
 * off (40 px on a screen that shows the picture 800 px wide) is plainly beside its landmark, so there is little to
 * accept. Or if it is more than `times` the median of this picture's suggestions: then the model knows the others and
 * not this one; below `least` of the longer side (4 px of 300) that is too little to be worth a look by itself.
 */
export const DOUBT = {share: 0.05, times: 4, least: 0.015};

/**
 * Names of the landmarks whose suggestion is very uncertain.
 * @param {Suggestions['points']} points  all of the picture's
 * @param {number} side  the picture's longer one, in pixels
 * @returns {Set<string>}
 */
export function doubtful(points, side) {
  const errors = Object.values(points).map((point) => point.expected_px).sort((a, b) => a - b);
  const most = Math.min(DOUBT.share * side, Math.max(DOUBT.least * side, DOUBT.times * median(errors)));
  return new Set(Object.keys(points).filter((name) => points[name].expected_px > most));
}

/** @param {number[]} sorted */
function median(sorted) {
  const half = sorted.length / 2;
  return sorted.length ? (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2 : 0;
}
