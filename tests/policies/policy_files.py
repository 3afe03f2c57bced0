"""Policy files for tests: dense chains as training exports them, and networks that need onnxruntime."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from mile_rl.policies.appraisal import UNTUNED
from mile_rl.policies.network import file_metadata
from mile_rl.policies.observation import SIZE


def good_metadata(**changes):
    return file_metadata(
        **({"action_scale": 1.5, "settings": UNTUNED, "training_digest": "0123abcd"} | changes)
    )


def model_of(nodes, weights, metadata, *, width=SIZE, output="action"):
    arrays = [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in weights.items()]
    graph = helper.make_graph(
        nodes,
        "policy",
        [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", None])],
        arrays,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


def dense(rng, *, hidden=16, transposed=False, metadata=None, width=SIZE, scale=1.0):
    """Two layers, of Gemm or, as torch writes them, of Gemm with transposed weights."""
    shape = (hidden, width) if transposed else (width, hidden)
    weights = {
        "w0": rng.normal(size=shape) * scale,
        "b0": rng.normal(size=hidden),
        "w1": rng.normal(size=(hidden, 1)) * scale,
        "b1": rng.normal(size=1) * scale,
        "low": -1.0,
        "high": 1.0,
    }
    nodes = [
        helper.make_node("Gemm", ["observation", "w0", "b0"], ["h"], transB=int(transposed)),
        helper.make_node("Tanh", ["h"], ["a"]),
        helper.make_node("MatMul", ["a", "w1"], ["y"]),
        helper.make_node("Add", ["y", "b1"], ["z"]),
        helper.make_node("Clip", ["z", "low", "high"], ["action"]),
    ]
    return model_of(nodes, weights, good_metadata() if metadata is None else metadata, width=width)


def constant(action, metadata=None):
    """A network that always answers the same."""
    weights = {"w": np.zeros((SIZE, 1)), "b": [action]}
    nodes = [helper.make_node("Gemm", ["observation", "w", "b"], ["action"])]
    return model_of(nodes, weights, good_metadata() if metadata is None else metadata)


def squashed(rng):
    """A network with an operation that NumPy's evaluation does not know."""
    weights = {"w": rng.normal(size=(SIZE, 1))}
    nodes = [
        helper.make_node("MatMul", ["observation", "w"], ["y"]),
        helper.make_node("Softsign", ["y"], ["action"]),
    ]
    return model_of(nodes, weights, good_metadata())
