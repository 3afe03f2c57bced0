"""The canonical bytes of what is neither plain nor a container: code, what wraps it, and objects of any class.

An object without a form of its own is written as what pickle would make it from; nothing is ever unpickled.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import sys
import types
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from mile_rl.errors import MileError
from mile_rl.workflows.kinds import is_wrapper
from mile_rl.workflows.packages import canonical_name

if TYPE_CHECKING:
    from mile_rl.workflows.encode import Encoder

_LIBRARIES = frozenset(("numpy", "pandas", "polars", "scipy"))


def _code(encoder: Encoder, value: Any) -> None:
    encoder.ref(value)


def _method(encoder: Encoder, value: types.MethodType) -> None:
    if _is_global_generator(value.__self__):
        encoder.out += b"r"
        encoder.text(value.__name__)
        return
    encoder.out += b"m"
    encoder.write(value.__func__)
    encoder.write(value.__self__)


def _builtin(encoder: Encoder, value: types.BuiltinFunctionType) -> None:
    if value.__self__ is None or isinstance(value.__self__, types.ModuleType):
        encoder.ref(value)
        return
    if _is_global_generator(value.__self__):
        encoder.out += b"r"
        encoder.text(value.__name__)
        return
    encoder.out += b"b"
    encoder.text(value.__name__)
    encoder.write(value.__self__)


def _property(encoder: Encoder, value: property) -> None:
    encoder.items(b"p", (value.fget, value.fset, value.fdel))


def _wrapped_method(encoder: Encoder, value: staticmethod[Any, Any] | classmethod[Any, Any, Any]) -> None:
    encoder.out += b"w" if isinstance(value, staticmethod) else b"c"
    encoder.write(value.__func__)


def _cached_property(encoder: Encoder, value: functools.cached_property[Any]) -> None:
    # Up to Python 3.11 it holds a lock, which says nothing about results.
    encoder.out += b"h"
    encoder.write(value.func)


def _proxy(encoder: Encoder, value: types.MappingProxyType[Any, Any]) -> None:
    encoder.out += b"x"
    encoder.mapping(dict(value))


WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    types.FunctionType: _code,
    types.ModuleType: _code,
    type: _code,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    property: _property,
    staticmethod: _wrapped_method,
    classmethod: _wrapped_method,
    functools.cached_property: _cached_property,
    types.MappingProxyType: _proxy,
}
"""Type -> what writes a value of exactly this type."""


def write(encoder: Encoder, value: Any) -> None:
    """Write a value of which only its class and its base classes say what it is.

    Raises:
        UnhashableValue: the value, or something in it, cannot be digested.
    """
    kind = type(value)
    if isinstance(value, type):
        encoder.ref(value)
    elif isinstance(value, enum.Enum):
        encoder.out += b"e"
        encoder.ref(kind)
        encoder.write(value._value_)
        encoder.write(getattr(value, "_name_", None))
    elif kind.__module__ == "logging" and hasattr(value, "getChild"):
        # Its level and handlers do not count; its name is often that of the module.
        encoder.out += b"o"
        encoder.text(canonical_name(value.name))
    elif isinstance(value, PurePath):
        encoder.out += b"P"
        encoder.ref(kind)
        encoder.text(str(value))
    elif is_wrapper(value):
        encoder.ref(value)
    elif not _by_library(encoder, value):
        if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
            encoder.refuse(
                value,
                "what it yields can be read only once; pass a list or an array, or a path and open it inside the "
                "operator.",
            )
        reduced(encoder, value)


def reduced(encoder: Encoder, value: Any) -> None:
    """Write an object as what pickle would make it from: its class, arguments and state."""
    reducer = copyreg.dispatch_table.get(type(value))
    try:
        parts = reducer(value) if reducer is not None else value.__reduce_ex__(4)
    except MileError:
        raise
    except Exception:
        encoder.refuse(value)
    if isinstance(parts, str):
        encoder.out += b"G"
        encoder.ref(type(value))
        module = getattr(value, "__module__", None) or ""
        encoder.text(canonical_name(str(module)))
        encoder.text(parts)
        if module in sys.modules:
            # Whose version counts, or, where it is the person's own, which counts with its content.
            encoder.ref(sys.modules[module])
        return
    encoder.hold(parts)
    function, args, state, listed, mapped = (*parts, None, None, None)[:5]
    encoder.out += b"R"
    encoder.write(function)
    encoder.items(b"(", args)
    _state(encoder, state, type(value))
    encoder.items(b"l", list(listed) if listed is not None else ())
    _pairs(encoder, list(mapped) if mapped is not None else ())


def _by_library(encoder: Encoder, value: Any) -> bool:
    for base in type(value).__mro__:
        if base.__module__.partition(".")[0] in _LIBRARIES:
            from mile_rl.workflows import encode_arrays

            return encode_arrays.write(encoder, value)
    return False


def _pairs(encoder: Encoder, pairs: Any) -> None:
    encoder.items(b"k", [key for key, _ in pairs])
    encoder.items(b"v", [value for _, value in pairs])


def _state(encoder: Encoder, state: Any, kind: type) -> None:
    """Write what an object remembers.

    Neither the order in which its attributes were set counts, nor what ``functools.cached_property`` keeps.
    """
    if type(state) is tuple and len(state) == 2 and all(part is None or type(part) is dict for part in state):
        encoder.out += b"2"
        for part in state:
            _state(encoder, part, kind)
    elif type(state) is dict and all(type(key) is str for key in state):
        encoder.out += b"s"
        _pairs(encoder, [(key, state[key]) for key in sorted(state) if not _is_cache(kind, key)])
    else:
        encoder.out += b"."
        encoder.write(state)


def _is_cache(kind: type, name: str) -> bool:
    for base in kind.__mro__:
        if name in vars(base):
            return isinstance(vars(base)[name], functools.cached_property)
    return False


def _is_global_generator(value: Any) -> bool:
    """Tell whether a value is the generator behind ``random`` or ``numpy.random``: runs seed those."""
    plain, numpy = sys.modules.get("random"), sys.modules.get("numpy.random.mtrand")
    return (plain is not None and value is getattr(plain, "_inst", plain)) or (
        numpy is not None and value is getattr(numpy, "_rand", numpy)
    )
