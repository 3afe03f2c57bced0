"""Outputs as JSON: exact, and never something that JSON has not."""

import json
import threading
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mile_rl.cli.values import to_json


@given(st.floats())
def test_a_float_comes_back_exactly(value):
    told = to_json(value)
    json.dumps(told, allow_nan=False)
    assert float(told) == value or value != value


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.float64(0.1), 0.1),
        (np.int32(3), 3),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array([1.0, np.nan]), [1.0, "nan"]),
        ((1, "a", None), [1, "a", None]),
        ({1: True}, {"1": True}),
        (True, True),
    ],
)
def test_values_keep_their_numbers(value, told):
    assert to_json(value) == told
    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == told


def test_a_large_array_becomes_a_digest_that_tells_every_difference():
    one, other = np.zeros(20_000), np.zeros(20_000)
    assert to_json(one) == to_json(other)
    other[-1] = 5e-324
    assert to_json(one) != to_json(other)
    assert to_json(one)["shape"] == [20_000]


def test_frames_and_the_rest_become_digests():
    frame = pd.DataFrame({"a": [1, 2]})
    assert to_json(frame)["type"].endswith("DataFrame")
    assert to_json(frame) != to_json(frame.rename(columns={"a": "b"}))
    assert to_json(Decimal("1.5")) == to_json(Decimal("1.5")) != to_json(Decimal("1.6"))


def test_what_cannot_be_digested_is_told_as_text():
    assert "lock" in to_json(threading.Lock())["text"]
