from itertools import pairwise

import numpy as np
import pytest

from experiments.agent.export import Dense, forward, to_onnx

onnx = pytest.importorskip("onnx")


def network(seed=0, sizes=(5, 8, 8, 2)):
    rng = np.random.default_rng(seed)
    return [
        Dense(
            weight=rng.normal(size=(n, m)).astype(np.float32),
            bias=rng.normal(size=m).astype(np.float32),
            activation="Tanh" if i < len(sizes) - 2 else None,
        )
        for i, (n, m) in enumerate(pairwise(sizes))
    ]


def test_the_file_answers_what_the_network_answers():
    onnxruntime = pytest.importorskip("onnxruntime")
    layers = network()
    session = onnxruntime.InferenceSession(to_onnx(layers, {}), providers=["CPUExecutionProvider"])
    batch = np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32)
    (answer,) = session.run(None, {"observation": batch})
    np.testing.assert_allclose(answer, forward(layers, batch), atol=1e-5)
    assert answer.min() >= -1
    assert answer.max() <= 1


def test_the_same_weights_give_the_same_bytes_and_carry_what_they_are_trusted_for():
    metadata = {"schema": "3", "a": "b"}
    data = to_onnx(network(), metadata)
    assert data == to_onnx(network(), dict(reversed(metadata.items())))
    assert {p.key: p.value for p in onnx.load_from_string(data).metadata_props} == metadata


@pytest.mark.parametrize("sizes", [(), (5,)])
def test_no_layers_are_refused(sizes):
    with pytest.raises(ValueError, match="at least one layer"):
        to_onnx(network(sizes=sizes), {})


def test_layers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="layer 1 takes 9 values and layer 0 yields 8"):
        to_onnx([network()[0], network(sizes=(9, 2))[0]], {})
