"""``mile store``: what is kept, and keeping it in order."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.history import age
from mile_rl.cli.options import Json, Store
from mile_rl.errors import StoreError

if TYPE_CHECKING:
    from mile_rl.store.records import Artifact
    from mile_rl.store.store import Store as ArtifactStore

app = typer.Typer(
    help="See and tidy up what is kept in the store.", no_args_is_help=True, rich_markup_mode=None
)

_SHORTEST_SIGNATURE = 4
_SHOWN_SIGNATURE = 10

Which = Annotated[
    list[str],
    typer.Argument(metavar="WHICH", help="A node, one of its outputs (NODE.OUTPUT), or a signature's start."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("ls")
@guarded
def ls(
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this workflow.")] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """List what is kept: of which node, how large, what it saves, how often it was loaded.

    \b
    Examples:
      mile store ls
      mile store ls --json
    """
    from mile_rl.engine.text import table
    from mile_rl.policies.words import duration, size

    with _opened(store) as kept:
        artifacts = kept.artifacts(workflow)
    if json:
        console.out_json([asdict(artifact) for artifact in artifacts])
        return
    if not artifacts:
        console.out("nothing is kept")
        return
    rows = [
        (
            artifact.signature[:_SHOWN_SIGNATURE],
            artifact.meta.workflow,
            _address(artifact),
            size(artifact.size_bytes),
            artifact.codec,
            duration(artifact.meta.recreation_ns),
            str(artifact.loads),
            age(artifact.created_ns),
        )
        for artifact in artifacts
    ]
    console.out(
        table(("signature", "workflow", "output", "size", "codec", "recreating", "loads", "age"), rows)
    )


@app.command("info")
@guarded
def info(store: Store = None, json: Json = False) -> None:
    """Tell where the store lies, how full it is, and what it has been through.

    \b
    Examples:
      mile store info
      mile store info --json
    """
    from mile_rl.policies.words import duration, size

    with _opened(store) as kept:
        told = kept.info()
    if json:
        console.out_json(asdict(told))
        return
    share = f" ({told.used_bytes / told.budget_bytes:.1%})" if told.budget_bytes else ""
    lines = [
        f"store      {told.root}",
        f"artifacts  {told.artifacts}",
        f"used       {size(told.used_bytes)} of {size(told.budget_bytes)}{share}",
    ]
    if told.reserved_bytes:
        lines.append(f"reserved   {size(told.reserved_bytes)} for what is being written")
    lines.extend(
        f"{name}: {duration(count) if name.endswith('_ns') else count}"
        for name, count in sorted(told.counters.items())
    )
    console.out("\n".join(lines))


@app.command("evict")
@guarded
def evict(which: Which, store: Store = None, json: Json = False) -> None:
    """Let some artifacts go; whatever needs them computes them again.

    \b
    Examples:
      mile store evict hog
      mile store evict split.train 3f2a9c01
    """
    from mile_rl.policies.words import size

    with _opened(store) as kept:
        artifacts = kept.artifacts()
        chosen = {one.signature for text in which for one in _matching(text, artifacts)}
        freed_bytes = kept.evict(chosen)
    if json:
        console.out_json({"evicted": sorted(chosen), "freed_bytes": freed_bytes})
        return
    console.out(f"evicted {_artifacts(len(chosen))}, {size(freed_bytes)} freed")


@app.command("clear")
@guarded
def clear(store: Store = None, yes: Yes = False, json: Json = False) -> None:
    """Let all artifacts go; the history of iterations stays. Asks first.

    \b
    Examples:
      mile store clear
      mile store clear --yes
    """
    from mile_rl.policies.words import size

    with _opened(store) as kept:
        count = len(kept.artifacts())
        if count and not yes:
            if json or not is_asking_possible():
                raise StoreError(f"this would delete {_artifacts(count)}: say --yes to do it without asking.")
            if not typer.confirm(f"Delete {_artifacts(count)} of {kept.info().root}?"):
                console.out("nothing was deleted")
                return
        freed_bytes = kept.clear()
    if json:
        console.out_json({"evicted": count, "freed_bytes": freed_bytes})
        return
    console.out(f"deleted {_artifacts(count)}, {size(freed_bytes)} freed")


@app.command("verify")
@guarded
def verify(
    repair: Annotated[
        bool, typer.Option("--repair", help="Drop what is damaged, delete what nobody knows.")
    ] = False,
    store: Store = None,
    json: Json = False,
) -> None:
    """Check every artifact against its checksum, and the account of bytes; exit code 1 if not clean.

    \b
    Examples:
      mile store verify
      mile store verify --repair
    """
    from mile_rl.policies.words import size

    with _opened(store) as kept:
        report = kept.verify(repair=repair)
    if json:
        console.out_json({"clean": report.clean, **asdict(report)})
    else:
        console.out(f"checked {_artifacts(report.files)}, {size(report.checked_bytes)}")
        for name, found in (
            ("damaged", report.damaged),
            ("unknown file", report.orphans),
            ("left by a dead writer", report.abandoned),
        ):
            for one in found:
                console.out(f"{name}: {one}")
        if report.over_budget_bytes:
            console.out(f"over the budget by {size(report.over_budget_bytes)}")
        if report.clean:
            console.out("clean")
        else:
            console.out("repaired" if repair else "not clean: mile store verify --repair clears it away")
    if not report.clean and not repair:
        raise SystemExit(1)


def is_asking_possible() -> bool:
    """Tell whether a person could answer a question."""
    return sys.stdin.isatty()


def _opened(folder: str | None) -> AbstractContextManager[ArtifactStore]:
    """Open the store of the project here."""
    from mile_rl.engine.history import opened_store
    from mile_rl.engine.project import find

    return opened_store(find(Path.cwd(), store=folder))


def _matching(text: str, artifacts: list[Artifact]) -> list[Artifact]:
    found = [one for one in artifacts if text in (one.meta.node, _address(one))]
    if not found and len(text) >= _SHORTEST_SIGNATURE:
        found = [one for one in artifacts if one.signature.startswith(text)]
    if not found:
        import difflib

        names = sorted({one.meta.node for one in artifacts})
        close = difflib.get_close_matches(text, names, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "See mile store ls."
        raise StoreError(f"nothing of {text!r} is kept. {hint}")
    return found


def _address(artifact: Artifact) -> str:
    """Return ``node`` or ``node.output``, as reports write it."""
    from mile_rl.workflows.dag import Output

    node, output = artifact.meta.node, artifact.meta.output
    return output if output == node or output.startswith(f"{node}.") else str(Output(node, output))


def _artifacts(count: int) -> str:
    return f"{count} artifact{'' if count == 1 else 's'}"
