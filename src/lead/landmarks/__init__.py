"""The landmark data model, and one file for each file format."""

from lead.landmarks.curves import Curve
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema

__all__ = ["HIDDEN", "UNLABELLED", "VISIBLE", "Curve", "Labels", "Schema"]
