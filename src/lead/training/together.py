"""How the errors of one picture's landmarks go together, from what heads said of pictures that they had not seen."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from lead.morphometrics.spread import FEWEST_PICTURES, ComplexArray, correlation

DIGITS = 4
"""Kept of it: more would only make files longer."""


def errors_together(found: Tensor, truth: Tensor, expected: Tensor) -> ComplexArray | None:
    """(K, K), see :func:`lead.morphometrics.spread.correlation`; None where too few pictures say it.

    Args:
        found: (N, K, 2) of pictures while they were held out.
        truth: (N, K, 2) their labels, in the same unit; NaN where there is none to judge by.
        expected: (N, K) errors that were expected; their unit makes no difference.
    """
    residuals = ((found - truth) / expected[..., None]).double().cpu().numpy()
    known = np.isfinite(residuals).all(-1)
    if int((known.sum(1) > 1).sum()) < FEWEST_PICTURES:
        return None
    return np.asarray(np.round(correlation(np.where(known[..., None], residuals, np.nan)), DIGITS))
