"""How values are taken apart for pickle, and what is refused or doubted on the way."""

from __future__ import annotations

import copyreg
import pickle
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from types import FunctionType
from typing import Any

from mile_rl.store.codecs.base import ByteSink, NotStorable
from mile_rl.store.codecs.names import MAINS, canonical, find
from mile_rl.store.codecs.strides import compact, order_of, spread

# fmt: off
FAITHFUL = frozenset([
    "_io", "_operator", "array", "builtins", "collections", "copyreg", "datetime", "decimal", "enum",
    "fractions", "functools", "ipaddress", "itertools", "numpy", "pandas", "pathlib", "pyarrow", "re",
    "scipy", "sklearn", "types", "uuid", "zoneinfo",
])
# fmt: on
"""Top-level packages whose own classes pickle exactly; everyone else's own reduction is checked by a round
trip. A class without a reduction of its own is exact by construction: pickle stores its fields."""

HOOKS = (
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__setstate__",
    "__getnewargs_ex__",
    "__getnewargs__",
    "__setattr__",
)
"""What a class may define to have a word in how it is pickled and restored."""

PANDAS_FIELDS = frozenset(["_mgr", "_item_cache", "_attrs", "_flags", "_name", "_is_copy", "_cacher"])

Rule = Callable[[Any], Any] | None


class Reducer(pickle.Pickler):
    """A pickler that keeps array layouts, names the running script canonically and refuses iterators.

    Args:
        sink: where the stream goes.
        buffer_callback: as in :class:`pickle.Pickler`.

    Attributes:
        doubts: classes met whose reduction is their own business, so that only a round trip can tell.
    """

    def __init__(self, sink: ByteSink, buffer_callback: Callable[[pickle.PickleBuffer], bool] | None) -> None:
        super().__init__(sink, protocol=5, buffer_callback=buffer_callback)
        self.doubts: set[type] = set()
        self._rules: dict[type, Rule] = {}

    def reducer_override(self, obj: Any, /) -> Any:
        """Return pickle's reduction of an object, or NotImplemented for the usual one."""
        kind = type(obj)
        try:
            rule = self._rules[kind]
        except KeyError:
            rule = self._rules[kind] = self._rule(kind)
        return NotImplemented if rule is None else rule(obj)

    def _rule(self, kind: type) -> Rule:
        if issubclass(kind, type) or kind is FunctionType:
            return _by_name
        if issubclass(kind, Iterator | AsyncIterator) and kind.__module__.split(".")[0] != "numpy":
            raise NotStorable(f"a {kind.__name__} is used up by reading it; return a list instead")
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            if kind is numpy.ndarray:
                return _array
            if kind is numpy.memmap:
                return _memmap
        pandas = sys.modules.get("pandas")
        if pandas is not None:
            if kind in (pandas.DataFrame, pandas.Series):
                return _pandas
            if kind.__module__ == "pandas.core.internals.blocks":
                return _block
            if kind.__module__.startswith("pandas.") and hasattr(kind, "_from_pyarrow_array"):
                return _arrow_backed
        if _doubtful(kind):
            self.doubts.add(kind)
        return None


def _doubtful(kind: type) -> bool:
    """Return whether instances are reduced by code that nobody has vouched for."""
    if _package(kind) in FAITHFUL:
        return False
    if kind in copyreg.dispatch_table or issubclass(kind, list | dict | set | frozenset | tuple | bytearray):
        return True
    for hook in HOOKS:
        owner = next((base for base in kind.__mro__ if hook in vars(base)), object)
        if owner is not object and owner.__module__ not in ("sklearn.base", "enum", "dataclasses"):
            return True
    return False


def _package(kind: type) -> str:
    package = kind.__module__.partition(".")[0]
    return "builtins" if package.startswith("_cython_") else package  # functions compiled by Cython


def _by_name(obj: Any) -> Any:
    """Reduce a class or function of the running script to the name that its file has when imported."""
    if "<" in obj.__qualname__:
        what = "lambda" if obj.__qualname__.endswith("<lambda>") else "local function or class"
        raise NotStorable(f"a {what} ({obj.__qualname__}) has no name to be found by; define it in a module")
    if obj.__module__ not in MAINS:
        return NotImplemented
    module = canonical(obj.__module__)
    try:
        found = find(module, obj.__qualname__)
    except (ImportError, AttributeError):
        found = None
    if found is not obj:
        raise NotStorable(f"{obj.__qualname__} is not the {obj.__qualname__} of its module any more")
    return find, (module, obj.__qualname__)


def _array(array: Any) -> Any:
    """Reduce an array of unusual strides to its elements and its layout."""
    order = order_of(array)
    kind = array.dtype.kind
    if kind in "mM" and order is not None and array.dtype.metadata is None:
        integers = array.view(f"{array.dtype.byteorder}i8")  # buffers of dates do not exist in Python
        return _view_as, (integers, array.dtype)
    keeps_flag = array.flags.writeable or kind in "biufcSU"  # the buffer's flag becomes the array's
    # pickle tests for C first: a single column whose strides say F would come back with those of C
    keeps_order = order == "C" or (order == "F" and not array.flags.c_contiguous)
    if keeps_flag and keeps_order:
        return NotImplemented
    if array.dtype.hasobject and any(stride % array.itemsize for stride in array.strides):
        raise NotStorable("an object array that is a field of a structured array; copy it")
    misaligned = array.ctypes.data % (array.dtype.alignment or 1)
    return spread, (compact(array), array.shape, array.strides, misaligned, array.flags.writeable)


def _memmap(array: Any) -> Any:
    """Reduce a memory map inside another value: it comes back as one, on the store's own file."""
    import numpy as np

    return _view_as, (array.view(np.ndarray), np.memmap)


def _view_as(array: Any, kind: Any) -> Any:
    return array.view(kind)


def _pandas(frame: Any) -> Any:
    extra = set(vars(frame)) - PANDAS_FIELDS
    if extra:
        names = ", ".join(sorted(extra))
        raise NotStorable(
            f"the {type(frame).__name__} carries attributes that pandas does not store: {names}"
        )
    return NotImplemented


def _block(block: Any) -> Any:
    # pandas' own __reduce_ex__ copies a block that is not contiguous and so loses its layout
    return block.__reduce__()


def _arrow_backed(array: Any) -> Any:
    """Reduce a pandas array over one Arrow chunk to that chunk; pandas would copy it first."""
    chunks = array._pa_array.chunks
    if len(chunks) != 1:
        return NotImplemented
    return copyreg.__newobj__, (type(array),), {**vars(array), "_pa_array": chunks[0], "_cache": {}}  # type: ignore[attr-defined]


def big_bytes(value: Any) -> int | None:
    """Return about how many bytes the buffers of an array, frame or sparse matrix hold, None if unknown."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        # block by block: pandas' memory_usage makes a series of every column
        return int(value.index.nbytes + sum(block.values.nbytes for block in value._mgr.blocks))
    nbytes = getattr(value, "nbytes", None)
    if isinstance(nbytes, int):
        return nbytes
    if isinstance(value, bytes | bytearray):
        return len(value)
    return None
