"""The last codec: pickle protocol 5 with its large buffers out of band, refusing what does not survive.

A file is: 16 bytes of magic, the pickle stream, each large buffer on a multiple of 64 bytes, a JSON footer
that says where they lie, and a trailer with the footer's size. Everything is written once, in order.
"""

from __future__ import annotations

import json
import mmap
import pickle
import struct
from pathlib import Path
from typing import Any

from mile_rl.store.codecs.base import (
    ByteSink,
    NotExact,
    NotStorable,
    Refused,
    one_line,
    padding,
)
from mile_rl.store.codecs.names import find
from mile_rl.store.codecs.reducing import Reducer, big_bytes

MAGIC = b"mile-rl pickle\n\0"
TRAILER = struct.Struct("<Q8s")
END = b"MILEEND1"
INLINE_BYTES = 1024
"""Buffers below this stay in the pickle stream: padding and the index would cost more than a copy."""


class PickledCodec:
    """Any value that pickle can take apart and put together again."""

    name = "pickle"
    suffix = ".pickle"
    version = 1

    def accepts(self, value: Any) -> bool:
        """Accept everything; :meth:`write` refuses."""
        return True

    def estimate_bytes(self, value: Any) -> int | None:
        """Return the size of the buffers of an array or a frame, else None."""
        return big_bytes(value)

    def versions(self) -> dict[str, str]:
        """Return the library versions that a reader must have, by name."""
        return {}

    def write(self, value: Any, sink: ByteSink) -> bool:
        """Write the value; see :class:`~mile_rl.store.codecs.base.Codec`."""
        sink.write(MAGIC)
        buffers: list[memoryview] = []

        def out_of_band(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < INLINE_BYTES:
                return True
            buffers.append(raw)
            return False

        reducer = Reducer(sink, out_of_band)
        try:
            reducer.dump(value)
        except (Refused, NotStorable):
            raise
        except NotExact as error:
            raise NotStorable(str(error)) from error
        except Exception as error:
            raise NotStorable(one_line(error)) from error
        stream_bytes = sink.tell() - len(MAGIC)
        places = []
        for buffer in buffers:
            sink.write(bytes(padding(sink.tell())))
            places.append((sink.tell(), buffer.nbytes))
            sink.write(buffer)
        footer = json.dumps(
            {"stream_bytes": stream_bytes, "buffers": places, "versions": self.versions()}
        ).encode()
        sink.write(footer)
        sink.write(TRAILER.pack(len(footer), END))
        return not reducer.doubts

    def check_versions(self, versions: dict[str, str]) -> None:
        """Raise :class:`NotValidHere` where these versions are not those of this process."""

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return the value, its large buffers lying on the mapping."""
        view = memoryview(mapped)
        size, end = TRAILER.unpack(view[-TRAILER.size :])
        if end != END or view[: len(MAGIC)] != MAGIC:
            raise ValueError(f"{path.name} is not a pickle of MILE-RL")
        footer = json.loads(bytes(view[-TRAILER.size - size : -TRAILER.size]))
        self.check_versions(footer["versions"])
        buffers = [view[start : start + length] for start, length in footer["buffers"]]
        mapped.seek(len(MAGIC))
        return Unpickler(mapped, buffers=buffers).load()


class Unpickler(pickle.Unpickler):
    """Finds classes and functions under their canonical module names."""

    def find_class(self, module: str, name: str, /) -> Any:
        """Return a class or function by its written name."""
        return find(module, name)
