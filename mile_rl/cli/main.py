"""The ``mile`` command: which commands there are. Exit codes: see ``mile_rl.cli.guard``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mile_rl.cli import explain, history, impact, policies, predict, recommend, report, run, store
from mile_rl.cli.demo import command as demo

# Plain help texts: they read the same in a pipe, and rich need not be imported (50 ms).
app = typer.Typer(name="mile", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
app.command(cls=run.RunCommand)(run.run)
app.command()(run.plan)
app.command()(history.log)
app.command()(history.diff)
app.command()(impact.impact)
app.command()(report.report)
app.command()(explain.explain)
app.command()(predict.predict)
app.command()(recommend.recommend)
app.command("try")(recommend.try_)
app.add_typer(store.app, name="store")
app.command()(policies.policies)
app.command()(demo.demo)


def _version(wanted: bool) -> None:
    if wanted:
        from mile_rl import __version__

        typer.echo(f"mile {__version__}")
        raise typer.Exit


@app.callback()
def callback(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run an edited machine-learning workflow again and wait only for what really changed.

    State lives in .mile/ beside the project; settings in [tool.mile] of its pyproject.toml, in MILE_*
    variables, or in flags.

    \b
    Start with:
      mile demo
      mile run FILE.py
    """


def main() -> None:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a bar's blocks must not be an error
            stream.reconfigure(errors="replace")
    app()
