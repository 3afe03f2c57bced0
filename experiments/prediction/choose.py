"""Compare kinds of models on validation folds, the way the shipped one was chosen.

    python -m experiments.prediction.choose TRACES_DIR...

Quarter 0 of the groups stays unseen here. Prints a Markdown table: log-loss of the change class and of the nodes
touched, per source, over folds of people.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.fit_prediction import FitArguments, read
from experiments.prediction.baselines import CLASS_BASELINES, NODE_BASELINES
from experiments.prediction.dataset import Dataset, build, fold_of, quarter, weights, with_classes
from experiments.prediction.fit import CHOSEN, RIDGES
from experiments.prediction.grow import TreeSettings, draw_line, fit_part
from experiments.prediction.scores import binary_loss, bootstrap, class_loss
from mile_rl.prediction.base import CLASSES
from mile_rl.prediction.trees import softmax

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Candidate = Callable[[Dataset, Mask, Floats], Floats]
FOLDS = 3


def parts(settings: TreeSettings, ridge: float | None = None) -> Candidate:
    """Return the candidate that grows trees, with a logistic regression beside them where ``ridge`` is given."""

    def forecast(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
        fitted = fit_part(
            dataset.rows[train],
            dataset.y[train],
            weight[train],
            settings,
            0,
            ridge=ridge,
            n_classes=len(CLASSES),
        )
        return fitted.chances(dataset.rows)

    return forecast


def logistic(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
    """Return the forecast of the logistic regression alone."""
    line = draw_line(
        dataset.rows[train], dataset.y[train], weight[train], RIDGES["classes"], n_classes=len(CLASSES)
    )
    return softmax(line.raw(dataset.rows))


def node_parts(settings: TreeSettings, classes: Floats, ridge: float | None = None) -> Candidate:
    """Return the same for the nodes, given out-of-fold chances of the classes."""

    def forecast(dataset: Dataset, chosen: Mask, weight: Floats) -> Floats:
        nodes = with_classes(dataset, classes)
        fitted = fit_part(nodes[chosen], dataset.node_y[chosen], weight[chosen], settings, 0, ridge=ridge)
        return fitted.chances(nodes)

    return forecast


def across(dataset: Dataset, candidate: Candidate, seen: Mask, *, nodes: bool) -> Floats:
    """Return the candidate's forecast of every decision (or node), from folds that did not see its group."""
    folds = fold_of(dataset.group, FOLDS)
    sizes = np.bincount(dataset.node_decision, minlength=len(dataset.y))
    out: Floats | None = None
    for fold in range(FOLDS):
        train = seen & (folds != fold)
        weight = np.ones(len(dataset.y))
        weight[train] = weights(dataset.group[train], 0.5)
        held = folds == fold
        if nodes:
            train, held = train[dataset.node_decision], held[dataset.node_decision]
            weight = (weight / np.maximum(sizes, 1))[dataset.node_decision]
        part = candidate(dataset, train, weight)
        out = np.zeros_like(part) if out is None else out
        out[held] = part[held]
    assert out is not None
    return out


def table(
    dataset: Dataset, seen: Mask, candidates: dict[str, Candidate], reference: str, *, nodes: bool
) -> list[str]:
    """Return Markdown rows: per source the log-loss and the gain of the reference over each candidate."""
    rng = np.random.default_rng(0)
    said = {name: across(dataset, candidate, seen, nodes=nodes) for name, candidate in candidates.items()}
    owner = dataset.node_decision if nodes else np.arange(len(dataset.y))
    y = dataset.node_y if nodes else dataset.y
    sizes = np.bincount(dataset.node_decision, minlength=len(dataset.y))
    loss_of = binary_loss if nodes else class_loss
    rows = []
    for name, chances in said.items():
        cells = []
        for source in sorted(set(dataset.source.tolist())):
            own = seen[owner] & (dataset.source == source)[owner]
            group = dataset.group[owner[own]]
            weight = weights(dataset.group[seen & (dataset.source == source)], 0.5)
            per = np.zeros(len(dataset.y))
            per[seen & (dataset.source == source)] = weight
            row_weight = per[owner[own]] / (np.maximum(sizes, 1)[owner[own]] if nodes else 1)
            loss = loss_of(chances[own], y[own])
            best = loss_of(said[reference][own], y[own])
            gain = bootstrap(best, loss, group, row_weight, rng, 400)
            cells.append(
                f"{np.average(loss, weights=row_weight):.3f} "
                f"({100 * gain['gain']:+.1f} % [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}])"
            )
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def main(argv: Sequence[str]) -> int:
    """Run the comparison and print it."""
    histories, _ = read(FitArguments(traces=tuple(Path(name) for name in argv)))
    dataset = build(histories)
    seen = (quarter(dataset.group) != 0) & (dataset.y >= 0)
    chosen, ridge = CHOSEN["classes"], RIDGES["classes"]
    classes: dict[str, Candidate] = {
        **CLASS_BASELINES,
        "logistic regression": logistic,
        "boosted trees": parts(chosen),
        "both together, as chosen": parts(chosen, ridge),
        "both, half as many trees": parts(replace(chosen, rounds=chosen.rounds // 2), ridge),
    }
    sources = " | ".join(sorted(set(dataset.source.tolist())))
    head = [f"| candidate | {sources} |", "|---" * (1 + sources.count("|") + 1) + "|"]
    lines = ["change class", *head]
    lines += table(dataset, seen, classes, "both together, as chosen", nodes=False)
    chances = across(dataset, classes["both together, as chosen"], seen, nodes=False)
    settings, ridge = CHOSEN["touched"], RIDGES["touched"]
    nodes: dict[str, Candidate] = {
        **NODE_BASELINES,
        "boosted trees": node_parts(settings, chances),
        "both together, as chosen": node_parts(settings, chances, ridge),
        "both, half as many trees": node_parts(
            replace(settings, rounds=settings.rounds // 2), chances, ridge
        ),
    }
    lines += ["", "nodes touched", *head]
    lines += table(dataset, seen, nodes, "both together, as chosen", nodes=True)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
