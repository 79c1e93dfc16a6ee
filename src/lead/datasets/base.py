"""What every dataset is once its published layout has been read: pictures, splits, identities, landmarks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown
from lead.landmarks.model import Labels


@dataclass(frozen=True)
class Dataset:
    """Pictures of one kind of thing.

    Attributes:
        name: short name, used in ``results/<name>/``.
        root: folder that ``files`` are relative to.
        files: picture paths, POSIX, relative to ``root``.
        identity: for each picture the individual (person, species …) it shows; empty strings where unknown.
        split: for each picture ``"train"`` or ``"test"``.
        labels: landmarks of some or all pictures (``labels.images`` is a subset of ``files``), or None.
        point_sets: named subsets of landmarks to evaluate, each a derived label set, e.g. {"5": ..., "68": ...}.
        normaliser: for each point set the two landmarks whose distance is the unit of error (eye to eye, say).
        boxes: (N, 4) x, y, width, height of the part of each picture that the benchmark shows, in the picture's own
            pixels (see :mod:`lead.images.store`); it is stretched to a square. None for whole pictures. Landmarks
            are in the whole picture's pixels in either case.
        notes: what of the folder was left out, or is not as it should be, in words.
        no_labels: why it has no landmarks, where it has files of them.
        sources: of several datasets joined, how many pictures are of each.
    """

    name: str
    root: Path
    files: tuple[str, ...]
    identity: tuple[str, ...]
    split: tuple[str, ...]
    labels: Labels | None = None
    point_sets: Mapping[str, Labels] = field(default_factory=dict)
    normaliser: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    boxes: npt.NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()
    no_labels: str = ""
    sources: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def labelled(
        cls,
        name: str,
        root: Path,
        labels: Labels,
        split: Iterable[str],
        *,
        points: str,
        unit: tuple[str, str],
        identity: Iterable[str] | None = None,
        boxes: npt.NDArray[np.float64] | None = None,
    ) -> Dataset:
        """A dataset whose every picture is labelled, in the labels' order, with one point set.

        Args:
            name, root, labels: see the attributes.
            split: for each picture.
            points: the point set's name.
            unit: the two landmarks whose distance is the unit of error.
            identity: for each picture; None where unknown.
            boxes: see the attributes.
        """
        return cls(
            name=name,
            root=root,
            files=labels.images,
            identity=("",) * len(labels) if identity is None else tuple(identity),
            split=tuple(split),
            labels=labels,
            point_sets={points: labels},
            normaliser={points: unit},
            boxes=boxes,
        )

    def rows(self, split: str) -> tuple[int, ...]:
        """Indices into ``files`` of one split."""
        if split not in self.split:
            raise unknown("split", split, set(self.split))
        return tuple(i for i, s in enumerate(self.split) if s == split)

    def path(self, row: int) -> Path:
        """The picture's path on disk."""
        return self.root / self.files[row]

    def points(self, name: str) -> Labels:
        """The landmarks of a point set."""
        if not self.point_sets:
            raise LeadError(f"Dataset {self.name!r} has no landmarks to evaluate. {self.no_labels}".strip())
        if name not in self.point_sets:
            raise unknown("point set", name, self.point_sets)
        return self.point_sets[name]

    def identity_of(self, images: Iterable[str]) -> list[str]:
        """The identity of each named picture."""
        table = dict(zip(self.files, self.identity, strict=True))
        return [table[i] for i in images]
