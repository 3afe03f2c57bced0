"""``mile demo``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Budget, Json, Policy
from mile_rl.errors import MileError

if TYPE_CHECKING:
    from mile_rl.cli.demo.play import Played
    from mile_rl.cli.session import Step


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

    if png is not None:
        picture.require_matplotlib()
    settings = (("--policy", policy), ("--budget", budget))
    flags = [text for flag, value in settings if value for text in (flag, value)]
    runs = _play(example.value, flags, size=size, verify=verify, quiet=json)
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


def _play(example: str, flags: Sequence[str], *, size: int | None, verify: bool, quiet: bool) -> list[Played]:
    """Play an example's session, telling of each run unless quiet, and return the runs."""
    from mile_rl.cli.demo import examples, play, telling
    from mile_rl.cli.session import load

    runs: list[Played] = []
    with examples.playground(example, size=size) as place:
        session = load(place / f"{example}.session.json")

        def announce(step: Step, command: str) -> None:
            if not quiet:
                number = f"{step.number:2}/{len(session.steps)}"
                console.out(console.coloured(f"{number}  {step.say}", "bold"))
                console.out(f"     $ {command}")
                sys.stdout.flush()

        for run in play.play(session, place, flags=flags, verify=verify, on_step=announce):
            runs.append(run)
            if not quiet:
                console.out(telling.step_text(run) + "\n")
    return runs
