"""The two stages, written as the paper's algorithm, on one engine."""
