"""What a codec is, and the ways in which one says no."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, Protocol

from mile_rl.errors import StoreError

ALIGNMENT_BYTES = 64
"""Buffers start on a multiple of this in every file, so that a mapped array is as aligned as a fresh one."""


class NotExact(StoreError):
    """This codec cannot give the value back exactly; the next codec is tried."""


class NotStorable(StoreError):
    """No codec can give the value back exactly; the message says why, in one line."""


class NotValidHere(StoreError):
    """The stored bytes are sound, but must not be read in this process (another library version)."""


class Refused(StoreError):
    """The sink takes no more bytes (over budget or deadline, disk full); passes through every codec."""


class ByteSink(Protocol):
    """Where a codec writes to: a ``BinaryIO`` as far as codecs, pickle, zipfile and Arrow need one."""

    def write(self, data: Any, /) -> int:
        """Take all of ``data`` (any buffer), return its size in bytes; raise :class:`Refused` instead."""

    def tell(self) -> int:
        """Return how many bytes were taken so far."""

    def flush(self) -> None:
        """Do nothing: the store flushes."""


class Codec(Protocol):
    """One way to turn values of some kind into bytes and back, exactly.

    Exactly means: same type, dtype, memory layout, index, names, flags. A codec that cannot promise this for
    a value either does not accept it or raises :class:`NotExact` from :meth:`write`; what it wrote until then
    is thrown away. Codecs have no state and may be called from several threads. They never change the value
    and keep no reference to it. No method imports a library that is not loaded already: where pandas is not
    in ``sys.modules``, no value can be a frame.

    Attributes:
        name: the word in the catalog, never reused for another format.
        suffix: of the files, with the dot.
        version: raised when the format changes; a codec reads only its own version.
    """

    name: str
    suffix: str
    version: int

    def accepts(self, value: Any) -> bool:
        """Return whether the value looks like one for this codec; cheap."""

    def estimate_bytes(self, value: Any) -> int | None:
        """Return about how many bytes :meth:`write` would take, None where only writing can tell; cheap."""

    def write(self, value: Any, sink: ByteSink) -> bool:
        """Write the value as a stream, without a full copy of large buffers.

        Returns:
            True where the round trip is exact by construction; False asks the store to load the file
            again and to compare before it relies on it.

        Raises:
            NotExact: the next codec shall try.
            NotStorable: no codec can.
            Refused: from the sink.
        """

    def read(self, mapped: mmap.mmap, path: Path) -> Any:
        """Return the value from a private, writeable mapping of its file.

        Arrays may (and should) lie on the mapping: it belongs to the value from now on.

        Raises:
            NotValidHere: sound, but not for this process.
            Exception: whatever broken bytes lead to; the store turns it into "missing".
        """


def padding(size_bytes: int) -> int:
    """Return how many bytes are missing to the next multiple of the alignment."""
    return -size_bytes % ALIGNMENT_BYTES


def one_line(error: BaseException) -> str:
    """Return an exception as one short line for people."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
