"""The canonical bytes of values without parts: numbers, texts, bytes and Python's few constants."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from mile_rl.workflows.digest import bulk

LONG_BYTES = 4096
"""What is longer stands by its digest: here the content of a text or of bytes."""

_NAN = struct.pack("<d", float("nan"))


def _integer(out: bytearray, value: int) -> None:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    out += b"i" + len(data).to_bytes(8, "little")
    out += data


def _float(out: bytearray, value: float) -> None:
    out += b"f"
    out += struct.pack("<d", value) if value == value else _NAN


def _complex(out: bytearray, value: complex) -> None:
    out += b"j"
    for part in (value.real, value.imag):
        out += struct.pack("<d", part) if part == part else _NAN


def _string(out: bytearray, value: str) -> None:
    data = value.encode("utf-8", "surrogatepass")
    out += b"s" + len(data).to_bytes(8, "little")
    out += data if len(data) <= LONG_BYTES else bulk(data)


def _bytes(out: bytearray, value: bytes) -> None:
    out += b"y" + len(value).to_bytes(8, "little")
    out += value if len(value) <= LONG_BYTES else bulk(value)


def _bytearray(out: bytearray, value: bytearray) -> None:
    out += b"Y" + len(value).to_bytes(8, "little")
    out += value if len(value) <= LONG_BYTES else bulk(value)


def _constant(mark: bytes) -> Callable[[bytearray, Any], None]:
    def write(out: bytearray, _: Any) -> None:
        out += mark

    return write


def _boolean(out: bytearray, value: bool) -> None:
    out += b"T" if value else b"N"


SCALARS: dict[type, Callable[[bytearray, Any], None]] = {
    type(None): _constant(b"0"),
    type(...): _constant(b"E"),
    type(NotImplemented): _constant(b"I"),
    bool: _boolean,
    int: _integer,
    float: _float,
    complex: _complex,
    str: _string,
    bytes: _bytes,
    bytearray: _bytearray,
}
"""Type -> what appends the bytes of a value of exactly this type. It needs no encoder, so it is quick."""

scalar_writer: Callable[[type], Callable[[bytearray, Any], None] | None] = SCALARS.get
"""What appends the bytes of values of a type, None for one that is no scalar. Bound here once: it is asked about
every part of every value, and Python calls a method of an imported name in two steps."""
