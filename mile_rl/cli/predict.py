"""``mile predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Arguments, opened
from mile_rl.errors import WorkflowError

if TYPE_CHECKING:
    from mile_rl.engine.foresight import Foresight


@guarded
def predict(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="The workflow's Python file, FILE:NAME if it has several; without one, the workflow run last.",
        ),
    ] = None,
    arguments: Arguments = None,
    workflow: Annotated[
        str | None,
        typer.Option("--workflow", "-w", metavar="NAME", help="Without a file: this workflow that ran here."),
    ] = None,
    top: Annotated[
        int,
        typer.Option("--top", min=1, metavar="N", help="Name the N likeliest nodes, parameters and values."),
    ] = 3,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; probabilities lie between 0 and 1.")
    ] = False,
) -> None:
    """Tell what will probably be changed next, and how sure that is.

    From the iterations run here and the histories of other people. Nothing is computed. With a file, what was
    changed since its last run counts as changed; without one, nothing is imported.

    \b
    Examples:
      mile predict
      mile predict digits.py C=10 --top 5
    """
    with console.prints_go_to_stderr(json):
        foresight = _foresight(file, arguments, workflow, top)
    if json:
        from mile_rl.cli.values import to_json

        console.out_json(to_json(foresight.to_json()))
        return
    console.out(foresight.text(top=top))


def _foresight(file: str | None, arguments: list[str] | None, workflow: str | None, top: int) -> Foresight:
    from mile_rl.engine.foresight import foresee, foresee_last
    from mile_rl.engine.project import find

    if file is None:
        return foresee_last(find(Path.cwd()), workflow=workflow, top=top)
    if workflow is not None:
        raise WorkflowError(f"both {file} and --workflow {workflow} are given: name one workflow.")
    if "=" in file and not Path(file.partition(":")[0]).exists():
        raise WorkflowError(f"argument {file!r} has no workflow: name its file, as in digits.py {file}.")
    flow, given, project = opened(file, arguments)
    return foresee(flow, (), given, project=project, top=top)
