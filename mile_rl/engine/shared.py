"""Memory that values share: what changes one of them may change the other."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def unshared(value: Any, others: Iterable[Any]) -> Any:
    """Return a frame or series with memory of its own where it shares that of an array; anything else as it is.

    Nobody can change a frame, since it is handed out as a copy-on-write copy; an array that it was laid over
    (``DataFrame(array, copy=False)``) can be changed beneath it.

    Args:
        value: what an operator yields.
        others: what the operator was given, and what else it yields.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, pandas.DataFrame | pandas.Series):
        return value
    import numpy as np

    arrays = [other for other in others if isinstance(other, np.ndarray)]
    memory = (
        [getattr(block.values, "_ndarray", block.values) for block in value._mgr.blocks] if arrays else ()
    )
    if any(
        isinstance(own, np.ndarray) and np.may_share_memory(own, array) for own in memory for array in arrays
    ):
        return value.copy()
    return value


def may_share(values: Sequence[Any]) -> bool:
    """Tell whether some values may share memory; what is no plain array may always."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not all(isinstance(value, numpy.ndarray) for value in values):
        return True
    return any(numpy.may_share_memory(one, other) for one, other in itertools.combinations(values, 2))
