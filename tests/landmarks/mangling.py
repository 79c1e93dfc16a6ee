"""Files of labels that somebody has spoilt: what every reader must survive.

A text is spoilt by the token (a number, a word, a mark of punctuation), so that most of what comes out is still like
the format and gets past its first check; HDF5 by its arrays and attributes, for a reader of bytes would be refused by
the library at once. Half of all files have bytes changed at random instead.
"""

from __future__ import annotations

import io
import re
from contextlib import suppress
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import several
from hypothesis import strategies as st

from examples import example
from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.landmarks.format import Format
from lead.landmarks.hdf import SIGNATURE
from lead.landmarks.io import parse_labels
from lead.landmarks.pictures import Sized

SIZES = {"a/one.png": (101, 57), "a/two.png": (64, 64), "b/three.png": (33, 41)}
_NAMES = ("nose", "left eye", "right eye", "Schnäuzchen")
_XY = np.array(
    [
        [[10.5, 20.25], [1, 2], [3, 4], [0, 0.125]],
        [[30, 40], [5.0625, 6], [7, 8], [9, 10]],
        [[np.nan, np.nan], [11, 12], [np.nan, np.nan], [13, 14]],
    ]
)
_VISIBLE = np.array([[2, 2, 2, 2], [2, 1, 2, 2], [0, 2, 0, 2]], dtype=np.int8)
_SCORE = np.where(_VISIBLE > 0, np.linspace(0.1, 0.9, 12).reshape(3, 4), np.nan)
_SCHEMA = Schema(_NAMES, (("left eye", "right eye"),), (("nose", "left eye"),))
GOOD = (
    Labels(_SCHEMA, tuple(SIZES), _XY, _VISIBLE, accepted=_VISIBLE == 2),
    Labels(_SCHEMA, tuple(SIZES), _XY, _VISIBLE, _SCORE, _SCORE * 10, _SCORE * 20),
    Labels(Schema(("1",)), ("v.mp4#0", "v.mp4#7"), _XY[:2, :1], _VISIBLE[:2, :1], _SCORE[:2, :1]),
)
"""Labels, predictions, and predictions on a film's frames."""

TOKENS = re.compile(rb"[0-9.eE+-]+|\w+|\s+|.", re.DOTALL)
HOSTILE = [
    *(
        "",
        "0",
        "-1",
        "2",
        "1e999",
        "-1e999",
        "nan",
        "inf",
        "1" * 5000,
        "99999999999999999999",
        "0.1.2",
        "1_0",
        "0x1",
        "٣",
    ),
    *(
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "[[]]",
        '""',
        "[" * 2000,
        '{"a":' * 2000,
        '"',
        "'",
        ",",
        ";",
        ":",
        "\t",
        "\n",
    ),
    *(
        "\r",
        "\x00",
        "\ufeff",
        "\u2028",
        "é",
        "\ud83d\ude00",
        "&#0;",
        "&amp;",
        "<a>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        "]]>",
    ),
    *(
        "../../x",
        "/x",
        "C:\\x",
        "x" * 5000,
        "id",
        "LM=3",
        "LM=-1",
        "LM=99999999",
        "version: 1",
        "n_points: 9",
        "{",
        "}",
    ),
    *(
        "accepted",
        "keypoints",
        "categories",
        "points",
        "bodyparts",
        "scorer",
        "coords",
        "visible",
        "image",
        "nose",
        "1",
    ),
]
"""What a token is replaced by."""


@cache
def written(known: Format) -> list[bytes]:
    """Files that are right."""
    if known.only_read:
        return [example(known.name)]
    good = [known.dump(labels, Sized(dict.fromkeys(labels.images, (64, 64)) | SIZES)) for labels in GOOD]
    return [*good, known.dump(several.BUSY, Sized(several.SIZES))] if known.holds_several else good


@st.composite
def spoilt_text(draw: st.DrawFn, files: st.SearchStrategy[bytes]) -> bytes:
    """Texts with some of their tokens replaced, left out, doubled or taken from elsewhere."""
    tokens = TOKENS.findall(draw(files))
    for _ in range(draw(st.integers(1, 4))):
        if not tokens:
            break
        at = draw(st.integers(0, len(tokens) - 1))
        until = at + draw(st.sampled_from([1, 1, 1, 2, 8, 40]))
        other = draw(st.integers(0, len(tokens) - 1))
        tokens[at:until] = draw(
            st.sampled_from(
                [
                    [draw(st.sampled_from(HOSTILE)).encode("utf-8", "surrogatepass")],
                    [],
                    tokens[at:until] * 2,
                    tokens[other : other + until - at],
                ]
            )
        )
    return b"".join(tokens)


@st.composite
def _bytes(draw: st.DrawFn, known: Format) -> bytes:
    data = bytearray(draw(st.sampled_from(written(known))))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 1, 4, 64]))
        data[at : at + length] = draw(st.binary(max_size=8))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


_ARRAYS: list[Any] = [
    *(
        0,
        -1,
        2**40,
        1.5,
        np.nan,
        "text",
        np.void(b"\xff\x00"),
        np.array([]),
        np.array([], dtype="S1"),
        np.array([-1, 99]),
    ),
    *(np.zeros((2, 3)), np.array([b"nose", b"\xff"]), np.array([b"(lp0\nI1\na."]), np.zeros(3, dtype=[("x", "f8")])),
    *(np.array(True), np.full(4, np.nan), np.arange(12.0).reshape(3, 4), '{"nodes": []}', "[]", "null", "{" * 100),
]


@st.composite
def _arrays(draw: st.DrawFn, known: Format) -> bytes:
    """HDF5 with datasets and attributes taken out or replaced."""
    import h5py

    out = io.BytesIO(draw(st.sampled_from(written(known))))
    with h5py.File(out, "r+") as file:
        for _ in range(draw(st.integers(1, 3))):
            names: list[str] = []
            file.visit(names.append)
            if not names:
                break
            name = draw(st.sampled_from(names))
            value = draw(st.sampled_from(_ARRAYS))
            keys = list(file[name].attrs)
            if draw(st.booleans()) and keys:
                key = draw(st.sampled_from(keys))
                del file[name].attrs[key]
                if draw(st.booleans()):
                    file[name].attrs[key] = value
                continue
            del file[name]
            if draw(st.booleans()) and str(PurePosixPath(name).parent) in (".", *names):
                file[name] = value
    return out.getvalue()


def mangled(known: Format) -> st.SearchStrategy[bytes]:
    """Files that were in a format, and are not quite any more."""
    hdf = written(known)[0].startswith(SIGNATURE)
    return st.one_of(_arrays(known) if hdf else spoilt_text(st.sampled_from(written(known))), _bytes(known))


def survives(data: bytes, known: Format) -> None:
    """That a reader answers with labels or :class:`LeadError`, and that what it has read can be written."""
    for format in (known.name, None):
        with suppress(LeadError):
            pictures = Sized(SIZES | several.SIZES | {"some file.png": (64, 64)})
            many = len(data) % 2 == 1  # either way in half of all files, which takes no more time
            labels, found = parse_labels(data, "some file", pictures=pictures, format=format, several=many)
            assert len(labels.images) == len(labels.xy)
            found.dump(labels, Sized(dict.fromkeys(labels.images, (64, 64))))
