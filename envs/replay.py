"""Mined histories as sessions: what people really did, with costs drawn where the trace has none.

What is real: the order of versions, what changed and what it depends on, returns, think times; of DVC the sizes of
outputs, of MLflow and the engine's own the durations. What is drawn, from the calibrated costs by stage: everything
else, once a history and node, so that it stays the same from version to version and moves with edits.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np

from envs.bank import Bank
from envs.costs import CostModel, Shape
from envs.making import Progress
from envs.outlooks import expectations
from envs.script import CODECS, Script
from envs.workload.data import draw_columns
from envs.writing import NodeRow, Writer
from mile_rl.prediction.base import Granularity, PastIteration, PastNode
from mile_rl.prediction.model import Model, TreePredictor
from mile_rl.workflows.edits import Stage
from traces.schema import Component, History, Iteration
from traces.scripted import is_scripted

LEAST_TURNS: Final = 5
MOST_TURNS: Final = 60
LEAST_S: Final = 0.5
"""Histories whose runs take less are left out: nobody waits there."""

MOST_NODES: Final = 500
"""Histories with a larger version are left out: rules that weigh every artifact at every decision take minutes."""

LOOP_GAP_MS: Final = 5_000

KINDS: Final[Mapping[str, str]] = {
    "openml": "openml",
    "openml-table": "openml",
    "mlflow": "mlflow",
    "mlflow-table": "mlflow",
    "dvc": "dvc",
    "dvc-table": "dvc",
    "catalog": "own",
}
"""The traces' sources by what a script calls them."""

_LIKE: Final[Mapping[Stage, tuple[str, ...]]] = {
    "preprocess": (
        "read_csv",
        "standard_scaler",
        "simple_imputer",
        "one_hot_encoder",
        "pca",
        "select_k_best",
        "join",
    ),
    "learn": (
        "random_forest_classifier",
        "gradient_boosting_classifier",
        "logistic_regression",
        "svc",
        "mlp_classifier",
    ),
    "evaluate": ("accuracy_score", "roc_auc_score", "classification_report"),
}
"""Measured operators that stand for what is not known better, by stage."""

_NS_A_BYTE: Final = (2.0, 200.0)
"""What a stage of DVC takes for a byte that it yields: 5 to 500 MB/s."""


def replay_bank(
    histories: Iterable[History],
    *,
    seed: int = 0,
    source: str = "",
    most: int | None = None,
    model: Model | None = None,
    on_progress: Progress | None = None,
) -> tuple[Bank, dict[str, int]]:
    """Return the sessions of mined histories, and how many were left out by reason.

    Args:
        histories: ``traces.reader.Traces``, or any histories.
        seed: of the costs that are drawn; each history has its own chance, whatever else is in the traces.
        source: openml, mlflow, dvc or own; all where empty.
        most: at most so many of each source.
        model: what foresees them; the shipped one, which was fitted on the public histories, where None.
        on_progress: called with (done, total, note); the total is not known and told as 0.
    """
    scripts: list[Script] = []
    left_out: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    for done, history in enumerate(histories):
        kind = KINDS.get(history.source)
        if kind is None or (source and kind != source):
            left_out["another source"] += 1
            continue
        if most is not None and taken[kind] >= most:
            left_out["more than were asked for"] += 1
            continue
        reason = unfit(history)
        predictor = TreePredictor(model, granularity=_granularity(kind))
        script = None if reason else replayed(history, seed=seed, predictor=predictor)
        if script is not None and script.plain_ns(0) < LEAST_S * 1e9:
            reason, script = f"takes under {LEAST_S} s", None
        if script is None:
            left_out[reason] += 1
            continue
        scripts.append(script)
        taken[kind] += 1
        if on_progress:
            on_progress(done, 0, script.name)
    return Bank(scripts, {"seed": seed, "sources": dict(taken)}), dict(left_out)


def unfit(history: History) -> str:
    """Return why a history is no session, "" where it is one."""
    if len(history) < LEAST_TURNS:
        return f"fewer than {LEAST_TURNS} iterations"
    if is_scripted(history):
        return "driven by a program"
    if history.demo:
        return "a demonstration"
    if not all(iteration.components for iteration in history.iterations[:MOST_TURNS]):
        return "an iteration without components"
    if max(len(iteration.components) for iteration in history.iterations[:MOST_TURNS]) > MOST_NODES:
        return f"more than {MOST_NODES} nodes"
    return ""


def replayed(history: History, *, seed: int, predictor: TreePredictor | None = None) -> Script:
    """Return a history as a script.

    Args:
        history: at least one iteration, each with components.
        seed: of the costs that are drawn.
        predictor: what foresees it, fresh; the shipped model where None.
    """
    replay = _Replay(history, np.random.default_rng((seed, zlib.crc32(history.id.encode()))))
    if predictor is not None:
        replay.predictor = predictor
    return replay.script()


class _Replay:
    """One history while it is written down."""

    def __init__(self, history: History, rng: np.random.Generator) -> None:
        self.history, self.rng = history, rng
        self.kind = KINDS[history.source]
        self.writer = Writer()
        self.predictor = TreePredictor(granularity=_granularity(self.kind))
        # Data as large as let waiting matter: OpenML's runs have no durations at all.
        rows = round(math.exp(rng.uniform(math.log(5_000), math.log(300_000))))
        self.shape = Shape(rows=rows, columns=min(draw_columns(rng), 60))
        self.rows: dict[tuple[object, ...], int] = {}
        self.codes: dict[tuple[object, ...], int] = {}
        self.base: dict[str, tuple[float, float]] = {}
        self.versions: list[dict[str, int]] = []

    def script(self) -> Script:
        """Write all iterations down."""
        for turn, iteration in enumerate(self.history.iterations[:MOST_TURNS]):
            components = self._whole(iteration)
            self._write(turn, iteration, components)
        history = self.history
        name = f"{self.kind}-{history.id}"
        return self.writer.script(name=name, source=self.kind, group=history.group or history.person)

    def _whole(self, iteration: Iteration) -> list[Component]:
        """Return the components, with the steps that every run has though its trace is silent about them.

        MLflow knows parameters, not steps, and OpenML neither the reading nor the scoring: a run reads and prepares
        its data first and is scored in the end. Where no edge is known at all, stages follow one another.
        """
        components = list(iteration.components)
        if self.kind in ("dvc", "own"):
            return components
        known = any(component.parents for component in components)
        names = {component.name for component in components}
        if not known:
            before: tuple[str, ...] = ()
            chained: list[Component] = []
            for stage in ("preprocess", "learn", "evaluate"):
                own = [component for component in components if component.stage == stage]
                chained += [replace(component, parents=before) for component in own]
                before = tuple(component.name for component in own) or before
            components = chained
        if "read" not in names:
            components = [
                Component(name="read", operator="read", stage="preprocess"),
                *(replace(c, parents=c.parents or ("read",)) for c in components),
            ]
        if not any(component.stage == "evaluate" for component in components):
            taken = {parent for component in components for parent in component.parents}
            ends = tuple(component.name for component in components if component.name not in taken)
            components.append(Component(name="score", operator="score", stage="evaluate", parents=ends))
        return components

    def _write(self, turn: int, iteration: Iteration, components: Sequence[Component]) -> None:
        drawn = {component.name: self._drawn(component) for component in components}
        total_ns = sum(ns for ns, _ in drawn.values())
        scale = 1.0
        if iteration.duration_ms and self.kind != "dvc":
            scale = iteration.duration_ms * 1e6 / max(total_ns, 1.0)
        rows: dict[str, int] = {}
        for component in components:
            rows[component.name] = self._row(component, rows, drawn[component.name], scale)
        self.versions.append(rows)
        self.predictor.observe(self._record(iteration, components))
        said = self.predictor.predict(n_parameters=0)
        taken = {parent for component in components for parent in component.parents}
        requested = [self.writer.output(row) for name, row in rows.items() if name not in taken]
        think = iteration.think_ms
        self.writer.add_turn(
            rows.values(),
            requested,
            expectations(said, self.versions),
            stop=said.stop,
            think_s=max(0.0, think / 1e3) if think is not None else 0.0,
        )

    def _row(
        self, component: Component, rows: Mapping[str, int], drawn: tuple[float, float], scale: float
    ) -> int:
        parameters = tuple((name, repr(value)) for name, value in sorted(component.parameters.items()))
        own = (component.name, component.operator, parameters, tuple(sorted(component.parts.items())))
        parents = tuple(dict.fromkeys(rows[parent] for parent in component.parents if parent in rows))
        key = (*own, parents)
        if key not in self.rows:
            known_ns, known_bytes = component.compute_ns, component.size_bytes
            # A new version of a node takes about as long as the one before.
            times = np.exp(self.rng.normal(0.0, (0.2, 0.1)))
            compute_ns = known_ns if known_ns is not None else drawn[0] * scale * float(times[0])
            size_bytes = known_bytes if known_bytes is not None else drawn[1] * float(times[1])
            codec = CODECS.index("estimator" if component.stage == "learn" else "frame")
            row = NodeRow(
                name=component.name,
                operator=component.operator,
                stage=component.stage,
                code=self.codes.setdefault(own, len(self.codes)),
                takes=tuple((parent, 0) for parent in parents),
                compute_ns=max(10_000, int(compute_ns)),
                outputs=((max(64, int(size_bytes)), codec),),
            )
            self.rows[key] = self.writer.add_node(row)
        return self.rows[key]

    def _drawn(self, component: Component) -> tuple[float, float]:
        """Return the time in nanoseconds and the bytes that are drawn for a node, once a history."""
        if component.name not in self.base:
            self.base[component.name] = self._drawn_from(component)
        compute_ns, size_bytes = self.base[component.name]
        if self.kind == "dvc" and component.size_bytes is not None:
            size_bytes = float(component.size_bytes)
            compute_ns += size_bytes * self._ns_a_byte(component.name)
        return compute_ns, size_bytes

    def _ns_a_byte(self, name: str) -> float:
        rng = np.random.default_rng(zlib.crc32(f"{self.history.id} {name}".encode()))
        return float(np.exp(rng.uniform(math.log(_NS_A_BYTE[0]), math.log(_NS_A_BYTE[1]))))

    def _drawn_from(self, component: Component) -> tuple[float, float]:
        model = _costs()
        operator = _snake(component.class_name.rsplit(".", 1)[-1] or component.operator)
        if operator not in model.operators:
            like = _LIKE[component.stage]
            operator = like[int(self.rng.integers(len(like)))]
        text = model.operators[operator].input == "documents"
        shape = Shape(rows=self.shape.rows, columns=1) if text else self.shape
        cost = model.cost(operator, shape)
        factor = float(np.exp(self.rng.normal(0.0, 0.8)))
        size_bytes = cost.model_bytes if component.stage == "learn" else cost.output_bytes
        return (cost.fit_ns + cost.apply_ns) * factor, float(size_bytes)

    def _record(self, iteration: Iteration, components: Sequence[Component]) -> PastIteration:
        nodes = tuple(
            PastNode(
                name=component.name,
                stage=component.stage,
                operator=component.class_name or component.operator,
                parents=component.parents,
                parameters=component.parameters,
            )
            for component in components
        )
        think, back = iteration.think_ms, None
        if iteration.returns_to is not None:
            back = max(iteration.index - iteration.returns_to, 1)
        quick = think is not None and think < LOOP_GAP_MS
        return PastIteration(
            nodes=nodes,
            edits=iteration.edits,
            change=iteration.change,
            returns_to=back,
            version=iteration.version,
            gap_s=None if think is None else max(think / 1e3, 0.0),
            looped=self.kind != "dvc" and (iteration.scripted or quick),
        )


def _granularity(kind: str) -> Granularity:
    return "commit" if kind == "dvc" else "run"


def _snake(name: str) -> str:
    """Return a class's name as the cost table writes it.

    >>> _snake("RandomForestClassifier"), _snake("PCA"), _snake("KNeighborsClassifier")
    ('random_forest_classifier', 'pca', 'k_neighbors_classifier')
    """
    letters = []
    for at, letter in enumerate(name):
        after = name[at + 1 : at + 2]
        if at and letter.isupper() and (name[at - 1].islower() or after.islower()):
            letters.append("_")
        letters.append(letter.lower())
    return "".join(letters)


@lru_cache(maxsize=1)
def _costs() -> CostModel:
    return CostModel.load()
