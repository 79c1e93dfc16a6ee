"""From a file of predictions and one of labels to predictions with expected errors, in any format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lead.calibration.learning import FEWEST_FOR_SCORE, Calibration, learnt
from lead.calibration.pairing import paired
from lead.errors import LeadError
from lead.images.folder_pictures import LabelledAs
from lead.images.placing import gathered
from lead.landmarks.io import check_target, write_labels
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.pictures import Sized
from lead.reporting import Say, counted, unsaid


@dataclass(frozen=True)
class Calibrated:
    """Predictions with expected errors.

    Attributes:
        labels: the predictions, with ``px_error`` and ``px_90``.
        learnt: what these come from.
        lost: what the format that they were written in cannot hold, in words.
    """

    labels: Labels
    learnt: Calibration
    lost: tuple[str, ...] = ()


def calibrated(predicted: Labels, truth: Labels, say: Say = unsaid) -> Calibrated:
    """Predictions with the expected errors and 90 % radii that labels show which their tool has not seen.

    Args:
        predicted: of any tool; expected errors that they have are replaced.
        truth: labels of ten of these pictures at least, in the same pixels.
        say: told what of them is left out.

    Raises:
        LeadError: see :func:`lead.calibration.pairing.paired`.
    """
    pairs = paired(predicted, truth, say)
    scores = np.full(predicted.visible.shape, np.nan) if predicted.score is None else predicted.score
    if not np.isfinite(scores[pairs.rows]).any():
        file = predicted.places.file if predicted.places else "The predictions"
        say(f"{file}: no scores, so that a landmark's radius is the same in all pictures.")
    found = learnt(pairs.errors, scores[pairs.rows], pairs.pictures)
    there = predicted.visible > UNLABELLED
    if predicted.predicted is not None:
        there &= predicted.is_predicted
    expected, radii = (np.where(there, table, np.nan) for table in found.told(scores))
    return Calibrated(replace(predicted, px_error=expected, px_90=radii), found)


def calibrate(
    predictions: Path,
    labels: Path,
    out: Path,
    *,
    format: str | None = None,
    pictures: Path | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    overwrite: bool = False,
    say: Say = unsaid,
) -> Calibrated:
    """As :func:`calibrated`, from files of any format to one.

    Args:
        predictions, labels: read.
        out: written; its ending says the format, unless ``format`` names it.
        pictures: folder that the picture paths of both start from; by default each file's own.
        only, labelled_as: see :func:`lead.images.placing.gathered`.
        overwrite: whether ``out`` may be there already.
        say: told what of the files is likely a mistake, and what is left out.

    Raises:
        LeadError: a file cannot be read or written, ``out`` is read, or as there.
    """
    for path in (predictions, labels):
        if path.resolve() == out.resolve():
            raise LeadError(f"{out} is read, and would be overwritten. Give --out another name.")
    if predictions.resolve() == labels.resolve():
        raise LeadError(f"{labels} was given both as predictions and as labels. Give labels that a person placed.")
    check_target(out, format=format, overwrite=overwrite)
    moved = pictures is not None
    given, truth = (
        gathered([path], pictures, only=only, labelled_as=labelled_as, moved=moved, several=True, say=say)
        for path in (predictions, labels)
    )
    found = calibrated(given.labels, truth.labels, say)
    sized = Sized(found.labels.known_sizes(), given.pictures)
    kind = write_labels(found.labels, out, pictures=sized, format=format, overwrite=overwrite)
    return replace(found, lost=tuple(kind.lost(found.labels)))


def in_words(found: Calibration) -> list[str]:
    """What was learnt, how far it holds, and how much the tool's score tells."""
    told = [f"Learnt from {counted(found.pictures, 'picture with labels')}."]
    of = "each radius" if found.own.all() else "each radius of a landmark with labels enough"
    told.append(
        f"In a further picture that comes from where these do, {of} holds the true place with a probability of 90 % or "
        "more."
    )
    if few := int((~found.own & (found.labelled > 0)).sum()):
        told.append(
            f"{counted(few, 'landmark')} with too few labels of {'its' if few == 1 else 'their'} own: "
            f"{'its radius is' if few == 1 else 'their radii are'} from those of all, without that guarantee."
        )
    if np.isfinite(found.rank):
        told.append(f"The tool's score {_strength(found.rank)} (rank correlation {found.rank:.2f}).")
        told.append(_use(found))
    return told


def _strength(rank: float) -> str:
    """How much a score tells of errors."""
    if rank > 0.1:
        return "is the wrong way round: a higher one goes with larger errors"
    for least, words in ((0.5, "much"), (0.3, "something"), (0.1, "a little")):
        if -rank >= least:
            return f"tells {words} of how large an error is"
    return "tells next to nothing of how large an error is"


def _use(found: Calibration) -> str:
    if found.narrowed is None:
        return f"It is left aside: that it makes radii narrower can be learnt from {FEWEST_FOR_SCORE} pictures on."
    if not found.uses_score:
        return "It is left aside, since radii become no narrower with it on pictures held out."
    return f"With it radii are {100 * (1 - found.narrowed):.0f} % narrower on pictures held out."
