"""One folder being labelled: its pictures, labels, model and training, held together."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lead.errors import LeadError
from lead.images.decode import UnreadablePicture
from lead.provenance import versions
from lead.studio import transfer
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.messages import (
    Choice,
    Disputes,
    Explored,
    Imported,
    LabelsChange,
    Landmarks,
    LandmarksChange,
    ModelStatus,
    Picture,
    PictureDetail,
    PictureLabels,
    Predictions,
    State,
    Suggestions,
    Training,
)
from lead.studio.pictures import Pictures

if TYPE_CHECKING:
    from lead.geometry import Size
    from lead.inference import Landmarker
    from lead.landmarks import Labels
    from lead.studio.assistant import Assistant
    from lead.studio.training import Trainer

Exported = Literal["labels", "predictions", "both"]
"""``both``: the hand's labels where there are some, predictions elsewhere."""

LABEL_FILE = "annotations.json"
"""Where labels are kept, in the pictures' folder."""
LOAD_AFTER_S = 3.0
"""The model side is loaded once a page is open, or after so many seconds."""


class Session:
    """The composition root. Every method may be called from any thread.

    The model side needs torch, which takes seconds to import: it is loaded in the background, and until it is there
    the page is told so.

    Attributes:
        folder, book, events: see their classes.
        pictures: the pictures as the page shows them.
    """

    def __init__(self, folder: PictureFolder, book: LabelBook, events: Events, run: Path | None, seed: int) -> None:
        """Use :meth:`open`."""
        self.folder, self.book, self.events = folder, book, events
        self.pictures = Pictures(folder)
        self._closing = threading.Lock()
        self._closed = False
        self._wanted = threading.Event()
        self._loaded: Future[_ModelSide] = Future()
        self._loader = threading.Thread(target=self._load, args=(run, seed), daemon=True)

    @classmethod
    def open(cls, folder: Path, *, labels: Path | None = None, run: Path | None = None, seed: int = 0) -> Session:
        """Opens a folder to label.

        Args:
            folder: of the pictures.
            labels: the label file; by default ``annotations.json`` in the folder.
            run: whose features to use; by default those last used here, if any.
            seed: of everything random.

        Raises:
            LeadError: the folder or the run is none, the label file is broken or open in another studio, or its
                folder cannot be written to.
        """
        if run is not None and not (run / "settings.yaml").is_file():
            raise LeadError(f"{run} is not a run: it has no settings.yaml. Leave --run out to train one from the page.")
        pictures, events = PictureFolder(folder), Events()
        file = labels or pictures.root / LABEL_FILE
        book = LabelBook.open(pictures, file, events)
        session = cls(pictures, book, events, run, seed)
        session._loader.start()
        return session

    def close(self) -> None:
        """Ends everything; a training under way saves its state first.

        A model side that is just being loaded is not waited for: it ends as soon as it is there.
        """
        with self._closing:
            self._closed, side = True, self._side
        self._wanted.set()
        self.events.close()
        if side is not None:
            side.close()
        self.book.close()

    # --- the whole

    def state(self) -> State:
        """What the page shows around everything else."""
        summary, unreadable = self.book.contents.summary, self.folder.unreadable
        complete = sum(done for _, done in summary.values())
        bad = {file for file, _ in unreadable}
        return State(
            version=versions()["lead"],
            folder=str(self.folder.root),
            label_file=str(self.book.file),
            pictures=sum(file not in bad for file in self.folder.files),
            complete=complete,
            begun=len(summary) - complete,
            unreadable=unreadable,
            landmarks=self.book.landmarks,
            model=self.assistant.status(),
            training=self.training(),
            problem=self.book.problem,
            foreign=self.book.foreign,
            missing=self.book.contents.missing,
        )

    def list_pictures(self) -> list[Picture]:
        """All pictures, in the folder's order."""
        summary, expected, bad = self.book.contents.summary, self.assistant.expected(), dict(self.folder.unreadable)
        rows = []
        for id, file in zip(self.folder.ids, self.folder.files, strict=True):
            labelled, complete = summary.get(id, (0, False))
            rows.append(
                Picture(
                    id=id,
                    file=file,
                    labelled=labelled,
                    complete=complete,
                    unreadable=bad.get(file),
                    expected=expected.get(id),
                )
            )
        return rows

    def picture(self, id: str) -> PictureDetail:
        """A picture to label."""
        width, height = self.folder.size(id)
        labels = self.book.labels(id)
        return PictureDetail(id=id, file=self.folder.file_of(id), width=width, height=height, labels=labels)

    # --- labels

    def change(self, id: str, change: LabelsChange) -> PictureLabels:
        """Changes some labels of a picture; saved when it returns."""
        labels = self.book.change_labels(id, change)
        self.assistant.labels_changed(id)
        return labels

    def change_landmarks(self, change: LandmarksChange) -> Landmarks:
        """Changes what is labelled; saved when it returns."""
        landmarks = self.book.change_landmarks(change)
        self.assistant.labels_changed("")
        return landmarks

    def restore(self, id: str) -> State:
        """Goes back to an earlier state of the label file."""
        self.book.restore(id)
        self.assistant.labels_changed("")
        return self.state()

    def reload(self) -> State:
        """Takes the label file as another program has left it."""
        self.book.reload()
        self.assistant.labels_changed("")
        return self.state()

    def keep(self) -> State:
        """Writes the labels over what another program has made of the label file."""
        self.book.keep()
        return self.state()

    # --- files

    def import_labels(
        self, content: bytes, name: str, what: transfer.What, *, replace: bool = False, add_landmarks: bool = False
    ) -> Imported:
        """Takes landmarks, or landmarks and labels, from a label file's bytes; see :func:`transfer.import_labels`."""
        report = transfer.import_labels(self.book, content, name, what, replace, add_landmarks=add_landmarks)
        self.assistant.labels_changed("")
        return report

    def export(self, format: str, what: Exported) -> tuple[str, bytes]:
        """A label file's name and content.

        Raises:
            LeadError: there is no such format, or there are no such labels yet.
        """
        labels = self._labels_of(what)
        sizes: dict[str, Size] = {}
        for file in labels.images:
            with suppress(UnreadablePicture):
                sizes[file] = self.folder.size(self.folder.id_of(file))
        content = transfer.export(labels, format, sizes)
        extension = next(known.extension for known in transfer.formats() if known.name == format)
        return f"{self._plain_name()}-{what}{extension}", content

    def export_model(self) -> tuple[str, bytes]:
        """The name and content of a model for ``lead predict``. Raises :class:`LeadError` if there is none yet."""
        landmarker = self.assistant.landmarker()
        if landmarker is None:
            raise LeadError("There is no model yet. It needs features and a few labelled pictures.")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            landmarker.save(path)
            return f"{self._plain_name()}.safetensors", path.read_bytes()

    def _labels_of(self, what: Exported) -> Labels:
        if what == "labels":
            labels = self.book.contents.labels
            if not labels.images:
                raise LeadError("Nothing is labelled yet.")
            return labels
        predicted = self.assistant.predicted_labels()
        if predicted is None:
            raise LeadError("There are no predictions yet. They need features and a few labelled pictures.")
        return predicted if what == "predictions" else transfer.combined(self.book.contents.labels, predicted)

    def _plain_name(self) -> str:
        """The folder's name, of characters that are safe in a file's name anywhere."""
        return re.sub(r"[^A-Za-z0-9_-]+", "-", self.folder.root.name).strip("-") or "landmarks"

    # --- the model side

    @property
    def assistant(self) -> Assistant | NoAssistant:
        """The model, or what stands for it as long as it is not loaded."""
        if (side := self._side) is not None:
            return side.assistant
        failure = self._loaded.exception() if self._loaded.done() else None
        return NoAssistant(self, failure)

    def load_model(self) -> None:
        """Says that it is time to load the model side, which slows everything else down for some seconds."""
        self._wanted.set()

    def training(self) -> Training:
        """How far the training is, as far as it is known yet."""
        if (side := self._side) is not None:
            return side.trainer.state()
        return Training(message=LOADING)

    @property
    def trainer(self) -> Trainer:
        """The trainer, waited for. Raises :class:`LeadError` if the model side could not be loaded."""
        return self._wait().trainer

    def open_run(self, id: str) -> State:
        """Uses the features of another run."""
        from lead.training.run import Run

        side = self._wait()
        side.assistant.use(Run.open(side.trainer.open(id)))
        return self.state()

    def _wait(self) -> _ModelSide:
        self._wanted.set()
        try:
            return self._loaded.result()
        except Exception as error:
            raise LeadError(_failed(error)) from error

    @property
    def _side(self) -> _ModelSide | None:
        if self._loaded.done() and self._loaded.exception() is None:
            return self._loaded.result()
        return None

    def _load(self, run: Path | None, seed: int) -> None:
        self._wanted.wait(LOAD_AFTER_S)
        try:
            if self._closed:
                raise LeadError("the studio is ending")
            side = _ModelSide.load(self, run, seed)
        except Exception as error:
            self._loaded.set_exception(error)
            self.events.publish("model", self.assistant.status().model_dump(mode="json"))
            return
        with self._closing:
            self._loaded.set_result(side)
            closed = self._closed
        if closed:  # and nobody waited
            side.close()
            return
        side.assistant.labels_changed("")  # whatever was labelled in the meantime
        self.events.publish("training", self.training().model_dump(mode="json"))
        self.events.publish("model", side.assistant.status().model_dump(mode="json"))


@dataclass(frozen=True)
class _ModelSide:
    trainer: Trainer
    assistant: Assistant

    @classmethod
    def load(cls, session: Session, run: Path | None, seed: int) -> _ModelSide:
        from lead.studio.assistant import Assistant
        from lead.studio.training import Trainer
        from lead.training.run import Run

        trainer = Trainer(session.folder, session.book.home, session.events, run=run)
        assistant = Assistant(session.folder, session.book, session.events, seed=seed)
        trainer.on_finished = lambda path: assistant.use(Run.open(path))
        if trainer.finished is not None:
            assistant.use(Run.open(trainer.finished))
        return cls(trainer, assistant)

    def close(self) -> None:
        self.trainer.on_finished = None
        self.trainer.close()
        self.assistant.close()


LOADING = "The model side is still being loaded."


def _failed(error: BaseException) -> str:
    return f"The model side could not be loaded: {error}"


class NoAssistant:
    """Answers as :class:`lead.studio.assistant.Assistant` does, for as long as that is not loaded."""

    def __init__(self, session: Session, failure: BaseException | None = None) -> None:
        self._folder, self._book = session.folder, session.book
        self._failure = None if failure is None else _failed(failure)
        self._waiting_for = self._failure or LOADING

    def status(self) -> ModelStatus:
        return ModelStatus(stage="failed" if self._failure else "none", message=self._waiting_for)

    def labels_changed(self, id: str) -> None:
        """Nothing depends on labels yet."""

    def suggest(self, id: str) -> Suggestions:
        self._folder.file_of(id)
        return Suggestions(id=id, waiting_for=self._waiting_for)

    def next(self, after: str | None, skip: Sequence[str]) -> Choice:
        """The next picture, in the folder's order, that is not fully labelled."""
        ids, summary = self._folder.ids, self._book.contents.summary
        begin = ids.index(after) + 1 if after in ids else 0
        for id in (*ids[begin:], *ids[:begin]):
            if id != after and id not in skip and not summary.get(id, (0, False))[1]:
                return Choice(id=id, kind="order", reason="The next one in the folder.")
        return Choice(id=None, kind="none", reason="All pictures are labelled.")

    def predictions(self, *, sort: str, offset: int, limit: int) -> Predictions:  # noqa: ARG002
        return Predictions(waiting_for=self._waiting_for)

    def expected(self) -> dict[str, float]:
        return {}

    def disputes(self) -> Disputes:
        return Disputes(waiting_for=self._waiting_for)

    def explore(self, id: str, x: float, y: float, pictures: Sequence[str]) -> Explored:  # noqa: ARG002
        return Explored(waiting_for=self._waiting_for)

    def landmarker(self) -> Landmarker | None:
        return None

    def predicted_labels(self) -> Labels | None:
        return None
