"""SLEAP's ``.slp``, by way of its own library, sleap-io. Needs the extra sleap.

A video is a list of pictures, or a film whose frames are named as :mod:`lead.landmarks.frames` says; pictures that were
copied into the file itself go by the film that they come from, or else by the file's own name. Of a frame, the instance
that a user placed is read; where there is none, the predicted one, as a prediction. Where pictures may show several
specimens, all instances of a frame are read, in their order, by the names of their tracks; a predicted one from which
a user's was made, or that is of the same track, is not read beside it. A node with a place that is not visible is
hidden here; one without a place is unlabelled. Skeleton and flip pairs are SLEAP's edges and symmetries. Coordinates
count from the centre of the top-left pixel in both.

The score of a predicted instance is no probability (a sum or a mean of peaks, by the kind of model), so it is not read.
How likely each is a specimen is written in its place. A frame without an instance that SLEAP marks as negative is one
in which every specimen is labelled; of other frames that cannot be said. There is no place for expected errors and
boxes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, needing
from lead.landmarks.frames import frame_name, frame_of
from lead.landmarks.hdf import SIGNATURE
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo, Size, known_size
from lead.reporting import counted

SKELETON = "object"


def why_not(data: bytes) -> str | None:
    """Why a file is not SLEAP's; None if it is like one."""
    if not data.startswith(SIGNATURE):
        return "is not HDF5"
    return None if b"videos_json" in data or b"pred_points" in data else "does not hold what SLEAP's files do"


def parse(data: bytes, name: str = "", *, several: bool = False) -> Labels:
    """Labels from a file's bytes: a row for each labelled frame, or for each of its specimens.

    Args:
        data: the whole file.
        name: the file's, by which pictures go that are inside it and come from no film that it names.
        several: whether a frame may show several specimens.

    Raises:
        LeadError: the extra is missing, the file is damaged, has several skeletons, several instances that a user
            placed in a frame (of one track, where there may be several), or no labelled frame at all.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.slp"
        path.write_bytes(data)
        loaded = load(path)
    used = {id(instance.skeleton): instance.skeleton for frame in loaded for instance in frame.instances}
    skeletons = list(used.values()) or list(loaded.skeletons)
    if len(skeletons) != 1:
        called = ", ".join(repr(str(skeleton.name)) for skeleton in skeletons[:5])
        raise LeadError(
            f"{counted(len(skeletons), 'skeleton')} in it{called and f' ({called})'}; one kind of thing is supported. "
            "In SLEAP, delete the instances of all others, and save under another name."
        )
    schema = _schema(skeletons[0])
    image_of = frame_names(loaded, path, name)
    tracks = _track_names(loaded.tracks)
    frames: dict[str, _Frame] = {}
    complete: set[str] = set()
    left_out = LeftOut()
    for frame in loaded:
        image = image_of(frame.video, int(frame.frame_idx))
        chosen = _instances_of(frame, image, tracks, left_out) if several else _one_instance(frame, image, left_out)
        if several and frame.is_negative and not chosen:
            complete.add(image)
        new = _Frame([_row(instance, len(schema.names), tracks) for instance in chosen or [None]], _size(frame.video))
        frames[image] = _one_of(frames[image], new, image, left_out) if image in frames else new
    if not frames:
        raise LeadError("no labelled frame in it.")
    images, rows = zip(*((image, row) for image, frame in frames.items() for row in frame.rows), strict=True)
    table = np.stack([row.points for row in rows])  # (N, K, 4): x, y, visibility, score
    score = None if np.isnan(table[..., 3]).all() else table[..., 3]
    return Labels(
        schema,
        images,
        table[..., :2],
        table[..., 2].astype(np.int8),
        score,
        places=Places(left_out=str(left_out)) if str(left_out) else None,
        predicted=np.stack([np.full(len(schema.names), row.predicted) for row in rows]),
        sizes=np.array([frames[image].size for image in images], dtype=np.int64),
        tracks=tuple(row.track for row in rows) if several else None,
        complete=frozenset(complete),
    )


def load(path: Path, *, open_videos: bool = False) -> Any:
    """What sleap-io reads of a file. Raises :class:`LeadError` if the extra is missing or the file damaged."""
    with needing("SLEAP's files", "sleap"):
        import sleap_io
    try:
        return sleap_io.load_slp(str(path), open_videos=open_videos)
    except Exception as error:  # sleap-io lets nearly any type through for a damaged file
        raise LeadError(f"not a file of SLEAP's that can be read ({str(error)[:200]}).") from error


def _schema(skeleton: Any) -> Schema:
    names = tuple(str(node.name) for node in skeleton.nodes)
    place = {name: i for i, name in enumerate(names)}
    pairs = [sorted((str(node.name) for node in pair), key=place.__getitem__) for pair in skeleton.symmetries]
    flips = dict.fromkeys((pair[0], pair[1]) for pair in pairs)
    edges = tuple((str(edge.source.name), str(edge.destination.name)) for edge in skeleton.edges)
    return Schema(names, tuple(flips), edges)


def frame_names(loaded: Any, path: Path, name: str) -> Callable[[Any, int], str]:
    """What a frame of a video is called here.

    Args:
        loaded: all that the file holds.
        path: where it was read from.
        name: its own. The frames of its first video of pictures inside it, whose film it does not name, are numbered as
            they are there; those of the next go on after the largest number of the one before.
    """
    first: dict[int, int] = {}
    end = 0
    for video in loaded.videos:
        if is_inside(_origin(video), path):
            first[id(_origin(video))] = end
            end += 1 + max((int(frame.frame_idx) for frame in loaded if frame.video is video), default=-1)

    def image_of(video: Any, number: int) -> str:
        origin = _origin(video)
        if isinstance(origin.filename, list):
            if not 0 <= number < len(origin.filename):
                raise LeadError(f"frame {number} of a video of {counted(len(origin.filename), 'picture')} is labelled.")
            return str(origin.filename[number]).replace("\\", "/")
        if is_inside(origin, path):
            return frame_name(name or path.name, first.get(id(origin), 0) + number)
        return frame_name(str(origin.filename).replace("\\", "/"), number)

    return image_of


def is_inside(video: Any, path: Path) -> bool:
    """Whether a video's pictures are inside the file at ``path``."""
    return isinstance(video.filename, str) and Path(video.filename) == path


def _origin(video: Any) -> Any:
    """What a video was copied from, if that is known, else the video itself."""
    while video.source_video is not None:
        video = video.source_video
    return video


def _size(video: Any) -> Size:
    """(width, height) of a video's frames in pixels; (0, 0) if the file does not say."""
    for known in (_origin(video), video):
        try:
            _, height, width, _ = (int(length) for length in known.shape)
        except (TypeError, ValueError):  # no shape, or something else in its place
            continue
        if width > 0 and height > 0:
            return width, height
    return 0, 0


class _Row(NamedTuple):
    """An instance: (K, 4) x, y, visibility and score; whether a model said them; the name of its track."""

    points: npt.NDArray[np.float64]
    predicted: bool
    track: str


class _Frame(NamedTuple):
    """The instances of a frame, a blank one where there is none; width and height."""

    rows: list[_Row]
    size: Size


def _track_names(tracks: Sequence[Any]) -> dict[int, str]:
    """What each track goes by; those that SLEAP calls the same get a number."""
    names: dict[int, str] = {}
    for track in tracks:
        name, number = str(track.name) or "track", 1
        while (called := name if number == 1 else f"{name} {number}") in names.values():
            number += 1
        names[id(track)] = called
    return names


def _one_instance(frame: Any, name: str, left_out: LeftOut) -> list[Any]:
    """The one instance of a frame; empty where there is none."""
    users, predicted = list(frame.user_instances), list(frame.predicted_instances)
    if len(users) > 1:
        raise LeadError(
            f"{name}: {len(users)} instances that a person placed. One a picture is supported: keep one in SLEAP, or "
            "crop the pictures."
        )
    if users and predicted:
        left_out.add("instance predicted beside a person's", name, count=len(predicted))
    elif len(predicted) > 1:
        left_out.add("frame of several predicted instances and none by a person", name)
        predicted = []
    return (users or predicted)[:1]


def _instances_of(frame: Any, name: str, called: Mapping[int, str], left_out: LeftOut) -> list[Any]:
    """The instances of a frame that have a place, in their order; a model's only where a person's is not the same."""
    users = list(frame.user_instances)
    made_from = {id(instance.from_predicted) for instance in users}
    taken = {id(instance.track) for instance in users if instance.track is not None}
    if twice := [track for track in taken if sum(id(instance.track) == track for instance in users) > 1]:
        raise LeadError(f"{name}: several instances of the track {called[twice[0]]!r}. Keep one in SLEAP.")
    kept = []
    for instance in frame.instances:
        if not np.isfinite(instance.points["xy"]).all(-1).any():
            continue
        if not any(instance is user for user in users):
            if id(instance) in made_from or id(instance.track) in taken:
                left_out.add("instance predicted beside one of the same individual", name)
                continue
            if instance.track is not None:
                taken.add(id(instance.track))
        kept.append(instance)
    return kept


def _row(instance: Any, count: int, called: Mapping[int, str]) -> _Row:
    """What an instance says; unlabelled where there is none."""
    points = np.full((count, 4), np.nan)
    points[:, 2] = UNLABELLED
    if instance is None:
        return _Row(points, False, "")
    placed = np.isfinite(instance.points["xy"]).all(-1)
    points[:, :2] = instance.points["xy"]
    points[:, 2] = np.where(placed, np.where(instance.points["visible"], VISIBLE, HIDDEN), UNLABELLED)
    predicted = "score" in instance.points.dtype.names
    if predicted:
        points[:, 3] = instance.points["score"]
    return _Row(points, predicted, "" if instance.track is None else called[id(instance.track)])


def _one_of(one: _Frame, other: _Frame, name: str, left_out: LeftOut) -> _Frame:
    """Which of two entries of the same frame counts: a person's before a model's, anything before nothing."""
    worth = [
        max(0 if (row.points[:, 2] == UNLABELLED).all() else 1 if row.predicted else 2 for row in frame.rows)
        for frame in (one, other)
    ]
    if worth == [2, 2]:
        raise LeadError(f"picture {name!r} has more than one labelled frame. Keep one.")
    if min(worth):
        left_out.add("frame standing in it a second time", name)
    return one if worth[0] >= worth[1] else other


def dump(labels: Labels, pictures: PictureInfo) -> bytes:
    """The bytes of a ``.slp``: in each frame instances of what a person placed, and of what a model said."""
    with needing("SLEAP's files", "sleap"):
        import sleap_io
    schema = labels.schema
    skeleton = sleap_io.Skeleton(list(schema.names), edges=list(schema.lines), name=SKELETON)
    for a, b in schema.flip_pairs:
        skeleton.add_symmetry(a, b)
    rows_of = labels.rows_of()
    videos, places = _videos(list(rows_of), pictures)
    tracks = {name: sleap_io.Track(name) for name in dict.fromkeys(labels.tracks or ()) if name}
    frames = []
    for (image, rows), (video, number) in zip(rows_of.items(), places, strict=True):
        instances = [instance for row in rows for instance in _instances(labels, row, skeleton, tracks)]
        negative = image in labels.complete and not instances
        frames.append(sleap_io.LabeledFrame(videos[video], number, instances, is_negative=negative))
    whole = sleap_io.Labels(frames, videos=videos, skeletons=[skeleton], tracks=list(tracks.values()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.slp"
        sleap_io.save_slp(whole, str(path), embed=False)
        return path.read_bytes()


def _videos(images: Sequence[str], pictures: PictureInfo) -> tuple[list[Any], list[tuple[int, int]]]:
    """The videos that pictures and films make, and each image's (video, frame).

    SLEAP wants the pictures of one video to be of one size: those of each size, where it is known, are one.
    """
    import sleap_io

    members: dict[object, list[str]] = {}
    places: list[tuple[object, int]] = []
    for image in images:
        film = frame_of(image)
        key: object = film[0] if film else known_size(pictures, image)
        of_key = members.setdefault(key, [])
        places.append((key, film[1] if film else len(of_key)))
        of_key.append(image)
    videos = []
    for key, names in members.items():
        if isinstance(key, str):
            videos.append(sleap_io.Video(key, open_backend=False))
            continue
        # What sleap-io itself says of pictures that it has open.
        metadata: dict[str, Any] = {"type": "ImageVideo", "filename": names[0], "filenames": names}
        if isinstance(key, tuple):
            metadata["shape"] = (len(names), key[1], key[0], 3)
        videos.append(sleap_io.Video(names, backend_metadata=metadata, open_backend=False))
    order = {key: i for i, key in enumerate(members)}
    return videos, [(order[key], number) for key, number in places]


def _instances(labels: Labels, row: int, skeleton: Any, tracks: Mapping[str, Any]) -> Iterator[Any]:
    """The instances of a specimen: of what a person placed, and of what a model said.

    Where there may be several specimens, the person's is said to be made from the model's, for both are one specimen.
    """
    import sleap_io

    said = labels.is_predicted[row]
    track = tracks.get(labels.tracks[row]) if labels.tracks else None
    guess = None
    if said.any():
        guess = sleap_io.PredictedInstance.from_numpy(
            np.where(said[:, None], labels.xy[row], np.nan),
            skeleton=skeleton,
            point_scores=np.full(len(said), np.nan) if labels.score is None else labels.score[row],
            score=_instance_score(labels, row),
            track=track,
        )
        guess.points["visible"] = said & (labels.visible[row] == VISIBLE)
    placed = (labels.visible[row] > UNLABELLED) & ~said
    if placed.any():
        user = sleap_io.Instance.from_numpy(
            np.where(placed[:, None], labels.xy[row], np.nan),
            skeleton=skeleton,
            track=track,
            from_predicted=None if labels.tracks is None else guess,
        )
        user.points["visible"] = placed & (labels.visible[row] == VISIBLE)
        yield user
    if guess is not None:
        yield guess


def _instance_score(labels: Labels, row: int) -> float:
    """How likely a predicted specimen is one, where that is known; else the mean score of its points."""
    if labels.likely is not None and np.isfinite(labels.likely[row]):
        return float(labels.likely[row])
    known = [] if labels.score is None else labels.score[row, labels.is_predicted[row] & np.isfinite(labels.score[row])]
    return float(np.mean(known)) if len(known) else 0.0
