"""NumPy arrays as ``.npy`` files, loaded by mapping."""

from __future__ import annotations

import io
import mmap
import sys
from pathlib import Path
from typing import Any

from mile_rl.store.codecs.base import ByteSink, NotExact
from mile_rl.store.codecs.strides import order_of, raw


class ArrayCodec:
    """Exact ``numpy.ndarray`` in C or F order, without Python objects; ``numpy.load`` reads the file too."""

    name = "array"
    suffix = ".npy"
    version = 1

    def accepts(self, value: Any) -> bool:
        """Accept a plain, writeable ndarray of fresh strides."""
        numpy = sys.modules.get("numpy")
        return numpy is not None and type(value) is numpy.ndarray and self._plain(value)

    @staticmethod
    def _plain(value: Any) -> bool:
        # ".npy" has no place for a read-only flag or for strides: the pickle codec keeps both
        return (
            not value.dtype.hasobject
            and value.itemsize > 0
            and value.flags.writeable
            and value.flags.aligned
            and order_of(value) is not None
        )

    def estimate_bytes(self, value: Any) -> int | None:
        """Return the array's size with a header of the usual length."""
        return int(value.nbytes) + 128

    def write(self, value: Any, sink: ByteSink) -> bool:
        """Write header and data.

        Raises:
            NotExact: the ``.npy`` header cannot hold this dtype (metadata, alignment, extension types).
        """
        header = npy_header(value)
        sink.write(header)
        if value.size:
            sink.write(raw(value))
        return True

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return the array on the mapping."""
        return npy_array(mapped, 0, len(mapped))


class MemmapCodec(ArrayCodec):
    """``numpy.memmap``: the same file, loaded as a copy-on-write memory map of it."""

    name = "memmap"

    def accepts(self, value: Any) -> bool:
        """Accept a memory map of fresh strides."""
        numpy = sys.modules.get("numpy")
        return numpy is not None and type(value) is numpy.memmap and self._plain(value)

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return a memory map with mode "c"."""
        import numpy as np

        array = super().read(mapped, path)
        value: Any = array.view(np.memmap)
        value._mmap = mapped
        value.filename = path
        value.offset = len(mapped) - array.nbytes
        value.mode = "c"
        return value


def npy_header(array: Any) -> bytes:
    """Return the header of a ``.npy`` file for an array in C or F order, a multiple of 64 bytes.

    Raises:
        NotExact: the header cannot describe the array's dtype exactly.
    """
    import numpy as np
    from numpy.lib import format as npy

    dtype = array.dtype
    if dtype.metadata is not None or (dtype.fields and any(v[0].metadata for v in dtype.fields.values())):
        raise NotExact("the .npy format drops dtype metadata")
    description = npy.dtype_to_descr(dtype)
    # compare the texts: NumPy calls an aligned struct equal to one that is not
    if repr(np.dtype(npy.descr_to_dtype(description))) != repr(dtype):
        raise NotExact(f"the .npy format does not hold dtype {dtype}")
    stream = io.BytesIO()
    fields = {"descr": description, "fortran_order": order_of(array) == "F", "shape": array.shape}
    try:
        npy.write_array_header_2_0(stream, fields)
    except UnicodeEncodeError as error:
        raise NotExact("the .npy format wants field names in Latin-1") from error
    return stream.getvalue()


def npy_array(mapped: mmap.mmap, start: int, stop: int) -> Any:
    """Return the array of the ``.npy`` bytes from ``start`` to ``stop``, on the mapping itself.

    Raises:
        ValueError: these bytes are not such a file.
    """
    import numpy as np
    from numpy.lib import format as npy

    head = io.BytesIO(mapped[start : min(stop, start + (1 << 16))])
    if npy.read_magic(head) != (2, 0):
        raise ValueError("not a .npy file of version 2.0")
    shape, fortran, dtype = npy.read_array_header_2_0(head, max_header_size=1 << 16)
    order: Any = "F" if fortran else "C"
    return np.ndarray(shape, dtype, mapped, offset=start + head.tell(), order=order)
