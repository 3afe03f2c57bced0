"""Carrying out what the prediction model drew: its edits become changes of steps and of what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from envs.costs import CostModel
from envs.workload import recipes
from envs.workload.data import with_rows
from envs.workload.step import UDF, Step, ordered
from mile_rl.workflows.edits import Edit, EditKind, Scalar, Stage

CODE_SIGMA: Final = 0.35
"""Of the logarithm: how far a change of code moves a node's time; of data its size moves by about half as much."""

BYTES_SIGMA: Final = 0.15
EVALUATED: Final = 0.28
EVALUATED_ALONE: Final = 0.075
"""The share of changed iterations that touch the evaluation, and that touch nothing else.

The mean of three sources: repositories with DVC 0.39 (72 of them, by repository), MLflow 0.03 (47, by repository; its
parameters hardly know evaluation), and the survey of 105 papers 0.41 (the mean share of evaluation among the kinds
of work that a paper names; Xin et al., "How Developers Iterate on Machine Learning Workflows", 2018). Of DVC's, 0.27
touch nothing else.
"""

_SWAPS: Final[Mapping[str, tuple[str, ...]]] = {
    "scaler": recipes.SCALERS,
    "imputer": recipes.IMPUTERS,
    "selection": recipes.REDUCERS,
    "decomposition": recipes.REDUCERS,
    "features": recipes.REDUCERS,
    "clustering": recipes.REDUCERS,
    "encoder": recipes.ENCODERS,
    "read": ("read_csv", "read_parquet"),
}


class Editor:
    """Carries out the edits of one iteration on a workflow.

    Args:
        steps: the workflow so far.
        rng: where chance comes from.
        model: what operators cost.
        number: of the iteration; new code is numbered after it.
    """

    def __init__(
        self, steps: Mapping[str, Step], rng: np.random.Generator, model: CostModel, number: int
    ) -> None:
        self.steps = dict(steps)
        self.rng, self.model, self.number = rng, model, number
        self.edits: list[Edit] = []

    def apply(self, drawn: Iterable[Edit]) -> None:
        """Carry out edits; what makes no sense here (taking the only model away) becomes a change of code."""
        for edit in drawn:
            if edit.kind == "add":
                self._insert(edit.stage)
            elif edit.node in self.steps:
                {
                    "remove": self._remove,
                    "replace": self._replace,
                    "parameter": self._tune,
                    "data": self._change_data,
                }.get(edit.kind, self._change_code)(self.steps[edit.node], edit)

    def touch_evaluation(self) -> None:
        """Change one of the steps that evaluate, where there is any."""
        own = [step for step in self.steps.values() if step.stage == "evaluate"]
        if own:
            step = own[int(self.rng.integers(len(own)))]
            if step.role == "score" and self.rng.random() < 0.3:
                self._replace(step, None)
            elif self.rng.random() < 0.3:
                self._insert("evaluate")
            else:
                self._change_code(step, None)

    def _change_code(self, step: Step, edit: Edit | None) -> None:
        rng = self.rng
        kind: EditKind = "environment" if edit is not None and edit.kind == "environment" else "code"
        factors = np.exp(rng.normal(0.0, (CODE_SIGMA, BYTES_SIGMA)))
        if kind == "environment":
            factors = np.ones(2)
        self.steps[step.name] = replace(
            step,
            code=self.number,
            time_factor=step.time_factor * float(factors[0]),
            bytes_factor=step.bytes_factor * float(factors[1] if rng.random() < 0.5 else 1.0),
        )
        self._tell(kind, step)

    def _change_data(self, step: Step, edit: Edit) -> None:
        if step.shape is None:
            self._change_code(step, edit)
            return
        times = float(np.exp(self.rng.normal(0.0, 0.2)))
        self.steps[step.name] = replace(step, code=self.number, shape=with_rows(step.shape, times))
        self._tell("data", step)

    def _tune(self, step: Step, edit: Edit) -> None:
        name, old, new = str(edit.parameter), step.parameters.get(str(edit.parameter)), edit.new
        time_factor = step.time_factor
        info = self.model.operators.get(step.operator)
        if info is None or name not in info.parameters:
            time_factor *= float(np.exp(self.rng.normal(0.0, 0.1)))
        self.steps[step.name] = replace(
            step, parameters={**step.parameters, name: new}, time_factor=time_factor
        )
        self._tell("parameter", step, parameter=name, old=old, new=new)

    def _replace(self, step: Step, edit: Edit | None) -> None:
        others = [name for name in self._alternatives(step) if name != step.operator]
        if not others:
            if step.operator != UDF or step.role != "apply":
                self._change_code(step, None)
                return
            changed = replace(
                step,
                code=self.number,
                label=f"{step.name}_{self.number}",
                cell_ns=self._between(20.0, 5_000.0),
            )
        else:
            operator = others[int(self.rng.integers(len(others)))]
            changed = recipes.with_parameters(step, operator, self.rng, self.model)
            changed = replace(changed, code=self.number, time_factor=float(np.exp(self.rng.normal(0.0, 0.2))))
        self.steps[step.name] = changed
        self._tell("replace", changed, before=step.label or step.operator)

    def _alternatives(self, step: Step) -> tuple[str, ...]:
        if step.role == "fit":
            if self._is_text(step):
                return recipes.TEXT_CLASSIFIERS
            return recipes.REGRESSORS if step.operator in recipes.REGRESSORS else recipes.CLASSIFIERS
        if step.role == "score":
            scores = recipes.VALUE_SCORES if step.operator in recipes.VALUE_SCORES else recipes.CLASS_SCORES
            return tuple(
                score for score in scores if score not in {other.operator for other in self.steps.values()}
            )
        info = self.model.operators.get(step.operator)
        return _SWAPS.get(info.family, ()) if info is not None and step.role in ("apply", "read") else ()

    def _is_text(self, step: Step) -> bool:
        return any(self._family(other) == "text" for other in self.steps.values())

    def _family(self, step: Step) -> str:
        info = self.model.operators.get(step.operator)
        return info.family if info is not None else UDF

    def _remove(self, step: Step, edit: Edit) -> None:
        children = [
            child for child in self.steps.values() if any(name == step.name for name, _ in child.parents)
        ]
        if step.role == "apply" and step.parents:
            source = step.parents[0]
            for child in children:
                parents = tuple(
                    source if name == step.name else (name, which) for name, which in child.parents
                )
                self.steps[child.name] = replace(child, parents=tuple(dict.fromkeys(parents)))
        elif children or sum(other.stage == step.stage for other in self.steps.values()) < 2:
            self._change_code(step, edit)
            return
        del self.steps[step.name]
        self._tell("remove", step)

    def _insert(self, stage: Stage) -> None:
        if stage == "preprocess":
            self._insert_transform()
        elif stage == "learn":
            self._insert_beside("fit", recipes.TEXT_CLASSIFIERS if self._has_text() else None)
        else:
            self._insert_beside("score", None)

    def _insert_transform(self) -> None:
        """Put a transformation between a step and what takes from it."""
        spots = [step for step in self.steps.values() if step.role in ("read", "apply", "merge")]
        if not spots:
            return
        spot = spots[int(self.rng.integers(len(spots)))]
        name = self._fresh("preprocess")
        new = Step(
            name=name, role="apply", operator=UDF, stage="preprocess", parents=((spot.name, 0),), code=self.number,
            label=name, cell_ns=self._between(20.0, 5_000.0), widening=self._between(0.7, 1.5),
        )  # fmt: skip
        if self.rng.random() < 0.5 and not self._has_text():
            operator = str(self.rng.choice((*recipes.SCALERS, *recipes.REDUCERS)))
            new = replace(recipes.with_parameters(new, operator, self.rng, self.model), code=self.number)
        for child in list(self.steps.values()):
            if (spot.name, 0) in child.parents:
                parents = tuple((name, 0) if parent == (spot.name, 0) else parent for parent in child.parents)
                self.steps[child.name] = replace(child, parents=parents)
        self.steps[name] = new
        self._tell("add", new)

    def _insert_beside(self, role: str, choices: tuple[str, ...] | None) -> None:
        """Put another model, or another score, beside one that there is."""
        like = [step for step in self.steps.values() if step.role == role]
        if not like:
            return
        model_step = like[int(self.rng.integers(len(like)))]
        options = choices or tuple(self._alternatives(model_step)) or (model_step.operator,)
        name = self._fresh("learn" if role == "fit" else "evaluate")
        operator = options[int(self.rng.integers(len(options)))]
        new = recipes.with_parameters(replace(model_step, name=name), operator, self.rng, self.model)
        new = replace(new, code=self.number, bytes_factor=1.0)
        self.steps[name] = new
        self._tell("add", new)

    def _has_text(self) -> bool:
        return any(self._family(step) == "text" for step in self.steps.values())

    def _fresh(self, base: str) -> str:
        return next(name for n in range(1, 10_000) if (name := f"{base}_{n}") not in self.steps)

    def _between(self, low: float, high: float) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def _tell(
        self,
        kind: EditKind,
        step: Step,
        *,
        before: str | None = None,
        parameter: str | None = None,
        old: Scalar = None,
        new: Scalar = None,
    ) -> None:
        self.edits.append(
            Edit(
                kind=kind,
                node=step.name,
                stage=step.stage,
                operator=step.label or step.operator,
                before=before,
                parameter=parameter,
                old=old,
                new=new,
            )
        )


def in_order(steps: Mapping[str, Step]) -> dict[str, Step]:
    """Return the steps, parents before children."""
    return {step.name: step for step in ordered(steps)}
