"""What goes wrong when predicting."""

from mile_rl.errors import MileError


class PredictionError(MileError):
    """A prediction was asked for that cannot be made, or the model's parameters cannot be read."""
