"""Makes a table of the CC0 table's schema, of any size: for tests of speed. Synthetic, for nothing else.

Made-up people change one thing at a time: swap the model, add or drop a preprocessing step, move a parameter.
The letter in ``change_type`` is that of the change that was made, so reading it back checks the reader.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from traces.sources.openml_table import COLUMNS

if TYPE_CHECKING:
    import numpy as np

ROWS = 475_297
"""As many as the published table has."""

_MODELS: dict[str, dict[str, object]] = {
    "RandomForestClassifier": {
        "n_estimators": 100,
        "max_depth": None,
        "criterion": "gini",
        "max_features": 0.5,
    },
    "SVC": {"C": 1.0, "gamma": 0.1, "kernel": "rbf", "shrinking": True},
    "HistGradientBoostingClassifier": {"learning_rate": 0.1, "max_iter": 100, "l2_regularization": 1e-10},
    "LogisticRegression": {"C": 1.0, "penalty": "l2", "fit_intercept": True, "tol": 1e-4},
    "KNeighborsClassifier": {"n_neighbors": 5, "weights": "uniform", "p": 2},
    "DecisionTreeClassifier": {"max_depth": 5, "min_samples_leaf": 1, "criterion": "gini"},
}
_STEPS: dict[str, dict[str, object]] = {
    "sklearn.impute._base.SimpleImputer": {"strategy": "mean", "missing_values": "NaN"},
    "sklearn.preprocessing.data.StandardScaler": {"with_mean": True, "with_std": True},
    "sklearn.decomposition.pca.PCA": {"n_components": 10, "whiten": False},
    "sklearn.feature_selection.variance_threshold.VarianceThreshold": {"threshold": 0.0},
}
_LETTERS = "MPHRCN"
_CHANCES = (0.12, 0.08, 0.55, 0.1, 0.05, 0.1)


def write_made_table(path: Path, *, rows: int = ROWS, rng: np.random.Generator) -> None:
    """Write a zipped CSV of made-up runs.

    Args:
        path: the zip.
        rows: how many runs.
        rng: decides everything; the same state gives the same table.
    """
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("openml_sklearn_workflows.csv", "w", force_zip64=True) as member,
        io.TextIOWrapper(member, "utf-8", newline="", write_through=False) as text,
    ):
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_table(rows, rng))


def _table(rows: int, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    written = 0
    person = 0
    while written < rows:
        person += 1
        length = min(int(rng.pareto(0.9) * 8) + 1, 3000, rows - written)
        yield from _history(person, 1 + int(rng.integers(1, 4000)), length, 10_000_000 + written, rng)
        written += length


def _history(
    user: int, task: int, length: int, first_id: int, rng: np.random.Generator
) -> Iterator[tuple[object, ...]]:
    names = list(_MODELS)
    model = names[int(rng.integers(len(names)))]
    model_params = dict(_MODELS[model])
    steps = {name: dict(values) for name, values in _STEPS.items() if rng.random() < 0.4}
    moment = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(minutes=int(rng.integers(1_000_000)))
    auc, before, letter = 0.7, 0.7, "S"
    letters = rng.choice(len(_LETTERS), size=length, p=_CHANCES)
    noise = rng.normal(0, 0.02, size=length)
    gaps = rng.exponential(10, size=length)
    for index in range(length):
        if index:
            letter, model, model_params, steps = _change(
                _LETTERS[letters[index]], model, model_params, steps, rng
            )
            moment += timedelta(minutes=round(float(gaps[index]), 2))
        auc, before = min(max(auc + float(noise[index]), 0.3), 0.999), auc
        yield (
            first_id + index,
            user,
            task,
            round(auc, 6),
            round(auc - 0.75, 6),
            str({model}),
            _cell(model_params),
            str(set(steps)) if steps else "set()",
            _cell({name: value for own in steps.values() for name, value in own.items()}),
            index,
            letter,
            round(auc - before, 6) if index else "",
            moment.replace(tzinfo=None).isoformat(sep=" "),
            round(float(gaps[index]), 2) if index else "",
        )


def _change(
    letter: str,
    model: str,
    model_params: dict[str, object],
    steps: dict[str, dict[str, object]],
    rng: np.random.Generator,
) -> tuple[str, str, dict[str, object], dict[str, dict[str, object]]]:
    """Make a change of this letter, or of the nearest that is possible, and return its true letter."""
    if letter == "R" and not steps:
        letter = "P"
    if letter == "M":
        others = [name for name in _MODELS if name != model]
        model = others[int(rng.integers(len(others)))]
        model_params = dict(_MODELS[model])
    if letter in "HC":
        model_params = _moved(model_params, rng)
    if letter in "PC":
        name = list(_STEPS)[int(rng.integers(len(_STEPS)))]
        steps = (
            {other: own for other, own in steps.items() if other != name}
            if name in steps
            else {
                **steps,
                name: dict(_STEPS[name]),
            }
        )
    if letter == "R":
        name = list(steps)[int(rng.integers(len(steps)))]
        steps = {**steps, name: _moved(steps[name], rng)}
    return letter, model, model_params, steps


def _moved(params: dict[str, object], rng: np.random.Generator) -> dict[str, object]:
    name = list(params)[int(rng.integers(len(params)))]
    old = params[name]
    if isinstance(old, bool):
        new: object = not old
    elif isinstance(old, int):
        new = old * 2 if rng.random() < 0.7 or old < 2 else old // 2
    elif isinstance(old, float):
        new = float(f"{(old or 0.01) * 10 ** float(rng.normal()):.6g}")
    else:
        new = f"{str(old).split('-', 1)[0]}-{int(rng.integers(1, 1_000_000))}"
    return {**params, name: new}


def _cell(params: dict[str, object]) -> str:
    return str({(name, json.dumps(value)) for name, value in params.items()}) if params else "set()"
