"""What a training writes down as it goes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from lead.files import write_atomic


class Log:
    """``metrics.jsonl`` and TensorBoard of a run. Records past the step that a stage resumes from are dropped."""

    def __init__(self, folder: Path, stage: str, start: int) -> None:
        self.path = folder / "metrics.jsonl"
        self.stage = stage
        kept = []
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:  # the line a kill cut short
                    continue
                if record["stage"] != stage or record["step"] <= start:
                    kept.append(line + "\n")
            write_atomic(self.path, "".join(kept), overwrite=True)
        # A folder for each stage: a purge in one would erase the other's curves.
        purge = start + 1 if start else None
        self.board = SummaryWriter(str(folder / "tensorboard" / stage), purge_step=purge)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": self.stage, "step": step, **values}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def close(self) -> None:
        self.board.close()
