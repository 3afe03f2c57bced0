"""The canonical bytes of values, type by type."""

from __future__ import annotations

import copyreg
import enum
import functools
import operator
import struct
import sys
import types
from collections.abc import Callable
from hashlib import blake2b
from pathlib import PurePath
from typing import Any, NoReturn

from mile_rl.errors import MileError, UnhashableValue
from mile_rl.workflows.dag import Output
from mile_rl.workflows.digest import bulk, digest_file
from mile_rl.workflows.file import File
from mile_rl.workflows.packages import canonical_name

_COLLAPSE_BYTES = 4096
"""A longer encoding of a compound value is replaced by its digest, and remembered, so that a structure with
shared parts takes time by its own size and not by that of its unfolding."""

_BULK_BYTES = 256
_MANY = 32
"""From how many items a list of floats, integers or texts is packed in one go."""

_NAN = struct.pack("<d", float("nan"))
_FAR = 1 << 60

_LIBRARIES = frozenset(("numpy", "pandas", "polars", "scipy"))

CODE_TYPES = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)


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
        # Reductions make short-lived objects; while ids are remembered, nothing may take their place.
        self._alive: list[object] = []
        self._lowest = _FAR
        self._bulk_bytes = 0

    def write(self, value: Any) -> None:
        """Append the canonical bytes of a value.

        Raises:
            UnhashableValue: the value, or something in it, cannot be digested.
        """
        scalar = SCALARS.get(type(value))
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
            scalar = SCALARS.get(type(value))
            if scalar is not None:
                scalar(self.out, value)
            else:
                self._compound(value)

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
            writer = _COMPOUNDS.get(type(value))
            if writer is not None:
                writer(self, value)
            else:
                self._other(value)
        finally:
            del self._stack[key]
        long = len(self.out) - start > _COLLAPSE_BYTES
        if long:
            self.out[start:] = b"#" + blake2b(self.out[start:], digest_size=16).digest()
        alone = self._lowest >= here
        if alone and (long or self._bulk_bytes - bulk_before > _COLLAPSE_BYTES):
            self._memo[key] = (value, bytes(self.out[start:]))
        self._lowest = lowest_before if alone else min(lowest_before, self._lowest)

    def _list(self, value: list[Any]) -> None:
        self.items(b"[", value)

    def _tuple(self, value: tuple[Any, ...]) -> None:
        self.items(b"(", value)

    def _dict(self, value: dict[Any, Any]) -> None:
        self.items(b"{", list(value))
        self.items(b":", list(value.values()))

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
            self._other(value)

    def _file(self, value: File) -> None:
        self.out += b"F"
        if self._outputs:
            self.files.append(value)
        else:
            self.text(value.name)
            self.out += self._file_digest(value.path)

    def _code(self, value: Any) -> None:
        self.ref(value)

    def _method(self, value: types.MethodType) -> None:
        if _is_global_generator(value.__self__):
            self.out += b"r"
            self.text(value.__name__)
            return
        self.out += b"m"
        self.write(value.__func__)
        self.write(value.__self__)

    def _builtin(self, value: types.BuiltinFunctionType) -> None:
        if value.__self__ is None or isinstance(value.__self__, types.ModuleType):
            self.ref(value)
            return
        if _is_global_generator(value.__self__):
            self.out += b"r"
            self.text(value.__name__)
            return
        self.out += b"b"
        self.text(value.__name__)
        self.write(value.__self__)

    def _property(self, value: property) -> None:
        self.items(b"p", (value.fget, value.fset, value.fdel))

    def _wrapped_method(self, value: staticmethod[Any, Any] | classmethod[Any, Any, Any]) -> None:
        self.out += b"w" if isinstance(value, staticmethod) else b"c"
        self.write(value.__func__)

    def _cached_property(self, value: functools.cached_property[Any]) -> None:
        # Up to Python 3.11 it holds a lock, which says nothing about results.
        self.out += b"h"
        self.write(value.func)

    def _proxy(self, value: types.MappingProxyType[Any, Any]) -> None:
        self.out += b"x"
        self._dict(dict(value))

    def _other(self, value: Any) -> None:
        kind = type(value)
        if isinstance(value, type):
            self.ref(value)
        elif isinstance(value, enum.Enum):
            self.out += b"e"
            self.ref(kind)
            self.write(value._value_)
            self.write(getattr(value, "_name_", None))
        elif type(value).__module__ == "logging" and hasattr(value, "getChild"):
            # Its level and handlers do not count; its name is often that of the module.
            self.out += b"o"
            self.text(canonical_name(value.name))
        elif isinstance(value, PurePath):
            self.out += b"P"
            self.ref(kind)
            self.text(str(value))
        elif is_wrapper(value):
            self.ref(value)
        elif not self._by_library(value):
            if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
                self.refuse(
                    value,
                    "what it yields can be read only once; pass a list or an array, or a path and open it inside the "
                    "operator.",
                )
            self._reduced(value)

    def _by_library(self, value: Any) -> bool:
        for base in type(value).__mro__:
            if base.__module__.partition(".")[0] in _LIBRARIES:
                from mile_rl.workflows import encode_arrays

                return encode_arrays.write(self, value)
        return False

    def _reduced(self, value: Any) -> None:
        """Write an object as what pickle would make it from: its class, arguments and state."""
        reducer = copyreg.dispatch_table.get(type(value))
        try:
            reduced = reducer(value) if reducer is not None else value.__reduce_ex__(4)
        except MileError:
            raise
        except Exception:
            self.refuse(value)
        if isinstance(reduced, str):
            self.out += b"G"
            self.ref(type(value))
            module = getattr(value, "__module__", None) or ""
            self.text(canonical_name(str(module)))
            self.text(reduced)
            if module in sys.modules:
                # Whose version counts, or, where it is the person's own, which counts with its content.
                self.ref(sys.modules[module])
            return
        self._alive.append(reduced)
        function, args, state, listed, mapped = (*reduced, None, None, None)[:5]
        self.out += b"R"
        self.write(function)
        self.items(b"(", args)
        self._state(state, type(value))
        self.items(b"l", list(listed) if listed is not None else ())
        self._pairs(list(mapped) if mapped is not None else ())

    def _pairs(self, pairs: Any) -> None:
        self.items(b"k", [key for key, _ in pairs])
        self.items(b"v", [value for _, value in pairs])

    def _state(self, state: Any, kind: type) -> None:
        """Write what an object remembers.

        Neither the order in which its attributes were set counts, nor what ``functools.cached_property`` keeps.
        """
        if (
            type(state) is tuple
            and len(state) == 2
            and all(part is None or type(part) is dict for part in state)
        ):
            self.out += b"2"
            for part in state:
                self._state(part, kind)
        elif type(state) is dict and all(type(key) is str for key in state):
            self.out += b"s"
            self._pairs([(key, state[key]) for key in sorted(state) if not _is_cache(kind, key)])
        else:
            self.out += b"."
            self.write(state)


def _is_cache(kind: type, name: str) -> bool:
    for base in kind.__mro__:
        if name in vars(base):
            return isinstance(vars(base)[name], functools.cached_property)
    return False


def is_wrapper(value: Any) -> bool:
    """Tell whether a value wraps a function (``functools.lru_cache``, numba, …) and is no plain function."""
    if isinstance(value, type) or not callable(value):
        return False
    kind = type(value)
    if kind.__module__.startswith("mile_rl.") and hasattr(value, "function"):
        return True
    installed = kind.__module__.partition(".")[0]
    return installed in ("functools", "numba") and (
        hasattr(value, "__wrapped__") or hasattr(value, "py_func")
    )


def _is_global_generator(value: Any) -> bool:
    """Tell whether a value is the generator behind ``random`` or ``numpy.random``: runs seed those."""
    plain, numpy = sys.modules.get("random"), sys.modules.get("numpy.random.mtrand")
    return (plain is not None and value is getattr(plain, "_inst", plain)) or (
        numpy is not None and value is getattr(numpy, "_rand", numpy)
    )


def _address(code: Any) -> str:
    name = getattr(code, "__qualname__", getattr(code, "__name__", type(code).__qualname__))
    return f"{canonical_name(str(getattr(code, '__module__', '')))}:{name}"


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
    out += data if len(data) <= _COLLAPSE_BYTES else bulk(data)


def _bytes(out: bytearray, value: bytes) -> None:
    out += b"y" + len(value).to_bytes(8, "little")
    out += value if len(value) <= _COLLAPSE_BYTES else bulk(value)


def _bytearray(out: bytearray, value: bytearray) -> None:
    out += b"Y" + len(value).to_bytes(8, "little")
    out += value if len(value) <= _COLLAPSE_BYTES else bulk(value)


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

_COMPOUNDS: dict[type, Callable[[Encoder, Any], None]] = {
    list: Encoder._list,
    tuple: Encoder._tuple,
    dict: Encoder._dict,
    set: Encoder._set,
    frozenset: Encoder._set,
    Output: Encoder._output,
    File: Encoder._file,
    types.FunctionType: Encoder._code,
    types.ModuleType: Encoder._code,
    type: Encoder._code,
    types.MethodType: Encoder._method,
    types.BuiltinFunctionType: Encoder._builtin,
    property: Encoder._property,
    staticmethod: Encoder._wrapped_method,
    classmethod: Encoder._wrapped_method,
    functools.cached_property: Encoder._cached_property,
    types.MappingProxyType: Encoder._proxy,
}
