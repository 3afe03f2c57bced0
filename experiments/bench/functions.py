"""The texts of the functions that the workloads are made of, and of the helpers that some reach into."""

from __future__ import annotations

LOAD = """\
def load() -> pd.DataFrame:
    numbers = np.random.default_rng(0).random((ROWS, 20))
    return pd.DataFrame(numbers, columns=[f"c{i}" for i in range(20)])
"""

CLEAN = """\
def clean(load: pd.DataFrame) -> pd.DataFrame:
    return load.clip(lower=helper.low())
"""

FEATURES = """\
def features(clean: pd.DataFrame) -> pd.DataFrame:
    return (clean - clean.mean()) / (clean.max() - clean.min())
"""

MODEL = """\
def model(features: pd.DataFrame) -> list:
    values = features.to_numpy()
    known, wanted = values[:, 1:], values[:, 0]
    ridge = 0.001
    return np.linalg.solve(known.T @ known + ridge * np.eye(19), known.T @ wanted).tolist()
"""

LOAD_ARRAY = """\
def load() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 50))
"""

MIX = """\
def features(load: np.ndarray) -> np.ndarray:
    mixing = np.random.default_rng(1).normal(scale=0.2, size=(50, 50))
    values = load
    for _ in range(ROUNDS):
        values = np.tanh(helper.slope() * values @ mixing)
    return values
"""

MIX_WITH_HELPERS = """\
def features(load: np.ndarray) -> np.ndarray:
    mixing = np.random.default_rng(1).normal(scale=0.2, size=(50, 50))
    values = load
    for _ in range(ROUNDS):
        values = np.tanh(values @ mixing)
    total = helper.number() + helper.LIMIT + helper.TABLE["a"] + helper.raised(0.0)
    total += helper.Child().own() + helper.Child().inherited() + helper.closed() + helper.short()
    return values * (total + helper.decorated() + helper.third())
"""

SCALE = """\
def scale(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(axis=0)) / features.std(axis=0)
"""

DESCEND = """\
def model(features: np.ndarray) -> list:
    wanted = features[:, 0] > 0
    weights = np.zeros(features.shape[1])
    rate = 0.1
    for _ in range(STEPS):
        said = 1 / (1 + np.exp(-(features @ weights)))
        weights -= rate * features.T @ (said - wanted) / len(wanted)
    return weights.tolist()
"""

SUM = """\
def model(features: np.ndarray) -> list:
    return [float(features.sum()), float(features.max())]
"""

HELPER = """\
import functools

import deeper

LIMIT = 2.01
TABLE = {"a": 3.01}


def number():
    return 1.01


def raised(value, by=4.01):
    return value + by


class Base:
    def inherited(self):
        return 6.01


class Child(Base):
    def own(self):
        return 5.01


def make(number):
    def inner():
        return number

    return inner


closed = make(7.01)
short = lambda: 8.01


def more(function):
    @functools.wraps(function)
    def wrapped():
        return function() + 9.01

    return wrapped


@more
def decorated():
    return 0.0


def third():
    return deeper.deepest()
"""

DEEPER = """\
def deepest():
    return 10.01
"""
