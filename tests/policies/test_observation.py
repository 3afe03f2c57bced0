"""The observation's schema, its bounds, and cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mile_rl.policies.observation import COUNTS, NAMES, RATIOS, SHARES, SIZE, TIMES, observe, surroundings

TIME = st.sampled_from([0.0, 1.0, 1e5, 3e8, 1e12])
CHANCE = st.floats(0, 1)


def observed(**changes):
    figures = {
        "value_ns": np.array([1e9, 2e9]),
        "worth_ns": np.array([1e9, 4e9]),
        "survival": 0.75,
        "reuse": 0.7,
        "size_bytes": np.array([100, 200]),
        "victims": np.array([False, False]),
        "room": True,
        "displaced_ns": 0.0,
        "recreation_ns": 5e9,
        "compute_ns": 1e9,
        "made_ns": 6e9,
        "load_ns": 1e6,
        "write_ns": 2e6,
        "allowance_ns": 1e7,
        "ahead_ns": 0.0,
        "total_bytes": 1_000,
        "used_bytes": 100,
        "chance": np.array([0.5, 0.5]),
        "cost_ns": np.array([1e9, 3e9]),
        "stop": 0.1,
        "nothing": 0.2,
        "returning": 0.3,
        "own_edit": 0.25,
        "lineage_edit": 0.4,
        "depth": 1.0,
        "seen": True,
        "stage": 1,
        "iterations": 9,
        "nodes": 99,
        "takers": 2,
    }
    out = np.full(SIZE, np.nan, dtype=np.float32)
    observe(**(figures | changes), out=out)
    return dict(zip(NAMES, out.tolist()))


def test_the_names_are_distinct_and_as_many_as_the_features():
    assert len(set(NAMES)) == SIZE == len(TIMES) + len(RATIOS) + len(SHARES) + len(COUNTS)


def test_a_case_by_hand():
    seen = observed()
    seconds = {"value": 2, "worth": 4, "recreation": 5, "made": 6, "next_iteration": 2, "store_worth": 1}
    for name, time_s in seconds.items():
        assert seen[name] == pytest.approx(np.log10(time_s + 1e-4) / 4)
    assert (seen["ahead"], seen["displaced_worth"]) == (-1, -1)
    assert seen["write_to_worth"] == pytest.approx(np.log10(2e6 / 4e9) / 4)
    assert seen["size_to_budget"] == pytest.approx(np.log10(0.2) / 4)
    assert seen["size_to_median"] == pytest.approx(np.log10(2) / 4)
    assert seen["density_to_mean"] == pytest.approx(np.log10(2) / 4)
    assert seen["read_bandwidth"] == pytest.approx(np.log10(200 / 1e6 / 0.5) / 4)
    for name, share in {
        "survival": 0.75,
        "reuse": 0.7,
        "own_edit": 0.25,
        "lineage_edit": 0.4,
        "stop": 0.1,
    }.items():
        assert seen[name] == pytest.approx(share)
    assert (seen["nothing"], seen["returning"]) == pytest.approx((0.2, 0.3))
    assert (seen["uncertainty"], seen["free"]) == pytest.approx((1.0, 0.9))
    assert [seen[name] for name in ("fits", "room", "rank_by_count", "rank_by_bytes", "seen", "learn")] == [
        1
    ] * 6
    assert [seen[name] for name in ("preprocess", "evaluate", "displaced", "displaced_to_worth")] == [0] * 4
    assert seen["iterations"] == pytest.approx(0.5)
    assert seen["nodes"] == pytest.approx(1.0)


def test_what_would_be_displaced_is_seen():
    seen = observed(
        size_bytes=np.array([100, 50]), victims=np.array([True, False]), displaced_ns=1e9, used_bytes=1_000
    )
    assert seen["displaced_to_worth"] == pytest.approx(np.log10(0.25) / 4)
    assert seen["size_to_displaced"] == pytest.approx(np.log10(0.5) / 4)
    assert seen["displaced"] == pytest.approx(np.log10(2) / 2)
    assert (seen["fits"], seen["free"]) == (0, 0)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_it_is_finite_and_bounded_whatever_happens(data):
    kept = data.draw(st.integers(0, 4))

    def times(count):
        return np.array(data.draw(st.lists(TIME, min_size=count, max_size=count)))

    sizes = data.draw(st.lists(st.sampled_from([0, 1, 10**6, 10**13]), min_size=kept + 1, max_size=kept + 1))
    victims = np.array([*data.draw(st.lists(st.booleans(), min_size=kept, max_size=kept)), False])
    scenarios = data.draw(st.integers(0, 3))
    seen = observed(
        value_ns=times(kept + 1),
        worth_ns=times(kept + 1),
        survival=data.draw(CHANCE),
        reuse=data.draw(CHANCE),
        size_bytes=np.array(sizes),
        victims=victims,
        room=data.draw(st.booleans()),
        displaced_ns=data.draw(TIME),
        recreation_ns=data.draw(TIME),
        load_ns=data.draw(TIME),
        write_ns=data.draw(TIME),
        allowance_ns=data.draw(TIME),
        total_bytes=data.draw(st.sampled_from([0, 1, 10**9])),
        used_bytes=sum(sizes[:-1]),
        chance=np.full(scenarios, 1 / max(scenarios, 1)),
        cost_ns=np.full(scenarios, data.draw(TIME)),
        stage=data.draw(st.integers(0, 2)),
    )
    values = np.array(list(seen.values()))
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 8
    ratios = values[len(TIMES) : len(TIMES) + len(RATIOS)]
    assert np.abs(ratios).max() <= 1


def test_surroundings_of_a_diamond():
    # read -> (left, right) -> join, and something apart; left is edited with 0.3, read with 0.7.
    ptr, takes = np.array([0, 0, 1, 2, 4, 4], dtype=np.int32), np.array([0, 0, 1, 2], dtype=np.int32)
    edited = np.zeros((2, 5), dtype=np.bool_)
    edited[0, 1] = edited[1, 0] = True
    invalid = edited.copy()
    invalid[0, 3] = True
    invalid[1, :4] = True
    own, lineage, depth, takers = surroundings(
        np.array([0.3, 0.7]), edited, invalid, np.arange(5, dtype=np.int32), ptr, takes
    )
    assert own.tolist() == [0.7, 0.3, 0, 0, 0]
    assert lineage.tolist() == [0.7, 1, 0.7, 1, 0]
    assert depth.tolist() == [0, 0.5, 0.5, 1, 0]
    assert takers.tolist() == [2, 1, 1, 0, 0]
