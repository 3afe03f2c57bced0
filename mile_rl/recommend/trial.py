"""``mile try``: run a recommended change as a what-if iteration, with the person's file left as it is."""

from __future__ import annotations

import contextlib
import difflib
import linecache
import shlex
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mile_rl.engine.iteration import Done, run
from mile_rl.engine.project import Project
from mile_rl.engine.report import Report
from mile_rl.engine.running import Progress
from mile_rl.engine.versions import WHAT_IF
from mile_rl.recommend import journal
from mile_rl.recommend.advise import Advice, digest_of
from mile_rl.recommend.base import Recommendation
from mile_rl.recommend.errors import RecommendError
from mile_rl.recommend.rewrite import apply
from mile_rl.workflows.flow import Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A recommendation that was tried.

    Args:
        recommendation: what was recommended.
        done: the what-if iteration.
        before, after: the metric before and after; None where the iteration has none of that name.
        code: the change of the file as a unified diff, "" where only arguments change.
        command: how to run it from the command line once the change is made.
    """

    recommendation: Recommendation
    done: Done
    before: float
    after: float | None
    code: str
    command: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object, without the outputs."""
        return {
            "recommendation": self.recommendation.to_json(),
            "iteration": self.done.report.to_json(),
            "metric": self.recommendation.metric,
            "before": self.before,
            "after": self.after,
            "code": self.code,
            "command": self.command,
        }


def attempt(
    flow: Flow[..., Any],
    advice: Advice,
    number: int,
    *,
    project: Project,
    arguments: Mapping[str, Any] | None = None,
    on_progress: Progress | None = None,
    on_end: Callable[[Report], None] | None = None,
) -> Trial:
    """Run a recommended change without making it.

    The changed text exists in memory only. The iteration is recorded under the workflow's name with
    ``(what-if)`` behind it, so the person's own history stays theirs; what it computed is kept like anything
    else, so that making the change afterwards costs no waiting.

    Args:
        flow: the workflow, as its file makes it.
        advice: what was recommended.
        number: which one, from 1.
        project: where its state lives.
        arguments: that the workflow was given when this was recommended.
        on_progress: hears of every node that begins.
        on_end: hears the report, of a failed iteration too.

    Raises:
        RecommendError: there is no such recommendation, it is up to the person, or the file has changed.
        OperatorFailed: an operator raised; it will not be recommended again.
    """
    chosen = _chosen(advice, number)
    text = _text(advice) if chosen.change.replacements else ""
    changed = apply(text, chosen.change.replacements)
    given = {**dict(arguments or {}), **chosen.change.arguments}
    reports: list[Report] = []

    def ended(report: Report) -> None:
        reports.append(report)
        if on_end is not None:
            on_end(report)

    with _variant(flow, changed if chosen.change.replacements else None) as variant:
        try:
            done = run(
                variant,
                (),
                given,
                project=project,
                on_progress=on_progress,
                on_end=ended,
                previous=advice.iteration,
            )
        finally:
            if reports:
                journal.note(flow, reports[0].iteration, project, text=changed or None)
    return Trial(
        recommendation=chosen,
        done=done,
        before=chosen.now,
        after=done.report.metrics.get(chosen.metric),
        code=difference(text, changed, Path(advice.source).name),
        command=command_of(advice, chosen),
    )


def _text(advice: Advice) -> str:
    if digest_of(advice.source) != advice.digest:
        raise RecommendError(f"{advice.source} was edited since: run `mile recommend` again.")
    return Path(advice.source).read_text(encoding="utf-8")


def _chosen(advice: Advice, number: int) -> Recommendation:
    if not 1 <= number <= len(advice.recommendations):
        raise RecommendError(
            f"there is no recommendation {number}; there are 1 to {len(advice.recommendations)}: "
            "see `mile recommend`."
        )
    chosen = advice.recommendations[number - 1]
    if not chosen.change.applicable:
        raise RecommendError(
            f"recommendation {number} ({chosen.change.words}) is up to you: edit the file and `mile run` it."
        )
    return chosen


def difference(before: str, after: str, name: str) -> str:
    """Return the change of a file as a unified diff, "" where there is none."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, name, n=1
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def command_of(advice: Advice, chosen: Recommendation) -> str:
    """Return the command that runs the workflow with a change made."""
    given = {**advice.arguments, **chosen.change.arguments}
    name = Path(advice.source).name
    target = f"{name}:{advice.name}" if ":" in advice.workflow else name
    return shlex.join(["mile", "run", target, *(f"{name}={value}" for name, value in given.items())])


@contextlib.contextmanager
def _variant(flow: Flow[..., Any], text: str | None) -> Iterator[Flow[..., Any]]:
    """Make a workflow as its changed file would make it; while it is in use, its module stands in for it."""
    if text is None:
        copy: Flow[..., Any] = type(flow)(flow.function, name=f"{flow.name}{WHAT_IF}")
        yield copy
        return
    space = flow.function.__globals__
    name, path = flow.function.__module__, str(space["__file__"])
    module = types.ModuleType(name)
    module.__dict__.update(
        {key: space[key] for key in ("__file__", "__package__", "__spec__") if key in space}
    )
    original, cached = sys.modules.get(name), linecache.cache.get(path)
    # The signer reads the source by the file's name; an entry without a time of change is never refreshed.
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    sys.modules[name] = module
    try:
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)
        # A pipeline's workflow is known by its name only: the function that wires it is none of the file's.
        flows = [
            value for value in vars(module).values() if isinstance(value, Flow) and value.name == flow.name
        ]
        found = module.__dict__.get(flow.function.__name__, flows[0] if len(flows) == 1 else None)
        if not isinstance(found, Flow):
            raise RecommendError(
                f"workflow {flow.name} cannot be made from its changed text: run it by hand."
            )
        found.name = f"{flow.name}{WHAT_IF}"
        yield found
    finally:
        if original is not None:
            sys.modules[name] = original
        else:
            sys.modules.pop(name, None)
        if cached is not None:
            linecache.cache[path] = cached
        else:
            linecache.cache.pop(path, None)
