"""``mile log`` and ``mile diff``: what was run, and how two iterations differ."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mile_rl.engine.history import Comparison
    from mile_rl.store.records import Iteration

Workflow = Annotated[
    str | None, typer.Option("--workflow", "-w", metavar="NAME", help="Only of this workflow.")
]
Which = typer.Argument(help="An iteration's number, or the beginning of a version.")


@guarded
def log(
    workflow: Workflow = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="The N latest iterations.")
    ] = 20,
    json: Json = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw the waiting so far beside that for everything.")
    ] = False,
) -> None:
    """List the iterations that were run, the latest first.

    \b
    Examples:
      mile log
      mile log -n 50 --workflow digits --plot
    """
    from mile_rl.engine.history import iteration_json
    from mile_rl.engine.history import log as iterations_of
    from mile_rl.engine.project import find
    from mile_rl.engine.text import table

    iterations = iterations_of(find(Path.cwd()), workflow=workflow, limit=limit)
    if json:
        console.out_json([iteration_json(iteration) for iteration in iterations])
        return
    several = len({iteration.record.workflow for iteration in iterations}) > 1
    console.out(
        table(
            ("run", "version", "age", "waited", "everything", "what changed"),
            [_row(iteration, several=several) for iteration in iterations],
        )
    )
    if plot and iterations:
        console.out("\n" + _chart(iterations))


@guarded
def diff(
    a: Annotated[str, Which],
    b: Annotated[str, Which],
    workflow: Workflow = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the nodes added, removed and changed as SVG.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write picture, metrics and times as one HTML page.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell the edits between two iterations, and what they did.

    The change of every metric, the times, and which nodes' results differ; in words, and as a picture of the
    DAG with what was added, removed and changed.

    \b
    Examples:
      mile diff 3 7
      mile diff 3 7 --html diff.html --svg diff.svg
      mile diff 3f2a9c 81d0 --json
    """
    from mile_rl.engine.history import compare
    from mile_rl.engine.project import find

    comparison = compare(find(Path.cwd()), a, b, workflow=workflow)
    if svg is not None or html is not None:
        _draw(comparison, svg, html)
    if json:
        console.out_json(comparison.to_json())
        return
    console.out(comparison.text())


def _draw(comparison: Comparison, svg: Path | None, html: Path | None) -> None:
    from mile_rl.report.comparison_page import comparison_page
    from mile_rl.report.html_text import write_text
    from mile_rl.report.shapes import comparison_svg

    if svg is not None:
        write_text(svg, comparison_svg(comparison, alone=True))
    if html is not None:
        write_text(html, comparison_page(comparison))


def age(moment_ns: int, *, clock_ns: int | None = None) -> str:
    """Return how long ago a moment was, in one unit.

    Args:
        moment_ns: wall clock.
        clock_ns: the wall clock now; read unless given.

    Example:
        >>> age(0, clock_ns=7_300_000_000_000)
        '2 h'
    """
    seconds = max(0, (time.time_ns() if clock_ns is None else clock_ns) - moment_ns) // 1_000_000_000
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def _row(iteration: Iteration, *, several: bool) -> tuple[str, ...]:
    from mile_rl.engine.text import edits_in_words
    from mile_rl.policies.words import duration

    record = iteration.record
    words = edits_in_words(record.edits) or ["first iteration" if record.parent is None else "no edits"]
    if record.status != "ok":
        words.insert(0, record.status)
    return (
        str(iteration.id),
        record.version[:10],
        age(record.started_ns),
        duration(record.waited_ns),
        "" if record.everything_ns is None else duration(record.everything_ns),
        (f"{record.workflow}: " if several else "") + "; ".join(words),
    )


def _chart(iterations: Sequence[Iteration]) -> str:
    from mile_rl.cli.chart import cumulative

    records = [iteration.record for iteration in reversed(iterations)]
    chart = cumulative(
        [record.waited_ns for record in records],
        [record.everything_ns or 0 for record in records],
        columns=console.width(),
    )
    return f"waiting so far, the oldest of these first: █ with MILE-RL, ░ everything\n{chart}"
