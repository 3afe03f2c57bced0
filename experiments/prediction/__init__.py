"""Fitting and judging the iteration-prediction model on mined histories."""
