"""``mile recommend`` and ``mile try``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Arguments, opened
from mile_rl.errors import WorkflowError

if TYPE_CHECKING:
    from mile_rl.engine.project import Project
    from mile_rl.workflows.flow import Flow


@guarded
def recommend(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE",
            help="The workflow's Python file, FILE:NAME if it has several; without one, the workflow run last.",
        ),
    ] = None,
    arguments: Arguments = None,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="Name N changes at most.")] = 5,
    stage: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="Only changes of this stage: preprocess, learn or evaluate."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", help="Only changes that take at most M minutes to try."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="The metric that matters, where there are several.")
    ] = None,
    novice: Annotated[bool, typer.Option("--novice", help="Explain each term in a sentence.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; times are integers in nanoseconds.")
    ] = False,
) -> None:
    """Recommend what to change next, what to expect of it, why, and how long it will take.

    Ranked by expected gain against waiting, from real outcomes on other people's data, from your own iterations
    and from what people changed in a like state. Nothing is computed; `mile try N` tries one of them.

    \b
    Examples:
      mile recommend digits.py
      mile recommend digits.py --stage learn --minutes 2
      mile recommend --novice
    """
    from mile_rl.recommend.advise import advise, save

    with console.prints_go_to_stderr(json):
        flow, given, project = _opened(file, arguments)
        said = advise(
            flow,
            n=top,
            stage=stage,  # type: ignore[arg-type]
            minutes=minutes,
            novice=novice,
            arguments=given,
            metric=metric,
            project=project,
        )
        save(said, project)
    if json:
        from mile_rl.cli.values import to_json

        console.out_json(to_json(said.to_json()))
        return
    from mile_rl.recommend.text import advice_text

    console.out(advice_text(said))


@guarded
def try_(
    number: Annotated[int, typer.Argument(metavar="N", help="The recommendation's number.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; times are integers in nanoseconds.")
    ] = False,
) -> None:
    """Run one of the last recommendations as a what-if, without touching your file.

    Prints what came of it and the code to change. What it computed is kept like anything else, so that making
    the change afterwards costs no waiting.

    \b
    Examples:
      mile try 1
      mile try 2 --json
    """
    from mile_rl.cli.progress import bar
    from mile_rl.engine.loading import load_workflow, parse_arguments
    from mile_rl.engine.project import find
    from mile_rl.recommend.advise import load
    from mile_rl.recommend.trial import attempt

    with console.prints_go_to_stderr(json):
        project = find(Path.cwd())
        advice = load(project)
        flow = load_workflow(f"{advice.source}:{advice.name}")
        texts = [f"{name}={value}" for name, value in advice.arguments.items()]
        with bar() as on_progress:
            trial = attempt(
                flow,
                advice,
                number,
                project=project,
                arguments=parse_arguments(flow, texts),
                on_progress=on_progress,
            )
    if json:
        from mile_rl.cli.values import to_json

        console.out_json(to_json(trial.to_json()))
        return
    from mile_rl.recommend.text import trial_text

    console.out(trial_text(trial))


def _opened(file: str | None, arguments: list[str] | None) -> tuple[Flow[..., Any], dict[str, Any], Project]:
    """Return the workflow of a file, or the one that ran last in this project."""
    if file is not None:
        if "=" in file and not Path(file.partition(":")[0]).exists():
            raise WorkflowError(f"argument {file!r} has no workflow: name its file, as in digits.py {file}.")
        return opened(file, arguments)
    from mile_rl.recommend.last import last_target

    return opened(last_target(Path.cwd()), arguments)
