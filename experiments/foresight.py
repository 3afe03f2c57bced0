"""How much could be gained by knowing what people are likely to do, without knowing what they will do.

    python -m experiments.foresight [--sessions N] [--seed N] [--out FILE]

The oracle knows what comes; a policy knows chances at best. Simulated sessions come from a generator, so the very
chances that they are drawn with can be had, by drawing how a session may go on many times over. The same sessions are
played by

- ``told``: the expected saving, told these chances (of what is edited together, and of the end) instead of the
  prediction's;
- ``planned``: plays drawn futures on under three answers to each decision (the worth times e⁻², 1 and e²), all later
  ones by the expected saving, and takes another answer where it waits less by more than a standard error;
- ``oracle``: the exact one, under the guard.

What ``planned`` gains is measured on the sessions, and over futures that its choices have not seen (``unseen``), in
which luck averages out: by how much its answers are better there adds up to the difference between the two policies
(Kakade and Langford, "Approximately optimal approximate reinforcement learning", 2002, lemma 6.1).
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from envs.bank import Bank
from envs.conditions import Conditions
from envs.script import Script
from envs.workload.generate import Plan, unfold
from experiments.agent.futures import Plays, ends, futures, likely_next
from experiments.agent.oracle import oracle
from experiments.agent.ppo import PpoSettings
from experiments.agent.quick import Case, Player
from experiments.agent.story import story_of
from experiments.train import CONDITIONS_SEED, JUDGED, VALIDATION
from mile_rl.errors import MileError
from mile_rl.policies.ledger import Terms

LOG = logging.getLogger("experiments.foresight")

Floats = npt.NDArray[np.float64]

ACTIONS: Final = (-1.0, 0.0, 1.0)
"""Answers that ``planned`` tries; 0 is the expected saving's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForesightSettings:
    """How much is drawn.

    Args:
        sessions: played, the first so many of the seed's.
        seed: of the sessions; the default is the validation bank's.
        draws: of the next iteration, for ``told``.
        choosing: futures that ``planned`` chooses by.
        judging: futures that say what its choices bring.
        horizon: iterations of a future.
        shares: budgets.
    """

    sessions: int = 40
    seed: int = VALIDATION[0]
    draws: int = 32
    choosing: int = 12
    judging: int = 4
    horizon: int = 10
    shares: tuple[float, ...] = JUDGED


def run(settings: ForesightSettings) -> dict[str, Any]:
    """Play all sessions and return the figures: waiting relative to the expected saving's, with intervals."""
    started = time.process_time()
    plan = Plan(seed=settings.seed)
    rows: list[dict[str, float]] = []
    for index in range(settings.sessions):
        rows += _one(plan, index, settings)
        LOG.info("%d sessions, %.0f s: %s", index + 1, time.process_time() - started, summary(rows))
    return {
        **asdict(settings),
        "seconds": time.process_time() - started,
        "ratios": summary(rows),
        "rows": rows,
    }


def summary(rows: Sequence[dict[str, float]]) -> dict[str, tuple[float, float, float]]:
    """Return each one's mean ratio to the expected saving with a 95 % interval, by bootstrap over sessions."""
    names = [name for name in rows[0] if name not in ("session", "share", "decisions", "changed")]
    who = np.array([row["session"] for row in rows])
    found = {}
    for name in names:
        ratios = np.array([row[name] for row in rows])
        means = np.array([ratios[who == session].mean() for session in np.unique(who)])
        again = np.random.default_rng(0).choice(means, size=(4_000, means.size)).mean(axis=1)
        low, high = np.percentile(again, (2.5, 97.5))
        found[name] = (round(float(means.mean()), 4), round(float(low), 4), round(float(high), 4))
    return found


def _one(plan: Plan, index: int, settings: ForesightSettings) -> list[dict[str, float]]:
    rng = np.random.default_rng((settings.seed, index))
    ahead: list[tuple[Plays, npt.NDArray[np.int64]]] = []
    expected = []
    for session in unfold(plan, index):
        drawn = futures(session, plan, settings.choosing + settings.judging, settings.horizon, rng)
        ahead.append((Plays(drawn), rng.integers(2**62, size=len(drawn))))
        expected.append((likely_next(session, settings.draws, rng), ends(plan, session.turns)))
    script = session.script("as it is")
    for turn, (likely, stop) in enumerate(expected):
        session.writer.foresee(turn, likely, stop=stop)
    both = Bank([script, session.script("told")])
    rows = []
    for at, share in enumerate(settings.shares):
        luck = np.random.default_rng((CONDITIONS_SEED, index, at))
        conditions = Conditions.draw(luck, script, budget=share)
        waited = Player(both, [Case(number=number, conditions=conditions) for number in (0, 1)]).expected()
        bound = oracle(story_of(script, conditions), conditions.budget_bytes, terms=Terms())
        row = {"session": index, "share": share, "oracle": bound.bound_ns / 1e9, "told": waited[1]}
        row.update(planned(script, conditions, ahead, settings.choosing, waited[0] * 1e9))
        rows.append(
            {name: row[name] / waited[0] if name in ("oracle", "told") else row[name] for name in row}
        )
    return rows


def planned(
    script: Script,
    conditions: Conditions,
    ahead: Sequence[tuple[Plays, npt.NDArray[np.int64]]],
    choosing: int,
    reference_ns: float,
) -> dict[str, float]:
    """Play a session by looking at drawn futures.

    Args:
        script: the session.
        conditions: the store, the disk and the luck.
        ahead: of every iteration, its futures and their luck.
        choosing: how many of the futures are chosen by.
        reference_ns: what the expected saving waits.

    Returns:
        planned: its waiting on the session, and ``unseen``, 1 + what its choices bring in other futures, both
        relative to the reference; decisions, and how many were answered otherwise.
    """
    multipliers = np.exp(PpoSettings().scale * np.asarray(ACTIONS))
    real, answers, changed, brought = Plays([script]), [], 0, 0.0
    real.begin(conditions)
    turn = -1
    while real.running.any():
        if real.turn != turn:
            turn = real.turn
            plays, luck = ahead[turn]
            plays.begin(conditions, answers)
        tried = np.stack([plays.tried_ns(multiplier, luck) for multiplier in multipliers])
        longer = tried - tried[ACTIONS.index(0.0)]
        best = choice(longer[:, :choosing])
        changed += ACTIONS[best] != 0
        brought += float(longer[best, choosing:].mean())
        answers.append(float(multipliers[best]))
        plays.answer(answers[-1])
        real.answer(answers[-1])
    return {
        "planned": float(real.waited_ns[0]) / reference_ns,
        "unseen": 1.0 + brought / reference_ns,
        "decisions": len(answers),
        "changed": changed,
    }


def choice(longer: Floats) -> int:
    """Return which answer waits least, if it is by more than a standard error; the expected saving's otherwise.

    Args:
        longer: float64[answers, futures], how much longer each waits than the expected saving.
    """
    mean = longer.mean(axis=1)
    error = longer.std(axis=1, ddof=1) / math.sqrt(longer.shape[1])
    return int(np.where(mean < -error, mean, 0.0).argmin()) if (mean < -error).any() else ACTIONS.index(0.0)


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.foresight", description=__doc__)
    parser.add_argument("--sessions", type=int, default=ForesightSettings().sessions)
    parser.add_argument("--seed", type=int, default=ForesightSettings().seed)
    parser.add_argument("--out", type=Path, default=Path("build/foresight.json"))
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        figures = run(ForesightSettings(sessions=given.sessions, seed=given.seed))
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    except (MileError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
