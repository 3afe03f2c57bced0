"""Figures that others published, to stand beside ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MILE = "Lee et al., A Human-in-the-loop Perspective on AutoML, 2019"
TABLES = "README of the published tables of DVC and MLflow histories (whole collection)"
SURVEY = (
    "Xin et al., How Developers Iterate on Machine Learning Workflows, 2018 (shares of the summed "
    "counts of changes in 105 papers, from the published combinedCounts.tsv)"
)
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One published figure.

    Args:
        words: what it says.
        value: the figure as published.
        paper: where.
        sources: the sources whose figure can be compared.
        ours: picks our figure from one source's figures; a number, or None where there is none.
    """

    words: str
    value: str
    paper: str
    sources: tuple[str, ...]
    ours: Callable[[Figures], float | None]


def _get(*path: str) -> Callable[[Figures], float | None]:
    def pick(figures: Figures) -> float | None:
        value: Any = figures
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, int | float) else None

    return pick


_ANY = ("openml", "openml-table", "mlflow", "mlflow-table", "dvc", "dvc-table", "catalog")
_DVC, _MLFLOW = ("dvc", "dvc-table"), ("mlflow", "mlflow-table")


def _edit_share(*stages: str, kinds: tuple[str, ...] | None = None) -> Callable[[Figures], float | None]:
    def pick(figures: Figures) -> float | None:
        table = figures["persons"]["edits by kind and stage"]
        total = sum(sum(row.values()) for row in table.values())
        part = sum(table[kind][stage] for kind in (kinds or tuple(table)) for stage in stages)
        return part / total if total else None

    return pick


_OTHER_KINDS = ("add", "remove", "replace", "code", "data", "environment")

PUBLISHED = (
    Published(
        words="iterations of people that reuse over half of the operators",
        value="about 0.80",
        paper=MILE,
        sources=_ANY,
        ours=_get("persons", "same operators", "iterations over half"),
    ),
    Published(
        words="the same of users of AutoML (here: scripted histories)",
        value="below 0.02",
        paper=MILE,
        sources=_ANY,
        ours=_get("programs", "same operators", "iterations over half"),
    ),
    Published(
        words="changes that are data preparation",
        value="0.30",
        paper=SURVEY,
        sources=_ANY,
        ours=_edit_share("preprocess"),
    ),
    Published(
        words="changes that are another model",
        value="0.29",
        paper=SURVEY,
        sources=_ANY,
        ours=_edit_share("learn", kinds=_OTHER_KINDS),
    ),
    Published(
        words="changes that tune the model",
        value="0.14",
        paper=SURVEY,
        sources=_ANY,
        ours=_edit_share("learn", kinds=("parameter",)),
    ),
    Published(
        words="changes of the evaluation",
        value="0.26",
        paper=SURVEY,
        sources=_ANY,
        ours=_edit_share("evaluate"),
    ),
    Published(
        words="length of a history, median",
        value="4",
        paper=TABLES,
        sources=_DVC,
        ours=_get("persons", "length", "p50"),
    ),
    Published(
        words="length of a history, 90th percentile",
        value="62",
        paper=TABLES,
        sources=_DVC,
        ours=_get("persons", "length", "p90"),
    ),
    Published(
        words="versions with exactly one stage edited",
        value="0.42",
        paper=TABLES,
        sources=_DVC,
        ours=_get("persons", "nodes edited", "one"),
    ),
    *(
        Published(
            words=f"versions with an edit of kind {kind}, mean of repositories",
            value=value,
            paper=TABLES,
            sources=_DVC,
            ours=_get("persons", "iterations with, mean of groups", kind),
        )
        for kind, value in (
            ("code", "0.50"),
            ("add", "0.26"),
            ("parameter", "0.22 (+ 0.18 commands)"),
            ("data", "0.12"),
            ("remove", "0.02"),
            ("nothing", "0.10"),
        )
    ),
    *(
        Published(
            words=f"think time, {words}, seconds",
            value=value,
            paper=TABLES,
            sources=_MLFLOW,
            ours=_get("persons", "think time, s", name),
        )
        for words, name, value in (
            ("10th percentile", "p10", "13"),
            ("median", "p50", "122"),
            ("90th percentile", "p90", "1,103"),
        )
    ),
)
"""Every figure of the papers that some source allows to compare."""
