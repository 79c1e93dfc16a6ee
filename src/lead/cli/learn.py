"""Learning features: ``train``, ``pretrain``, ``distill``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lead.cli.console import note, show, watching

if TYPE_CHECKING:
    from lead.config import Settings

DEFAULT_PRESET = "small"

Data = Annotated[
    list[Path],
    typer.Argument(
        help="Folder of pictures and films, searched to any depth, or a film; of a dataset only the training split "
        "is used. Several folders without films are learnt from together.",
        metavar="DATA...",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", help="Which dataset, of a folder that holds several, e.g. mafl in CelebA's.", metavar="DATASET"
    ),
]
Out = Annotated[
    Path, typer.Option("--out", help="The run's folder: new, empty, or an earlier run to go on with.", metavar="RUN")
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        help=f"Shipped settings or a YAML file; see `lead settings`. Default: those of the run, else {DEFAULT_PRESET}.",
        metavar="NAME|FILE",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a setting, e.g. --set distill.steps=500. Repeatable.", metavar="KEY=VALUE"),
]
Init = Annotated[
    str | None,
    typer.Option(
        help="First weights: random, timm (downloads), efficientnet-lite0 (the weights extra) or a file. "
        "Short for --set backbone.init=…",
        metavar="NAME|FILE",
    ),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        help="A frozen pre-trained model that teaches stage 2 in place of stage 1's network, with its weights in FILE "
        "or in the local cache. Short for --set distill.alignment=1 --set distill.teacher.model=…",
        metavar="timm:NAME[@FILE]",
    ),
]
Download = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Fetch the teacher's weights if they are missing. Short for --set distill.teacher.download=true",
    ),
]
RetrySmaller = Annotated[
    bool,
    typer.Option(
        "--retry-smaller",
        help="Where memory runs out as a stage begins, begin it anew with half the batch, and so on. That is a "
        "different training: RUN/settings.yaml then says the smaller batch, and RUN/run.json why.",
    ),
]
Frames = Annotated[
    int | None,
    typer.Option(
        help="How many frames to take out of each film, at most. Default: as many as last time, at first 200.",
        min=1,
        metavar="N",
    ),
]


def train(
    data: Data,
    out: Out,
    preset: PresetOption = None,
    init: Init = None,
    teacher: Teacher = None,
    download: Download = False,
    assignments: Assignments = None,
    name: Name = None,
    frames: Frames = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Labels of some specimens, where these are small in their pictures: they and others like them are "
            "learnt from, each through a window of its own.",
            metavar="FILE",
        ),
    ] = None,
    extent: Annotated[
        float | None,
        typer.Option(
            help="How large a specimen is, as a share of the picture's longer side, where nothing is labelled yet.",
            metavar="SHARE",
        ),
    ] = None,
    retry_smaller: RetrySmaller = False,
) -> None:
    """Learn features from a folder of pictures, without labels: stage 1, then stage 2.

    Of films, frames that differ from one another are extracted first, into RUN/frames, to learn from and to label.

    Ctrl-C finishes the current step, saves, and stops. The same command resumes from there, and does nothing if all
    is done. On several GPUs, start it with `torchrun --nproc-per-node N -m lead.cli train …`.
    """
    changed = _with_init(init, _with_teacher(teacher, download, assignments))
    _learn("both", data, name, out, preset, changed, frames, labels, extent, retry_smaller=retry_smaller)
    _show(_features_and_next(out))


def pretrain(
    data: Data,
    out: Out,
    preset: PresetOption = None,
    init: Init = None,
    assignments: Assignments = None,
    name: Name = None,
    frames: Frames = None,
    retry_smaller: RetrySmaller = False,
) -> None:
    """Stage 1 alone: learn from whole pictures (BYOL). `lead train` does this and stage 2."""
    _learn("pretrain", data, name, out, preset, _with_init(init, assignments), frames, retry_smaller=retry_smaller)
    _show(
        f"Stage 1: {out}\nNext: lead distill {' '.join(map(str, data))} --out {out}{f' --name {name}' if name else ''}"
    )


def distill(
    data: Data,
    out: Out,
    preset: PresetOption = None,
    teacher: Teacher = None,
    download: Download = False,
    assignments: Assignments = None,
    name: Name = None,
    retry_smaller: RetrySmaller = False,
) -> None:
    """Stage 2 alone: compact dense features from stage 1's network, which the run must have, or from --teacher.

    The student's encoder is the run's own: stage 1's, or as it starts where there is no stage 1.
    """
    changed = _with_teacher(teacher, download, assignments)
    _learn("distill", data, name, out, preset, changed, retry_smaller=retry_smaller)
    _show(_features_and_next(out))


def _show(result: str) -> None:
    """Prints a result; of several processes that trained together, the first does."""
    from lead.processes import leads

    if leads():
        show(result)


def _features_and_next(out: Path) -> str:
    from lead.training.data import FRAMES

    frames = out / FRAMES
    if frames.is_dir():
        return f"Features: {out}\nFrames: {frames}\nNext: lead studio {frames} --run {out}, to label a few frames."
    return f"Features: {out}\nNext: lead fit {out} LABELS --out MODEL, with a few labelled pictures."


def _with_init(init: str | None, assignments: list[str] | None) -> list[str]:
    quoted = [f"backbone.init={json.dumps(init)}"] if init else []  # quoted, whatever a file may be called
    return [*(assignments or []), *quoted]


def _with_teacher(teacher: str | None, download: bool, assignments: list[str] | None) -> list[str]:
    # First, so that an assignment may give its term another weight.
    named = ["distill.alignment=1.0", f"distill.teacher.model={json.dumps(teacher)}"] if teacher else []
    return [*named, *(["distill.teacher.download=true"] if download else []), *(assignments or [])]


def _learn(
    stage: Literal["both", "pretrain", "distill"],
    data: list[Path],
    name: str | None,
    out: Path,
    preset: str | None,
    assignments: list[str] | None,
    frames: int | None = None,
    labels: Path | None = None,
    extent: float | None = None,
    *,
    retry_smaller: bool,
) -> None:
    settings = _settings(out, preset, assignments)
    from lead import api

    with watching() as watch:
        api.train(
            data,
            out,
            settings=settings,
            stage=stage,
            name=name,
            frames=frames,
            retry_smaller=retry_smaller,
            labels=labels,
            extent=extent,
            report=watch.report,
            sampling=watch.counting("reading films"),
            decoding=watch.counting("decoding"),
            say=note,
        )


def _settings(out: Path, preset: str | None, assignments: list[str] | None) -> Settings:
    """The preset's, else those of the run that is there, else the default's; with the assignments."""
    from lead.config import load_preset

    there = out / "settings.yaml"
    return load_preset(preset or (str(there) if there.exists() else DEFAULT_PRESET), assignments or ())
