"""Measures one operator on one dataset: processor time of one thread, bytes and times in the store."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from envs.costs import Scalar, Shape
from experiments.costs.datasets import Dataset
from experiments.costs.spec import Spec
from mile_rl.errors import MileError
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import ArtifactMeta
from mile_rl.store.store import Store

SHORT_NS = 100_000_000
REPEATS = 20
STORE_REPEATS = 3
BUDGET_BYTES = 1 << 40
META = ArtifactMeta(
    workflow="calibration", node="n", output="result", operator="o", stage="learn", recreation_ns=10**9
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A row of the table: one operator on one shape with one set of parameters.

    Args:
        operator: its name.
        rows, columns, density: the input's shape.
        parameters: as text, ``name=value;…``, all of them.
        held_out: whether the shape is kept from fitting.
        fit_ns, apply_ns: processor time, in nanoseconds; fit_ns is 0 where nothing is fitted.
        output_kind: the codec that took the output.
        output_rows, output_columns, output_density: its shape.
        output_bytes, output_write_ns, output_load_ns: in the store.
        model_bytes, model_write_ns, model_load_ns: of the fitted object in the store; 0 where there is none.
    """

    operator: str
    rows: int
    columns: int
    density: float
    parameters: str
    held_out: int
    fit_ns: int
    apply_ns: int
    output_kind: str
    output_rows: int
    output_columns: int
    output_density: float
    output_bytes: int
    output_write_ns: int
    output_load_ns: int
    model_kind: str
    model_bytes: int
    model_write_ns: int
    model_load_ns: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_json` gave."""
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


class Kept(NamedTuple):
    """What the store made of a value."""

    kind: str
    size_bytes: int
    write_ns: int
    load_ns: int


class Shelf:
    """A store in a folder that takes one value at a time.

    Args:
        folder: an empty one.
        clock_ns: processor time of this thread.
    """

    def __init__(self, folder: Path, clock_ns: Callable[[], int] = time.thread_time_ns) -> None:
        self._catalog = Catalog.open(folder / "catalog.db")
        self._store = Store.open(folder, budget_bytes=BUDGET_BYTES, catalog=self._catalog, clock_ns=clock_ns)
        self._count = 0

    def keep(self, value: Any) -> Kept:
        """Write and load a value; return its bytes and the least times.

        Raises:
            MileError: the store does not take it.
        """
        writes, loads = [], []
        for _ in range(STORE_REPEATS):
            self._count += 1
            signature = f"value-{self._count}"
            put = self._store.put(signature, value, meta=META)
            if not put.kept:
                raise MileError(f"a {type(value).__name__} cannot be measured in the store: {put.reason}")
            loaded = self._store.get(signature)
            writes.append(put.elapsed_ns)
            loads.append(loaded.elapsed_ns)
            del loaded
            self._store.evict([signature])
            if put.elapsed_ns > SHORT_NS:
                break
        return Kept(put.codec, put.size_bytes, min(writes), min(loads))

    def close(self) -> None:
        """Close the catalog."""
        self._catalog.close()


def least_ns(work: Callable[[], Any], clock_ns: Callable[[], int] = time.thread_time_ns) -> tuple[int, Any]:
    """Return the least time over repeats (one where it is long) and the last result."""
    least, total = None, 0
    result = None
    for _ in range(REPEATS):
        start = clock_ns()
        result = work()
        took = clock_ns() - start
        least = took if least is None else min(least, took)
        total += took
        if total > SHORT_NS:
            break
    return max(least or 0, 1), result


def as_text(parameters: Mapping[str, Scalar]) -> str:
    """Return parameters as one cell of a table."""
    return ";".join(f"{name}={value}" for name, value in parameters.items())


def measure(
    spec: Spec, shape: Shape, given: Mapping[str, Scalar], data: Dataset, shelf: Shelf, *, held_out: bool
) -> Measured:
    """Measure one operator once.

    Args:
        spec: the operator.
        shape: the input's shape.
        given: all its parameters.
        data: a dataset of that shape.
        shelf: where outputs are written and loaded.
        held_out: whether the shape is kept from fitting.
    """
    with warnings.catch_warnings():
        # "did not converge", "more quantiles than samples": the work is what is asked for
        warnings.simplefilter("ignore")
        if spec.make is None:
            fit_ns, model, apply_ns, output = 0, None, *_called(spec, data, given)
        else:
            fit_ns, model, apply_ns, output = _fitted(spec, shape, data, given)
    kept = shelf.keep(output)
    own = shelf.keep(model) if model is not None else Kept("", 0, 0, 0)
    found = shape_of(output)
    return Measured(
        operator=spec.info.name,
        rows=shape.rows, columns=shape.columns, density=shape.density,
        parameters=as_text(given), held_out=int(held_out), fit_ns=fit_ns, apply_ns=apply_ns,
        output_kind=kept.kind, output_rows=found.rows, output_columns=found.columns,
        output_density=round(found.density, 6), output_bytes=kept.size_bytes, output_write_ns=kept.write_ns,
        output_load_ns=kept.load_ns, model_kind=own.kind, model_bytes=own.size_bytes,
        model_write_ns=own.write_ns, model_load_ns=own.load_ns,
    )  # fmt: skip


def _called(spec: Spec, data: Dataset, given: Mapping[str, Scalar]) -> tuple[int, Any]:
    assert spec.call is not None
    call = spec.call
    # the first call makes the data
    call(data, given)
    return least_ns(lambda: call(data, given))


def _fitted(
    spec: Spec, shape: Shape, data: Dataset, given: Mapping[str, Scalar]
) -> tuple[int, Any, int, Any]:
    assert spec.make is not None
    make = spec.make
    x = data.input(spec.info.input)
    y = data.number if spec.info.name.endswith(REGRESSORS) else data.y
    limited = {
        key: min(int(value or 1), shape.columns)
        if key in ("k", "n_components") and spec.output in BOUNDED
        else value
        for key, value in given.items()
    }
    if spec.info.input == "documents":
        y = None
    fit_ns, model = least_ns(lambda: make(limited).fit(x, y))
    apply_ns, output = least_ns(
        lambda: model.transform(x) if hasattr(model, "transform") else model.predict(x)
    )
    if hasattr(output, "base") and output.base is not None:
        output = output.copy()
    return fit_ns, model, apply_ns, output


REGRESSORS = ("regressor", "ridge", "linear_regression", "lasso", "elastic_net", "svr")
BOUNDED = ("components", "selected")


def shape_of(value: Any) -> Shape:
    """Return the shape of an output."""
    found = getattr(value, "shape", None)
    if isinstance(value, tuple):
        parts = [shape_of(part) for part in value]
        return Shape(rows=parts[0].rows + parts[1].rows, columns=parts[0].columns)
    if not found:
        return Shape(rows=1, columns=1)
    rows, columns = found[0], found[1] if len(found) > 1 else 1
    density = value.nnz / (rows * columns) if hasattr(value, "nnz") else 1.0
    return Shape(rows=max(rows, 1), columns=max(columns, 1), density=min(max(density, 1e-9), 1.0))
