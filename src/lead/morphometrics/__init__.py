"""From landmarks to measurements: scale, measures with their errors, shape. No torch here."""
