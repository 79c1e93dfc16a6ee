"""The supervised baseline: the student's network learnt from labelled pictures alone, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from lead import checkpoint, processes
from lead.config import ExactPrecision, PictureSettings, Settings, SupervisedSettings
from lead.errors import LeadError
from lead.files import write_atomic
from lead.geometry import FloatArray, inside, normalise_points
from lead.images.store import ImageStore
from lead.nn.backbone import Backbone
from lead.nn.regressor import LandmarkRegressor
from lead.nn.student import Student
from lead.provenance import commit, versions
from lead.reporting import Report, silent
from lead.seeds import mixed_seed, run_identity
from lead.training.engine import Stage, TrainingLoop
from lead.training.launch import make_fabric
from lead.training.precision import fastest_precision
from lead.training.pretrain import draw_view
from lead.training.upkeep import UPKEEP, Upkeep

SUPERVISED = "supervised.safetensors"


class Supervised(Stage):
    """Smooth-L1 on ten times the normalised coordinates, as the peers' regressor, under random views.

    Landmarks that are unlabelled or that the view does not show do not count. Views are not mirrored, since left
    and right landmarks would change names.

    Args:
        network: trained in place.
        settings: of the baseline.
        picture: sizes.
    """

    name = "supervised"

    def __init__(self, network: LandmarkRegressor, settings: SupervisedSettings, picture: PictureSettings) -> None:
        super().__init__()
        self.network, self.settings, self.picture = network, settings, picture

    def train(self, mode: bool = True) -> Supervised:
        super().train(mode)
        if self.settings.frozen_batchnorm:
            self.network.student.backbone.eval()
        return self

    def forward(self, pictures: Tensor, generator: torch.Generator, targets: Tensor | None = None) -> dict[str, Tensor]:
        """See :meth:`Stage.forward`.

        Args:
            pictures: (B, 3, S, S).
            generator: of the views.
            targets: (B, K, 2) normalised places in the stored square, NaN where unlabelled.

        Returns:
            ``loss``; ``error``, the mean distance as a share of the view's side; ``seen``, the share of landmarks that
            are labelled and in the view.
        """
        assert targets is not None
        view, warp = draw_view(pictures, self.settings.views, self.picture, generator, bent=True)
        places = warp.unbend(targets)  # (B, K, 2)
        known = inside(places)  # false for NaN as well
        found, true = self.network(view)[known], places[known]  # (n, 2) both
        count = processes.mean_count(known)  # a batch may show none
        loss = functional.smooth_l1_loss(10 * found, 10 * true, reduction="sum") / (2 * count)
        error = (found.detach() - true).norm(dim=-1).sum() / (2 * count)
        return {"loss": loss, "error": error, "seen": known.float().mean()}

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        return [(self.network, 1.0)]


def train_supervised(
    folder: Path,
    settings: Settings,
    store: ImageStore,
    rows: npt.NDArray[np.int64],
    points: FloatArray,
    *,
    seed: int,
    pretrained: bool = False,
    report: Report = silent,
    upkeep: Upkeep = UPKEEP,
) -> LandmarkRegressor:
    """The network trained on some labelled pictures. Resumes where it was interrupted; is read back if it is done.

    Args:
        folder: keeps the network, the state and the log; one for each training.
        settings: ``supervised``, the sizes of ``picture`` and of ``distill``'s pyramid, ``backbone``, ``precision``.
        store: the pictures.
        rows: (n,) of the store, each once: the labelled pictures.
        points: (n, K, 2) their landmarks in store pixels; NaN where unlabelled.
        seed: of first weights, batches and views.
        pretrained: start the encoder as ``backbone.init`` says; else with random weights.
        report: told of the progress.
        upkeep: when it looks at itself, saves and gives up.

    Returns:
        The network on the CPU, ready to predict: what :meth:`lead.features.Frame.show` shows (B, 3, H, W) to places
        (B, K, 2) in its normalised coordinates.

    Raises:
        LeadError: the folder holds a network of other settings or labels, nothing is labelled, or the training was
            interrupted.
    """
    if not np.isfinite(points).all(-1).any():
        raise LeadError("No landmark of these pictures is labelled; supervised training needs some.")
    parts = (settings.picture, settings.backbone, settings.supervised)
    identity = run_identity(
        *(part.model_dump(mode="json") for part in parts),
        [settings.distill.dimension, settings.distill.width, settings.precision, seed, pretrained],
        [store.digest, rows.tolist(), points.tolist()],
    )
    file, fabric = folder / SUPERVISED, make_fabric(_precision(settings, folder))
    if not processes.most(file.exists()):
        torch.manual_seed(mixed_seed(seed, Supervised.name, "init"))
        network = _network(settings, settings.backbone.init if pretrained else "random", points.shape[1])
        training = TrainingLoop(
            Supervised(network, settings.supervised, settings.picture),
            settings.supervised,
            optimiser="adamw",
            pixels=store.pixels,
            rows=rows,
            folder=folder,
            seed=seed,
            fabric=fabric,
            identity=identity,
            targets=_targets(store, rows, points),
            names=store.files,
            upkeep=upkeep,
        )
        training.run(report)
        meta = {"identity": identity, "landmarks": points.shape[1], "versions": versions(), "commit": commit()}
        if processes.leads():
            checkpoint.save(file, "supervised", network.state_dict(), meta)
            (folder / f"{Supervised.name}-state.safetensors").unlink(missing_ok=True)
        processes.await_file(file)
    tensors, meta = checkpoint.load(file, "supervised")
    if meta["identity"] != identity:
        raise LeadError(f"{file} was trained with other settings or labels. Give another folder, or delete it.")
    network = _network(settings, "random", points.shape[1])
    checkpoint.load_exactly(network, tensors, str(file))
    return network.eval()


def _precision(settings: Settings, folder: Path) -> ExactPrecision:
    """What ``auto`` comes to: measured once, so that a training goes on in the precision in which it began."""
    if settings.precision != "auto":
        return settings.precision
    make_fabric("32-true")  # joins the processes
    file = folder / "precision.json"
    with processes.in_turn():
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            found = fastest_precision(settings.backbone.name, settings.picture.input, settings.supervised.batch)
            write_atomic(file, json.dumps(found))
    processes.await_file(file)
    chosen: ExactPrecision = json.loads(file.read_text(encoding="utf-8"))
    return chosen


def _network(settings: Settings, init: str, landmarks: int) -> LandmarkRegressor:
    dimension = settings.distill.dimension
    backbone = Backbone(settings.backbone.name, init, settings.picture.input)
    student = Student(backbone, dimension, settings.distill.width)
    return LandmarkRegressor(student, dimension, landmarks)


def _targets(store: ImageStore, rows: npt.NDArray[np.int64], points: FloatArray) -> npt.NDArray[np.float32]:
    """(N, K, 2) normalised places in the stored square, for each picture of the store; NaN where unlabelled."""
    out = np.full((len(store), *points.shape[1:]), np.nan, dtype=np.float32)
    out[rows] = normalise_points(points, (store.side, store.side))
    return out
