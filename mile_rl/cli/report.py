"""``mile report``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.impact import Metric, Workflow


@guarded
def report(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where the page goes.")] = Path(
        "mile-report.html"
    ),
    workflow: Workflow = None,
    metric: Metric = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="Tell about the N latest iterations.")
    ] = 300,
    no_recommend: Annotated[
        bool,
        typer.Option(
            "--no-recommend", help="Leave out what to try next; then no file of the workflow is imported."
        ),
    ] = False,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print what the page tells as JSON; no page is written.")
    ] = False,
) -> None:
    """Write a page about a workflow: history, metric and waiting, the latest DAG, the store.

    One HTML file that opens offline and can be sent around: the graph of versions, what each change did, which
    nodes were computed, loaded or pruned and how long they took, what is kept, and what to try next.

    \b
    Examples:
      mile report
      mile report --workflow digits --out digits.html --open
    """
    from mile_rl.engine.project import find
    from mile_rl.report.gather import gather

    project, note = find(Path.cwd()), ""
    gathered = gather(project, workflow=workflow, metric=metric, limit=limit)
    if not no_recommend:
        from mile_rl.report.advice import advised

        with console.prints_go_to_stderr(json):
            suggestions, note = advised(project, gathered.iterations[-1])
        gathered = replace(gathered, suggestions=suggestions)
    if json:
        console.out_json(gathered.to_json())
        return
    from mile_rl.report.history_page import history_page
    from mile_rl.report.html_text import write_text

    write_text(out, history_page(gathered))
    console.out(f"wrote {out}: {len(gathered.iterations)} iterations of {gathered.workflow}")
    if note:
        console.out(f"note: nothing to try next: {note}")
    if show:
        import webbrowser

        webbrowser.open(out.resolve().as_uri())
