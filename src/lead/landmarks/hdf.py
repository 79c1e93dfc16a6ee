"""DeepLabCut's HDF5: the table of its CSV, as pandas stores it under ``df_with_missing``. Needs the extra deeplabcut.

Read without pandas: its own reader unpickles what the file says, and whoever made the file could run a program so.
Here HDF5's arrays are read as they are, and of pickles only texts, numbers and lists.
"""

from __future__ import annotations

import io
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lead.errors import LeadError, needing
from lead.landmarks.deeplabcut import FOLDER, ONE, SEVERAL, header_of, parse_lines, tabulated
from lead.landmarks.fields import Line, written
from lead.landmarks.frames import frames_of_one
from lead.landmarks.model import Labels
from lead.reporting import counted

KEY = "df_with_missing"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
Keys = list[tuple[str, ...]]


def why_not(data: bytes) -> str | None:
    """Why a file is not HDF5 with a table; None if it is like one."""
    if not data.startswith(SIGNATURE):
        return "is not HDF5"
    return None if b"pandas_type" in data else "does not hold a table of pandas"


def parse(data: bytes, *, several: bool = False) -> Labels:
    """Labels from a file's bytes; see :func:`lead.landmarks.deeplabcut.parse`, whose lines are the rows here.

    Raises:
        LeadError: the extra is missing, the file is damaged, or holds another kind of table.
    """
    with needing("Tables in HDF5", "deeplabcut"):
        import h5py
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            columns, rows, values = _table(file)
    except LeadError:
        raise
    except Exception as error:  # h5py and pickle let nearly any type through for a damaged file
        raise LeadError(
            f"not a table that can be read ({str(error)[:200] or type(error).__name__}). Give the CSV that DeepLabCut "
            "keeps beside it."
        ) from error
    levels = len(columns[0]) if columns else 0
    names = {len(ONE): ONE, len(SEVERAL): SEVERAL}.get(levels)
    if names is None:
        raise LeadError(
            f"its columns have {counted(levels, 'level')}; DeepLabCut's have {len(ONE)}, or {len(SEVERAL)}."
        )
    width = len(rows[0]) if rows else 1
    blank = [""] * (width - 1)
    head = [[name, *blank, *(column[level] for column in columns)] for level, name in enumerate(names)]
    body = [[*row, *map(written, of_row)] for row, of_row in zip(rows, values, strict=True)]
    lines: list[Line] = list(enumerate([*head, *body], start=1))
    return parse_lines(lines, several=several)


def _table(file: Any) -> tuple[Keys, Keys, list[list[float]]]:
    """Keys of the columns and of the rows, and the values, of the file's one table."""
    groups = [group for group in file.values() if "pandas_type" in group.attrs]
    if len(groups) != 1:
        raise LeadError(f"{counted(len(groups), 'table')} in it, where {KEY!r} alone should be.")
    (group,) = groups
    kind = _text(group.attrs["pandas_type"])
    if kind == "frame_table":
        table = group["table"]
        columns = [tuple(map(str, key)) for key in _unpickled(table.attrs["values_block_0_kind"])]
        whole = table[()]
        if [name for name in whole.dtype.names or () if name not in ("index", "values_block_0")]:
            raise LeadError("its values are not all of one kind. Give the CSV that DeepLabCut keeps beside it.")
        return columns, [(key,) for key in _texts(whole["index"])], whole["values_block_0"].tolist()
    if kind != "frame":
        raise LeadError(f"it holds a {kind!r} of pandas, not a table.")
    columns, rows = _axis(group, "axis0"), _axis(group, "axis1")
    values = np.full((len(rows), len(columns)), np.nan)
    for block in range(int(group.attrs["nblocks"])):
        places = [columns.index(key) for key in _axis(group, f"block{block}_items")]
        block_values = group[f"block{block}_values"][()]
        values[:, places] = block_values if group[f"block{block}_values"].attrs["transposed"] else block_values.T
    return columns, rows, values.tolist()


def _axis(group: Any, name: str) -> Keys:
    """The keys of an axis of a stored frame."""
    if _text(group.attrs[f"{name}_variety"]) == "regular":
        return [(key,) for key in _texts(group[name][()])]
    count = int(group.attrs[f"{name}_nlevels"])
    levels = [_texts(group[f"{name}_level{i}"][()]) for i in range(count)]
    codes = [group[f"{name}_label{i}"][()].tolist() for i in range(count)]
    return [tuple(level[code] for level, code in zip(levels, key, strict=True)) for key in zip(*codes, strict=True)]


def _texts(values: Any) -> list[str]:
    return [_text(value) for value in values.tolist()]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class _Plain(pickle.Unpickler):
    """Unpickles texts, numbers, lists and tuples, and nothing that could run a program."""

    def find_class(self, module: str, name: str) -> Any:
        raise LeadError(f"it holds a pickled {module}.{name}, which is not loaded: it could run a program.")


def _unpickled(value: Any) -> Any:
    return _Plain(io.BytesIO(bytes(value))).load()


def dump(labels: Labels) -> bytes:
    """The bytes of a file that pandas and DeepLabCut read.

    Paths of three parts below ``labeled-data`` become an index of three levels, as DeepLabCut writes it; frames of one
    film become their numbers.
    """
    with needing("Tables in HDF5", "deeplabcut"):
        import pandas as pd
        import tables  # noqa: F401 - what pandas writes with
    images, columns, table = tabulated(labels)
    film = frames_of_one(images)
    parts = [tuple(image.split("/")) for image in images]
    index: Any = images
    if film:
        index = film[1]
    elif parts and all(len(path) == 3 and path[0] == FOLDER for path in parts):
        index = pd.MultiIndex.from_tuples(parts)
    keys = pd.MultiIndex.from_tuples(columns, names=header_of(columns))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.h5"
        pd.DataFrame(table, columns=keys, index=index).to_hdf(path, key=KEY, mode="w")
        return path.read_bytes()
