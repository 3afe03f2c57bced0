"""Compare all policies on held-out sessions: tables, plots, an MLflow run.

    python -m experiments.evaluate BANK.npz... [--learned FILE.onnx...] [--out DIR] [--no-oracle] [--limit N]

Every policy plays the same sessions under the same budgets, disks and luck, with the production guard before it.
Ratios are of mean waiting relative to keeping nothing, pooled over budgets up to 50 %, with paired bootstrap
intervals over groups of sessions; beside them stand those of mean seconds, in which long sessions decide. Banks are
made by ``python -m envs make`` and ``python -m envs replay``; a bank that was trained or tuned on proves nothing.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from envs.bank import Bank
from envs.errors import EnvironmentFailed, ScriptError
from experiments.agent.contest import BUDGETS, HOARDING, ORACLE, RULES, UNTUNED, Oracles, cases, contest
from experiments.agent.plots import draw_waiting
from experiments.agent.table import Ratio, by_budget, gap, markdown, summary, totals
from experiments.prediction.tracking import track
from mile_rl.errors import MileError
from mile_rl.policies.learned import SHIPPED

LOG = logging.getLogger("experiments.evaluate")
REFERENCES = ("none", HOARDING, "helix", "gdsf", UNTUNED, "expected", ORACLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateArguments:
    """What an evaluation is told.

    Args:
        banks: files of scripts; each source in them gets its own table.
        learned: policy files; each is a row. The one that ships where there is none.
        folder: where tables, rows and plots are written.
        tracking: MLflow's tracking store; a SQLite file in ``folder`` where empty.
        seed: of the conditions.
        limit: sessions a bank, the first so many; None for all.
        oracles: how to find the bounds; None for a table without them.
        believing: how many times as long as in truth loads and writes are believed to take at first.
        processes: how many cases are played at once.
        known: rows of an earlier evaluation of the same banks and seed; its policies are not played again.
    """

    banks: tuple[Path, ...]
    learned: tuple[Path, ...] = ()
    folder: Path = Path("build/evaluation")
    tracking: str = ""
    seed: int = 1
    limit: int | None = None
    oracles: Oracles | None = field(default_factory=Oracles)
    believing: float = 1.0
    processes: int = 2
    known: Path | None = None


def run(arguments: EvaluateArguments) -> dict[str, Any]:
    """Play, compare, write, track; return the figures.

    Raises:
        ScriptError: a bank cannot be read.
    """
    started = time.monotonic()
    shipped = ["learned"] * SHIPPED.exists()
    policies = [*RULES, UNTUNED, "expected", *([f"learned:{path}" for path in arguments.learned] or shipped)]
    drawn = []
    for path in arguments.banks:
        scripts = list(Bank.load(path))[: arguments.limit]
        LOG.info("%s: %d sessions", path, len(scripts))
        drawn += cases(scripts, seed=arguments.seed, shares=BUDGETS, believing=arguments.believing)

    def progress(done: int, total: int) -> None:
        if done % max(1, total // 20) == 0 or done == total:
            LOG.info("%d of %d cases, %.0f s", done, total, time.monotonic() - started)

    known = pd.read_csv(arguments.known) if arguments.known else pd.DataFrame({"policy": []})
    played = set(known["policy"])
    frame = contest(
        drawn,
        [name for name in policies if name not in played],
        oracles=None if ORACLE in played else arguments.oracles,
        processes=arguments.processes,
        progress=progress,
    )
    frame = pd.concat([known, frame], ignore_index=True) if played else frame
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rows_path = arguments.folder / "waiting.csv.gz"
    frame.to_csv(rows_path, index=False)
    figures, text, plots = report(frame, arguments)
    report_path = arguments.folder / "report.md"
    report_path.write_text(text, encoding="utf-8")
    figures_path = arguments.folder / "report.json"
    figures_path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    run_id = track(
        arguments.tracking or f"sqlite:///{(arguments.folder / 'mlflow.db').resolve()}",
        "evaluation",
        {
            "banks": " ".join(map(str, arguments.banks)),
            "seed": arguments.seed,
            "believing": arguments.believing,
        },
        figures,
        [report_path, figures_path, rows_path, *plots, *arguments.learned],
        arguments.folder / "artifacts",
        experiment="agent",
    )
    LOG.info("run %s, %.0f s; %s", run_id, time.monotonic() - started, report_path)
    return figures


def report(frame: pd.DataFrame, arguments: EvaluateArguments) -> tuple[dict[str, Any], str, list[Path]]:
    """Return the figures by source, the tables in Markdown, and the plots' files."""
    figures: dict[str, Any] = {}
    parts = ["# Waiting under each policy\n"]
    plots = []
    for source, rows in frame.groupby("source"):
        table = summary(rows, REFERENCES, seed=arguments.seed)
        budgets = by_budget(rows)
        sessions, groups = rows["session"].nunique(), rows["group"].nunique()
        figures[str(source)] = {
            "sessions": sessions,
            "groups": groups,
            "policies": {
                _key(policy): {_key(name): _plain(value) for name, value in row.items()}
                for policy, row in table.iterrows()
            },
            "budgets": budgets.to_dict(),
            "bound": gap(rows, ORACLE),
        }
        parts += [
            f"## {source}: {sessions} sessions of {groups} groups\n",
            "Budgets up to 50 %, pooled:\n",
            markdown(table),
            f"\n{gap(rows, ORACLE)}",
            "\nMean waiting / none by budget:\n",
            markdown(budgets),
            "\nSeconds of cumulative waiting a session:\n",
            markdown(totals(rows, REFERENCES, seed=arguments.seed)),
            "",
        ]
        plots.append(draw_waiting(budgets, str(source), arguments.folder))
    return figures, "\n".join(parts), plots


def _key(column: object) -> str:
    """Return a column's name as MLflow takes it: a slash would be a folder."""
    return str(column).replace("/", "over").strip()


def _plain(value: object) -> Any:
    if isinstance(value, Ratio):
        return {"value": value.value, "low": value.low, "high": value.high}
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.evaluate", description=__doc__)
    parser.add_argument("banks", nargs="+", type=Path, help="files of held-out scripts")
    parser.add_argument(
        "--learned", nargs="*", type=Path, default=[], help="policy files, a row each (default: shipped)"
    )
    parser.add_argument("--out", type=Path, default=Path("build/evaluation"), help="folder for the report")
    parser.add_argument("--tracking", default="", help="MLflow tracking URI (default: SQLite in the folder)")
    parser.add_argument("--seed", type=int, default=1, help="of the conditions")
    parser.add_argument("--limit", type=int, default=None, help="sessions a bank")
    parser.add_argument("--no-oracle", action="store_true", help="leave out the exact bounds")
    parser.add_argument("--oracle-sessions", type=int, default=1_000, help="of each source that get a bound")
    parser.add_argument("--limit-s", type=float, default=20.0, help="seconds of the oracle a case")
    parser.add_argument("--believing", type=float, default=1.0, help="transfers are believed so much slower")
    parser.add_argument("--known", type=Path, default=None, help="rows (waiting.csv.gz) to go on from")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    arguments = EvaluateArguments(
        banks=tuple(given.banks),
        learned=tuple(given.learned),
        folder=given.out,
        tracking=given.tracking,
        seed=given.seed,
        limit=given.limit,
        oracles=None if given.no_oracle else Oracles(sessions=given.oracle_sessions, limit_s=given.limit_s),
        believing=given.believing,
        processes=given.processes,
        known=given.known,
    )
    try:
        run(arguments)
    except (MileError, EnvironmentFailed, ScriptError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
