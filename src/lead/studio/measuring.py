"""Scales and measures that are made in the page: two small files beside the label file, as ``lead measure`` reads."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Sequence

import numpy as np
import yaml

from lead.errors import LeadError, unknown
from lead.files import read_text, write_atomic
from lead.landmarks import scales
from lead.landmarks.fields import read_table
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.naming import matched
from lead.landmarks.scales import Scale
from lead.morphometrics.kinds import KINDS, RATIO
from lead.morphometrics.measures import Measure, parse
from lead.morphometrics.measuring import Table, measure, specimen_numbers
from lead.reporting import counted
from lead.studio.book import LabelBook
from lead.studio.measure_messages import (
    MeasuredValue,
    MeasureKind,
    Measurements,
    NewMeasure,
    PictureScale,
    ScaleLine,
)

SCALES, MEASURES = "scales.csv", "measures.yaml"
SAME = 1e-9
"""Scales that differ by a smaller share are the same."""
_PLAIN = re.compile(r"[^\W\d][\w ]*\w|[^\W\d]")
"""A name that YAML takes as it stands."""
_RATIO = MeasureKind(kind=RATIO, says="[measure, measure]", least=2, most=2)


class Measuring:
    """The scales and measures of a folder. Every method may be called from any thread.

    Both files are read anew each time, so that what another program writes into them is heeded.
    """

    def __init__(self, book: LabelBook) -> None:
        self._book, self._writing = book, threading.Lock()
        self.scale_file, self.measure_file = (book.file.parent / name for name in (SCALES, MEASURES))

    def of(self, id: str) -> Measurements:
        """What is measured in a picture. Raises :class:`LeadError` if a file is wrong, or there is no such picture."""
        file = self._book.folder.file_of(id)
        known = self._known()
        measures = self.measures()
        labels = self._labels()
        table = self._table(labels.take(row for row, image in enumerate(labels.images) if image == file), measures)
        own = known.get(file)
        return Measurements(
            scale=None if own is None else PictureScale(mm=own.x, source=own.source),
            scaled=len(known),
            doubts=scales.doubts(known, known),
            measures=[NewMeasure(name=one.name, kind=one.kind, of=list(one.of)) for one in measures],
            kinds=[_kind(name) for name in KINDS] + [_RATIO],
            values=[] if table is None else _values(table),
            scale_file=str(self.scale_file),
            measure_file=str(self.measure_file),
        )

    def export(self) -> str:
        """The table that ``lead measure`` makes of the labels. Raises :class:`LeadError` if there is nothing for it."""
        labels, measures = self._labels(), self.measures()
        if not measures:
            raise LeadError("Nothing is measured yet. Name a measure, and the landmarks that it is of.")
        table = self._table(labels, measures)
        if table is None:
            raise LeadError("Nothing is labelled yet.")
        return "".join(table.dump())

    def scales(self) -> dict[str, Scale]:
        """Of the file; none if there is none."""
        return scales.parse(read_text(self.scale_file), str(self.scale_file)) if self.scale_file.exists() else {}

    def measures(self) -> tuple[Measure, ...]:
        """Of the file; none if there is none."""
        text = read_text(self.measure_file) if self.measure_file.exists() else ""
        lines = [line.strip() for line in text.splitlines()]
        if not any(line and not line.startswith("#") for line in lines):
            return ()
        return parse(text, self._book.contents.labels.schema, str(self.measure_file))

    def _labels(self) -> Labels:
        """Those of specimens with a landmark."""
        labels = self._book.contents.labels
        return labels.take(np.flatnonzero((labels.visible > UNLABELLED).any(1)).tolist())

    def _table(self, labels: Labels, measures: Sequence[Measure]) -> Table | None:
        if not len(labels) or not measures:
            return None
        # With a scale for others, this picture's lengths are blank and not in pixels, as in the exported table.
        return measure(labels, measures, self._known())

    def _known(self) -> dict[str, Scale]:
        """The scales of the folder's pictures."""
        present = self.scales()
        return scales.of_pictures(present, self._book.folder.listing.files) if present else {}

    # --- changes

    def draw_scale(self, id: str, line: ScaleLine) -> None:
        """Gives pictures the scale of a line that was drawn over one of them.

        Raises:
            LeadError: the line or its length is nothing, or a picture has another scale and ``replace`` is not given.
        """
        folder = self._book.folder
        pixels = math.hypot(line.x2 - line.x1, line.y2 - line.y1)
        if pixels == 0:
            raise LeadError("The line begins and ends in one place. Draw it from one mark of the ruler to another.")
        if not line.length > 0:
            raise LeadError(f"The line's length is {line.length:g} {line.unit}: it must be more than 0.")
        file = folder.file_of(id)
        made = Scale.square(
            line.length * scales.millimetres(line.unit) / pixels,
            source=f"line of {line.length:g} {line.unit} in {file}",
        )
        files = folder.listing.files if line.pictures is None else [folder.file_of(one) for one in line.pictures]
        with self._writing:
            present = self.scales()
            self._check_columns()
            # The table may call them a little differently, and goes on to.
            name_of = {file: name for name, file in matched(present, files).items()}
            other = [one for one in files if one in name_of and not _same(present[name_of[one]], made)]
            if other and not line.replace:
                first = present[name_of[other[0]]]
                raise LeadError(
                    f"{counted(len(other), 'picture has another scale', 'pictures have another scale')} already, the "
                    f"first is {other[0]!r} with {first.x:g} mm a pixel ({first.source}). Say that they are to be "
                    "replaced, or choose other pictures."
                )
            for one in files:
                present[name_of.get(one, one)] = made
            write_atomic(self.scale_file, scales.dump(present), overwrite=True)

    def _check_columns(self) -> None:
        """Raises :class:`LeadError` where a table holds more than would be written again."""
        if not self.scale_file.exists():
            return
        _, lines = read_table(read_text(self.scale_file), str(self.scale_file), [scales.COLUMNS[0]])
        more = [name for _, said in lines[:1] for name in said if name not in (*scales.COLUMNS, scales.INVERSE)]
        if more:
            raise LeadError(
                f"{self.scale_file}: its column {more[0]!r} would be lost. Take it out, or write the scale "
                "into the table yourself."
            )

    def add(self, new: NewMeasure) -> None:
        """Adds a measure at the end of the file; all that stands there stays, comments too.

        Raises:
            LeadError: it is no measure, or its name is taken; the message names the line.
        """
        entry = f"{_written(new.name.strip())}: {{{new.kind}: [{', '.join(_written(one) for one in new.of)}]}}\n"
        if new.kind not in (*KINDS, RATIO):
            raise unknown("kind of measure", new.kind, (*KINDS, RATIO))
        with self._writing:
            text = read_text(self.measure_file) if self.measure_file.exists() else ""
            self._keep(text + ("" if not text or text.endswith("\n") else "\n") + entry)

    def remove(self, name: str) -> None:
        """Takes a measure's lines out of the file.

        Raises:
            LeadError: there is none of this name, another one is a ratio of it, or it does not have lines of its own.
        """
        with self._writing:
            text = read_text(self.measure_file) if self.measure_file.exists() else ""
            found = {one.name: one for one in self.measures()}
            if name not in found:
                raise unknown("measure", name, found)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            assert root is not None  # it was read a moment ago
            nodes = [(key, value) for key, value in root.value if key.value.strip() == name]
            (first, last), lines = nodes[0], text.splitlines(keepends=True)
            # A block ends where the next line begins.
            end = last.end_mark.line + (last.end_mark.column > 0)
            own = range(first.start_mark.line, end)
            if first.start_mark.column or any(key is not first and key.start_mark.line in own for key, _ in root.value):
                raise LeadError(f"{self.measure_file}: {name!r} does not stand in lines of its own. Edit the file.")
            rest = "".join(lines[: own.start] + lines[own.stop :])
            try:
                if len(found) > 1:
                    parse(rest, self._book.contents.labels.schema)
            except LeadError as error:
                raise LeadError(f"{name!r} cannot be taken out alone: {error}") from None
            write_atomic(self.measure_file, rest, overwrite=True)

    def _keep(self, text: str) -> None:
        parse(text, self._book.contents.labels.schema, str(self.measure_file))
        write_atomic(self.measure_file, text, overwrite=True)


def _same(one: Scale, other: Scale) -> bool:
    return all(math.isclose(a, b, rel_tol=SAME) for a, b in ((one.x, other.x), (one.y, other.y)))


def _kind(name: str) -> MeasureKind:
    kind = KINDS[name]
    return MeasureKind(kind=name, says=kind.says, least=kind.least, most=kind.most)


def _written(name: str) -> str:
    """A name as YAML has it."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _values(table: Table) -> list[MeasuredValue]:
    numbers = specimen_numbers(table.labels)

    def known(value: float) -> float | None:
        return float(value) if math.isfinite(value) else None

    return [
        MeasuredValue(
            specimen=numbers[row],
            name=one.name,
            value=known(table.values[row, m]),
            unit=table.units[m],
            error=known(table.errors[row, m]),
            note=table.notes[row][m],
        )
        for row in range(len(table.labels))
        for m, one in enumerate(table.measures)
    ]
