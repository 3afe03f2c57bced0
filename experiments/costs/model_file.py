"""Builds the model's file from measurements: fits on the training shapes, judges on those held out."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from envs.costs import CostError, CostModel, Shape
from envs.costs.model import NO_OUTPUT, VERSION
from envs.costs.outputs import number
from envs.costs.posynomial import features
from experiments.costs.fit import Sample, fit
from experiments.costs.measure import Measured
from experiments.costs.registry import SPECS
from experiments.costs.spec import Spec
from experiments.costs.table import parameters_of

Progress = Callable[[int, int, str], None]
TIMES = ("fit_ns", "apply_ns")
BYTES = ("output_bytes", "model_bytes")
LEAST_CODEC_ROWS = 20


def build(rows: Sequence[Measured], path: Path, *, on_progress: Progress) -> dict[str, Any]:
    """Fit every operator, judge the model on the held-out shapes, write it; return what was written.

    Args:
        rows: the measurements; those that are held out are only judged on.
        path: of the model's file.
        on_progress: hears of each operator.

    Raises:
        CostError: there is nothing to fit.
    """
    by_name: dict[str, list[Measured]] = {}
    for row in rows:
        by_name.setdefault(row.operator, []).append(row)
    if not by_name:
        raise CostError(
            "there are no measurements to fit; run `python -m experiments.calibrate_costs measure`"
        )
    operators = {}
    for done, (name, own) in enumerate(sorted(by_name.items())):
        on_progress(done, len(by_name), name)
        operators[name] = _operator(SPECS[name], [row for row in own if not row.held_out])
    data: dict[str, Any] = {
        "version": VERSION,
        "facts": {"machine": machine(), "measurements": len(rows)},
        "operators": operators,
        "codecs": _codecs(rows),
    }
    errors = judge(CostModel(data), rows)
    data["facts"]["held_out"] = errors["pooled"]
    for name, own_errors in errors["operators"].items():
        operators[name]["held_out"] = own_errors
        operators[name]["spread"] = own_errors.pop("spread")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    return data


def machine() -> dict[str, str]:
    """Return what is to be known of the machine that was measured."""
    import sklearn

    return {
        "processor": _processor(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "threads": "1",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _operator(spec: Spec, rows: Sequence[Measured]) -> dict[str, Any]:
    info = spec.info
    inputs = [(Shape(rows=row.rows, columns=row.columns, density=row.density), row) for row in rows]
    numbers = {
        shape: i for i, shape in enumerate(sorted({s for s, _ in inputs}, key=lambda s: (s.cells, s.rows)))
    }
    x = np.array(
        [features(spec.features, shape, _output_of(row), parameters_of(row, info)) for shape, row in inputs]
    )
    groups = np.array([numbers[shape] for shape, _ in inputs])

    def fitted(values: Sequence[float], terms: tuple[int, ...] = (1, 2, 3)) -> dict[str, Any]:
        log_y = np.log(np.maximum(np.array(values, dtype=float), 1.0))
        return fit(Sample(names=spec.features, x=x, log_y=log_y, shape=groups), terms=terms).to_json()

    targets = {"apply_ns": fitted([row.apply_ns for row in rows])}
    targets["output_bytes"] = fitted([row.output_bytes for row in rows])
    if info.fits:
        targets["fit_ns"] = fitted([row.fit_ns for row in rows])
        targets["model_bytes"] = fitted([row.model_bytes for row in rows])
    if spec.output == "measured":
        targets["output_cells"] = fitted([_output_of(row).cells for row in rows])
        if "max_features" in info.parameters:
            targets["vocabulary"] = _vocabulary(spec, rows)
    kinds = [row.output_kind for row in rows]
    return {
        "family": info.family,
        "stage": info.stage,
        "parameters": {name: list(values) for name, values in info.parameters.items()},
        "of_data": list(info.of_data),
        "input": info.input,
        "sparse": info.sparse,
        "fits": info.fits,
        "output": spec.output,
        "output_kind": max(sorted(set(kinds)), key=kinds.count),
        "features": list(spec.features),
        "spread": 0.0,
        "targets": targets,
    }


def _vocabulary(spec: Spec, rows: Sequence[Measured]) -> dict[str, Any]:
    """Fit how many words are seen, on the measurements that kept them all."""
    free = [row for row in rows if row.output_columns < number(parameters_of(row, spec.info), "max_features")]
    x = np.array(
        [
            features(spec.features, Shape(rows=row.rows, columns=1), NO_OUTPUT, parameters_of(row, spec.info))
            for row in free
        ]
    )
    log_y = np.log([row.output_columns for row in free])
    shape = np.unique([row.rows for row in free], return_inverse=True)[1]
    return fit(Sample(names=spec.features, x=x, log_y=log_y, shape=shape), terms=(1,)).to_json()


def _output_of(row: Measured) -> Shape:
    return Shape(rows=row.output_rows, columns=row.output_columns, density=max(row.output_density, 1e-9))


def _codecs(rows: Sequence[Measured]) -> dict[str, Any]:
    """Fit the time to write and to load against the bytes, a codec at a time."""
    seen: dict[str, list[tuple[int, int, int]]] = {}
    for row in rows:
        if row.held_out:
            continue
        seen.setdefault(row.output_kind, []).append(
            (row.output_bytes, row.output_write_ns, row.output_load_ns)
        )
        if row.model_bytes:
            seen.setdefault(row.model_kind, []).append(
                (row.model_bytes, row.model_write_ns, row.model_load_ns)
            )
    found = {}
    for kind, triples in sorted(seen.items()):
        sizes, writes, loads = (
            np.log(np.maximum(np.array(column, dtype=float), 1.0)) for column in zip(*triples)
        )
        x = sizes[:, None]
        groups = np.unique(np.round(sizes * 2), return_inverse=True)[1]
        found[kind] = {
            way: fit(Sample(names=("rows",), x=x, log_y=log_y, shape=groups), terms=(1, 2)).to_json()
            for way, log_y in (("write_ns", writes), ("load_ns", loads))
        }
    return found


def judge(model: CostModel, rows: Sequence[Measured]) -> dict[str, Any]:
    """Return the errors on the held-out shapes, relative to what was measured, pooled and an operator at a time."""
    errors: dict[str, dict[str, list[float]]] = {}
    codec_errors: list[float] = []
    for row in rows:
        if not row.held_out:
            continue
        for target, error in errors_of(model, row).items():
            errors.setdefault(row.operator, {}).setdefault(target, []).append(error)
        codec_errors.extend(_codec_errors(model, row))
    pooled: dict[str, Any] = {}
    for target in (*TIMES, *BYTES):
        every = [one for own in errors.values() for one in own.get(target, [])]
        pooled[target] = summary(every)
    pooled["codec_ns"] = summary(codec_errors)
    own_errors = {}
    for name, own in errors.items():
        slow = [math.log1p(one) for target in TIMES for one in own.get(target, [])]
        spread = round(1.4826 * median(abs(one) for one in slow), 4) if slow else 0.0
        own_errors[name] = {
            **{target: summary(found)["median"] for target, found in own.items()},
            "shapes": len(
                {(r.rows, r.columns, r.density) for r in rows if r.operator == name and r.held_out}
            ),
            "spread": spread,
        }
    return {"pooled": pooled, "operators": own_errors}


def errors_of(model: CostModel, row: Measured) -> Mapping[str, float]:
    """Return measured / predicted − 1 ... of every figure of a measurement, as signed relative errors."""
    shape = Shape(rows=row.rows, columns=row.columns, density=row.density)
    cost = model.cost(row.operator, shape, parameters_of(row, model.operators[row.operator]))
    targets = [*(TIMES if row.fit_ns else TIMES[1:]), *(BYTES if row.model_bytes else BYTES[:1])]
    return {target: max(getattr(cost, target), 1) / getattr(row, target) - 1 for target in targets}


def _codec_errors(model: CostModel, row: Measured) -> list[float]:
    write_ns, load_ns = model.codec_ns(row.output_kind, row.output_bytes)
    return [write_ns / max(row.output_write_ns, 1) - 1, load_ns / max(row.output_load_ns, 1) - 1]


def summary(errors: Sequence[float]) -> dict[str, float]:
    """Return the median and the 90th percentile of absolute relative errors, and how many there are."""
    if not errors:
        return {"median": 0.0, "p90": 0.0, "count": 0}
    sizes = np.abs(np.array(errors))
    return {
        "median": round(float(np.median(sizes)), 4),
        "p90": round(float(np.quantile(sizes, 0.9)), 4),
        "count": len(errors),
    }
