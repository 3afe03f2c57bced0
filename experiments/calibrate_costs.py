"""Measure what real operators cost on this machine, fit the model that ships, compare it with public runtimes.

    python -m experiments.calibrate_costs measure [--quick] [--operators NAME…] [--out FILE]
    python -m experiments.calibrate_costs fit [--measured FILE…] [--out FOLDER]
    python -m experiments.calibrate_costs report [--doc FILE]
    python -m experiments.calibrate_costs compare --oboe FOLDER

Times are processor time of one thread, so that they mean the same on a busy machine; ``measure`` goes on where it
was stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# before NumPy is imported, or its threads are there already
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "envs" / "costs"
MEASURED = Path("build/costs/measured.jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    from mile_rl.errors import MileError

    given = _parser().parse_args(argv)
    try:
        given.run(given)
    except MileError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.calibrate_costs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    measure = commands.add_parser("measure", help="measure operators, appending to a file")
    measure.add_argument("--quick", action="store_true", help="few and small shapes")
    measure.add_argument("--operators", nargs="+", default=(), help="only these")
    measure.add_argument("--out", type=Path, default=MEASURED, help="file of measurements")
    measure.add_argument("--cap-s", type=float, default=4.0, help="leave out what is expected to take longer")
    measure.add_argument("--minutes", type=float, default=20.0, help="processor time to spend")
    measure.add_argument("--draws", type=int, default=2, help="random parameter settings a shape")
    measure.add_argument("--seed", type=int, default=0)
    measure.set_defaults(run=_measure)
    fit = commands.add_parser("fit", help="fit the model to measurements; write table.csv and model.json")
    fit.add_argument(
        "--measured",
        type=Path,
        nargs="+",
        default=(),
        help="measurements, of several campaigns the least times; the table in --out by default",
    )
    fit.add_argument("--out", type=Path, default=SHIPPED, help="folder of the table and the model")
    fit.set_defaults(run=_fit)
    report = commands.add_parser("report", help="write the figures into the document")
    report.add_argument("--doc", type=Path, default=ROOT / "docs" / "costs.md")
    report.set_defaults(run=_report)
    compare = commands.add_parser("compare", help="rank correlation with public runtimes")
    compare.add_argument("--oboe", type=Path, required=True, help="folder of oboe_runtime_matrix.csv.gz")
    compare.add_argument("--doc", type=Path, default=None, help="document to write the table into as well")
    compare.set_defaults(run=_compare)
    return parser


def _measure(given: argparse.Namespace) -> None:
    from envs.costs import UnknownOperator
    from experiments.costs.campaign import Campaign, run
    from experiments.costs.registry import SPECS

    for name in given.operators:
        if name not in SPECS:
            raise UnknownOperator(name, SPECS)
    chosen = [SPECS[name] for name in given.operators] or list(SPECS.values())
    campaign = Campaign(
        out=given.out,
        quick=given.quick,
        cap_ns=round(given.cap_s * 1e9),
        budget_ns=round(given.minutes * 60e9),
        draws=given.draws,
        seed=given.seed,
    )
    rows = run(chosen, campaign, _progress)
    print(f"{given.out}: {len(rows)} measurements", file=sys.stderr)


def _progress(done: int, total: int, note: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{total} {note:<60}", end="", file=sys.stderr)
    elif done % 200 == 0:
        print(f"{done}/{total} {note}", file=sys.stderr)


def _fit(given: argparse.Namespace) -> None:
    from experiments.costs.campaign import read
    from experiments.costs.model_file import build
    from experiments.costs.table import merged, read_table, write_table

    rows = merged(map(read, given.measured)) if given.measured else read_table(given.out / "table.csv")
    build(rows, given.out / "model.json", on_progress=_progress)
    if given.measured:
        write_table(rows, given.out / "table.csv")


def _report(given: argparse.Namespace) -> None:
    from experiments.costs.document import write_document

    write_document(given.doc)


def _compare(given: argparse.Namespace) -> None:
    from envs.costs import CostModel
    from experiments.costs.document import OBOE, replace_block
    from experiments.costs.oboe import compare, table

    found = table(compare(given.oboe, CostModel.load()))
    if given.doc is not None:
        replace_block(given.doc, OBOE, found)
    print(found)


if __name__ == "__main__":
    sys.exit(main())
