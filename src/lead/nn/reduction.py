"""Hypercolumns made compact with no training: principal components, and the paper's NMF (LEAD §4.1, Table 1)."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.errors import LeadError

Cells = npt.NDArray[np.float32]

FIT_SWEEPS = 20
"""Coordinate descent's sweeps when NMF is fitted: some 40 s of one core for 20,000 cells of 992 parts and 256 factors.
Minibatch NMF takes 7 s, but leaves almost twice as much."""
TRANSFORM_STEPS = 20
PENALTY, RELAXATION = 0.3, 1.7
"""ADMM's steps, ρ and over-relaxation when NMF is applied. For 2,000 pictures of 576 cells in 992 parts and 256 factors
a step takes 4 s of one core, and 20 leave 0.1 % more than the exact non-negative least squares, of which the weights'
mean cosine is 0.998. Multiplicative updates leave 0.7 % after 60 such steps, accelerated gradient 0.4 % after 40, and
scikit-learn's coordinate descent 0.1 % in twenty minutes."""


class Reduction(nn.Module):
    """A fixed map of each cell's vector to a shorter one.

    Attributes:
        components: (k, D), one row for each channel of the result.
    """

    components: Tensor

    def __init__(self, components: Tensor) -> None:
        super().__init__()
        self.register_buffer("components", components)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) → (B, k, h, w) float32."""
        cells = features.float().permute(0, 2, 3, 1)  # (B, h, w, C)
        return self.reduce(cells.flatten(0, 2)).view(*cells.shape[:3], -1).permute(0, 3, 1, 2)

    def reduce(self, cells: Tensor) -> Tensor:
        """(n, C) → (n, k)."""
        raise NotImplementedError


class PrincipalComponents(Reduction):
    """Coordinates along the directions of greatest variance.

    Args:
        components: (k, C), orthonormal, the greatest variance first.
        mean: (C,), subtracted first.
    """

    mean: Tensor

    def __init__(self, components: Tensor, mean: Tensor) -> None:
        super().__init__(components)
        self.register_buffer("mean", mean)

    def reduce(self, cells: Tensor) -> Tensor:
        return (cells - self.mean) @ self.components.T


class NonNegativeFactors(Reduction):
    """Weights of non-negative factors: argmin over w ≥ 0 of ‖x − w·H‖² for each cell x.

    Args:
        components: H with rows of unit length, so that a weight is what its factor adds: (k, C) for channels that are
            never negative (the paper's, after ReLU); (k, 2C) for others, whose :func:`parts` are factored.
    """

    def reduce(self, cells: Tensor) -> Tensor:
        """Over-relaxed ADMM (Boyd et al., 2011, §3.4.3 and §5.2)."""
        signed = self.components.shape[1] > cells.shape[1]
        wanted = (parts(cells) if signed else cells) @ self.components.T  # (n, k)
        gram = (self.components @ self.components.T).double()
        inverse = torch.linalg.inv(gram + PENALTY * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).float()
        weights, dual = torch.zeros_like(wanted), torch.zeros_like(wanted)
        for _ in range(TRANSFORM_STEPS):
            free = (wanted + PENALTY * (weights - dual)) @ inverse
            free = RELAXATION * free + (1 - RELAXATION) * weights
            weights = (free + dual).clamp(min=0)
            dual = dual + free - weights
        return weights


def parts(cells: Tensor) -> Tensor:
    """The positive part beside the negative part's size: (n, C) → (n, 2C), never negative."""
    return torch.cat([cells.clamp(min=0), (-cells).clamp(min=0)], dim=1)


def fit_pca(cells: Cells, k: int) -> PrincipalComponents:
    """Principal components of cells (n, C). Nothing in it is random.

    Raises:
        LeadError: k is greater than n or C.
    """
    from sklearn.decomposition import PCA  # takes a while, and every network's file is read through this module

    _check(k, "PCA", min(cells.shape))
    found = PCA(k, svd_solver="covariance_eigh").fit(cells.astype(np.float64))
    return PrincipalComponents(_float32(found.components_), _float32(found.mean_))


def fit_nmf(cells: Cells, k: int, seed: int) -> NonNegativeFactors:
    """Non-negative factors of cells (n, C), or of their :func:`parts` if any value is negative.

    Raises:
        LeadError: k is greater than n or the number of channels or parts.
    """
    from sklearn.decomposition import NMF  # as above
    from sklearn.exceptions import ConvergenceWarning

    if (cells < 0).any():
        cells = parts(torch.from_numpy(cells)).numpy()
    _check(k, "NMF", min(cells.shape))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the sweeps are fixed on purpose
        found = NMF(k, init="nndsvda", max_iter=FIT_SWEEPS, tol=0, random_state=seed).fit(cells)
    return NonNegativeFactors(functional.normalize(_float32(found.components_), dim=1))


def _check(k: int, name: str, most: int) -> None:
    if not 1 <= k <= most:
        raise LeadError(
            f"{name} of these cells has 1 to {most} dimensions, not {k}. Ask for fewer, or give more cells."
        )


def _float32(values: npt.NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
