"""Making banks of simulated sessions, by several processes, the same for the same seed."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

from envs.bank import Bank
from envs.workload.generate import Plan, simulate

_AT_ONCE: Final = 8

Progress = Callable[[int, int, str], None]


def make_bank(
    plan: Plan,
    sessions: int,
    *,
    first: int = 0,
    jobs: int | None = None,
    on_progress: Progress | None = None,
) -> Bank:
    """Return a bank of simulated sessions.

    Args:
        plan: what to draw.
        sessions: how many.
        first: the number of the first; banks of other numbers hold other sessions.
        jobs: how many processes; one a core where None, none but this one where 1.
        on_progress: called with (done, total, note).
    """
    jobs = min(jobs or os.cpu_count() or 1, max(1, sessions // _AT_ONCE))
    numbers = range(first, first + sessions)
    work = partial(simulate, plan)
    facts = {
        "seed": plan.seed,
        "first": first,
        "families": list(plan.families),
        "least_turns": plan.least_turns,
        "draws": plan.draws.name if plan.draws else "",
        "foresees": plan.foresees.name if plan.foresees else "",
    }
    scripts = []
    if jobs == 1:
        for script in map(work, numbers):
            scripts.append(script)
            if on_progress:
                on_progress(len(scripts), sessions, script.name)
        return Bank(scripts, facts)
    # Spawned, not forked: a fork copies threads' locks, and macOS does not fork well.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        for script in pool.map(work, numbers, chunksize=_AT_ONCE):
            scripts.append(script)
            if on_progress:
                on_progress(len(scripts), sessions, script.name)
    return Bank(scripts, facts)


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
