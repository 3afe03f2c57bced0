"""What the store's tests share: metadata, an oracle for "exactly the same", and the bytes on disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mile_rl.store.records import ArtifactMeta

META = ArtifactMeta(
    workflow="w", node="fit", output="result", operator="fit", stage="learn", recreation_ns=10**9
)


def bytes_on_disk(root: Path) -> int:
    """Return what all files under a store take, those being written included."""
    total = 0
    for folder, _, files in os.walk(root / "objects"):
        for name in files:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total


def facts(value: Any) -> Any:
    """Return everything that must survive storing, as nested tuples that compare with ``==``.

    Independent of the digest that the store itself compares by.
    """
    if isinstance(value, np.ndarray):
        return _array_facts(value)
    if isinstance(value, pd.DataFrame | pd.Series):
        return _pandas_facts(value)
    if isinstance(value, pd.Index):
        return (
            type(value),
            str(value.dtype),
            facts(list(value.names)),
            facts(np.asarray(value)),
            str(getattr(value, "freq", "")),
        )
    if isinstance(value, list | tuple):
        return type(value), tuple(facts(item) for item in value)
    if isinstance(value, dict):
        return type(value), tuple((facts(key), facts(item)) for key, item in value.items())
    if isinstance(value, float | complex | np.generic):
        return type(value), repr(value), np.asarray(value).tobytes()
    if "scipy.sparse" in sys.modules and type(value).__module__.startswith("scipy.sparse"):
        return type(value), value.shape, facts(vars(value)) if hasattr(value, "__dict__") else repr(value)
    if hasattr(value, "equals") and type(value).__module__.startswith("polars"):
        return type(value), str(getattr(value, "schema", "")), value.to_arrow().to_pylist().__repr__()
    return type(value), repr(value)


def _array_facts(value: np.ndarray[Any, Any]) -> Any:
    if value.dtype.hasobject:
        content: Any = tuple(facts(item) for item in value.ravel().tolist())
    else:
        content = value.tobytes()
    strides = value.strides if value.size else ()
    return (
        type(value),
        repr(value.dtype),
        value.dtype.metadata,
        value.shape,
        strides,
        value.flags.writeable,
        value.flags.aligned,
        content,
    )


def _pandas_facts(value: Any) -> Any:
    blocks = tuple(
        (tuple(block.mgr_locs.as_array), facts_of_block(block.values)) for block in value._mgr.blocks
    )
    return (
        type(value),
        facts(value.index),
        facts(value.columns) if value.ndim == 2 else facts(value.name),
        blocks,
        facts(dict(value.attrs)),
        value.flags.allows_duplicate_labels,
    )


def facts_of_block(values: Any) -> Any:
    """Return the facts of a block: the array, or each buffer of an extension array."""
    if isinstance(values, np.ndarray):
        return facts(values)
    inner = [
        facts(getattr(values, name))
        for name in ("_ndarray", "_data", "_mask", "_codes")
        if isinstance(getattr(values, name, None), np.ndarray)
    ]
    more = facts(values.categories) if isinstance(values, pd.Categorical) else ()
    return type(values), str(values.dtype), tuple(inner), more, repr(list(values))
