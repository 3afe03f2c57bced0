"""What recommending raises on purpose."""

from mile_rl.errors import MileError


class RecommendError(MileError):
    """Nothing can be recommended, or a recommendation cannot be tried; the message says why and what to do."""
