"""Fits and judges the outcome model on real OpenML outcomes; ``python -m experiments.outcome --help``."""
