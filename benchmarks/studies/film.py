"""Individuals over the frames of a film, and what smoothing does to their landmarks.

    python -m benchmarks.studies.film RUN POOL PICTURES TRUTH FILM --frames 1000,1500 --name flies [--labels 20]

RUN, POOL and PICTURES are those of :mod:`benchmarks.studies.specimens`. FILM is looked at from the first of the two
frames up to the second; TRUTH holds its labels, with names of individuals. A specimen is paired with the real one whose
landmarks are nearest, within ``HIT`` of its extent. A switch is a frame in which a real one is paired with another name
than when it was last paired with any. Where POOL names individuals, they are told apart by their looks,
too; *own name* is how often a real one is paired with a specimen of its name.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402

from benchmarks.measuring import keep, table  # noqa: E402
from benchmarks.studies.labelling_share import extents  # noqa: E402
from benchmarks.studies.specimens import HIT  # noqa: E402
from lead.api import fit  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.images.film import open_film, stored_frames  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.landmarks.frames import frame_of  # noqa: E402
from lead.linking import linked  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.smoothing import smoothed  # noqa: E402
from lead.training.run import Run  # noqa: E402

COLUMNS = {
    "arm": ("", "{}"),
    "frames": ("frames", "{}"),
    "found": ("of the real ones found, %", "{:.1f}"),
    "names": ("names", "{}"),
    "switches": ("switches in 1,000 frames", "{:.1f}"),
    "own": ("own name, %", "{}"),
    "mean": ("mean error, px", "{:.2f}"),
    "median": ("median, px", "{:.2f}"),
    "jitter": ("frame to frame, px", "{:.2f}"),
    "expected": ("expected, px", "{:.2f}"),
    "within": ("within the 90 % radius, %", "{:.0f}"),
}


def numbers(labels: Labels) -> list[int]:
    """The frame of each row."""
    found = [frame_of(image) for image in labels.images]
    return [one[1] for one in found if one is not None]


def judge(arm: str, found: Labels, truth: Labels) -> dict[str, object]:
    """Found specimens held against the real ones of the same frames."""
    assert found.tracks is not None
    assert truth.tracks is not None
    assert found.px_error is not None
    assert found.px_90 is not None
    rows: dict[int, list[int]] = {}
    for row, frame in enumerate(numbers(found)):
        if found.tracks[row]:
            rows.setdefault(frame, []).append(row)
    extent = extents(truth)
    last: dict[str, str] = {}
    before: dict[str, tuple[int, FloatArray]] = {}
    switches, own, away, within, expected, jitter = 0, 0, [], [], [], []
    for real, frame in sorted(enumerate(numbers(truth)), key=lambda pair: pair[1]):
        apart = {row: np.linalg.norm(found.xy[row] - truth.xy[real], axis=-1) for row in rows.get(frame, [])}
        best = min(apart, key=lambda row: float(np.nanmean(apart[row])), default=None)
        if best is None or not np.nanmean(apart[best]) < HIT * extent[real]:
            continue
        who, name = truth.tracks[real], found.tracks[best]
        switches += last.get(who, name) != name
        last[who] = name
        own += who == name
        away.append(apart[best])
        expected.append(found.px_error[best])
        within.append(np.where(np.isfinite(apart[best]), apart[best] <= found.px_90[best], np.nan))
        off = found.xy[best] - truth.xy[real]
        if who in before and before[who][0] == frame - 1:
            jitter.append(np.linalg.norm(off - before[who][1], axis=-1))
        before[who] = frame, off
    frames = len(set(numbers(truth)))
    return {
        "arm": arm,
        "frames": frames,
        "found": 100 * len(away) / len(truth),
        "names": len(set(found.tracks) - {""}),
        "switches": 1000 * switches / frames,
        "own": f"{100 * own / len(away):.1f}" if set(truth.tracks) & set(found.tracks) else "–",
        "mean": float(np.nanmean(away)),
        "median": float(np.nanmedian(away)),
        "jitter": float(np.nanmean(jitter)),
        "expected": float(np.nanmean(expected)),
        "within": 100 * float(np.nanmean(within)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("run", "pool", "pictures", "truth", "film"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--name", required=True, help="of the result")
    parser.add_argument("--frames", required=True, help="the first, and the one after the last: 1000,1500")
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    first, end = map(int, chosen.frames.split(","))
    run = Run.open(chosen.run)
    pool = load_labels(chosen.pool, pictures=chosen.pictures, several=True)
    random = np.random.default_rng(mixed_seed(0, "specimens", chosen.labels))
    picked = set(random.permutation(sorted(set(pool.images)))[: chosen.labels].tolist())
    labels = pool.take(i for i, image in enumerate(pool.images) if image in picked)
    summary = fit(run, labels, pictures=chosen.pictures, several=True, complete=True)
    model = summary.landmarker
    assert summary.finder is not None
    print(summary.finder.words, flush=True)
    truth = load_labels(chosen.truth, pictures=chosen.film.parent, several=True)
    truth = truth.take(i for i, frame in enumerate(numbers(truth)) if first <= frame < end)
    parts = []
    with closing(stored_frames(open_film(chosen.film), chosen.film.name, model.side, model.batch)) as stores:
        for store in stores:
            here = np.array([i for i, frame in enumerate(_frames_of(store.files)) if first <= frame < end], np.int64)
            if len(here):
                parts.append(model.predict_rows(store, here))
                print(parts[-1].images[-1], flush=True)
    seen = Labels.joined(parts)
    found = linked(replace(seen, tracks=("",) * len(seen)))
    rows = [judge("as seen", found, truth), judge("smoothed", smoothed(found), truth)]
    if summary.finder.told and summary.finder.told.individuals:
        rows.append(judge("named by looks", linked(seen), truth))
    result = {"labels": chosen.labels, "frames": [first, end], "run": run.provenance, "rows": rows}
    keep(f"film-{chosen.name}", result, table(COLUMNS, rows), chosen.results)


def _frames_of(files: tuple[str, ...]) -> list[int]:
    return [one[1] for one in map(frame_of, files) if one is not None]


if __name__ == "__main__":
    main()
