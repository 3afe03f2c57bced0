"""``mile demo``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Budget, Json, Policy
from mile_rl.errors import MileError


class Example(StrEnum):
    """The examples with a recorded session."""

    DIGITS = "digits"
    CENSUS = "census"
    TEXT = "text"


@guarded
def demo(
    example: Annotated[
        Example, typer.Argument(help="The session to play: digits, census or text.")
    ] = Example.DIGITS,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Run each version plainly as well; compare results and times."),
    ] = False,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the chart as PNG (needs matplotlib).")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write chart and table as one HTML page.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Make less data: N images, rows or sentences.")
    ] = None,
    policy: Policy = None,
    budget: Budget = None,
    json: Json = False,
) -> None:
    """Play a recorded session and show the waiting.

    In a temporary folder, an example's file is edited as a person did it, and run after each edit by `mile
    run` in a fresh process. At the end: a table, and the waiting so far beside that of running everything.
    Takes about half a minute; Ctrl-C leaves nothing behind.

    \b
    Examples:
      mile demo
      mile demo census --verify
      mile demo text --policy lru --html text.html
    """
    from mile_rl.cli.demo import picture, telling
    from mile_rl.cli.demo.examples import playground
    from mile_rl.cli.demo.play import Played, play
    from mile_rl.cli.session import Step, load

    if png is not None:
        picture.require_matplotlib()
    flags = [
        text
        for name, value in (("--policy", policy), ("--budget", budget))
        if value
        for text in (name, value)
    ]
    runs: list[Played] = []
    with playground(example.value, size=size) as place:
        session = load(place / f"{example.value}.session.json")

        def announce(step: Step, command: str) -> None:
            if not json:
                number = f"{step.number:2}/{len(session.steps)}"
                console.out(console.coloured(f"{number}  {step.say}", "bold"))
                console.out(f"     $ {command}")

        for run in play(session, place, flags=flags, verify=verify, on_step=announce):
            runs.append(run)
            if not json:
                console.out(telling.step_text(run) + "\n")
    if json:
        console.out_json({"example": example.value, "runs": [run.to_json() for run in runs]})
    else:
        console.out(telling.summary(runs, columns=console.width()))
    if png is not None:
        picture.write_png(png, example.value, runs)
    if html is not None:
        picture.write_html(html, example.value, runs)
    differing = [str(run.step.number) for run in runs if run.plainly and not run.plainly.same]
    if differing:
        raise MileError(f"runs {', '.join(differing)} returned something else than the plain run did.")
