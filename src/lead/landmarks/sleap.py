"""SLEAP's ``.slp``, by way of its own library, sleap-io. Needs the extra sleap.

A video is a list of pictures, or a film whose frames are named as :mod:`lead.landmarks.frames` says. Of a frame, the
instance that a user placed is read; where there is none, the predicted one. A node with a place that is not visible is
hidden here; one without a place is unlabelled. Skeleton and flip pairs are SLEAP's edges and symmetries. Coordinates
count from the centre of the top-left pixel in both.

There is no place for expected errors.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, needing
from lead.landmarks.frames import frame_name, frame_of
from lead.landmarks.hdf import SIGNATURE
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.landmarks.pictures import PictureInfo, known_size

SKELETON = "object"


def why_not(data: bytes) -> str | None:
    """Why a file is not SLEAP's; None if it is like one."""
    if not data.startswith(SIGNATURE):
        return "is not HDF5"
    return None if b"videos_json" in data or b"pred_points" in data else "does not hold what SLEAP's files do"


def parse(data: bytes) -> Labels:
    """Labels from a file's bytes: a row for each labelled frame.

    Raises:
        LeadError: the extra is missing, the file is damaged, has several skeletons, several instances in a frame, or
            none at all.
    """
    with needing("SLEAP's files", "sleap"):
        import sleap_io
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.slp"
        path.write_bytes(data)
        try:
            loaded = sleap_io.load_slp(str(path), open_videos=False)
        except Exception as error:  # sleap-io lets nearly any type through for a damaged file
            raise LeadError(f"not a file of SLEAP's that can be read ({str(error)[:200]}).") from error
    used = {id(instance.skeleton): instance.skeleton for frame in loaded for instance in frame.instances}
    skeletons = list(used.values()) or list(loaded.skeletons)
    if len(skeletons) != 1:
        raise LeadError(f"{len(skeletons)} skeletons in it; one kind of thing is supported.")
    schema = _schema(skeletons[0])
    rows: dict[str, npt.NDArray[np.float64]] = {}
    for frame in loaded:
        name = _image(frame.video, int(frame.frame_idx))
        if name in rows:
            raise LeadError(f"picture {name!r} has more than one labelled frame. Keep one.")
        rows[name] = _points(frame, name, len(schema.names))
    if not rows:
        raise LeadError("no labelled frame in it.")
    table = np.stack(list(rows.values()))  # (N, K, 4): x, y, visibility, score
    score = None if np.isnan(table[..., 3]).all() else table[..., 3]
    return Labels(schema, tuple(rows), table[..., :2], table[..., 2].astype(np.int8), score)


def _schema(skeleton: Any) -> Schema:
    names = tuple(str(node.name) for node in skeleton.nodes)
    place = {name: i for i, name in enumerate(names)}
    pairs = [sorted((str(node.name) for node in pair), key=place.__getitem__) for pair in skeleton.symmetries]
    flips = dict.fromkeys((pair[0], pair[1]) for pair in pairs)
    edges = tuple((str(edge.source.name), str(edge.destination.name)) for edge in skeleton.edges)
    return Schema(names, tuple(flips), edges)


def _image(video: Any, number: int) -> str:
    """What a frame is called here."""
    while video.source_video is not None:  # pictures that were copied into the file itself
        video = video.source_video
    if isinstance(video.filename, list):
        if not 0 <= number < len(video.filename):
            raise LeadError(f"frame {number} of a video of {len(video.filename)} pictures is labelled.")
        return str(video.filename[number]).replace("\\", "/")
    return frame_name(str(video.filename).replace("\\", "/"), number)


def _points(frame: Any, name: str, count: int) -> npt.NDArray[np.float64]:
    """(K, 4): x, y, visibility and score of the one instance; unlabelled where there is none."""
    instances = list(frame.user_instances) or list(frame.predicted_instances)
    if len(instances) > 1:
        raise LeadError(f"{name}: {len(instances)} instances. One a picture is supported: keep one, or crop.")
    out = np.full((count, 4), np.nan)
    out[:, 2] = UNLABELLED
    for instance in instances:
        points = instance.points
        placed = np.isfinite(points["xy"]).all(-1)
        out[:, :2] = points["xy"]
        out[:, 2] = np.where(placed, np.where(points["visible"], VISIBLE, HIDDEN), UNLABELLED)
        if not frame.user_instances:
            out[:, 3] = points["score"]
    return out


def dump(labels: Labels, pictures: PictureInfo) -> bytes:
    """The bytes of a ``.slp``: an instance in each labelled frame, a predicted one where there are scores."""
    with needing("SLEAP's files", "sleap"):
        import sleap_io
    schema = labels.schema
    skeleton = sleap_io.Skeleton(list(schema.names), edges=list(schema.skeleton), name=SKELETON)
    for a, b in schema.flip_pairs:
        skeleton.add_symmetry(a, b)
    videos, places = _videos(labels.images, pictures)
    frames = []
    for row, (video, number) in enumerate(places):
        instances = list(_instances(labels, row, skeleton))
        frames.append(sleap_io.LabeledFrame(video=videos[video], frame_idx=number, instances=instances))
    whole = sleap_io.Labels(frames, videos=videos, skeletons=[skeleton])
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


def _instances(labels: Labels, row: int, skeleton: Any) -> Iterator[Any]:
    """The one instance of a picture; none where nothing is labelled."""
    import sleap_io

    visible = labels.visible[row]
    if not (visible > UNLABELLED).any():
        return
    if labels.score is None:
        instance = sleap_io.Instance.from_numpy(labels.xy[row], skeleton=skeleton)
    else:
        score = np.nan_to_num(labels.score[row])
        mean = float(score[visible > UNLABELLED].mean())
        instance = sleap_io.PredictedInstance.from_numpy(
            labels.xy[row], skeleton=skeleton, point_scores=score, score=mean
        )
    instance.points["visible"] = visible == VISIBLE
    yield instance
