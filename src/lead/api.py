"""What one calls from Python: train, fit, evaluate, match."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from lead import prediction, processes
from lead.config import Settings, load_preset
from lead.datasets import open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError, unknown
from lead.evaluation.results import Result
from lead.evaluation.summary import error_rows, further_rows
from lead.experiments.bench import SYSTEMS, Bench, result_name
from lead.experiments.matching import matching
from lead.experiments.regression import DRAWS, FEW, regression
from lead.features import Extractor
from lead.files import check_folder, default_cache
from lead.images.build import open_store
from lead.images.find import expanded
from lead.images.folder_pictures import LabelledAs
from lead.images.labels import save_labels
from lead.images.placing import placed, placed_by_hand
from lead.images.store import skipped_text
from lead.images.survey import survey
from lead.inference import Landmarker
from lead.landmarks import Labels
from lead.landmarks.io import check_target
from lead.landmarks.model import VISIBLE
from lead.landmarks.naming import labelled_row
from lead.nn.matching import match_points
from lead.prediction import Predicted
from lead.reporting import Counting, Progress, Report, Say, counted, silent, unsaid
from lead.shards import Shard
from lead.training.data import Pictures, learnt_from
from lead.training.fit import FittedKind
from lead.training.headings import with_found_views
from lead.training.landmarks import FitSummary, fit_landmarker
from lead.training.run import Run, claim, open_pictures, with_contrast
from lead.training.several import as_several
from lead.training.specimens import keep_windows, windowed
from lead.training.teacher import load_teacher
from lead.training.upkeep import UPKEEP, Upkeep

TASKS = ("regression", "few-shot", "matching")
StageChoice = Literal["both", "pretrain", "distill"]


def train(
    data: Pictures,
    out: Path | str,
    *,
    preset: str = "small",
    settings: Settings | None = None,
    assignments: Iterable[str] = (),
    stage: StageChoice = "both",
    name: str | None = None,
    frames: int | None = None,
    retry_smaller: bool = False,
    labels: Labels | Path | str | None = None,
    extent: float | None = None,
    report: Report = silent,
    sampling: Progress | None = None,
    decoding: Progress | None = None,
    say: Say = unsaid,
    upkeep: Upkeep = UPKEEP,
) -> Run:
    """Learns features from a folder of pictures. Called again, it resumes, or returns at once if it is done.

    Called by each process of torchrun or SLURM, it trains on all their devices; the first alone reports. With a
    teacher from outside (``distill.teacher.model``), stage 2 alone needs no stage 1.

    Args:
        data: a folder of pictures and films, a film, or a dataset's folder (then only its training split is used); or
            several folders. Of films, frames are taken that are unlike one another, into ``frames/`` of ``out``.
        out: the run's folder.
        preset: shipped settings, or a YAML file of settings.
        settings: complete settings, in place of a preset.
        assignments: ``KEY=VALUE`` changes to the preset.
        stage: stage 1, stage 2, or both.
        name: which dataset, of a folder that holds several; see :func:`open_dataset`.
        frames: to take out of each film, at most; by default as many as last time, at first 200.
        retry_smaller: where memory runs out as a stage begins, begin it anew with half the batch, and so on: another
            training, of which the run's settings say the smaller batch, and ``run.json`` why.
        labels: of some specimens, small in their pictures: they and others like them are learnt from.
        extent: of such a specimen, as a share of the picture's longer side, where none is labelled yet.
        report: called as training goes on.
        sampling, decoding: called as films are read, and as pictures are decoded.
        say: told what was skipped, what was found of the folder, and which stages are done already.
        upkeep: when the training looks at itself, saves and gives up.

    Raises:
        LeadError: bad pictures or settings, or others than the run's; the loss diverged; memory ran out; pictures can
            no longer be read; several processes are to retry; or the user interrupted.
    """
    from lead.training import stages  # with Fabric and TensorBoard, which nothing else here needs

    _one_of("stage", stage, get_args(StageChoice))
    chosen = settings or load_preset(preset, assignments)
    stages.join(chosen, stage, say)
    chosen = stages.as_retried(Path(out), chosen) if retry_smaller else chosen
    if not processes.leads():
        sampling, decoding, say = None, None, unsaid
    run = Run.plan(Path(out), chosen, upkeep)
    processes.most(False)  # all have looked at the folder before anything is written
    if stage == "distill":
        _need_stage_one(run, chosen, data)
    with processes.in_turn():
        dataset = learnt_from(data, run, name, frames, sampling, say)
    with processes.in_turn(machine=True):  # what is downloaded is so once
        if not run.has_backbone:
            run.initial_backbone()  # a wrong name or missing weights stop here, before anything is decoded or written
        if stage != "pretrain" and not run.has_student:
            load_teacher(chosen.distill.teacher)  # and here
    dataset, chosen, windows = windowed(dataset, chosen, run, labels=labels, extent=extent, progress=decoding, say=say)
    pictures = open_pictures(dataset, run.settings, progress=decoding, say=say)
    chosen = with_found_views(chosen, run, pictures, say)
    has_backbone, has_student = map(bool, map(processes.most, (run.has_backbone, run.has_student)))
    with processes.in_turn():
        run = Run.create(Path(out), with_contrast(chosen, pictures.store.showing), upkeep)
        keep_windows(run, windows)
        if not (has_backbone and (has_student or stage == "pretrain")):
            claim(run, pictures)
    if skipped := pictures.store.skipped:
        say(skipped_text(skipped, rest=str(run.folder / "run.json")))
    done = {"pretrain": has_backbone or (stage == "both" and has_student), "distill": has_student}
    asked = {name: is_done for name, is_done in done.items() if stage in {"both", name}}
    return stages.learnt(run, pictures, asked, retry_smaller, report, say)


def _need_stage_one(run: Run, settings: Settings, data: Pictures) -> None:
    if not run.has_backbone and settings.distill.teacher.model is None:
        words = (
            data.root
            if isinstance(data, Dataset)
            else data
            if isinstance(data, Path | str)
            else " ".join(map(str, data))
        )
        raise LeadError(
            f"{run.folder} has no stage 1 yet. Run: lead pretrain {words} --out {run.folder}. Or name a pre-trained "
            "model: --teacher."
        )


def _one_of(kind: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise unknown(kind, value, choices)


def fit(
    run: Run | Path | str,
    labels: Labels | Path | str | Sequence[Path | str],
    *,
    pictures: Path | str | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    head: FittedKind = "cascade",
    seed: int = 0,
    several: bool | None = None,
    complete: bool = False,
    apart: bool = True,
    progress: Progress | None = None,
    sampling: Progress | None = None,
    say: Say = unsaid,
) -> FitSummary:
    """Fits a landmark head on a run's frozen features.

    With up to four labelled pictures, the default head also learns from pictures of the folder that are not labelled.
    Pictures of one subfolder are held out together when it is judged, since they often show one individual. Labels
    that a model said (:attr:`lead.Labels.predicted`) are left out.

    Args:
        run: a trained run.
        labels: landmarks; or a file of them, or several files.
        pictures: folder that the labels' picture paths are relative to; the label file's own by default.
        only: the kind of thing whose landmarks are taken, of files that mark several; see :func:`lead.convert`.
        labelled_as: whether pictures that their EXIF tag turns were labelled "upright" or as they are "stored"; by
            default the sizes in the file decide, as far as it has any.
        head: ``"cascade"``, the best that there is, or one of those that it is compared with: ``"ridge"``, its first
            look alone and with less context, and ``"softargmax"``, the peers'.
        seed: of everything random.
        several: whether pictures may show several specimens, or none, which the model then finds; by default if the
            labels have several in a picture.
        complete: whether every specimen of every labelled picture is labelled, as if all were marked so.
        apart: whether landmarks that lie anywhere beside the others, such as a ruler's, are fitted apart from these
            where that does better on labels that were held out.
        progress: called as features are computed.
        sampling: called as labelled frames are taken out of films.
        say: told what of the labels is likely a mistake, and what was changed or left out.

    Raises:
        LeadError: the run has no features yet, no labelled picture is there, all labels are a model's, or a landmark
            has no label at all.
    """
    _one_of("head", head, get_args(FittedKind))
    run = run if isinstance(run, Run) else Run.open(Path(run))
    _need_features(run)
    root, known = placed(
        labels,
        pictures,
        say,
        only=only,
        labelled_as=labelled_as,
        frames_out=True,
        several=several is not False,
        sampling=sampling,
    )
    if complete:  # before predictions are left out, which would else be taken for background
        shown = (known.images[i] for i in np.flatnonzero(known.is_specimen).tolist())
        known = replace(known, complete=known.complete.union(shown))
    known = as_several(placed_by_hand(known, say), several)
    named = pictures is not None or not isinstance(labels, Labels)  # else the folder is wherever Python runs
    return fit_landmarker(
        run, known, root, head=head, seed=seed, self_taught=named, apart=apart, progress=progress, say=say
    )


def predict(
    model: Landmarker | Path | str,
    pictures: Path | str | Sequence[Path | str],
    out: Path | str | None = None,
    *,
    format: str | None = None,
    draw: Path | str | None = None,
    overwrite: bool = False,
    shard: Shard | None = None,
    smooth: bool = False,
    counting: Counting | None = None,
    say: Say = unsaid,
) -> Predicted:
    """Finds landmarks in pictures, and in all the frames of films, in memory that does not grow with the pictures.

    With ``out``, what is done is kept beside it until all is: interrupted or killed, the same call goes on, to the
    same file. Several processes can share the work.

    Args:
        model: of :func:`fit`; or its file, or ``hub:owner/name``.
        pictures: a folder (searched to any depth), a picture or film, or several of them.
        out: file to write the landmarks to; its ending says the format.
        format: the format's name, where the ending is not to decide.
        draw: folder to draw the landmarks into, over each picture and film; new or empty.
        overwrite: whether files that are already there may be replaced.
        shard: which share of the work is this process's, by default all of it; whichever is done last writes ``out``.
        smooth: whether landmarks of films are smoothed over time; see :mod:`lead.smoothing`.
        counting: makes what is called with (done, in all): of ``"pictures"``, and of each film's frames by its name.
        say: told what was done before.

    Returns:
        The landmarks, see :meth:`Landmarker.predict`; which pictures and films could not be read, and why; and what the
        format cannot hold. Nothing but that, where other processes still have some to do (``waiting``).

    Raises:
        LeadError: there is no such model or picture, nothing can be read, a file is there already or cannot be
            written, or PyAV is not installed and there are films alone, which need it.
    """
    target = None if out is None else Path(out)
    if target is not None:
        check_target(target, format=format, overwrite=overwrite)
    if draw is not None:
        check_folder(Path(draw), overwrite=overwrite)
    if shard is not None and shard.of > 1 and target is None:
        raise LeadError("Processes that share the work write one file: name it (out).")
    found = prediction.predict(
        model if isinstance(model, Landmarker) else Landmarker.load(model),
        pictures,
        target,
        format=format,
        overwrite=overwrite,
        shard=shard,
        smooth=smooth,
        counting=counting,
        say=say,
    )
    if draw is not None and not found.waiting:
        from lead.evaluation.drawings import draw_all  # with Matplotlib, which nothing else here needs

        draw_all(found.pictures, found.films, found.root, Path(draw), counting, found.showing)
    return found


def evaluate(
    run: Run | Path | str,
    data: Path | str | Dataset,
    task: str,
    *,
    preset: str = "custom",
    split: str = "test",
    heads: Sequence[FittedKind] = ("cascade", "ridge"),
    point_sets: Sequence[str] | None = None,
    labels: Sequence[int] = FEW,
    draws: int = DRAWS,
    methods: Sequence[str] | None = None,
    say: Say = unsaid,
) -> Result:
    """Measures a run's features on a dataset, beside the untrained backbone and the stage-1 hypercolumn.

    What is predicted is kept in ``predictions/`` of the run's folder and read from there when it is asked for again.

    Args:
        run: a trained run.
        data: a dataset's folder.
        task: ``"regression"`` (all labels), ``"few-shot"`` or ``"matching"``.
        preset: the name under which the result is filed.
        split: ``"test"``, or ``"validation"`` for the identities that the run held out.
        heads: of regression and few-shot.
        point_sets: of the dataset, all by default (matching: the first).
        labels, draws: of few-shot.
        methods: which of untrained, init, byol and lead to measure; all that the run has by default. ``"supervised"``
            adds, for few-shot, the same network trained end to end on the labelled pictures alone, from the run's own
            start; it is measured only if it is named.
        say: told what is being measured, and which pictures were skipped.
    """
    from lead.experiments.supervised import supervised  # which trains

    _one_of("task", task, TASKS)
    for head in heads:
        _one_of("head", head, get_args(FittedKind))
    run = run if isinstance(run, Run) else Run.open(Path(run))
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    for note in dataset.notes if dataset.point_sets else ():
        say(note)
    heads, labels = list(dict.fromkeys(heads)), sorted(set(labels))
    point_sets = list(dict.fromkeys(point_sets)) if point_sets else None
    for method in methods or ():
        _one_of("method", method, (*SYSTEMS, "supervised"))
    if methods is not None and "supervised" in methods and task != "few-shot":
        raise LeadError(f"The method 'supervised' is measured by the task few-shot, not by {task}.")
    if methods is None or "lead" in methods:
        _need_features(run)
    if task == "matching" and len(point_sets or ()) > 1:
        raise LeadError("Matching measures one point set at a time; name one.")
    started = time.monotonic()
    bench = Bench.of_run(run, dataset, split, methods)
    if bench.store.skipped:
        say(skipped_text(bench.store.skipped))
    if task == "matching":
        found = matching(bench, point_set=point_sets[0] if point_sets else None, say=say)
    elif task == "regression":
        found = regression(bench, heads=heads, point_sets=point_sets, say=say)
    else:
        found = regression(bench, labels=labels, draws=draws, heads=heads, point_sets=point_sets, say=say)
        if methods is not None and "supervised" in methods:
            for name in point_sets or dataset.point_sets:
                found += supervised(
                    bench, labels, run.folder / "supervised", draws=draws, pretrained=True, point_set=name, say=say
                )
    command = {
        "name": "evaluate",
        "task": task,
        "split": split,
        "heads": heads,
        "point_sets": point_sets,
        "labels": labels,
        "draws": draws,
        "methods": None if methods is None else list(methods),
    }
    rows = [*error_rows(found), *further_rows(found)]
    return bench.result(result_name(task, split, point_sets), rows, started, preset, command)


def match(
    run: Run | Path | str,
    reference: Path | str,
    labels: Labels | Path | str,
    queries: Sequence[Path | str],
    *,
    pictures: Path | str | None = None,
    labelled_as: LabelledAs | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    counting: Counting | None = None,
    say: Say = unsaid,
) -> Labels:
    """Carries one picture's landmarks to others by the nearest feature.

    Args:
        run: a trained run.
        reference: the labelled picture.
        labels: landmarks that include the reference's; see :func:`lead.landmarks.naming.labelled_row`.
        queries: pictures, or folders of them.
        pictures: folder that the labels' picture paths are relative to; the label file's own by default.
        labelled_as: see :func:`fit`.
        out: folder to write into, new or empty: ``matches.json`` (COCO key points), and a drawing of each pair.
        overwrite: whether files that are already there may be replaced.
        counting: makes what is called with (done, in all), of ``"drawing"``.
        say: told which pictures were skipped.

    Returns:
        Landmarks of the queries that can be read, in their own pixels; ``score`` is the cosine similarity, floored
        at 0. A landmark that the reference does not label is unlabelled.

    Raises:
        LeadError: the run has no features yet, no label belongs to the reference, no query can be read, or ``out``
            holds something.
    """
    if out is not None:
        check_folder(Path(out), overwrite=overwrite)
    run = run if isinstance(run, Run) else Run.open(Path(run))
    _need_features(run)
    root, known = placed(labels, pictures, say, labelled_as=labelled_as)
    row = labelled_row(Path(reference), root, known)
    first, (asked_for, left_out) = Path(reference).as_posix(), expanded(queries)
    for text in left_out:
        say(f"left out of {text}.")
    both, picture = list(dict.fromkeys([first, *asked_for])), run.settings.picture
    showing = survey(Path(), both, picture.showing, say)
    store = open_store(Path(), both, picture.store, default_cache(), showing=showing)
    files = [file for file in asked_for if file in set(store.files)]
    if not files:
        raise LeadError(f"None of the {counted(len(asked_for), 'picture')} to match can be read.")
    if store.skipped:
        say(skipped_text(store.skipped))
    extractor = Extractor(run.student(), run.settings.picture)
    frame = extractor.frame
    start = np.array([store.index(first)], dtype=np.int64)
    where = np.array([store.index(file) for file in files], dtype=np.int64)
    seen = next(extractor.batches(store, start))  # (1, C, h, w)
    xy = frame.points(store, start, known.xy[row : row + 1])
    asked = torch.from_numpy(xy).float().nan_to_num().to(seen.device)
    found, similarity = [], []
    for batch in extractor.batches(store, where):
        count = len(batch)
        points, close = match_points(seen.expand(count, -1, -1, -1), asked.expand(count, -1, -1), batch)
        found.append(points.double().cpu().numpy())
        similarity.append(close.clamp(0, 1).double().cpu().numpy())
    places = frame.places(store, where, np.concatenate(found))
    places[:, np.isnan(known.xy[row]).any(-1)] = np.nan
    visible = np.full(places.shape[:2], VISIBLE, dtype=np.int8)
    matches = Labels(known.schema, tuple(files), places, visible, np.concatenate(similarity))
    if out is not None:
        from lead.evaluation.drawings import draw_matches, drawing_names  # with Matplotlib, as above

        names = drawing_names(files)
        save_labels(matches, Path(out) / "matches.json", overwrite=overwrite)
        draw_matches(Path(reference), known.xy[row], matches, names, Path(out), counting, store.showing)
    return matches


def _need_features(run: Run) -> None:
    if not run.has_student:
        raise LeadError(f"{run.folder} has no features yet. Run: lead train DATA --out {run.folder}")
