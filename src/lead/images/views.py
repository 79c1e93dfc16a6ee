"""Augmented views of stored pictures, as batched tensor work with its own parameters for each sample.

A view is the picture seen through a :class:`Warp`, a map from the view's normalised coordinates to the picture's
(the direction in which ``grid_sample`` pulls). Because a warp is a function, two views of one picture come with
their exact correspondence: see :func:`correspondence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from lead.geometry import cell_grid, inside
from lead.images.draws import drawn, own_rows, uniform

CONTROL = 10
"""Thin-plate-spline control points lie on a CONTROL × CONTROL grid over [-1, 1] (DVE, utils/tps.py)."""

Range = tuple[float, float]


@dataclass(frozen=True)
class Warp:
    """A map from view to picture: a thin-plate spline around each sample, then an affine map.

    Attributes:
        affine: (B, 2, 3), applied last.
        bend: (B, CONTROL², 2) spline weights, or None for a plain affine map.
    """

    affine: Tensor
    bend: Tensor | None = None

    def __call__(self, points: Tensor) -> Tensor:
        """View points (N, 2) shared by the batch, or (B, N, 2), to picture points (B, N, 2); all normalised."""
        moved = points.expand(self.affine.shape[0], -1, -1)  # (B, N, 2)
        with torch.autocast(self.affine.device.type, enabled=False):  # half precision is too coarse for places
            if self.bend is not None:
                moved = moved + _spline_basis(points) @ self.bend
            placed: Tensor = moved @ self.affine[:, :, :2].transpose(1, 2) + self.affine[:, None, :, 2]
        return placed

    def unbend(self, points: Tensor, iterations: int = 8) -> Tensor:
        """The inverse map, picture points (B, N, 2) to view points, by Newton's method on the spline.

        A place so far outside the view that no inverse is found is put at (2, 2), which is outside too.
        """
        with torch.autocast(self.affine.device.type, enabled=False):  # half precision is too coarse for places
            linear = torch.linalg.inv(self.affine[:, :, :2])
            target: Tensor = (points - self.affine[:, None, :, 2]) @ linear.transpose(1, 2)
            if self.bend is None:
                return target
            guess = target
            for _ in range(iterations):
                excess = guess + _spline_basis(guess) @ self.bend - target  # (B, N, 2)
                slope = torch.einsum("bncj,bci->bnij", _spline_slope(guess), self.bend)  # (B, N, 2, 2): ∂bend_i/∂p_j
                slope = slope + torch.eye(2, device=slope.device)
                guess = guess - torch.linalg.solve_ex(slope, excess[..., None])[0][..., 0]
            excess = guess + _spline_basis(guess) @ self.bend - target
            found = (excess.abs() < 1e-3).all(-1, keepdim=True)  # false for NaN as well
            return torch.where(found, guess, 2.0)


@dataclass(frozen=True)
class Chained:
    """A warp seen through another: the view's points go through ``inner``, then through ``outer`` to the picture."""

    outer: Warp
    inner: Warp

    @property
    def affine(self) -> Tensor:
        """Of the outer warp: its batch and device are the chain's."""
        return self.outer.affine

    def __call__(self, points: Tensor) -> Tensor:
        """See :meth:`Warp.__call__`."""
        return self.outer(self.inner(points))

    def unbend(self, points: Tensor) -> Tensor:
        """See :meth:`Warp.unbend`."""
        return self.inner.unbend(self.outer.unbend(points))


@lru_cache(maxsize=8)
def _control_points(device: str) -> Tensor:
    line = torch.linspace(-1, 1, CONTROL, device=device)
    return torch.cartesian_prod(line, line)  # (CONTROL², 2)


def _spline_basis(points: Tensor) -> Tensor:
    """Thin-plate kernel of points (..., 2) against the control points: d²·log(d² + 1e-5), (..., CONTROL²)."""
    controls = _control_points(str(points.device))
    squared = (points[..., None, :] - controls).square().sum(-1)
    return squared * (squared + 1e-5).log()


def _spline_slope(points: Tensor) -> Tensor:
    """The gradient of :func:`_spline_basis` along x and y, (..., CONTROL², 2)."""
    offset = points[..., None, :] - _control_points(str(points.device))
    squared = offset.square().sum(-1, keepdim=True)
    return 2 * offset * ((squared + 1e-5).log() + squared / (squared + 1e-5))


def affine_warp(
    count: int, *, scale: Range, shift: float, rotation: float, stretch: float, generator: torch.Generator
) -> Warp:
    """Random similarity-with-stretch maps.

    Args:
        count: batch size B.
        scale: range of the seen side as a share of the picture's side, drawn log-uniformly.
        shift: the view's centre moves by up to this, in normalised units of the picture, each way.
        rotation: up to this many degrees each way.
        stretch: the aspect ratio is drawn log-uniformly from [1 / (1 + stretch), 1 + stretch].
        generator: the source of randomness, on the device of the result.
    """
    side = uniform(count, math.log(scale[0]), math.log(scale[1]), generator).exp()
    aspect = (uniform(count, -1, 1, generator) * math.log1p(stretch) / 2).exp()
    angle = uniform(count, -1, 1, generator) * math.radians(rotation)
    centre = (drawn(torch.rand, count, 2, generator=generator) * 2 - 1) * shift
    cos, sin = angle.cos(), angle.sin()
    rows = [side * aspect * cos, -side / aspect * sin, centre[:, 0], side * aspect * sin, side / aspect * cos]
    return Warp(torch.stack([*rows, centre[:, 1]], dim=-1).view(count, 2, 3))


def bend_warp(warp: Warp, *, strength: Range, generator: torch.Generator) -> Warp:
    """Adds DVE's random thin-plate bend: every weight from N(0, a), half of them replaced by N(0, b).

    Args:
        warp: the affine part.
        strength: (a, b).
        generator: the source of randomness.
    """
    return Warp(warp.affine, _bend_weights(warp.affine.shape[0], strength, generator))


def _bend_weights(count: int, strength: Range, generator: torch.Generator) -> Tensor:
    """(count, CONTROL², 2) spline weights; see :func:`bend_warp`."""
    shape = (count, CONTROL**2, 2)
    weak = drawn(torch.randn, *shape, generator=generator) * strength[0]
    strong = drawn(torch.randn, *shape, generator=generator) * strength[1]
    pick = drawn(torch.rand, *shape, generator=generator) < 0.5
    return torch.where(pick, strong, weak)


def dve_warp(
    count: int, *, bend: Range, shift: float, scale: float, rotation: float, generator: torch.Generator
) -> Warp:
    """DVE's random warp (utils/tps.py): a similarity map with normal draws, plus a thin-plate spline.

    DVE adds the spline U·W to the affine map, x ↦ L·x + t + U(x)·W, where a :class:`Warp` sends the bent point through
    the affine map; the weights here are therefore W·L⁻ᵀ, and the map is the same.

    Args:
        count: batch size B.
        bend: (a, b) of W; see :func:`bend_warp`.
        shift: standard deviation of t along x and along y, in normalised units of the picture.
        scale: the seen side is 1 + N(0, scale) of the picture's.
        rotation: standard deviation in degrees.
        generator: the source of randomness, on the device of the result.
    """
    whole, own = own_rows(count, generator)
    draws = torch.randn(4, whole, generator=generator, device=generator.device)[:, own]
    angle, side = draws[0] * math.radians(rotation), 1 + draws[1] * scale
    cos, sin = side * angle.cos(), side * angle.sin()
    linear = torch.stack([cos, sin, -sin, cos], dim=-1).view(count, 2, 2)
    affine = torch.cat([linear, draws[2:].T[..., None] * shift], dim=-1)  # (B, 2, 3)
    return Warp(affine, _bend_weights(count, bend, generator) @ torch.linalg.inv(linear).transpose(1, 2))


def render(pictures: Tensor, warp: Warp | Chained, size: int) -> Tensor:
    """Pictures (B, 3, H, W) through a warp: (B, 3, size, size). Beyond the picture its edge continues."""
    grid = warp(cell_grid(size, size, device=pictures.device).view(-1, 2)).view(-1, size, size, 2)
    return functional.grid_sample(
        pictures, grid.to(pictures.dtype), mode="bilinear", padding_mode="border", align_corners=False
    )


def correspondence(seen: Warp | Chained, other: Warp | Chained, cells: int) -> Tensor:
    """Where each cell of one view lies in another view of the same pictures.

    Args:
        seen: the view whose ``cells`` × ``cells`` map is asked about.
        other: the view in which to look.
        cells: cells along a side.

    Returns:
        (B, cells², 2) normalised points in the other view; outside [-1, 1] where it does not show the place.
    """
    grid = cell_grid(cells, cells, device=seen.affine.device).view(-1, 2)
    return other.unbend(seen(grid))


@dataclass(frozen=True)
class View:
    """Stored pictures, or what a warp shows of them in squares of the same size, with their landmarks.

    Attributes:
        pixels: (B, S, S, 3) uint8.
        points: (B, K, 2) normalised to the square; NaN where unlabelled.
    """

    pixels: Tensor
    points: Tensor

    def through(self, warp: Warp, *, clamp: bool = False) -> View:
        """This view seen through a warp.

        A landmark that the warp does not show becomes NaN; with ``clamp`` it is put at the pixel that shows the place
        nearest to it.
        """
        side = self.pixels.shape[1]
        seen = render(self.pixels.permute(0, 3, 1, 2).float(), warp, side)
        moved = warp.unbend(self.points)
        grid = cell_grid(side, side).view(-1, 2)
        unlabelled = self.points.isnan().any(-1, keepdim=True)
        lost = unlabelled | ~inside(moved)[..., None]
        if clamp and lost.any():
            # Not the inverse's own nearest place: far out the spline may have no inverse.
            apart = torch.cdist(self.points, warp(grid), compute_mode="donot_use_mm_for_euclid_dist")  # (B, K, S²)
            moved, lost = torch.where(lost, grid[apart.argmin(-1)], moved), unlabelled
        return View(seen.permute(0, 2, 3, 1).round().to(torch.uint8), moved.masked_fill(lost, torch.nan))


@dataclass(frozen=True)
class Colour:
    """How strongly colours vary between views. All are drawn for each sample.

    Attributes:
        jitter: brightness, contrast and saturation factors from [1 - jitter, 1 + jitter].
        hue: rotation of the colour wheel by up to this share of a turn each way.
        grey: probability of a grey picture.
        blur: probability of a Gaussian blur, sigma from [0.3, 1.5] pixels.
        noise: standard deviation of additive noise, up to this, in units of full scale.
    """

    jitter: float = 0.4
    hue: float = 0.1
    grey: float = 0.1
    blur: float = 0.3
    noise: float = 0.02


_LUMA = torch.tensor([0.299, 0.587, 0.114])


def recolour(pictures: Tensor, colour: Colour, generator: torch.Generator) -> Tensor:
    """Random photometric changes of pictures (B, 3, H, W) in [0, 1]; values stay in [0, 1]."""
    count = pictures.shape[0]

    def factor() -> Tensor:
        return uniform(count, 1 - colour.jitter, 1 + colour.jitter, generator).view(-1, 1, 1, 1)

    luma = _LUMA.to(pictures).view(1, 3, 1, 1)
    out = pictures * factor()
    mean = (out * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    out = (out - mean) * factor() + mean
    out = torch.einsum("bij,bjhw->bihw", _colour_matrix(count, colour, generator).to(out), out)
    if colour.blur > 0:
        out = _blur(out, colour.blur, generator)
    if colour.noise > 0:
        sigma = uniform(count, 0, colour.noise, generator).view(-1, 1, 1, 1)
        out = out + sigma * drawn(torch.randn, *out.shape, generator=generator)
    return out.clamp(0, 1)


def _colour_matrix(count: int, colour: Colour, generator: torch.Generator) -> Tensor:
    """(B, 3, 3): hue rotation in the YIQ plane, then saturation; a saturation of 0 is grey."""
    device = generator.device
    to_yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], device=device)
    angle = uniform(count, -1, 1, generator) * colour.hue * 2 * math.pi
    saturation = uniform(count, 1 - colour.jitter, 1 + colour.jitter, generator)
    grey = drawn(torch.rand, count, generator=generator) < colour.grey
    saturation = torch.where(grey, 0.0, saturation)
    cos, sin = saturation * angle.cos(), saturation * angle.sin()
    one, zero = torch.ones_like(cos), torch.zeros_like(cos)
    turn = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], dim=-1).view(count, 3, 3)
    matrix: Tensor = torch.linalg.inv(to_yiq) @ turn @ to_yiq
    return matrix


def _blur(pictures: Tensor, probability: float, generator: torch.Generator, radius: int = 3) -> Tensor:
    """Separable Gaussian blur of a share of the batch, with its own sigma for each picture."""
    count, channels, height, width = pictures.shape
    whole, own = own_rows(count, generator)
    lot = torch.rand(whole, generator=generator, device=generator.device) < probability
    sigma = torch.zeros(whole, device=generator.device)
    sigma[lot] = torch.rand(int(lot.sum()), generator=generator, device=generator.device) * 1.2 + 0.3
    chosen = torch.nonzero(lot[own])[:, 0]
    if chosen.numel() == 0:
        return pictures
    sigma = sigma[own][chosen, None]
    offsets = torch.arange(-radius, radius + 1, device=pictures.device)
    kernel = functional.normalize((-(offsets**2) / (2 * sigma**2)).exp(), p=1, dim=1)  # (n, 2r+1)
    kernel = kernel.repeat_interleave(channels, 0)[:, None]  # (n*3, 1, 2r+1)
    flat = pictures[chosen].reshape(1, -1, height, width)
    flat = functional.pad(flat, (radius,) * 4, mode="replicate")
    flat = functional.conv2d(flat, kernel[:, :, None, :], groups=kernel.shape[0])
    flat = functional.conv2d(flat, kernel[:, :, :, None], groups=kernel.shape[0])
    out = pictures.clone()
    out[chosen] = flat.view(-1, channels, height, width)
    return out
