"""How long a decision takes in the training environments on one core: the bar is 20 µs, 50,000 a second.

64 episodes at once, of simulated sessions; processor time of one thread, everything included (planning, valuing,
observing, the reference's own run of every episode, drawing the next ones); the best of some repeats.
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from experiments.bench.verdicts import Row

EPISODES: Final = 64
SESSIONS: Final = 200
STEPS: Final = 300
BAR_US: Final = 20.0


def bench(*, repeats: int, sessions: int = SESSIONS, steps: int = STEPS) -> list[Row]:
    """Return the rows of the benchmark.

    Args:
        repeats: how often each is timed.
        sessions: how many are drawn for it.
        steps: of all episodes at once, each time.
    """
    from envs.environment import make_vec
    from envs.making import make_bank
    from envs.workload.generate import Plan

    started = time.process_time()
    bank = make_bank(Plan(seed=0), sessions, jobs=1)
    made = sessions / (time.process_time() - started)
    many = make_vec(bank, EPISODES)
    many.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = {
        "constant actions": lambda: np.zeros((EPISODES, 1), dtype=np.float32),
        "random actions": lambda: rng.uniform(-1, 1, (EPISODES, 1)).astype(np.float32),
    }
    many.step(actions["constant actions"]())  # compiles
    rows = []
    for name, draw in actions.items():
        best_us = float("inf")
        for _ in range(repeats):
            began = time.thread_time()
            for _ in range(steps):
                many.step(draw())
            best_us = min(best_us, (time.thread_time() - began) / steps / EPISODES * 1e6)
        note = f"{1e6 / best_us:,.0f} decisions a second"
        what = f"a decision, {name}, µs"
        rows.append(
            Row(section="environment", system="mile", what=what, value=best_us, bar=BAR_US, note=note)
        )
    rows.append(Row(section="environment", system="mile", what="sessions drawn a second", value=made))
    return rows
