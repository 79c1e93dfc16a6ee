"""What exporting a model costs and gains: parity with the original, and eight bits beside float.

    python -m benchmarks.speed.export RUN DATASET [--points 5] [--labels 20] [--judged 200] [--results results]

Fits a head to a draw of labelled training pictures, exports it, checks it on 200 pictures of the dataset, and judges
both files by a draw of labelled test pictures. Writes ``results/benchmarks/export.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.measuring import drawn, keep
from lead import api
from lead.datasets import open_dataset
from lead.export.int8 import Quantised, to_int8
from lead.export.onnxfile import Parity, to_onnx
from lead.images.labels import save_labels


def table(parity: Parity, eight: Quantised) -> str:
    """Markdown."""
    assert eight.error is not None
    assert eight.float_error is not None
    assert parity.predict_mean is not None
    assert parity.predict_max is not None
    rows = {
        "float file: off the original, mean (px)": f"{parity.mean:.5f}",
        "float file: off the original, at most (px)": f"{parity.max:.5f}",
        "float file: off `lead predict`, mean (px)": f"{parity.predict_mean:.5f}",
        "float file: off `lead predict`, at most (px)": f"{parity.predict_max:.5f}",
        "8 bits: off the float file, mean (px)": f"{eight.mean:.2f}",
        "8 bits: off the float file, at most (px)": f"{eight.max:.2f}",
        "float file: off the labels, mean (px)": f"{eight.float_error:.2f}",
        "8 bits: off the labels, mean (px)": f"{eight.error:.2f}",
        "float file (MB)": f"{eight.float_size / 1e6:.1f}",
        "8 bits (MB)": f"{eight.size / 1e6:.1f}",
        "8 bits: times as fast, picture by picture": f"{eight.speed:.2f}",
        "8 bits: times as fast, in batches": f"{eight.speed_batch:.2f}",
    }
    return "\n".join(["| | |", "| --- | --: |", *(f"| {name} | {value} |" for name, value in rows.items())]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--points", default="5")
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--judged", type=int, default=200)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    data = open_dataset(chosen.dataset)
    labels = data.point_sets[chosen.points]
    train, test = ({data.files[i] for i in data.rows(split)} for split in ("train", "test"))
    model = api.fit(chosen.run, drawn(labels, train, chosen.labels), pictures=data.root).landmarker
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_labels(drawn(labels, test, chosen.judged), folder / "test.csv")
        parity = to_onnx(model, folder / "model.onnx", pictures=data.root).parity
        eight = to_int8(folder / "model.onnx", folder / "int8.onnx", data.root, labels=folder / "test.csv")
    found = {
        "labels": chosen.labels,
        "judged": chosen.judged,
        "parity": asdict(parity),
        "int8": asdict(eight) | {"path": eight.path.name},
    }
    keep("export", found, table(parity, eight), chosen.results)


if __name__ == "__main__":
    main()
