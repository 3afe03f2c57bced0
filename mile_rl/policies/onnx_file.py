"""Reading an ONNX file without a library: its metadata, and the graph of a small network.

ONNX is protocol buffers, of which only the wire format and a dozen field numbers are needed here. Source: the
ONNX specification, onnx/onnx.proto3; https://protobuf.dev/programming-guides/encoding.
(Plain classes, as in :mod:`mile_rl.policies.replan`.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

Value = int | float | bytes

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_NODE, _GRAPH_WEIGHT, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INT = 1, 2, 3
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_FLOAT32: Final = 1

_VARINT, _EIGHT, _LENGTH, _FOUR = 0, 1, 2, 5


class NotOnnx(ValueError):
    """The bytes are no ONNX file, or one with parts that this reader does not know."""


class Step:
    """One operation of a graph.

    Args:
        kind: the operator's name ("Gemm").
        inputs: names of values; "" for one that is left out.
        outputs: names of values.
        attributes: name -> number.
    """

    __slots__ = ("attributes", "inputs", "kind", "outputs")

    def __init__(
        self,
        *,
        kind: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        attributes: Mapping[str, float],
    ) -> None:
        self.kind, self.inputs, self.outputs, self.attributes = kind, inputs, outputs, attributes


class Graph:
    """A network.

    Args:
        steps: in an order in which they can be computed.
        weights: name -> float32 array; what is of another type is left out.
        inputs: names, without those of weights.
        outputs: names.
    """

    __slots__ = ("inputs", "outputs", "steps", "weights")

    def __init__(
        self,
        *,
        steps: tuple[Step, ...],
        weights: Mapping[str, npt.NDArray[np.float32]],
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
    ) -> None:
        self.steps, self.weights, self.inputs, self.outputs = steps, weights, inputs, outputs


def metadata(content: bytes) -> dict[str, str]:
    """Return an ONNX file's metadata.

    Raises:
        NotOnnx: it is none.
    """
    found: dict[str, str] = {}
    is_model = False
    for field, value in _fields(content):
        is_model = is_model or (field == _MODEL_GRAPH and isinstance(value, bytes))
        if field == _MODEL_METADATA and isinstance(value, bytes):
            entry = dict(_fields(value))
            found[_text(entry.get(1, b""))] = _text(entry.get(2, b""))
    if not is_model:
        raise NotOnnx("it holds no graph")
    return found


def graph(content: bytes) -> Graph:
    """Return an ONNX file's graph.

    Raises:
        NotOnnx: it is none.
    """
    body = next((value for field, value in _fields(content) if field == _MODEL_GRAPH), None)
    if not isinstance(body, bytes):
        raise NotOnnx("it holds no graph")
    steps: list[Step] = []
    weights: dict[str, npt.NDArray[np.float32]] = {}
    inputs: list[str] = []
    outputs: list[str] = []
    for field, value in _fields(body):
        if not isinstance(value, bytes):
            continue
        if field == _GRAPH_NODE:
            steps.append(_step(value))
        elif field == _GRAPH_WEIGHT:
            name, array = _tensor(value)
            if array is not None:
                weights[name] = array
        elif field in (_GRAPH_INPUT, _GRAPH_OUTPUT):
            (inputs if field == _GRAPH_INPUT else outputs).append(_text(dict(_fields(value)).get(1, b"")))
    return Graph(
        steps=tuple(steps),
        weights=weights,
        inputs=tuple(name for name in inputs if name not in weights),
        outputs=tuple(outputs),
    )


def _step(content: bytes) -> Step:
    kind, inputs, outputs, attributes = "", [], [], {}
    for field, value in _fields(content):
        if field == _NODE_INPUT:
            inputs.append(_text(value))
        elif field == _NODE_OUTPUT:
            outputs.append(_text(value))
        elif field == _NODE_KIND:
            kind = _text(value)
        elif field == _NODE_ATTRIBUTE and isinstance(value, bytes):
            parts = dict(_fields(value))
            number = parts.get(_ATTRIBUTE_FLOAT, parts.get(_ATTRIBUTE_INT, 0))
            # What is no number is told as one that no operation here accepts.
            attributes[_text(parts[_ATTRIBUTE_NAME])] = (
                float("nan") if isinstance(number, bytes) else float(number)
            )
    return Step(kind=kind, inputs=tuple(inputs), outputs=tuple(outputs), attributes=attributes)


def _tensor(content: bytes) -> tuple[str, npt.NDArray[np.float32] | None]:
    name, kind, shape = "", 0, []
    data = b""
    for field, value in _fields(content):
        if field == _TENSOR_DIMS:
            shape += [value] if isinstance(value, int) else list(_varints(_bytes(value)))
        elif field == _TENSOR_TYPE:
            kind = int(value)
        elif field == _TENSOR_NAME:
            name = _text(value)
        elif field == _TENSOR_FLOATS:
            data += value if isinstance(value, bytes) else struct.pack("<f", value)
        elif field == _TENSOR_RAW:
            data = _bytes(value)
    if kind != _FLOAT32:
        return name, None
    try:
        return name, np.frombuffer(data, dtype="<f4").reshape([int(each) for each in shape])
    except ValueError as error:
        raise NotOnnx(f"weight {name!r} is incomplete") from error


def _fields(content: bytes) -> Iterator[tuple[int, Value]]:
    """Yield (field number, value) of a message; a value of known length comes as bytes."""
    at, end = 0, len(content)
    while at < end:
        key, at = _varint(content, at)
        field, wire = key >> 3, key & 7
        value: Value
        if wire == _VARINT:
            value, at = _varint(content, at)
        elif wire == _LENGTH:
            size, at = _varint(content, at)
            value, at = content[at : at + size], at + size
        elif wire in (_FOUR, _EIGHT):
            size = 4 if wire == _FOUR else 8
            if at + size > end:
                raise NotOnnx("it is cut short")
            value = struct.unpack_from("<f" if wire == _FOUR else "<d", content, at)[0]
            at += size
        else:
            raise NotOnnx(f"it has a part of unknown kind {wire}")
        if at > end or not field:
            raise NotOnnx("it is cut short or no ONNX file")
        yield field, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise NotOnnx("it is cut short or no ONNX file")
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _varints(content: bytes) -> Iterator[int]:
    at = 0
    while at < len(content):
        value, at = _varint(content, at)
        yield value


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise NotOnnx("it has a number where bytes belong")
    return value


def _text(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise NotOnnx("it has bytes where text belongs") from error
