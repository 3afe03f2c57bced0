"""People's own lines over whole tables of decisions, as a predictor that follows each history keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.dataset import Dataset
from mile_rl.prediction.linear import Linear
from mile_rl.prediction.own_features import NO_CLASSES, NO_NODES, class_features, node_features
from mile_rl.prediction.trees import sigmoid, softmax

Floats = NDArray[np.float64]


def class_chances(dataset: Dataset, scores: Floats) -> Floats:
    """Return P(change class) of every decision, each person's own line taught by what they did before.

    Args:
        dataset: the decisions.
        scores: the model's raw scores of each, shape (decisions, classes).
    """
    out = softmax(scores)
    for own in decisions_of_people(dataset):
        line = NO_CLASSES
        for decision, known in _turns(dataset, own):
            for earlier in known:
                features = class_features(dataset.rows[earlier], scores[earlier])
                line = line.chosen(features, scores[earlier], int(dataset.y[earlier]))
            features = class_features(dataset.rows[decision], scores[decision])
            out[decision] = softmax(scores[decision] + line.shift(features))
    return out


def node_chances(dataset: Dataset, nodes: Floats, scores: Floats, line: Linear) -> Floats:
    """Return P(touched) of every node, each person's own line taught by what they did before.

    Args:
        dataset: the decisions.
        nodes: ``dataset.nodes`` with P(change class) filled in.
        scores: the model's raw scores of each, shape (nodes,).
        line: of the model, by which features are standardised.
    """
    out = sigmoid(scores)
    ends = np.searchsorted(dataset.node_decision, np.arange(len(dataset.y) + 1))
    for own in decisions_of_people(dataset):
        mine = NO_NODES
        for decision, known in _turns(dataset, own):
            for earlier in known:
                rows = slice(ends[earlier], ends[earlier + 1])
                features = node_features(nodes[rows], scores[rows], line)
                mine = mine.answered(features, scores[rows], dataset.node_y[rows] > 0)
            rows = slice(ends[decision], ends[decision + 1])
            features = node_features(nodes[rows], scores[rows], line)
            out[rows] = sigmoid(scores[rows] + mine.shift(features))
    return out


def decisions_of_people(dataset: Dataset) -> list[NDArray[np.int64]]:
    """Return the decisions of each person, in order, without the ends of histories."""
    own: dict[tuple[str, str], list[int]] = {}
    for index, key in enumerate(zip(dataset.source.tolist(), dataset.person.tolist())):
        if dataset.y[index] >= 0:
            own.setdefault(key, []).append(index)
    return [np.asarray(indices) for indices in own.values()]


def _turns(dataset: Dataset, own: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield a person's decisions, each with those before it that became known since the one yielded last.

    What one commit did to another history of the person is not known; see ``records.transitions``.
    """
    waiting: list[int] = []
    for decision in own:
        known = [
            earlier
            for earlier in waiting
            if dataset.at[earlier] < dataset.at[decision]
            or dataset.history[earlier] == dataset.history[decision]
        ]
        waiting = [earlier for earlier in waiting if earlier not in known]
        yield decision, known
        waiting.append(decision)
