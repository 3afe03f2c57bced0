"""One simulated session, from the first version to the last, written down as a script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from envs.costs import CostModel
from envs.outlooks import expectations, read_model
from envs.script import Script
from envs.workload.data import LEAST_ROWS, LONGEST_S, MOST_ROWS, draw_seconds, with_rows
from envs.workload.editing import Editor, in_order
from envs.workload.recipes import FAMILIES, Recipe
from envs.workload.step import Made, Step, evaluate
from envs.writing import NodeRow, Writer
from mile_rl.prediction.base import PastIteration
from mile_rl.prediction.leanings import Leanings
from mile_rl.prediction.model import Model, TreePredictor
from mile_rl.workflows.edits import ChangeClass, Edit, change_class

LEAST_TURNS: Final = 12
MOST_TURNS: Final = 80
"""Sessions have so many iterations, drawn log-uniformly.

Half of all iterations that people started by hand lie in histories of at least 52 (MLflow) and 75 (DVC) of them; that
is where people wait, so sessions are drawn as iterations are spread over histories, and cut at 80.
"""

IDLE: Final = 0.2
"""How often an iteration that the model draws without any edit is one; otherwise it is a change of code.

The model is fitted on MLflow's runs too, in which code is not seen: a fifth of them seem to repeat the one before.
Where code is seen (DVC), a tenth of the iterations change nothing and over a third change code.
"""

BESIDE: Final = 0.9
ALONE: Final = 0.04
"""How often evaluation edits beside others are carried out, and other edits replaced by one of the evaluation.

The model alone touches the evaluation in 0.49 of the changed iterations, and nothing else in 0.03 of them.
"""

BOLDEST: Final = 0.7
"""People carry out a change that leaves half of the operators or less as they were with a chance of 0 to this.

With it four of five iterations reuse more than half of the operators, as in the histories of Lee et al., "A
Human-in-the-loop Perspective on AutoML", 2019. The model draws bolder: what it learned from DVC are commits, with
several runs between two.
"""

LARGEST_BYTES: Final = 4_000_000_000
"""No intermediate of a first version is larger: people work on machines with some memory."""

UNBEARABLE: Final = 4
"""Edits may take a version so many times beyond what a first one may need, and no further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to draw.

    Args:
        seed: of everything; equal seeds and indices give equal scripts.
        families: of workflows, each as likely.
        least_turns: iterations at least; how many there are is drawn, not left to the model's wish to stop.
        most_turns: iterations at most.
        draws: the prediction model that plays the person; the shipped one where None.
        foresees: the one that says what may come next, likewise; another one where the person is to be unlike
            those that it was fitted on.
    """

    seed: int
    families: tuple[str, ...] = FAMILIES
    least_turns: int = LEAST_TURNS
    most_turns: int = MOST_TURNS
    draws: Path | None = None
    foresees: Path | None = None

    def draw_turns(self, rng: np.random.Generator) -> int:
        """Draw how many iterations a session has."""
        least = min(self.least_turns, self.most_turns)
        return round(math.exp(rng.uniform(math.log(least), math.log(self.most_turns))))


def simulate(plan: Plan, index: int) -> Script:
    """Return the session of a number; the same for the same plan on every machine.

    Args:
        plan: what to draw.
        index: which session.
    """
    *_, session = unfold(plan, index)
    name = f"{plan.families[index % len(plan.families)]}-{plan.seed}-{index}"
    return session.script(name)


def unfold(plan: Plan, index: int) -> Iterator[Session]:
    """Yield the session of a number behind each of its iterations, always the same object.

    Args:
        plan: what to draw.
        index: which session.
    """
    rng = np.random.default_rng(np.random.SeedSequence(plan.seed, spawn_key=(index,)))
    model = _costs()
    family = plan.families[index % len(plan.families)]
    steps = sized(in_order(Recipe(rng, model).workflow(family)), draw_seconds(rng), model)
    session = Session(rng, model, plan)
    session.add(steps, PastIteration(nodes=tuple(step.past() for step in steps.values())))
    turns = plan.draw_turns(rng)
    yield session
    while session.turns < turns:
        session.go_on()
        yield session


def sized(steps: Mapping[str, Step], seconds: float, model: CostModel) -> dict[str, Step]:
    """Return a workflow with so many rows that everything takes so long once; as near as rows can bring it.

    Args:
        steps: in order; their reads have any number of rows.
        seconds: of compute time in all.
        model: what operators cost.
    """
    low, high = math.log(LEAST_ROWS), math.log(MOST_ROWS)
    for _ in range(12):
        middle = (low + high) / 2
        whole_ns, largest_bytes = whole(_scaled(steps, middle), model)
        if whole_ns < seconds * 1e9 and largest_bytes < LARGEST_BYTES:
            low = middle
        else:
            high = middle
    steps = _scaled(steps, (low + high) / 2)
    # What rows cannot bring is the machine's: at most four times as slow or fast.
    slack = min(4.0, max(0.25, seconds * 1e9 / max(whole(steps, model)[0], 1)))
    return {name: replace(step, time_factor=step.time_factor * slack) for name, step in steps.items()}


def whole(steps: Mapping[str, Step], model: CostModel) -> tuple[int, int]:
    """Return what computing every step takes in nanoseconds, and the bytes of the largest output."""
    made: dict[str, tuple[Made, ...]] = {}
    total_ns = largest_bytes = 0
    for name, step in steps.items():
        inputs = tuple(made[parent][which] for parent, which in step.parents)
        compute_ns, made[name] = evaluate(step, inputs, model)
        total_ns += compute_ns
        largest_bytes = max(largest_bytes, *(each.size_bytes for each in made[name]))
    return total_ns, largest_bytes


def _scaled(steps: Mapping[str, Step], log_rows: float) -> dict[str, Step]:
    reads = [step.shape.rows for step in steps.values() if step.shape is not None]
    times = math.exp(log_rows) / max(reads)
    return {
        name: step if step.shape is None else replace(step, shape=with_rows(step.shape, times))
        for name, step in steps.items()
    }


def _invalidated(before: Mapping[str, Step], after: Mapping[str, Step]) -> float:
    """Return the share of a version's steps that are not as they were, or depend on one that is not."""
    changed: set[str] = set()
    for name, step in after.items():
        if before.get(name) != step or any(parent in changed for parent, _ in step.parents):
            changed.add(name)
    return len(changed) / max(len(after), 1)


class Session:
    """A session while it is drawn.

    Args:
        rng: where chance comes from.
        model: what operators cost.
        plan: what is drawn.
    """

    def __init__(self, rng: np.random.Generator, model: CostModel, plan: Plan) -> None:
        self.rng, self.model = rng, model
        self.writer = Writer()
        self.predictor = TreePredictor(_model(plan.foresees))
        self.person = TreePredictor(_model(plan.draws), learns=False)
        self.boldness = rng.uniform(0.0, BOLDEST)
        self.versions: list[dict[str, Step]] = []
        self.texts: list[str] = []
        self.rows: list[dict[str, int]] = []
        self._known: dict[tuple[object, ...], tuple[int, tuple[Made, ...]]] = {}
        self._codes: dict[tuple[object, ...], int] = {}

    @property
    def turns(self) -> int:
        """How many iterations there are so far."""
        return len(self.versions)

    def fork(self, rng: np.random.Generator) -> Session:
        """Return a session with the same past that goes its own way from here."""
        other = copy(self)
        other.rng = rng
        other.writer = self.writer.fork()
        other.predictor, other.person = self.predictor.fork(), self.person.fork()
        for name in ("versions", "texts", "rows", "_known", "_codes"):
            setattr(other, name, copy(getattr(self, name)))
        return other

    def script(self, name: str) -> Script:
        """Return what was drawn so far."""
        return self.writer.script(name=name, source="simulated", group=name)

    def go_on(self) -> None:
        """Draw one more iteration."""
        turns = self.turns
        while self.turns == turns:
            drawn = self.person.sample(self.rng)
            if drawn is not None:
                self.follow(drawn)

    def follow(self, drawn: PastIteration) -> None:
        """Carry out what was drawn and write the iteration down."""
        steps, text = self.versions[-1], self.texts[-1]
        if drawn.returns_to is not None:
            back = self.turns - drawn.returns_to
            steps, text = self.versions[back], self.texts[back]
            edits, change = drawn.edits, ChangeClass.RETURN
        elif not drawn.edits and self.rng.random() < IDLE:
            edits, change = (), ChangeClass.NOTHING
        else:
            editor = Editor(steps, self.rng, self.model, self.turns)
            editor.apply(self._weighed(drawn.edits) if drawn.edits else (self._unseen(),))
            if not editor.edits:
                editor.touch_evaluation()
            changed = in_order(editor.steps)
            whole_ns, largest_bytes = whole(changed, self.model)
            if largest_bytes > UNBEARABLE * LARGEST_BYTES or whole_ns > UNBEARABLE * LONGEST_S * 1e9:
                return  # nobody would wait for that, or has the memory: another edit is drawn
            if _invalidated(steps, changed) >= 0.5 and self.rng.random() >= self.boldness:
                return
            steps, edits, text = changed, tuple(editor.edits), f"v{self.turns}"
            change = change_class(edits)
        nodes = tuple(step.past() for step in steps.values())
        record = replace(drawn, nodes=nodes, edits=edits, change=change, version=text)
        self.add(steps, record)

    def _unseen(self) -> Edit:
        """Draw a change of code, of a node that the model finds worth touching; evaluation has its own share."""
        touched = self.person.predict(n_parameters=0).touched
        steps = self.versions[-1]
        names = [name for name in steps if name in touched and steps[name].stage != "evaluate"]
        chances = np.array([touched[name] for name in names]) + 1e-6
        name = names[int(self.rng.choice(len(names), p=chances / chances.sum()))]
        step = self.versions[-1][name]
        return Edit(kind="code", node=name, stage=step.stage, operator=step.label or step.operator)

    def _weighed(self, edits: Sequence[Edit]) -> Sequence[Edit]:
        """Bring the edits of the evaluation to the proportions of ``EVALUATED``."""
        others = [edit for edit in edits if edit.stage != "evaluate"]
        if not others:
            return edits
        if self.rng.random() < ALONE:
            return ()
        return edits if self.rng.random() < BESIDE else others

    def add(self, steps: dict[str, Step], record: PastIteration) -> None:
        """Write an iteration down and let the prediction model see it."""
        if not record.version:
            record = replace(record, version="v0")
        self.versions.append(steps)
        self.texts.append(record.version)
        self.rows.append(self._rows(steps))
        self.predictor.observe(record)
        self.person.observe(record)
        said = self.predictor.predict(n_parameters=0)
        rows = self.rows[-1]
        taken = {parent for step in steps.values() for parent, _ in step.parents}
        requested = [
            self.writer.output(rows[name], which)
            for name, step in steps.items()
            if name not in taken
            for which in range(2 if step.role == "split" else 1)
        ]
        expected = expectations(said, self.rows)
        self.writer.add_turn(
            rows.values(), requested, expected, stop=said.stop, think_s=max(0.0, record.gap_s or 0.0)
        )

    def _rows(self, steps: Mapping[str, Step]) -> dict[str, int]:
        """Return the script's row of every step; a signature seen before has its row already."""
        rows: dict[str, int] = {}
        made: dict[str, tuple[Made, ...]] = {}
        for name, step in steps.items():
            own = (
                step.label or step.operator,
                step.code,
                tuple((k, repr(v)) for k, v in step.parameters.items()),
            )
            parents = tuple((rows[parent], which) for parent, which in step.parents)
            key = (name, own, parents)
            if key not in self._known:
                inputs = tuple(made[parent][which] for parent, which in step.parents)
                compute_ns, outputs = evaluate(step, inputs, self.model)
                row = NodeRow(
                    name=name,
                    operator=step.label or step.operator,
                    stage=step.stage,
                    code=self._codes.setdefault((name, own), len(self._codes)),
                    takes=parents,
                    compute_ns=compute_ns,
                    outputs=tuple((each.size_bytes, each.codec) for each in outputs),
                )
                self._known[key] = self.writer.add_node(row), outputs
            rows[name], made[name] = self._known[key]
        return rows


@lru_cache(maxsize=4)
def _model(path: Path | None) -> Model:
    """Return a model that draws as it foresees: sessions have corrections of their own."""
    model = read_model(path)
    return replace(model, tables=replace(model.tables, leanings={"run": Leanings(), "commit": Leanings()}))


@lru_cache(maxsize=1)
def _costs() -> CostModel:
    return CostModel.load()
