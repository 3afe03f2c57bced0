"""The canonical bytes of values: whatever holds others, with what is shared, goes round in circles, or is long.

Values without parts are the business of ``scalars``, code and objects that of ``encode_objects``, arrays and
frames that of ``encode_arrays``.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NoReturn

from mile_rl.errors import UnhashableValue
from mile_rl.workflows import encode_objects
from mile_rl.workflows.dag import Output
from mile_rl.workflows.digest import bulk, digest_file
from mile_rl.workflows.file import File
from mile_rl.workflows.packages import canonical_name
from mile_rl.workflows.scalars import LONG_BYTES, scalar_writer

_BULK_BYTES = 256
_MANY = 32
"""From how many items a list of floats, integers or texts is packed in one go."""

_FAR = 1 << 60


class Encoder:
    """Writes values as canonical bytes.

    Functions, classes and modules are only referred to, by their place in ``refs``: digesting code is the
    business of ``reach``. ``out`` together with what stands for ``refs`` (and ``leaves`` and ``files``) is
    the pre-image.

    Args:
        where: where the value stands, in the person's words; for the error only.
        outputs: whether outputs and files may stand in the value. They are then kept apart, in ``leaves``
            and ``files``, with a mark in their place; otherwise a file's name and content are written.
        file_digest: digests a file's content.

    Attributes:
        out: the canonical bytes.
        refs: functions, classes, modules and their like, in order of first use.
        leaves: the outputs that occur, in order.
        files: the files that occur, in order.
    """

    def __init__(
        self,
        *,
        where: str,
        outputs: bool = False,
        file_digest: Callable[[Any], bytes] = digest_file,
    ) -> None:
        self.out = bytearray()
        self.refs: list[Any] = []
        self.leaves: list[Output] = []
        self.files: list[File] = []
        self._where = where
        self._outputs = outputs
        self._file_digest = file_digest
        self._index: dict[int, int] = {}
        self._stack: dict[int, int] = {}
        self._memo: dict[int, tuple[object, bytes]] = {}
        self._alive: list[object] = []
        self._lowest = _FAR
        self._bulk_bytes = 0

    def write(self, value: Any) -> None:
        """Append the canonical bytes of a value.

        Raises:
            UnhashableValue: the value, or something in it, cannot be digested.
        """
        scalar = scalar_writer(type(value))
        if scalar is not None:
            scalar(self.out, value)
            return
        try:
            self._compound(value)
        except RecursionError:
            raise UnhashableValue(
                self._where, f"{type(value).__name__} nested too deep", "flatten it into a list or an array."
            ) from None

    def raw(self, data: Any) -> None:
        """Append bytes with their length; big ones by digest."""
        size_bytes = data.nbytes if isinstance(data, memoryview) else len(data)
        self.out += size_bytes.to_bytes(8, "little")
        if size_bytes <= _BULK_BYTES:
            self.out += data
        else:
            self._bulk_bytes += size_bytes
            self.out += bulk(data)

    def text(self, text: str) -> None:
        """Append a text without a mark of its type."""
        self.raw(text.encode("utf-8", "surrogatepass"))

    def ref(self, code: Any) -> None:
        """Append a reference to a function, class, module or the like."""
        index = self._index.get(id(code))
        if index is None:
            index = self._index[id(code)] = len(self.refs)
            self.refs.append(code)
        self.out += b"@" + index.to_bytes(4, "little")

    def items(self, mark: bytes, values: Any) -> None:
        """Append a mark, the number of values, and the values."""
        self.out += mark + len(values).to_bytes(8, "little")
        if len(values) >= _MANY and self._packed(values):
            return
        for value in values:
            scalar = scalar_writer(type(value))
            if scalar is not None:
                scalar(self.out, value)
            else:
                self._compound(value)

    def mapping(self, value: dict[Any, Any]) -> None:
        """Append the keys and the values of a dict, in its order."""
        self.items(b"{", list(value))
        self.items(b":", list(value.values()))

    def hold(self, value: object) -> None:
        """Keep a short-lived object alive: while ids are remembered, nothing may take its place."""
        self._alive.append(value)

    def _packed(self, values: Any) -> bool:
        """Write items of one plain type in one go, where they are."""
        kinds = set(map(type, values))
        if len(kinds) != 1:
            return False
        kind = kinds.pop()
        if kind is float:
            if any(map(operator.ne, values, values)):
                values = [value if value == value else float("nan") for value in values]
            self.out += b"*f"
            self.raw(struct.pack(f"<{len(values)}d", *values))
        elif kind is int and min(values) >= -(1 << 63) and max(values) < 1 << 63:
            self.out += b"*i"
            self.raw(struct.pack(f"<{len(values)}q", *values))
        elif kind is str:
            self.out += b"*s"
            self.raw(struct.pack(f"<{len(values)}q", *map(len, values)))
            self.text("".join(values))
        else:
            return False
        return True

    def refuse(self, value: object, remedy: str = "") -> NoReturn:
        """Raise the error that names where the value stands and what to do instead."""
        kind = type(value)
        name = (
            kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        )
        remedy = remedy or (
            "pass the plain values that it is made from and make it inside the operator, give its class a "
            "__reduce__ method, or mark the operator @op(version=...) and vouch for its code yourself."
        )
        raise UnhashableValue(self._where, name, remedy)

    def _compound(self, value: Any) -> None:
        """Append a value that may have parts, once and for all.

        A long encoding is replaced by its digest, and remembered, so that a structure with shared parts takes
        time by its own size and not by that of its unfolding.
        """
        key = id(value)
        depth = self._stack.get(key)
        if depth is not None:
            self.out += b"^" + (len(self._stack) - depth).to_bytes(4, "little")
            self._lowest = min(self._lowest, depth)
            return
        known = self._memo.get(key)
        if known is not None:
            self.out += known[1]
            return
        start, bulk_before, lowest_before = len(self.out), self._bulk_bytes, self._lowest
        here = self._stack[key] = len(self._stack)
        self._lowest = _FAR
        try:
            writer = _WRITERS.get(type(value))
            if writer is not None:
                writer(self, value)
            else:
                encode_objects.write(self, value)
        finally:
            del self._stack[key]
        long = len(self.out) - start > LONG_BYTES
        if long:
            self.out[start:] = b"#" + blake2b(self.out[start:], digest_size=16).digest()
        alone = self._lowest >= here
        if alone and (long or self._bulk_bytes - bulk_before > LONG_BYTES):
            self._memo[key] = (value, bytes(self.out[start:]))
        self._lowest = lowest_before if alone else min(lowest_before, self._lowest)

    def _list(self, value: list[Any]) -> None:
        self.items(b"[", value)

    def _tuple(self, value: tuple[Any, ...]) -> None:
        self.items(b"(", value)

    def _set(self, value: set[Any] | frozenset[Any]) -> None:
        self.out += b"S" if type(value) is set else b"Z"
        self.out += len(value).to_bytes(8, "little")
        encoded = []
        for item in value:
            # Each on its own, so that neither references nor order depend on the hash seed.
            part = Encoder(where=self._where, file_digest=self._file_digest)
            part._stack, part._alive = self._stack, self._alive
            part.write(item)
            self._lowest = min(self._lowest, part._lowest)
            encoded.append((bytes(part.out), [_address(ref) for ref in part.refs], part.refs))
        encoded.sort(key=lambda item: item[:2])
        for content, _, refs in encoded:
            self.raw(content)
            self.out += len(refs).to_bytes(8, "little")
            for ref in refs:
                self.ref(ref)

    def _output(self, value: Output) -> None:
        if self._outputs:
            self.out += b"L"
            self.leaves.append(value)
        else:
            encode_objects.write(self, value)

    def _file(self, value: File) -> None:
        self.out += b"F"
        if self._outputs:
            self.files.append(value)
        else:
            self.text(value.name)
            self.out += self._file_digest(value.path)


def _address(code: Any) -> str:
    name = getattr(code, "__qualname__", getattr(code, "__name__", type(code).__qualname__))
    return f"{canonical_name(str(getattr(code, '__module__', '')))}:{name}"


_WRITERS: dict[type, Callable[[Encoder, Any], None]] = {
    list: Encoder._list,
    tuple: Encoder._tuple,
    dict: Encoder.mapping,
    set: Encoder._set,
    frozenset: Encoder._set,
    Output: Encoder._output,
    File: Encoder._file,
    **encode_objects.WRITERS,
}
"""Type -> what writes a value of exactly this type; all others are looked at more closely."""
