"""The web server: a session's operations as HTTP, and the page's files."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import anyio.to_thread
import uvicorn
from fastapi import APIRouter, FastAPI, Header, Query, Request, Security
from fastapi.responses import Response, StreamingResponse
from fastapi.security import HTTPBearer

from lead.images.folder_pictures import LabelledAs
from lead.studio import answers, transfer
from lead.studio.events import stream
from lead.studio.film_messages import Film, FilmEntry, FramesTaken, FramesToTake
from lead.studio.history import Snapshot
from lead.studio.label_messages import (
    Direction,
    LabelsChange,
    Landmarks,
    LandmarksChange,
    LandmarksChanged,
    PictureLabels,
)
from lead.studio.look_messages import LookPoints, LookResult, LookSeries, LookStart, LookState
from lead.studio.measure_routes import measure_routes
from lead.studio.messages import (
    Choice,
    Disputes,
    Explored,
    FolderChange,
    Imported,
    LandmarkProgress,
    Picture,
    PictureDetail,
    Predictions,
    State,
    Suggestions,
    Unit,
)
from lead.studio.page_files import index, page_file
from lead.studio.pictures import Encoded
from lead.studio.problems import HANDLERS, PROBLEMS
from lead.studio.progress import progress
from lead.studio.security import Guard
from lead.studio.session import Exported, Session
from lead.studio.training_messages import RunChoice, RunPath, Training, TrainingStart
from lead.studio.windows import begun

CONNECTIONS = 256

# For the description alone: the guard has checked it by then.
_TOKEN = Security(HTTPBearer(auto_error=False, description="The token that the printed address ends in."))


def create_app(session: Session, token: str, *, hosts: Sequence[str] = (), heartbeat_s: float = 10.0) -> FastAPI:
    """The application that serves a session.

    Args:
        session: what is served. Closing it is the caller's.
        token: what a client must bring (see :mod:`lead.studio.security`).
        hosts: names of this machine, beside those of loopback, that requests may be addressed to.
        heartbeat_s: a comment goes to a page after so long without an event, which tells it that the server is there.
    """
    app = FastAPI(
        title="lead studio",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
        responses=PROBLEMS,
    )
    app.add_middleware(Guard, token=token, hosts=hosts)
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    whole = partial(_whole, heartbeat_s=heartbeat_s)
    for routes in (whole, _pictures, _films, _labels, _looks, _model, _files, measure_routes, _training):
        app.include_router(routes(session), prefix="/api", dependencies=[_TOKEN])
    app.add_api_route("/", index, include_in_schema=False)
    app.add_api_route("/static/{name:path}", page_file, include_in_schema=False)
    return app


def serve(session: Session, listener: socket.socket, token: str, *, hosts: Sequence[str] = ()) -> None:
    """Serves a session at a listening socket until Ctrl-C. Closing the session is the caller's.

    Raises:
        KeyboardInterrupt: at Ctrl-C, once what was under way is answered.
    """
    make_server(session, token, hosts=hosts).run([listener])


def make_server(session: Session, token: str, **options: Any) -> uvicorn.Server:
    """The server of :func:`create_app`'s application; ``options`` are that function's."""
    config = uvicorn.Config(
        create_app(session, token, **options),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http="h11",
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=64 * 2**10,
        timeout_graceful_shutdown=5,
    )
    return _Server(config, session)


class _Server(uvicorn.Server):
    """Ends the event streams first, which would else keep it from ending."""

    def __init__(self, config: uvicorn.Config, session: Session) -> None:
        super().__init__(config)
        self._session = session

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._session.events.close()
        await super().shutdown(sockets)


# --- routes ----------------------------------------------------------------------------------------------------------

Ids = Annotated[str, Query(description="Pictures' ids with commas between.")]

Finite = Annotated[float, Query(allow_inf_nan=False)]
ETags = Annotated[str | None, Header(alias="If-None-Match", description="ETags that the client has.")]


def _split(ids: str) -> list[str]:
    return [id for id in ids.split(",") if id]


def _whole(session: Session, heartbeat_s: float) -> APIRouter:
    """The state, and what happens."""
    routes = APIRouter()

    @routes.get("/state")
    def state() -> State:
        return session.state()

    @routes.post("/folder/look")
    def look_again(
        at_once: Annotated[bool, Query(description="Even where it was looked at only just now.")] = True,
    ) -> FolderChange:
        """Lists the folder anew; the event ``folder`` tells every page of what has changed."""
        return session.look_again(at_once=at_once)

    @routes.get("/events", response_class=StreamingResponse)
    async def events() -> StreamingResponse:
        session.load_model()
        return StreamingResponse(
            stream(session.events.subscribe(), heartbeat_s),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    return routes


def _pictures(session: Session) -> APIRouter:
    """The pictures themselves."""
    routes = APIRouter(prefix="/pictures")

    @routes.get("")
    def list_pictures() -> list[Picture]:
        return session.list_pictures()

    @routes.get("/{id}")
    def picture(id: str) -> PictureDetail:
        return session.picture(id)

    @routes.get("/{id}/image", response_class=Response)
    def image(id: str, side: int = 1024, stamp: str = "", if_none_match: ETags = None) -> Response:
        tag = f"{session.pictures.stamp(id)}-{side}"
        return _picture_file(tag, stamp, if_none_match, lambda: session.pictures.image(id, side))

    @routes.get("/{id}/tile", response_class=Response)
    def tile(id: str, column: int, row: int, shrink: int = 1, stamp: str = "", if_none_match: ETags = None) -> Response:
        tag = f"{session.pictures.stamp(id)}-{column}-{row}-{shrink}"
        return _picture_file(tag, stamp, if_none_match, lambda: session.pictures.tile(id, column, row, shrink))

    return routes


def _films(session: Session) -> APIRouter:
    """Films beside the pictures, and frames of them."""
    routes = APIRouter(prefix="/films")

    @routes.get("")
    def films() -> list[FilmEntry]:
        return session.films.entries()

    @routes.get("/{id}")
    def film(id: str) -> Film:
        return session.films.film(id)

    @routes.get("/{id}/frames/{number}", response_class=Response)
    def frame(id: str, number: int) -> Response:
        content, media_type = session.films.frame(id, number)
        return Response(content, media_type=media_type, headers={"Cache-Control": "private, max-age=60"})

    @routes.post("/{id}/take")
    def take(id: str, wanted: FramesToTake) -> FramesTaken:
        """Makes frames pictures of the folder; those that are already stay as they are."""
        return session.take_frames(id, wanted.numbers)

    return routes


def _picture_file(tag: str, stamp: str, etags: str | None, make: Callable[[], Encoded]) -> Response:
    """A picture that the browser may keep: for ever if its address holds the file's stamp, else for a minute."""
    forever = bool(stamp) and tag.startswith(f"{stamp}-")
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": "private, max-age=31536000, immutable" if forever else "private, max-age=60",
    }
    if etags is not None and f'"{tag}"' in etags:
        return Response(status_code=304, headers=headers)
    content, media_type = make()
    return Response(content, media_type=media_type, headers=headers)


def _labels(session: Session) -> APIRouter:
    """Landmarks, labels and their history."""
    routes = APIRouter()

    @routes.patch("/pictures/{id}/labels")
    def change(id: str, change: LabelsChange) -> PictureLabels:
        return session.book.change_labels(id, change)

    @routes.get("/landmarks")
    def landmarks() -> Landmarks:
        return session.book.landmarks

    @routes.get("/landmarks/progress")
    def landmarks_progress() -> list[LandmarkProgress]:
        return progress(session.knowledge)

    @routes.put("/landmarks")
    def change_landmarks(change: LandmarksChange) -> LandmarksChanged:
        return session.book.change_landmarks(change)

    @routes.get("/history")
    def history() -> list[Snapshot]:
        return session.book.disk.history.snapshots()

    @routes.post("/history/{id}/restore")
    def restore(id: str) -> State:
        session.book.restore(id)
        return session.state()

    @routes.post("/reload")
    def reload() -> State:
        """Takes the label file as another program has left it."""
        session.book.reload()
        return session.state()

    @routes.post("/keep")
    def keep() -> State:
        """Writes the labels over what another program has made of the label file."""
        session.book.keep()
        return session.state()

    return routes


def _looks(session: Session) -> APIRouter:
    """Further looks at labelled pictures."""
    routes = APIRouter(prefix="/looks")

    @routes.get("")
    def looks() -> LookState:
        return session.looks.state()

    @routes.post("")
    def begin(wanted: LookStart) -> LookSeries:
        """Draws labelled pictures, to be shown again without their labels."""
        return session.looks.begin(wanted)

    @routes.put("/{id}/pictures/{picture}")
    def put(id: str, picture: str, said: LookPoints) -> LookSeries:
        """Keeps what was placed on a picture."""
        return session.looks.put(id, picture, said.points)

    @routes.get("/{id}/result")
    def result(id: str) -> LookResult:
        """A look compared with the first labels."""
        return session.looks.result(id)

    return routes


def _model(session: Session) -> APIRouter:
    """What the model makes of the pictures."""
    routes = APIRouter()

    @routes.get("/pictures/{id}/suggestions")
    def suggestions(id: str) -> Suggestions:
        return answers.suggest(session.knowledge, id)

    @routes.put("/pictures/{id}/up")
    def this_way_up(id: str, up: Direction) -> Suggestions:
        """Says which way the thing's up points in a picture; 0, 0 takes that back.

        It is kept in the label file, and whatever the model says of the picture heeds it.
        """
        session.book.say_up(id, up)
        return answers.suggest(session.knowledge, id)

    @routes.get("/next")
    def choose(after: str = "", skip: Ids = "") -> Choice:
        return answers.next_picture(session.knowledge, after or None, _split(skip))

    @routes.get("/predictions")
    def predictions(
        sort: Literal["expected", "name"] = "expected",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=0, le=1000)] = 60,
    ) -> Predictions:
        return answers.predictions(session.knowledge, sort=sort, offset=offset, limit=limit)

    @routes.get("/disputes")
    def disputes(unit: Unit = "px") -> Disputes:
        return answers.disputes(session.knowledge, unit)

    @routes.get("/explore")
    def explore(id: str, x: Finite, y: Finite, pictures: Ids = "") -> Explored:
        return answers.explore(session.knowledge, id, x, y, _split(pictures))

    return routes


def _files(session: Session) -> APIRouter:
    """Label files in, label files and models out."""
    routes = APIRouter()

    @routes.post("/import")
    async def import_labels(
        request: Request,
        what: transfer.What = "labels",
        replace: bool = False,
        add: Annotated[bool, Query(description="Adds landmarks that are not here yet.")] = False,
        name: Annotated[str, Query(description="The file's name, for messages.")] = "The file",
        called: Annotated[str, Query(description="What its landmarks are here, a line each; blank: left out.")] = "",
        predictions: Annotated[bool, Query(description="Takes a model's points too, as accepted suggestions.")] = False,
        labelled_as: Annotated[
            LabelledAs | None, Query(description="How pictures that their EXIF tag turns were looked at.")
        ] = None,
    ) -> Imported:
        content = await request.body()
        names = called.split("\n") if called else []
        take = partial(
            transfer.import_labels,
            session.book,
            content,
            name,
            what,
            replace,
            add_landmarks=add,
            called=names,
            predictions=predictions,
            labelled_as=labelled_as,
            take=lambda images: _taken(session, images, content, name),
        )
        return await anyio.to_thread.run_sync(take)

    @routes.get("/formats")
    def formats() -> list[transfer.ExportFormat]:
        return transfer.formats()

    @routes.get("/export", response_class=Response)
    def export(format: str, what: Exported = "labels") -> Response:
        return _download(*session.export(format, what))

    @routes.get("/export/model", response_class=Response)
    def export_model() -> Response:
        return _download(*session.export_model())

    return routes


def _taken(session: Session, images: Sequence[str], content: bytes, name: str) -> dict[str, str]:
    """The files of frames that an imported file labels, made pictures of the folder where they are not yet."""
    files = session.films.take_labelled(images, content, name)
    if files:
        session.look_again(at_once=True)
    return files


def _download(name: str, content: bytes, media_type: str = "application/octet-stream") -> Response:
    """A file to be saved under a name, which must be plain ASCII."""
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _training(session: Session) -> APIRouter:
    """Features: training them, and opening those of a run."""
    routes = APIRouter()

    @routes.get("/training")
    def training() -> Training:
        return session.training(estimate=True)

    @routes.post("/training")
    def start(request: TrainingStart) -> Training:
        return begun(session.trainer, session.book.contents, request)

    @routes.post("/training/cancel")
    def cancel() -> Training:
        return session.trainer.cancel()

    @routes.get("/runs")
    def runs() -> list[RunChoice]:
        return session.trainer.runs()

    @routes.post("/runs/{id}/open")
    def open_run(id: str) -> State:
        return session.open_run(id=id)

    @routes.post("/runs/open")
    def open_path(where: RunPath) -> State:
        """Uses a run that lies elsewhere. Nothing at the path is read but a run's own files."""
        return session.open_run(path=where.path)

    return routes
