"""What a person's own lines read, and which questions an iteration answers; see ``mile_rl.prediction.own``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import CLASSES, PastIteration
from mile_rl.prediction.features import CLASS_NAMES, observed
from mile_rl.prediction.linear import LIMIT, Linear, standardised
from mile_rl.prediction.node_features import NODE_NAMES
from mile_rl.prediction.own import OwnLine
from mile_rl.prediction.state import HistoryState

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

N = len(CLASSES)

_BLOCKS = (
    ("last", 1.0),
    ("second", 1.0),
    ("decayed", 1.0),
    ("share", 1.0),
    ("person", 1.0),
    ("since", 0.5),
    ("count", 0.5),
)
"""Features that there are of each class, and what they are multiplied by to be of one size."""

_COLUMNS = np.array(
    [[CLASS_NAMES.index(f"{block}_{change.name.lower()}") for block, _ in _BLOCKS] for change in CLASSES]
)
_SIZES = np.array([size for _, size in _BLOCKS])
_LAST = _COLUMNS[:, 0]
_EACH = np.arange(N)
_ONES = np.eye(N)

NO_CLASSES = OwnLine.unknown(np.array([0.1] * N + [0.03] * (1 + len(_BLOCKS) + N * N)))
"""How far people's slopes lie from zero: those of the classes, of the score, of ``_BLOCKS``, of the class before."""

NO_NODES = OwnLine.unknown(np.array([0.1, 0.1] + [0.003] * len(NODE_NAMES)))
"""The same for nodes: of the start, of the score, of each standardised feature."""

SCORE_REACH = 4.0
"""A node's raw score is cut off here where it is a feature."""


def class_features(row: Floats, scores: Floats) -> Floats:
    """Return what a person's own line of the classes reads, a row a class.

    Args:
        row: features of the history, columns ``CLASS_NAMES``.
        scores: the model's raw scores, shape (classes,).
    """
    follows = np.zeros((N, N, N))
    follows[_EACH, :, _EACH] = row[_LAST]
    return np.hstack(
        [_ONES, scores.clip(-LIMIT, LIMIT)[:, None], row[_COLUMNS] * _SIZES, follows.reshape(N, N * N)]
    )


def node_features(rows: Floats, scores: Floats, line: Linear) -> Floats:
    """Return what a person's own line of the nodes reads, a row a node.

    Args:
        rows: features of the nodes, columns ``NODE_NAMES``.
        scores: the model's raw scores, shape (nodes,).
        line: by which the features are standardised.
    """
    first = np.stack([np.ones(len(rows)), scores.clip(-SCORE_REACH, SCORE_REACH)], axis=1)
    return np.hstack([first, standardised(rows, line.mean, line.spread)])


def touched_nodes(state: HistoryState, record: PastIteration) -> Flags:
    """Return, of each node of the latest version, whether the next iteration touched it.

    An edit bears the node's name after it: what is gone and was not removed goes on under another name, and was
    touched if one of the edited nodes has a name that was not there before.
    """
    names = observed(state).names
    edited = {edit.node for edit in record.edits if edit.kind != "add"}
    if not edited.issubset(names):
        edited.update(set(names).difference(node.name for node in record.nodes))
    return np.array([name in edited for name in names], dtype=bool)
