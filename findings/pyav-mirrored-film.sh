#!/usr/bin/env bash
# PyAV 18.1.0: a film that its display matrix mirrors, as front cameras and screen recorders write it.
#
# An MP4's track header may hold any of the eight ways to turn and mirror its pixels. PyAV hands pixels on as they are
# stored, and tells of the matrix one number of degrees, frame.rotation. The same number stands for a turned film
# and for a mirrored one: a film mirrored left to right is told as half a turn, and one mirrored top to bottom as none,
# though no turn shows either right. The matrix itself is in the frame's side data.
#
# Seen (which way, what frame.rotation says):
#   as stored: 0
#   a quarter turn: -90
#   half a turn: -180
#   mirrored left to right: -180
#   mirrored top to bottom: 0
#   mirrored over the diagonal: -90
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet av==18.1.0 numpy==2.3.5
cd "$folder"
cat > look.py <<'PY'
import struct
from pathlib import Path

import av
import numpy as np

WAYS = {
    "as stored": (1, 0, 0, 1),
    "a quarter turn": (0, 1, -1, 0),
    "half a turn": (-1, 0, 0, -1),
    "mirrored left to right": (-1, 0, 0, 1),
    "mirrored top to bottom": (1, 0, 0, -1),
    "mirrored over the diagonal": (0, 1, 1, 0),
}
with av.open("film.mp4", "w") as out:
    stream = out.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for _ in range(3):
        out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8))))
    out.mux(stream.encode())
film = bytearray(Path("film.mp4").read_bytes())
start = film.index(b"tkhd") + 44  # the matrix of a track header of version 0
for way, (a, b, c, d) in WAYS.items():
    film[start : start + 36] = struct.pack(">9i", *(v << 16 for v in (a, b, 0, c, d, 0, 0, 0)), 1 << 30)
    Path("turned.mp4").write_bytes(film)
    with av.open("turned.mp4") as shown:
        print(f"{way}: {next(shown.decode(video=0)).rotation}")
PY
found=$(venv/bin/python look.py)
printf '%s\n' "$found"
[ "$found" = "as stored: 0
a quarter turn: -90
half a turn: -180
mirrored left to right: -180
mirrored top to bottom: 0
mirrored over the diagonal: -90" ] || { echo "This has changed." >&2; exit 1; }
