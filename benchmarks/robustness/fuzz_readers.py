"""Every reader of what a user may bring, under a fuzzer that is led by coverage: nothing but our own error may escape.

    python -m benchmarks.robustness.fuzz_readers [--seconds 600] [--reader NAME ...] [--results results]

Needs atheris (libFuzzer for Python), which is not in any extra: ``pip install atheris``. Each reader has a process of
its own, which begins with files that are right. Of what the fuzzer makes, half is taken as the file itself, and half
says how a good file is spoilt (``tests/landmarks/mangling.py``, by way of hypothesis), so that much of it gets past
the first checks. A reader also fails that takes more than 20 seconds over a file, or more than 2 GB.

Formats in HDF5 are read in a process of their own, for its library can hang or crash. Here that library runs within the
fuzzer, which is led by coverage so: a file that stops it is kept, and given to the reader as a user would. Where that
answers as it should, the file is *held*, and the run goes on; else it is a failure, and ends the reader's run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "landmarks"))
HALF = 128
"""A first byte below this stands before a file, any other before what says how a good file is spoilt."""
LONGEST = 2**16
PROJECT = b"""scorer: Ann
multianimalproject: false
bodyparts:
- snout
- tail
skeleton:
- - snout
  - tail
"""


def readers() -> dict[str, tuple[Callable[[bytes], object], Any]]:
    """What each reader makes of a file, and the strategy of spoilt files."""
    import mangling
    from hypothesis import strategies as st

    from lead import config, config_text
    from lead.landmarks import deeplabcut_project
    from lead.landmarks.format import Format
    from lead.landmarks.formats import WRITTEN, format_named
    from lead.studio.document import Document

    def labels_of(known: Format) -> Callable[[bytes], object]:
        return lambda data: mangling.survives(data, known)

    def project(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.yaml").write_bytes(data)
            return deeplabcut_project.read_config(Path(folder) / "config.yaml")

    def settings(data: bytes) -> object:
        return config.check(config_text.parse(data.decode(errors="replace"), "settings.yaml"), "settings.yaml")

    spoilt: dict[str, tuple[Callable[[bytes], object], Any]] = {
        known.name: (labels_of(known), mangling.mangled(known)) for known in WRITTEN
    }
    book = format_named("coco")
    written = config.to_yaml(config.load_preset("small")).encode()
    return spoilt | {
        "deeplabcut-project": (project, mangling.spoilt_text(st.just(PROJECT))),
        "studio": (Document.parse, mangling.mangled(book)),
        "settings": (settings, mangling.spoilt_text(st.just(written))),
    }


def targets(name: str) -> tuple[Callable[[bytes], None], Callable[[bytes], object]]:
    """Functions of bytes that raise what a reader should not: of the file itself, and of how a good one is spoilt."""
    from hypothesis import HealthCheck, given, settings

    from lead.errors import LeadError

    read, strategy = readers()[name]

    def survive(data: bytes) -> None:
        with suppress(LeadError):
            read(data)

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=strategy)
    def spoilt(data: bytes) -> None:
        survive(data)

    one: Callable[[bytes], object] = spoilt.hypothesis.fuzz_one_input  # type: ignore[attr-defined]
    return survive, one


def fuzz(name: str, corpus: Path, arguments: list[str]) -> None:
    """Runs one reader for as long as libFuzzer's arguments say; never returns."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["lead"]):
        survive, spoilt = targets(name)
        from lead.landmarks import hdf, io, sleap

    readers = {"hdf": hdf.parse, "sleap": sleap.parse}
    setattr(io, "read_apart", lambda kind, data: readers[kind](data))  # noqa: B010 - mypy refuses the plain way
    atheris.Setup([sys.argv[0], str(corpus), *arguments], lambda data: _either(data, survive, spoilt))
    atheris.Fuzz()


def _either(data: bytes, survive: Callable[[bytes], None], spoilt: Callable[[bytes], object]) -> None:
    if data[:1] < bytes([HALF]):
        survive(data[1:])
    else:
        spoilt(data[1:])


def once(name: str, file: str) -> None:
    """Gives a file that the fuzzer kept to a reader, as a user would; raises what it should not raise."""
    _either(Path(file).read_bytes(), *targets(name))


def measured(name: str, seconds: float, kept: Path) -> dict[str, Any]:
    """What became of one reader."""
    found: dict[str, Any] = {"reader": name, "seconds": 0.0, "files": 0, "edges": 0, "held": 0, "failures": 0}
    with tempfile.TemporaryDirectory() as folder:
        seed(name, Path(folder))
        while (left := seconds - found["seconds"]) > 1 and not found["failures"]:
            before = set(kept.iterdir())
            begun = time.monotonic()
            number = found["held"] + 1
            arguments = [f"-max_total_time={left:.0f}", f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=2048"]
            arguments += ["-print_final_stats=1", f"-seed={number}", f"-artifact_prefix={kept}/{name}-"]
            done = _run("--fuzz", name, folder, *arguments)
            found["seconds"] += time.monotonic() - begun
            log = done.stderr + done.stdout
            (kept / f"{name}-{number}.log").write_text(log, encoding="utf-8")
            runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", log) or re.findall(r"#(\d+)", log) or [0]
            found["files"] += int(runs[-1])
            found["edges"] = max([found["edges"], *map(int, re.findall(r"cov: (\d+)", log))])
            if done.returncode:
                stopped = [path for path in set(kept.iterdir()) - before if path.suffix != ".log"]
                held = stopped and all(_run("--once", name, str(path)).returncode == 0 for path in stopped)
                found["held" if held else "failures"] += 1
    return found


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.robustness.fuzz_readers", *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def seed(name: str, corpus: Path) -> None:
    """Writes the files that a reader's fuzzer begins with."""
    import mangling

    from lead import config
    from lead.landmarks.formats import WRITTEN, format_named

    good = {known.name: mangling.written(known) for known in WRITTEN} | {
        "deeplabcut-project": [PROJECT],
        "studio": mangling.written(format_named("coco")),
        "settings": [config.to_yaml(config.load_preset(preset)).encode() for preset in config.presets()],
    }
    for number, data in enumerate(good[name]):
        (corpus / f"good-{number}").write_bytes(b"\0" + data)


def main() -> None:
    if sys.argv[1:2] == ["--once"]:
        once(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["--fuzz"]:
        name, corpus, *arguments = sys.argv[2:]
        fuzz(name, Path(corpus), arguments)
    # Not above, for they import what is to be instrumented.
    from benchmarks.measuring import keep, table
    from lead.provenance import commit

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--reader", action="append", choices=list(readers()))
    parser.add_argument("--kept", type=Path, default=Path("fuzz"), help="folder for logs and files that fail")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    options.kept.mkdir(parents=True, exist_ok=True)
    there = options.results / "benchmarks" / "fuzz-readers.json"
    known = json.loads(there.read_text(encoding="utf-8"))["readers"] if there.is_file() else []
    rows = {row["reader"]: row for row in known}  # of the readers that are not asked for, what was found before
    for name in options.reader or readers():
        rows[name] = {**measured(name, options.seconds, options.kept), "commit": commit()}
        print(rows[name], flush=True)
    found = [rows[name] for name in readers() if name in rows]
    columns = {
        "reader": ("Reader", "{}"),
        "seconds": ("Seconds", "{:.0f}"),
        "files": ("Files", "{:,}"),
        "edges": ("Edges covered", "{:,}"),
        "held": ("Held", "{}"),
        "failures": ("Failures", "{}"),
    }
    keep("fuzz-readers", {"readers": found}, table(columns, found), options.results)


if __name__ == "__main__":
    main()
