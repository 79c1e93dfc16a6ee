"""How the things in a folder lie: upright or turned any way, seen from one side or two, and how much sizes differ.

A picture is compared with turned and mirrored copies of another by the features that training starts from: how similar
they are at the best shift. In a folder of upright things nothing is gained by turning. Where things lie any way, each
pair has a turn of its own at which it is most similar. So it is with sizes, for copies that are enlarged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lead import processes
from lead.config import ALIKE, ALL_ROUND, DIFFERENT, UPRIGHT, Settings
from lead.features import Extractor, FeatureSource
from lead.geometry import cell_grid
from lead.images.store import ImageStore, read_rows
from lead.nn.shape import Pose
from lead.reporting import Say
from lead.seeds import mixed_seed
from lead.training.run import Run, TrainingPictures

PICTURES = 24
"""That are compared with one another: 276 pairs."""
TURNS = 12
"""Headings of each, all round."""
CELLS = 16
"""Along a side of the maps that are compared."""
REACH = 4
"""Cells by which they are shifted, each way, to fit one another."""
COMPONENTS = 32
"""Of the features, in which they are compared."""
GAINLESS = 0.5
"""Share, as of :class:`Headings`, from which things count as upright. Upright sets gave 0.64 to 1, sets turned by up to
60° or more at most 0.42."""
RESTING = 0.85
"""Share of what is seen that stays put, from which the camera is taken to rest. What moves before it is then a small
part of what the pairs have in common, and may be turned while all else is upright."""
SIDED = 0.2
"""Preference of a pair for the mirrored or the plain copy, as a share of the gain of the best turn, from which things
have sides. Shells and wings gave 0.4 to 0.5, the tongue under ultrasound 0.1."""
TWO_GROUPS = 0.9
"""Of all preferences, the share that two groups must explain."""
OTHER_SIDE = 0.15
"""Share of the smaller group from which a folder counts as seen from two sides."""
LARGER, ENLARGED = 2 ** (1 / 3), 5
"""Factor between sizes of copies, and how many are larger than the picture: up to 3.2 times."""
SPREAD = 3.2
"""Standard deviations from the 5th to the 95th percentile; 3.3 of normal, 3.1 of evenly spread values."""
APART = 2.1
"""Factor by which sizes differ, from which views are scaled further."""
FEWEST = 8
"""Pictures whose pairs say how much sizes differ."""
UNTOLD = "A network that begins random cannot tell how things lie: views are turned a little"
UNTOLD_SIZES = "a network that begins random cannot tell sizes: views are scaled a little"


@dataclass(frozen=True)
class Headings:
    """What pairs of pictures say of how things lie.

    Attributes:
        upright: the gain of no turn over the mean turn, as a share of the best turn's, mean over pairs: 1 where turning
            gains nothing, 0 where no turn is better than another on the whole.
        resting: share of the pixels' variance that is the same in all pictures.
        mirrored: share of the pictures that look like mirror images of the others; 0 where no side is to be told.
        sizes: factor from the 5th to the 95th percentile of sizes, as far as pairs agree on them; 1 for the same.
    """

    upright: float
    resting: float
    mirrored: float
    sizes: float = 1.0

    @property
    def any_way(self) -> bool:
        """Whether things may lie turned any way."""
        return self.upright < GAINLESS or self.resting > RESTING

    @property
    def text(self) -> str:
        """In a sentence."""
        if self.upright < GAINLESS:
            return "The things in these pictures lie turned any way, so views are turned all round"
        if self.resting > RESTING:
            return "The camera rests, and what moves before it may turn, so views are turned all round"
        return "The things in these pictures are upright, so views are turned a little"

    @property
    def sizes_differ(self) -> bool:
        """Whether things differ in size by more than views usually scale."""
        return self.sizes > APART

    @property
    def size_text(self) -> str:
        """The same in half a sentence."""
        if self.sizes_differ:
            return f"sizes differ by a factor of about {self.sizes:.1f}, so views are scaled further"
        return "sizes are much alike, so views are scaled a little"


def with_found_views(settings: Settings, run: Run, pictures: TrainingPictures, say: Say) -> Settings:
    """Settings that name how far stage 2's views turn and scale, where they left it to be found from the folder.

    Args:
        settings: that were asked for.
        run: with what was found when it began.
        pictures: that it is to train on.
        say: told what was found.
    """
    there = run.settings.distill.views
    if settings.distill.views.rotation == "auto" and there.rotation != "auto":
        settings = settings.with_rotation(there.rotation)
    if settings.distill.views.scale == "auto" and there.scale != "auto":
        settings = settings.with_scale(there.scale)
    turning, scaling = settings.distill.views.rotation == "auto", settings.distill.views.scale == "auto"
    if not (turning or scaling):
        return settings
    found = None
    if settings.backbone.init != "random":
        extractor = Extractor(run.initial_backbone(), settings.picture, settings.hypercolumn)
        found = headings_of(extractor, pictures.store, pictures.rows, seed=mixed_seed(settings.seed, "headings"))
    said = []
    if turning:  # one answer for all processes
        degrees = ALL_ROUND if processes.most(found is not None and found.any_way) else UPRIGHT
        settings = settings.with_rotation(degrees)
        said.append(f"{found.text if found else UNTOLD} (distill.views.rotation={degrees:g})")
    if scaling:
        sides = DIFFERENT if processes.most(found is not None and found.sizes_differ) else ALIKE
        settings = settings.with_scale(sides)
        text = found.size_text if found else UNTOLD_SIZES
        said.append(f"{text} (distill.views.scale=[{sides[0]:g},{sides[1]:g}])")
    say("; ".join([said[0][0].upper() + said[0][1:], *said[1:]]) + ".")
    if found and found.mirrored and turning:
        say(
            f"About {100 * found.mirrored:.0f} % of the pictures look like mirror images of the others, as where "
            "things are seen from two sides. Label some of each."
        )
    return settings


def headings_of(
    extractor: Extractor, store: ImageStore, rows: npt.NDArray[np.int64], *, seed: int, pictures: int = PICTURES
) -> Headings:
    """Compares pictures with one another, turned and mirrored: a matter of seconds.

    Args:
        extractor: of features that know up from down, as those of a network trained on photographs do.
        store: of the pictures.
        rows: (n,) of it, of which some are drawn; at least 2.
        seed: of the draw.
        pictures: to compare, at most.
    """
    some = np.sort(np.random.default_rng(seed).permutation(rows)[:pictures])
    source = FeatureSource(extractor, store)
    # The fixed copy is turned as well, by half a step: else only quarter turns would be as sharp as it is.
    half = math.pi / TURNS
    still = _seen(source, some, half)
    moved = [
        [_seen(source, some, half + 2 * math.pi * step / TURNS, mirrored=mirrored) for step in range(TURNS)]
        for mirrored in (False, True)
    ]
    basis = _Basis.of(torch.cat([still, *moved[0]]))
    fixed = basis.spectrum(still)
    alike = torch.stack([torch.stack([basis.similarity(fixed, basis.spectrum(f)) for f in row]) for row in moved])
    pairs = ~torch.eye(len(some), dtype=torch.bool)
    plain = alike[0][:, pairs]  # (turns, pairs)
    best, mean = plain.amax(0), plain.mean(0)
    gain = float((best - mean).mean())
    upright = float((plain[0] - mean).mean()) / max(gain, 1e-9)
    found = Headings(upright, _resting(store, some), _mirrored(alike.amax(1) / max(gain, 1e-9)))
    turns = moved[0] if found.any_way else moved[0][:1]
    whole = [basis.spectrum(f) for f in turns]
    enlarged = [alike[0, : len(turns)].amax(0)]
    for step in range(1, ENLARGED + 1):
        larger = basis.spectrum(_seen(source, some, half, share=LARGER**-step))
        enlarged.append(torch.stack([basis.similarity(larger, one) for one in whole]).amax(0))
    return replace(found, sizes=_sizes(torch.stack(enlarged)))


def _seen(
    source: FeatureSource,
    rows: npt.NDArray[np.int64],
    angle: float,
    *,
    mirrored: bool = False,
    share: float = 1.0,
) -> Tensor:
    """(n, C, CELLS, CELLS) unit features of pictures, or of the middle ``share``, turned and perhaps mirrored first."""
    turn = torch.tensor([[math.cos(angle), math.sin(angle)]]).expand(len(rows), 2) * share
    affine = Pose(turn, torch.zeros(len(rows), 2)).affine(1.0)
    if mirrored:
        affine = affine * torch.tensor([-1.0, 1.0, 1.0])
    features = torch.cat([some.float().cpu() for some in source.crops(rows, affine)])
    return functional.normalize(functional.adaptive_avg_pool2d(features, CELLS), dim=1)


@dataclass(frozen=True)
class _Basis:
    """Directions in which features of a folder differ, and the disc of cells that every turn shows.

    Attributes:
        mean: (C,).
        directions: (C, COMPONENTS).
        disc: (CELLS, CELLS) 1 within, 0 without.
    """

    mean: Tensor
    directions: Tensor
    disc: Tensor

    @classmethod
    def of(cls, features: Tensor) -> _Basis:
        """From features (n, C, CELLS, CELLS)."""
        disc = cell_grid(CELLS, CELLS).norm(dim=-1) <= 1
        within = features.permute(0, 2, 3, 1)[:, disc].flatten(0, 1)  # (cells, C)
        mean = within.mean(0)
        directions: Tensor = torch.linalg.eigh((within - mean).T @ (within - mean)).eigenvectors[:, -COMPONENTS:]
        return cls(mean, directions, disc.float())

    def spectrum(self, features: Tensor) -> Tensor:
        """Of features (n, C, CELLS, CELLS), with room for shifts: (n, COMPONENTS, 2·CELLS, CELLS + 1) complex."""
        reduced = torch.einsum("nchw,cd->ndhw", features - self.mean[:, None, None], self.directions)
        out: Tensor = torch.fft.rfft2(functional.normalize(reduced, dim=1) * self.disc, s=(2 * CELLS, 2 * CELLS))
        return out

    def similarity(self, fixed: Tensor, moved: Tensor) -> Tensor:
        """(n, n) mean cosine of the cells of each fixed and each moved picture, at the best shift."""
        size = (2 * CELLS, 2 * CELLS)
        disc = torch.fft.rfft2(self.disc, s=size)
        shared = torch.fft.irfft2(disc.conj() * disc, s=size).clamp(min=1)
        near = torch.tensor([*range(REACH + 1), *range(-REACH, 0)])
        rows = [torch.fft.irfft2((one.conj() * moved).sum(1), s=size) / shared for one in fixed]
        best: list[Tensor] = [row[:, near][:, :, near].amax((1, 2)) for row in rows]
        return torch.stack(best)


def _resting(store: ImageStore, rows: npt.NDArray[np.int64]) -> float:
    """Share of the pixels' variance that all pictures have in common, place by place."""
    pixels = torch.from_numpy(read_rows(store.pixels, rows)).float()
    around = pixels - pixels.mean((0, 1, 2))
    changing = pixels - pixels.median(0).values
    return max(1 - float(changing.square().mean() / around.square().mean().clamp(min=1e-9)), 0.0)


def _mirrored(alike: Tensor) -> float:
    """The share of pictures seen from the other side.

    What has two different sides is unlike its own mirror image, and pictures from either side fall in two groups:
    within each, plain copies are more alike, between them mirrored ones are.

    Args:
        alike: (2, n, n) similarity to plain and to mirrored copies, in gains of the best turn.
    """
    preference = (alike[1] - alike[0]).fill_diagonal_(0)
    preference = (preference + preference.T) / 2  # (n, n) positive where mirror images are more alike
    side = torch.linalg.eigh(-preference).eigenvectors[:, -1].sign()
    count = len(side)
    explained = float((-preference * side[:, None] * side).sum() / preference.abs().sum().clamp(min=1e-9))
    share = min(float((side > 0).float().mean()), float((side < 0).float().mean()))
    has_sides = float(preference.abs().sum()) / max(count * (count - 1), 1) > SIDED
    return share if has_sides and explained > TWO_GROUPS and share > OTHER_SIDE else 0.0


def _sizes(alike: Tensor) -> float:
    """The factor by which sizes differ, from the 5th to the 95th percentile.

    Each pair is taken to differ by what makes it most alike, whichever of the two is enlarged, so that what enlarging
    does to every picture favours neither. A size is then given to each picture that explains its pairs best, and of
    their spread counts what the pairs agree on: the more they contradict one another, the less.

    Args:
        alike: (1 + ENLARGED, n, n) similarity of each picture, enlarged by that many steps, to each whole one.
    """
    steps, count = len(alike) - 1, alike.shape[1]
    if count < FEWEST:
        return 1.0
    same = (alike[:1] + alike[:1].mT) / 2
    every = torch.cat([alike[1:].flip(0), same, alike[1:].mT])  # the first enlarged, the most to begin with; the second
    larger = (every.argmax(0) - steps).float()  # (n, n) steps by which the first thing is larger
    larger = (larger - larger.T) / 2
    size = larger.mean(1)
    pairs, free = count * (count - 1) / 2, (count - 1) * (count - 2) / 2
    off = float((larger - (size[:, None] - size)).square().sum())
    agreed = 1 - off / max(float(larger.square().sum()), 1e-9) * pairs / free  # by chance, 0
    return float(LARGER ** (SPREAD * float(size.std(unbiased=False)) * math.sqrt(max(agreed, 0.0))))
