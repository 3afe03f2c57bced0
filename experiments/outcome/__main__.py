"""Fit the outcome model, or judge it on datasets that it has not seen.

    python -m experiments.outcome evaluate DATA [--out DIR] [--held-out DATA2] [--starts N] [--tracking URI]
    python -m experiments.outcome fit DATA [--out FOLDER]
    python -m experiments.outcome card REPORT.json [--card docs/model_card_outcome.md]
    python -m experiments.outcome speed

DATA is a folder with Oboe's tables: see experiments/outcome/data.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.outcome.data import FOLDS, Outcomes, read
from experiments.outcome.evaluate import choose, fitted, judge, judge_splits, table, write
from experiments.outcome.evidence import evidence
from experiments.outcome.rows import OURS, ROWS
from mile_rl.errors import MileError
from mile_rl.recommend.outcome import Ranking

BEGIN, END = "<!-- figures: written by experiments.outcome card -->", "<!-- end of figures -->"

SHIPPED = Path(__file__).resolve().parents[2] / "mile_rl" / "recommend"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    given = _parser().parse_args(arguments)
    try:
        if given.command == "fit":
            sys.stdout.write(_fit(given.data, given.out))
        elif given.command == "card":
            figures = table(json.loads(given.report.read_text(encoding="utf-8")))
            text = given.card.read_text(encoding="utf-8")
            before, _, rest = text.partition(BEGIN)
            given.card.write_text(before + BEGIN + "\n\n" + figures + "\n" + END + rest.partition(END)[2])
        elif given.command == "speed":
            from experiments.outcome.speed import measure

            sys.stdout.write(json.dumps(measure(), indent=1) + "\n")
        else:
            sys.stdout.write(_evaluate(given))
    except MileError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.outcome", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="write the model that ships, fitted on all datasets")
    fitting.add_argument("data", type=Path)
    fitting.add_argument(
        "--out", type=Path, default=SHIPPED, help="the folder of outcome.npz and evidence.npz"
    )
    judging = commands.add_parser("evaluate", help="compare every row on datasets held out")
    judging.add_argument("data", type=Path)
    judging.add_argument("--out", type=Path, default=Path("build/outcome"))
    judging.add_argument("--held-out", type=Path, help="judge on this folder's datasets that DATA lacks")
    judging.add_argument("--starts", type=int, default=5)
    judging.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=tuple(ROWS))
    carding = commands.add_parser("card", help="write a report's figures into the model card")
    carding.add_argument("report", type=Path)
    carding.add_argument("--card", type=Path, default=Path("docs/model_card_outcome.md"))
    commands.add_parser("speed", help="measure how long an answer takes")
    judging.add_argument("--tracking", default="", help="also keep an MLflow run in this tracking store")
    return parser


def _fit(data: Path, out: Path) -> str:
    outcomes = read(data)
    row, grid = ROWS[OURS]
    settings = choose(row, grid, outcomes, folds=range(FOLDS))
    facts = {
        "source": "error and runtime matrices of Oboe (Yang et al., KDD 2019) on OpenML datasets",
        "datasets": len(outcomes.names),
        "data_ids": [int(name) for name in outcomes.names],
        "digest": outcomes.digest,
        "settings": dict(settings),
    }
    model = fitted(outcomes, Ranking(**settings), facts)
    content = model.to_bytes()
    (out / "outcome.npz").write_bytes(content)
    told = evidence(outcomes).to_bytes()
    (out / "evidence.npz").write_bytes(told)
    return f"outcome.npz: {len(content)} bytes, evidence.npz: {len(told)} bytes, {dict(settings)}\n"


def _evaluate(given: argparse.Namespace) -> str:
    outcomes = read(given.data)
    if given.held_out is None:
        report = judge(outcomes, starts=given.starts, only=given.rows)
    else:
        other = read(given.held_out)
        unseen = np.array([at for at, name in enumerate(other.names) if name not in outcomes.names], int)
        if not len(unseen) or other.configurations != outcomes.configurations:
            raise MileError(f"{given.held_out} holds no datasets of the same configurations that DATA lacks.")
        report = judge_splits([(outcomes, other.only(unseen))], starts=given.starts, only=given.rows)
    paths = write(report, given.out)
    if given.tracking:
        _track(given, outcomes, report, paths)
    return table(report)


def _track(given: argparse.Namespace, outcomes: Outcomes, report: dict[str, Any], paths: list[Path]) -> None:
    from experiments.prediction.tracking import track

    parameters = {"starts": given.starts, "rows": ",".join(given.rows), "data": outcomes.digest}
    name = hashlib.sha256(json.dumps(parameters).encode()).hexdigest()[:12]
    figures = {
        row: {"regret_5": told["regret_5"][0], "area": told["area"][0], "seconds": told["seconds"][0]}
        for row, told in report["rows"].items()
    }
    track(given.tracking, name, parameters, figures, paths, given.out / "artifacts")


if __name__ == "__main__":
    sys.exit(main())
