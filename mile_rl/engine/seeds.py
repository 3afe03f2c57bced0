"""Global random generators: seeded from a node's signature while it runs, restored afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def generator_states() -> tuple[Any, Any]:
    """Return the states of Python's and NumPy's global generators, to be compared or put back."""
    import numpy.random

    return random.getstate(), numpy.random.get_state()


def same_states(one: tuple[Any, Any], other: tuple[Any, Any]) -> bool:
    """Tell whether nothing was drawn from either generator between two calls of ``generator_states``."""
    (mine, theirs) = (one[1], other[1])
    return bool(
        one[0] == other[0]
        and mine[2:] == theirs[2:]
        and mine[0] == theirs[0]
        and (mine[1] is theirs[1] or (mine[1] == theirs[1]).all())
    )


def seed(signature: str) -> None:
    """Seed both generators from a signature (hex)."""
    import numpy.random

    value = int(signature[:16], 16)
    random.seed(value)
    numpy.random.seed(value & 0xFFFFFFFF)


@contextmanager
def restored() -> Iterator[None]:
    """Put both generators back to where they were, whatever happens in between."""
    import numpy.random

    before = generator_states()
    try:
        yield
    finally:
        random.setstate(before[0])
        numpy.random.set_state(before[1])
