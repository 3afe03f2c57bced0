"""What kind of code a live value is, and what people call it."""

from __future__ import annotations

import types
from typing import Any

from mile_rl.workflows.packages import canonical_name

_MARKED = frozenset("function name stage outputs volatile version signature".split())
"""The attributes of an operator or a workflow that are ours."""


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


def is_code(value: Any) -> bool:
    """Tell whether a value is a function, a class, a module or a wrapper."""
    return isinstance(value, types.FunctionType | type | types.ModuleType) or is_wrapper(value)


def label_of(code: Any) -> str:
    """Return the name of a function, a class, or what wraps a function, with that of its module."""
    inner = code
    while not hasattr(inner, "__qualname__") and hasattr(inner, "func"):
        inner = inner.func
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    named = getattr(inner, "__module__", None)
    module = canonical_name(named) if isinstance(named, str) else ""
    return f"{module}.{name}" if module else str(name)


def given_attributes(marked: Any) -> dict[str, Any]:
    """Return the attributes that the person has set on an operator or a workflow."""
    own = vars(marked.function) if isinstance(marked.function, types.FunctionType) else {}
    return {
        name: value
        for name, value in sorted(vars(marked).items())
        if name not in _MARKED and not name.startswith("__") and own.get(name, _MARKED) is not value
    }
