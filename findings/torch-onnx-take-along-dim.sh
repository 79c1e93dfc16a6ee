#!/usr/bin/env bash
# PyTorch 2.14.1 with onnxscript 0.7.2 and ONNX Runtime 1.32.0: torch.take_along_dim where the batch is to stay open.
#
# An index of one entry along its other dimensions is broadcast by take_along_dim, which is documented. Exported with
# torch.onnx.export(dynamo=True) and a batch that dynamic_shapes names, the model is written without a complaint, but its
# batch is that of the example: ONNX Runtime refuses any other. With the same index expanded by hand and gather in place
# of take_along_dim, the batch stays open.
#
# Seen:
#   take_along_dim: input [2, 3, 4], a batch of 2 (2, 4), a batch of 5 refused
#   gather: input ['batch', 3, 4], a batch of 2 (2, 4), a batch of 5 (5, 4)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 onnx==1.23.2 onnx-ir==1.1.0 onnxscript==0.7.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
cat > look.py <<'PY'
import logging
import warnings

import numpy as np
import onnxruntime
import torch

warnings.simplefilter("ignore")
logging.disable(logging.ERROR)


class Best(torch.nn.Module):
    """Of (batch, choices, values), each one's choice whose values have the greatest sum."""

    def __init__(self, take):
        super().__init__()
        self.take = take

    def forward(self, x):
        return self.take(x, x.sum(2).argmax(1)[:, None, None])[:, 0]


WAYS = {
    "take_along_dim": lambda x, index: torch.take_along_dim(x, index, dim=1),
    "gather": lambda x, index: x.gather(1, index.expand(-1, 1, x.shape[2])),
}
for name, take in WAYS.items():
    model, example = Best(take), torch.zeros(2, 3, 4)
    shapes = {"x": {0: torch.export.Dim("batch")}}
    program = torch.onnx.export(model, (example,), dynamo=True, verbose=False, dynamic_shapes=shapes)
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    said = [f"input {given.shape}"]
    for count in (2, 5):
        x = np.random.default_rng(0).normal(size=(count, 3, 4)).astype(np.float32)
        try:
            said.append(f"a batch of {count} {session.run(None, {given.name: x})[0].shape}")
        except Exception:
            said.append(f"a batch of {count} refused")
    print(f"{name}: {', '.join(said)}")
PY
found=$(venv/bin/python look.py 2>/dev/null)
printf '%s\n' "$found"
[ "$found" = "take_along_dim: input [2, 3, 4], a batch of 2 (2, 4), a batch of 5 refused
gather: input ['batch', 3, 4], a batch of 2 (2, 4), a batch of 5 (5, 4)" ] || { echo "This has changed." >&2; exit 1; }
