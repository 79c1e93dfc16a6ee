"""Landmarks from unlabelled pictures.

Learn a dense feature from a folder of pictures of one kind of thing, label a few, get landmarks on all the rest::

    import lead

    run = lead.train("pictures/", "runs/mine")
    model = lead.fit(run, "labels.json").landmarker
    landmarks = model.predict("pictures/")
"""

from lead.api import FitSummary, evaluate, fit, match, train
from lead.config import Settings, load_preset
from lead.datasets import Dataset, open_dataset
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.landmarks import Labels, Schema, load_labels, save_labels
from lead.training.run import Run

__all__ = [
    "Dataset",
    "FitSummary",
    "Labels",
    "Landmarker",
    "LeadError",
    "Run",
    "Schema",
    "Settings",
    "evaluate",
    "fit",
    "load_labels",
    "load_preset",
    "match",
    "open_dataset",
    "save_labels",
    "train",
]
