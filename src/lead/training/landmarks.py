"""A landmarker from a run's frozen features and a few labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.config import PictureSettings, Settings
from lead.errors import LeadError
from lead.features import Extractor, FeatureSource
from lead.files import default_cache
from lead.heads import Calibration, kind_of
from lead.images.build import open_store
from lead.images.doubts import refuse_unlabelled, without_far
from lead.images.find import Media, find_media
from lead.images.store import ImageStore
from lead.images.survey import survey
from lead.inference import Landmarker
from lead.landmarks import Labels
from lead.landmarks.model import UNLABELLED
from lead.morphometrics.spread import ComplexArray
from lead.nn.backbone import licence_of
from lead.nn.confidence import Confidence
from lead.nn.finder import WINDOW
from lead.provenance import commit, versions
from lead.reporting import Progress, Say, counted, unsaid
from lead.seeds import mixed_seed
from lead.training.cascade import CascadeFit
from lead.training.finder import FinderFit
from lead.training.fit import Fitted, FittedKind, fit_head
from lead.training.inputs import POOL, SELF_TAUGHT
from lead.training.labelled import Labelled
from lead.training.loose import PartsFit, fit_parts
from lead.training.run import Run, with_contrast
from lead.training.several import fit_several
from lead.training.specimens import WINDOWS
from lead.training.together import errors_together

SMALL = 0.4
"""Share of the picture's longer side below which specimens are better learnt from windows."""


@dataclass(frozen=True)
class FitSummary:
    """What fitting found.

    Attributes:
        landmarker: ready to predict or save.
        used: labelled pictures that were used.
        missing: labelled pictures that are not on disk, cannot be read or do not fit their labels, with the reason.
        head: its name; "cascade-coarse" is a cascade whose second look did no better on held-out labels.
        error: its mean distance on labels it had not seen, as a share of the picture's longer side, or, where there are
            several specimens in a picture, of their extent; NaN for one label.
        accepted: labels that are accepted suggestions: fitted to, but not counted in the error.
        finder: of specimens, and how it did on labelled pictures; None where each picture is of one.
        across: the error of semilandmarks to the side of their curves, and theirs in all, as ``error``; None where
            nothing slides, or the head is none that tells.
    """

    landmarker: Landmarker
    used: int
    missing: tuple[tuple[str, str], ...]
    head: str
    error: float
    accepted: int = 0
    finder: FinderFit | None = None
    across: tuple[float, float] | None = None

    @property
    def closely(self) -> int:
        """Landmarks that local looks look at."""
        return len(self.landmarker.closely)


def fit_landmarker(
    run: Run,
    labels: Labels,
    root: Path,
    *,
    head: FittedKind,
    seed: int,
    self_taught: bool,
    apart: bool = True,
    progress: Progress | None = None,
    say: Say = unsaid,
) -> FitSummary:
    """Fits a head and puts it together with the features that it needs; see :func:`lead.fit`.

    Args:
        run: a trained run.
        labels: of pictures below ``root``.
        root: the pictures' folder.
        head: which to fit.
        seed: of everything random.
        self_taught: whether unlabelled pictures of the folder may be learnt from, where so few are labelled.
        apart: whether landmarks that lie loose may be fitted apart from the others.
        progress: called as features are computed.
        say: told what the folder holds that is not read, how values of more than 8 bits are shown, and what of pictures
            is not looked at.
    """
    settings = run.settings
    store, found, missing = _labelled_store(root, labels, settings.picture, seed if self_taught else None, say)
    settings = with_contrast(settings, store.showing)
    found, far = without_far(found, store.sizes[[store.index(image) for image in found.images]])
    missing = (*missing, *far)
    refuse_unlabelled(found)
    student = run.student()
    source = FeatureSource(Extractor(student, settings.picture), store)
    frame = source.extractor.frame
    rows = np.array([store.index(image) for image in found.images], dtype=np.int64)
    points = torch.from_numpy(frame.points(store, rows, found.xy)).float()
    finder: FinderFit | None = None
    fitted: PartsFit | Fitted
    calibration: Confidence | Calibration | None
    if head != "cascade":
        if found.tracks is not None:
            raise LeadError(f"The labels show several specimens in a picture: leave out --head {head}.")
        flags = None if found.accepted is None else torch.from_numpy(found.accepted)
        labelled = Labelled(source.whole(rows, progress=progress), points, accepted=flags)
        fitted = fit_head(labelled, kind=head, seed=seed)
        calibration, together = fitted.calibration, _together(fitted, labelled.truth)
    else:
        fitted, finder = _cascades(source, rows, points, found, settings, seed, apart, progress)
        if finder:
            _say_if_learnt_from_the_whole(run, finder, say)
        else:
            _say_how_they_lie(fitted.own, settings, say)
        calibration, together = fitted.own.confidence, fitted.together
    error, across = _errors(fitted, 2 * WINDOW if finder else frame.shown / frame.side)
    origin = _origin(run, found, store, error, seed)
    loose = [
        Landmarker(
            found.schema.subset(found.schema.names[k] for k in w), settings, student, fit.head, fit.confidence, {}
        )
        for w, fit in (fitted.loose if isinstance(fitted, PartsFit) else ())
    ]
    first = fitted.own.head if isinstance(fitted, PartsFit) else fitted.head
    model = Landmarker(
        found.schema,
        settings,
        student,
        first,
        calibration,
        origin,
        finder=finder.finder if finder else None,
        loose=loose,
        together=together,
    )
    accepted = int(found.is_accepted.sum())
    return FitSummary(model, len(set(found.images)), missing, kind_of(first), error, accepted, finder, across)


def _cascades(
    source: FeatureSource,
    rows: npt.NDArray[np.int64],
    points: Tensor,
    labels: Labels,
    settings: Settings,
    seed: int,
    apart: bool,
    progress: Progress | None,
) -> tuple[PartsFit, FinderFit | None]:
    """Of things in pictures, and what finds these where pictures show several; see :func:`fit_landmarker`."""
    if labels.tracks is not None:
        finder, own = fit_several(source, rows, labels, turned=settings.turned, seed=seed, progress=progress)
        return PartsFit(own, list(range(points.shape[1]))), finder
    every = np.arange(len(source.store))
    options: dict[str, Any] = {"turned": settings.turned, "seed": seed, "apart": apart, "progress": progress}
    return fit_parts(source, rows, points, labels, unlabelled=every, **options), None


def _origin(run: Run, found: Labels, store: ImageStore, error: float, seed: int) -> dict[str, Any]:
    """Where a model is from."""
    backbone = run.settings.backbone
    return {
        "run": run.provenance,
        "labels": len(set(found.images)),
        "accepted": int(found.is_accepted.sum()),
        "pictures": store.digest,
        "start": {"weights": backbone.init, "licence": licence_of(backbone.name, backbone.init)},
        "held_out_error": None if math.isnan(error) else error,
        "versions": versions(),
        "commit": commit(),
        "seed": seed,
    }


def _errors(fitted: PartsFit | Fitted, unit: float) -> tuple[float, tuple[float, float] | None]:
    """As :attr:`FitSummary.error` and :attr:`FitSummary.across`; ``unit``: of what they say, as a share of theirs."""
    parts = None if isinstance(fitted, Fitted) else fitted.across
    return fitted.error * unit, parts and (parts[0] * unit, parts[1] * unit)


def _together(fitted: Fitted, truth: Tensor) -> ComplexArray | None:
    """How the errors of a head go together that was cross-validated over all pictures; None of others."""
    if fitted.held_out is None or fitted.calibration is None:
        return None
    points, score = fitted.held_out
    return errors_together(points, truth, torch.from_numpy(fitted.calibration.expected(score.double().numpy())))


def _say_if_learnt_from_the_whole(run: Run, fit: FinderFit, say: Say) -> None:
    share = float(fit.finder.sizes[1]) / 2 * run.settings.picture.frame
    if share < SMALL and not (run.folder / WINDOWS).exists():
        say(
            f"The run learnt from whole pictures, of whose longer side a specimen takes up {100 * share:.0f} %. A run "
            "of windows that show one each knows them better: lead train PICTURES --labels LABELS --out …"
        )


def _say_how_they_lie(fitted: CascadeFit, settings: Settings, say: Say) -> None:
    degrees = settings.distill.views.degrees
    if fitted.turned and not settings.turned:
        say(
            f"The labelled things lie any way, but the run's views turn by {degrees:g}° at most. "
            "Another run, whose views turn all round, finds them better: lead train … --set distill.views.rotation=180"
        )
    if fitted.mirrored:
        pictures = counted(fitted.mirrored, "labelled picture shows", "labelled pictures show")
        known = "Both sides are looked for" if fitted.head.mirrored else "Which side a thing shows cannot be told well"
        say(f"{pictures} the mirror image of what the others do. {known}.")


def _labelled_store(
    root: Path, labels: Labels, picture: PictureSettings, seed: int | None, say: Say
) -> tuple[ImageStore, Labels, tuple[tuple[str, str], ...]]:
    """The labelled pictures that can be read, their labels in the same order, and the others with the reason.

    Where so few are labelled that unlabelled ones help, the store also holds some of the folder's others, drawn by
    the seed; none without one.
    """
    several = labels.tracks is not None
    there = labels.is_specimen if several else np.any(labels.visible > UNLABELLED, axis=1)
    used = [i for i in range(len(labels)) if there[i] or (several and labels.images[i] in labels.complete)]
    absent = list(
        dict.fromkeys((labels.images[i], "no such file") for i in used if not (root / labels.images[i]).is_file())
    )
    here = [i for i in used if (root / labels.images[i]).is_file()]
    if not here:
        example = f": the first is {absent[0][0]!r}, and no file of that name is there" if absent else ""
        raise LeadError(
            f"None of the {counted(len({labels.images[i] for i in used}), 'labelled picture', 'labelled pictures')} is "
            f"in {root}{example}. Name the folder that holds them, or one above it: --pictures."
        )
    files = list(dict.fromkeys(labels.images[i] for i in here))
    media = _media(root) if seed is not None else Media([], [], "")
    if media.left_out:
        say(f"left out: {media.left_out}.")
    others: list[str] = []
    if sum(labels.by_hand[i].any() for i in here) <= SELF_TAUGHT and seed is not None and not several:
        unlabelled = sorted(set(media.pictures) - set(files))
        drawn = np.random.default_rng(mixed_seed(seed, "unlabelled")).permutation(len(unlabelled))[:POOL]
        others = [unlabelled[i] for i in np.sort(drawn)]
    whole = seed is not None and picture.contrast == "auto"  # which is to be the folder's, as when it is predicted
    showing = survey(
        root, list(dict.fromkeys([*media.pictures, *files])) if whole else [*files, *others], picture.showing, say
    )
    store = open_store(root, [*files, *others], picture.store, default_cache(), showing=showing)
    readable = set(store.files)
    found = labels.take(i for i in here if labels.images[i] in readable)
    skipped = (item for item in store.skipped if item[0] not in set(others))
    return store, found, (*absent, *skipped)


def _media(folder: Path) -> Media:
    try:
        return find_media(folder)
    except LeadError:  # there is none, as where all that is labelled are frames of films elsewhere
        return Media([], [], "")
