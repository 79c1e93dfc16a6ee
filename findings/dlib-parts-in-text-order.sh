#!/usr/bin/env bash
# dlib 20.0.1 (dlib-bin 20.0.1.post1), shape predictor: part(i) is not the i-th landmark, nor the one that is called i.
#
# dlib sorts the names of the parts in a training XML as text: "10" and "11" come before "2". part(i) of what it finds
# is the i-th in that order, and carries no name. Programs that call the parts 0, 1, 2, … without leading zeros and
# write part(i) out as landmark i, as ml-morph's preprocessing and prediction do, exchange landmarks as soon as there
# are more than ten. Nothing is said, and dlib's own test of the predictor, which sorts alike, shows small errors.
# With names of equal length (00, 01, …) the order is that of the numbers.
#
# Seen (which of twelve landmarks, called 0 to 11 and then 00 to 11, part(0), part(1), … are):
#   0: 0 1 10 11 2 3 4 5 6 7 8 9
#   00: 0 1 2 3 4 5 6 7 8 9 10 11
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet dlib-bin==20.0.1.post1 numpy==2.4.6
cd "$folder"
cat > look.py <<'PY'
from pathlib import Path

import dlib
import numpy as np

places = [(20 + 30 * (k % 4), 20 + 30 * (k // 4)) for k in range(12)]
picture = np.random.default_rng(0).integers(0, 256, (110, 150)).astype(np.uint8)
dlib.save_image(picture, "a.png")
options = dlib.shape_predictor_training_options()
options.cascade_depth = options.oversampling_amount = options.num_threads = 1
options.num_trees_per_cascade_level = 5
for digits in (1, 2):
    parts = "".join(f"<part name='{k:0{digits}}' x='{x}' y='{y}'/>" for k, (x, y) in enumerate(places))
    image = f"<image file='a.png'><box top='20' left='20' width='91' height='61'>{parts}</box></image>"
    Path("train.xml").write_text(f"<dataset><images>{image}{image}</images></dataset>")
    dlib.train_shape_predictor("train.xml", "predictor.dat", options)
    shape = dlib.shape_predictor("predictor.dat")(picture, dlib.rectangle(20, 20, 110, 80))
    print(f"{0:0{digits}}:", *(places.index((shape.part(i).x, shape.part(i).y)) for i in range(12)))
PY
found=$(venv/bin/python look.py)
printf '%s\n' "$found"
[ "$found" = "0: 0 1 10 11 2 3 4 5 6 7 8 9
00: 0 1 2 3 4 5 6 7 8 9 10 11" ] || { echo "This has changed." >&2; exit 1; }
