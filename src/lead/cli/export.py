"""Taking a model away: ``export``, ``push``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lead.cli.console import show, watching
from lead.cli.use import Overwrite
from lead.errors import LeadError
from lead.reporting import counted

if TYPE_CHECKING:
    from lead.export.int8 import Quantised
    from lead.export.onnxfile import Exported, Parity


def export(
    model: Annotated[Path, typer.Argument(help="File that `lead fit` wrote.", metavar="MODEL")],
    onnx: Annotated[Path, typer.Option(help="File to write, e.g. beetles.onnx.", metavar="FILE")],
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures to check the file on. Default: drawn beetles.", metavar="DIR"),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            help="Of the squares that the file takes: the model's own side, which leaves local looks out, or a "
            "whole multiple of it. Default: as large as local looks need, up to 2048; its own for a model without.",
            metavar="PIXELS",
        ),
    ] = None,
    int8: Annotated[
        Path | None,
        typer.Option(
            help="Also write the network in 8-bit integers, and beside it (.json) what that costs and gains; "
            "needs --pictures.",
            metavar="FILE",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="Landmarks of pictures in the folder, to judge both files of --int8 by.", metavar="LABELS"),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a model as one ONNX file, from squares of pixels to landmarks and expected errors.

    The file describes itself: its inputs, its outputs, and how both relate to a picture. It is written only if
    its landmarks are the model's, within 0.05 pixels on 200 pictures (of larger squares more, and on fewer).
    """
    from lead.files import refuse_existing

    if int8 and not pictures:
        raise LeadError("--int8 takes ranges from pictures. Name a folder of them with --pictures.")
    if labels and not int8:
        raise LeadError("--labels judges the files of --int8. Give that as well, or leave it out.")
    for file in (onnx, *([int8, int8.with_suffix(".json")] if int8 else [])):
        if not overwrite:
            refuse_existing(file)
    from lead.export.int8 import to_int8
    from lead.export.onnxfile import to_onnx
    from lead.inference import Landmarker

    with watching() as watch:
        exported = to_onnx(
            Landmarker.load(model), onnx, pictures=pictures, side=side, overwrite=overwrite, counting=watch.counting
        )
    _show_parity(exported.parity, pictures)
    show(f"Model: {onnx}\n{_taken(exported)}")
    if int8 and pictures:
        with watching() as watch:
            done = to_int8(onnx, int8, pictures, labels=labels, overwrite=overwrite, counting=watch.counting)
        _show_quantised(done)


def push(
    model: Annotated[Path, typer.Argument(help="File that `lead fit` wrote.", metavar="MODEL")],
    repo: Annotated[str, typer.Argument(help="Its repository, made if it is not there.", metavar="OWNER/NAME")],
    licence: Annotated[
        str | None,
        typer.Option(help="Of the model, e.g. apache-2.0. Default: that of the first weights.", metavar="NAME"),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="A new repository is shown to its owner only.")] = False,
) -> None:
    """Send a model to the Hugging Face Hub, with a card that says what it is.

    Log in first: `hf auth login`. Every command that takes a MODEL takes hub:OWNER/NAME, too, and then fetches it.
    """
    from lead.inference import Landmarker

    address = Landmarker.load(model).push_to_hub(repo, licence=licence, private=private)
    show(f"Sent: {address}\nNext: lead predict hub:{repo} PICTURES --out landmarks.json")


def _taken(exported: Exported) -> str:
    """What to give a file."""
    squares = f"It takes squares of {exported.side} × {exported.side} pixels"
    if exported.local is None:
        return f"{squares}."
    if exported.local:
        return f"{squares}, from which local looks are cut: make them of the original pictures, not of smaller ones."
    return f"{squares}, without the model's local looks: those need larger ones, see --side."


def _show_parity(parity: Parity, pictures: Path | None) -> None:
    source = pictures or "drawn beetles, as no --pictures were given"
    show(f"Checked on {parity.pictures} pictures: {source}")
    show(f"Landmarks off the model's: {parity.mean:.5f} px of the square on average, {parity.max:.5f} px at most")
    if parity.predict_mean is not None:
        show(
            f"Off `lead predict`, which looks at the original files: {parity.predict_mean:.3f} px of the square "
            f"on average, {parity.predict_max:.3f} px at most"
        )


def _show_quantised(done: Quantised) -> None:
    show(f"In 8 bits: {done.path}, calibrated on {counted(done.calibrated, 'picture')}, measured on {done.pictures}")
    show(f"Landmarks off the float file's: {done.mean:.3f} px of the square on average, {done.max:.3f} px at most")
    if done.error is not None:
        show(f"Off the labels: {done.error:.3f} px on average, the float file {done.float_error:.3f} px")
    show(
        f"Size: {done.size / 1e6:.1f} MB, the float file {done.float_size / 1e6:.1f} MB. Here it is "
        f"{done.speed:.2f} times as fast picture by picture, {done.speed_batch:.2f} times in batches"
    )
