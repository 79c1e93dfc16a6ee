"""From pictures to features, and from features to named landmarks in each picture's own pixels."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import ValidationError
from torch import Tensor

from lead import checkpoint, hub
from lead.config import Settings, check, settings_hash
from lead.errors import LeadError
from lead.features import BATCH, Extractor, FeatureSource, _content, make_student
from lead.finding import THRESHOLD, Specimens, found_in, told_apart, windows_of
from lead.geometry import FloatArray
from lead.heads import Calibration, Head, HeadDescription, described, fitted
from lead.images.crops import Originals
from lead.images.showing import Showing
from lead.images.store import ImageStore
from lead.landmarks.curves import Curve
from lead.landmarks.joining import side_by_side
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.morphometrics.spread import ComplexArray
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade, CascadeOutput
from lead.nn.confidence import Confidence
from lead.nn.finder import Finder
from lead.nn.individuals import design
from lead.nn.student import AnyStudent
from lead.prediction import predict
from lead.reporting import Progress


class _Description(HeadDescription):
    """What :meth:`Landmarker.describe` says, as a file has it: perhaps not written by us."""

    settings: dict[str, Any]
    flip_pairs: tuple[tuple[str, str], ...]
    skeleton: tuple[tuple[str, str], ...]
    curves: tuple[Curve, ...] = ()
    individuals: tuple[str, ...] = ()
    loose: tuple[HeadDescription, ...] = ()
    origin: dict[str, Any]

    @classmethod
    def read(cls, meta: Mapping[str, Any], path: Path | str) -> Self:
        """Of a file. Raises :class:`LeadError` for what is none."""
        try:
            return cls.model_validate(meta)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise LeadError(f"{path} is damaged: {where} in its description: {first['msg']}.") from None


class Landmarker:
    """Named landmarks for pictures: a frozen feature, a head, and what it takes to say where and how surely.

    Args:
        schema: the landmarks.
        settings: of the run whose features are used.
        student: the feature network.
        head: fitted on labelled pictures.
        calibration: what tells the error to expect, from a cascade's signals or another head's score; None if unknown.
        origin: provenance, kept with the model.
        batch: pictures that the network is given together.
        finder: of the specimens, where a picture may show several or none; None where each is of one.
        loose: of landmarks that lie anywhere beside the others, such as a ruler's, on the same features; the head then
            is of the rest.
        together: (K, K) how the errors of one picture's landmarks go together; None if unknown.
    """

    KIND = "landmarker"

    def __init__(
        self,
        schema: Schema,
        settings: Settings,
        student: AnyStudent,
        head: Head | Cascade,
        calibration: Calibration | Confidence | None,
        origin: dict[str, Any],
        batch: int = BATCH,
        finder: Finder | None = None,
        loose: Sequence[Landmarker] = (),
        together: ComplexArray | None = None,
    ) -> None:
        self.schema, self.settings = schema, settings
        self.extractor = Extractor(student, settings.picture, batch=batch)
        self.head = head.eval().to(self.extractor.device)
        self.finder = finder and finder.eval().to(self.extractor.device)
        self.calibration = calibration.to(self.extractor.device) if isinstance(calibration, Confidence) else calibration
        self.origin, self.loose, self.together = origin, tuple(loose), together

    @property
    def own(self) -> Schema:
        """The landmarks of its head, without those of :attr:`loose`."""
        apart = {name for part in self.loose for name in part.schema.names}
        return self.schema.subset(name for name in self.schema.names if name not in apart) if apart else self.schema

    @property
    def side(self) -> int:
        """Of the stored pictures that the model looks at, in pixels."""
        return self.settings.picture.store

    @property
    def showing(self) -> Showing:
        """How the values of the pictures that it learnt from were shown."""
        return self.settings.picture.showing

    @property
    def batch(self) -> int:
        """Pictures that the network is given together."""
        return self.extractor.batch

    @property
    def closely(self) -> tuple[str, ...]:
        """Names of the landmarks that local looks look at, in squares of their own."""
        looks = self.head.looks if isinstance(self.head, Cascade) else []
        own = tuple(self.own.names[k] for k in looks[0].which.tolist()) if looks else ()
        return (*own, *(name for part in self.loose for name in part.closely))

    def predict(self, pictures: Path | str | Sequence[Path | str], *, progress: Progress | None = None) -> Labels:
        """Landmarks of pictures, and of all the frames of films; :func:`lead.predict` also writes them to a file.

        Args:
            pictures: a folder (searched to any depth), a picture or film, or several of them.
            progress: called with (pictures done, in all); then with each film's frames.

        Returns:
            One row for each picture that can be read, its name relative to the folder (as given, for pictures), then
            one for each frame of each film, named ``film.mp4#0`` and so on; of a model that finds specimens, one for
            each of these, with ``tracks``, and how ``likely`` it is one. ``xy`` in that picture's own pixels, ``score``
            in [0, 1], and where it is calibrated ``px_error``, the mean error to expect, and ``px_90``, the distance
            that holds the true place in nine of ten cases. A landmark that is found beyond the picture's edge is out of
            view and has no place; one that is more likely hidden than visible is reported as hidden.

        Raises:
            LeadError: there is no readable picture; a film cannot be read, or not to its end; or PyAV is not installed,
                which films need.
        """
        found = predict(self, pictures, counting=(lambda _: progress) if progress else None)
        if found.broken:
            raise LeadError("\n".join(found.broken))
        return found.labels

    def predict_store(self, store: ImageStore, progress: Progress | None = None) -> Labels:
        """Landmarks of every picture of a store; see :meth:`predict`."""
        parts = []
        for start in range(0, len(store), self.batch):
            rows = np.arange(start, min(start + self.batch, len(store)))
            parts.append(self.predict_rows(store, rows))
            if progress:
                progress(start + len(rows), len(store))
        return Labels.joined(parts)

    @torch.inference_mode()
    def predict_rows(
        self,
        store: ImageStore,
        rows: npt.NDArray[np.int64],
        features: npt.NDArray[np.float16] | None = None,
        *,
        up: FloatArray | None = None,
    ) -> Labels:
        """Landmarks of at most :attr:`batch` pictures of a store; see :meth:`predict`.

        Args:
            store: the pictures.
            rows: (n,) of it.
            features: (n, C, h, w) of these pictures as a whole, where they are known already.
            up: (n, 2) unit vectors in the pictures' own pixels along which the things' up points, in the frame of the
                common shape, if somebody says so. Heads other than a cascade take no notice, nor do loose parts.
        """
        if self.finder is not None:
            return Labels.joined([self.specimens(store, row).only() for row in rows.tolist()])
        if features is None:
            whole = next(self.extractor.batches(store, rows))
        else:
            whole = torch.from_numpy(np.asarray(features, dtype=np.float32)).to(self.extractor.device)
        known = None if up is None else torch.from_numpy(up).float().to(whole.device)
        return self.look(FeatureSource(self.extractor, store), rows, whole, known)

    @torch.inference_mode()
    def specimens(self, store: ImageStore, row: int) -> Specimens:
        """All that may be a specimen in a picture of a store, by a model that finds them."""
        assert self.finder is not None
        return _specimens(self, self.finder, store, row)

    def look(
        self,
        source: FeatureSource,
        rows: npt.NDArray[np.int64],
        whole: Tensor,
        up: Tensor | None = None,
        held: Originals | None = None,
    ) -> Labels:
        """Landmarks of pictures, or of windows onto them, whose features (n, C, h, w) are known."""
        if isinstance(self.head, Cascade):
            found = _of_cascade(source.find_in(self.head, rows, whole, up, held), self.calibration)
        else:
            found = _of_head(self.head, whole, self.calibration)
        labels = _as_labels(found, self, source, rows)
        others = [part.look(source, rows, whole, held=held) for part in self.loose]
        return side_by_side(self.schema, [labels, *others], self.together) if others else labels

    def save(self, path: Path | str) -> None:
        """Writes the model to one ``.safetensors`` file, whole or not at all."""
        tensors = checkpoint.prefixed(self.extractor.network, "student") | self._fitted()
        checkpoint.save(Path(path), self.KIND, tensors, self.describe())

    def digest(self) -> str:
        """Short digest of everything that a landmark depends on besides its picture."""
        content = hashlib.sha256(json.dumps([self.extractor.digest(), self.describe()], sort_keys=True).encode())
        content.update(_content(self._fitted()))
        return content.hexdigest()[:24]

    def _fitted(self) -> dict[str, Tensor]:
        """What was learnt from labels, as it is saved."""
        parts: dict[str, object] = {"head": self.head, "confidence": self.calibration, "finder": self.finder}
        for i, part in enumerate(self.loose):
            parts |= {f"loose{i}.head": part.head, f"loose{i}.confidence": part.calibration}
        together = {} if self.together is None else {"together": torch.view_as_real(torch.from_numpy(self.together))}
        return fitted(parts) | together

    def describe(self) -> dict[str, Any]:
        """What a saved model says of itself besides its tensors: anything that JSON holds."""
        return _parts_of(self) | {
            "settings": self.settings.model_dump(mode="json"),
            "settings_hash": settings_hash(self.settings),
            "names": self.schema.names,
            "flip_pairs": self.schema.flip_pairs,
            "skeleton": self.schema.skeleton,
            **described(self.head, self.calibration),
            "origin": self.origin,
        }

    def push_to_hub(
        self, repo_id: str, *, licence: str | None = None, private: bool = False, token: str | None = None
    ) -> str:
        """Sends the model to a repository of the Hugging Face Hub, with a card that says what it is.

        Args:
            repo_id: ``owner/name``; made if it is not there.
            licence: of the model, as the Hub writes it, say ``"apache-2.0"``; that of the first weights by default.
            private: whether a new repository is shown to its owner only.
            token: of the user; what ``hf auth login`` keeps by default.

        Returns:
            The commit's address.

        Raises:
            LeadError: the Hub cannot be reached, or does not let the user write there.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / hub.MODEL_FILE
            self.save(file)
            card = hub.model_card(self.describe(), repo_id, licence=licence)
            return hub.push(file, card, repo_id, private=private, token=token)

    @classmethod
    def from_hub(cls, repo_id: str, *, revision: str | None = None, token: str | None = None) -> Landmarker:
        """The model of a repository, as :meth:`push_to_hub` sent it. Only the safetensors file is fetched.

        Args:
            repo_id: ``owner/name``.
            revision: a branch, tag or commit; the newest by default.
            token: of the user; what ``hf auth login`` keeps by default.

        Raises:
            LeadError: the Hub cannot be reached, or has no such repository, revision or model.
        """
        return cls.load(hub.fetch(repo_id, revision=revision, token=token))

    @classmethod
    def load(cls, path: Path | str) -> Landmarker:
        """A model that :meth:`save` wrote.

        Args:
            path: of its file; or ``hub:owner/name`` or ``hub:owner/name@revision``, which is :meth:`from_hub`.

        Raises:
            LeadError: it is any other file.
        """
        if hub.is_on_hub(path):
            path = hub.fetch(str(path))
        tensors, meta = checkpoint.load(Path(path), cls.KIND)
        description = _Description.read(meta, path)
        settings = check(description.settings, str(path))
        schema = Schema(description.names, description.flip_pairs, description.skeleton, description.curves)
        distill = settings.distill
        backbone = Backbone(settings.backbone.name, side=settings.picture.input)
        student = make_student(backbone, distill, settings.hypercolumn)
        checkpoint.restore(student, tensors, "student")
        own = len(schema.names) - sum(len(part.names) for part in description.loose)
        head, calibration = description.made(tensors, own, distill.dimension)
        finder = None
        if any(name.startswith("finder.") for name in tensors):
            finder = Finder(distill.dimension, description.individuals, len(schema.names))
            checkpoint.restore(finder, tensors, "finder")
        parts: dict[str, Any] = {"finder": finder, "together": _together_in(tensors), "loose": []}
        for i, part in enumerate(description.loose):
            made = part.made(tensors, len(part.names), distill.dimension, f"loose{i}.")
            parts["loose"].append(cls(schema.subset(part.names), settings, student, *made, {}))
        return cls(schema, settings, student, head, calibration, description.origin, **parts)


def _together_in(tensors: Mapping[str, Tensor]) -> ComplexArray | None:
    known = tensors.get("together")
    together: ComplexArray | None = None if known is None else torch.view_as_complex(known).numpy()
    return together


def _parts_of(model: Landmarker) -> dict[str, Any]:
    """What a model says of parts that most have not."""
    out: dict[str, Any] = {}
    if model.finder and model.finder.individuals:
        out["individuals"] = model.finder.individuals.names
    if model.schema.curves:
        out["curves"] = [curve.described() for curve in model.schema.curves]
    if model.loose:
        out["loose"] = [{"names": part.schema.names, **described(part.head, part.calibration)} for part in model.loose]
    return out


def _as_labels(found: _Located, model: Landmarker, source: FeatureSource, rows: npt.NDArray[np.int64]) -> Labels:
    """What was located in pictures, or in windows onto them, in the pictures' own pixels."""
    store, pictures = source.store, source.pictures(rows)
    xy = source.places(rows, found.xy)
    px = source.pixels(rows)[:, None]
    beyond = ((xy < -0.5) | (xy > store.sizes[pictures, None] - 0.5)).any(-1)
    visible = np.select([beyond, found.hidden], [UNLABELLED, HIDDEN], VISIBLE).astype(np.int8)
    told = (found.error, found.within_90, found.across)
    errors = [None if e is None else np.where(beyond, np.nan, e * px) for e in told]
    files = tuple(store.files[row] for row in pictures.tolist())
    tracks = None if model.finder is None else ("",) * len(files)
    together = None if model.loose else model.together
    return Labels(model.own, files, xy, visible, found.score, *errors, tracks=tracks, together=together)


def _specimens(model: Landmarker, finder: Finder, store: ImageStore, row: int) -> Specimens:
    source, held = FeatureSource(model.extractor, store), Originals(keep=True)
    head, confidence = model.head, model.calibration
    assert isinstance(head, Cascade)
    assert isinstance(confidence, Confidence)
    found, likely = found_in(finder, source, row, held)
    windows = windows_of(source, row, found)
    parts, doubts, looks = [], [], []
    for start in range(0, len(windows), model.batch):
        some = np.arange(start, min(start + model.batch, len(windows)))
        whole = torch.from_numpy(windows.whole(some, held=held).astype(np.float32)).to(model.extractor.device)
        seen = windows.find_in(head, some, whole, None, held)
        parts.append(_as_labels(_of_cascade(seen, confidence), model, windows, some))
        doubts.append(seen.doubt(confidence).cpu())
        if finder.individuals:
            looks.append(design(whole, torch.from_numpy(windows.points(some, parts[-1].xy)).float().to(whole.device)))
    labels, likely = Labels.joined(parts), finder.likely(found.height, torch.cat(doubts)) * (likely > 0)
    points = torch.from_numpy(source.points([row] * len(labels), labels.xy)).float()
    kept = told_apart(points, found.extent, likely)
    extent = found.extent[kept].double().numpy() * float(source.pixels([row])[0]) / 2
    out = replace(labels.take(kept), likely=likely[kept].double().numpy())
    if finder.individuals:  # names are for those that count as specimens: no other may take one
        real = Specimens(out, extent).rows(THRESHOLD)
        tracks = np.full(len(out), "", dtype=object)
        tracks[real] = finder.individuals.called(torch.cat(looks)[[kept[i] for i in real.tolist()]])
        out = replace(out, tracks=tuple(tracks.tolist()))
    return Specimens(out, extent)


class _Located(NamedTuple):
    """Of N pictures: places (N, K, 2), normalised; scores, errors (N, K), the latter in shares of the frame's side."""

    xy: FloatArray
    score: FloatArray
    hidden: npt.NDArray[np.bool_]
    error: FloatArray | None
    within_90: FloatArray | None
    across: FloatArray | None = None


def _of_cascade(found: CascadeOutput, confidence: Calibration | Confidence | None) -> _Located:
    points, score = found.points.double().cpu().numpy(), found.score.double().cpu().numpy()
    if not isinstance(confidence, Confidence):
        return _Located(points, score, np.zeros(score.shape, dtype=bool), None, None)
    error = found.expected(confidence).double().cpu().numpy()
    hidden = confidence.is_hidden(found.signals).cpu().numpy()
    share = confidence.across.double().cpu().numpy()
    across = np.where(share > 0, error * share, np.nan) if share.any() else None
    return _Located(points, score, hidden, error, error * confidence.factor(0.9), across)


def _of_head(head: Head, features: Tensor, calibration: Calibration | Confidence | None) -> _Located:
    score = head.score(features).double().cpu().numpy()
    error = calibration.expected(score) if isinstance(calibration, Calibration) else None
    return _Located(head(features).double().cpu().numpy(), score, np.zeros(score.shape, dtype=bool), error, None)
