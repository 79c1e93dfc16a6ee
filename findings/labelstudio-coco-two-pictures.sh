#!/usr/bin/env bash
# label-studio-sdk 2.1.2, its converter to COCO: a task that shows two pictures.
#
# - Each picture of the task, "left" and "right", has its own two key points. In the COCO file stands the first picture
#   alone, and its annotation holds the key points of the second: those of the first, which were written before, are gone.
#   Nothing is said.
# - A place is rounded to whole pixels: 20.4 becomes 20.
#
# Seen:
#   pictures: ['l.png']
#   key points: [[100, 60, 2, 140, 80, 2]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet label-studio-sdk==2.1.2
cd "$folder"
cat > look.py <<'PY'
import json
import logging
from pathlib import Path

from label_studio_sdk.converter import Converter

logging.disable()
labels = '<Label value="a" model_index="0"/><Label value="b" model_index="1"/>'
setup = "".join(
    f'<Image name="{side}" value="${side}"/><KeyPointLabels name="{side} points" toName="{side}">{labels}</KeyPointLabels>'
    for side in ("left", "right")
)


def point(name, x, y, side):
    """On a picture of 200 x 100 pixels; x and y in percent."""
    value = {"x": x, "y": y, "width": 0.3, "keypointlabels": [name]}
    size = {"original_width": 200, "original_height": 100, "image_rotation": 0}
    controls = {"from_name": f"{side} points", "to_name": side, "type": "keypointlabels"}
    return {"id": name + side, "value": value} | size | controls


results = [
    point("a", 10.2, 20.3, "left"),
    point("b", 30.2, 40.3, "left"),
    point("a", 50.2, 60.3, "right"),
    point("b", 70.2, 80.3, "right"),
]
data = {"left": "/data/upload/1/0a1b2c3d-l.png", "right": "/data/upload/1/0a1b2c3d-r.png"}
annotation = {"id": 1, "was_cancelled": False, "completed_by": 1, "result": results}
Path("tasks.json").write_text(json.dumps([{"id": 1, "data": data, "annotations": [annotation], "predictions": []}]))
converter = Converter(f"<View>{setup}</View>", project_dir=".", download_resources=False)
converter.convert_to_coco("tasks.json", "out", is_dir=False)
found = json.loads(Path("out/result.json").read_text())
print("pictures:", [image["file_name"].split("-")[-1] for image in found["images"]])
print("key points:", [annotation["keypoints"] for annotation in found["annotations"]])
PY
"$folder/venv/bin/python" look.py | tee seen.txt
diff - seen.txt <<'SEEN'
pictures: ['l.png']
key points: [[100, 60, 2, 140, 80, 2]]
SEEN
