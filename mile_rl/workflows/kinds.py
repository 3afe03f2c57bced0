"""What kind of code a live value is."""

from __future__ import annotations

from typing import Any


def is_wrapper(value: Any) -> bool:
    """Tell whether a value wraps a function (``functools.lru_cache``, numba, …) and is no plain function."""
    if isinstance(value, type) or not callable(value):
        return False
    kind = type(value)
    if kind.__module__.startswith("mile_rl.") and hasattr(value, "function"):
        return True
    installed = kind.__module__.partition(".")[0]
    return installed in ("functools", "numba") and (
        hasattr(value, "__wrapped__") or hasattr(value, "py_func")
    )
