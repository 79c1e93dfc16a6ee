"""Files of measures, and what is told of those that are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.landmarks.curves import Curve
from lead.morphometrics.measures import Measure, parse, read_measures
from lead.morphometrics.measuring import measure

SCHEMA = Schema(("base", "tip", "notch", "1", "01", "no"))
LENGTH = "wing length: {distance: [base, tip]}\n"


def test_a_file_as_people_write_it(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(
        f"# of the wing\n{LENGTH}corner:\n  angle: [base, notch, tip]\n\nno: {{path: [1, 01, no]}}\n"
        "share: {ratio: [wing length, no]}\nhinge: {angle: [base, tip, tip, notch]}\n"
    )
    found = read_measures(tmp_path / "m.yaml", SCHEMA)
    assert [(m.name, m.kind, m.of) for m in found] == [
        ("wing length", "distance", ("base", "tip")),
        ("corner", "angle", ("base", "notch", "tip")),
        ("no", "path", ("1", "01", "no")),
        ("share", "ratio", ("wing length", "no")),
        ("hinge", "angle", ("base", "tip", "tip", "notch")),
    ]
    assert found[3].where.endswith("m.yaml, line 7")


def test_a_ratio_is_in_the_power_that_is_left() -> None:
    a, b = Measure("a", "area", ()), Measure("b", "distance", ())
    known = {"a": a, "b": b, "c": Measure("c", "ratio", ("a", "b"))}
    assert [m.power(known) for m in known.values()] == [2, 1, 1]
    assert Measure("d", "ratio", ("c", "b")).power(known) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LENGTH + "x: {distance: [base, tpi]}", r"m, line 2: 'x': Unknown landmark 'tpi'\. Did you mean 'tip'\?"),
        ("x: {distnace: [base, tip]}", r"m, line 1: 'x': Unknown kind of measure 'distnace'\. Did you mean 'distance'"),
        (
            LENGTH + "x: {ratio: [wing lenght, wing length]}",
            r"line 2: 'x': Unknown measure above it 'wing lenght'\. Did",
        ),
        ("x: {ratio: [wing length, wing length]}\n" + LENGTH, r"line 1: 'x': Unknown measure above it"),
        (LENGTH + "x: {ratio: [wing length]}", r"line 2: 'x': a ratio is of two measures, and this names 1"),
        ("x: {distance: [base]}", r"line 1: 'x': distance is written \[from, to\], and this has 1 landmark\."),
        ("x: {angle: [base, tip]}", r"angle is written \[end, corner, end\], or .* and this has 2 landmarks"),
        ("x: {from_line: [base, tip]}", r"from_line is written \[point, from, to\]"),
        ("x: {distance: [base, base]}", r"line 1: 'x': 'base' stands twice in a row"),
        ("x: {angle: [base, tip, notch, notch]}", r"line 1: 'x': 'notch' stands twice in a row"),
        ("x: {angle: [base, tip, base]}", r"line 1: 'x': it takes 3 different landmarks, and has 2"),
        (LENGTH + LENGTH, r"m, line 2: 'wing length' is named already in m, line 1"),
        ("x: [base, tip]", r"line 1: after 'x' stand a kind and its landmarks in brackets"),
        ("x: {distance: base}", r"line 1: after 'x' stand a kind"),
        ("x: {distance: [base, [tip]]}", r"line 1: after 'x' stand a kind"),
        ("- x", r"m: no measure in it"),
        ("", r"m: no measure in it"),
        ("x: {distance: [base, tip", r"m: line 1: not valid YAML"),
        ("? [a]\n: {distance: [base, tip]}", r"line 1: a measure begins with its name"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_nearest_name(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        parse(text, SCHEMA, "m")


CURVED = Schema(
    tuple("abcdef"), curves=(Curve("back", ("a", "d", "b")), Curve("eye", ("c", "e", "f", "a"), closed=True))
)


def test_a_curve_s_name_stands_for_its_points() -> None:
    open_path, ring, within = parse("x: {path: back}\ny: {path: eye}\nz: {area: eye}", CURVED, "m")
    assert open_path.of == ("a", "d", "b")
    assert ring.of == ("c", "e", "f", "a", "c")
    assert within.of == ("c", "e", "f", "a")
    square = np.array([[[3, 4], [9, 9], [0, 0], [8, 8], [3, 0], [3, 4]]], dtype=float)
    square[0, [2, 4, 5, 0]] = [[0, 0], [3, 0], [3, 4], [0, 4]]
    table = measure(Labels.from_xy(CURVED, ["1.png"], square), (ring, within), {})
    np.testing.assert_allclose(table.values, [[14, 12]])  # of a rectangle of 3 by 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x: {path: bakc}", r"m, line 1: 'x': Unknown curve 'bakc'\. Did you mean 'back'\? .*in brackets"),
        ("x: {area: back}", r"m, line 1: 'x': curve 'back' is open, and an area needs a closed one"),
        ("x: {distance: back}", r"m, line 1: after 'x' stand a kind and its landmarks in brackets"),
    ],
)
def test_curves_that_cannot_be_measured_so_are_told(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        parse(text, CURVED, "m")
