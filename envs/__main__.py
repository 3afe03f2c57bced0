"""``python -m envs``: make banks of sessions, and say what is in one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from envs.bank import Bank
from envs.describe import describe
from mile_rl.errors import MileError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, or 1 after an error that says what to do."""
    parser = argparse.ArgumentParser(prog="python -m envs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser(
        "make", help="draw simulated sessions, e.g. make --sessions 2000 --out bank.npz"
    )
    make.add_argument("--sessions", type=int, default=2000)
    make.add_argument("--seed", type=int, default=0)
    make.add_argument("--first", type=int, default=0, help="number of the first session")
    make.add_argument("--families", default="", help="of workflows, with commas between; all where empty")
    make.add_argument("--jobs", type=int, default=None, help="processes; one a core")
    make.add_argument("--out", type=Path, required=True)
    replays = commands.add_parser(
        "replay", help="turn mined histories into sessions, e.g. replay TRACES --out bank.npz"
    )
    replays.add_argument("traces", type=Path, help="a folder that `python -m traces mine` wrote")
    replays.add_argument(
        "--source", default="", help="only histories of this source: openml, mlflow, dvc, own"
    )
    replays.add_argument("--seed", type=int, default=0)
    replays.add_argument("--most", type=int, default=None, help="at most so many sessions of each source")
    replays.add_argument("--out", type=Path, required=True)
    tell = commands.add_parser("describe", help="say what a bank holds, e.g. describe bank.npz")
    tell.add_argument("bank", type=Path)
    tell.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        {"make": _make, "replay": _replay, "describe": _describe}[given.command](given)
    except MileError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _make(given: argparse.Namespace) -> None:
    from envs.making import make_bank
    from envs.workload.generate import Plan
    from envs.workload.recipes import FAMILIES

    families = tuple(given.families.split(",")) if given.families else FAMILIES
    bank = make_bank(
        Plan(seed=given.seed, families=families),
        given.sessions,
        first=given.first,
        jobs=given.jobs,
        on_progress=_progress,
    )
    bank.save(given.out)
    print(f"wrote {len(bank)} sessions to {given.out}")


def _replay(given: argparse.Namespace) -> None:
    from envs.replay import replay_bank
    from traces.reader import Traces

    bank, left_out = replay_bank(
        Traces(given.traces), seed=given.seed, source=given.source, most=given.most, on_progress=_progress
    )
    bank.save(given.out)
    print(f"wrote {len(bank)} sessions to {given.out}")
    for reason, count in sorted(left_out.items()):
        print(f"  left out: {count} x {reason}")


def _describe(given: argparse.Namespace) -> None:
    figures = describe(Bank.load(given.bank))
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:24} {value}")


def _progress(done: int, total: int, note: str) -> None:
    if sys.stderr.isatty() and (done % 20 == 0 or done == total):
        print(f"\r{done:,} of {total:,}  {note[:40]:40}", end="\n" if done == total else "", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
