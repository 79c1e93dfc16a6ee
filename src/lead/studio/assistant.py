"""The model side of the studio: what it can say of a picture now, and the work behind it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lead import api
from lead.errors import LeadError
from lead.geometry import FloatArray
from lead.images.decode import UnreadablePicture
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import Labels, Schema
from lead.studio.book import LabelBook
from lead.studio.choose import Chooser, describe
from lead.studio.events import Events
from lead.studio.explore import heat_maps
from lead.studio.features import FeatureBank, Seen, give_way
from lead.studio.folder import PictureFolder
from lead.studio.messages import (
    Choice,
    Disputes,
    Explored,
    ModelStatus,
    PictureLabels,
    Prediction,
    Predictions,
    Suggestion,
    Suggestions,
)
from lead.studio.review import FEWEST, Case, Review, find_disputes, review, review_closely
from lead.studio.suggest import Answer, Exemplar, Learnt, Matcher, learn
from lead.training.run import Run

QUIET_S, LONGEST_WAIT_S = 0.3, 1.5
"""A fit begins when labels have been left alone for so long, or at the latest after."""
STILL_S = 8.0
"""When labels have been left alone for so long, or an export asks, all pictures are looked at twice."""
SETTLED_S = 300.0
"""How long an export waits for the model to catch up with the labels."""
CLOSING_S = 1.5
"""How long closing waits for a fit under way, which then ends with the process."""
TELL_EVERY_S = 0.25
EXEMPLARS_AT_ONCE_S = 0.1
"""Time that a request may spend on labelled pictures whose features are not there yet."""
REVIEW_EVERY_S = 15.0
"""While labels keep coming in, predictions of all pictures are made anew this often at least."""
EXPLORED = 24
NO_FEATURES = "There are no features yet: train them, or open a run."
NO_NAMES = "Name the landmarks first."
NO_LABELS = "Label a first picture: suggestions come from the second on."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """What labels have taught.

    Attributes:
        number: of the fit.
        names: of the landmarks.
        learnt: by a head that is fitted within a second.
        changes: state of the labels.
        landmarker: what `lead fit` makes of them, once it is there and has predicted all pictures.
    """

    number: int
    names: tuple[str, ...]
    learnt: Learnt
    changes: int
    landmarker: Landmarker | None = None


class _Choices:
    """A :class:`Chooser` by ids."""

    def __init__(self, folder: PictureFolder, store: ImageStore, features: npt.NDArray[np.float16], seed: int) -> None:
        self._ids = [folder.id_of(file) for file in store.files]
        self._row = {id: row for row, id in enumerate(self._ids)}
        self._chooser = Chooser(describe(features, seed=seed), seed=seed)

    def next(self, labelled: Iterable[str], shares: dict[str, float], skip: Iterable[str]) -> Choice | None:
        """The choice among pictures that are not begun; None if there is none left."""
        unsure = np.array([shares.get(id, np.nan) for id in self._ids]) if shares else None
        picked = self._chooser.next(self._rows(labelled), unsure, self._rows(skip))
        if picked.row is None:
            return None
        return Choice(id=self._ids[picked.row], kind=picked.kind, reason=picked.reason)

    def _rows(self, ids: Iterable[str]) -> list[int]:
        return [self._row[id] for id in ids if id in self._row]


class Assistant:
    """Suggests, predicts, disputes and explores. Every method may be called from any thread.

    What belongs to one picture is computed when it is asked for. All else happens in three background threads: one
    decodes the pictures and computes their features. One fits a head that takes no more than a second, and predicts all
    pictures after every fit. When labels have been left alone for a while, the last does so with what `lead fit` makes
    of them, which takes longer and is better. What goes wrong in the first two is told in :meth:`status`.

    Args:
        folder, book, events: of the session; ``book`` may be changed only together with :meth:`labels_changed`.
        seed: of the folds.
    """

    def __init__(self, folder: PictureFolder, book: LabelBook, events: Events, *, seed: int = 0) -> None:
        self._folder, self._book, self._events, self._seed = folder, book, events, seed
        self._lock = threading.RLock()  # of everything below
        self._settled = threading.Condition(self._lock)
        self._names: tuple[str, ...] = ()
        self._labels: dict[str, FloatArray] = {}  # (K, 2) own pixels, NaN where unlabelled; in order of labelling
        self._exemplars: dict[str, tuple[FloatArray, Exemplar]] = {}  # with the labels that they were made of
        self._changes = 1
        self._bank: FeatureBank | None = None
        self._preparing: threading.Thread | None = None
        self._fit: Fit | None = None
        self._review: Review | None = None
        self._reviewed = 0.0
        self._chooser: _Choices | None = None
        self._fitting = False
        self._changed_at = 0.0
        self._looked: Fit | None = None  # the last after which it was tried to look twice
        self._exports = 0  # that wait for it
        self._problem: str | None = None
        self._told = 0.0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._read_labels()
        self._worker = threading.Thread(target=self._work, name="lead-studio-fit", daemon=True)
        self._worker.start()
        self._closer = threading.Thread(target=self._look_closely, name="lead-studio-second-look", daemon=True)
        self._closer.start()

    # --- what the session tells --------------------------------------------------------------------------------------

    def use(self, run: Run) -> None:
        """Begins decoding and features in the background, in place of an earlier run.

        Raises:
            LeadError: the run has no features.
        """
        if not run.has_student:
            raise LeadError(f"{run.folder} has no trained features yet. Finish its training, or open another run.")
        bank = FeatureBank(run, self._folder, self._tell)
        preparing = threading.Thread(target=self._prepare, args=[bank], name="lead-studio-features", daemon=True)
        with self._lock:
            if self._bank is not None:
                self._bank.close()
            self._bank, self._preparing = bank, preparing
            self._exemplars.clear()
            self._fit = self._review = self._chooser = self._problem = None
            self._changes += 1
        preparing.start()
        self._wake.set()
        self._tell(at_once=True)

    def labels_changed(self, id: str) -> None:
        """Takes a picture's labels anew; "" for all, and for the landmarks themselves."""
        with self._lock:
            if not id or self._landmark_names() != self._names:
                self._read_labels()
            else:
                self._take(self._book.labels(id))
            self._changes += 1
            self._changed_at = time.monotonic()
        self._wake.set()

    def close(self) -> None:
        """Ends the background work; what is not finished is gone on with by the next session."""
        self._stop.set()
        self._wake.set()
        with self._lock:
            bank, preparing = self._bank, self._preparing
            self._settled.notify_all()
        if bank is not None:
            bank.close()
        for thread in (self._worker, self._closer, preparing):
            if thread is not None:
                thread.join(timeout=CLOSING_S)

    # --- what the page asks ------------------------------------------------------------------------------------------

    def status(self) -> ModelStatus:
        """How far the model side is."""
        with self._lock:
            bank, fit = self._bank, self._fit
            out = ModelStatus(fitting=self._fitting, message=self._problem)
        if bank is None:
            return out
        out.stage = "failed" if out.message else bank.stage
        out.done, out.total = bank.done, bank.total
        if fit is not None:
            frame = bank.extractor.frame
            error = fit.learnt.error * frame.shown / frame.side
            out.model, out.method, out.fitted_to = fit.number, fit.learnt.method, len(fit.learnt.exemplars)
            out.held_out = float(error) if np.isfinite(error) else None
        return out

    def suggest(self, id: str) -> Suggestions:
        """Where the landmarks of a picture are. Raises :class:`UnknownPicture`."""
        self._folder.file_of(id)
        with self._lock:
            bank, names, fit = self._bank, self._names, self._fit
        if bank is None or not names:
            return Suggestions(id=id, waiting_for=NO_NAMES if bank else NO_FEATURES)
        exemplars = self._ready_exemplars(bank, names, EXEMPLARS_AT_ONCE_S)
        fit = fit if fit is not None and fit.names == names else None
        known = self._reviewed_points(id, fit.number) if fit and fit.landmarker and id not in exemplars else None
        if fit and known is not None:
            return Suggestions(id=id, method="head", model=fit.number, points=known)
        head = fit is not None and fit.learnt.head is not None
        if not exemplars or (not head and set(exemplars) == {id}):
            return Suggestions(id=id, waiting_for=NO_LABELS)
        try:
            seen = bank.get(id)
        except UnreadablePicture as error:
            self._folder.note_unreadable(id, error.reason)
            return Suggestions(id=id, waiting_for=f"This picture cannot be read: {error.reason}.")
        ids = list(exemplars)
        without = ids.index(id) if id in exemplars else None
        if fit is None:
            answer = Matcher(list(exemplars.values())).answer(seen.features[None], without)
        else:
            matcher = Matcher(list(exemplars.values()), fit.learnt.matching)
            answer = fit.learnt.answer(seen.features[None].float(), matcher, without)
        method = fit.learnt.method if fit else "matching"
        return Suggestions(id=id, method=method, model=fit.number if fit else 0, points=_points(answer, seen, names))

    def next(self, after: str | None, skip: Sequence[str]) -> Choice:
        """The picture to label next, and why: not ``after``, which is on the page, nor one of ``skip``."""
        passed = {*skip, *([after] if after else []), *self._unreadable()}
        summary = self._book.contents.summary
        with self._lock:
            chooser = self._chooser
        if chooser is not None:
            picked = chooser.next(list(summary), self._shares(), list(passed))
            if picked is not None:
                return picked
        ids = self._folder.ids
        start = ids.index(after) + 1 if after in ids else 0
        for id in (*ids[start:], *ids[:start]):
            if id not in passed and not summary.get(id, (0, False))[1]:
                begun = "It is begun, but not complete." if id in summary else "It is the next in the folder."
                return Choice(id=id, kind="order", reason=begun)
        return Choice(id=None, kind="none", reason="There is no picture left to label.")

    def predictions(self, *, sort: str, offset: int, limit: int) -> Predictions:
        """Some of all predictions, worst expected error first or, with ``sort`` "name", in the folder's order."""
        found = self._current_review()
        if found is None:
            return Predictions(waiting_for=self._waiting_for())
        order = np.arange(len(found.xy)) if sort == "name" else found.worst_first
        summary = self._book.contents.summary
        pictures = []
        for row in order[offset : offset + limit].tolist():
            id = self._folder.id_of(found.store.files[row])
            pictures.append(_prediction(id, found, row, summary.get(id, (0, False))[1]))
        return Predictions(total=len(order), model=found.model, pictures=pictures)

    def expected(self) -> dict[str, float]:
        """Mean expected error of each predicted picture by id, as a share of its longer side."""
        return self._shares()

    def disputes(self) -> Disputes:
        """Labels for a second look: as they are now, beside what the last fit's models say that had not seen them."""
        with self._lock:
            names, fit, labels = self._names, self._fit, dict(self._labels)
        fit = fit if fit is not None and fit.names == names else None
        cases = [self._case(fit, id, xy) for id, xy in labels.items()]
        checked = {id for id in labels if self._book.labels(id).checked}
        pairs = [pair for pair in self._book.landmarks.flip_pairs if set(pair) <= set(names)]
        found = find_disputes([case for case in cases if case], names, pairs, leave_out=checked)
        few = len(labels) < FEWEST
        compared = (
            f"Labels are compared with what the model expects from {FEWEST} labelled pictures on." if few else None
        )
        return Disputes(disputes=found, waiting_for=compared or (None if fit else self._waiting_for()))

    def _case(self, fit: Fit | None, id: str, xy: FloatArray) -> Case | None:
        """A labelled picture beside what was learnt without it; None if it cannot be read."""
        try:
            size = self._folder.size(id)
        except UnreadablePicture:
            return None
        unseen, error, score = np.full_like(xy, np.nan), np.full(len(xy), np.nan), np.full(len(xy), np.nan)
        exemplar = fit.learnt.exemplars.get(id) if fit else None
        if fit and exemplar:
            row = list(fit.learnt.exemplars).index(id)
            answer = fit.learnt.unseen
            unseen = exemplar.seen.to_picture(answer.points[row].double().numpy())
            error = answer.expected[row].double().numpy() * exemplar.seen.frame_px
            score = answer.score[row].double().numpy()
        return Case(id, self._folder.file_of(id), size, xy, unseen, error, score)

    def explore(self, id: str, x: float, y: float, pictures: Sequence[str]) -> Explored:
        """Where a place of a picture is on ``pictures``, or on a spread of them where none is given.

        Raises:
            UnknownPicture: one of them is not of this folder.
            UnreadablePicture: the picture that is pointed at cannot be decoded.
        """
        with self._lock:
            bank = self._bank
        if bank is None:
            return Explored(waiting_for=NO_FEATURES)
        asked = bank.get(id)
        others: list[tuple[str, Seen]] = []
        for other in pictures or self._spread(bank, id):
            try:
                others.append((other, bank.get(other)))
            except UnreadablePicture as error:
                self._folder.note_unreadable(other, error.reason)
        return Explored(maps=heat_maps(asked, x, y, others))

    def landmarker(self) -> Landmarker | None:
        """What `lead fit` makes of all labels; None where there is nothing to fit."""
        with self._lock:
            bank, fit, current = self._bank, self._fit, self._fit and self._fit.changes == self._changes
        if fit and current and fit.landmarker:
            return fit.landmarker
        return None if bank is None else self._fitted(bank)

    def _fitted(self, bank: FeatureBank) -> Landmarker | None:
        labels = self._book.contents.labels
        labelled = np.flatnonzero((labels.visible > 0).any(axis=0))
        if len(labelled) == 0:
            return None
        known = labels.only(labels.schema.names[k] for k in labelled)
        return api.fit(bank.run, known, pictures=self._folder.root, seed=self._seed).landmarker

    def predicted_labels(self) -> Labels | None:
        """Predictions of all pictures that can be read, from all labels; waits for them. None if there are none."""
        with self._settled:
            self._exports += 1
            self._settled.notify_all()
            self._settled.wait_for(lambda: self._stop.is_set() or not self._behind(), SETTLED_S)
            self._exports -= 1
            found = self._current_review()
        if found is None or len(found.xy) < len(found.store):
            return None
        landmarks = self._book.landmarks
        schema = Schema(found.names, tuple(landmarks.flip_pairs), tuple(landmarks.skeleton))
        return Labels(schema, found.store.files, found.xy, found.visible, found.score, found.expected, found.within_90)

    # --- labels ------------------------------------------------------------------------------------------------------

    def _landmark_names(self) -> tuple[str, ...]:
        return tuple(landmark.name for landmark in self._book.landmarks.landmarks)

    def _read_labels(self) -> None:
        self._names = self._landmark_names()
        self._labels.clear()
        for id in map(self._folder.id_of, self._book.contents.labels.images):
            self._take(self._book.labels(id))

    def _take(self, labels: PictureLabels) -> None:
        xy = np.full((len(self._names), 2), np.nan)
        for k, name in enumerate(self._names):
            point = labels.points.get(name)
            if point is not None and point.x is not None and point.y is not None:
                xy[k] = point.x, point.y
        if np.isfinite(xy).any():
            self._labels[labels.id] = xy
        else:
            self._labels.pop(labels.id, None)

    def _ready_exemplars(self, bank: FeatureBank, names: tuple[str, ...], budget_s: float) -> dict[str, Exemplar]:
        """The labelled pictures as far as their features are there or can be made in the time given, at least one."""
        with self._lock:
            labels = dict(self._labels) if self._names == names else {}
            known = dict(self._exemplars)
        out: dict[str, Exemplar] = {}
        until = time.monotonic() + budget_s
        for id, xy in labels.items():
            of, exemplar = known.get(id, (None, None))
            if exemplar is None or of is None or not np.array_equal(of, xy, equal_nan=True):
                if out and time.monotonic() > until:
                    continue
                try:
                    exemplar = Exemplar.of(bank.get(id), xy)
                except UnreadablePicture as error:
                    self._folder.note_unreadable(id, error.reason)
                    continue
                with self._lock:
                    if self._bank is bank:
                        self._exemplars[id] = (xy, exemplar)
            out[id] = exemplar
        return out

    # --- in the background -------------------------------------------------------------------------------------------

    def _prepare(self, bank: FeatureBank) -> None:
        try:
            bank.work()
            finished = bank.finished()
            if bank.ready and finished:
                chooser = _Choices(self._folder, *finished, self._seed)
                with self._lock:
                    if bank is self._bank:
                        self._chooser = chooser
                    self._changes += 1
                self._wake.set()
        except Exception as error:
            self._failed(error, bank)
        self._tell(at_once=True)

    def _work(self) -> None:
        give_way()
        while True:
            self._wake.wait()
            until = time.monotonic() + LONGEST_WAIT_S
            while not self._stop.is_set() and time.monotonic() < until:
                self._wake.clear()
                if not self._wake.wait(QUIET_S):
                    break
            self._wake.clear()
            if self._stop.is_set():
                return
            with self._lock:
                bank = self._bank
            if bank is not None:
                try:
                    self._learn(bank)
                except Exception as error:
                    self._failed(error, bank)
                self._tell(at_once=True)

    def _learn(self, bank: FeatureBank) -> None:
        """Fits to the labels as they are now, and predicts all pictures."""
        with self._lock:
            names, changes = self._names, self._changes
            number = self._fit.number + 1 if self._fit else 1
            self._fitting = True
        self._tell(at_once=True)
        try:
            exemplars = self._ready_exemplars(bank, names, float("inf"))
            learnt = learn(exemplars, seed=self._seed) if exemplars else None
        finally:
            with self._lock:
                self._fitting = False
        with self._lock:
            if bank is not self._bank:
                return
            self._fit = Fit(number, names, learnt, changes) if learnt else None
            self._problem = None
        self._tell(at_once=True)
        finished = bank.finished()
        found = None
        if learnt and finished:
            found = review(number, names, learnt, *finished, bank.extractor.frame, lambda: self._better_fit(changes))
        with self._settled:
            if bank is self._bank and (found or not learnt):
                self._review, self._reviewed = found, time.monotonic()
            self._settled.notify_all()

    def _better_fit(self, changes: int) -> bool:
        """Whether to leave predictions for a fit to newer labels: not if they are old, else they would never end."""
        return self._stop.is_set() or (self._changes != changes and time.monotonic() - self._reviewed < REVIEW_EVERY_S)

    def _look_closely(self) -> None:
        """Predicts all pictures anew with what `lead fit` makes of the labels, whenever these have come to rest."""
        give_way()
        while (due := self._due()) is not None:
            bank, fit = due
            better: tuple[Landmarker, Review] | None = None
            try:
                better = self._closer_look(bank, fit)
            except Exception as error:  # what there is already stands
                log.warning(
                    "The second look at all pictures failed: %s", error, exc_info=not isinstance(error, LeadError)
                )
            with self._settled:
                self._looked = fit
                if better and fit is self._fit:
                    self._fit = self._looked = replace(fit, number=fit.number + 1, landmarker=better[0])
                    self._review, self._reviewed = better[1], time.monotonic()
                self._settled.notify_all()
            self._tell(at_once=True)

    def _due(self) -> tuple[FeatureBank, Fit] | None:
        """Waits for a fit after which it is time to look twice; None at the end."""
        with self._settled:
            while not self._stop.is_set():
                bank, fit, rest = self._bank, self._fit, None
                if bank and fit and self._review and self._review.model == fit.number and self._closer_look_due():
                    rest = 0.0 if self._exports else self._changed_at + STILL_S - time.monotonic()
                    if rest <= 0:
                        return bank, fit
                self._settled.wait(rest)
        return None

    def _closer_look_due(self) -> bool:
        """Whether a second look follows on the last fit: it is of the labels as they are now, and has had none."""
        bank, fit = self._bank, self._fit
        if bank is None or fit is None or not bank.ready:
            return False
        return fit.changes == self._changes and fit is not self._looked

    def _closer_look(self, bank: FeatureBank, fit: Fit) -> tuple[Landmarker, Review] | None:
        """A model and its predictions; None if the labels have changed meanwhile."""

        def stale() -> bool:
            return self._stop.is_set() or self._changes != fit.changes

        landmarker, finished = self._fitted(bank), bank.finished()
        if landmarker is None or finished is None or stale():
            return None
        found = review_closely(fit.number + 1, fit.names, landmarker, *finished, stale)
        return (landmarker, found) if found and not stale() else None

    def _failed(self, error: Exception, bank: FeatureBank) -> None:
        if not isinstance(error, LeadError):
            log.error("The studio's background work failed", exc_info=error)
        with self._settled:
            if bank is self._bank:
                self._problem = str(error) or type(error).__name__
            self._settled.notify_all()

    def _tell(self, at_once: bool = False) -> None:
        """Publishes the status, at most a few times a second unless it must be known at once."""
        with self._lock:
            now = time.monotonic()
            if not at_once and now - self._told < TELL_EVERY_S:
                return
            self._told = now
        self._events.publish("model", self.status().model_dump())

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _behind(self) -> bool:
        """Whether predictions are still to come that know more than those that are there."""
        if self._bank is None or not self._labels or self._problem:
            return False
        fit = self._fit
        if fit is None or fit.changes < self._changes or self._review is None or self._review.model < fit.number:
            return True
        return self._closer_look_due()

    def _reviewed_points(self, id: str, model: int) -> dict[str, Suggestion] | None:
        """What a fit's predictions of all pictures say of one of them."""
        found, file = self._current_review(), self._folder.file_of(id)
        if found is None or found.model != model or file in dict(found.store.skipped):
            return None
        return _prediction(id, found, found.store.index(file), complete=False).points

    def _shares(self) -> dict[str, float]:
        found = self._current_review()
        if found is None:
            return {}
        shares = zip(found.store.files, found.share.tolist(), strict=False)  # the store may hold more pictures
        return {self._folder.id_of(file): share for file, share in shares if np.isfinite(share)}

    def _unreadable(self) -> set[str]:
        return {self._folder.id_of(file) for file, _ in self._folder.unreadable if file in self._folder}

    def _current_review(self) -> Review | None:
        with self._lock:
            return self._review if self._review is not None and self._review.names == self._names else None

    def _waiting_for(self) -> str:
        """Why there are no predictions yet."""
        with self._lock:
            bank, names, labels = self._bank, self._names, self._labels
            if self._problem:
                return self._problem
        if bank is None:
            return NO_FEATURES
        if not names:
            return NO_NAMES
        if not labels:
            return "Label a first picture."
        if not bank.ready:
            return f"Features are being made: {bank.done} of {bank.total} pictures."
        return "The model is being fitted."

    def _spread(self, bank: FeatureBank, id: str) -> list[str]:
        """Up to ``EXPLORED`` pictures evenly over the folder, or over that part of it whose features are there."""
        finished = bank.finished()
        files = finished[0].files[: len(finished[1])] if finished else self._folder.files[:4]
        ids = [other for other in map(self._folder.id_of, files) if other != id]
        chosen = np.linspace(0, len(ids) - 1, min(EXPLORED, len(ids))).round().astype(int)
        return [ids[i] for i in chosen]


def _points(answer: Answer, seen: Seen, names: tuple[str, ...]) -> dict[str, Suggestion]:
    """The first picture of an answer, in its own pixels and within its edges."""
    xy = seen.to_picture(answer.points[0].double().numpy())
    return _suggestions(
        names, xy, answer.score[0].double().numpy(), answer.expected[0].double().numpy() * seen.frame_px, seen.size
    )


def _suggestions(
    names: tuple[str, ...], xy: FloatArray, score: FloatArray, expected: FloatArray, size: tuple[int, int]
) -> dict[str, Suggestion]:
    inside = np.clip(xy, -0.5, np.array(size) - 0.5)  # NaN stays NaN
    rows = zip(names, inside.tolist(), score.tolist(), expected.tolist(), strict=True)
    return {n: Suggestion(x=p[0], y=p[1], expected_px=e, score=s) for n, p, s, e in rows if np.isfinite(p).all()}


def _prediction(id: str, found: Review, row: int, complete: bool) -> Prediction:
    width, height = found.store.sizes[row].tolist()
    return Prediction(
        id=id,
        file=found.store.files[row],
        width=width,
        height=height,
        expected_px=float(found.expected_px[row]),
        expected=float(found.share[row]),
        complete=complete,
        points=_suggestions(found.names, found.xy[row], found.score[row], found.expected[row], (width, height)),
    )
