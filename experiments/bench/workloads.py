"""The workloads of the benchmarks, described once for every system.

A workload is a chain of plain functions in ``nodes.py`` that may use ``helper.py``; a function's parameters
are called after the functions whose results they take. Every system runs the same functions and adds only
what it needs around them; see :mod:`experiments.bench.systems`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from experiments.bench import functions

Stage = Literal["preprocess", "learn", "evaluate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One function of a workload.

    Args:
        name: the function's.
        stage: what it is for.
        parents: the functions whose results it takes, in the order of its parameters.
        source: its text, from ``def`` on.
    """

    name: str
    stage: Stage
    parents: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        # Hamilton wires by these names, the others by ``parents``: they must not tell different stories.
        function = ast.parse(self.source).body[0]
        if not isinstance(function, ast.FunctionDef) or function.name != self.name:
            raise ValueError(f"{self.name}: the source must define it")
        if tuple(argument.arg for argument in function.args.args) != self.parents:
            raise ValueError(f"{self.name}: its parameters must be called after its parents {self.parents}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An exact replacement in one of a workload's files.

    Args:
        file: the file, without ``.py``.
        old: what is replaced; it must occur exactly once.
        new: what stands there afterwards.
    """

    file: Literal["nodes", "helper", "deeper"]
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A chain of functions in one exact version.

    Args:
        name: what it is called in the report.
        preamble: the head of ``nodes.py``: imports and constants.
        steps: the functions, in topological order; the last one's result is the outcome.
        modules: the other files, name without ``.py`` -> text.
        changes: the changes that the benchmarks make, name -> change.
    """

    name: str
    preamble: str
    steps: tuple[Step, ...]
    modules: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)

    def changed(self, *names: str) -> Workload:
        """Return the workload after the changes of these names, one after the other."""
        workload = self
        for name in names:
            workload = workload._after(self.changes[name])
        return workload

    def _after(self, change: Change) -> Workload:
        texts = [self.preamble, *(step.source for step in self.steps), *self.modules.values()]
        count = sum(text.count(change.old) for text in texts)
        if count != 1:
            raise ValueError(f"{self.name}: {change.old!r} occurs {count} times, not once")
        if change.file != "nodes":
            text = self.modules[change.file].replace(change.old, change.new)
            return replace(self, modules={**self.modules, change.file: text})
        steps = tuple(
            replace(step, source=step.source.replace(change.old, change.new)) for step in self.steps
        )
        return replace(self, preamble=self.preamble.replace(change.old, change.new), steps=steps)

    @property
    def result(self) -> str:
        """The name of the function whose result is the outcome."""
        return self.steps[-1].name

    def call(self) -> str:
        """Return the whole chain as one expression: ``model(features(load()))``.

        Nested, so that plain Python drops each intermediate as early as it can.
        """
        by_name = {step.name: step for step in self.steps}

        def text(name: str) -> str:
            return f"{name}({', '.join(text(parent) for parent in by_name[name].parents)})"

        return text(self.result)


def cheap(rows: int) -> Workload:
    """Four cheap nodes on a frame of ``rows`` x 20 floats: caching can only lose here.

    100,000 rows make 16 MB a node. The model's outcome is 19 numbers.
    """
    return Workload(
        name=f"cheap, {rows:,} x 20",
        preamble=f"import numpy as np\nimport pandas as pd\n\nimport helper\n\nROWS = {rows}\n",
        steps=(
            Step(name="load", stage="preprocess", parents=(), source=functions.LOAD),
            Step(name="clean", stage="preprocess", parents=("load",), source=functions.CLEAN),
            Step(name="features", stage="preprocess", parents=("clean",), source=functions.FEATURES),
            Step(name="model", stage="learn", parents=("features",), source=functions.MODEL),
        ),
        modules={"helper": "def low():\n    return 0.01\n"},
        changes={"last node": Change(file="nodes", old="ridge = 0.001", new="ridge = 0.01")},
    )


def costly(rounds: int = 300) -> Workload:
    """Features that take about 2 s and a model that takes about 0.2 s: caching must pay here.

    Args:
        rounds: how much work the features are; 150 are a second on one slow core.
    """
    return Workload(
        name="2 s of features, 0.2 s of model",
        preamble=f"import numpy as np\n\nimport helper\n\nROUNDS = {rounds}\nROWS = 20000\nSTEPS = 450\n",
        steps=(
            Step(name="load", stage="preprocess", parents=(), source=functions.LOAD_ARRAY),
            Step(name="features", stage="preprocess", parents=("load",), source=functions.MIX),
            Step(name="model", stage="learn", parents=("features",), source=functions.DESCEND),
        ),
        modules={"helper": "def slope():\n    return 1.5\n"},
        changes={"last node": Change(file="nodes", old="rate = 0.1", new="rate = 0.05")},
    )


def helpers() -> Workload:
    """A node that reaches into another module in ten ways; each change there must be seen.

    The node works for about 50 ms, so that a store has a reason to keep its result.
    """
    return Workload(
        name="helper in another module",
        preamble="import numpy as np\n\nimport helper\n\nROUNDS = 20\nROWS = 2000\n",
        steps=(
            Step(name="load", stage="preprocess", parents=(), source=functions.LOAD_ARRAY),
            Step(name="features", stage="preprocess", parents=("load",), source=functions.MIX_WITH_HELPERS),
            Step(name="model", stage="learn", parents=("features",), source=functions.SUM),
        ),
        modules={"helper": functions.HELPER, "deeper": functions.DEEPER},
        changes={
            name: Change(file=file, old=old, new=new)
            for name, file, old, new in (
                ("function", "helper", "return 1.01", "return 1.02"),
                ("constant", "helper", "LIMIT = 2.01", "LIMIT = 2.02"),
                ("mutable global", "helper", '{"a": 3.01}', '{"a": 3.02}'),
                ("default argument", "helper", "by=4.01", "by=4.02"),
                ("method", "helper", "return 5.01", "return 5.02"),
                ("base class", "helper", "return 6.01", "return 6.02"),
                ("closure", "helper", "make(7.01)", "make(7.02)"),
                ("lambda", "helper", "lambda: 8.01", "lambda: 8.02"),
                ("decorator", "helper", "+ 9.01", "+ 9.02"),
                ("function of a third module", "deeper", "return 10.01", "return 10.02"),
            )
        },
    )


def session() -> tuple[Workload, ...]:
    """Twelve edits of one workload, with returns and a re-run: thirteen versions in order.

    Results are about 400 kB and take about 50 ms, so that a small budget makes a store choose.
    """
    base = Workload(
        name="session",
        preamble="import numpy as np\n\nimport helper\n\nROUNDS = 200\nROWS = 1000\nSTEPS = 450\n",
        steps=(
            Step(name="load", stage="preprocess", parents=(), source=functions.LOAD_ARRAY),
            Step(name="features", stage="preprocess", parents=("load",), source=functions.MIX),
            Step(name="scale", stage="preprocess", parents=("features",), source=functions.SCALE),
            Step(
                name="model",
                stage="learn",
                parents=("scale",),
                source=functions.DESCEND.replace("features", "scale"),
            ),
        ),
        modules={"helper": "def slope():\n    return 1.5\n"},
        changes={
            "rate": Change(file="nodes", old="rate = 0.1", new="rate = 0.05"),
            "rounds": Change(file="nodes", old="ROUNDS = 200", new="ROUNDS = 250"),
            "scale": Change(file="nodes", old="features.std(axis=0)", new="np.ptp(features, axis=0)"),
            "helper": Change(file="helper", old="return 1.5", new="return 1.4"),
            "more data": Change(file="nodes", old="ROWS = 1000", new="ROWS = 1200"),
        },
    )
    names = (
        (), ("rate",), ("rate", "scale"), ("rate",), ("rate", "helper"), ("helper",), ("helper", "scale"),
        ("helper", "rounds"), ("helper", "rounds"), ("helper", "rounds", "more data"), ("helper",),
        ("more data",), (),
    )  # fmt: skip
    return tuple(base.changed(*wanted) for wanted in names)
