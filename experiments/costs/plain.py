"""The operators of a workflow that are plain functions: reading, joining, grouping, splitting, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.costs import OperatorInfo, Scalar
from envs.costs.outputs import number
from experiments.costs.spec import Parameters, Spec


def _read_csv(data: Any, given: Parameters) -> Any:
    import pandas as pd

    return pd.read_csv(data.path("csv"))


def _read_parquet(data: Any, given: Parameters) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # one thread, since processor time of others would not be counted
    pa.set_cpu_count(1)
    return pq.read_table(data.path("parquet"), use_threads=False).to_pandas(use_threads=False)


def _join(data: Any, given: Parameters) -> Any:
    right = data.right(given["right_columns"])
    return data.frame.merge(right, on="key", how="left")


def _group(data: Any, given: Parameters) -> Any:
    import numpy as np

    keys = np.arange(len(data.frame)) * 7919 % len(data.frame) // number(given, "rows_per_group")
    return data.frame[data.numbers].groupby(keys).agg(str(given["how"]))


def _concatenate(data: Any, given: Parameters) -> Any:
    import pandas as pd

    half = len(data.frame) // 2
    return pd.concat([data.frame.iloc[:half], data.frame.iloc[half:]], ignore_index=True)


def _filter(data: Any, given: Parameters) -> Any:
    frame = data.frame
    return frame[frame["key"] < frame["key"].median()]


def _sort(data: Any, given: Parameters) -> Any:
    return data.frame.sort_values("key")


def _drop_duplicates(data: Any, given: Parameters) -> Any:
    return data.frame.drop_duplicates()


def _split(data: Any, given: Parameters) -> Any:
    from sklearn.model_selection import train_test_split

    return tuple(train_test_split(data.x, data.y, test_size=0.25, random_state=0))


def _metric(name: str) -> Any:
    def score(data: Any, given: Parameters) -> Any:
        import sklearn.metrics

        metric = getattr(sklearn.metrics, name)
        return metric(data.y, data.said) if name not in SCORED else metric(data.y, data.score)

    return score


SCORED = (
    "roc_auc_score",
    "log_loss",
    "roc_curve",
    "precision_recall_curve",
    "r2_score",
    "mean_squared_error",
)


def plain(
    name: str,
    family: str,
    call: Any,
    *,
    stage: str = "preprocess",
    input: str = "frame",
    output: str = "same",
    parameters: Mapping[str, tuple[Scalar, ...]] | None = None,
    of_data: tuple[str, ...] = (),
    numeric: tuple[str, ...] | None = None,
) -> Spec:
    """Return the spec of a plain function."""
    info = OperatorInfo(
        name=name,
        family=family,
        stage=stage,
        input=input,
        fits=False,
        parameters=parameters or {},
        of_data=of_data,
    )
    return Spec(info=info, call=call, output=output, numeric=numeric)


def _metrics() -> tuple[Spec, ...]:
    names = (
        "accuracy_score", "f1_score", "confusion_matrix", "classification_report", "roc_auc_score", "log_loss",
        "mean_squared_error", "r2_score",
    )  # fmt: skip
    return tuple(
        plain(name, "metric", _metric(name), stage="evaluate", input="predictions", output="scalar")
        for name in names
    )


PLAIN: tuple[Spec, ...] = (
    plain("read_csv", "read", _read_csv, input="file"),
    plain("read_parquet", "read", _read_parquet, input="file"),
    plain(
        "join", "join", _join, output="joined",
        parameters={"right_columns": (5, 1, 20)}, of_data=("right_columns",),
    ),
    plain(
        "group_by", "group", _group, output="grouped",
        parameters={"rows_per_group": (10, 3, 100), "how": ("mean", "median", "max")}, of_data=("rows_per_group",),
    ),
    plain("concatenate", "join", _concatenate),
    plain("filter_rows", "filter", _filter, output="filtered"),
    plain("sort_rows", "filter", _sort),
    plain("drop_duplicates", "filter", _drop_duplicates),
    plain("train_test_split", "split", _split, input="matrix"),
    *_metrics(),
)  # fmt: skip
