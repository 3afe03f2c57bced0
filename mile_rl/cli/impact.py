"""``mile impact``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded

Workflow = Annotated[
    str | None,
    typer.Option(
        "--workflow", "-w", metavar="NAME", help="Of this workflow; of the one run last, unless given."
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        "--metric", "-m", metavar="NAME", help="A metric; the one most iterations recorded, unless given."
    ),
]


@guarded
def impact(
    workflow: Workflow = None,
    metric: Metric = None,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            help="Explain the gap between two iterations by the shortest chain of versions that ran.",
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="List every effect of a long history.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; effects are in the metric's own unit.")
    ] = False,
) -> None:
    """Tell what each kind of change and each parameter did to a metric.

    From all iterations of a workflow, each effect corrected for what else changed at the same time, with an
    interval that holds it with 80 % probability. Changes that never happened apart are named as such.

    \b
    Examples:
      mile impact
      mile impact --metric accuracy --between 3 12
    """
    from mile_rl.engine.project import find
    from mile_rl.report.impact.recorded import project_impact

    found = project_impact(find(Path.cwd()), workflow=workflow, metric=metric, between=between)
    if json:
        console.out_json(found.to_json())
        return
    from mile_rl.report.impact.text import impact_text

    console.out(impact_text(found, full=full))
