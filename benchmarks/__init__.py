"""What is too slow for a test: timings, attempts to break things, and studies; run from the repository's root.

python -m benchmarks.speed.start_up
"""
