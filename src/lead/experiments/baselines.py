"""What the student is compared with: its teacher's hypercolumn, reduced with no training."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from lead import checkpoint
from lead.errors import unknown
from lead.features import Extractor
from lead.images.store import ImageStore
from lead.nn.reduction import NonNegativeFactors, PrincipalComponents, fit_nmf, fit_pca
from lead.seeds import mixed_seed, run_identity

ReductionKind = Literal["pca", "nmf"]

FITS_VERSION = 1
"""Of the code that fits reductions. Raise it with any change after which they are others."""
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
    kept: Path | None = None,
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
        kept: folder of reductions, each of which is fitted once; None keeps none.

    Raises:
        LeadError: an unknown kind, or a dimension greater than the cells or their channels allow.
    """
    if kind not in get_args(ReductionKind):
        raise unknown("reduction", kind, get_args(ReductionKind))
    assert extractor.reduction is None, "a reduction of reduced features would be applied to whole ones"
    key = run_identity(extractor.digest(), store.digest, rows.tolist(), kind, dimension, seed, cells, FITS_VERSION)
    path = kept and kept / f"{key}.safetensors"
    if path and path.exists():
        found, _ = checkpoint.load(path, "reduction")
        return extractor.reduced(PrincipalComponents(**found) if kind == "pca" else NonNegativeFactors(**found))
    random = np.random.default_rng(mixed_seed(seed, "reduction"))
    seen = np.sort(random.permutation(rows)[:PICTURES])
    each = -(-cells // len(seen))
    taken = []
    for features in extractor.batches(store, seen):
        for picture in features.flatten(2).transpose(1, 2).cpu().numpy():  # (h·w, C)
            taken.append(picture[random.permutation(len(picture))[:each]])
    drawn = np.concatenate(taken)
    reduction = fit_pca(drawn, dimension) if kind == "pca" else fit_nmf(drawn, dimension, seed)
    if path:
        checkpoint.save(path, "reduction", reduction.state_dict(), {})
    return extractor.reduced(reduction)
