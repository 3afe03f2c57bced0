"""Which of the metrics that a person logged is the one to look at, and which way is up."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_UP = (
    ("auc", r"auc|area_under_roc_curve|roc"),
    ("f1", r"f1|f_?measure|fscore"),
    ("accuracy", r"acc(uracy)?|hit_?rate"),
    ("r2", r"r2|r_squared|explained_variance"),
    (
        "other score",
        r"precision|recall|score|map|ndcg|mcc|kappa|iou|dice|bleu|rouge|silhouette|reward|sensitivity",
    ),
)
_DOWN = (
    (
        "error",
        r"r?m?se|r?msle|s?mape|wape|mae|medae|error|err|loss|nll|perplexity|ppl|deviance|wer|cer|brier",
    ),
)
_HELD_OUT = re.compile(r"test|val|valid|validation|eval|cv|holdout|mean")
_TRAINING = re.compile(r"train|training")
_NOT_A_LEVEL = re.compile(r"std|var|variance|time|count|n|task|step|epoch|id|support|min|max|last")


def words(name: str) -> list[str]:
    """Return a metric's or parameter's name as lower-case words.

    Example:
        >>> words("Val-AUCmean_2")
        ['val', 'auc', 'mean', '2']
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z]{2,})(?=[a-z])", r"\1\3 \2", name)
    return re.findall(r"[a-z]+\d?|\d+", spaced.lower().replace("f1", " f1 ").replace("r2", " r2 "))


def direction(name: str) -> int:
    """Return +1 where a greater value of this metric is better, -1 where a smaller is, 0 where unknown."""
    parts = [*words(name), "_".join(words(name))]
    if any(re.fullmatch(pattern, part) for _, pattern in _DOWN for part in parts):
        return -1
    return 1 if any(re.fullmatch(pattern, part) for _, pattern in _UP for part in parts) else 0


def choose_objective(runs: Iterable[Mapping[str, float]]) -> tuple[str, int]:
    """Return the metric that best tells the runs of a history apart, and its direction.

    Of the metrics with a known direction that at least half as many runs log as log the commonest: held-out
    before unmarked before training ones, plain levels before their spread, then by kind (AUC, F1, accuracy,
    R², other scores, errors), then the commonest, then by name.

    Returns:
        (name, +1 or -1), or ("", 0) where no metric has a known direction.
    """
    counts = Counter(name for metrics in runs for name in metrics if direction(name))
    if not counts:
        return "", 0
    most = max(counts.values())
    name = min(
        (name for name in counts if 2 * counts[name] >= most),
        key=lambda name: (_rank(name), -counts[name], name),
    )
    return name, direction(name)


def _rank(name: str) -> tuple[int, int, int]:
    parts = words(name)
    spread = int(any(_NOT_A_LEVEL.fullmatch(part) for part in parts))
    if any(_TRAINING.fullmatch(part) for part in parts):
        place = 2
    else:
        place = 0 if any(_HELD_OUT.fullmatch(part) for part in parts) else 1
    joined = [*parts, "_".join(parts)]
    kinds = [*_UP, *_DOWN]
    kind = next(
        rank for rank, (_, pattern) in enumerate(kinds) if any(re.fullmatch(pattern, part) for part in joined)
    )
    return spread, place, kind


def oriented(metrics: Mapping[str, float], objective: str, sign: int) -> float | None:
    """Return the run's objective turned so that greater is better, None where it was not logged."""
    value = metrics.get(objective) if objective else None
    return None if value is None else sign * value
