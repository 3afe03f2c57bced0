"""Whatever the store gives back is exactly what it got, or it says that it cannot store it."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import io
import os
import pathlib
import threading
import uuid
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra import pandas as hpd
from store_support import META, facts

from mile_rl.store.catalog import Catalog
from mile_rl.store.store import Store

Point = namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1


@dataclass
class Plain:
    x: Any
    y: int = 0


class Forgetful:
    """Loses a field when it is pickled."""

    def __init__(self) -> None:
        self.x = 1

    def __getstate__(self) -> dict[str, int]:
        return {"x": 2}


class Faithful:
    def __init__(self, x: int) -> None:
        self.x = x

    def __reduce__(self) -> Any:
        return Faithful, (self.x,)


class Labelled(np.ndarray):
    """A subclass whose attribute NumPy's pickling forgets."""


@pytest.fixture(scope="module")
def module_store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("exact")
    catalog = Catalog.open(root / "catalog.db")
    yield Store.open(root, budget_bytes=1 << 27, catalog=catalog)
    catalog.close()


def trip(store: Store, value: Any) -> tuple[Any, str]:
    before = facts(value)
    store.evict(["s"])
    put = store.put("s", value, meta=META)
    assert put.kept, put.reason
    loaded = store.get("s")
    assert loaded.found, loaded.reason
    store.evict(["s"])
    assert facts(value) == before, "storing changed the value"
    assert type(loaded.value) is type(value)
    return loaded.value, put.codec


A = np.arange(24.0).reshape(4, 6)
BIG = np.random.default_rng(0).normal(size=(2000, 7))


def readonly(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


def packed_field() -> Any:
    return np.zeros(5, dtype=[("a", "i1"), ("b", "f8")])["b"]


ARRAYS: dict[str, Callable[[], tuple[Any, str]]] = {
    "C": lambda: (A.copy(), "array"),
    "F": lambda: (np.asfortranarray(A), "array"),
    "scalar shape": lambda: (np.array(3.0), "array"),
    "empty": lambda: (np.empty((0, 3)), "array"),
    "other byte order": lambda: (A.astype(">f8"), "array"),
    "bool": lambda: (A > 3, "array"),
    "complex": lambda: (A * 1j, "array"),
    "half": lambda: (A.astype("f2"), "array"),
    "longdouble": lambda: (A.astype("g"), "array"),
    "text": lambda: (np.array(["a", "bç"]), "array"),
    "bytes": lambda: (np.array([b"a", b"bc"]), "array"),
    "dates with NaT": lambda: (np.array(["2020-01-01", "NaT"], dtype="M8[D]"), "array"),
    "durations": lambda: (np.array([1, 2], dtype="m8[7ns]"), "array"),
    "record": lambda: (np.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,))]), "array"),
    "aligned record": lambda: (np.zeros(3, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)), "pickle"),
    "record with a name beyond Latin-1": lambda: (np.zeros(3, dtype=[("Ω", "i4")]), "pickle"),
    "NaN with a payload": lambda: (np.array([0x7FF8000000000123], dtype="u8").view("f8"), "array"),
    "read-only record without axes": lambda: (readonly(np.zeros(1, dtype=[("a", "?")])[..., 0]), "pickle"),
    "every second row": lambda: (A[::2, 1:4], "pickle"),
    "large every second row": lambda: (BIG[::2, 1:4], "pickle"),
    "backwards": lambda: (A[::-1], "pickle"),
    "transposed slice": lambda: (A[::2].T, "pickle"),
    "broadcast": lambda: (np.broadcast_to(A[0], (3, 6)), "pickle"),
    "column with C strides of its parent": lambda: (A[:, :1], "pickle"),
    "F column": lambda: (np.array(np.zeros((5, 1)), order="F").T.T, "array"),
    "read-only": lambda: (readonly(BIG.copy()), "pickle"),
    "small read-only": lambda: (readonly(A.copy()), "pickle"),
    "field of packed records": lambda: (packed_field(), "pickle"),
    "objects": lambda: (np.array([1, "a", None, (1, 2)], dtype=object), "pickle"),
    "read-only objects": lambda: (readonly(np.array([1, "a"], dtype=object)), "pickle"),
    "every second object": lambda: (np.array([1, "a", None, 2.0], dtype=object)[::2], "pickle"),
    "F objects": lambda: (np.asfortranarray(np.array([[1, "a"], [None, 2.0]], dtype=object)), "pickle"),
    "variable strings": lambda: (np.array(["a", "b" * 40], dtype=np.dtypes.StringDType()), "pickle"),
    "matrix": lambda: (A.view(np.matrix), "pickle"),
    "masked": lambda: (np.ma.masked_array(A[0].copy(), mask=[1, 0, 0, 0, 0, 1]), "pickle"),
    "dtype with metadata": lambda: (np.zeros(2, dtype=np.dtype("f8", metadata={"unit": "m"})), "pickle"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_array_comes_back_with_its_dtype_strides_and_flags(module_store: Store, name: str) -> None:
    value, codec = ARRAYS[name]()
    loaded, used = trip(module_store, value)
    assert used == codec
    assert facts(loaded) == facts(value)


def wide() -> pd.DataFrame:
    frame = pd.DataFrame(BIG, columns=list("abcdefg"))
    frame["s"] = [f"text {i % 7}" for i in range(len(frame))]
    frame["k"] = pd.Categorical(frame["s"])
    frame["t"] = pd.date_range("2020-01-01", periods=len(frame), tz="UTC")
    frame["i"] = pd.array([None, *range(len(frame) - 1)], dtype="Int64")
    frame["flag"] = frame["a"] > 0
    frame["d"] = frame["t"] - frame["t"].iloc[0]
    frame.attrs["source"] = {"file": "x.csv"}
    return frame


def long(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(9001.0), **columns})


# fmt: off
FRAMES: dict[str, Callable[[], tuple[Any, str]]] = {
    "one block": lambda: (pd.DataFrame(BIG, columns=list("abcdefg")), "frame"),
    "float32 of odd length": lambda: (pd.DataFrame(np.ones((20001, 3), "f4")), "frame"),
    "int8 of odd length": lambda: (pd.DataFrame(np.ones((70001, 3), "i1")), "frame"),
    "bool": lambda: (pd.DataFrame(np.ones((70001, 3), "?")), "frame"),
    "all kinds of columns": lambda: (wide(), "frame"),
    "consolidated otherwise": lambda: (wide()[["i", "a", "s", "c", "flag"]].copy(), "frame"),
    "duplicate column names": lambda: (pd.DataFrame(BIG, columns=list("aaabbbc")), "frame"),
    "column names of many types": lambda: (
        pd.DataFrame(BIG, columns=[1, "a", None, (1, 2), 2.5, b"b", True]), "frame"
    ),
    "MultiIndex": lambda: (
        pd.DataFrame(BIG, index=pd.MultiIndex.from_product([range(40), range(50)], names=["u", 1])), "frame"
    ),
    "named range index": lambda: (pd.DataFrame(BIG, index=pd.RangeIndex(4, 4004, 2, name="r")), "frame"),
    "date index with a frequency": lambda: (
        pd.DataFrame(BIG, index=pd.date_range("2020", periods=2000, freq="2h")), "frame"
    ),
    "duplicates forbidden": lambda: (pd.DataFrame(BIG).set_flags(allows_duplicate_labels=False), "frame"),
    "dates with NaT": lambda: (
        long(t=pd.to_datetime(["2020-01-01", None, "2021-01-01"] * 3000 + [None])), "frame"
    ),
    "series": lambda: (pd.Series(np.arange(9000), name=("a", 1)), "frame"),
    "string series": lambda: (pd.Series(["x", None, "yy"] * 9000), "frame"),
    "slice of strings": lambda: (pd.Series(["x", None, "yy"] * 9000).iloc[5:-7], "frame"),
    "block in F order": lambda: (pd.DataFrame(BIG.copy(), copy=False), "pickle"),
    "every second row": lambda: (pd.DataFrame(BIG).iloc[::2], "pickle"),
    "tuples, sets and lists in cells": lambda: (long(o=[(1,), {2}, [3]] * 3000 + [None]), "pickle"),
    "small": lambda: (pd.DataFrame({"a": [1, 2], "b": ["x", None]}), "pickle"),
    "no rows": lambda: (pd.DataFrame({"a": []}), "pickle"),
    "no columns": lambda: (pd.DataFrame(index=[1, 2]), "pickle"),
    "sparse column": lambda: (long(o=pd.arrays.SparseArray(np.zeros(9001))), "frame"),
    "periods": lambda: (long(p=pd.period_range("2020", periods=9001, freq="D")), "frame"),
    "intervals": lambda: (pd.DataFrame({"v": pd.IntervalIndex.from_breaks(np.arange(9001.0))}), "frame"),
    "complex column": lambda: (long(z=np.arange(9001) * 1j), "pickle"),
}
# fmt: on


@pytest.mark.parametrize("name", FRAMES)
def test_frame_comes_back_with_its_blocks_index_and_attributes(module_store: Store, name: str) -> None:
    value, codec = FRAMES[name]()
    loaded, used = trip(module_store, value)
    assert used == codec
    assert facts(loaded) == facts(value)


def test_frame_file_is_readable_by_any_arrow_reader(module_store: Store) -> None:
    import pyarrow as pa

    frame = wide()
    module_store.put("s", frame, meta=META)
    (artifact,) = [a for a in module_store.artifacts() if a.signature == "s"]
    with pa.memory_map(str(module_store.objects.path(artifact.content, artifact.suffix))) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table["c"].to_numpy().tolist() == frame["c"].tolist()
    assert table["s"].to_pylist() == frame["s"].tolist()
    module_store.evict(["s"])


def test_loaded_frame_gives_bit_identical_products(module_store: Store) -> None:
    frame = pd.DataFrame(BIG, columns=list("abcdefg"))
    frame["h"] = 1.5
    loaded, _ = trip(module_store, frame)
    assert (loaded.to_numpy().T @ loaded.to_numpy()).tobytes() == (
        frame.to_numpy().T @ frame.to_numpy()
    ).tobytes()
    assert loaded.to_numpy().strides == frame.to_numpy().strides


def test_frame_with_attributes_that_pandas_forgets_is_refused(module_store: Store) -> None:
    frame = pd.DataFrame({"a": [1]})
    object.__setattr__(frame, "extra", 3)
    assert "extra" in module_store.put("s", frame, meta=META).reason


@pytest.mark.parametrize("shape", ["matrix", "array"])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_sparse_comes_back_with_its_arrays_and_class(module_store: Store, form: str, shape: str) -> None:
    made = sp.random(60, 40, 0.1, format="coo", rng=np.random.default_rng(1))
    value = getattr(sp, f"{form}_{shape}")(made)
    loaded, codec = trip(module_store, value)
    assert codec == ("pickle" if form in ("lil", "dok") else "sparse")
    assert facts(loaded) == facts(value)
    assert (loaded != value).nnz == 0


def test_unsorted_sparse_stays_unsorted_and_keeps_its_flags(module_store: Store) -> None:
    value = sp.csr_array((np.array([1.0, 2, 3]), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3))
    assert not value.has_sorted_indices
    loaded, _ = trip(module_store, value)
    assert loaded.indices.tolist() == [2, 0, 1]
    assert loaded.has_sorted_indices == value.has_sorted_indices
    loaded.sort_indices()  # in place: its arrays are writeable


def test_sparse_file_is_readable_by_scipy(module_store: Store) -> None:
    for form in ("csr", "csc", "coo", "bsr", "dia"):
        for value in (sp.eye_array(50, format=form), sp.random(40, 30, 0.2, format=form)):
            module_store.put("s", value, meta=META)
            (artifact,) = [a for a in module_store.artifacts() if a.signature == "s"]
            read = sp.load_npz(module_store.objects.path(artifact.content, artifact.suffix))
            assert type(read) is type(value)
            assert (read != value).nnz == 0
            module_store.evict(["s"])


def test_polars_frame_comes_back(module_store: Store) -> None:
    value = pl.DataFrame(
        {
            "a": [1, None],
            "s": ["x", None],
            "c": pl.Series(["u", "v"], dtype=pl.Categorical),
            "e": pl.Series(["u", "v"], dtype=pl.Enum(["v", "u"])),
            "l": [[1, 2], []],
            "t": [datetime.datetime(2020, 1, 1), None],
        }
    )
    loaded, codec = trip(module_store, value)
    assert codec == "polars"
    assert loaded.equals(value)
    assert loaded.schema == value.schema


def test_memory_map_comes_back_as_one_alone_and_nested(module_store: Store, tmp_path: pathlib.Path) -> None:
    value = np.memmap(tmp_path / "data", dtype="f8", shape=(50, 3), mode="w+")
    value[:] = 1.5
    loaded, codec = trip(module_store, value)
    assert codec == "memmap"
    assert isinstance(loaded, np.memmap)
    assert loaded.mode == "c"
    assert np.array_equal(loaded, value)
    nested, _ = trip(module_store, {"a": value})
    assert type(nested["a"]) is np.memmap
    assert np.array_equal(nested["a"], value)


OBJECTS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "NaN": lambda: float("nan"),
    "negative zero": lambda: -0.0,
    "large bytes": lambda: bytes(range(256)) * 5000,
    "bytearray": lambda: bytearray(b"abc" * 1000),
    "nested": lambda: {"a": [1, (2.0, {"b": {3}})], "array": A.copy(), "frame": None},
    "tuple of arrays": lambda: (A[::2], BIG.copy(), A.T),
    "numpy scalar": lambda: np.float32(1.1),
    "Decimal": lambda: decimal.Decimal("1.10"),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "date": lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "path": lambda: pathlib.PurePosixPath("a/b"),
    "uuid": lambda: uuid.UUID(int=5),
    "enum": lambda: Colour.RED,
    "named tuple": lambda: Point(1, 2),
    "dataclass": lambda: Plain([1], 2),
    "ordered": lambda: OrderedDict(b=1, a=2),
    "counter": lambda: Counter("abca"),
    "deque": lambda: deque([1, 2], maxlen=3),
    "defaultdict": lambda: defaultdict(list, a=[1]),
    "index": lambda: pd.Index([1, 2], name="n"),
    "timestamp": lambda: pd.Timestamp("2020-01-01", tz="UTC"),
    "polars series": lambda: pl.Series("a", [1, None, 3]),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_object_comes_back(module_store: Store, name: str) -> None:
    value = OBJECTS[name]()
    loaded, codec = trip(module_store, value)
    assert codec == "pickle"
    assert facts(loaded) == facts(value)


def test_function_and_class_come_back_as_themselves(module_store: Store) -> None:
    for value in (facts, Plain, np.sum, len):
        assert trip(module_store, value)[0] is value


def test_generator_continues_the_same_stream(module_store: Store) -> None:
    rng = np.random.default_rng(3)
    loaded, _ = trip(module_store, rng)
    assert loaded.random(5).tolist() == np.random.default_rng(3).random(5).tolist()


def test_own_pickling_is_trusted_only_after_a_comparison(module_store: Store) -> None:
    calls: list[Any] = []

    def same(value: Any) -> bytes:
        calls.append(value)
        return repr(vars(value)).encode()

    store = Store(
        module_store.objects,
        module_store._ledger,
        module_store.catalog,
        same=same,
        clock_ns=lambda: 0,
        wall_ns=lambda: 0,
        write=os.write,
    )
    assert store.put("faithful", Faithful(3), meta=META).kept
    assert len(calls) == 2
    assert store.put("plain", Plain(1), meta=META).kept
    assert len(calls) == 2, "a class without pickling of its own needs no comparison"
    result = store.put("forgetful", Forgetful(), meta=META)
    assert not result.kept
    assert "does not give the same value back" in result.reason
    store.evict(["faithful", "plain"])


def test_comparison_with_the_real_digest_refuses_what_is_lost(module_store: Store) -> None:
    assert not module_store.put("s", Forgetful(), meta=META).kept
    assert not module_store.put("s", [{"a": (Forgetful(),)}], meta=META).kept
    assert module_store.put("s", Faithful(2), meta=META).kept
    module_store.evict(["s"])


def generator() -> Any:
    yield 1


UNSTORABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "generator": (generator, "used up by reading"),
    "generator inside": (lambda: {"rows": [generator()]}, "used up by reading"),
    "iterator": (lambda: iter([1, 2]), "used up by reading"),
    "map": (lambda: map(str, [1]), "used up by reading"),
    "lock": (threading.Lock, "cannot pickle"),
    "lambda": (lambda: lambda x: x, "lambda"),
    "lambda inside": (lambda: Plain(lambda x: x), "lambda"),
    "local class": (lambda: type("T", (), {"__qualname__": "f.<locals>.T"})(), "no name"),
    "open file": (lambda: io.TextIOWrapper(io.BytesIO()), "Text"),
}


@pytest.mark.parametrize("name", UNSTORABLE)
def test_unstorable_value_is_refused_in_one_line_and_leaves_nothing(module_store: Store, name: str) -> None:
    make, words = UNSTORABLE[name]
    before = module_store.info()
    result = module_store.put("s", make(), meta=META)
    assert not result.kept
    assert words in result.reason
    assert "\n" not in result.reason
    assert module_store.info() == before
    assert not module_store.objects.temporaries()


def test_loaded_values_are_private_and_writeable(module_store: Store) -> None:
    frame = pd.DataFrame(BIG)
    for value, change in (
        (BIG.copy(), lambda v: v.fill(0)),
        (frame, lambda v: v.iloc.__setitem__((0, 0), 99.0)),
        ({"a": BIG.copy()}, lambda v: v["a"].fill(0)),
        (sp.random(50, 50, 0.5, format="csr"), lambda v: v.data.fill(0)),
    ):
        module_store.put("s", value, meta=META)
        expected = facts(value)
        change(module_store.get("s").value)
        assert facts(module_store.get("s").value) == expected
        module_store.evict(["s"])


def test_loaded_value_outlives_its_artifact(module_store: Store) -> None:
    module_store.put("s", BIG.copy(), meta=META)
    loaded = module_store.get("s").value
    module_store.evict(["s"])
    assert np.array_equal(loaded, BIG)


def test_estimator_comes_back_and_predicts_bit_for_bit(module_store: Store) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    target = (BIG[:, 0] > 0).astype(int)[:300]
    for model in (
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier(),
    ):
        model.fit(BIG[:300], target)
        loaded, codec = trip(module_store, model)
        assert codec == "estimator"
        assert loaded.predict_proba(BIG).tobytes() == model.predict_proba(BIG).tobytes()


def test_estimator_of_another_scikit_learn_is_not_loaded_but_not_dropped(
    module_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sklearn
    from sklearn.linear_model import LinearRegression

    module_store.put("s", LinearRegression().fit(BIG[:, :2], BIG[:, 2]), meta=META)
    monkeypatch.setattr(sklearn, "__version__", "0.1")
    result = module_store.get("s")
    assert not result.found
    assert "scikit-learn" in result.reason
    monkeypatch.undo()
    assert module_store.get("s").found
    module_store.evict(["s"])


MANY = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

dtypes = st.one_of(
    hnp.scalar_dtypes(), hnp.array_dtypes(allow_subarrays=True, max_size=3), hnp.byte_string_dtypes(min_len=1)
)


@MANY
@given(data=st.data())
def test_any_view_of_any_array_comes_back(module_store: Store, data: st.DataObject) -> None:
    array = data.draw(hnp.arrays(data.draw(dtypes), hnp.array_shapes(max_dims=3, min_side=0, max_side=6)))
    view = array[data.draw(hnp.basic_indices(array.shape, allow_newaxis=True))]
    if not isinstance(view, np.ndarray):
        view = array
    if data.draw(st.booleans()):
        view = view.T
    if data.draw(st.booleans()):
        view = view.view()
        view.flags.writeable = False
    loaded, _ = trip(module_store, view)
    assert facts(loaded) == facts(view)


@MANY
@given(data=st.data(), repeat=st.sampled_from([1, 3000]))
def test_any_frame_comes_back(module_store: Store, data: st.DataObject, repeat: int) -> None:
    kinds = st.sampled_from(["float64", "float32", "int8", "int64", "bool", "datetime64[ns]", "uint16"])
    frame = data.draw(
        hpd.data_frames(
            [hpd.column(name, dtype=data.draw(kinds)) for name in "abcd"[: data.draw(st.integers(1, 4))]],
            index=hpd.range_indexes(min_size=1, max_size=8),
        )
    )
    frame = pd.concat([frame] * repeat, ignore_index=data.draw(st.booleans()))
    loaded, _ = trip(module_store, frame)
    assert facts(loaded) == facts(frame)
