"""Measurements of the running house: `python -m bench`. Method and figures are in docs/performance.md."""
