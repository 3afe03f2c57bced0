"""Fitting the whole model from a dataset: six forests, the later ones fed by the earlier ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.dataset import Dataset, Move, fold_of, weights, with_classes, with_nodes
from experiments.prediction.grow import (
    Part,
    TreeSettings,
    centred,
    draw_choice,
    fit_part,
    grow,
    to_forest,
)
from experiments.prediction.personal import class_chances, node_chances
from mile_rl.prediction.base import CLASSES
from mile_rl.prediction.features import alone
from mile_rl.prediction.leanings import Leanings
from mile_rl.prediction.memory import ValueKey, value_key
from mile_rl.prediction.model import Model
from mile_rl.prediction.sample import Tables
from mile_rl.prediction.values import candidates, rows
from mile_rl.workflows.edits import STAGES, Scalar

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MAX_LAG = 24
MAX_ADDS = 12
MAX_COMMON = 12
MAX_NAMES = 400
MAX_NODE_ROWS = 60
"""Of larger workflows so many nodes, drawn by chance, are fitted on, and weigh as much as all of them."""

MAX_PARAMETER_ROWS = 200_000
"""More rows than this teach the forest of moving parameters nothing that they do not teach already."""


CHOSEN: Mapping[str, TreeSettings] = {
    "classes": TreeSettings(rounds=150, rate=0.03, leaves=5, min_rows=60, l2=10.0, feature_share=0.3),
    "stop": TreeSettings(rounds=60, rate=0.05, leaves=4, min_rows=60, l2=10.0, feature_share=0.3),
    "touched": TreeSettings(rounds=100, rate=0.06, leaves=8, min_rows=200, l2=10.0, feature_share=0.4),
    "moves": TreeSettings(rounds=60, rate=0.08, leaves=8, min_rows=200, l2=10.0, feature_share=0.5),
    "values": TreeSettings(rounds=80, rate=0.08, leaves=10, min_rows=80, l2=5.0, feature_share=0.5),
    "generated": TreeSettings(rounds=100, rate=0.06, leaves=8, min_rows=200, l2=10.0, feature_share=0.4),
}
"""Chosen on validation folds of the published histories; see docs/adr/0011-prediction.md."""

RIDGES: Mapping[str, float] = {"classes": 0.003, "touched": 0.01, "values": 0.003}
"""Chosen in the same way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Settings of a fit.

    Args:
        seed: of the trees' choice of features.
        inner_folds: folds over people by which one forest's answers become another one's features.
        weight_power: a group of n decisions weighs n ** (1 - this).
        trees: how each forest is grown, by its name.
        ridges: of the line beside a forest, by its name: scikit-learn's C of a logistic regression, and for
            ``values`` the weight of the squares, as in ``grow.draw_choice``.
    """

    seed: int = 0
    inner_folds: int = 3
    weight_power: float = 0.5
    trees: Mapping[str, TreeSettings] = field(default_factory=lambda: dict(CHOSEN))
    ridges: Mapping[str, float] = field(default_factory=lambda: dict(RIDGES))

    def part(self, name: str, rows: Floats, y: NDArray[np.int64], weight: Floats) -> Part:
        """Return the part of the model called ``name``, fitted to weighted rows."""
        return fit_part(
            rows,
            y,
            weight,
            self.trees[name],
            self.seed,
            ridge=self.ridges.get(name),
            n_classes=len(CLASSES) if name == "classes" else 2,
        )

    def choice(
        self, name: str, rows: Floats, hit: NDArray[np.int64], weight: Floats, owner: NDArray[np.int64]
    ) -> Part:
        """Return the part called ``name``, fitted to candidates of which each owner chose one or none."""
        trees = grow(rows, hit, weight, self.trees[name], self.seed)
        line = draw_choice(rows, hit, weight, owner, self.ridges[name])
        return Part(
            trees=trees, line=centred(line, trees.decision_function(rows), rows, hit, weight), n_classes=2
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A fitted model, and the parts behind it for scoring many rows at once."""

    model: Model
    parts: Mapping[str, Part]

    def classes(self, dataset: Dataset) -> Floats:
        """Return P(change class) of every decision."""
        return class_chances(dataset, self.parts["classes"].raw(dataset.rows))

    def touched(self, dataset: Dataset, classes: Floats) -> Floats:
        """Return P(touched) of every row of ``dataset.nodes``."""
        part, nodes = self.parts["touched"], with_classes(dataset, classes)
        return node_chances(dataset, nodes, part.raw(nodes)[:, 0], part.ruler)

    def moves(self, dataset: Dataset, classes: Floats, touched: Floats) -> Floats:
        """Return P(it moves) of every row of ``dataset.parameters``."""
        table = with_nodes(dataset, classes, touched, self.model.name_rates)
        return self.parts["moves"].chances(table)


def fit(
    dataset: Dataset,
    train: Mask,
    settings: FitSettings,
    facts: Mapping[str, Any],
    on_progress: Callable[[str], None] = lambda note: None,
) -> Fitted:
    """Fit the model on the decisions of ``train``.

    Args:
        dataset: all decisions.
        train: which of them may be looked at.
        settings: how.
        facts: what is written into the model about where it came from.
        on_progress: called with what is done next.
    """
    weight = weights(dataset.group, 0.0)
    weight[train] = weights(dataset.group[train], settings.weight_power)
    going_on = train & (dataset.y >= 0)
    on_progress("change classes")
    best = settings.part("classes", dataset.rows[going_on], dataset.y[going_on], weight[going_on])
    classes = _out_of_fold_classes(dataset, going_on, weight, settings, best)
    on_progress("end of history")
    ended = (dataset.y[train] < 0).astype(np.int64)
    # histories are drawn without loops and by people who have no other: the ends of those must be known, too
    both = np.vstack([dataset.rows[train], alone(dataset.rows[train])])
    stop = settings.part("stop", both, np.tile(ended, 2), np.tile(weight[train], 2))
    nodes = _Nodes(dataset, going_on, weight, classes, settings)
    on_progress("nodes touched")
    touched = nodes.fit("touched", nodes.rows, nodes.train)
    on_progress("nodes touched, for drawing")
    generated = nodes.fit("generated", np.hstack([nodes.rows, dataset.generated]), nodes.train)
    on_progress("parameters")
    rates = name_rates(dataset, going_on)
    moves = _fit_moves(dataset, going_on, weight, nodes, classes, rates, settings, touched)
    on_progress("values")
    values = _fit_values(dataset, going_on, settings)
    parts = {
        "classes": best,
        "stop": stop,
        "touched": touched,
        "moves": moves,
        "values": values,
        "generated": generated,
    }
    return Fitted(model=_model(dataset, going_on, weight, parts, rates, facts), parts=parts)


def _model(
    dataset: Dataset,
    train: Mask,
    weight: Floats,
    parts: Mapping[str, Part],
    rates: Mapping[str, float],
    facts: Mapping[str, Any],
) -> Model:
    """Return the model as it ships: the trees as plain arrays, and the tables beside them."""
    return Model(
        forests={name: to_forest(part.trees, part.n_classes) for name, part in parts.items()},
        lines={name: part.line for name, part in parts.items() if part.line is not None},
        common=_shipped_values(dataset, train),
        name_rates=rates,
        lags=_lags(dataset, train),
        tables=_tables(dataset, train, weight),
        facts=dict(facts),
    )


def thinned(dataset: Dataset, seed: int) -> tuple[Mask, Floats]:
    """Return which nodes are drawn to be fitted on, and what share of its version's nodes that is about."""
    sizes = np.bincount(dataset.node_decision, minlength=len(dataset.y))[dataset.node_decision]
    share = MAX_NODE_ROWS / np.maximum(sizes, MAX_NODE_ROWS)
    return np.random.default_rng(seed).random(len(sizes)) < share, share


class _Nodes:
    """The rows of nodes that are fitted on, and their weights."""

    def __init__(
        self, dataset: Dataset, train: Mask, weight: Floats, classes: Floats, settings: FitSettings
    ) -> None:
        drawn, share = thinned(dataset, settings.seed)
        sizes = np.bincount(dataset.node_decision, minlength=len(dataset.y))[dataset.node_decision]
        self.y, self.settings = dataset.node_y, settings
        self.train = train[dataset.node_decision] & drawn
        self.rows = with_classes(dataset, classes)
        self.weight = weight[dataset.node_decision] / (sizes * share)

    def fit(self, name: str, rows: Floats, chosen: Mask) -> Part:
        """Return the part called ``name``, fitted to the chosen rows."""
        return self.settings.part(name, rows[chosen], self.y[chosen], self.weight[chosen])


def _shipped_values(dataset: Dataset, train: Mask) -> dict[str, tuple[tuple[Scalar, float], ...]]:
    """Return the common values of the names that most people use."""
    common = common_values(dataset, train)
    names = Counter({name: len(pairs) for name, pairs in common.items()}).most_common(MAX_NAMES)
    return {name: common[name] for name, _ in names}


def _out_of_fold_classes(
    dataset: Dataset, train: Mask, weight: Floats, settings: FitSettings, best: Part
) -> Floats:
    """Return P(change class) of every decision; of those fitted on, from fits that did not see their group."""
    scores = best.raw(dataset.rows)
    folds = fold_of(dataset.group, settings.inner_folds)
    for fold in range(settings.inner_folds):
        inside, outside = train & (folds != fold), train & (folds == fold)
        if inside.any() and outside.any():
            part = settings.part("classes", dataset.rows[inside], dataset.y[inside], weight[inside])
            scores[outside] = part.raw(dataset.rows[outside])
    return class_chances(dataset, scores)


def name_rates(dataset: Dataset, train: Mask) -> dict[str, float]:
    """Return how often a parameter of a name moves, pulled towards the mean; names of one group are left out."""
    rows_in = train[dataset.parameter_decision]
    names = dataset.parameter_name[rows_in]
    group = dataset.group[dataset.parameter_decision[rows_in]]
    moved = dataset.parameter_y[rows_in]
    if not len(names):
        return {}
    cells: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for name, own, hit in zip(names.tolist(), group.tolist(), moved.tolist()):
        cell = cells[name][own]
        cell[0] += hit
        cell[1] += 1
    mean = float(moved.mean())
    rates = {}
    for name, own_cells in cells.items():
        if len(own_cells) >= 3:
            shares = [hit / count for hit, count in own_cells.values()]
            rates[name] = (sum(shares) + 2 * mean) / (len(shares) + 2)
    return rates


def _fit_moves(
    dataset: Dataset,
    train: Mask,
    weight: Floats,
    nodes: _Nodes,
    classes: Floats,
    rates: Mapping[str, float],
    settings: FitSettings,
    touched: Part,
) -> Part:
    scores = touched.raw(nodes.rows)[:, 0]
    folds = fold_of(dataset.group, 2)[dataset.node_decision]
    for fold in range(2):
        inside, outside = nodes.train & (folds != fold), nodes.train & (folds == fold)
        if inside.any() and outside.any():
            part = nodes.fit("touched", nodes.rows, inside)
            scores[outside] = part.raw(nodes.rows[outside])[:, 0]
    chances = node_chances(dataset, nodes.rows, scores, touched.ruler)
    chosen = np.flatnonzero(train[dataset.parameter_decision])
    if len(chosen) > MAX_PARAMETER_ROWS:
        rng = np.random.default_rng(settings.seed)
        chosen = np.sort(rng.choice(chosen, MAX_PARAMETER_ROWS, replace=False))
    sizes = np.bincount(dataset.parameter_decision, minlength=len(dataset.y))
    own = (weight / np.sqrt(np.maximum(sizes, 1)))[dataset.parameter_decision]
    table = with_nodes(dataset, classes, chances, rates)
    return settings.part("moves", table[chosen], dataset.parameter_y[chosen], own[chosen])


Used = Mapping[str, Mapping[ValueKey, tuple[Scalar, frozenset[str]]]]


def values_used(dataset: Dataset, train: Mask) -> Used:
    """Return parameter name -> value -> the groups that used it in what may be looked at."""
    used: dict[str, dict[ValueKey, tuple[Scalar, set[str]]]] = defaultdict(dict)
    for move in dataset.moves:
        if train[move.decision]:
            group = str(dataset.group[move.decision])
            for value in (*move.trace.values, move.value):
                used[move.name].setdefault(value_key(value), (value, set()))[1].add(group)
    return {
        name: {key: (value, frozenset(groups)) for key, (value, groups) in own.items()}
        for name, own in used.items()
    }


def common_values(
    dataset: Dataset, train: Mask, *, without: str | None = None, used: Used | None = None
) -> dict[str, tuple[tuple[Scalar, float], ...]]:
    """Return parameter name -> its values, most common first, each with the share of groups that used it.

    Args:
        dataset: the decisions.
        train: which of them may be looked at.
        without: a group to leave out, so that nobody's own values are handed to them as common knowledge.
        used: what :func:`values_used` returned, where it is known already.
    """
    if used is None:
        used = values_used(dataset, train)
    common = {}
    for name, own in used.items():
        groups = {group for _, members in own.values() for group in members} - {without}
        counts = [(len(members - {without}), value) for value, members in own.values()]
        # a text that one group alone used stays with it; a number says nothing of anybody
        least = 1 if without is not None else 2
        counts = [(n, value) for n, value in counts if n >= (least if isinstance(value, str) else 1)]
        best = sorted(counts, key=lambda pair: (-pair[0], str(pair[1])))
        # a value longer than this is a text that somebody wrote, of no use to anybody else
        kept = [(value, count / len(groups)) for count, value in best if len(str(value)) <= 40]
        if len(groups) >= 1 and kept:
            common[name] = tuple(kept[:MAX_COMMON])
    return common


def value_tables(
    dataset: Dataset, moves: Sequence[Move], common_of: Callable[[str], Any]
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Return the candidates' rows of some moves, whether each is what the person chose, and whose move it is."""
    tables, hits, owners = [], [], []
    for index, move in enumerate(moves):
        common = common_of(str(dataset.group[move.decision]))
        found = candidates(move.name, move.trace, move.person, common)
        if found:
            tables.append(rows([(move.name, move.trace, found)], move.person, common))
            key = value_key(move.value)
            hits.append(np.array([other == key for other in found], dtype=np.int64))
            owners.append(np.full(len(found), index))
    return np.vstack(tables), np.concatenate(hits), np.concatenate(owners)


def _fit_values(dataset: Dataset, train: Mask, settings: FitSettings) -> Part:
    moves = [move for move in dataset.moves if train[move.decision]]
    used = values_used(dataset, train)
    groups = {str(dataset.group[move.decision]) for move in moves}
    common = {group: common_values(dataset, train, without=group, used=used) for group in groups}
    table, hit, owner = value_tables(dataset, moves, common.__getitem__)
    own = weights(dataset.group[[move.decision for move in moves]], settings.weight_power)[owner]
    return settings.choice("values", table, hit, own, owner)


def _lags(dataset: Dataset, train: Mask) -> dict[str, Floats]:
    lags = {}
    for name, run in (("run", True), ("commit", False)):
        counts = np.ones(MAX_LAG) / np.arange(1, MAX_LAG + 1)
        chosen = train & (dataset.back > 0) & (dataset.run == run)
        own = weights(dataset.group[chosen], 0.5)
        np.add.at(counts, np.minimum(dataset.back[chosen], MAX_LAG) - 1, own)
        lags[name] = counts / counts.sum()
    return lags


def _tables(dataset: Dataset, train: Mask, weight: Floats) -> Tables:
    adds: dict[str, Floats] = {}
    kinds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for decision in np.flatnonzero(train):
        key = f"{'run' if dataset.run[decision] else 'commit'} {CLASSES[dataset.y[decision]].name}"
        for stage in STAGES:
            count = min(dataset.adds.get(decision, Counter())[stage], MAX_ADDS)
            adds.setdefault(f"{key} {stage}", np.zeros(MAX_ADDS + 1))[count] += weight[decision]
        own = dataset.kinds.get(decision, ())
        for stage_name, kind in own:
            kinds[f"{key} {stage_name}"][kind] += float(weight[decision]) / len(own)
    return Tables(
        adds={key: tuple(np.round(row / row.sum(), 5).tolist()) for key, row in adds.items()},
        kinds={
            key: {kind: round(share / sum(row.values()), 5) for kind, share in row.items()}
            for key, row in kinds.items()
        },
        gaps_s={"run": _gaps(dataset, train & dataset.run), "commit": _gaps(dataset, train & ~dataset.run)},
        leanings={"run": Leanings(), "commit": Leanings()},
    )


def _gaps(dataset: Dataset, chosen: Mask) -> tuple[float, ...]:
    """Return 25 equally likely gaps, in seconds."""
    known = dataset.gap_s[chosen & (dataset.gap_s >= 0)]
    steps = np.quantile(known, np.linspace(0.02, 0.98, 25)) if len(known) else np.array([60.0])
    return tuple(round(float(gap), 1) for gap in steps)
