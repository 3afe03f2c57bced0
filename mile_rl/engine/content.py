"""What a value in memory reads like: digests that tell whether somebody changed it in place.

They are compared within one process only, and never part of a signature.
"""

from __future__ import annotations

import functools
import pickle
import time
import types
from collections.abc import Callable
from typing import Any

import xxhash

from mile_rl.workflows.packages import origin_of_name

_CHUNK_BYTES = 1 << 20


class TooCostly(Exception):
    """A digest was given up because it would take longer than it may."""


def array_digest(array: Any) -> tuple[bytes, int]:
    """Return the digest of an array without objects, and its size in bytes. About 0.3 ms for 16 MB."""
    hasher = xxhash.xxh3_128(repr((array.dtype.str, array.shape, array.strides)).encode())
    _update(hasher, array)
    return hasher.digest(), int(array.nbytes)


def _update(hasher: Any, array: Any) -> None:
    # Dates and the like have no buffer interface; their bytes have.
    if array.flags.c_contiguous:
        hasher.update(array.reshape(-1).view("u1"))
    elif array.flags.f_contiguous:
        hasher.update(array.T.reshape(-1).view("u1"))
    else:
        # Row by row, so that no second array of its size is ever in memory.
        rows = max(1, _CHUNK_BYTES // max(1, array[:1].nbytes))
        for start in range(0, array.shape[0], rows):
            hasher.update(array[start : start + rows].tobytes())


def sparse_digest(matrix: Any) -> tuple[bytes, int]:
    """Return the digest of a scipy sparse matrix, and its size in bytes."""
    hasher = xxhash.xxh3_128(repr((type(matrix).__name__, matrix.shape, matrix.dtype.str)).encode())
    size = 0
    for name in ("data", "indices", "indptr", "row", "col", "offsets"):
        part = vars(matrix).get(name)
        if part is not None:
            digest, part_size = array_digest(part)
            hasher.update(digest)
            size += part_size
    return hasher.digest(), size


class _Sink:
    """Hashes what is written to it and counts the bytes; nothing is stored."""

    def __init__(self, deadline_ns: int | None = None) -> None:
        self.hasher = xxhash.xxh3_128()
        self.size_bytes = 0
        self._deadline_ns = deadline_ns

    def write(self, data: Any) -> int:
        if self._deadline_ns is not None and time.perf_counter_ns() > self._deadline_ns:
            raise TooCostly
        view = memoryview(data).cast("B") if not isinstance(data, bytes) else data
        self.hasher.update(view)
        self.size_bytes += len(view)
        return len(view)

    def take(self, buffer: pickle.PickleBuffer) -> None:
        self.write(buffer.raw())


class _HashingPickler(pickle.Pickler):
    """Pickles into a hash; leaves out what an object may fill in while it is only read."""

    def reducer_override(self, obj: Any) -> Any:
        cls: type = type(obj)
        leaves_out = _cached_attributes(cls)
        if leaves_out is None:
            return NotImplemented
        state = [(key, value) for key, value in vars(obj).items() if not leaves_out(key)]
        return (tuple, ((type(obj).__qualname__, state),))


@functools.cache
def _cached_attributes(cls: type) -> Callable[[str], bool] | None:
    """Return which attributes of a class's instances are caches, or None where none are."""
    if hasattr(cls, "get_params") and hasattr(cls, "set_params") and not issubclass(cls, type):
        # scikit-learn: what fitting learned is public; predict and transform may cache under private names.
        # What a person's own estimator keeps under such a name nobody knows.
        if origin_of_name(cls.__module__) == "own":
            return None
        return lambda key: key.startswith("_")
    cached = {
        name
        for base in getattr(cls, "__mro__", ())
        for name, value in vars(base).items()
        if isinstance(value, functools.cached_property)
    }
    return cached.__contains__ if cached else None


def pickle_digest(value: Any, limit_ns: int | None = None) -> tuple[bytes, int]:
    """Return the digest of any value by its pickle, and the pickle's size in bytes.

    Args:
        value: what to digest.
        limit_ns: how long it may take; None for no limit.

    Raises:
        TooCostly: it takes longer.
        Exception: whatever pickling the value raises.
    """
    sink = _Sink(None if limit_ns is None else time.perf_counter_ns() + limit_ns)
    _HashingPickler(sink, protocol=5, buffer_callback=sink.take).dump(value)
    return sink.hasher.digest(), sink.size_bytes


class _LenientPickler(_HashingPickler):
    """Takes what cannot be pickled (functions made on the spot, locks, open files) for what it is: itself."""

    def reducer_override(self, obj: Any) -> Any:
        found = super().reducer_override(obj)
        if found is not NotImplemented or obj is tuple:
            return found
        if isinstance(obj, types.FunctionType):
            held = [cell.cell_contents for cell in obj.__closure__ or () if _is_filled(cell)]
            return (tuple, ((id(obj), obj.__defaults__, obj.__kwdefaults__, held, vars(obj)),))
        if isinstance(obj, type | types.ModuleType):
            return (tuple, ((id(obj),),))
        try:
            return obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        except Exception:
            # Reading it is refused by the object itself, in whatever way.
            return (tuple, ((id(obj),),))


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def identity_digest(value: Any) -> tuple[bytes, int]:
    """Return the digest of a value that cannot be pickled whole: what cannot be read counts by identity.

    Raises:
        Exception: whatever the value raises.
    """
    sink = _Sink()
    _LenientPickler(sink, protocol=5, buffer_callback=sink.take).dump(value)
    return sink.hasher.digest(), sink.size_bytes
