"""A finder learnt from labelled specimens, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lead.features import FeatureSource
from lead.finding import LEAST, Scale, Tile, candidates, rectangle, tiles
from lead.images.crops import Originals
from lead.nn.finder import ACROSS, LOW, STEP, Candidates, Finder
from lead.nn.heads import RidgeHead
from lead.reporting import Progress, counted
from lead.seeds import mixed_seed
from lead.training.individuals import IndividualsFit

SIGMA = 1.2
"""Width of the bump at a specimen's middle, in cells."""
VIEWS = 16
"""Views of labelled pictures in all, turned and scaled; at least one of each."""
UPRIGHT = 15.0
"""Degrees by which views are turned, each way, where specimens all lie alike."""
FAR = 1e-3
"""Height of the bump below which a cell counts as background."""
SHARE = 0.25
"""Of the background, how many cells are looked at. They count as much more each."""
AROUND = 0.75
"""In pictures that are not complete, only cells so many extents from a specimen's middle are looked at."""
FITS, UNCLEAR = 0.75, 1.5
"""Specimens up to so many steps from a scale are looked for at it; those up to the second are neither that nor
background."""
RIDGE = 1e-3
HIT = 0.35
"""Extents between a found middle and a specimen's up to which the one is the other."""
LIKE = 1.8
"""Times that their extents may differ."""
FOLDS, ROUNDS = 5, 60
PRIOR = (4.0, 6.5, 0.0)
"""The odds where a single picture is labelled: a place of 0.2 is as likely one as not."""
WEIGHT = 0.02
"""With which the odds are drawn to that."""
SUREST = 0.1
"""Share of specimens about whose landmarks there is less doubt than is supposed before these are looked for."""


@dataclass(frozen=True)
class Taught:
    """The specimens of a labelled picture.

    Attributes:
        row: of the store.
        centre: (n, 2) their middles, normalised.
        extent: (n,) as :class:`lead.nn.finder.Candidates` has it.
        complete: whether there are no others.
        labels: their rows of the labels.
    """

    row: int
    centre: Tensor
    extent: Tensor
    complete: bool
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What was found in a complete picture that was not learnt from.

    Attributes:
        taught: its specimens.
        found: n places.
        which: (n,) the specimen that each is; -1 for none.
    """

    taught: Taught
    found: Candidates
    which: Tensor


@dataclass(frozen=True)
class FinderFit:
    """A finder, and how it did on labelled pictures that it had not learnt from, all of them complete.

    Attributes:
        finder: fitted on every picture.
        specimens: in these pictures.
        right, wrong: what it found there that is a specimen, and what is none.
        seen: all places there.
        told: how well individuals are told apart; None where fewer than two are named in several pictures.
    """

    finder: Finder
    specimens: int = 0
    right: int = 0
    wrong: int = 0
    seen: Sequence[Seen] = ()
    told: IndividualsFit | None = None

    def weighed(self, doubts: Sequence[Tensor] | None = None) -> FinderFit:
        """The same, once it is learnt how likely a place is a specimen.

        Args:
            doubts: (n,) about the landmarks of each of ``seen``, NaN for a place that is not to be learnt from; by
                default nothing is known of these.
        """
        height = torch.cat([one.found.height for one in self.seen])
        is_one = torch.cat([one.which for one in self.seen]) >= 0
        doubt = torch.zeros(len(height)) if doubts is None else torch.cat(list(doubts))
        known = ~doubt.isnan()
        self.finder.odds.copy_(_odds(height[known], is_one[known], doubt[known]))
        if doubts is not None and bool((known & is_one).any()):
            self.finder.surest.copy_(doubt[known & is_one].quantile(SUREST))
        found_so = self.finder.likely(height, doubt.where(known, self.finder.surest)) >= 0.5
        right, wrong = (int((found_so & which).sum()) for which in (is_one, ~is_one))
        return replace(self, right=right, wrong=wrong)

    @property
    def words(self) -> str:
        """How well specimens are found, in words."""
        if not (self.specimens or self.wrong):
            return "Specimens found: unknown; that takes another labelled picture that is complete"
        text = f"Specimens found, in pictures not learnt from: {self.right} of {self.specimens}"
        if 2 * self.right < self.specimens:
            text += " (label more pictures, with the smallest and the largest that there are)"
        text += f", and {counted(self.wrong, 'place')} that {'is' if self.wrong == 1 else 'are'} none"
        return f"{text}. {self.told.words}" if self.told else text


@dataclass
class _Sums:
    """Of the regression: (D, D), (D, 1), and how many rows they count as."""

    xx: Tensor
    xy: Tensor
    rows: float = 0.0

    def add(self, design: Tensor, target: Tensor, weight: Tensor) -> None:
        """Rows (n, D) with targets and weights (n,)."""
        root = weight.sqrt()[:, None]
        design = design * root
        self.xx += design.T @ design
        self.xy += design.T @ (target[:, None] * root)
        self.rows += float(weight.sum())


def fit_finder(
    source: FeatureSource, taught: Sequence[Taught], *, turned: bool, seed: int = 0, progress: Progress | None = None
) -> FinderFit:
    """Learns to find specimens, and how likely what it finds is one.

    Args:
        source: of the pictures.
        taught: the labelled pictures; together they show a specimen.
        turned: whether specimens lie any way.
        seed: of the views and folds.
        progress: called after every picture.
    """
    extents = torch.cat([one.extent for one in taught])
    finder = Finder(source.extractor.dimension)
    finder.sizes.copy_(torch.stack([extents.min(), extents.median(), extents.max()]))
    _reduce(finder, source, taught)
    sums = []
    for number, one in enumerate(taught):
        sums.append(_moments(finder, source, one, max(VIEWS // len(taught), 1), turned, seed))
        if progress:
            progress(number + 1, len(taught))
    seen: list[Seen] = []
    order = np.random.default_rng(mixed_seed(seed, "finder folds")).permutation(len(taught))
    for part in np.array_split(order, min(len(taught), FOLDS)) if len(taught) > 1 else []:
        _solve(finder.look, [one for i, one in enumerate(sums) if i not in part])
        for one in (taught[i] for i in part.tolist() if taught[i].complete):
            found = candidates(finder, source, one.row, Originals(keep=True), LEAST)
            seen.append(Seen(one, found, matched(found, one)))
    _solve(finder.look, sums)
    finder.odds.copy_(torch.tensor(PRIOR))
    fitted = FinderFit(finder, sum(len(one.taught.extent) for one in seen), seen=seen)
    return fitted.weighed() if seen else fitted


def matched(found: Candidates, one: Taught) -> Tensor:
    """(n,) by candidate, which specimen it is; -1 for none. Those that come first choose first."""
    out = torch.full((len(found),), -1)
    free = torch.ones(len(one.extent), dtype=torch.bool)
    for i in range(len(found) if len(free) else 0):
        away = (one.centre - found.centre[i]).norm(dim=-1) / one.extent
        alike = (one.extent / found.extent[i]).log().abs() < math.log(LIKE)
        away = away.where(free & alike, torch.inf)
        if away.min() < HIT:
            out[i] = away.argmin()
            free[out[i]] = False
    return out


def _reduce(finder: Finder, source: FeatureSource, taught: Sequence[Taught]) -> None:
    """The leading directions of unit features, of wide ones."""
    kept, dimension = finder.look.reduction.shape
    if kept == dimension:
        return
    moment = torch.zeros(dimension, dimension)
    for one in taught[:FOLDS]:
        for scale in _scales(finder, source, one):
            for tile in tiles(source, one.row, scale, Originals(keep=True)):
                unit = functional.normalize(tile.features.float().cpu(), dim=0).flatten(1)
                moment += unit @ unit.T
    vectors = torch.linalg.eigh(moment.double()).eigenvectors  # columns, ascending
    finder.look.reduction.copy_(vectors[:, -kept:].T.flip(0).float())


def _scales(
    finder: Finder, source: FeatureSource, one: Taught, factor: float = 1.0, turn: Tensor | None = None
) -> Iterator[Scale]:
    for extent in finder.extents():
        yield Scale.of(source, one.row, extent * factor, turn)


def _moments(finder: Finder, source: FeatureSource, one: Taught, views: int, turned: bool, seed: int) -> _Sums:
    """Of views of one picture, each at all scales."""
    random = np.random.default_rng(mixed_seed(seed, "finder views", one.row))
    generator = torch.Generator().manual_seed(mixed_seed(seed, "finder cells", one.row))
    size = len(finder.look.weight)
    out = _Sums(torch.zeros(size, size), torch.zeros(size, 1))
    held = Originals(keep=True)
    for _ in range(views):
        angle = math.radians(180.0 if turned else UPRIGHT) * random.uniform(-1, 1)
        turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        for scale in _scales(finder, source, one, STEP ** random.uniform(-0.35, 0.35), turn):
            for tile in tiles(source, one.row, scale, held, turn):
                target, weight = _targets(source, one, scale, tile, turn, generator)
                kept = torch.nonzero(weight)[:, 0]
                out.add(finder.look.design_at(tile.features[None].cpu(), kept), target[kept], weight[kept])
    return out


def _targets(
    source: FeatureSource, one: Taught, scale: Scale, tile: Tile, turn: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What the heat map of a tile should be, and how much each cell counts, both (h·w,); 0 where it is not learnt from.

    ``turn`` is what the picture is turned by around its middle, as of :func:`tiles`.
    """
    height, width = tile.features.shape[1:]
    low, high = (torch.from_numpy(corner).float() for corner in rectangle(source, one.row))
    middle = (low + high) / 2
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    places = scale.points(x.flatten() + tile.left, y.flatten() + tile.top)
    within = (places - middle) @ turn.T + middle
    looked = torch.zeros(height, width, dtype=torch.bool)
    looked[tile.used] = True
    looked = looked.flatten() & ((within >= low) & (within <= high)).all(1)
    target = torch.zeros(len(places))
    if len(one.extent):
        steps = (one.extent / (scale.cell * ACROSS / 4)).log().abs() / math.log(STEP)
        away = torch.cdist(within, one.centre) / scale.cell
        bump = (-away.square() / (2 * SIGMA**2)).exp() * (steps < FITS)
        target = bump.amax(1)
        reach = one.extent / scale.cell
        looked &= ~((away < 0.5 * reach) & (steps >= FITS) & (steps < UNCLEAR)).any(1)
        if not one.complete:
            looked &= (away < AROUND * reach).any(1)
    near = target > FAR
    some = torch.rand(len(places), generator=generator) < SHARE
    return target, (near.float() + (~near & some).float() / SHARE) * looked


def _solve(head: RidgeHead, sums: Sequence[_Sums]) -> None:
    rows = sum(one.rows for one in sums)
    xx, xy = (torch.stack([getattr(one, name) for one in sums]).sum(0).double() / rows for name in ("xx", "xy"))
    system = xx + RIDGE * torch.eye(len(xx), dtype=torch.float64)
    head.weight.copy_(torch.cholesky_solve(xy, torch.linalg.cholesky(system)).float())


def _odds(height: Tensor, is_one: Tensor, doubt: Tensor) -> Tensor:
    """(3,) of the logistic model, by Newton's method with steps that are halved until they help, drawn to what holds in
    general."""
    x = torch.stack([height.clamp(min=LOW).log(), torch.ones_like(height), doubt], dim=1).double()
    general = torch.tensor(PRIOR, dtype=torch.float64)
    truth = is_one.double()

    def loss(odds: Tensor) -> float:
        misfit = functional.binary_cross_entropy_with_logits(x @ odds, truth, reduction="sum")
        return float(misfit + WEIGHT / 2 * (odds - general).square().sum())

    odds = general.clone()
    for _ in range(ROUNDS):
        likely = (x @ odds).sigmoid()
        slope = x.T @ (truth - likely) - WEIGHT * (odds - general)
        bend = (x * (likely * (1 - likely))[:, None]).T @ x + WEIGHT * torch.eye(3, dtype=torch.float64)
        step = torch.linalg.solve(bend, slope)
        while loss(odds + step) > loss(odds) and float(step.abs().max()) > 1e-9:
            step = step / 2
        odds = odds + step
    odds[0].clamp_(min=0.0)  # the higher the likelier, whatever few pictures say, and the surer
    odds[2].clamp_(max=0.0)
    return odds.float()
