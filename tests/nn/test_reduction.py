"""PCA against numpy's SVD, NMF against exact non-negative least squares and scikit-learn's own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.optimize import nnls
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

from lead.errors import LeadError
from lead.nn.reduction import FIT_SWEEPS, Cells, NonNegativeFactors, PrincipalComponents, fit_nmf, fit_pca, parts


def mixed_cells(n: int = 400, channels: int = 12, *, signed: bool = False) -> Cells:
    """A few sparse causes and some noise."""
    draws = np.random.default_rng(0)
    causes = draws.gamma(0.3, 1.0, (n, 5))
    patterns = draws.normal(size=(5, channels)) if signed else draws.gamma(0.5, 1.0, (5, channels))
    noise = 0.1 * draws.normal(size=(n, channels))
    return (causes @ patterns + (noise if signed else np.abs(noise))).astype(np.float32)


def as_maps(cells: Cells, height: int, width: int) -> torch.Tensor:
    """(B·h·w, C) → (B, C, h, w), cell by cell."""
    maps = np.empty((len(cells) // (height * width), cells.shape[1], height, width), np.float32)
    for i, cell in enumerate(cells):
        picture, place = divmod(i, height * width)
        maps[picture, :, place // width, place % width] = cell
    return torch.from_numpy(maps)


def test_principal_components_are_the_svds() -> None:
    cells = mixed_cells(signed=True)
    centred = cells.astype(np.float64) - cells.mean(0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    found = fit_pca(cells, 3)
    out = found(as_maps(cells, 4, 10))
    assert out.shape == (10, 3, 4, 10)
    for k in range(3):
        expected = centred @ directions[k]
        got = out[:, k].flatten().numpy()  # picture by picture, row by row
        np.testing.assert_allclose(got * np.sign(got @ expected), expected, atol=1e-4)
        assert np.square(got).sum() == pytest.approx(sizes[k] ** 2, rel=1e-4)


@pytest.mark.parametrize("signed", [False, True])
def test_weights_leave_as_little_as_exact_least_squares(signed: bool) -> None:
    cells = mixed_cells(signed=signed)
    found = fit_nmf(cells, 6, seed=0)
    factors = found.components.double().numpy()
    assert factors.shape == (6, 24 if signed else 12)
    np.testing.assert_allclose(np.linalg.norm(factors, axis=1), 1, atol=1e-5)
    out = found(as_maps(cells, 4, 10))
    assert out.shape == (10, 6, 4, 10)
    assert out.min() == 0
    whole = (split(cells) if signed else cells).astype(np.float64)
    ours, exact = np.empty(400), np.empty(400)
    for i in range(400):
        picture, place = divmod(i, 40)
        weights = out[picture, :, place // 10, place % 10].double().numpy()
        ours[i] = np.linalg.norm(whole[i] - weights @ factors)
        exact[i] = nnls(factors.T, whole[i])[1]
    assert np.linalg.norm(ours) < 1.005 * np.linalg.norm(exact)
    assert (ours < exact + 0.01 * np.linalg.norm(whole, axis=1).mean()).all()


@pytest.mark.parametrize("signed", [False, True])
def test_as_much_is_left_over_as_with_scikit_learn(signed: bool) -> None:
    cells = mixed_cells(signed=signed)
    whole = split(cells) if signed else cells
    theirs = NMF(6, init="nndsvda", max_iter=FIT_SWEEPS, tol=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning):
        left = np.linalg.norm(whole - theirs.fit_transform(whole) @ theirs.components_)
    found = fit_nmf(cells, 6, seed=0)
    ours = np.linalg.norm(whole - found.reduce(torch.from_numpy(cells)).numpy() @ found.components.numpy())
    assert ours < 1.01 * left
    assert ours < 0.35 * np.linalg.norm(whole)  # and that is little


def split(cells: Cells) -> Cells:
    out = np.zeros((len(cells), 2 * cells.shape[1]), np.float32)
    for place, value in np.ndenumerate(cells):
        out[place[0], place[1] + (cells.shape[1] if value < 0 else 0)] = abs(value)
    return out


def test_parts_are_the_positive_and_the_negative_beside_each_other() -> None:
    got = parts(torch.tensor([[1.0, -2.0, 0.0]]))
    assert got.tolist() == [[1, 0, 0, 0, 2, 0]]


def test_an_empty_factor_has_no_weight() -> None:
    factors = NonNegativeFactors(torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    torch.testing.assert_close(factors.reduce(torch.tensor([[3.0, 4.0]])), torch.tensor([[5.0, 0.0]]))


def test_hand_worked_weights() -> None:
    """Of x = (−1, 2) on unit axes and their diagonal: the negative part is out of reach, the rest is 2·e₂."""
    half = 0.5**0.5
    factors = NonNegativeFactors(torch.tensor([[1.0, 0.0], [0.0, 1.0], [half, half]]))
    found = factors.reduce(torch.tensor([[-1.0, 2.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.0, 2.0, 0.0]]), atol=0.02, rtol=0)


def test_the_seed_decides() -> None:
    cells = mixed_cells()
    assert torch.equal(fit_nmf(cells, 4, seed=1).components, fit_nmf(cells, 4, seed=1).components)


@pytest.mark.parametrize("k", [0, 13])
def test_more_dimensions_than_there_are_is_an_error(k: int) -> None:
    with pytest.raises(LeadError, match=f"NMF of these cells has 1 to 12 dimensions, not {k}"):
        fit_nmf(mixed_cells(), k, seed=0)
    with pytest.raises(LeadError, match=f"PCA of these cells has 1 to 12 dimensions, not {k}"):
        fit_pca(mixed_cells(), k)


def test_a_mean_is_taken_off_first() -> None:
    found = PrincipalComponents(torch.tensor([[0.6, 0.8]]), torch.tensor([1.0, 1.0]))
    values: npt.NDArray[np.float32] = found(torch.tensor([4.0, 5.0]).view(1, 2, 1, 1)).numpy()
    assert values.item() == pytest.approx(0.6 * 3 + 0.8 * 4)
