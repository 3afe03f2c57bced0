"""A played session in words: a few lines a run, a table and a chart at the end."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.cli import chart
from mile_rl.cli.demo.play import Played
from mile_rl.policies.words import duration

_MOST_METRICS = 4


def changes(run: Played) -> list[str]:
    """Return what MILE-RL found changed before a run, a line each."""
    from mile_rl.engine.text import edits_in_words

    if run.step.number == 1:
        return ["first iteration"]
    back = [f"back to iteration {run.returned_to}"] if run.returned_to is not None else []
    return back + (edits_in_words(run.edits) or ["no edits"])


def step_text(run: Played) -> str:
    """Return what became of a run: what changed, what was done, how long it took beside everything."""
    computed, loaded, pruned = run.states
    lines = [f"     {line}" for line in changes(run)]
    lines.append(f"     {computed} computed, {loaded} loaded, {pruned} not needed")
    metrics = list(run.metrics.items())[:_MOST_METRICS]
    if metrics:
        lines.append("     " + ", ".join(f"{name} = {value:.4g}" for name, value in metrics))
    takes = "took, run plainly," if run.plainly else "would have taken"
    lines.append(f"     waited {duration(run.waited_ns)}; everything {takes} {duration(run.reference_ns)}")
    if run.plainly and not run.plainly.same:
        lines.append("     THE RESULTS DIFFER from those of the plain run")
    return "\n".join(lines)


def summary(runs: Sequence[Played], *, columns: int) -> str:
    """Return the table and the chart of a session, and what they add up to.

    Args:
        runs: at least one.
        columns: the width to fill.
    """
    from mile_rl.engine.text import table

    measured = all(run.plainly for run in runs)
    rows = [
        (
            str(run.step.number),
            duration(run.waited_ns),
            duration(run.reference_ns),
            "{}/{}/{}".format(*run.states),
            "; ".join(changes(run)),
        )
        for run in runs
    ]
    heading = ("run", "waited", "plainly" if measured else "everything", "c/l/p", "what changed")
    lines = [_cut(line, columns) for line in table(heading, rows).split("\n")]
    lines.append("(c/l/p: nodes computed, loaded from the store, pruned as not needed)")
    lines.extend(("", f"waiting so far: █ with MILE-RL, ░ {'run plainly' if measured else 'everything'}"))
    waited, reference = [run.waited_ns for run in runs], [run.reference_ns for run in runs]
    lines.append(chart.cumulative(waited, reference, columns=columns))
    lines.extend(("", *_totals(runs, measured=measured)))
    return "\n".join(lines)


def _totals(runs: Sequence[Played], *, measured: bool) -> list[str]:
    waited, reference = sum(run.waited_ns for run in runs), sum(run.reference_ns for run in runs)
    times = f", {reference / waited:.1f} times as long" if waited and reference > waited else ""
    process = sum(run.process_ns for run in runs)
    if not measured:
        return [
            f"waited {duration(waited)} in {len(runs)} runs; running everything each time would have taken "
            f"{duration(reference)}{times}",
            f"whole processes, with Python's start and the imports: {duration(process)}",
            "(what everything takes is an estimate from each node's own measured time; mile demo --verify",
            "runs every version plainly as well)",
        ]
    plain_process = sum(run.plainly.process_ns for run in runs if run.plainly)
    same = sum(run.plainly.same for run in runs if run.plainly)
    return [
        f"waited {duration(waited)} in {len(runs)} runs; run plainly they took {duration(reference)}{times}",
        f"whole processes, with Python's start and the imports: {duration(process)}, plainly "
        f"{duration(plain_process)}",
        f"{same} of {len(runs)} runs returned exactly what the plain run returned",
    ]


def _cut(line: str, columns: int) -> str:
    return line if len(line) <= columns else line[: columns - 1] + "…"
