import doctest
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mile_rl.planner import Channel, Costs, Measured
from mile_rl.planner.costs import DEFAULT_COMPUTE_NS, DEFAULT_SIZE_BYTES


def record(signature="s", node="fit", operator="fit", compute_ns=10, **size_bytes):
    return Measured(
        signature=signature, node=node, operator=operator, compute_ns=compute_ns, size_bytes=size_bytes
    )


def test_a_nodes_own_times_count_before_all_others():
    costs = Costs([record(compute_ns=ns) for ns in (10, 1000, 12)] + [record("other", compute_ns=99)])
    estimate = costs.compute_ns("s", "fit", "fit")
    assert (estimate.value, estimate.source) == (12, "measured")


def test_a_changed_node_is_estimated_by_its_last_version():
    costs = Costs([record("a", compute_ns=10), record("b", compute_ns=30), record("c", "x", compute_ns=7)])
    estimate = costs.compute_ns("new", "fit", "fit")
    assert (estimate.value, estimate.source) == (30, "node")


def test_a_new_node_is_estimated_by_its_operator():
    costs = Costs([record("a", "x", compute_ns=10), record("b", "y", compute_ns=30), record("c", "z", "pca")])
    estimate = costs.compute_ns("new", "new", "fit")
    assert (estimate.value, estimate.source) == (20, "operator")


def test_a_node_of_which_nothing_is_known_gets_the_default():
    estimate = Costs().compute_ns("s", "fit", "fit")
    assert (estimate.value, estimate.source) == (DEFAULT_COMPUTE_NS, "default")
    estimate = Costs([record(train=5)]).size_bytes("s", "fit", "fit", "test")
    assert (estimate.value, estimate.source) == (DEFAULT_SIZE_BYTES, "default")


def test_sizes_are_estimated_for_each_output_alone():
    costs = Costs([record(train=50, test=5)])
    assert costs.size_bytes("s", "fit", "fit", "train").value == 50
    assert costs.size_bytes("new", "fit", "fit", "test").value == 5


def test_estimates_follow_a_lasting_change_of_speed():
    costs = Costs([record(compute_ns=10)] * 50)
    for _ in range(10):
        costs.add(record(compute_ns=100))
    assert costs.compute_ns("s", "fit", "fit").value == 100


def test_codecs_and_directions_learn_apart():
    costs = Costs()
    before, write_before = costs.load_ns("array", 10**8), costs.write_ns("array", 10**8)
    for _ in range(20):
        costs.loaded("array", 10**8, before * 10)
    assert costs.load_ns("array", 10**8) == pytest.approx(before * 10, rel=0.05)
    assert costs.load_ns("frame", 10**8) == before
    assert costs.write_ns("array", 10**8) == write_before
    costs.written("array", 10**8, write_before // 10)
    assert costs.write_ns("array", 10**8) < write_before


@pytest.mark.parametrize(("latency_ns", "bytes_per_s"), [(20_000, 4e9), (50_000_000, 5e6), (300_000, 5e8)])
def test_a_channel_finds_latency_and_bandwidth_from_mixed_transfers(latency_ns, bytes_per_s):
    rng = np.random.default_rng(0)
    channel = Channel(codec="array")
    for size_bytes in (10 ** rng.uniform(1, 9, 300)).astype(int).tolist():
        true_ns = latency_ns + size_bytes / bytes_per_s * 1e9
        channel = channel.updated(size_bytes, round(true_ns * rng.lognormal(0, 0.1)))
    assert channel.latency_ns == pytest.approx(latency_ns, rel=0.3)
    assert channel.bytes_per_s == pytest.approx(bytes_per_s, rel=0.3)


def test_a_small_transfer_teaches_the_latency_and_a_large_one_the_bandwidth():
    channel = Channel(codec="array", samples=10)
    small = channel.updated(10, 10 * channel.load_ns(10))
    assert small.latency_ns > 1.4 * channel.latency_ns
    assert small.bytes_per_s == pytest.approx(channel.bytes_per_s, rel=0.001)
    large = channel.updated(10**9, 10 * channel.load_ns(10**9))
    assert large.bytes_per_s < channel.bytes_per_s / 1.4
    assert large.latency_ns == pytest.approx(channel.latency_ns, rel=0.01)


def test_one_hiccup_hardly_moves_a_channel_that_has_learned():
    channel = Channel(codec="array", samples=10)
    assert channel.updated(10**6, 10**12).load_ns(10**6) < 2 * channel.load_ns(10**6)


@given(st.lists(st.tuples(st.integers(0, 2**50), st.integers(0, 2**62)), max_size=40))
def test_a_channel_stays_sane_whatever_is_measured(transfers):
    channel = Channel(codec="array")
    for size_bytes, elapsed_ns in transfers:
        channel = channel.updated(size_bytes, elapsed_ns)
        assert channel.load_ns(0) >= 1
        assert channel.load_ns(10**6) <= channel.load_ns(10**7)


@pytest.mark.parametrize("wrong", [{"latency_ns": 0}, {"bytes_per_s": 0.0}, {"bytes_per_s": float("inf")}])
def test_a_channel_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match="array"):
        Channel(codec="array", **wrong)


def test_a_negative_measurement_is_refused():
    with pytest.raises(ValueError, match="fit"):
        record(compute_ns=-1)
    with pytest.raises(ValueError, match="fit"):
        record(result=-1)


@pytest.mark.parametrize("module", ["channel", "costs"])
def test_the_examples_in_the_docs_run(module):
    outcome = doctest.testmod(import_module(f"mile_rl.planner.{module}"))
    assert outcome.attempted
    assert not outcome.failed
