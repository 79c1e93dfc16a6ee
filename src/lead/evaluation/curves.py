"""Reading back what training logged: one JSON record a line."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from lead.errors import LeadError

Series = tuple[list[int], list[float]]
"""Steps, rising, and the value at each."""


def read_metrics(path: Path) -> dict[str, Series]:
    """The curves in a metrics log.

    A record is an object with a whole ``step``, perhaps a ``stage``, and numbers, for instance
    ``{"step": 12, "stage": "distill", "loss": 0.3, "lr": 0.001}``. A run that was resumed logs some steps twice;
    the later record counts. A last line cut short by a kill is left out.

    Returns:
        Curves by name: ``"distill/loss"``, or ``"loss"`` where records name no stage.

    Raises:
        LeadError: there is no such file.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as problem:
        raise LeadError(f"Cannot read the metrics log {path}: {problem.strerror}. Has the run begun?") from None
    curves: dict[str, dict[int, float]] = {}
    broken: list[int] = []
    *finished, unfinished = text.split("\n")  # a finished line ends in a newline; what follows the last one may be cut
    for number, line in enumerate([*finished, unfinished], start=1):
        record = _parse(line)
        if record is None:
            if line.strip() and number <= len(finished):
                broken.append(number)
            continue
        step, values = record
        for name, value in values.items():
            curves.setdefault(name, {})[step] = value
    if broken:
        shown = ", ".join(map(str, broken[:5])) + (" …" if len(broken) > 5 else "")
        warnings.warn(f"{path}: left out {len(broken)} unreadable line(s): {shown}.", stacklevel=2)
    return {name: (sorted(curve), [curve[step] for step in sorted(curve)]) for name, curve in curves.items()}


def _parse(line: str) -> tuple[int, dict[str, float]] | None:
    """The step of a record and its values by curve name, or None where the line holds no record."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or type(record.get("step")) is not int:
        return None
    prefix = f"{record['stage']}/" if "stage" in record else ""
    numbers = {k: float(v) for k, v in record.items() if k != "step" and type(v) in (int, float)}
    return record["step"], {prefix + name: value for name, value in numbers.items()}
