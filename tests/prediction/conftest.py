"""The workshop is not installed: tests of the fit run from the checkout, whose root is put on the path."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from made_histories import first, tuned


@pytest.fixture
def grid():
    """A person who continues a grid of C."""
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    return [first(values[0]), *(tuned(a, b) for a, b in itertools.pairwise(values))]


@pytest.fixture
def rng():
    return np.random.default_rng(7)
