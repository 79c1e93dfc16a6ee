"""What the student is compared with: its teacher's hypercolumn, reduced with no training."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from lead.errors import unknown
from lead.features import Extractor
from lead.images.store import ImageStore
from lead.nn.reduction import fit_nmf, fit_pca
from lead.seeds import mixed_seed

ReductionKind = Literal["pca", "nmf"]

PICTURES = 1000
"""Pictures that cells are taken from, at most: more would take longer and show little that is new."""


def fit_reduction(
    extractor: Extractor,
    store: ImageStore,
    rows: npt.NDArray[np.int64],
    kind: ReductionKind,
    dimension: int,
    seed: int,
    cells: int = 20_000,
) -> Extractor:
    """The extractor with its features reduced, by what cells of unlabelled pictures show (LEAD §4.1, "BYOL + NMF").

    Args:
        extractor: of features that are not reduced yet.
        store: pictures.
        rows: of it, those of training.
        kind: ``"pca"`` or ``"nmf"``.
        dimension: k, of the reduced features.
        seed: of the pictures and cells drawn.
        cells: to fit on, as many from each picture; a few more where they do not divide.

    Raises:
        LeadError: an unknown kind, or a dimension greater than the cells or their channels allow.
    """
    if kind not in get_args(ReductionKind):
        raise unknown("reduction", kind, get_args(ReductionKind))
    assert extractor.reduction is None, "a reduction of reduced features would be applied to whole ones"
    random = np.random.default_rng(mixed_seed(seed, "reduction"))
    seen = np.sort(random.permutation(rows)[:PICTURES])
    each = -(-cells // len(seen))
    taken = []
    for features in extractor.batches(store, seen):
        for picture in features.flatten(2).transpose(1, 2).cpu().numpy():  # (h·w, C)
            taken.append(picture[random.permutation(len(picture))[:each]])
    found = np.concatenate(taken)
    return extractor.reduced(fit_pca(found, dimension) if kind == "pca" else fit_nmf(found, dimension, seed))
