"""polars frames and series as Arrow IPC files."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import Any

from mile_rl.store.codecs.base import ByteSink, NotExact


class PolarsCodec:
    """Exact ``polars.DataFrame`` without Python objects; its chunks and sortedness flags are compared."""

    name = "polars"
    suffix = ".polars.arrow"
    version = 1

    def accepts(self, value: Any) -> bool:
        """Accept a frame with at least one column, if polars is loaded at all."""
        polars = sys.modules.get("polars")
        return polars is not None and type(value) is polars.DataFrame and value.width > 0

    def estimate_bytes(self, value: Any) -> int | None:
        """Return polars' own estimate of the frame's heap size."""
        return int(value.estimated_size()) + 8192

    def write(self, value: Any, sink: ByteSink) -> bool:
        """Write the Arrow file in polars' newest layout.

        Raises:
            NotExact: a column holds Python objects or several chunks.
        """
        import polars as pl

        if any(_holds_objects(dtype) for dtype in value.dtypes):
            raise NotExact("a polars column of Python objects")
        if value.n_chunks("all") != [1] * value.width or any(any(flags.values()) for flags in _flags(value)):
            raise NotExact("polars chunks or sortedness flags, which Arrow files do not keep")
        value.write_ipc(sink, compat_level=pl.CompatLevel.newest())
        return True

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return the frame; polars takes no mapping of ours, so the bytes are copied."""
        import polars as pl

        return pl.read_ipc(bytes(mapped))


def _holds_objects(dtype: Any) -> bool:
    import polars as pl

    inner = getattr(dtype, "inner", None)
    fields = getattr(dtype, "fields", ())
    return (
        dtype == pl.Object
        or (inner is not None and _holds_objects(inner))
        or any(_holds_objects(field.dtype) for field in fields)
    )


def _flags(frame: Any) -> list[dict[str, bool]]:
    return [column.flags for column in frame.get_columns()]
