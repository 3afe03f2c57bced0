"""What a workflow returned, as JSON: exact where it is small, a digest where it is large."""

from __future__ import annotations

import math
import sys
from typing import Any

_MOST_ITEMS = 10_000


def to_json(value: Any) -> Any:
    """Return a value as JSON can hold it; equal results of two runs give equal JSON.

    Numbers, texts, lists, dicts and NumPy values stay what they are; infinite and missing numbers become
    text, as JSON has none. Large arrays and whatever else can be pickled become their type, shape and digest.

    Args:
        value: an output of a workflow, or a container of them.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, dict):
        return {key if isinstance(key, str) else repr(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return to_json(value.item())
    if numpy is not None and isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
        return to_json(value.tolist()) if value.size <= _MOST_ITEMS else _described(value)
    return _described(value)


def _described(value: Any) -> dict[str, Any]:
    from mile_rl.workflows.digest import digest

    kind = type(value)
    told: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
    if (shape := getattr(value, "shape", None)) is not None:
        told["shape"] = to_json(shape)
    try:
        told["digest"] = digest(value).hex()
    except Exception:  # whatever its parts raise when they are read: then its text has to do
        told["text"] = repr(value)
    return told
