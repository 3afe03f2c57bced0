"""Seeing to it that no operator changes a value that others read.

Frames are handed out as copy-on-write copies, so a change stays with the operator that made it. Other values
are handed out as they are and digested before and after; one that was changed in place must not be used again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from mile_rl.engine.content import TooCostly, array_digest, identity_digest, pickle_digest, sparse_digest

SAMPLE = 64
"""So many items tell about how long all items of a list take to read."""
SURELY = 3
"""A value is not even begun to be read where that would take so many times what it may."""

_ATOMS = (type(None), bool, int, float, complex, str, bytes, range, type)
_UNCHANGING_CELLS = frozenset(
    "string bytes floating integer mixed-integer-float decimal complex boolean datetime64 datetime date "
    "timedelta64 timedelta time period interval empty".split()
)
"""What pandas calls object columns whose cells nobody can change."""


class Watch(Protocol):
    """Guards one value while operators read it. Not thread-safe; the engine asks from one thread."""

    size_bytes: int | None
    """How many bytes the value takes, roughly; None where that is not known."""
    codec: str
    """The name of the store's codec that will probably write the value."""
    unwatchable: str
    """Why the value cannot be read as bytes, so that it cannot be kept; "" where it can."""
    costly: bool
    """Whether digesting the value was given up at the limit; then it is not compared, see ``insist``."""
    effort_ns: int
    """How long digesting it took (or was tried): a value that is slow to read is at least as slow to write."""
    private: bool
    """Whether the value may be written while operators read it, because none of them can change it."""

    def hand_out(self) -> Any:
        """Return what an operator may be given in place of the value."""

    def changed(self, handed: Any) -> bool:
        """Tell whether the operator changed what it was given."""

    def spoiled(self) -> bool:
        """Tell whether the value itself is no longer what it was."""

    def insist(self, limit_ns: int | None = None) -> None:
        """Digest the value after all, however long it takes or up to a new limit; nobody may have changed it."""


def watch(value: Any, *, limit_ns: int | None = None) -> Watch:
    """Return the watch that fits a value. Costs about 0.3 ms for 16 MB of numbers, nothing for a frame.

    Args:
        value: what to watch.
        limit_ns: how long reading a value of many Python objects may take before it is given up.
    """
    if isinstance(value, _ATOMS):
        return _Unchanging(value)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        return _Frame(value)
    polars = sys.modules.get("polars")
    if polars is not None and isinstance(value, polars.DataFrame):
        return _Polars(value)
    numpy = sys.modules.get("numpy")
    # Of a subclass the buffer does not say all: a mask, attributes.
    if numpy is not None and type(value) in (numpy.ndarray, numpy.memmap) and not value.dtype.hasobject:
        return _Digested(value, array_digest, "array")
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(value) and value.format in ("csr", "csc", "bsr", "coo", "dia"):
        return _Digested(value, sparse_digest, "sparse")
    kind = "estimator" if hasattr(value, "get_params") else "pickle"
    return _Digested(value, pickle_digest, kind, limit_ns=limit_ns)


class _Cheap:
    """What watches have in common that cost next to nothing."""

    costly = False
    effort_ns = 0

    def insist(self, limit_ns: int | None = None) -> None:
        """Do nothing: the value is watched already."""


class _Unchanging(_Cheap):
    """A value that nobody can change."""

    codec = "pickle"
    private = True
    unwatchable = ""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.size_bytes: int | None = sys.getsizeof(value)

    def hand_out(self) -> Any:
        return self.value

    def changed(self, handed: Any) -> bool:
        return False

    def spoiled(self) -> bool:
        return False


class _Frame(_Cheap):
    """A pandas frame or series. Since pandas 3 a shallow copy behaves as a full one and costs 0.01 ms."""

    codec = "frame"
    unwatchable = ""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.size_bytes: int | None = _frame_bytes(value)
        self._objects = _mutable_cells(value)
        self.private = self._objects is None
        self._cells = pickle_digest(self._objects)[0] if self._objects is not None else b""

    def hand_out(self) -> Any:
        return self.value.copy(deep=False)

    def changed(self, handed: Any) -> bool:
        manager, own = handed._mgr, self.value._mgr
        same_blocks = len(manager.blocks) == len(own.blocks) and all(
            _same_memory(mine.values, theirs.values) for mine, theirs in zip(own.blocks, manager.blocks)
        )
        same_labels = all(
            mine.is_(theirs) and list(mine.names) == list(theirs.names)
            for mine, theirs in zip(self.value.axes, handed.axes)
        )
        # A copy that pandas only laid out anew, or one whose labels were set to equal ones, is unchanged.
        if not (same_blocks and same_labels) and not (
            all(mine.identical(theirs) for mine, theirs in zip(self.value.axes, handed.axes))
            and self.value.equals(handed)
        ):
            return True
        return self.spoiled()

    def spoiled(self) -> bool:
        return self._objects is not None and pickle_digest(self._objects)[0] != self._cells


class _Polars(_Cheap):
    """A polars frame; a clone shares its columns, which nobody can change."""

    codec = "polars"
    private = True
    unwatchable = ""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.size_bytes: int | None = int(value.estimated_size())

    def hand_out(self) -> Any:
        return self.value.clone()

    def changed(self, handed: Any) -> bool:
        return handed.schema != self.value.schema or not handed.equals(self.value)

    def spoiled(self) -> bool:
        return False


class _Digested:
    """Any other value: digested when it is watched and whenever somebody has read it."""

    private = False
    unwatchable = ""

    def __init__(
        self, value: Any, digest: Callable[..., tuple[bytes, int]], codec: str, *, limit_ns: int | None = None
    ) -> None:
        self.value = value
        self.codec = codec
        self._digest = digest
        self.size_bytes: int | None = None
        self._before = b""
        self.costly = False
        self.effort_ns = 0
        self._read_timed(limit_ns)

    def insist(self, limit_ns: int | None = None) -> None:
        if self.costly:
            self.costly = False
            self._read_timed(limit_ns)

    def _read_timed(self, limit_ns: int | None) -> None:
        begun_ns = time.perf_counter_ns()
        self._read(limit_ns)
        tried_ns = time.perf_counter_ns() - begun_ns
        self.effort_ns = max(tried_ns, self.effort_ns) if self.costly else tried_ns

    def _read(self, limit_ns: int | None) -> None:
        value = self.value
        try:
            if limit_ns is not None and (expected_ns := _reading_ns(value, limit_ns)) > SURELY * limit_ns:
                self.costly, self.effort_ns = True, expected_ns
                return
            if limit_ns is None:
                self._before, self.size_bytes = self._digest(value)
            else:
                self._before, self.size_bytes = self._digest(value, limit_ns)
        except TooCostly:
            self.costly = True
        except Exception as error:
            # Whatever its pickling raises: it cannot be kept. In most such values only a function, a class or a
            # handle of the system cannot be read as bytes; the rest is compared all the same.
            self.size_bytes = None
            self.unwatchable = f"{type(error).__name__}: {error}"
            self._digest = identity_digest
            try:
                self._before = identity_digest(value)[0]
            except Exception:
                self._before = b""

    def hand_out(self) -> Any:
        return self.value

    def changed(self, handed: Any) -> bool:
        return self.spoiled()

    def spoiled(self) -> bool:
        if not self._before:
            return False
        try:
            return self._digest(self.value)[0] != self._before
        except Exception:
            # It could be read before and cannot be any more, so it was changed.
            return True


def _reading_ns(value: Any, limit_ns: int) -> int:
    """Return about how long a long list or tuple takes to read, told from a few of its items; 0 for all else."""
    if type(value) not in (list, tuple) or len(value) < 10 * SAMPLE:
        return 0
    sample = value[:: len(value) // SAMPLE]
    begun_ns = time.perf_counter_ns()
    try:
        pickle_digest(sample, limit_ns)
    except TooCostly:
        pass
    except Exception:
        # Reading all of it will say why it cannot be read.
        return 0
    return (time.perf_counter_ns() - begun_ns) * len(value) // len(sample)


def _same_memory(mine: Any, theirs: Any) -> bool:
    if mine is theirs:
        return True
    arrow = getattr(mine, "_pa_array", None)
    if arrow is not None:
        return arrow is getattr(theirs, "_pa_array", None)
    mine, theirs = getattr(mine, "_ndarray", mine), getattr(theirs, "_ndarray", theirs)
    try:
        one, other = mine.__array_interface__, theirs.__array_interface__
    except AttributeError:
        return False
    return bool(
        one["data"] == other["data"] and one["shape"] == other["shape"] and one["typestr"] == other["typestr"]
    )


def _frame_bytes(value: Any) -> int:
    blocks = sum(int(block.values.nbytes) for block in value._mgr.blocks)
    return blocks + (0 if isinstance(value.index, sys.modules["pandas"].RangeIndex) else value.index.nbytes)


def _mutable_cells(value: Any) -> Any:
    """Return the columns whose cells are objects that can change (lists, dicts, …), or None."""
    if all(block.dtype != object for block in value._mgr.blocks):
        return None
    import pandas

    columns = [value] if value.ndim == 1 else [value.iloc[:, i] for i in range(value.shape[1])]
    changeable = [
        column.to_list()
        for column in columns
        if column.dtype == object
        and pandas.api.types.infer_dtype(column.to_numpy(), skipna=True) not in _UNCHANGING_CELLS
    ]
    return changeable or None
