"""Compare kinds of models on validation folds, the way the shipped one was chosen.

    python -m experiments.prediction.choose TRACES_DIR...

Quarter 0 of the groups stays unseen here. Prints two Markdown tables, change class and nodes touched: log-loss per
source, over folds of people, and how far the chosen model lies below.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.fit_prediction import FitArguments, read
from experiments.prediction.baselines import CLASS_BASELINES, NODE_BASELINES
from experiments.prediction.dataset import Dataset, build, fold_of, quarter, weights, with_classes
from experiments.prediction.fit import CHOSEN, RIDGES, thinned
from experiments.prediction.grow import Part, fit_part
from experiments.prediction.personal import class_chances, node_chances
from experiments.prediction.scores import binary_loss, bootstrap, class_loss
from mile_rl.prediction.base import CLASSES
from mile_rl.prediction.trees import sigmoid, softmax

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Forecasts = dict[str, Floats]
Candidates = Callable[[Dataset, Mask, Floats], Forecasts]
"""From (decisions or nodes, those to fit on, weights) to named forecasts of all."""

FOLDS = 3
CHOSEN_ONE = "both, and a line of the person's own"


def one_by_one(baselines: Mapping[str, Callable[[Dataset, Mask, Floats], Floats]]) -> Candidates:
    """Return the candidates that are fitted each on its own."""

    def forecasts(dataset: Dataset, train: Mask, weight: Floats) -> Forecasts:
        return {name: baseline(dataset, train, weight) for name, baseline in baselines.items()}

    return forecasts


def class_parts(dataset: Dataset, train: Mask, weight: Floats) -> Forecasts:
    """Return what trees and a logistic regression say of the change class, alone and together."""
    part = fit_part(
        dataset.rows[train],
        dataset.y[train],
        weight[train],
        CHOSEN["classes"],
        0,
        ridge=RIDGES["classes"],
        n_classes=len(CLASSES),
    )
    return {
        **_apart(part, dataset.rows),
        CHOSEN_ONE: class_chances(dataset, part.raw(dataset.rows)),
    }


def node_parts(classes: Floats) -> Candidates:
    """Return the same for the nodes, given out-of-fold chances of the classes."""

    def forecasts(dataset: Dataset, train: Mask, weight: Floats) -> Forecasts:
        nodes = with_classes(dataset, classes)
        drawn, share = thinned(dataset, 0)
        own = train & drawn
        part = fit_part(
            nodes[own],
            dataset.node_y[own],
            (weight / share)[own],
            CHOSEN["touched"],
            0,
            ridge=RIDGES["touched"],
        )
        return {
            **_apart(part, nodes),
            CHOSEN_ONE: node_chances(dataset, nodes, part.raw(nodes)[:, 0], part.ruler),
        }

    return forecasts


def _apart(part: Part, rows: Floats) -> Forecasts:
    line = part.ruler.raw(rows)
    return {
        "logistic regression": softmax(line) if part.n_classes > 2 else sigmoid(line)[:, 0],
        "boosted trees": replace(part, line=None).chances(rows),
        "both together": part.chances(rows),
    }


def across(dataset: Dataset, candidates: Sequence[Candidates], seen: Mask, *, nodes: bool) -> Forecasts:
    """Return the forecasts of every decision (or node), from folds that did not see its group."""
    folds = fold_of(dataset.group, FOLDS)
    sizes = np.bincount(dataset.node_decision, minlength=len(dataset.y))
    out: Forecasts = {}
    for fold in range(FOLDS):
        train = seen & (folds != fold)
        weight = np.ones(len(dataset.y))
        weight[train] = weights(dataset.group[train], 0.5)
        held = folds == fold
        if nodes:
            train, held = train[dataset.node_decision], held[dataset.node_decision]
            weight = (weight / np.maximum(sizes, 1))[dataset.node_decision]
        for each in candidates:
            for name, part in each(dataset, train, weight).items():
                out.setdefault(name, np.zeros_like(part))[held] = part[held]
    return out


def table(dataset: Dataset, seen: Mask, said: Forecasts, *, nodes: bool) -> list[str]:
    """Return Markdown rows: per source the log-loss, and how far the chosen candidate lies below it."""
    rng = np.random.default_rng(0)
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
            best = loss_of(said[CHOSEN_ONE][own], y[own])
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
    sources = sorted(set(dataset.source.tolist()))
    classes = across(dataset, [one_by_one(CLASS_BASELINES), class_parts], seen, nodes=False)
    chances = classes[CHOSEN_ONE]
    nodes = across(dataset, [one_by_one(NODE_BASELINES), node_parts(chances)], seen, nodes=True)
    for title, said in (("change class", classes), ("nodes touched", nodes)):
        lines = [f"| {title} | {' | '.join(sources)} |", "|---" * (1 + len(sources)) + "|"]
        lines += table(dataset, seen, said, nodes=said is nodes)
        sys.stdout.write("\n".join(lines) + "\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
