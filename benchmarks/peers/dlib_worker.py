"""Trains dlib's detector and shape predictor and says where they find landmarks. Runs in an environment of its own.

    python dlib_worker.py JOB ANSWER

Needs dlib and numpy, nothing of this project: :mod:`benchmarks.peers.dlib_shape` writes JOB and reads ANSWER (JSON).
Places are whole pixels, (0, 0) is the pixel at the top left; boxes are (left, top, right, bottom), their last pixels
included.

JOB has ``train``, the text of an XML of imglab; ``options`` of the shape predictor; ``judged``, of each picture the
path, the true box, and the box to take where nothing is detected; ``learnt``, paths and boxes that the detector is
trained on; ``detector``, its options, or null for none; ``side``, the longest side of a picture that the detector is
shown. ANSWER has ``true`` and ``found``, the places in each judged picture by the true and by the detected box;
``missed``, pictures in which nothing is detected; ``refused``, why dlib would train no detector, or null; ``seconds``
of CPU for each part; and ``memory``, the largest, in megabytes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import dlib
import numpy as np

LOWEST = -2.0
"""Of a detection's score: below it nothing is detected. Above it the best one of a picture counts."""


def _points(shape: Any) -> list[list[int]]:
    return [[shape.part(i).x, shape.part(i).y] for i in range(shape.num_parts)]


def _reduced(picture: Any, side: int) -> tuple[Any, int]:
    """The picture with its longer side at most so long, and by which whole number it is smaller."""
    step = -(-max(picture.shape) // side)
    rows, columns = (length // step * step for length in picture.shape)
    blocks = picture[:rows, :columns].reshape(rows // step, step, columns // step, step)
    return np.rint(blocks.mean((1, 3))).astype(np.uint8), step


def _set(options: Any, values: dict[str, Any]) -> Any:
    for name, value in values.items():
        getattr(options, name)  # a name that dlib does not have is an error
        setattr(options, name, value)
    return options


def _detector(job: dict[str, Any]) -> Any:
    """Trained on the boxes of the labelled pictures. Raises RuntimeError where dlib refuses."""
    pictures, boxes = [], []
    for file, box in job["learnt"]:
        picture, step = _reduced(dlib.load_grayscale_image(file), job["side"])
        pictures.append(picture)
        boxes.append([dlib.rectangle(*(round(edge / step) for edge in box))])
    options = _set(dlib.simple_object_detector_training_options(), job["detector"])
    dlib.train_simple_object_detector(pictures, boxes, options).save("detector.svm")
    return dlib.fhog_object_detector("detector.svm")  # which tells scores, as what is trained does not


def _box(detector: Any, picture: Any, side: int) -> Any:
    """The best detection in a picture, in its own pixels; None if there is none."""
    smaller, step = _reduced(picture, side)
    boxes, scores, _ = dlib.fhog_object_detector.run(detector, smaller, 0, LOWEST)
    if not boxes:
        return None
    box = boxes[int(np.argmax(scores))]
    return dlib.rectangle(*(edge * step for edge in (box.left(), box.top(), box.right(), box.bottom())))


def _memory() -> float:
    """The largest that this process had, in megabytes. (Not getrusage, which counts the process that started this.)"""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    start = time.process_time()
    model = "predictor.dat"
    Path("train.xml").write_text(job["train"], encoding="utf-8")
    dlib.train_shape_predictor("train.xml", model, _set(dlib.shape_predictor_training_options(), job["options"]))
    detector, refused, trained = None, None, time.process_time()
    if job["detector"] is not None:
        try:
            detector = _detector(job)
        except RuntimeError as error:
            refused = str(error)
    detected = time.process_time()
    predictor = dlib.shape_predictor(model)
    true, found, missed = [], [], []
    for file, edges, usual in job["judged"]:
        picture = dlib.load_grayscale_image(file)
        true.append(_points(predictor(picture, dlib.rectangle(*edges))))
        if job["detector"] is None:
            continue
        box = None if detector is None else _box(detector, picture, job["side"])
        if box is None:
            missed.append(file)
            box = dlib.rectangle(*usual)
        found.append(_points(predictor(picture, box)))
    answer = {
        "version": dlib.__version__,
        "true": true,
        "found": found if job["detector"] is not None else None,
        "missed": missed,
        "refused": refused,
        "seconds": {
            "shape": trained - start,
            "detector": detected - trained,
            "predict": time.process_time() - detected,
        },
        "memory": _memory(),
    }
    Path(sys.argv[2]).write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
