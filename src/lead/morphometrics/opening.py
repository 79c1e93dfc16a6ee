"""What is measured: the specimens of a file of landmarks, and how large the pixels of their pictures are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures, LabelledAs
from lead.images.placing import Gathered, gathered
from lead.landmarks import scales
from lead.landmarks.model import ERRORS, UNLABELLED, Labels
from lead.landmarks.pictures import Sized
from lead.landmarks.scales import Scale
from lead.morphometrics.scaling import from_file, from_ruler, scales_of
from lead.morphometrics.spread import FEWEST_FOR_SIZE, ComplexArray, correlation, enlargement, residuals
from lead.reporting import Say, counted, unsaid


@dataclass(frozen=True)
class Ruler:
    """Two landmarks on a ruler that lies in each picture, and the length between them in the unit that is asked for."""

    start: str
    end: str
    length: float


@dataclass(frozen=True)
class Specimens:
    """What is measured.

    Attributes:
        labels: of N specimens, each with a landmark at least.
        scales: of the pictures, as far as they are known; empty measures in pixels.
        pictures: the folder that the names of their pictures start from.
        together: how the errors of one picture's landmarks go together, see
            :func:`lead.morphometrics.spread.correlation`: from further labels, else as the model knows it from its own;
            None if they are taken to be independent.
    """

    labels: Labels
    scales: dict[str, Scale]
    pictures: FolderPictures
    together: ComplexArray | None = None

    @property
    def sizes(self) -> Sized:
        """What knows the pictures' sizes."""
        return Sized(self.labels.known_sizes(), self.pictures)


def opened(
    landmarks: Path,
    *,
    scale: str | None = None,
    ruler: Ruler | None = None,
    unit: str = "mm",
    by_hand: float | None = None,
    check: Path | None = None,
    pictures: Path | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    say: Say = unsaid,
) -> Specimens:
    """The specimens of a file of landmarks.

    Args:
        landmarks: a file of any format that is read.
        scale: see :func:`lead.morphometrics.scaling.scales_of`; by default ``SCALE=`` of a TPS file, if it has it.
        ruler: what the scale comes from instead.
        unit: of the ruler, of a number, and of ``SCALE=``.
        by_hand: see :func:`lead.morphometrics.spread.deviations`.
        check: labels of some of the pictures, see :func:`checked`.
        pictures, only, labelled_as: see :func:`lead.images.labels.load_labels`.
        say: told what is likely a mistake, and what was left out.

    Raises:
        LeadError: a file cannot be understood, or a scale cannot be; the message names the line.
    """
    if scale is not None and ruler is not None:
        raise LeadError("Two sources of the scale were given. Give --scale or --ruler.")
    moved = pictures is not None
    found = gathered(
        [landmarks],
        pictures,
        only=only,
        labelled_as=labelled_as,
        moved=moved,
        several=True,
        placeless=True,
        say=say,
    )
    together = found.labels.together
    if check is not None:
        labels, together = checked(found.labels, check, pictures=pictures, say=say)
        found = replace(found, labels=labels)
    elif together is not None:
        say(f"How errors go together is as {landmarks} says: learnt as its model was fitted, from labels held out.")
    if ruler is not None:
        ends = ruler.start, ruler.end
        known = from_ruler(found.labels, ends, ruler.length, unit=unit, by_hand=by_hand, together=together, say=say)
    else:
        known = _scales(found, landmarks, scale, unit, say)
    there = (found.labels.visible > UNLABELLED).any(1)
    if not there.all():
        first = found.labels.images[int(np.argmin(there))]
        say(f"{counted(int((~there).sum()), 'picture')} without a landmark left out, the first is {first!r}.")
    labels = found.labels if there.all() else found.labels.take(np.flatnonzero(there).tolist())
    for doubt in scales.doubts(known, labels.images):
        say(doubt)
    return Specimens(labels, known, found.pictures, together)


def checked(
    predicted: Labels, labels: Path, *, pictures: Path | None = None, say: Say = unsaid
) -> tuple[Labels, ComplexArray]:
    """Predictions with the errors that labels show which their model has not seen, and how these errors go together.

    Args:
        predicted: see :func:`lead.morphometrics.spread.residuals`.
        labels: file of labels of some of these pictures. From :data:`FEWEST_FOR_SIZE` on, expected errors and 90 %
            radii are multiplied by what makes the radii hold nine of ten of these labels.
        pictures: folder that their paths start from.
        say: told what is learnt, and what of the labels is likely a mistake.

    Raises:
        LeadError: as there.
    """
    truth = gathered([labels], pictures, moved=pictures is not None, say=say).labels
    found = residuals(predicted, truth)
    say(f"How errors go together is learnt from {counted(len(found), 'picture')} of {labels}, new to the model.")
    if len(found) < FEWEST_FOR_SIZE:
        say(f"How large they are is not: that takes {FEWEST_FOR_SIZE}.")
        return predicted, correlation(found)
    factor = enlargement(found)
    say(f"How large they are, too: expected errors and 90 % radii are multiplied by {factor:.2f}.")
    tables = {name: table * factor for name in ERRORS if (table := getattr(predicted, name)) is not None}
    return replace(predicted, **tables), correlation(found)


def _scales(found: Gathered, landmarks: Path, scale: str | None, unit: str, say: Say) -> dict[str, Scale]:
    """The scales that were asked for, or that a TPS file has; empty if there are none."""
    if scale is not None:
        return scales_of(found.labels, scale, found.pictures, unit=unit, say=say)
    if found.format.name == "tps" and (own := from_file(landmarks, unit, needed=False)):
        say(f"{landmarks}: SCALE= is taken as {unit} a pixel (--unit says otherwise).")
        return scales.of_pictures(own, found.labels.images)
    return {}
