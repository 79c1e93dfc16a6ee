"""Landmarks from unlabelled pictures."""
