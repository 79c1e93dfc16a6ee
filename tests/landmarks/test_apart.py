"""Files that no ``except`` is a match for: the library that reads them hangs, crashes, or takes all the memory."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import fields

import numpy as np
import pytest
from mangling import written

from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.landmarks.apart import SECONDS, _answered, _labels, _Reader
from lead.landmarks.formats import format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.model import Places

HANGS_ONCE = """
import time
from lead.landmarks import apart, hdf
read = hdf.parse
hdf.parse = lambda data, **more: time.sleep(1000) if data == b"hang" else read(data, **more)
apart.main()
"""


def test_a_file_that_hangs_the_library_is_refused_and_the_next_is_read() -> None:
    reader = _Reader([sys.executable, "-c", HANGS_ONCE], seconds=2.0)
    with pytest.raises(LeadError, match=r"the file is damaged: .* was not done after 2 seconds"):
        reader.ask("hdf", b"hang")
    reader.seconds = SECONDS
    assert len(reader.ask("hdf", written(format_named("deeplabcut-h5"))[0])) == 3


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.abort()", "broke down"),
        ("import sys; sys.stdin.buffer.readline(); sys.stdout.write('{')", "broke down"),
        ("import time; time.sleep(1000)", "was not done after 0 seconds"),
    ],
)
@pytest.mark.parametrize("size", [10, 2**20])  # more than a pipe holds: the writing too must come to an end
def test_a_reader_that_does_not_come_back(program: str, message: str, size: int) -> None:
    reader = _Reader([sys.executable, "-c", program], seconds=0.4, seconds_a_megabyte=0.0)
    for _ in range(2):
        with pytest.raises(LeadError, match=message):
            reader.ask("hdf", bytes(size))


def test_an_answer_says_all_of_the_labels() -> None:
    labels = Labels(
        Schema(("a", "b"), (("a", "b"),), (("b", "a"),)),
        ("1.png", "2.png", "1.png", "3.png"),
        np.arange(16.0).reshape(4, 2, 2),
        np.array([[2, 1], [0, 2], [2, 2], [0, 0]], dtype=np.int8),
        np.array([[0.5, np.nan], [np.nan, np.nan], [0.25, 1], [np.nan, np.nan]]),
        places=Places(left_out="3 things"),
        predicted=np.array([[1, 1], [0, 1], [1, 1], [0, 0]], dtype=bool),
        sizes=np.array([[9, 8], [0, 0], [9, 8], [7, 7]]),
        tracks=("Ann", "Ann", "", ""),
        boxes=np.array([[1, 2, 3.5, 4], [np.nan] * 4, [0, 0, 9, 8], [np.nan] * 4]),
        likely=np.array([0.5, np.nan, 1, np.nan]),
        complete=frozenset({"1.png", "3.png"}),
    )
    again = _labels(json.loads(json.dumps(_answered(labels))))
    for field in fields(Labels):
        said, kept = getattr(labels, field.name), getattr(again, field.name)
        if isinstance(said, np.ndarray):
            np.testing.assert_array_equal(kept, said, err_msg=field.name)
        else:
            assert kept == said, field.name


def test_a_request_says_whether_pictures_may_show_several() -> None:
    program = (
        "from lead.errors import LeadError\nfrom lead.landmarks import apart, hdf\n"
        "def parse(data, several=False):\n    raise LeadError(f'several: {several}')\n"
        "hdf.parse = parse\napart.main()\n"
    )
    reader = _Reader([sys.executable, "-c", program])
    for several in (True, False):
        with pytest.raises(LeadError, match=f"^several: {several}$"):
            reader.ask("hdf", b"", several=several)


def test_memory_has_an_end() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux keeps to a limit of memory")
    program = "from lead.landmarks import apart, hdf\nhdf.parse = lambda data, **_: bytearray(2**36)\napart.main()\n"
    reader = _Reader([sys.executable, "-c", program])
    with pytest.raises(LeadError, match=r"it cannot be read \(MemoryError"):
        reader.ask("hdf", b"")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_has_its_own_reader() -> None:
    data = written(format_named("deeplabcut-h5"))[0]
    parse_labels(data, "x")
    child = os.fork()
    if child == 0:
        try:
            os._exit(len(parse_labels(data, "x")[0]))
        finally:
            os._exit(99)
    assert len(parse_labels(data, "x")[0]) == 3
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
