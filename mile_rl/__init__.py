"""MILE-RL: run an edited machine-learning workflow again and wait only for what really changed."""

__version__ = "0.1.0"
