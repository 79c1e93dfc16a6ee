"""Measures: what is measured of each specimen, from a small file of YAML.

Each line names a measure, its kind and its landmarks; a ratio names two measures that stand above it::

    wing length: {distance: [base, tip]}
    wing width: {distance: [front, back]}
    slenderness: {ratio: [wing length, wing width]}
    corner: {angle: [base, notch, tip]}

The name of a curve stands for its points: a path along it, or the area in a closed one::

    rim: {path: outline}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lead.errors import LeadError, unknown
from lead.files import read_text
from lead.landmarks.model import Schema
from lead.morphometrics.kinds import KINDS, RATIO
from lead.reporting import counted

OF_CURVES = ("path", "area")
"""Kinds that may be of a curve."""
EXAMPLE = "wing length: {distance: [base, tip]}"


@dataclass(frozen=True)
class Measure:
    """Something to measure of each specimen.

    Attributes:
        name: its own.
        kind: of :data:`lead.morphometrics.kinds.KINDS`, or a ratio.
        of: names of landmarks; of a ratio, of two measures.
        where: the file and line that it stands in, for messages.
    """

    name: str
    kind: str
    of: tuple[str, ...]
    where: str = ""

    def power(self, others: Mapping[str, Measure]) -> int:
        """Of length that its value is in: 0 for an angle, 1 for a distance, 2 for an area."""
        if self.kind != RATIO:
            return KINDS[self.kind].power
        upper, lower = (others[name].power(others) for name in self.of)
        return upper - lower


def read_measures(path: Path, schema: Schema) -> tuple[Measure, ...]:
    """The measures of a file. See :func:`parse` for what is refused."""
    return parse(read_text(path), schema, str(path))


def parse(text: str, schema: Schema, file: str = "") -> tuple[Measure, ...]:
    """Measures from the text of a file.

    Args:
        text: the whole file.
        schema: of the landmarks that are measured.
        file: what messages call it.

    Raises:
        LeadError: it is no YAML, or a measure has an unknown kind, landmark or measure, or a wrong number of them; the
            message names the line, and the nearest name that there is.
    """
    found: dict[str, Measure] = {}
    for key, node in _entries(text, file):
        name, where = key.value.strip(), _where(file, key)
        if name in found:
            raise LeadError(f"{where}: {name!r} is named already in {found[name].where}. Give it another name.")
        measure = _measure(name, node, where, schema)
        _check(measure, schema, found)
        found[name] = measure
    return tuple(found.values())


def _entries(text: str, file: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The names of a file and what stands after each. They are taken as they are written: 01 and no are names, too."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise LeadError(f"{file}: {line}not valid YAML ({error.problem}).") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise LeadError(f"{file}: not valid YAML ({error}).") from None
    if not isinstance(root, yaml.MappingNode) or not root.value:
        raise LeadError(f"{file}: no measure in it. Each has a line, such as: {EXAMPLE}")
    for key, node in root.value:
        if not isinstance(key, yaml.ScalarNode) or not key.value.strip():
            raise LeadError(f"{_where(file, key)}: a measure begins with its name, as in: {EXAMPLE}")
        yield key, node


def _where(file: str, node: yaml.Node) -> str:
    return f"{file}, line {node.start_mark.line + 1}"


def _measure(name: str, node: yaml.Node, where: str, schema: Schema) -> Measure:
    """One measure, of which only the form is checked, and the curve if it is of one."""
    if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
        kind, of = node.value[0]
        if isinstance(kind, yaml.ScalarNode) and isinstance(of, yaml.ScalarNode) and kind.value.strip() in OF_CURVES:
            along = _along(of.value.strip(), kind.value.strip(), schema, f"{where}: {name!r}")
            return Measure(name, kind.value.strip(), along, where)
        if isinstance(kind, yaml.ScalarNode) and isinstance(of, yaml.SequenceNode):
            names = [one.value.strip() for one in of.value if isinstance(one, yaml.ScalarNode)]
            if len(names) == len(of.value):
                return Measure(name, kind.value.strip(), tuple(names), where)
    raise LeadError(f"{where}: after {name!r} stand a kind and its landmarks in brackets, as in: {EXAMPLE}")


def _along(name: str, kind: str, schema: Schema, where: str) -> tuple[str, ...]:
    """The points of a curve, as a path or an area takes them."""
    curves = {curve.name: curve for curve in schema.curves}
    if name not in curves:
        raise LeadError(f"{where}: {unknown('curve', name, curves)} Landmarks stand in brackets, as in: {EXAMPLE}")
    curve = curves[name]
    if kind == "area" and not curve.closed:
        raise LeadError(
            f"{where}: curve {name!r} is open, and an area needs a closed one. Close it, or name corners in brackets."
        )
    return (*curve.points, curve.points[0]) if kind == "path" and curve.closed else curve.points


def _check(measure: Measure, schema: Schema, above: Mapping[str, Measure]) -> None:
    where = f"{measure.where}: {measure.name!r}"
    if measure.kind == RATIO:
        if len(measure.of) != 2:
            raise LeadError(f"{where}: a ratio is of two measures, and this names {len(measure.of)}.")
        _known("measure above it", measure.of, above, where)
        return
    if measure.kind not in KINDS:
        raise LeadError(f"{where}: {unknown('kind of measure', measure.kind, (*KINDS, RATIO))}")
    _known("landmark", measure.of, schema.names, where)
    kind, count = KINDS[measure.kind], len(measure.of)
    if not kind.least <= count <= (kind.most or count):
        raise LeadError(f"{where}: {measure.kind} is written {kind.says}, and this has {counted(count, 'landmark')}.")
    steps = list(zip(measure.of[:-1], measure.of[1:], strict=True))
    for one, other in steps[::2] if measure.kind == "angle" and count == 4 else steps:
        if one == other:
            raise LeadError(f"{where}: {one!r} stands twice in a row. Take one of them out.")
    if measure.kind != "path" and len(set(measure.of)) < min(count, 3):
        raise LeadError(f"{where}: it takes {min(count, 3)} different landmarks, and has {len(set(measure.of))}.")


def _known(what: str, names: Sequence[str], there: Sequence[str] | Mapping[str, object], where: str) -> None:
    for name in names:
        if name not in there:
            raise LeadError(f"{where}: {unknown(what, name, there)}")
