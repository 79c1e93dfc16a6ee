"""Landmarks of AFLW's faces from few labels, beside the published numbers: as a user fits them, and as peers do.

    lead train YTFACES AFLW --out RUN --preset small
    python -m benchmarks.studies.aflw RUN AFLW [--labels 1 5 10 20 50 100 482] [--draws 5] [--heads softargmax ridge]

AFLW is a folder of the dataset ``aflw-mtfl``. Labels are drawn from its pool, the same for every arm, and all arms are
judged on its test faces, of which RUN has seen none: it learnt from training splits. ``lead/fit`` is what ``lead fit``
and ``lead predict`` do with the labelled pictures in a folder that holds the pool and nothing else; the heads are
fitted to the same features under the peers' protocol. Writes ``results/aflw-mtfl/<preset>/published.json`` and ``.md``.
What is predicted is kept in RUN: interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

from benchmarks.measuring import recorded  # noqa: E402
from lead import api  # noqa: E402
from lead.datasets import LAYOUTS, open_dataset  # noqa: E402
from lead.errors import LeadError  # noqa: E402
from lead.evaluation.grids import cell_text, decimals, markdown  # noqa: E402
from lead.evaluation.predictions import SHARES, Predictions  # noqa: E402
from lead.evaluation.results import CALIBRATION, METRICS, Result, Row  # noqa: E402
from lead.evaluation.summary import error_rows, further_rows  # noqa: E402
from lead.experiments.bench import Bench, PointSet, label_draws  # noqa: E402
from lead.experiments.regression import DRAWS, FEW, PREDICTIONS_VERSION, regression  # noqa: E402
from lead.files import write_atomic  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.nn.confidence import Confidence  # noqa: E402
from lead.reporting import counted  # noqa: E402
from lead.reproduce.published import AFLW, TESTED, TRAINED  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.fit import PlainKind  # noqa: E402
from lead.training.run import Run  # noqa: E402

NAME, DATASET, POINTS = "published", "aflw-mtfl", "5"
POOL = "pool"
"""Folder of the run with the pictures that may be labelled."""
TITLE = "Five points on AFLW's faces, by the number of labelled pictures: error in % of the distance of the eyes"


def pool_of(run: Run, bench: Bench, points: PointSet) -> Path:
    """A folder with the pool's pictures and no others, so that nothing else can be learnt from."""
    folder = run.folder / POOL
    folder.mkdir(exist_ok=True)
    wanted = {Path(image).name: bench.dataset.root / image for image in points.images(points.fit)}
    for name, source in wanted.items():
        if not (folder / name).exists():
            shutil.copy2(source, folder / name)
    if others := sorted({file.name for file in folder.iterdir()} - set(wanted)):
        raise LeadError(
            f"{folder} holds {others[0]}, which is not of the pool. Delete the folder, and it is made anew."
        )
    return folder


def as_a_user(
    run: Run, bench: Bench, points: PointSet, pool: Path, number: int, draw: int, picked: list[int]
) -> Predictions:
    """What ``lead fit`` and ``lead predict`` say of one draw.

    A landmark that is found beyond the picture's edge, which has no place, counts as if it were in the middle.
    """
    images = [Path(image).name for image in points.images(picked)]
    known = Labels.from_xy(points.labels.schema, images, points.labels.xy[picked])
    model = api.fit(run, known, pictures=pool, seed=mixed_seed(bench.settings.seed, "head", draw)).landmarker
    files = [bench.dataset.root / image for image in points.images(points.judge)]
    found = model.predict(files)
    place = {Path(image).name: row for row, image in enumerate(found.images)}
    found = found.take([place[file.name] for file in files])
    where = bench.store_rows(points.labels, points.judge)
    assert found.px_error is not None
    assert isinstance(model.calibration, Confidence)
    places = bench.frame.points(bench.store, where, found.xy)
    placed: npt.NDArray[np.bool_] = np.asarray(np.isfinite(places).all(-1))
    expected = np.where(placed, found.px_error * bench.store.scale[where, :1] / bench.frame.shown, np.nan)
    return bench.predictions(
        points,
        points.judge,
        np.where(placed[..., None], places, 0.0)[None],
        metric=f"regression-{points.name}",
        method="lead/fit",
        features=bench.features_text(bench.systems[0]),
        labels=number,
        labelled=[picked],
        expected=expected[None],
        radii=np.stack([expected * model.calibration.factor(share / 100) for share in SHARES])[:, None],
    )


def together(draws: Sequence[Predictions]) -> Predictions:
    """The predictions of several draws as one."""

    def joined(name: str, axis: int = 0) -> np.ndarray:
        return np.concatenate([getattr(draw, name) for draw in draws], axis=axis)

    return replace(
        draws[0],
        xy=joined("xy"),
        labelled=joined("labelled"),
        expected=joined("expected"),
        radii=joined("radii", axis=1),
    )


def checked(run: Run) -> Run:
    """A run that learnt from training splits alone.

    Raises:
        LeadError: it learnt from a folder of pictures, which may hold faces of the test, or does not say from what.
    """
    name = str(run.provenance.get("dataset", ""))
    if not name or not set(name.split("+")) <= set(LAYOUTS):
        learnt = f"learnt from {name!r}, which may hold" if name else "does not say what it learnt from, which may be"
        raise LeadError(f"{run.folder} {learnt} faces of the test. Train one with: lead train YTFACES AFLW --out RUN")
    return run


def measured(
    run: Run, bench: Bench, labels: Sequence[int], draws: int, heads: Sequence[PlainKind], say: Callable[[str], None]
) -> list[Predictions]:
    """All arms on the same draws; what an earlier call predicted is not predicted again."""
    points = bench.point_set(POINTS)
    pool = pool_of(run, bench, points)
    out = []
    for number in labels:
        by_draw = []
        for draw, picked in enumerate(label_draws(bench, points.fit, number, draws)):
            say(f"lead/fit, {counted(number, 'label')}, draw {draw + 1} of {draws}")
            make = partial(as_a_user, run, bench, points, pool, number, draw, picked)
            what = ["fit", PREDICTIONS_VERSION, number, draw, picked, points.fit, points.judge]
            by_draw.append(bench.saved(make, points, bench.systems[0], *what))
        out.append(together(by_draw))
    return out + regression(bench, labels=labels, draws=draws, heads=heads, point_sets=[POINTS], say=say)


def differences(run: Run, bench: Bench, found: Sequence[Predictions]) -> list[str]:
    """What is otherwise here than for the published numbers, in sentences."""
    points = bench.point_set(POINTS)
    sides = sorted({int(side) for side in bench.store.sizes.max(1)})
    size = f"{sides[0]}" if len(sides) == 1 else f"{sides[0]} to {sides[-1]}"
    sources = run.provenance.get("sources") or {run.provenance["dataset"]: run.provenance["pictures"]}
    learnt = " and ".join(f"{count:,} of {name}" for name, count in sources.items())
    init = run.settings.backbone.init
    start = "random weights" if init == "random" else f"pre-trained weights ({init})"
    lost = sum(int(np.isnan(one.expected).sum()) for one in found if one.expected is not None)
    return [
        f"Pictures are of {size} pixels a side here, of 150 for the published numbers.",
        f"Labels are drawn from {len(points.fit):,} of the {TESTED:,} pictures that papers test on, and judged on the "
        f"other {len(points.judge):,}; theirs are drawn from {TRAINED:,} training faces of AFLW and judged on all.",
        f"This network starts from {start} and learns, without labels, from {learnt}. The paper's starts from random "
        "weights and learns from the 162,770 faces of CelebA.",
        f"With all {len(points.fit):,} labels, draws differ in the fit's own seed alone.",
        f"Of lead/fit, {lost:,} landmarks were found beyond a picture's edge; they count as if in its middle.",
        "Published numbers are as printed; how many draws are behind them, their papers mostly do not say.",
    ]


def table(result: Result, labels: Sequence[int], every: int) -> str:
    """Markdown: our rows and the published ones, a column for each number of labels."""
    columns = ["all" if number == every else number for number in labels]
    heads = [f"{every} (theirs: all)" if number == every else str(number) for number in labels]
    lines = [["Method", "Features", *heads], ["---", "---", *["--:"] * len(heads)]]
    ours: dict[tuple[str, str], dict[object, Row]] = {}
    for row in result.rows:
        if row.metric in METRICS:
            ours.setdefault((row.method, row.features), {})[row.labels] = row
    for (method, features), cells in ours.items():
        lines.append([method, features, *(cell_text(cells.get(number)) for number in labels)])
    for (method, features), numbers in AFLW.items():
        printed = [numbers.get(column) for column in columns]
        if any(number is not None for number in printed):
            lines.append([method, features, *("–" if n is None else decimals(n) for n in printed)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text(result: Result, labels: Sequence[int], every: int) -> str:
    """The page of a result: errors beside the published ones, then how well they were foreseen, and what differs."""
    foreseen = replace(
        result,
        title="How many true places are within the radii",
        rows=tuple(row for row in result.rows if row.metric in CALIBRATION),
    )
    legend = "Ours: mean ± standard deviation over draws (median). Published: the mean, as printed."
    return "\n\n".join([f"### {TITLE}", table(result, labels, every), legend, markdown(foreseen)])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--labels", type=int, nargs="+", default=[*FEW, 482])
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--heads", nargs="*", choices=("softargmax", "ridge"), default=["softargmax", "ridge"])
    parser.add_argument("--preset-name", default="small")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    run, dataset = checked(Run.open(chosen.run)), open_dataset(chosen.dataset, DATASET)
    bench = Bench.of_run(run, dataset, "test", ["lead"])
    every = len(bench.point_set(POINTS).fit)
    labels = sorted(set(chosen.labels))
    if labels[-1] > every:
        raise LeadError(f"--labels {labels[-1]}: the pool has {every} pictures to label. Ask for fewer.")
    found = measured(run, bench, labels, chosen.draws, chosen.heads, partial(print, flush=True))
    result = replace(
        bench.result(
            NAME,
            [*error_rows(found), *further_rows(found)],
            started,
            chosen.preset_name,
            recorded("aflw", chosen),
        ),
        title=TITLE,
        notes=tuple(differences(run, bench, found)),
    )
    path = result.path(chosen.results)
    result.write(path, overwrite=True)
    write_atomic(path.with_suffix(".md"), text(result, labels, every), overwrite=True)
    print(text(result, labels, every))


if __name__ == "__main__":
    main()
