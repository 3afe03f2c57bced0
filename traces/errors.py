"""What goes wrong while mining, as errors of MILE-RL."""

from mile_rl.errors import MileError


class TraceError(MileError):
    """A source or a folder of traces cannot be read; the message names it and the remedy."""


class NotWhatItClaims(TraceError):
    """A file is not of the kind it was given as (wrong columns, not a zip, no lock file, …)."""


class BadRow(Exception):
    """One row or run cannot be read. Sources raise and catch it; it is counted by ``cause``, never fatal.

    Args:
        cause: a short steady phrase by which bad rows are counted ("no start time").
        example: the value concerned, for people to look up.
    """

    def __init__(self, cause: str, example: str = "") -> None:
        super().__init__(f"{cause}: {example}" if example else cause)
        self.cause = cause
        self.example = example
