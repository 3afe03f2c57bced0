"""``python -m traces``: mine sources, describe what was mined, print the schema, make OpenML's estimators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mile_rl.errors import MileError
from traces.mine import Mined, mine
from traces.people import Pseudonyms, default_salt_file
from traces.sources.base import OnProgress

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command("mine")
def mine_command(
    source: Annotated[list[str], typer.Argument(help="NAME:PLACE, or a place that tells what it is.")],
    out: Annotated[Path, typer.Option(help="Folder to write the traces into.")],
    salt_file: Annotated[Path | None, typer.Option(help="Secret behind pseudonyms; made if missing.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Keeps OpenML's answers; by default beside OUT.")] = None,
    server: Annotated[str | None, typer.Option(help="OpenML's REST interface in XML.")] = None,
    metric: Annotated[str, typer.Option(help="OpenML measure to score by.")] = "predictive_accuracy",
    interval_ms: Annotated[int, typer.Option(help="Least milliseconds between requests.")] = 500,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Mark the CC0-like table as made up.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Mine sources into one folder of traces.

    Sources: openml:task/31,59/uploader/1 (live), a zip of the CC0 table, mlflow:URI or a folder of runs,
    dvc:REPOSITORY, catalog:PROJECT, and the published tables dvc_versions.jsonl.gz, mlflow_runs.jsonl.gz.

    Example: python -m traces mine openml:task/31 dvc:my-repository mlruns --out my-traces
    """
    from traces.open_source import Settings, open_source
    from traces.openml_http import OFFICIAL

    settings = Settings(
        pseudonyms=Pseudonyms.from_file(salt_file or default_salt_file()),
        cache=cache or out.with_name(f"{out.name}-openml-cache.sqlite"),
        server=server or OFFICIAL,
        metric=metric,
        interval_ms=interval_ms,
        synthetic=synthetic,
    )
    sources = [open_source(text, settings) for text in source]
    with _Bar() as bar:
        results = mine(sources, out, bar.update)
    if as_json:
        typer.echo(json.dumps([result.to_json() for result in results], indent=2))
    else:
        _print_mined(results, out)


@app.command("describe")
def describe_command(
    folder: Annotated[Path, typer.Argument(help="A folder of traces.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the report; by default FOLDER.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Write a report on mined traces: report.html and report.md, with plots and the papers' figures.

    Example: python -m traces describe my-traces
    """
    from traces.describe.report import describe

    with _Bar() as bar:
        written = describe(folder, out or folder, bar.update)
    if as_json:
        typer.echo((written.folder / "figures.json").read_text("utf-8"))
    else:
        typer.echo(f"wrote {written.html} and {written.markdown}")


@app.command("estimator")
def estimator_command(
    flow: Annotated[int, typer.Argument(help="The id of a flow of scikit-learn's on OpenML.")],
    setup: Annotated[int, typer.Argument(help="The id of a setup of that flow.")],
    server: Annotated[str | None, typer.Option(help="OpenML's REST interface in XML.")] = None,
    interval_ms: Annotated[int, typer.Option(help="Least milliseconds between requests.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print code and notes as JSON.")] = False,
) -> None:
    """Print the estimator of a flow and a setup on OpenML as Python, for the scikit-learn installed here.

    With data it is a workflow: give it to mile_rl.sklearn.pipeline_workflow.

    Example: python -m traces estimator 8353 8225119 > flow.py
    """
    from traces.estimator_code import code_of
    from traces.estimators import fetch_estimator
    from traces.openml_http import OFFICIAL, OpenmlApi

    made = fetch_estimator(OpenmlApi(server or OFFICIAL, interval_ms=interval_ms), flow, setup)
    code = code_of(made.estimator)
    if as_json:
        typer.echo(json.dumps({"code": code, "notes": list(made.notes)}, indent=2))
        return
    typer.echo("\n".join([f"# {note}" for note in made.notes] + [code]))


@app.command("schema")
def schema_command() -> None:
    """Print the tables of a folder of traces, column by column, as Markdown."""
    from traces.columns import as_markdown

    typer.echo(as_markdown())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 after a MileError, 2 after wrong usage."""
    try:
        app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except MileError as error:
        typer.echo(f"error: {error}", err=True)
        return 1
    except typer.Exit as exit:
        return exit.exit_code
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("stopped; nothing was written, and what was fetched is kept", err=True)
        return 1
    except Exception as error:
        # typer's own complaints about usage, whose class depends on its version
        if not hasattr(error, "format_message"):
            raise
        typer.echo(f"error: {error.format_message()}", err=True)
        return 2
    return 0


def _print_mined(results: Sequence[Mined], out: Path) -> None:
    from traces.reader import Traces

    for result in results:
        tally = result.tally
        typer.echo(
            f"{result.source} ({result.place}): {result.histories} histories, {result.iterations} iterations "
            f"from {tally.read} read"
        )
        for cause, count in tally.bad.most_common():
            typer.echo(f"  unreadable: {count} x {cause}")
        for reason, count in tally.left_out.most_common():
            if count:
                typer.echo(f"  left out: {count} x {reason}")
        for kind, names in tally.unread.items():
            most = ", ".join(name for name, _ in names.most_common(3))
            typer.echo(f"  {kind}s that nobody could read: {len(names)} ({most} …)")
        for name, note in tally.notes.items():
            typer.echo(f"  {name}: {json.dumps(note)}")
    typer.echo(f"wrote {out}, trace digest {Traces(out).digest}")


class _Bar:
    """A progress bar, drawn on a terminal only."""

    def __enter__(self) -> _Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._progress.start()
        self._task = self._progress.add_task("reading", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def update(self) -> OnProgress:
        """What the library calls to report progress."""

        def on_progress(done: int, total: int | None, note: str) -> None:
            self._progress.update(self._task, completed=done, total=total, description=note)

        return on_progress
