"""A network of dense layers as an ONNX file: what the engine's ``learned`` policy reads.

The file is put together operator by operator, so that nothing but ``onnx`` is needed and the same weights give
the same bytes: training is reproducible down to the digest of the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Activation = Literal["Tanh", "Relu"]

OPSET = 17
INPUT = "observation"
OUTPUT = "action"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """One layer: y = activation(x @ weight + bias).

    Args:
        weight: float32[inputs, outputs].
        bias: float32[outputs].
        activation: None for the last layer.
    """

    weight: Floats
    bias: Floats
    activation: Activation | None = None


def to_onnx(
    layers: Sequence[Dense], metadata: Mapping[str, str], *, low: float = -1.0, high: float = 1.0
) -> bytes:
    """Return the ONNX file of ``clip(layers(observation), low, high)``.

    Args:
        layers: in order; each takes what the one before yields.
        metadata: what the engine checks before it trusts the file.
        low: the least action.
        high: the greatest.

    Raises:
        ValueError: there is no layer, or two do not fit together.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    _check(layers)
    nodes, weights, name = [], [], INPUT
    for i, layer in enumerate(layers):
        for part, array in (("weight", layer.weight), ("bias", layer.bias)):
            weights.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), f"{part}_{i}"))
        nodes.append(helper.make_node("Gemm", [name, f"weight_{i}", f"bias_{i}"], [f"dense_{i}"]))
        name = f"dense_{i}"
        if layer.activation is not None:
            nodes.append(helper.make_node(layer.activation, [name], [f"active_{i}"]))
            name = f"active_{i}"
    for bound, value in (("low", low), ("high", high)):
        weights.append(numpy_helper.from_array(np.asarray(value, np.float32), bound))
    nodes.append(helper.make_node("Clip", [name, "low", "high"], [OUTPUT]))
    width, actions = layers[0].weight.shape[0], layers[-1].weight.shape[1]
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", actions])],
        weights,
    )
    model = helper.make_model(graph, producer_name="mile_rl", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    helper.set_model_props(model, dict(sorted(metadata.items())))
    checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def write_onnx(path: Path, layers: Sequence[Dense], metadata: Mapping[str, str]) -> None:
    """Write the file beside ``path`` and move it there, so that no half-written one is ever seen."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_bytes(to_onnx(layers, metadata))
    beside.replace(path)


def read_onnx(path: Path) -> tuple[Dense, ...]:
    """Return the layers of a file that :func:`write_onnx` wrote.

    Raises:
        ValueError: its network is another one.
    """
    from mile_rl.policies.onnx_file import graph

    found = graph(path.read_bytes())
    kinds = [step.kind for step in found.steps]
    layers: list[Dense] = []
    for at, step in enumerate(found.steps):
        if step.kind == "Gemm":
            activation: Activation | None = None
            if kinds[at + 1] in ("Tanh", "Relu"):
                activation = "Tanh" if kinds[at + 1] == "Tanh" else "Relu"
            weight, bias = found.weights[step.inputs[1]], found.weights[step.inputs[2]]
            layers.append(Dense(weight=weight, bias=bias, activation=activation))
    if set(kinds) - {"Gemm", "Tanh", "Relu", "Clip"}:
        raise ValueError(f"{path} is no chain of dense layers: {', '.join(kinds)}")
    _check(layers)
    return tuple(layers)


def forward(layers: Sequence[Dense], observations: Floats, *, low: float = -1.0, high: float = 1.0) -> Floats:
    """Return what the file's network answers, in NumPy: float32[batch, actions]."""
    x = observations
    for layer in layers:
        x = x @ layer.weight + layer.bias
        if layer.activation == "Tanh":
            x = np.tanh(x)
        elif layer.activation == "Relu":
            x = np.maximum(x, 0)
    clipped: Floats = np.clip(x, low, high).astype(np.float32)
    return clipped


def _check(layers: Sequence[Dense]) -> None:
    if not layers:
        raise ValueError("a network needs at least one layer")
    for i, layer in enumerate(layers):
        if layer.weight.ndim != 2 or layer.bias.shape != (layer.weight.shape[1],):
            raise ValueError(f"layer {i}: weight {layer.weight.shape}, bias {layer.bias.shape}")
        if i and layers[i - 1].weight.shape[1] != layer.weight.shape[0]:
            raise ValueError(
                f"layer {i} takes {layer.weight.shape[0]} values and layer {i - 1} yields "
                f"{layers[i - 1].weight.shape[1]}"
            )
