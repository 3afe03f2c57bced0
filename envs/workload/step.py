"""A node of a made workflow: what it is, and what it costs where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

from envs.costs import Cost, CostModel, Shape
from envs.costs.errors import CostError
from envs.script import CODECS
from mile_rl.prediction.base import PastNode
from mile_rl.workflows.edits import Scalar, Stage

Role = Literal["read", "apply", "merge", "split", "fit", "predict", "score", "report"]
"""What a step does: read a table, transform one, put several together, split, fit, predict, score, report."""

UDF: Final = "udf"
"""The operator of a function of the person's own that no library knows."""

_NUMBER_BYTES: Final = 8
_TRAINING_SHARE: Final = 0.75
_LEAST_NS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One node of a made workflow. Changed by ``dataclasses.replace``.

    Args:
        name: unique in its workflow.
        role: what it does.
        operator: a name of the cost model, or UDF.
        stage: what the operator is for.
        parents: (name of a step, which of its outputs), in the order of its parameters.
        parameters: what the person sets.
        of_data: what the cost depends on besides and nobody sets: cardinalities, words a document, ….
        label: the operator's name as the person's code has it; after a replacement another.
        code: changes whenever its code does.
        shape: of a table that is read.
        cell_ns: of a UDF, its time a cell.
        widening: of a UDF, how many times as many columns it yields.
        time_factor: how much longer than the cost model says it takes.
        bytes_factor: how much larger its output is.
    """

    name: str
    role: Role
    operator: str
    stage: Stage
    parents: tuple[tuple[str, int], ...] = ()
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    of_data: Mapping[str, Scalar] = field(default_factory=dict)
    label: str = ""
    code: int = 0
    shape: Shape | None = None
    cell_ns: float = 0.0
    widening: float = 1.0
    time_factor: float = 1.0
    bytes_factor: float = 1.0

    def past(self) -> PastNode:
        """Return the step as the prediction model sees it."""
        return PastNode(
            name=self.name,
            stage=self.stage,
            operator=self.label or self.operator,
            parents=tuple(dict.fromkeys(parent for parent, _ in self.parents)),
            parameters=self.parameters,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An output: its shape, its bytes and its codec; ``learner`` is the step that a model was fitted by."""

    shape: Shape
    size_bytes: int
    codec: int
    learner: Step | None = None


def evaluate(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[int, tuple[Made, ...]]:
    """Return what a step takes in nanoseconds, and its outputs.

    Args:
        step: the step.
        inputs: what it takes, in the order of its parents.
        model: what operators cost.
    """
    compute_ns, outputs = _ROLES[step.role](step, inputs, model)
    scaled = tuple(
        Made(
            shape=made.shape,
            size_bytes=max(64, int(made.size_bytes * step.bytes_factor)),
            codec=made.codec,
            learner=made.learner,
        )
        for made in outputs
    )
    return max(_LEAST_NS, int(compute_ns * step.time_factor)), scaled


def given(step: Step, model: CostModel) -> dict[str, Scalar]:
    """Return those of a step's parameters that its cost depends on, left out where no cost is known for them."""
    info = model.operators.get(step.operator)
    if info is None:
        return {}
    return {
        **step.of_data,
        **{
            name: value
            for name, value in step.parameters.items()
            if name in info.parameters and _is_known(model, step.operator, name, type(value), value)
        },
    }


def cost_of(model: CostModel, operator: str, shape: Shape, parameters: Mapping[str, Scalar]) -> Cost:
    """Return what an operator costs; most steps are the same from one version to the next."""
    return _remembered(model, operator, shape, tuple((name, type(v), v) for name, v in parameters.items()))


@lru_cache(maxsize=4_096)
def _remembered(
    model: CostModel, operator: str, shape: Shape, parameters: tuple[tuple[str, type, Scalar], ...]
) -> Cost:
    return model.cost(operator, shape, {name: value for name, _, value in parameters})


@lru_cache(maxsize=10_000)
def _is_known(model: CostModel, operator: str, name: str, kind: type, value: Scalar) -> bool:
    """Return whether the cost model can tell what a value costs; 1 and True are two values."""
    try:
        model.cost(operator, Shape(rows=1_000, columns=10), {name: value})
    except (CostError, ValueError, OverflowError):
        return False
    return True


def _read(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    assert step.shape is not None
    if step.operator == UDF:
        return _udf(step, step.shape)
    cost = cost_of(model, step.operator, step.shape, given(step, model))
    return cost.apply_ns, (Made(shape=step.shape, size_bytes=cost.output_bytes, codec=_FRAME),)


def _apply(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    shape = inputs[0].shape
    if step.operator == UDF:
        return _udf(step, shape)
    cost = cost_of(model, step.operator, shape, given(step, model))
    codec = _codec(model.operators[step.operator].output_kind)
    return cost.fit_ns + cost.apply_ns, (Made(shape=cost.output, size_bytes=cost.output_bytes, codec=codec),)


def _merge(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    rows = max(made.shape.rows for made in inputs)
    columns = sum(made.shape.columns for made in inputs)
    cells = sum(made.shape.cells for made in inputs)
    density = min(1.0, max(cells / (rows * columns), 1e-9))
    shape = Shape(rows=rows, columns=columns, density=1.0 if density > 0.3 else density)
    stored = Shape(rows=rows, columns=max(1, round(shape.cells / rows)))
    cost = cost_of(model, step.operator, stored, given(step, model))
    codec = _codec("sparse") if shape.density < 1 else _FRAME
    return cost.apply_ns, (Made(shape=shape, size_bytes=_bytes(shape), codec=codec),)


def _split(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    made = inputs[0]
    cost = cost_of(model, step.operator, _dense(made.shape), {})
    parts = []
    for share in (_TRAINING_SHARE, 1 - _TRAINING_SHARE):
        rows = max(1, round(made.shape.rows * share))
        shape = Shape(rows=rows, columns=made.shape.columns, density=made.shape.density)
        parts.append(Made(shape=shape, size_bytes=int(made.size_bytes * share), codec=made.codec))
    return cost.apply_ns, tuple(parts)


def _fit(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    shape = inputs[0].shape
    cost = cost_of(model, step.operator, shape, given(step, model))
    made = Made(shape=shape, size_bytes=cost.model_bytes, codec=_codec("estimator"), learner=step)
    return cost.fit_ns, (made,)


def _predict(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    shape = inputs[1].shape
    column = Shape(rows=shape.rows, columns=1)
    made = Made(shape=column, size_bytes=_bytes(column), codec=_codec("array"))
    return _applied_ns(inputs[0], shape, model), (made,)


def _score(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    rows = inputs[-1].shape.rows
    cost = cost_of(model, step.operator, Shape(rows=rows, columns=1), {})
    whole_ns = cost.apply_ns
    if inputs[0].learner is not None and len(inputs) > 1:
        # Written as people do: accuracy(model, rows) predicts, too.
        whole_ns += round(_applied_ns(inputs[0], inputs[1].shape, model))
    made = Made(shape=cost.output, size_bytes=cost.output_bytes, codec=_codec("pickle"))
    return whole_ns, (made,)


def _report(step: Step, inputs: tuple[Made, ...], model: CostModel) -> tuple[float, tuple[Made, ...]]:
    made = Made(shape=Shape(rows=1, columns=1), size_bytes=50_000, codec=_codec("pickle"))
    return step.cell_ns, (made,)


def _udf(step: Step, shape: Shape) -> tuple[float, tuple[Made, ...]]:
    out = Shape(rows=shape.rows, columns=max(1, round(shape.columns * step.widening)), density=shape.density)
    return shape.cells * step.cell_ns, (Made(shape=out, size_bytes=_bytes(out), codec=_FRAME),)


def _applied_ns(fitted: Made, shape: Shape, model: CostModel) -> float:
    learner = fitted.learner
    assert learner is not None
    cost = cost_of(model, learner.operator, shape, given(learner, model))
    return cost.apply_ns * learner.time_factor


def _dense(shape: Shape) -> Shape:
    return Shape(rows=shape.rows, columns=max(1, round(shape.cells / shape.rows)))


def _bytes(shape: Shape) -> int:
    each = _NUMBER_BYTES if shape.density >= 1 else _NUMBER_BYTES + 4
    return round(shape.cells * each) + 128


def _codec(kind: str) -> int:
    return CODECS.index(kind) if kind in CODECS else CODECS.index("pickle")


_FRAME: Final = CODECS.index("frame")
_ROLES: Final = {
    "read": _read,
    "apply": _apply,
    "merge": _merge,
    "split": _split,
    "fit": _fit,
    "predict": _predict,
    "score": _score,
    "report": _report,
}

Workflow = Mapping[str, Step]
"""Steps by name, parents before children."""


def ordered(steps: Workflow) -> Iterator[Step]:
    """Yield the steps, parents before children."""
    done: set[str] = set()
    waiting = dict(steps)
    while waiting:
        ready = [name for name, step in waiting.items() if all(parent in done for parent, _ in step.parents)]
        if not ready:
            raise ValueError(f"the steps {', '.join(waiting)} wait for each other")
        for name in ready:
            done.add(name)
            yield waiting.pop(name)
