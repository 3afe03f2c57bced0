"""Predicting the next iteration of a history: inference only, light; fitted by ``experiments.fit_prediction``."""
