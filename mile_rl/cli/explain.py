"""``mile explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Arguments, Json, Policy, Store, opened
from mile_rl.errors import WorkflowError


@guarded
def explain(
    node: Annotated[
        str, typer.Argument(metavar="NODE", help="A node of the workflow, as `mile plan` lists it.")
    ],
    arguments: Arguments = None,
    workflow: Annotated[
        str | None,
        typer.Option(
            "--workflow", "-w", metavar="FILE", help="The workflow's file; of the one run last, unless given."
        ),
    ] = None,
    policy: Policy = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Tell why a node is computed, loaded or pruned now.

    Down to the helper, constant, file or library version that changed. Nothing is computed.

    \b
    Examples:
      mile explain hog
      mile explain fit_logistic C=10 --workflow digits.py
    """
    from mile_rl.engine.explain import explain as explained

    with console.prints_go_to_stderr(json):
        flow, given, project = opened(workflow or _latest(), arguments, policy=policy, store=store)
        explanation = explained(flow, (), given, node, project=project)
    if json:
        console.out_json(explanation.to_json())
        return
    console.out(explanation.text())


def _latest() -> str:
    """Return the workflow that was run last here, as the command line names one.

    Raises:
        MileError: nothing was run here, or from a notebook.
    """
    from mile_rl.engine.history import log
    from mile_rl.engine.project import find

    latest = next(iter(log(find(Path.cwd()), limit=1)), None)
    if latest is None or not Path(latest.record.source).is_file():
        raise WorkflowError("no file of a workflow run here is known: name it, as in --workflow digits.py.")
    return f"{latest.record.source}:{latest.record.workflow.rpartition(':')[2]}"
