"""Fit prediction and policy to one person, and say whether it helped on their last iterations.

    python -m experiments.personalise CATALOG_OR_MLFLOW --out DIR [--learned FILE.onnx] [--ppo N]

Reads a project's ``.mile`` catalog (folder, file or database URL) or an MLflow tracking store (``--mlflow`` for a
URI that could be either). Everything is split in time: the last fifth of the person's iterations is what is judged
on, the fifth before chooses, the rest is fitted on. What does not help there is not shipped: the file then holds what
came with MILE-RL. The engine adapts to a person without any of this, by what the prediction model reads of their
history; this comes on top.

Writes DIR/policy.onnx (``mile run --policy learned:DIR/policy.onnx``), DIR/prediction.json and DIR/report.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from envs.replay import LEAST_TURNS, MOST_TURNS, replayed, unfit
from envs.script import Script
from experiments.agent.person_policy import PolicyFile, few_steps, fit_constants, waiting
from experiments.agent.person_prediction import (
    Correction,
    PersonalPredictor,
    class_losses,
    fit,
    gain,
    moments,
    node_losses,
)
from experiments.agent.person_report import report
from mile_rl.errors import MileError
from mile_rl.policies.appraisal import ExpectedSettings
from mile_rl.policies.expected import TUNED
from mile_rl.policies.learned import SHIPPED, Learned
from traces.errors import TraceError
from traces.people import Pseudonyms
from traces.schema import History
from traces.sources.base import Tally
from traces.sources.catalog import EngineCatalog
from traces.sources.mlflow_runs import MlflowRuns

LOG = logging.getLogger("experiments.personalise")

FITTED: Final = 0.6
CHOSEN: Final = 0.8
"""Up to these shares of the iterations, in time: what is fitted on, and what chooses."""

LEAST_DECISIONS: Final = 20
"""With fewer nothing can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalArguments:
    """What is to be fitted.

    Args:
        location: a catalog or a tracking store.
        folder: where the files are written.
        mlflow: whether the location is a tracking store; found out where None.
        learned: the policy file to begin with; the shipped one where None, the expected saving where there is none.
        ppo: decisions of PPO on the person's own sessions; 0 for none.
        seed: of everything drawn.
    """

    location: str
    folder: Path
    mlflow: bool | None = None
    learned: Path | None = None
    ppo: int = 0
    seed: int = 0


def read_histories(location: str, *, mlflow: bool | None = None) -> list[History]:
    """Return the histories in a catalog or a tracking store.

    Raises:
        TraceError: it is neither.
    """
    path = Path(location)
    if mlflow is None:
        is_catalog = any(each.is_file() for each in (path / "catalog.db", path / ".mile" / "catalog.db"))
        mlflow = not (is_catalog or path.name == "catalog.db")
    # Nothing leaves this process, so the pseudonyms need not be the same the next time.
    pseudonyms = Pseudonyms(secrets.token_bytes(16))
    source = MlflowRuns(location, pseudonyms) if mlflow else EngineCatalog(location, pseudonyms)
    return list(source.histories(Tally()))


def cut_times(histories: Sequence[History]) -> tuple[int, int]:
    """Return when the fitted part ends, and when the choosing part does, in Unix milliseconds."""
    starts = sorted(each.start_ms or 0 for history in histories for each in history.iterations)
    last = len(starts) - 1
    return starts[round(FITTED * last)], starts[round(CHOSEN * last)]


def run(arguments: PersonalArguments) -> dict[str, Any]:
    """Fit, judge, write; return the figures.

    Raises:
        TraceError: the location holds no histories, or too few decisions.
    """
    histories = read_histories(arguments.location, mlflow=arguments.mlflow)
    if not histories:
        raise TraceError(f"{arguments.location} holds no history: run something there first")
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    correction, policy, figures = fitted(histories, arguments)
    policy.write(folder / "policy.onnx", arguments.location)
    (folder / "prediction.json").write_text(
        json.dumps(correction.to_json(), indent=1) + "\n", encoding="utf-8"
    )
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(report(figures, folder / "policy.onnx"), encoding="utf-8")
    LOG.info("%s", folder / "report.md")
    return figures


def fitted(
    histories: Sequence[History], arguments: PersonalArguments
) -> tuple[Correction, PolicyFile, dict[str, Any]]:
    """Return what was fitted to a person's histories, and what it brought.

    Raises:
        TraceError: there are too few decisions.
    """
    correction, said = personal_prediction(histories)
    policy, told = personal_policy(histories, correction, arguments)
    return correction, policy, {"histories": len(histories), "prediction": said, "policy": told}


def personal_prediction(histories: Sequence[History]) -> tuple[Correction, dict[str, Any]]:
    """Return the correction to ship, and what it does to the loss on the last fifth of the decisions.

    Raises:
        TraceError: there are too few decisions.
    """
    found = moments(histories)
    if len(found) < LEAST_DECISIONS:
        raise TraceError(
            f"{len(found)} decisions are too few to learn from, at least {LEAST_DECISIONS} are needed: until then "
            "the engine's own adaptation is all there is"
        )
    split = round(CHOSEN * len(found))
    # Of what it is told it fits on three quarters and chooses by the last one: 60 and 20 % of all.
    correction = fit(found[:split])
    last = found[split:]
    told: dict[str, Any] = {"decisions": len(found), "judged": len(last), "correction": correction.to_json()}
    for name, losses in (("classes", class_losses), ("nodes", node_losses)):
        told[name] = gain(losses(last, Correction()), losses(last, correction))
    return correction, told


def personal_policy(
    histories: Sequence[History], correction: Correction, arguments: PersonalArguments
) -> tuple[PolicyFile, dict[str, Any]]:
    """Return the policy to ship, and what it does to the waiting in the last fifth of the iterations."""
    path = arguments.learned or (SHIPPED if SHIPPED.exists() else None)
    start = PolicyFile.read(path) if path else PolicyFile.plain(ExpectedSettings(**TUNED))
    usable = [_latest(each) for each in histories if not unfit(each)]
    fitted_ms, chosen_ms = cut_times(histories)
    fit_on = [_until(each, fitted_ms) for each in usable]
    known = [replayed(each, seed=arguments.seed) for each in fit_on if each and len(each) >= LEAST_TURNS]
    told: dict[str, Any] = {"sessions": len(usable), "began_with": path.name if path else "expected"}
    if not known:
        return start, {**told, "chosen": "as shipped", "why": "no session is long enough to be fitted on"}
    plain = [replayed(each, seed=arguments.seed) for each in usable]
    own = [replayed(each, seed=arguments.seed, predictor=PersonalPredictor(correction)) for each in usable]
    middle, late = (_turns(usable, each) for each in (fitted_ms, chosen_ms))
    candidates = {"as shipped": start}
    settings = fit_constants(known, start, seed=arguments.seed)
    if settings != start.settings:
        candidates["own constants"] = replace(start, settings=settings)
    if arguments.ppo:
        begun = candidates.get("own constants", start)
        candidates["own network"] = few_steps(known, begun, decisions=arguments.ppo, seed=arguments.seed)
    scores = {
        name: float(waiting(plain, middle, late, partial(_policy, each, arguments)).sum())
        for name, each in candidates.items()
    }
    chosen = min(scores, key=lambda name: scores[name])
    told |= {"chosen": chosen, "choosing_s": scores, "settings": asdict(candidates[chosen].settings)}
    ends = [script.turns for script in plain]
    if any(a < b for a, b in zip(late, ends)):
        told["judged_s"] = _judged(plain, own, late, ends, start, candidates[chosen], arguments)
    return candidates[chosen], told


def _judged(
    plain: Sequence[Script],
    own: Sequence[Script],
    late: Sequence[int],
    ends: Sequence[int],
    start: PolicyFile,
    chosen: PolicyFile,
    arguments: PersonalArguments,
) -> dict[str, Any]:
    """Return the waiting in the last fifth: shipped and personal policy, by shipped and personal prediction."""
    found = {
        f"{policy} policy, {prediction} prediction": waiting(
            scripts, late, ends, partial(_policy, file, arguments)
        )
        for prediction, scripts in (("shipped", plain), ("own", own))
        for policy, file in (("shipped", start), ("own", chosen))
    }
    reference = found["shipped policy, shipped prediction"]
    rng = np.random.default_rng(arguments.seed)
    picks = rng.integers(len(plain), size=(2_000, len(plain)))
    told: dict[str, Any] = {}
    for name, spent in found.items():
        ours, theirs = spent.sum(axis=1), reference.sum(axis=1)
        drawn = ours[picks].sum(axis=1) / np.maximum(theirs[picks].sum(axis=1), 1e-9)
        low, high = np.quantile(drawn, (0.025, 0.975))
        told[name] = {
            "seconds": float(spent.sum()),
            "ratio": float(ours.sum() / max(theirs.sum(), 1e-9)),
            "low": float(low),
            "high": float(high),
        }
    return told


def _policy(file: PolicyFile, arguments: PersonalArguments) -> Learned:
    """Return a fresh policy by way of a file, as the engine would read it."""
    path = arguments.folder / "tried.onnx"
    file.write(path, arguments.location)
    try:
        return Learned(path)
    finally:
        path.unlink()


def _latest(history: History) -> History:
    """Return the last ``MOST_TURNS`` iterations of a history; no return goes further back."""
    first = len(history) - MOST_TURNS
    if first <= 0:
        return history
    kept = (
        replace(
            each,
            returns_to=each.returns_to if each.returns_to is not None and each.returns_to >= first else None,
        )
        for each in history.iterations[first:]
    )
    return replace(history, iterations=tuple(kept))


def _until(history: History, end_ms: int) -> History | None:
    kept = tuple(each for each in history.iterations if (each.start_ms or 0) < end_ms)
    return replace(history, iterations=kept) if kept else None


def _turns(histories: Sequence[History], end_ms: int) -> list[int]:
    """Return of each history the first iteration that started at a time or after it."""
    return [sum((each.start_ms or 0) < end_ms for each in history.iterations) for history in histories]


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.personalise", description=__doc__)
    parser.add_argument("location", help="a project's folder or catalog, or an MLflow tracking store")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--mlflow", action="store_true", default=None, help="the location is a tracking store"
    )
    parser.add_argument("--learned", type=Path, default=None, help="policy file to begin with")
    parser.add_argument("--ppo", type=int, default=0, help="decisions of PPO on the person's own sessions")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    arguments = PersonalArguments(
        location=given.location,
        folder=given.out.resolve(),
        mlflow=given.mlflow,
        learned=given.learned,
        ppo=given.ppo,
        seed=given.seed,
    )
    try:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        run(arguments)
    except (MileError, TraceError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
