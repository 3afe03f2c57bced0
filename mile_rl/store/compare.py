"""Whether what came back is what was stored, for objects that pickle in a way of their own.

A digest alone does not tell: it sees an object through the same ``__reduce__`` and ``__getstate__`` that may
have lost something. So the fields are compared as well, one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mile_rl.store.codecs.reducing import FAITHFUL

Same = Callable[[Any], bytes]


def identical(first: Any, second: Any, same: Same) -> bool:
    """Return whether two values are the same in type, fields and digest.

    A field that has no digest (a handle into a C library, say) is trusted as long as the object's own digest
    is equal: its class has taken it upon itself to restore it.

    Args:
        first: one value.
        second: the other.
        same: digest of a value; raises for what it does not know.

    Raises:
        Exception: what ``same`` raises for a value as a whole: then nobody can tell.
    """
    return type(first) is type(second) and same(first) == same(second) and _walk(first, second, same, set())


def _walk(first: Any, second: Any, same: Same, seen: set[tuple[int, int]]) -> bool:
    if type(first) is not type(second):
        return False
    pair = (id(first), id(second))
    if first is second or pair in seen:
        return True
    seen.add(pair)
    if isinstance(first, list | tuple) and not _all(first, second, same, seen):
        return False
    if isinstance(first, dict):
        if not (_all(list(first), list(second), same, seen)):
            return False
        if not _all(list(first.values()), list(second.values()), same, seen):
            return False
    fields, others = _fields(first), _fields(second)
    if fields is not None and others is not None:
        return fields.keys() == others.keys() and all(
            _walk(value, others[name], same, seen) for name, value in fields.items()
        )
    if isinstance(first, list | tuple | dict):
        return True
    try:
        return same(first) == same(second)
    except Exception:
        return True  # covered by the digest of the whole


def _all(first: Any, second: Any, same: Same, seen: set[tuple[int, int]]) -> bool:
    return len(first) == len(second) and all(_walk(a, b, same, seen) for a, b in zip(first, second))


def _fields(value: Any) -> dict[str, Any] | None:
    """Return an object's fields, slots included; None for classes whose pickling is trusted."""
    kind = type(value)
    if kind.__module__.partition(".")[0] in FAITHFUL or isinstance(value, type):
        return None
    fields = dict(getattr(value, "__dict__", {}))
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                fields[name] = getattr(value, name)
    return fields or None
