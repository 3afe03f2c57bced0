"""Train the policy that corrects the expected saving: PPO, five seeds, the best on validation is exported.

    python -m experiments.train [--train BANK] [--validation BANK] [--seeds 0 1 2 3 4] [--out DIR] [--ship]

Banks that are not there are made (seeds 0 and 1 of ``python -m envs make``). An interrupted training goes on where it
stopped: what is finished in DIR is not done again. Everything is one MLflow run: settings, commit, digests of the
banks, learning curves, plots and the ONNX files. ``--ship`` puts the chosen one where the engine looks for it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from envs.bank import Bank
from envs.making import make_bank
from envs.workload.generate import Plan
from experiments.agent.export import write_onnx
from experiments.agent.plots import draw_curves
from experiments.agent.ppo import PpoSettings, Trained, judge_on, train_seed
from experiments.agent.quick import Player, draw_cases
from experiments.prediction.tracking import track
from mile_rl.errors import MileError
from mile_rl.policies.appraisal import ExpectedSettings
from mile_rl.policies.expected import TUNED
from mile_rl.policies.learned import SHIPPED
from mile_rl.policies.network import file_metadata

LOG = logging.getLogger("experiments.train")

TRAINING = (0, 1_000)
VALIDATION = (1, 120)
"""Seed and number of sessions of the banks that are made where none is named; 2 is the test bank's seed."""

JUDGED = (0.05, 0.10, 0.25, 0.50)
"""Budgets that a network is judged under."""

CONDITIONS_SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainArguments:
    """What a training is told.

    Args:
        training: a bank; made where None.
        validation: likewise.
        seeds: of PPO.
        folder: where everything is kept.
        tracking: MLflow's tracking store; a SQLite file in ``folder`` where empty.
        settings: of PPO.
        ship: whether to put the chosen file where the engine looks for it.
        processes: seeds trained at once.
    """

    training: Path | None = None
    validation: Path | None = None
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    folder: Path = Path("build/agent")
    tracking: str = ""
    settings: PpoSettings = field(default_factory=PpoSettings)
    ship: bool = False
    processes: int = 2


def run(arguments: TrainArguments) -> dict[str, Any]:
    """Train, choose, export, track; return the figures.

    Raises:
        ScriptError: a bank cannot be read.
    """
    started = time.monotonic()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    training = _bank(arguments.training, arguments.folder / "training.npz", *TRAINING)
    validation = _bank(arguments.validation, arguments.folder / "validation.npz", *VALIDATION)
    told = _told(arguments, training, validation)
    digest = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()
    told["commit"] = _commit()  # behind the digest: another commit may go on with the same training
    known = arguments.folder / "digest.txt"
    if known.exists() and known.read_text(encoding="utf-8") != digest:
        raise MileError(
            f"{arguments.folder} holds a training with other settings or banks; name another folder by --out, "
            "or remove it"
        )
    known.write_text(digest, encoding="utf-8")
    jobs = [(arguments, training, validation, seed) for seed in arguments.seeds]
    if arguments.processes > 1:
        with multiprocessing.get_context("spawn").Pool(min(arguments.processes, len(jobs))) as pool:
            found = list(pool.imap(_train, jobs))
    else:
        found = [_train(job) for job in jobs]
    metadata = file_metadata(
        action_scale=arguments.settings.scale, settings=ExpectedSettings(**TUNED), training_digest=digest
    )
    files = []
    for trained in found:
        files.append(arguments.folder / f"learned_{trained.seed}.onnx")
        write_onnx(files[-1], trained.layers, metadata)
    best = min(found, key=lambda trained: trained.best)
    chosen = files[found.index(best)]
    if arguments.ship:
        write_onnx(SHIPPED, best.layers, metadata)
    figures: dict[str, Any] = {
        "chosen": best.seed,
        "validation": {f"seed {trained.seed}": trained.best for trained in found},
        "seconds": round(time.monotonic() - started, 1),
    }
    report = arguments.folder / "training.json"
    curves = {f"seed {trained.seed}": trained.curve for trained in found}
    report.write_text(json.dumps({**told, **figures, "curves": curves}, indent=1) + "\n", encoding="utf-8")
    plot = draw_curves(curves, arguments.folder)
    run_id = track(
        arguments.tracking or f"sqlite:///{(arguments.folder / 'mlflow.db').resolve()}",
        f"training {digest[:8]}",
        {**told["settings"], **{key: value for key, value in told.items() if key != "settings"}},
        figures,
        [report, plot, *files],
        arguments.folder / "artifacts",
        experiment="agent",
        curves=curves,
    )
    LOG.info("seed %d is best: %s; run %s, %.0f s", best.seed, chosen, run_id, time.monotonic() - started)
    return figures


def _train(job: tuple[TrainArguments, Path, Path, int]) -> Trained:
    arguments, training, validation, seed = job
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    constants = ExpectedSettings(**TUNED)
    judged = Bank.load(validation)
    player = Player(judged, draw_cases(judged, seed=CONDITIONS_SEED, shares=JUDGED))
    return train_seed(
        Bank.load(training),
        judge_on(player, arguments.settings, constants),
        seed,
        arguments.folder / f"seed_{seed}",
        arguments.settings,
        constants,
        LOG.info,
    )


def _bank(given: Path | None, made: Path, seed: int, sessions: int) -> Path:
    if given is not None:
        return given
    if not made.exists():
        LOG.info("drawing %d sessions into %s", sessions, made)
        make_bank(Plan(seed=seed), sessions).save(made)
    return made


def _told(arguments: TrainArguments, training: Path, validation: Path) -> dict[str, Any]:
    return {
        "settings": asdict(arguments.settings),
        "constants": dict(TUNED),
        "training": _content(training),
        "validation": _content(validation),
    }


def _content(path: Path) -> str:
    """Return a digest of a bank's arrays; the file's own bytes hold the time of its making."""
    digest = hashlib.blake2b(digest_size=16)
    for script in Bank.load(path):
        for name, array in sorted(script.arrays().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _commit() -> str:
    here = Path(__file__).resolve().parent
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.train", description=__doc__)
    parser.add_argument("--train", type=Path, default=None, help="bank to train on (default: made)")
    parser.add_argument("--validation", type=Path, default=None, help="bank to choose on (default: made)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--out", type=Path, default=Path("build/agent"), help="folder for everything")
    parser.add_argument("--tracking", default="", help="MLflow tracking URI (default: SQLite in the folder)")
    parser.add_argument("--decisions", type=int, default=PpoSettings().decisions, help="of each seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--ship", action="store_true", help="put the chosen file into the package")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    arguments = TrainArguments(
        training=given.train,
        validation=given.validation,
        seeds=tuple(given.seeds),
        folder=given.out,
        tracking=given.tracking,
        settings=PpoSettings(decisions=given.decisions),
        ship=given.ship,
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
