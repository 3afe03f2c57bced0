"""A function of scikit-learn's with some of its global names bound otherwise, in this copy alone."""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

from mile_rl.errors import WorkflowError


def rebound(function: Callable[..., Any], **bound: Any) -> Callable[..., Any]:
    """Return a copy of a function, and of what it wraps, whose innermost code finds other values under some names.

    scikit-learn's searches call ``_fit_and_score`` by its global name and have no place to hand in another.
    Copying their text would freeze one version of it; patching the module would reach everybody else's
    searches. Here the very code objects of the installed version run, and nobody else sees the other binding.

    Args:
        function: a plain function, perhaps behind decorators made with ``functools.wraps``.
        **bound: global names that the innermost function uses, and what they are to stand for.

    Raises:
        WorkflowError: the innermost function does not use such a name (a release of scikit-learn that is built
            differently).
    """
    inner = getattr(function, "__wrapped__", None)
    if inner is None:
        used = _names(function.__code__) if isinstance(function, FunctionType) else set()
        if unused := bound.keys() - used:
            raise WorkflowError(
                f"{function!r} does not use {', '.join(sorted(unused))}: this release of scikit-learn is not known "
                "to mile_rl.sklearn; "
                "use scikit-learn's own function, or a release that pyproject.toml allows."
            )
        assert isinstance(function, FunctionType)
        return _copy(function, {**function.__globals__, **bound}, function.__closure__)
    assert isinstance(function, FunctionType)
    other = rebound(inner, **bound)
    cells = tuple(
        CellType(other) if cell.cell_contents is inner else cell for cell in function.__closure__ or ()
    )
    copied = _copy(function, function.__globals__, cells)
    copied.__wrapped__ = other  # type: ignore[attr-defined]
    return copied


def _copy(
    function: FunctionType, space: dict[str, Any], closure: tuple[CellType, ...] | None
) -> FunctionType:
    copied = FunctionType(function.__code__, space, function.__name__, function.__defaults__, closure)
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__dict__.update(vars(function))
    copied.__qualname__, copied.__module__ = function.__qualname__, function.__module__
    return copied


def _names(code: Any) -> set[str]:
    """Return the global names that a code object and those nested in it use."""
    nested = (constant for constant in code.co_consts if hasattr(constant, "co_names"))
    return set(code.co_names).union(*map(_names, nested))
