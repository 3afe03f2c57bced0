"""The arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mile_rl.engine.project import Project
    from mile_rl.workflows.flow import Flow

Target = Annotated[
    str,
    typer.Argument(metavar="FILE", help="The workflow's Python file; FILE:NAME if it has several workflows."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME=VALUE", help="Arguments of the workflow; others have their defaults."),
]
Policy = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Which intermediate results to keep; see `mile policies`."),
]
Budget = Annotated[
    str | None, typer.Option(metavar="SIZE", help="How much the store may hold, as in 500MB, 10GB or 2GiB.")
]
Jobs = Annotated[int | None, typer.Option(metavar="N", help="How many nodes may run at once.")]
Store = Annotated[
    str | None, typer.Option(metavar="FOLDER", help="Where the artifacts lie, instead of .mile/store.")
]
Full = Annotated[bool, typer.Option("--full", help="List every node of a large workflow.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; times are integers in nanoseconds.")]
Mlflow = Annotated[
    str | None,
    typer.Option(
        "--mlflow",
        metavar="[URI]",
        help="Log the run to MLflow; without a URI, to MLFLOW_TRACKING_URI or .mile/mlflow.db; `off` for nowhere.",
    ),
]
Plot = Annotated[bool, typer.Option("--plot", help="Draw the times of the nodes as bars.")]


def opened(
    target: str, arguments: list[str] | None, **settings: Any
) -> tuple[Flow[..., Any], dict[str, Any], Project]:
    """Return the workflow, its arguments and its project, as the command line names them.

    Args:
        target: ``file.py`` or ``file.py:name``.
        arguments: ``name=value`` texts.
        **settings: settings given by flag; None means not given.

    Raises:
        MileError: there is no such file, workflow, parameter or setting.
    """
    from mile_rl.engine.loading import load_workflow, parse_arguments
    from mile_rl.engine.project import find

    # Settings first: a mistyped flag is told before the file's imports are waited for.
    path = Path(target.partition(":")[0]).resolve()
    project = find(path.parent if path.parent.is_dir() else Path.cwd(), **settings)
    flow = load_workflow(target)
    return flow, parse_arguments(flow, arguments or ()), project
