"""How the policies do where something is not as in the training: costs, people, the family of workflows.

    python -m experiments.shifts TRACES... [--test BANK] [--shifts costs people families] [--out DIR]

- **costs**: loads and writes are believed to take half or twice as long as they truly do when a session begins, as on
  a machine that nothing was measured on.
- **people**: the person is drawn by a prediction model that was fitted on one quarter of the people alone; what may
  come next is said by one that saw all others, and the policy was trained on sessions drawn by the latter.
- **families**: the policy was trained, and chosen, without one family of workflows, and plays only that one.

Policies are trained as the one that ships, one seed each. Everything lies in DIR and is not made again. Bars:
no policy that ships waits longer than 1.03 x GDSF on average under any of these.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from envs.bank import Bank
from envs.making import make_bank
from envs.workload.generate import Plan
from envs.workload.recipes import FAMILIES
from experiments.agent.contest import cases, contest
from experiments.agent.ppo import PpoSettings
from experiments.agent.table import markdown, ratio, relative
from experiments.prediction.held_out import HeldOut
from experiments.train import TRAINING, VALIDATION, TrainArguments
from experiments.train import run as train
from mile_rl.errors import MileError
from traces.reader import Traces

LOG = logging.getLogger("experiments.shifts")

SHIFTS: Final = ("costs", "people", "families")
POLICIES: Final = ("none", "helix", "gdsf", "expected")
SHARES: Final = (0.01, 0.05, 0.10, 0.25, 0.50)
BELIEVED: Final = (0.5, 1.0, 2.0)
UNSEEN: Final = 0
"""The quarter of the people that a shift of people is drawn from."""

TEST_SEED: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftArguments:
    """What is to be shifted.

    Args:
        traces: folders that ``python -m traces mine`` wrote; only for people.
        folder: where everything is kept.
        test: the sessions whose costs are shifted; drawn where None.
        shifts: which ones.
        families: each left out once.
        sessions: of each test.
        training: how many sessions each policy is trained on.
        validation: how many choose its checkpoint.
        settings: of PPO.
        seed: of the conditions.
        processes: how many cases are played at once.
    """

    traces: tuple[Path, ...] = ()
    folder: Path = Path("build/shifts")
    test: Path | None = None
    shifts: tuple[str, ...] = SHIFTS
    families: tuple[str, ...] = FAMILIES
    sessions: int = 100
    training: int = TRAINING[1]
    validation: int = VALIDATION[1]
    settings: PpoSettings = field(default_factory=PpoSettings)
    seed: int = 1
    processes: int = 2


def run(arguments: ShiftArguments) -> pd.DataFrame:
    """Play every shift; write DIR/report.md and DIR/waiting.csv.gz; return the table.

    Raises:
        MileError: there are no traces to fit on, or a bank cannot be read.
    """
    arguments.folder.mkdir(parents=True, exist_ok=True)
    frames = []
    for name in arguments.shifts:
        frames += {"costs": _costs, "people": _people, "families": _families}[name](arguments)
    frame = pd.concat(frames, ignore_index=True)
    frame.to_csv(arguments.folder / "waiting.csv.gz", index=False)
    found = table(frame, seed=arguments.seed)
    text = "# Where something is not as in the training\n\nBudgets up to 50 %, pooled.\n\n" + markdown(
        found, first="shift, policy"
    )
    (arguments.folder / "report.md").write_text(text + "\n", encoding="utf-8")
    LOG.info("%s", arguments.folder / "report.md")
    return found


def table(frame: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return a row a shift and policy: waiting relative to keeping nothing, to GDSF and to the expected saving.

    Args:
        frame: from ``contest``, with a column ``shift``.
        seed: of the bootstrap.
    """
    rows: dict[str, dict[str, Any]] = {}
    for shift, part in frame.groupby("shift", sort=False):
        wide = relative(part)
        for policy in wide.columns:
            row: dict[str, Any] = {
                "mean / none": float(wide[policy].mean()),
                "worst / none": float(wide[policy].max()),
            }
            for reference in ("gdsf", "expected"):
                row[f"/ {reference}"] = ratio(wide, policy, reference, seed=seed)
            rows[f"{shift}, {policy}"] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def _played(
    bank: Bank, shift: str, policy: Path | None, arguments: ShiftArguments, *, believing: float = 1.0
) -> pd.DataFrame:
    name = f"learned:{policy}" if policy else "learned"
    drawn = cases(bank, seed=arguments.seed, shares=SHARES, believing=believing)
    frame = contest(drawn, [*POLICIES, name], processes=arguments.processes)
    LOG.info("%s: %d sessions", shift, len(bank))
    return frame.replace({"policy": {name: "learned"}}).assign(shift=shift)


def _costs(arguments: ShiftArguments) -> Iterator[pd.DataFrame]:
    bank = _drawn("test", Plan(seed=TEST_SEED), arguments.sessions, arguments, given=arguments.test)
    for times in BELIEVED:
        yield _played(
            bank[: arguments.sessions], f"costs believed {times:g} x", None, arguments, believing=times
        )


def _people(arguments: ShiftArguments) -> Iterator[pd.DataFrame]:
    if not arguments.traces:
        raise MileError(
            "a shift of people needs traces to fit on: name a folder that `python -m traces mine` wrote"
        )
    histories = {history.id: history for folder in arguments.traces for history in Traces(folder)}
    fits = HeldOut(list(histories.values()), arguments.folder)
    known, unlike = fits.without(UNSEEN), fits.only(UNSEEN)
    policy = _trained(
        "people",
        _drawn("people_training", _plan(TRAINING[0], known, known), arguments.training, arguments),
        _drawn("people_validation", _plan(VALIDATION[0], known, known), arguments.validation, arguments),
        arguments,
    )
    for name, draws in (("people", known), ("other people", unlike)):
        bank = _drawn(f"test_{draws.stem}", _plan(TEST_SEED, draws, known), arguments.sessions, arguments)
        yield _played(bank, name, policy, arguments)


def _plan(seed: int, draws: Path, foresees: Path) -> Plan:
    return Plan(seed=seed, draws=draws, foresees=foresees)


def _families(arguments: ShiftArguments) -> Iterator[pd.DataFrame]:
    training = _drawn("training", Plan(seed=TRAINING[0]), arguments.training, arguments)
    validation = _drawn("validation", Plan(seed=VALIDATION[0]), arguments.validation, arguments)
    for family in arguments.families:
        policy = _trained(
            f"without_{family}", _others(training, family), _others(validation, family), arguments
        )
        plan = Plan(seed=TEST_SEED, families=(family,))
        bank = _drawn(f"test_{family}", plan, arguments.sessions, arguments)
        yield _played(bank, f"without {family}", policy, arguments)


def _others(bank: Bank, family: str) -> Bank:
    """Return the sessions of all other families, as the generator names them."""
    others: Bank = bank[[at for at, script in enumerate(bank) if script.name.split("-")[0] != family]]
    return others


def _drawn(
    name: str, plan: Plan, sessions: int, arguments: ShiftArguments, *, given: Path | None = None
) -> Bank:
    path = given or arguments.folder / f"{name}.npz"
    if not path.exists():
        LOG.info("drawing %d sessions into %s", sessions, path)
        make_bank(plan, sessions, jobs=arguments.processes).save(path)
    return Bank.load(path)


def _trained(name: str, training: Bank, validation: Bank, arguments: ShiftArguments) -> Path:
    """Return the policy file of a training on some sessions, one seed."""
    folder = arguments.folder / name
    for part, bank in (("training", training), ("validation", validation)):
        if not (folder / f"{part}.npz").exists():
            bank.save(folder / f"{part}.npz")
    told = TrainArguments(folder=folder, seeds=(0,), settings=arguments.settings, processes=1)
    figures = train(told)
    LOG.info("%s: %s", name, json.dumps(figures["validation"]))
    return folder / "learned_0.onnx"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.shifts", description=__doc__)
    parser.add_argument("traces", nargs="*", type=Path, help="folders of mined traces; for people")
    parser.add_argument(
        "--test", type=Path, default=None, help="sessions whose costs are shifted (default: drawn)"
    )
    parser.add_argument("--shifts", nargs="+", choices=SHIFTS, default=list(SHIFTS))
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--sessions", type=int, default=100, help="of each test")
    parser.add_argument("--out", type=Path, default=Path("build/shifts"), help="folder for everything")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    arguments = ShiftArguments(
        traces=tuple(given.traces),
        folder=given.out,
        test=given.test,
        shifts=tuple(given.shifts),
        families=tuple(given.families),
        sessions=given.sessions,
        processes=given.processes,
    )
    try:
        run(arguments)
    except (MileError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
