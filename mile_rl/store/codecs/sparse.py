"""scipy.sparse matrices and arrays as ``.npz``, loaded by mapping.

The file is an uncompressed zip of ``.npy`` members under the names that ``scipy.sparse.load_npz`` reads,
each member's data on a multiple of 64 bytes, and one member of ours with everything else: class, flags
(sorted, canonical), shape, any further attribute.
"""

from __future__ import annotations

import io
import mmap
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mile_rl.store.codecs.array import npy_array, npy_header
from mile_rl.store.codecs.base import ByteSink, NotExact, padding
from mile_rl.store.codecs.pickled import Unpickler
from mile_rl.store.codecs.reducing import Reducer
from mile_rl.store.codecs.strides import order_of, raw

if TYPE_CHECKING:
    import zipfile

FORMATS = ("csr", "csc", "coo", "bsr", "dia")
REST = "mile-rl.pickle"
LOCAL_HEADER_BYTES = 30
EXTRA_ID = 0x4D52
"""Tag of the padding field in a member's header ("MR"); zip readers skip fields they do not know."""


class SparseCodec:
    """CSR, CSC, COO, BSR and DIA, matrices and arrays, sorted or not; LIL and DOK fall to pickle."""

    name = "sparse"
    suffix = ".npz"
    version = 1

    def accepts(self, value: Any) -> bool:
        """Accept scipy's own classes, if scipy.sparse is loaded at all."""
        sparse = sys.modules.get("scipy.sparse")
        return (
            sparse is not None
            and sparse.issparse(value)
            and type(value).__module__.startswith("scipy.sparse.")
            and value.format in FORMATS
        )

    def estimate_bytes(self, value: Any) -> int | None:
        """Return the size of its arrays and a little for names."""
        return 4096 + sum(int(array.nbytes) for array in _arrays(value).values())

    def write(self, value: Any, sink: ByteSink) -> bool:
        """Write the archive.

        Raises:
            NotExact: an array of it has dtype object, unusual strides or is read-only.
        """
        import zipfile

        import numpy as np

        arrays = _arrays(value)
        for array in arrays.values():
            if array.dtype.hasobject or order_of(array) is None or not array.flags.writeable:
                raise NotExact("the .npz format does not keep this memory layout")
        rest = io.BytesIO()
        _Rest(rest, {id(array): name for name, array in arrays.items()}).dump(value)
        known = {"format": np.array(value.format.encode()), "shape": np.array(value.shape)}
        if type(value).__name__.endswith("_array"):
            known["_is_array"] = np.array(True)
        stream: Any = sink
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, array in {**known, **arrays}.items():
                _member(archive, sink, f"{name}.npy", npy_header(array), array)
            _member(archive, sink, REST, rest.getvalue(), None)
        return True

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return the matrix, its arrays on the mapping."""
        import zipfile

        stream: Any = mapped
        with zipfile.ZipFile(stream) as archive:
            places = {info.filename: _place(mapped, info) for info in archive.infolist()}
        loaded: dict[str, Any] = {}

        def persistent(name: str) -> Any:
            if name not in loaded:
                loaded[name] = npy_array(mapped, *places[f"{name}.npy"])
            return loaded[name]

        start, stop = places[REST]
        unpickler = Unpickler(io.BytesIO(mapped[start:stop]))
        unpickler.persistent_load = persistent  # type: ignore[method-assign]
        return unpickler.load()


class _Rest(Reducer):
    """Pickles a matrix without the arrays that are members of their own."""

    def __init__(self, sink: Any, names: dict[int, str]) -> None:
        super().__init__(sink, None)
        self._names = names

    def persistent_id(self, obj: Any) -> str | None:
        """Return a member's name in place of its array."""
        return self._names.get(id(obj))


def _arrays(value: Any) -> dict[str, Any]:
    """Return a matrix's arrays by the names that ``scipy.sparse.load_npz`` knows."""
    match value.format:
        case "coo" if len(value.shape) == 2:
            return {"row": value.coords[0], "col": value.coords[1], "data": value.data}
        case "coo":
            return {**{f"coords_{i}": axis for i, axis in enumerate(value.coords)}, "data": value.data}
        case "dia":
            return {"offsets": value.offsets, "data": value.data}
    return {"indices": value.indices, "indptr": value.indptr, "data": value.data}


def _member(archive: zipfile.ZipFile, sink: ByteSink, name: str, head: bytes, array: Any) -> None:
    """Stream one member, its first byte on a multiple of 64 bytes of the file."""
    from zipfile import ZipInfo

    info = ZipInfo(name)
    size_bytes = len(head) + (0 if array is None else array.nbytes)
    zip64 = struct.calcsize("<HHQQ")
    gap = padding(sink.tell() + LOCAL_HEADER_BYTES + len(name) + 4 + zip64)
    info.extra = struct.pack("<HH", EXTRA_ID, gap) + bytes(gap)
    info.file_size = size_bytes
    with archive.open(info, "w", force_zip64=True) as member:
        member.write(head)
        if array is not None and array.size:
            member.write(raw(array))


def _place(mapped: mmap.mmap, info: zipfile.ZipInfo) -> tuple[int, int]:
    """Return where a member's bytes begin and end."""
    name_bytes, extra_bytes = struct.unpack_from("<HH", mapped, info.header_offset + 26)
    start = info.header_offset + LOCAL_HEADER_BYTES + name_bytes + extra_bytes
    return start, start + info.file_size
