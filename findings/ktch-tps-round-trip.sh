#!/usr/bin/env bash
# ktch 0.11.1, TPS: what read_tps returns is not what write_tps takes.
#
# - A file of two specimens with picture, ID, SCALE and a curve is read whole. Given back to write_tps as it came, only
#   the landmarks are written: no IMAGE, no SCALE, no CURVES, and the IDs are counted anew from 0. Nothing is said.
# - A file of one specimen is read as one object, a file of two as a list: code that loops over what it read breaks on
#   the first.
# - A missing landmark, -1 -1, is read as the place (-1, -1), and a SCALE is handed on, not applied.
#
# Seen:
#   one specimen: TPSData, two specimens: list
#   read:    7 a.jpg 0.05 1 curve(s) [[1.5, 2.25], [-1.0, -1.0]]
#   written: LM=2|1.5 2.25|-1.0 -1.0|ID=0||LM=2|5.0 6.0|7.0 8.0|ID=1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ktch==0.11.1
cd "$folder"
cat > one.tps <<'TPS'
LM=2
1.5 2.25
-1 -1
CURVES=1
POINTS=2
3 4
4 5
IMAGE=a.jpg
ID=7
SCALE=0.05
TPS
{ cat one.tps; printf 'LM=2\n5 6\n7 8\nIMAGE=b.jpg\nID=8\nSCALE=0.05\n'; } > two.tps
cat > look.py <<'PY'
from pathlib import Path

from ktch.io import read_tps, write_tps

one, two = read_tps("one.tps"), read_tps("two.tps")
print(f"one specimen: {type(one).__name__}, two specimens: {type(two).__name__}")
first = two[0]
print(
    "read:   ", first.specimen_name, first.image_path, first.scale, len(first.curves), "curve(s)",
    first.landmarks.tolist(),
)
write_tps("back.tps", two)
print("written:", "|".join(Path("back.tps").read_text().strip().split("\n")))
PY
"$folder/venv/bin/python" look.py | tee seen.txt
diff - seen.txt <<'SEEN'
one specimen: TPSData, two specimens: list
read:    7 a.jpg 0.05 1 curve(s) [[1.5, 2.25], [-1.0, -1.0]]
written: LM=2|1.5 2.25|-1.0 -1.0|ID=0||LM=2|5.0 6.0|7.0 8.0|ID=1
SEEN
