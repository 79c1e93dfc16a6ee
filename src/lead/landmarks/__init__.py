"""The landmark data model, and one file for each file format."""

from lead.landmarks.io import load_labels, save_labels
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema

__all__ = ["HIDDEN", "UNLABELLED", "VISIBLE", "Labels", "Schema", "load_labels", "save_labels"]
