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
from experiments.prediction.fit import CHOSEN, class_chances
from experiments.prediction.grow import TreeSettings, grow
from experiments.prediction.scores import binary_loss, bootstrap, class_loss

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Candidate = Callable[[Dataset, Mask, Floats], Floats]
FOLDS = 3


def trees(settings: TreeSettings) -> Candidate:
    """Return the candidate that grows trees with these settings."""

    def forecast(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
        fitted = grow(dataset.rows[train], dataset.y[train], weight[train], settings, seed=0)
        return class_chances(fitted, dataset.rows)

    return forecast


def logistic(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
    """Return the forecast of a ridge logistic regression on the same features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=400))
    model.fit(dataset.rows[train], dataset.y[train], logisticregression__sample_weight=weight[train])
    out = np.full((len(dataset.y), 8), 1e-6)
    out[:, model.classes_] = model.predict_proba(dataset.rows)
    return out / out.sum(axis=1, keepdims=True)


def together(first: Candidate, second: Candidate) -> Candidate:
    """Return the candidate whose odds are the geometric mean of two others'."""

    def forecast(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
        product = np.sqrt(first(dataset, train, weight) * second(dataset, train, weight))
        chances: Floats = product / product.sum(axis=1, keepdims=True)
        return chances

    return forecast


def node_trees(settings: TreeSettings, classes: Floats) -> Candidate:
    """Return the candidate that grows trees for the nodes, given out-of-fold chances of the classes."""

    def forecast(dataset: Dataset, chosen: Mask, weight: Floats) -> Floats:
        nodes = with_classes(dataset, classes)
        fitted = grow(nodes[chosen], dataset.node_y[chosen], weight[chosen], settings, seed=0)
        chances: Floats = fitted.predict_proba(nodes)[:, 1]
        return chances

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
    chosen = CHOSEN["classes"]
    classes: dict[str, Candidate] = {
        **CLASS_BASELINES,
        "logistic regression": logistic,
        "boosted trees, as chosen": trees(chosen),
        "trees and logistic regression together": together(trees(chosen), logistic),
        "boosted trees, half as many": trees(replace(chosen, rounds=chosen.rounds // 2)),
        "boosted trees, twice the leaves": trees(replace(chosen, leaves=2 * chosen.leaves)),
    }
    sources = " | ".join(sorted(set(dataset.source.tolist())))
    head = [f"| candidate | {sources} |", "|---" * (1 + sources.count("|") + 1) + "|"]
    lines = ["change class", *head]
    lines += table(dataset, seen, classes, "trees and logistic regression together", nodes=False)
    chances = across(dataset, classes["boosted trees, as chosen"], seen, nodes=False)
    settings = CHOSEN["touched"]
    nodes: dict[str, Candidate] = {
        **NODE_BASELINES,
        "boosted trees, as chosen": node_trees(settings, chances),
        "boosted trees, half as many": node_trees(replace(settings, rounds=settings.rounds // 2), chances),
    }
    lines += ["", "nodes touched", *head]
    lines += table(dataset, seen, nodes, "boosted trees, as chosen", nodes=True)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
