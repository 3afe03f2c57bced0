"""``@workflow``: a flow that can also be planned and run; where the layers below are wired together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from mile_rl.workflows.flow import Flow

if TYPE_CHECKING:
    from mile_rl.engine.project import Project
    from mile_rl.engine.report import Report

P = ParamSpec("P")
R = TypeVar("R")


class Iteration(Generic[R]):
    """One run of a workflow: what it returned, and what was done for it.

    Args:
        outputs: what the workflow function returned, with values in place of handles.
        report: the version, the edits, a row a node, the times.
    """

    def __init__(self, outputs: R, report: Report) -> None:
        self.outputs = outputs
        self.report = report

    def __getitem__(self, key: Any) -> Any:
        """Return one of the outputs: ``iteration["accuracy"]``."""
        return self.outputs[key]  # type: ignore[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.outputs)  # type: ignore[call-overload, no-any-return]

    def __repr__(self) -> str:
        from mile_rl.engine.text import report_text

        return report_text(self.report, self.outputs)

    def _repr_html_(self) -> str:
        from mile_rl.report.notebook import report_html

        return report_html(self.report, self.outputs)


class Workflow(Flow[P, R]):
    """A function marked ``@workflow``: wires operators together; plan it, run it, or call it plainly."""

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Iteration[R]:
        """Run an iteration: compute only what changed, load the rest; print what was done.

        Everything kept is on disk when this returns. Settings come from ``[tool.mile]`` and ``MILE_*``; use
        :meth:`using` to give them here, or to have nothing printed.

        Returns:
            The iteration: ``.outputs`` has the shape of what the workflow function returns.

        Raises:
            MileError: the workflow, a setting, an input or the store cannot be used as it is.
            OperatorFailed: an operator raised; ``__cause__`` is what it raised.
        """
        return Configured(self).run(*args, **kwargs)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Report:
        """Return what :meth:`run` would do, and how long it would take, without doing it."""
        return Configured(self).plan(*args, **kwargs)

    def using(self, *, quiet: bool = False, **settings: Any) -> Configured[P, R]:
        """Return the workflow with other settings.

        Args:
            quiet: whether to print nothing.
            **settings: those of ``mile_rl.engine.project.Settings``: budget, policy, jobs, store, mlflow, …

        Example: ``digits.using(jobs=2, policy="none").run(C=10)``
        """
        return Configured(self, quiet=quiet, settings=settings)

    def _repr_html_(self) -> str | None:
        from mile_rl.report.notebook import workflow_html

        return workflow_html(self)


class Configured(Generic[P, R]):
    """A workflow together with the settings to run it with; made by :meth:`Workflow.using`."""

    def __init__(
        self, flow: Workflow[P, R], *, quiet: bool = False, settings: dict[str, Any] | None = None
    ) -> None:
        self._flow = flow
        self._quiet = quiet
        self._settings = settings or {}

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Iteration[R]:
        """Run an iteration; see :meth:`Workflow.run`."""
        from mile_rl.report.notebook import shown
        from mile_rl.report.tracked import run, track

        project = self.project()
        done = run(self._flow, args, kwargs, project=project)
        iteration: Iteration[R] = Iteration(done.outputs, shown(done.report))
        if not self._quiet:
            sys.stdout.write(f"{iteration!r}\n")
        if note := track(project, done.report):
            from dataclasses import replace

            notes = (*done.report.notes, note)
            iteration = Iteration(done.outputs, shown(replace(done.report, notes=notes)))
            if not self._quiet:
                sys.stdout.write(f"note: {note}\n")
        return iteration

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Report:
        """Return what a run would do; see :meth:`Workflow.plan`."""
        from mile_rl.engine.iteration import plan
        from mile_rl.report.notebook import shown

        return shown(plan(self._flow, args, kwargs, project=self.project()))

    def project(self) -> Project:
        """Return the project that the workflow belongs to: found upwards from its file."""
        from mile_rl.engine.project import find

        source = self._flow.function.__globals__.get("__file__")
        start = os.path.dirname(os.path.realpath(source)) if source else os.getcwd()
        return find(start, **self._settings)


@overload
def workflow(function: Callable[P, R], /) -> Workflow[P, R]: ...


@overload
def workflow(*, name: str = ...) -> Callable[[Callable[P, R]], Workflow[P, R]]: ...


def workflow(function: Callable[..., Any] | None = None, /, *, name: str = "") -> Any:
    """Mark a function that wires operators together as a workflow.

    Called plainly, the function computes as if nothing were marked. ``.run(...)`` runs an iteration and
    reuses what has not changed; ``.plan(...)`` tells what that would take.

    Args:
        function: it calls operators on its parameters and on their results, and returns what is wanted, alone
            or in a dict, list or tuple. It must decide only on its own parameters.
        name: the workflow's name for people and in the catalog; the function's own by default.
    """
    if function is None:
        return lambda function: Workflow(function, name=name)
    return Workflow(function, name=name)
