"""Drawn beetles with exact landmarks: a data set of any size, from nothing but a seed."""
