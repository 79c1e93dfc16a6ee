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

from lead.config import load_preset
from lead.errors import LeadError
from lead.images.decode import UnreadablePicture
from lead.provenance import versions
from lead.studio import answers, transfer
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.film_messages import FramesTaken
from lead.studio.films import Films
from lead.studio.folder import Change, PictureFolder, picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.listed import listed
from lead.studio.looking import LookShelf
from lead.studio.measuring import Measuring
from lead.studio.messages import FolderChange, Picture, PictureDetail, State
from lead.studio.pictures import ShownPictures
from lead.studio.training_messages import Training

if TYPE_CHECKING:
    from lead.geometry import Size
    from lead.landmarks import Labels
    from lead.studio.fitter import Fitter
    from lead.studio.training import Trainer

Exported = Literal["labels", "predictions", "both"]
"""``both``: the hand's labels where there are some, predictions elsewhere."""

LABEL_FILE = "annotations.json"
"""Where labels are kept, in the pictures' folder."""


class Session:
    """The composition root. Every method may be called from any thread.

    The model side needs torch, which takes seconds to import: it is loaded in the background, and until it is there
    the page says so.

    Attributes:
        folder, book, events: see their classes.
        pictures, films: the pictures as the page shows them, and the films beside them.
        looks: further looks at labelled pictures.
        measuring: their scales, and what is measured of what they show.
    """

    def __init__(self, book: LabelBook, events: Events, run: Path | None, seed: int, load_after_s: float) -> None:
        """Use :meth:`open`."""
        self.folder, self.book, self.events = book.folder, book, events
        self.pictures, self.films = ShownPictures(book.folder), Films(book.folder)
        self.looks = LookShelf(book)
        self.measuring = Measuring(book)
        self._closing = threading.Lock()
        self._closed = self._estimate = False
        self._wanted = threading.Event()
        self._loaded: Future[_ModelSide] = Future()
        self._loader = threading.Thread(target=self._load, args=(run, seed, load_after_s), daemon=True)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        labels: Path | None = None,
        run: Path | None = None,
        seed: int = 0,
        load_after_s: float = 3.0,
    ) -> Session:
        """Opens a folder to label.

        Args:
            folder: of the pictures.
            labels: the label file; by default ``annotations.json`` in the folder.
            run: whose features to use; by default those last used here, if any.
            seed: of everything random.
            load_after_s: the model side is loaded once a page is open, or after so many seconds.

        Raises:
            LeadError: there is no such folder or run, the label file is broken or open in another studio, or its
                folder cannot be written to.
        """
        if run is not None and not (run / "settings.yaml").is_file():
            raise LeadError(f"{run} is not a run: it has no settings.yaml. Leave --run out to train one from the page.")
        pictures, events = PictureFolder(folder), Events()
        if run is not None:  # whose features come later: the pictures are shown as it learnt from them at once
            pictures.show(load_preset(str(run / "settings.yaml")).picture.showing)
        book = LabelBook.open(pictures, labels or pictures.root / LABEL_FILE, events)
        session = cls(book, events, run, seed, load_after_s)
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
        contents, unreadable = self.book.contents, self.folder.unreadable
        done = [complete for id, (_, complete) in contents.summary.items() if id not in contents.skipped]
        readable = set(contents.listing.files) - {file for file, _ in unreadable}
        skipped = sum(contents.listing.file_of[id] in readable for id in contents.skipped)
        return State(
            version=versions()["lead"],
            folder=str(self.folder.root),
            label_file=str(self.book.file),
            pictures=len(readable) - skipped,
            complete=sum(done),
            begun=len(done) - sum(done),
            skipped=skipped,
            accepted=sum(contents.accepted.values()),
            unreadable=unreadable,
            landmarks=contents.landmarks,
            model=answers.status(self.knowledge),
            training=self.training(),
            problem=self.book.disk.problem,
            foreign=self.book.disk.foreign,
            missing=contents.missing,
            films=list(contents.listing.films),
            unread=contents.listing.unread,
            notes=self.folder.notes,
        )

    def list_pictures(self) -> list[Picture]:
        """All pictures, in the folder's order."""
        return listed(self.knowledge)

    def look_again(self, *, at_once: bool) -> FolderChange:
        """Sees what has changed in the folder; all that is known follows, and every page is told.

        Arguments and errors as of :meth:`PictureFolder.look_again`.
        """
        change = self.folder.look_again(at_once=at_once)
        counts = FolderChange(added=len(change.added), removed=len(change.removed), replaced=len(change.replaced))
        if change != Change():
            self.book.follow_folder()
            self.events.publish("folder", counts.model_dump())
            if (side := self._side) is not None:
                side.fitter.follow_folder()
        return counts

    def picture(self, id: str) -> PictureDetail:
        """A picture to label."""
        width, height = self.folder.size(id)
        contents = self.book.contents
        return PictureDetail(
            id=id,
            file=self.folder.file_of(id),
            width=width,
            height=height,
            labels=contents.of(id),
            specimens=contents.specimens_of(id),
        )

    def take_frames(self, film: str, numbers: Sequence[int]) -> FramesTaken:
        """Makes frames of a film pictures of the folder; see :meth:`Films.take`."""
        files = self.films.take(film, numbers)
        self.look_again(at_once=True)
        return FramesTaken(ids=[picture_id(file) for file in files])

    # --- files

    def export(self, format: str, what: Exported) -> tuple[str, bytes]:
        """A label file's name and content.

        Raises:
            LeadError: there is no such format, or there are no such labels yet.
        """
        labels = self._labels_of(what)
        sizes: dict[str, Size] = {}
        for file in dict.fromkeys(labels.images):
            with suppress(UnreadablePicture):
                sizes[file] = self.folder.size(self.folder.id_of(file))
        content = transfer.export(labels, format, sizes)
        return f"{self.plain_name()}-{what}{transfer.ending(format)}", content

    def export_model(self) -> tuple[str, bytes]:
        """The name and content of a model for ``lead predict``. Raises :class:`LeadError` if there is none yet."""
        landmarker = self._side.fitter.landmarker() if self._side else None
        if landmarker is None:
            raise LeadError("There is no model yet. Learn from the pictures, and label a few.")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            landmarker.save(path)
            return f"{self.plain_name()}.safetensors", path.read_bytes()

    def _labels_of(self, what: Exported) -> Labels:
        if what == "labels":
            labels = self.book.contents.labels
            if not labels.images:
                raise LeadError("Nothing is labelled yet.")
            return labels
        both = what == "both"
        predicted = self._side.fitter.predicted_labels(beside_hand=both) if self._side else None
        if predicted is None:
            raise LeadError("There are no predictions yet. Learn from the pictures, and label a few.")
        contents = self.book.contents
        return transfer.combined(contents.labels, predicted) if both and not contents.landmarks.several else predicted

    def plain_name(self) -> str:
        """The folder's name, of characters that are safe in a file's name anywhere."""
        return re.sub(r"[^A-Za-z0-9_-]+", "-", self.folder.root.name).strip("-") or "landmarks"

    # --- the model side

    @property
    def knowledge(self) -> Knowledge:
        """What the model side knows now; as long as it is not loaded, nothing but the labels."""
        if (side := self._side) is not None:
            return side.fitter.knowledge
        failure = self._loaded.exception() if self._loaded.done() else None
        problem = None if failure is None else _failed(failure)
        return Knowledge(self.book.contents, loading=failure is None, problem=problem)

    def load_model(self) -> None:
        """Says that it is time to load the model side, which slows everything else down for some seconds."""
        self._wanted.set()

    def training(self, *, estimate: bool = False) -> Training:
        """How far the training is, as far as it is known yet; with ``estimate``, how long one takes is found out."""
        self._estimate |= estimate
        if (side := self._side) is not None:
            return side.trainer.estimate() if estimate else side.trainer.state()
        return Training(message=answers.LOADING)

    @property
    def trainer(self) -> Trainer:
        """The trainer, waited for. Raises :class:`LeadError` if the model side could not be loaded."""
        return self._wait().trainer

    def open_run(self, *, id: str | None = None, path: str | None = None) -> State:
        """Uses the features of another run: one of :meth:`Trainer.runs`, or the one at a path."""
        from lead.training.run import Run

        side = self._wait()
        folder = side.trainer.open(id) if id is not None else side.trainer.open_path(path or "")
        side.fitter.use(Run.open(folder))
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

    def _load(self, run: Path | None, seed: int, load_after_s: float) -> None:
        self._wanted.wait(load_after_s)
        try:
            if self._closed:
                raise LeadError("the studio is ending")
            side = _ModelSide.load(self, run, seed)
        except Exception as error:
            self._loaded.set_exception(error)
            self._tell_model()
            return
        with self._closing:
            self._loaded.set_result(side)
            closed = self._closed
        if closed:  # and nobody waited
            side.close()
            return
        self.events.publish("training", self.training(estimate=self._estimate).model_dump(mode="json"))
        self._tell_model()

    def _tell_model(self) -> None:
        self.events.publish("model", answers.status(self.knowledge).model_dump(mode="json"))


@dataclass(frozen=True)
class _ModelSide:
    trainer: Trainer
    fitter: Fitter

    @classmethod
    def load(cls, session: Session, run: Path | None, seed: int) -> _ModelSide:
        from lead.studio.fitter import Fitter
        from lead.studio.training import Trainer
        from lead.training.run import Run

        trainer = Trainer(session.folder, session.book.home, session.events, run=run)
        fitter = Fitter(session.book, session.events, seed=seed)
        trainer.on_finished = lambda path: fitter.use(Run.open(path))
        if trainer.finished is not None:
            fitter.use(Run.open(trainer.finished))
        return cls(trainer, fitter)

    def close(self) -> None:
        self.trainer.on_finished = None
        self.trainer.close()
        self.fitter.close()


def _failed(error: BaseException) -> str:
    return f"The model side could not be loaded: {error}"
