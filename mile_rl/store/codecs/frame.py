"""pandas frames and series as Arrow IPC files, loaded by mapping, block for block.

The columns of the file are the frame's own buffers under the columns' names, so that any Arrow reader can
look inside. The schema's metadata holds a small pickle of all the rest (index, attrs, flags, which columns
form one block), with references in place of the buffers. Loading is exact because it goes the way that
pickle goes; it copies nothing because a block's columns lie side by side in the file.

What goes into a column: arrays as long as the frame, in C order, of integers, floats, booleans (as bytes),
datetimes and timedeltas (NaT as the smallest integer, as pandas keeps it), codes of categoricals, masks of
nullable dtypes, Arrow strings. A frame with object columns, with blocks in another layout,
or of less than 64 KiB is left to pickle.
"""

from __future__ import annotations

import io
import mmap
import sys
from pathlib import Path
from typing import Any

from mile_rl.store.codecs.base import ByteSink, NotExact
from mile_rl.store.codecs.pickled import Unpickler
from mile_rl.store.codecs.reducing import Reducer, big_bytes
from mile_rl.store.codecs.strides import order_of

KEY = b"mile_rl.frame"
SMALLEST_BYTES = 1 << 16
"""Below this pickle is four times as fast and nobody misses Arrow."""
INLINE_BYTES = 1 << 14
"""Other arrays (column labels, category values) up to this size may stay inside the small pickle."""

ARROW_TYPES = {
    **{name: name for name in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]},
    "float16": "halffloat",
    "float32": "float",
    "float64": "double",
    "bool": "uint8",
}


class FrameCodec:
    """Exact ``pandas.DataFrame`` and ``pandas.Series``."""

    name = "frame"
    suffix = ".arrow"
    version = 1

    def accepts(self, value: Any) -> bool:
        """Accept a frame or series of some size, if pandas is loaded at all."""
        pandas = sys.modules.get("pandas")
        return (
            pandas is not None
            and type(value) in (pandas.DataFrame, pandas.Series)
            and len(value) > 0
            and (big_bytes(value) or 0) >= SMALLEST_BYTES
        )

    def estimate_bytes(self, value: Any) -> int | None:
        """Return the size of its buffers and a little for names."""
        nbytes = big_bytes(value)
        return None if nbytes is None else nbytes + 8192

    def write(self, value: Any, sink: ByteSink) -> bool:
        """Write the Arrow file.

        Raises:
            NotExact: some buffer of the frame does not fit a column; see the module's text.
        """
        import pyarrow as pa

        stream = io.BytesIO()
        taken = _Columns(stream, len(value), _labels(value))
        taken.dump(value)
        if not taken.arrays or taken.doubts:
            raise NotExact(
                f"no buffer of this frame fits an Arrow column {sorted(map(str, taken.doubts))}".rstrip(" []")
            )
        schema = pa.schema([pa.field(name, array.type) for name, array in zip(taken.names, taken.arrays)])
        schema = schema.with_metadata({KEY: stream.getvalue()})
        batch = pa.RecordBatch.from_arrays(taken.arrays, schema=schema)
        with pa.ipc.new_file(pa.PythonFile(sink, mode="w"), schema) as writer:
            writer.write_batch(batch)
        return True

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return the frame, its blocks on the mapping."""
        import numpy as np
        import pyarrow as pa

        reader = pa.ipc.open_file(pa.py_buffer(mapped))
        batch = reader.get_batch(0)
        base = np.frombuffer(mapped, dtype=np.uint8).ctypes.data
        loaded: dict[int, Any] = {}

        def persistent(place: tuple[Any, ...]) -> Any:
            key = place[0]
            if key not in loaded:
                loaded[key] = batch.column(key) if len(place) == 1 else _block(mapped, base, batch, *place)
            return loaded[key]

        unpickler = Unpickler(io.BytesIO(reader.schema.metadata[KEY]))
        unpickler.persistent_load = persistent  # type: ignore[method-assign]
        return unpickler.load()


class _Columns(Reducer):
    """Pickles a frame, turning the buffers that fit into Arrow columns."""

    def __init__(self, stream: io.BytesIO, rows: int, labels: dict[int, list[str]]) -> None:
        super().__init__(stream, None)
        import numpy as np
        import pyarrow as pa

        self._np, self._pa = np, pa
        self._rows = rows
        self._labels = labels
        self._places: dict[int, tuple[Any, ...]] = {}
        self._alive: list[Any] = []
        self.arrays: list[Any] = []
        self.names: list[str] = []

    def persistent_id(self, obj: Any) -> tuple[Any, ...] | None:
        """Return the columns that stand for a buffer, None for anything else."""
        arrow = isinstance(obj, self._pa.Array)
        if not arrow and type(obj) is not self._np.ndarray:
            return None
        if id(obj) not in self._places:
            place = self._arrow(obj) if arrow else self._array(obj)
            if place is None:
                return None
            self._places[id(obj)] = place
            self._alive.append(obj)  # an id means something only as long as the object lives
        return self._places[id(obj)]

    def _arrow(self, array: Any) -> tuple[Any, ...] | None:
        if len(array) != self._rows:
            return None
        self._add(array, self._labels.get(_address(array), []), 0)
        return (len(self.arrays) - 1,)

    def _array(self, array: Any) -> tuple[Any, ...] | None:
        if array.dtype.hasobject and array.shape[-1:] == (self._rows,) and array.nbytes > INLINE_BYTES:
            raise NotExact("a column of Python objects")
        arrow = _arrow_type(array.dtype)
        fits = arrow and array.ndim in (1, 2) and array.shape[-1] == self._rows and array.size
        if not fits or order_of(array) != "C":
            if array.nbytes > INLINE_BYTES:
                raise NotExact(f"a buffer of {array.dtype} in another shape or layout")
            return None
        first = len(self.arrays)
        labels = self._labels.get(_address(array), [])
        for i, row in enumerate(array.reshape(-1, self._rows)):
            buffer = self._pa.py_buffer(row.view("u1"))
            self._add(self._pa.Array.from_buffers(arrow, self._rows, [None, buffer]), labels, i)
        return first, array.ndim, array.shape[0], array.dtype, array.flags.writeable

    def _add(self, array: Any, labels: list[str], i: int) -> None:
        self.arrays.append(array)
        self.names.append(labels[i] if i < len(labels) else f"(buffer {len(self.arrays)})")


def _arrow_type(dtype: Any) -> Any:
    import pyarrow as pa

    if not dtype.isnative:
        return None
    if dtype.kind in "mM":
        unit = dtype.str.partition("[")[2].rstrip("]")
        if unit not in ("s", "ms", "us", "ns"):
            return None
        return pa.timestamp(unit) if dtype.kind == "M" else pa.duration(unit)
    name = ARROW_TYPES.get(dtype.name)
    return None if name is None else pa.type_for_alias(name)


def _block(
    mapped: mmap.mmap, base: int, batch: Any, first: int, ndim: int, length: int, dtype: Any, writeable: bool
) -> Any:
    """Return the array that some columns hold, without a copy where they lie side by side."""
    import numpy as np

    rows = batch.num_rows
    count = length if ndim == 2 else 1
    starts = [batch.column(first + i).buffers()[1].address - base for i in range(count)]
    step = rows * dtype.itemsize
    shape = (length, rows) if ndim == 2 else (rows,)
    if all(start == starts[0] + i * step for i, start in enumerate(starts)):
        array: Any = np.ndarray(shape, dtype, mapped, offset=starts[0])
    else:
        array = np.empty(shape, dtype)
        for i, start in enumerate(starts):
            array[i] = np.ndarray((rows,), dtype, mapped, offset=start)
    array.flags.writeable = writeable
    return array


def _address(array: Any) -> int:
    """Return where an array's last buffer begins: pandas hands out new objects over the same memory."""
    buffers = getattr(array, "buffers", None)
    if buffers is None:
        return int(array.__array_interface__["data"][0])
    buffer = buffers()[-1]
    return int(buffer.address) if buffer is not None else 0


def _labels(value: Any) -> dict[int, list[str]]:
    """Return the column names that each buffer of a frame carries, by its address; for people only."""
    manager = getattr(value, "_mgr", None)
    labels: dict[int, list[str]] = {}
    for block in getattr(manager, "blocks", ()):
        if value.ndim == 2:
            names = [str(value.columns[i]) for i in block.mgr_locs.as_array]
        else:
            names = [str(value.name)]
        values = block.values
        if hasattr(values, "__array_interface__"):
            labels[_address(values)] = names
        for field, what in (("_ndarray", ""), ("_data", ""), ("_codes", " (codes)"), ("_mask", " (mask)")):
            inner = getattr(values, field, None)
            if hasattr(inner, "__array_interface__"):
                labels.setdefault(_address(inner), [name + what for name in names])
        chunks = getattr(getattr(values, "_pa_array", None), "chunks", None)
        if chunks:
            labels[_address(chunks[0])] = names
    return labels
