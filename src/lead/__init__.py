"""Landmarks from unlabelled pictures.

Learn a dense feature from a folder of pictures of one kind of thing, label a few, get landmarks on all the rest::

    import lead

    run = lead.train("pictures/", "runs/mine")
    model = lead.fit(run, "labels.json").landmarker
    landmarks = model.predict("pictures/")
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lead.api import evaluate, fit, match, predict, train
    from lead.config import Settings, load_preset
    from lead.conversion import Converted, convert
    from lead.datasets import Dataset, open_dataset
    from lead.errors import LeadError
    from lead.images.labels import load_labels, save_labels
    from lead.inference import Landmarker
    from lead.landmarks import Labels, Schema
    from lead.prediction import Predicted
    from lead.training.landmarks import FitSummary
    from lead.training.run import Run
else:
    # Torch takes seconds to import, which `lead --help` has no use for: a name is fetched when it is first used.
    _HOMES = {
        "lead.api": ("evaluate", "fit", "match", "predict", "train"),
        "lead.config": ("Settings", "load_preset"),
        "lead.conversion": ("Converted", "convert"),
        "lead.datasets": ("Dataset", "open_dataset"),
        "lead.errors": ("LeadError",),
        "lead.inference": ("Landmarker",),
        "lead.images.labels": ("load_labels", "save_labels"),
        "lead.landmarks": ("Labels", "Schema"),
        "lead.prediction": ("Predicted",),
        "lead.training.landmarks": ("FitSummary",),
        "lead.training.run": ("Run",),
    }

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "Converted",
    "Dataset",
    "FitSummary",
    "Labels",
    "Landmarker",
    "LeadError",
    "Predicted",
    "Run",
    "Schema",
    "Settings",
    "convert",
    "evaluate",
    "fit",
    "load_labels",
    "load_preset",
    "match",
    "open_dataset",
    "predict",
    "save_labels",
    "train",
]
