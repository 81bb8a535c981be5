"""Measure sections, stories and the lead: `python -m benchmarks.editing`."""
