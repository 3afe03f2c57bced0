"""The fitted model: its parameters as they ship, and the predictor that follows one history with them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.prediction.base import (
    CLASS_INDEX,
    CLASSES,
    Granularity,
    ParameterGuess,
    PastIteration,
    Prediction,
    ReturnGuess,
    ValueGuess,
)
from mile_rl.prediction.errors import PredictionError
from mile_rl.prediction.features import (
    CLASS_NAMES,
    PARAMETER_NAMES,
    class_row,
    parameter_rows,
)
from mile_rl.prediction.linear import Linear
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.node_features import NODE_NAMES, node_rows
from mile_rl.prediction.own_features import (
    NO_CLASSES,
    NO_NODES,
    class_features,
    node_features,
    touched_nodes,
)
from mile_rl.prediction.proposals import RULES
from mile_rl.prediction.sample import GENERATED_NAMES, Tables, draw
from mile_rl.prediction.state import HistoryState
from mile_rl.prediction.trees import Forest, sigmoid, softmax
from mile_rl.prediction.values import VALUE_NAMES, Found, candidates, rows
from mile_rl.workflows.edits import Scalar

FORMAT = 4
"""Raised whenever the meaning of the parameter file changes."""

SHAPES: Mapping[str, tuple[str, ...]] = {
    "classes": CLASS_NAMES,
    "stop": CLASS_NAMES,
    "touched": NODE_NAMES,
    "moves": PARAMETER_NAMES,
    "values": VALUE_NAMES,
    "generated": GENERATED_NAMES,
}
"""Each forest of the model with the features that it reads."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """Everything that was fitted.

    Args:
        forests: by the names in ``SHAPES``.
        lines: of the forests that do not answer alone, by the same names. The answer's raw score is the mean of
            both, which is the geometric mean of the odds.
        common: parameter name -> its most common values, each with the share of people who used it.
        name_rates: parameter name -> how often a parameter of that name moves.
        lags: per granularity, how likely a return goes 1, 2, … iterations back.
        tables: what only drawing needs.
        facts: where the fit came from: trace digest, commit, seed, version.
    """

    forests: Mapping[str, Forest]
    lines: Mapping[str, Linear]
    common: Mapping[str, tuple[tuple[Scalar, float], ...]]
    name_rates: Mapping[str, float]
    lags: Mapping[str, NDArray[np.float64]]
    tables: Tables
    facts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the model as a JSON object."""
        return {
            "format": FORMAT,
            "features": {name: list(names) for name, names in SHAPES.items()},
            "forests": {name: forest.to_json() for name, forest in self.forests.items()},
            "lines": {name: line.to_json() for name, line in self.lines.items()},
            "common": {name: [list(pair) for pair in pairs] for name, pairs in self.common.items()},
            "name_rates": dict(self.name_rates),
            "lags": {name: lags.tolist() for name, lags in self.lags.items()},
            "tables": self.tables.to_json(),
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            PredictionError: it was written for other features or in another format.
        """
        if record.get("format") != FORMAT:
            raise PredictionError(
                f"the model's parameters have format {record.get('format')!r} and this version reads {FORMAT}; "
                "refit it with `make fit TRACES=DIR`"
            )
        for name, names in SHAPES.items():
            if tuple(record["features"].get(name, ())) != names:
                raise PredictionError(
                    f"the model's {name!r} part was fitted on other features than this version computes; "
                    "refit it with `make fit TRACES=DIR`"
                )
        return cls(
            forests={name: Forest.from_json(forest) for name, forest in record["forests"].items()},
            lines={name: Linear.from_json(line) for name, line in record["lines"].items()},
            common={name: tuple((v, s) for v, s in pairs) for name, pairs in record["common"].items()},
            name_rates=record["name_rates"],
            lags={name: np.asarray(lags) for name, lags in record["lags"].items()},
            tables=Tables.from_json(record["tables"]),
            facts=record["facts"],
        )

    def raw(self, name: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the raw scores of the part called ``name``, shape (rows, classes)."""
        scores = self.forests[name].raw(rows)
        line = self.lines.get(name)
        return scores if line is None else (scores + line.raw(rows)) / 2

    def classes(self, state: HistoryState, row: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return P(change class) of the next iteration, in the order of ``CLASSES``.

        Args:
            state: the history.
            row: what ``class_row`` says of it, where that is known.
        """
        scores, features = self._class_scores(class_row(state) if row is None else row)
        return softmax(scores + state.memory.own.get("classes", NO_CLASSES).shift(features))

    def _class_scores(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scores = self.raw("classes", row[None])[0]
        return scores, class_features(row, scores)

    def stop(self, state: HistoryState, row: NDArray[np.float64] | None = None) -> float:
        """Return P(there is no further iteration); arguments as of :meth:`classes`."""
        row = class_row(state) if row is None else row
        return float(sigmoid(self.raw("stop", row[None]))[0, 0])

    def touched(self, state: HistoryState, classes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(touched) of each node of the latest version, in its order."""
        scores, features = self._node_scores(state, classes)
        return sigmoid(scores + state.memory.own.get("touched", NO_NODES).shift(features))

    def _node_scores(
        self, state: HistoryState, classes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rows = node_rows(state, classes)
        scores = self.raw("touched", rows)[:, 0]
        return scores, node_features(rows, scores, self.lines["touched"])

    def learn(self, state: HistoryState, record: PastIteration) -> None:
        """Teach the person's memory how the next iteration differs from what was expected of it.

        Args:
            state: the history before it; only the memory in it is changed.
            record: the iteration. What a loop launched says nothing of the person.
        """
        index = CLASS_INDEX.get(record.change)
        if record.looped or index is None or not state.iterations:
            return
        own = state.memory.own
        scores, features = self._class_scores(class_row(state))
        line = own.get("classes", NO_CLASSES)
        own["classes"] = line.chosen(features, scores, index)
        classes = softmax(scores + line.shift(features))
        scores, features = self._node_scores(state, classes)
        line = own.get("touched", NO_NODES)
        own["touched"] = line.answered(features, scores, touched_nodes(state, record))

    def moves(
        self, state: HistoryState, classes: NDArray[np.float64], touched: NDArray[np.float64]
    ) -> list[tuple[str, str, float]]:
        """Return (node, parameter, P(it moves)) of every parameter of the latest version, likeliest first."""
        keys = [(node.name, name) for node in state.nodes for name in node.parameters]
        if not keys:
            return []
        table = parameter_rows(
            state,
            [state.traces[key] for key in keys],
            len(keys),
            [self.name_rates.get(name) for _, name in keys],
            [chance for node, chance in zip(state.nodes, touched.tolist()) for _ in node.parameters],
            classes,
        )
        chances = sigmoid(self.raw("moves", table))[:, 0]
        order = np.argsort(-chances, kind="stable")
        return [(*keys[index], float(chances[index])) for index in order]

    def values(
        self, state: HistoryState, parameters: Sequence[tuple[str, str]], limit: int | None = None
    ) -> list[tuple[ValueGuess, ...]]:
        """Return, of each parameter, the candidates for its next value, likeliest first, given that it moves.

        Args:
            state: the history.
            parameters: (node, parameter) pairs of the latest version; one pass over the trees answers for all.
            limit: how many candidates of each are returned; all where None.
        """
        person = state.memory.values
        traces = [(name, state.traces[node, name]) for node, name in parameters]
        asked = [(name, trace, candidates(name, trace, person, self.common)) for name, trace in traces]
        table = rows(asked, person, self.common)
        if not len(table):
            return [() for _ in parameters]
        chances = sigmoid(self.raw("values", table))[:, 0]
        ends = itertools.accumulate(len(found) for _, _, found in asked)
        return [
            _ranked(found, chances[end - len(found) : end], limit) for (_, _, found), end in zip(asked, ends)
        ]

    def returns(self, state: HistoryState, chance: float) -> tuple[ReturnGuess, ...]:
        """Return the earlier iterations that may be gone back to, likeliest first.

        Args:
            state: the history.
            chance: P(the next iteration is a return).
        """
        lags = self.lags[state.granularity]
        latest = state.versions[-1] if state.versions else ""
        seen: dict[str, int] = {}
        for back, version in enumerate(reversed(state.versions)):
            if back and version != latest:
                seen.setdefault(version, back)
        weights = {back: float(lags[min(back, len(lags)) - 1]) for back in seen.values()}
        total = sum(weights.values())
        guesses = [ReturnGuess(back=back, probability=chance * w / total) for back, w in weights.items()]
        return tuple(sorted(guesses, key=lambda guess: -guess.probability))


def _ranked(found: Found, chances: NDArray[np.float64], limit: int | None) -> tuple[ValueGuess, ...]:
    """Return the candidates, likeliest first; together they are at most certain."""
    chances = chances / max(float(chances.sum()), 1.0)
    guesses = list(found.values())
    return tuple(
        ValueGuess(
            value=guesses[index][0],
            probability=float(chances[index]),
            why=RULES[_lowest_bit(guesses[index][1])],
        )
        for index in np.argsort(-chances, kind="stable")[:limit].tolist()
    )


def _lowest_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


@lru_cache(maxsize=1)
def shipped() -> Model:
    """Return the model that ships with the package.

    Raises:
        PredictionError: the package was built without it.
    """
    path = files("mile_rl.prediction") / "model.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PredictionError(
            "this installation has no prediction model (mile_rl/prediction/model.json); reinstall the package "
            "or fit one with `make fit TRACES=DIR`"
        ) from None
    return Model.from_json(json.loads(text))


class TreePredictor:
    """Follows one history with the fitted model; a :class:`~mile_rl.prediction.base.Predictor`.

    Args:
        model: what was fitted; the shipped one where None.
        granularity: what one iteration of the history is.
        memory: what is known of the person from their other histories; observed iterations are added to it.
        state: a state to go on from; a fresh one where None.
        learns: whether observed iterations shift the person's own lines. Whoever is drawn from the model has none:
            what it draws itself must not teach it what people are like.
    """

    def __init__(
        self,
        model: Model | None = None,
        *,
        granularity: Granularity = "run",
        memory: PersonMemory | None = None,
        state: HistoryState | None = None,
        learns: bool = True,
    ) -> None:
        self.model = model if model is not None else shipped()
        self.state = state if state is not None else HistoryState(granularity, memory)
        self.learns = learns

    def observe(self, record: PastIteration) -> None:
        """Take in the history's next iteration."""
        if self.learns:
            self.model.learn(self.state, record)
        self.state.observe(record)

    def predict(self, *, n_parameters: int = 3, n_values: int = 3) -> Prediction:
        """Return what is expected of the next iteration.

        Args:
            n_parameters: how many of the parameters likeliest to move are answered for.
            n_values: how many values are proposed for each of them.

        Raises:
            PredictionError: nothing was observed yet.
        """
        state = self._observed()
        row = class_row(state)
        classes = self.model.classes(state, row)
        touched = self.model.touched(state, classes)
        moving = self.model.moves(state, classes, touched)[:n_parameters] if n_parameters else []
        values = self.model.values(state, [(node, name) for node, name, _ in moving], n_values)
        return Prediction(
            classes={change: float(chance) for change, chance in zip(CLASSES, classes)},
            touched={node.name: float(chance) for node, chance in zip(state.nodes, touched)},
            stop=self.model.stop(state, row),
            parameters=tuple(
                ParameterGuess(
                    node=node,
                    parameter=name,
                    probability=chance,
                    values=own,
                )
                for (node, name, chance), own in zip(moving, values)
            ),
            returns=self.model.returns(state, float(classes[1])),
            edits_seen=state.memory.hand,
        )

    def sample(self, rng: np.random.Generator) -> PastIteration | None:
        """Draw the next iteration, None where the history ends; it is not observed by drawing it.

        Raises:
            PredictionError: nothing was observed yet.
        """
        return draw(self.model, self._observed(), rng)

    def fork(self) -> TreePredictor:
        """Return a predictor that can go its own way from here, without teaching this one anything."""
        state = self.state.fork(self.state.memory.fork())
        return TreePredictor(self.model, state=state, learns=self.learns)

    def _observed(self) -> HistoryState:
        if not self.state.iterations:
            raise PredictionError(
                "nothing was observed yet: call observe() with the history's first iteration before asking "
                "what comes next"
            )
        return self.state


def entropy_bits(classes: Mapping[Any, float]) -> float:
    """Return how unsure a distribution is: 0 bits means certain, 3 bits as good as eight equal chances."""
    return -sum(p * math.log2(p) for p in classes.values() if p > 0)
