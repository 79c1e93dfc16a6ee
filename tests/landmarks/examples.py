"""Files of the formats that are only read, as the tools write them."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = """ ,Label,Area,Mean,Min,Max,X,Y
1,one.jpg,0,120,120,120,10,20.333
2,one.jpg,0,99,99,99,30.125,40
3,two.jpg,0,1,1,1,11,20.5
4,two.jpg,0,1,1,1,31,40
"""
NAPARI = "index,axis-0,axis-1,label,confidence\n0.0,20.0,10.0,head,1\n1.0,40.5,30.25,tail,1\n"
FCSV = """# Markups fiducial file version = 4.11
# CoordinateSystem = LPS
# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID
1,10,20.5,0,0,0,0,1,1,1,0,head,,
2,30,40,0,0,0,0,1,1,1,0,tail,,
"""
SLEAP = """track,frame_idx,instance.score,head.x,head.y,head.score,tail.x,tail.y,tail.score
,0,0.9,10,20,0.9,30,40.5,0.8
,7,0.9,11,21,1.02,,,
"""
VIA = """filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes
one.jpg,1,"{}",2,0,"{""name"":""point"",""cx"":10,""cy"":20}","{""name"":""head""}"
one.jpg,1,"{}",2,1,"{""name"":""point"",""cx"":30,""cy"":40}","{""name"":""tail""}"
two.jpg,1,"{}",0,0,"{}","{}"
"""


def markups(*positions: list[float], system: str = "LPS", **changed: Any) -> str:
    """Slicer's point list, as its documentation has it."""
    points = [
        {"id": str(i), "label": f"F-{i}", "position": position, "positionStatus": "defined"}
        for i, position in enumerate(positions, start=1)
    ]
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/markups-schema-v1.0.3.json#"
    markup = {"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": "mm", "controlPoints": points}
    return json.dumps({"@schema": schema, "markups": [markup | changed]})


def roi(*points: tuple[float, float], name: str = "", **changed: Any) -> bytes:
    """A selection of points that roifile writes."""
    import roifile

    made = roifile.ImagejRoi.frompoints(np.array(points), name=name or "0001-0020-0010")
    made.roitype = roifile.ROI_TYPE.POINT
    for key, value in changed.items():
        setattr(made, key, value)
    return bytes(made.tobytes())


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def analysis(preset: str = "matlab", film: str = "films/run.mp4") -> bytes:
    """Predictions on two frames of a film, exported by sleap-io: the second has no tail."""
    import sleap_io

    skeleton = sleap_io.Skeleton(["head", "tail"])
    video = sleap_io.Video(film, open_backend=False)
    said = ((2, [[10, 20], [30, 40.5]], [0.5, 0.25]), (5, [[11, 21], [np.nan, np.nan]], [0.75, 0]))
    frames = [
        sleap_io.LabeledFrame(
            video, number, [sleap_io.PredictedInstance.from_numpy(np.array(xy), skeleton=skeleton, point_scores=scores)]
        )
        for number, xy, scores in said
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        sleap_io.save_analysis_h5(sleap_io.Labels(frames), str(path), preset=preset)
        return path.read_bytes()


@cache
def example(name: str) -> bytes:
    """A file of a format."""
    made: dict[str, Callable[[], bytes]] = {
        "imagej": RESULTS.encode,
        "imagej-roi": lambda: zipped({"a.roi": roi((10, 20), (30.5, 40.25)), "b.roi": roi((1, 2), (3, 4))}),
        "napari": NAPARI.encode,
        "slicer": lambda: markups([10, 20.5, 0], [30, 40, 0]).encode(),
        "sleap-csv": SLEAP.encode,
        "sleap-h5": analysis,
        "via": VIA.encode,
    }
    return made[name]()
