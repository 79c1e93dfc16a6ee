#!/usr/bin/env bash
# sleap-io 0.9.5, .slp: in which order the two names of a symmetry are written.
#
# The same skeleton of the nodes "left" and "right", with add_symmetry("left", "right"), is saved by one process after
# another. In some of the files the link of the symmetry goes from "left" to "right", in others from "right" to "left":
# the two are kept as a set, whose order is that of addresses in memory. So the same labels are not the same file.
# Read again, symmetry_names sorts the two, so that "left" is first in all.
#
# Seen, of 20 processes:
#   files in which 'left' is first: some, 'right': some
#   read again: [('left', 'right')]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sleap-io==0.9.5
cd "$folder"
cat > write.py <<'PY'
import json

import h5py
import sleap_io

skeleton = sleap_io.Skeleton(["left", "right"])
skeleton.add_symmetry("left", "right")
video = sleap_io.Video("film.mp4", open_backend=False)
labels = sleap_io.Labels([], videos=[video], skeletons=[skeleton])
sleap_io.save_slp(labels, "labels.slp", embed=False)
with h5py.File("labels.slp") as file:
    said = json.loads(file["metadata"].attrs["json"])
(link,) = said["skeletons"][0]["links"]
(again,) = sleap_io.load_slp("labels.slp", open_videos=False).skeletons
print(said["nodes"][link["source"]]["name"], again.symmetry_names)
PY
for _ in $(seq 20); do venv/bin/python write.py; done > all.txt
some() { grep -q "^$1 " all.txt && echo some || echo none; }
{
    echo "files in which 'left' is first: $(some left), 'right': $(some right)"
    echo "read again: $(cut -d' ' -f2- all.txt | sort -u)"
} | tee seen.txt
diff - seen.txt <<'SEEN'
files in which 'left' is first: some, 'right': some
read again: [('left', 'right')]
SEEN
