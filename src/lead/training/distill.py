"""Stage 2: a compact dense feature from the frozen teacher's similarities (LEAD §3.3).

The paper's objective is the alignment term. Equivariance and exchange are ours to add; projector and dve are the
peers'. Each is named and weighted; the ``paper`` preset has the first alone.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from lead import processes
from lead.config import DistillSettings, HypercolumnSettings, PictureSettings
from lead.features import make_student
from lead.geometry import inside
from lead.images.views import correspondence
from lead.losses import alignment_loss, dve_loss, equivariance_loss, exchange_loss, projector_loss
from lead.nn.backbone import Backbone
from lead.nn.hypercolumn import hypercolumn
from lead.nn.projection import dense_projection
from lead.nn.student import LinearStudent
from lead.training.engine import Stage, spread
from lead.training.pretrain import draw_view


class Distill(Stage):
    """Teacher hypercolumn H, student Φ^D initialised from stage 1, discarded projection head g^D.

    Args:
        encoder: stage 1's backbone, which the student starts from. It is the teacher too, unless there is another:
            frozen then, with BatchNorm in evaluation mode.
        settings: of stage 2.
        levels: how the encoder's hypercolumn is put together.
        picture: sizes.
        teacher: a model from outside, frozen here; its hypercolumn is put together as ``settings.teacher`` says.
    """

    name = "distill"

    def __init__(
        self,
        encoder: Backbone,
        settings: DistillSettings,
        levels: HypercolumnSettings,
        picture: PictureSettings,
        teacher: Backbone | None = None,
    ) -> None:
        super().__init__()
        self.settings, self.picture = settings, picture
        self.levels = levels if teacher is None else settings.teacher
        self.student = make_student(copy.deepcopy(encoder).requires_grad_(True), settings, levels)
        self.projection = dense_projection(settings.dimension, settings.projection)
        self.teacher = (encoder if teacher is None else teacher).requires_grad_(False)

    def train(self, mode: bool = True) -> Distill:
        super().train(mode)
        self.teacher.eval()
        if self.settings.frozen_batchnorm or isinstance(self.student, LinearStudent):
            self.student.backbone.eval()
        return self

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        s = self.settings
        one, warp_one = draw_view(pictures, s.views, self.picture, generator)
        if self.single_view:
            f_one = self.projection(self.student(one))  # (B, C, h, w)
            parts = self._own_terms(one, f_one, one, f_one)
            return self._summed(parts, f_one)
        two, warp_two = draw_view(pictures, s.views, self.picture, generator, bent=True, after=warp_one)
        f_one, f_two = self.projection(self.student(torch.cat([one, two]))).chunk(2)  # (B, C, h, w) each
        points = correspondence(warp_two, warp_one, f_one.shape[-1])  # where each cell of view two is in view one
        parts = self._own_terms(one, f_one, two, f_two)
        asking, points = self._draw_cells(f_two.flatten(2), points, generator)  # (B, C, n), (B, n, 2)
        shown = processes.mean_count(inside(points))
        if s.equivariance:
            parts["equivariance"] = equivariance_loss(asking, f_one, points, temperature=s.temperature, shown=shown)
        if s.exchange:
            others = [processes.rolled(f_one, k + 1) for k in range(s.exchange_pictures)]
            terms = [
                exchange_loss(asking, f_one, other, points, temperature=s.temperature, shown=shown) for other in others
            ]
            parts["exchange"] = torch.stack(terms).mean()
        if s.dve:
            parts["dve"] = dve_loss(asking, f_one, processes.rolled(f_two, 1), points, side=self.picture.input)
        return self._summed(parts, f_one) | {"seen": inside(points).float().mean()}

    def _own_terms(self, one: Tensor, f_one: Tensor, two: Tensor, f_two: Tensor) -> dict[str, Tensor]:
        """The terms that need no known warp, of views (B, 3, S, S) and their features; the views may be one."""
        s = self.settings
        parts: dict[str, Tensor] = {}
        if s.alignment:
            turn = int(s.alignment_pairs == "pictures")
            h_one = self._teach(one, f_one)
            h_two = h_one if two is one else self._teach(two, f_two)
            f_other, h_other = processes.rolled(f_one, turn), processes.rolled(h_one, turn)
            parts["alignment"] = self._align(f_two, f_other, h_two, h_other)
        if s.projector:
            parts["projector"] = projector_loss(f_one, scale=s.projector_scale, side=self.picture.input)
        return parts

    def _summed(self, parts: dict[str, Tensor], features: Tensor) -> dict[str, Tensor]:
        weighted = [getattr(self.settings, name) * part for name, part in parts.items()]
        return {"loss": torch.stack(weighted).sum(), **parts, "spread": self._spread(features)}

    @property
    def single_view(self) -> bool:
        """Whether one view of each picture is enough: for the paper's objective between pictures, and the projector."""
        s = self.settings
        aligned_views = s.alignment and s.alignment_pairs == "views"
        return not (s.equivariance or s.exchange or s.dve or aligned_views)

    def _draw_cells(self, cells: Tensor, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Some of the cells (B, C, N) and of their places (B, N, 2): a fraction of the cost, nearly the gradient."""
        if self.settings.cells is None or self.settings.cells >= cells.shape[2]:
            return cells, points
        drawn = torch.randperm(cells.shape[2], generator=generator, device=cells.device)[: self.settings.cells]
        return cells[:, :, drawn], points[:, drawn]

    @torch.no_grad()
    def _teach(self, view: Tensor, like: Tensor) -> Tensor:
        """The teacher's hypercolumns of a view, on the grid of the student's features."""
        size = (like.shape[-2], like.shape[-1])
        weights, normalisation = self.levels.weights, self.levels.normalisation
        return hypercolumn(self.teacher(view), size, weights=weights, normalisation=normalisation)

    def _align(self, f_i: Tensor, f_j: Tensor, h_i: Tensor, h_j: Tensor) -> Tensor:
        s = self.settings
        return alignment_loss(f_i, f_j, h_i, h_j, temperature=s.temperature, teacher_temperature=s.teacher_temperature)

    def _spread(self, features: Tensor) -> Tensor:
        return spread(features.detach().permute(0, 2, 3, 1).flatten(0, 2))

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        trained: list[tuple[nn.Module, float]] = [(self.student.decoder, 1.0), (self.projection, 1.0)]
        if isinstance(self.student, LinearStudent):
            return trained
        return [(self.student.backbone, self.settings.encoder_lr), *trained]
