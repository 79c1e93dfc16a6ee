"""Cascades fitted on things that lie any way, or are seen from two sides, judged on pictures they have not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from lead.config import PictureSettings
from lead.features import Extractor, FeatureSource
from lead.images.build import open_store
from lead.nn.backbone import Backbone
from lead.nn.heads import ALL_ROUND, BOTH_SIDES, EITHER_SIDE, PLAIN, Lie, RidgeHead
from lead.nn.shape import Pose, fit_pose
from lead.nn.steered import SteeredHead
from lead.nn.student import Student
from lead.training.cascade import CascadeFit, fit_cascade
from lead.training.fit import added, moments_of, solve
from lead.training.inputs import gathered
from lead.training.labelled import Labelled, distances
from lead.training.looks import lies_of, moments_as_they_lie
from lead.training.lying import lie_any_way

COUNT, SIDE = 36, 192
TEST = np.arange(20, COUNT)
PARTS = np.array([[0.0, -1.1], [-1.1, 0.3], [0.8, 0.7], [0.9, -0.7]])
"""Of the thing, in its radii: they look the same."""
BESIDE = np.array([[0.0, -0.5], [0.5, 0.0], [0.0, 0.5], [-0.5, 0.0]])
"""Something else is beside each: above, to the right, below and to the left."""


class Colours(Extractor):
    """Its feature is each cell's mean colour and how that varies, which do not know up from down."""

    def features_of(self, inputs: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(inputs, 4)
        return torch.cat([pooled, functional.avg_pool2d(inputs.square(), 4), torch.full_like(pooled[:, :1], 0.3)], 1)


class Folder:
    """Pictures of things that are turned clockwise by angles, and upside down first where their side is -1.

    Attributes:
        source: of their features.
        points: (COUNT, 4, 2) normalised.
        side: (COUNT,) -1 for mirror images.
    """

    def __init__(self, root: Path, angles: npt.NDArray[np.float64], side: npt.NDArray[np.float64]) -> None:
        draws = np.random.default_rng(0)
        names = [f"{i:02}.bmp" for i in range(len(angles))]
        (root / "pictures").mkdir()
        xy = []
        for name, angle, way in zip(names, angles, side, strict=True):
            size, middle = draws.uniform(32, 44), draws.uniform(0.44, 0.56, 2) * SIDE
            turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            places, beside = ((p * [1, way]) @ turn.T + middle for p in (PARTS, PARTS + BESIDE))
            picture = 0.25 + 0.05 * draws.normal(size=(SIDE, SIDE, 3))
            for spots, colour in ((beside, [0.1, 0.9, 0.1]), (places, [0.9, 0.1, 0.1])):
                for x, y in spots:
                    row, column = np.mgrid[:SIDE, :SIDE]
                    near = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * (0.16 * size) ** 2))[..., None]
                    picture = picture * (1 - near) + near * colour
            Image.fromarray((255 * picture.clip(0, 1)).round().astype(np.uint8)).save(root / "pictures" / name)
            xy.append(places)
        settings = PictureSettings(store=96, input=96, frame=1.0)
        extractor = Colours(Student(Backbone("test_resnet"), 8, 8), settings, device=torch.device("cpu"))
        self.side = torch.from_numpy(side).float()
        self.source = FeatureSource(extractor, open_store(root / "pictures", names, 96, root / "store"))
        self.points = torch.from_numpy(self.source.points(np.arange(len(names)), np.array(xy))).float()

    def errors(self, fitted: CascadeFit) -> Tensor:
        """(n, K) in the test pictures, as shares of their side."""
        said = torch.cat([found.points for found in self.source.find(fitted.head, TEST)])
        return distances(said, self.points[TEST])


def angles(reach: float) -> npt.NDArray[np.float64]:
    """(COUNT,) radians, up to so many degrees each way."""
    return np.radians(np.random.default_rng(1).uniform(-reach, reach, COUNT))


SIDES = np.where(np.arange(COUNT) % 4 == 1, -1.0, 1.0)
"""Every fourth picture shows a mirror image."""


@pytest.fixture(scope="module")
def upright(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("upright"), angles(15), np.ones(COUNT))


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("turned"), angles(180), np.ones(COUNT))


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Turned any way, and seen from both sides."""
    return Folder(tmp_path_factory.mktemp("mirrored"), angles(180), SIDES)


@pytest.fixture(scope="module")
def either(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Upright, and seen from both sides: left and right changed."""
    side = np.where(np.arange(COUNT) % 2, -1.0, 1.0)
    return Folder(tmp_path_factory.mktemp("either"), angles(15) + np.where(side < 0, np.pi, 0), side)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The colours' features are not told from the network's own by its weights."""
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("count", "said"), [(4, True), (4, False), (12, False)])
def test_things_that_lie_any_way_are_found(turned: Folder, count: int, said: bool) -> None:
    """Also where only the labels say so."""
    rows = np.arange(count)
    fitted = fit_cascade(turned.source, rows, turned.points[rows], unlabelled=np.arange(20), turned=said)
    assert fitted.head.lies == ALL_ROUND
    assert turned.errors(fitted).mean() < 0.02
    assert turned.errors(fitted).amax(1).median() < 0.02
    assert fitted.error < 0.03


def test_one_upright_label_is_enough_where_things_are_known_to_turn(upright: Folder, turned: Folder) -> None:
    fitted, plain = (
        fit_cascade(upright.source, np.arange(1), upright.points[:1], unlabelled=np.arange(20), turned=said)
        for said in (True, False)
    )
    assert fitted.head.lies == ALL_ROUND
    assert plain.head.lies == (PLAIN,)
    assert turned.errors(fitted).mean() < 0.03
    assert turned.errors(plain).mean() > 0.1
    assert upright.errors(plain).mean() < 0.03


def test_upright_things_are_not_searched_in_vain(upright: Folder) -> None:
    rows = np.arange(8)
    fitted = fit_cascade(upright.source, rows, upright.points[rows])
    assert fitted.head.lies == (PLAIN,)
    assert upright.errors(fitted).mean() < 0.02


@pytest.mark.parametrize(("name", "lies"), [("mirrored", BOTH_SIDES), ("either", EITHER_SIDE)])
def test_things_are_found_from_both_sides(request: pytest.FixtureRequest, name: str, lies: tuple[Lie, ...]) -> None:
    folder: Folder = request.getfixturevalue(name)
    rows = np.arange(16)
    fitted = fit_cascade(folder.source, rows, folder.points[rows], halves=None if name == "either" else [])
    assert fitted.head.lies == lies
    assert folder.errors(fitted).mean() < 0.02
    # A mirror image is turned back before the shape is made: it is the plain thing's, up to a turn.
    shape = torch.from_numpy(np.stack([PARTS, PARTS * [1, -1]])).float()
    pose = fit_pose(fitted.head.shape, shape)
    off = (pose(fitted.head.shape) - shape).norm(dim=-1).amax(1) / pose.size
    assert off.min() < 0.03 < off.max()
    first = fitted.head.coarse_output(torch.from_numpy(folder.source.whole(TEST).astype(np.float32)))
    assert first.pose.side is not None
    told = first.pose.side * folder.side[TEST]  # of as many of either side, the plain ones are a matter of taste
    assert (told == told[0]).all()
    if name == "either":
        assert first.pose.heading.abs().max() < np.radians(30)


def test_labels_of_mirror_images_do_not_spoil_the_shape(mirrored: Folder) -> None:
    """Where they are too few to be learnt from, most things are found as without them."""
    kept = np.array([0, 1, 2, 3, 4, 6, 7, 8, 10, 11])  # one mirror image
    fitted = fit_cascade(mirrored.source, kept, mirrored.points[kept], turned=True, halves=[])
    errors = mirrored.errors(fitted)
    assert errors[torch.from_numpy(SIDES[TEST] > 0)].mean() < 0.02


def test_accepted_points_and_few_labels_of_a_landmark_turn_too(mirrored: Folder) -> None:
    rows, accepted = np.arange(16), np.zeros((16, 4), bool)
    accepted[12:] = True
    points = mirrored.points[rows].clone()
    points[3:9, 2] = torch.nan
    fitted = fit_cascade(mirrored.source, rows, points, accepted=accepted, turned=True, halves=[])
    assert fitted.head.lies == BOTH_SIDES
    assert mirrored.errors(fitted).mean() < 0.03


def test_accepted_points_do_not_turn_sides_around(mirrored: Folder) -> None:
    """Among the judged pictures few show mirror images, among those accepted nearly all."""
    way = mirrored.side.numpy()
    rows = np.concatenate([np.flatnonzero(way > 0)[:8], np.flatnonzero(way < 0)[:2], np.flatnonzero(way < 0)[2:]])
    rows = np.concatenate([rows, rows[8:10]])  # two are there twice, so that of all most are mirror images
    accepted = np.zeros((len(rows), 4), bool)
    accepted[10:] = True
    inputs = gathered(
        mirrored.source, rows, mirrored.points[rows], accepted, None, None, np.random.default_rng(0), True, 0, None
    )
    assert inputs.side is not None
    assert inputs.more.side is not None
    assert torch.equal(inputs.side, mirrored.side[inputs.rows])
    assert torch.equal(inputs.more.side, mirrored.side[inputs.more.rows])


@pytest.mark.parametrize("landmarks", [[0], [0, 1]])
def test_one_landmark_and_two_may_turn(turned: Folder, landmarks: list[int]) -> None:
    rows, points = np.arange(12), turned.points[:, landmarks]
    fitted = fit_cascade(turned.source, rows, points[rows], turned=True)
    said = torch.cat([found.points for found in turned.source.find(fitted.head, TEST)])
    errors = distances(said, points[TEST])
    assert torch.isfinite(errors).all()
    if len(landmarks) == 1:
        assert fitted.head.lies == (PLAIN,)  # which has no heading
    else:
        assert errors.mean() < 0.05


@pytest.mark.parametrize("count", [1, 6])
def test_the_seed_decides_how_views_turn(turned: Folder, count: int) -> None:
    rows = np.arange(count)
    states = []
    for seed in (3, 3, 4):
        torch.rand(5)
        fitted = fit_cascade(turned.source, rows, turned.points[rows], turned=True, seed=seed, halves=[])
        assert isinstance(fitted.head.coarse, SteeredHead)
        states.append(fitted.head.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["coarse.weight"], states[2]["coarse.weight"])


# --- what labels say -------------------------------------------------------------------------------------------------


def test_labels_may_show_that_things_lie_any_way(
    upright: Folder, turned: Folder, mirrored: Folder, either: Folder
) -> None:
    assert not lie_any_way(upright.points, expected=False)
    assert not lie_any_way(either.points, expected=False)
    for folder in (turned, mirrored):
        assert lie_any_way(folder.points, expected=False)
        assert not lie_any_way(folder.points[:1], expected=False)
        assert not lie_any_way(folder.points[:, :1], expected=False)
        assert lie_any_way(folder.points[:1], expected=True)
    assert lie_any_way(upright.points, expected=True)  # that they happen to be upright proves nothing
    gaps = turned.points.clone()
    gaps[::2, 1:] = torch.nan  # one landmark tells no heading
    assert lie_any_way(gaps, expected=False)
    few = torch.cat([upright.points[:30], turned.points[:2]])
    assert not lie_any_way(few, expected=False)


def test_headings_are_rounded_to_eighths() -> None:
    degrees = torch.tensor([0.0, 20.0, 25.0, -20.0, -25.0, 179.0, -179.0, 90.0, -90.0])
    angle = degrees * (np.pi / 180)
    turn = 0.3 * torch.stack([angle.cos(), angle.sin()], dim=-1)
    side = torch.tensor([1.0, -1, 1, 1, -1, 1, 1, 1, 1])
    steps = [0, 0, 1, 0, 7, 4, 4, 2, 6]
    head = SteeredHead(3, 2, 3, BOTH_SIDES)
    expected = [Lie(step, way < 0) for step, way in zip(steps, side.tolist(), strict=True)]
    assert lies_of(head, Pose(turn, torch.zeros(9, 2), side)) == expected
    assert lies_of(head, Pose(turn, torch.zeros(9, 2))) == [Lie(step, mirrored=False) for step in steps]
    assert lies_of(RidgeHead(3, 2, ring=3), Pose(turn, torch.zeros(9, 2), side)) == [PLAIN] * 9


def test_what_turned_things_teach_is_what_upright_ones_do() -> None:
    """Moments of maps turned by quarters, in order, are those of the maps themselves; and sums are of all pictures."""
    torch.manual_seed(0)
    features, points = torch.randn(6, 3, 9, 9), torch.rand(6, 2, 2) - 0.5
    points[4, 1] = torch.nan
    lies = [Lie(0, mirrored=False), Lie(2, mirrored=False), Lie(4, mirrored=True), Lie(6, mirrored=True)]
    lies = [lies[i] for i in (0, 1, 2, 3, 1, 2)]
    head = SteeredHead(3, 2, 3, BOTH_SIDES)
    maps, places = [], []
    for one, place, lie in zip(features, points, lies, strict=True):
        maps.append(torch.rot90(one.flip(-2) if lie.mirrored else one, -lie.step // 2, (-2, -1)))
        angle = torch.tensor([[lie.step * np.pi / 4]]).float()
        turn = torch.cat([angle.cos(), angle.sin()], dim=-1)
        side = torch.tensor([-1.0 if lie.mirrored else 1.0])
        places.append(Pose(turn, torch.zeros(1, 2), side)(place[None])[0])
    turned = Labelled(torch.stack(maps).numpy(), torch.stack(places))
    upright = Labelled(features.numpy(), points)
    found = added([moments_of(head, turned.take(np.array([i])), lie=lie) for i, lie in enumerate(lies)])
    expected = added([moments_of(head, upright.take(np.array([i]))) for i in range(6)])
    assert found.keys() == expected.keys()
    for key, sums in expected.items():
        torch.testing.assert_close(found[key].xx, sums.xx, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(found[key].xy, sums.xy, atol=1e-3, rtol=1e-4)
        assert found[key].rows == sums.rows
    # All at once, of a share of the far cells: the same on average, and about the same weights.
    rough = moments_as_they_lie(head, turned, lies)
    assert {k for key in rough for k in key} == {0, 1}
    weights = [solve([moments], 2, 1e-2) for moments in (rough, moments_of(head, upright))]
    assert torch.corrcoef(torch.stack([weight.flatten() for weight in weights]))[0, 1] > 0.8
