"""Files of records that only grow."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.journal import Journal, read_header, read_records

HEADER = {"of": "a test"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Journal(tmp_path / "journal", HEADER) as journal:
        for number in range(5):
            journal.append({"number": number, "text": "ü\n" * number})
    return tmp_path / "journal"


def numbers(path: Path) -> list[int]:
    return [record["number"] for record in read_records(path)]


def test_each_line_is_a_record_and_its_checksum(path: Path) -> None:
    for line in path.read_bytes().splitlines():
        checksum, text = line.split(b" ", 1)
        assert int(checksum, 16) == zlib.crc32(text)
        assert json.loads(text)
    assert (read_header(path), numbers(path)) == (HEADER, [0, 1, 2, 3, 4])


def test_it_goes_on_after_the_last_whole_record_wherever_it_was_cut(path: Path) -> None:
    whole = path.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, HEADER) as journal:
            assert not journal.replaced
            journal.append({"number": 9})
        assert numbers(path) == [*range(sum(end <= cut for end in ends[1:])), 9]


def test_what_belongs_to_something_else_is_begun_anew(path: Path) -> None:
    with Journal(path, {"of": "another"}) as journal:
        assert journal.replaced
    assert (read_header(path), numbers(path)) == ({"of": "another"}, [])


def test_the_last_records_are_dropped_where_that_is_asked(path: Path) -> None:
    with Journal(path, HEADER) as journal:
        journal.keep(3)
        journal.append({"number": 7})
    assert numbers(path) == [0, 1, 2, 7]


def test_one_process_at_a_time_has_it(path: Path) -> None:
    with Journal(path, HEADER), pytest.raises(LeadError, match="Another process is at work"):
        Journal(path, HEADER)
    Journal(path, HEADER).close()


def test_an_empty_one_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "absent"):
        assert read_header(tmp_path / name) is None
        assert list(read_records(tmp_path / name)) == []
