"""Measurements: they train, predict and save; :mod:`lead.evaluation` reads what they saved."""
