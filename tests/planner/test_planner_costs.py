import doctest
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mile_rl.planner import Channel, Costs


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


def test_only_channels_that_have_learned_are_told_to_have_changed():
    costs = Costs(load_channels={"array": Channel(codec="array"), "frame": Channel(codec="frame")})
    assert list(costs.changed_channels()) == []
    costs.loaded("frame", 100, 10**6)
    costs.written("array", 100, 10**6)
    costs.loaded("frame", 100, 10**6)
    assert list(costs.changed_channels()) == [
        ("load", costs.load_channels["frame"]),
        ("write", costs.write_channels["array"]),
    ]


@pytest.mark.parametrize("module", ["channel", "costs"])
def test_the_examples_in_the_docs_run(module):
    outcome = doctest.testmod(import_module(f"mile_rl.planner.{module}"))
    assert outcome.attempted
    assert not outcome.failed
