"""Where landmarks are on an unlabelled picture: by matching to labelled ones, then by a head fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lead.heads import Calibration, Head
from lead.nn.matching import cell_similarities, nearby_peaks
from lead.studio.features import Exemplar
from lead.training.fit import fit_head
from lead.training.labelled import Labelled, distances, judging

Method = Literal["matching", "head"]

FEWEST = 5
"""Labelled pictures from which a head is tried, and labels of a landmark from which it has a part in it."""
SELECTIVITY = 50.0
"""On validation faces better than the plain mean, the maximum, and weights for each landmark apart."""
JUDGES = 24
"""Landmarks, at most, by which pictures are judged alike; on every other cell. More changes little and takes longer."""
PRIOR = Calibration(
    np.array([0.3, 0.55, 0.65, 0.75, 0.85, 0.9, 1.0]), np.array([0.3, 0.2, 0.1, 0.055, 0.028, 0.02, 0.01])
)
"""Expected error of a match by its similarity, as a share of the frame's side, before labels say better: about the mean
error on validation faces from 1 to 5 labelled pictures."""
PRIOR_LABELS = 20
"""Labels as many of which weigh as much as the prior."""


@dataclass(frozen=True)
class Answer:
    """What is said of B pictures.

    Attributes:
        points: (B, K, 2) normalised; NaN where nothing can be said.
        score: (B, K) confidence in [0, 1].
        expected: (B, K) distance to expect to the truth, as a share of the frame's side.
    """

    points: Tensor
    score: Tensor
    expected: Tensor


class Matcher:
    """Finds landmarks by the feature most like those of the labelled pictures.

    A landmark's feature is looked for as a weighted mean over the labelled pictures. A labelled picture weighs the more
    the more alike it is to this one (softmax of its landmarks' mean best similarity, times :data:`SELECTIVITY`).

    The score is the weighted mean of the similarities to the labelled pictures at the place found, which falls where
    these disagree among themselves. On validation faces, with 1, 5 and 20 labelled pictures, its rank correlation with
    the error was 0.19, 0.48 and 0.50: as much as or more than that of the similarity to the mean feature (0.19, 0.42,
    0.37), of the lead over the second best place (0.25, 0.24, 0.16), of the distance by which the match back misses the
    label (0.17, 0.41, 0.46) and of the distance between the labelled pictures' own answers (-, 0.39, 0.41).

    Args:
        exemplars: the labelled pictures.
        calibration: of the similarity; see :data:`PRIOR`.
    """

    def __init__(self, exemplars: Sequence[Exemplar], calibration: Calibration = PRIOR) -> None:
        self.exemplars = exemplars
        self.described = torch.stack([exemplar.described for exemplar in exemplars])  # (E, K, C)
        self.labelled = self.described.abs().sum(-1) > 0  # (E, K)
        self.calibration = calibration

    @torch.no_grad()
    def answer(self, features: Tensor, without: int | None = None) -> Answer:
        """For features (B, C, h, w); ``without``: a labelled picture that has no say."""
        others = torch.arange(len(self.described)) != (-1 if without is None else without)
        described, labelled = self.described[others], self.labelled[others]
        unit = functional.normalize(features.float(), dim=1)
        asked = self._asked(described, labelled, unit)
        points, similarity = nearby_peaks(cell_similarities(asked, unit))
        somewhere = labelled.any(0)  # (K,)
        points = torch.where(somewhere[:, None], points, torch.nan)
        score = similarity.clamp(0, 1) * somewhere
        return Answer(points, score, expected(self.calibration, score))

    def _asked(self, described: Tensor, labelled: Tensor, unit: Tensor) -> Tensor:
        """Which vectors (B, K, C) to look for in pictures of unit features (B, C, h, w)."""
        if len(described) < 2:
            return described.sum(0).expand(len(unit), -1, -1)
        weights = []
        few = torch.linspace(0, labelled.shape[1] - 1, min(JUDGES, labelled.shape[1])).round().long()
        looked_for, there = described[:, few].flatten(0, 1), labelled[:, few]  # (E·k, C), (E, k)
        for picture in unit[:, :, ::2, ::2]:  # one by one: the similarities of many pictures to many are large
            best = (looked_for @ picture.flatten(1)).amax(-1).view(there.shape)
            alike = (best * there).sum(1) / there.sum(1).clamp(min=1)
            weights.append((SELECTIVITY * alike).softmax(0))
        weight = torch.stack(weights)[:, :, None] * labelled  # (B, E, K)
        return torch.einsum("bek,ekc->bkc", weight / weight.sum(1, keepdim=True).clamp(min=1e-12), described)

    def of_labelled(self, pictures: Sequence[Exemplar]) -> Answer:
        """What is said of each labelled picture by the exemplars but for itself."""
        places = {id(one): i for i, one in enumerate(self.exemplars)}
        answers = [self.answer(one.seen.features[None], without=places.get(id(one))) for one in pictures]
        return Answer(
            torch.cat([a.points for a in answers]),
            torch.cat([a.score for a in answers]),
            torch.cat([a.expected for a in answers]),
        )


def expected(calibration: Calibration, score: Tensor) -> Tensor:
    """A calibration's expected errors of scores of any shape."""
    return torch.from_numpy(calibration.expected(score.double().numpy())).float()


def calibrate_matching(scores: Tensor, errors: Tensor) -> Calibration:
    """Expected error as a never-ascending function of the score: :data:`PRIOR`, bent towards what labels say.

    The prior is scaled to the labels' mean error, and then counts as ``PRIOR_LABELS`` labels, evenly over its range, in
    an isotonic regression.

    Args:
        scores: (E, K) of labels that the match had not seen.
        errors: (E, K) theirs, as a share of the frame's side; NaN where unlabelled.
    """
    from sklearn.isotonic import IsotonicRegression  # takes a while

    labelled = ~errors.isnan()
    score, error = scores[labelled].double().numpy(), errors[labelled].double().numpy()
    supposed = PRIOR.expected(score)
    typical = PRIOR_LABELS * float(PRIOR.errors[-2])
    scale = (error.sum() + typical) / (supposed.sum() + typical)
    places = np.linspace(PRIOR.scores[0], PRIOR.scores[-1], PRIOR_LABELS + 1)
    regression = IsotonicRegression(increasing=False, out_of_bounds="clip")
    regression.fit(np.concatenate([score, places]), np.concatenate([error, scale * PRIOR.expected(places)]))
    return Calibration(np.asarray(regression.X_thresholds_), np.asarray(regression.y_thresholds_))


@dataclass(frozen=True)
class Learnt:
    """What the labelled pictures have taught.

    Attributes:
        exemplars: those pictures, by id.
        matching: calibration of matching.
        head: of some landmarks, where it is better than matching; None where it is not, or there are too few labels.
        landmarks: (k,) positions of the head's landmarks.
        calibration: of the head's score.
        unseen: what models that had not seen a labelled picture say of it, one row an exemplar.
        errors: (E, K) held-out errors, as a share of the frame's side; NaN where nothing was held out, where a
            suggestion was accepted, and for landmarks that the head leaves to matching.
    """

    exemplars: dict[str, Exemplar]
    matching: Calibration
    head: Head | None
    landmarks: list[int]
    calibration: Calibration | None
    unseen: Answer
    errors: Tensor

    @property
    def error(self) -> float:
        """Mean held-out error, as a share of the frame's side; NaN for one label."""
        return float(self.errors.nanmean())

    @property
    def error_px(self) -> float:
        """The same in pixels of the pictures."""
        sides = torch.tensor([one.seen.frame_px for one in self.exemplars.values()])
        return float((self.errors * sides[:, None]).nanmean())

    @property
    def judged_on(self) -> int:
        """Labels that both rest on."""
        return int((~self.errors.isnan()).sum())

    @property
    def method(self) -> Method:
        return "matching" if self.head is None else "head"

    @torch.no_grad()
    def answer(self, features: Tensor, matcher: Matcher, without: int | None = None) -> Answer:
        """For features (B, C, h, w); what the head does not cover is matched."""
        if self.head is None or len(self.landmarks) < matcher.described.shape[1]:
            out = matcher.answer(features, without)
        else:
            count, landmarks = len(features), len(self.landmarks)
            out = Answer(torch.empty(count, landmarks, 2), torch.empty(count, landmarks), torch.empty(count, landmarks))
        if self.head is not None and self.calibration is not None:
            out.points[:, self.landmarks] = self.head(features)
            score = self.head.score(features)
            out.score[:, self.landmarks] = score
            out.expected[:, self.landmarks] = expected(self.calibration, score)
        return out


@torch.no_grad()
def learn(exemplars: dict[str, Exemplar], *, seed: int = 0) -> Learnt:
    """Calibrates matching, and fits a head that is kept if it does better on labels that it had not seen.

    Accepted suggestions teach as other labels do, but nothing is judged or calibrated by them, nor by models that had
    seen them (see :func:`lead.training.labelled.judging`).

    Args:
        exemplars: at least one, by picture id.
        seed: of the folds.
    """
    pictures = list(exemplars.values())
    points = torch.stack([one.points for one in pictures])
    accepted = torch.stack([one.accepted for one in pictures])
    judged, _ = judging(points, accepted if bool(accepted.any()) else None)
    unseen = Matcher([pictures[i] for i in judged]).of_labelled(pictures)
    truth = points.where(~accepted[..., None], torch.nan)
    errors = distances(unseen.points, truth)  # (E, K)
    matching = calibrate_matching(unseen.score, errors)
    unseen = Answer(unseen.points, unseen.score, expected(matching, unseen.score))
    matched = Learnt(exemplars, matching, None, [], None, unseen, errors)
    labelled = ~points.isnan().any(-1)
    landmarks = torch.nonzero(labelled.sum(0) >= FEWEST)[:, 0].tolist()
    if len(pictures) < FEWEST or not landmarks:
        return matched
    features = torch.stack([one.seen.features for one in pictures]).numpy()
    flags = accepted[:, landmarks] if bool(accepted[:, landmarks].any()) else None
    fitted = fit_head(Labelled(features, points[:, landmarks], accepted=flags), kind="ridge", seed=seed)
    if fitted.calibration is None or fitted.held_out is None:
        return matched
    if not fitted.error < float(errors[:, landmarks].nanmean()):
        return matched
    places, scores = fitted.held_out
    unseen.points[:, landmarks], unseen.score[:, landmarks] = places, scores
    unseen.expected[:, landmarks] = expected(fitted.calibration, scores)
    left = torch.full_like(errors, torch.nan)
    left[:, landmarks] = distances(places, truth[:, landmarks])
    return Learnt(exemplars, matching, fitted.head, landmarks, fitted.calibration, unseen, left)
