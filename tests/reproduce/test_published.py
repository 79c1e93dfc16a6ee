"""The paper's numbers, against what its tables print, typed here a second time."""

from __future__ import annotations

import pytest

from lead.reproduce.published import NUMBERS, Key

PRINTED: list[tuple[Key, float]] = [
    (("table1", "dve", 64, None, "peers-same"), 0.92),
    (("table1", "byol+nmf", 64, None, "peers-different"), 5.74),
    (("table1", "byol+alignment", 256, None, "peers-same"), 0.48),
    (("table1", "moco+projector", 256, None, "peers-different"), 2.06),
    (("table1", "moco", None, None, "peers-different"), 6.16),
    (("table1", "byol", None, None, "peers-different"), 3.06),
    (("table2", "dve", 64, "all", "mafl"), 2.86),
    (("table2", "moco", None, "all", "300w"), 5.22),
    (("table2", "byol", None, "all", "aflw-m"), 6.23),
    (("table2", "byol", None, "all", "aflw-r"), 5.65),
    (("table3", "byol+alignment, no head", 64, None, "peers-different"), 2.79),
    (("table3", "byol+alignment, head 64", 64, None, "peers-same"), 0.51),
    (("table3", "byol+alignment, head 256", 128, None, "peers-same"), 0.47),
    (("table3", "byol+alignment, head 256", 256, None, "peers-different"), 2.50),
    (("table4", "moco+projector", 64, "all", "mafl"), 2.77),
    (("table4", "byol+alignment", 128, "all", "aflw-r"), 6.21),
    (("table4", "byol+alignment", 256, "all", "aflw-m"), 6.51),
    (("table4", "moco+projector", 256, "all", "300w"), 4.99),
    (("table5", "dve", 64, 1, "aflw-m"), 14.23),
    (("table5", "dve", 64, 100, "aflw-m"), 11.88),
    (("table5", "byol+alignment", 64, 1, "aflw-m"), 21.8),
    (("table5", "byol+alignment", 64, 5, "aflw-m"), 13.34),
    (("table5", "moco+projector", 128, 5, "aflw-m"), 18.66),
    (("table5", "byol+alignment", 256, 100, "aflw-m"), 8.56),
    (("table5", "moco", None, 1, "aflw-m"), 42.69),
    (("table5", "byol", None, 100, "aflw-m"), 8.09),
    (("table6", "moco+projector", 64, "all", "aflw-m"), 7.86),
    (("table6", "moco+alignment", 256, "all", "aflw-m"), 6.69),
    (("table6", "byol+projector", 128, "all", "aflw-m"), 7.86),
    (("table6", "byol+alignment", 64, "all", "aflw-m"), 6.61),
]


@pytest.mark.parametrize(("key", "value"), PRINTED)
def test_a_number_is_the_papers(key: Key, value: float) -> None:
    assert NUMBERS[key] == value


def test_every_cell_of_the_tables_is_there() -> None:
    """Table 2 for the methods that are reproduced; the others whole."""
    counts = {table: sum(key[0] == table for key in NUMBERS) for table in {key[0] for key in NUMBERS}}
    assert counts == {"table1": 18, "table2": 12, "table3": 10, "table4": 28, "table5": 54, "table6": 12}
