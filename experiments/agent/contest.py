"""Every policy on the same sessions, under the same budgets, disks and luck."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from envs.bank import Bank
from envs.conditions import Conditions
from envs.script import Script
from envs.session import play
from experiments.agent.oracle import oracle
from experiments.agent.story import story_of
from mile_rl.policies.base import Kept, Policy
from mile_rl.policies.guard import Guard
from mile_rl.policies.helix import Helix
from mile_rl.policies.registry import make_policy

BUDGETS: Final = (0.01, 0.05, 0.10, 0.25, 0.50, 1.00)
"""Shares of all intermediates of one version: 1 is what keeping everything of one run takes."""

HOARDING: Final = "helix never purging"
RULES: Final = ("none", "all", HOARDING, "helix", "lru", "gdsf", "density")
UNTUNED: Final = "expected (untuned)"
ORACLE: Final = "oracle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One session under one budget.

    Args:
        script: the session.
        share: the budget as a share of a version's intermediates.
        conditions: everything else; equal for all budgets of a session.
    """

    script: Script
    share: float
    conditions: Conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracles:
    """How the bound is found.

    Args:
        sessions: of how many sessions of each source, the first so many.
        limit_s: seconds a case.
        gap: relative, at which the solver stops.
        most_nodes: sessions with more nodes, all iterations together, are left without: the solver would hardly
            get started within its time.
    """

    sessions: int = 1_000
    limit_s: float = 20.0
    gap: float = 0.005
    most_nodes: int = 5_000


def cases(
    scripts: Sequence[Script],
    *,
    seed: int,
    shares: Sequence[float] = BUDGETS,
    believing: float = 1.0,
) -> list[Case]:
    """Draw every session's conditions once and put it under every budget.

    Args:
        scripts: the sessions.
        seed: of the conditions.
        shares: the budgets.
        believing: how many times as long as they truly take loads and writes are believed to take at first.
    """
    drawn = []
    for number, script in enumerate(scripts):
        rng = np.random.default_rng((seed, number))
        conditions = Conditions.draw(rng, script, budget=1.0)
        if believing != 1.0:
            conditions = conditions.believing(believing)
        for share in shares:
            held = replace(conditions, budget_bytes=int(share * script.intermediate_bytes))
            drawn.append(Case(script=script, share=share, conditions=held))
    return drawn


class HoardingHelix(Helix):
    """Helix's rule without its purge: what was kept once stays, so that a full store takes nothing any more.

    This is how the first experiments here read the rule ("no eviction"); as published it purges what changed.
    """

    name = HOARDING

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Let nothing go."""
        return ()


def policy_of(name: str) -> Policy:
    """Return a new policy by the name that tables use: settings' names, and what only stands beside them."""
    if name == HOARDING:
        return HoardingHelix()
    if name == UNTUNED:
        from mile_rl.policies.appraisal import UNTUNED as CONSTANTS
        from mile_rl.policies.expected import Expected

        return Expected(CONSTANTS)
    return make_policy(name)


def contest(
    drawn: Sequence[Case],
    policies: Sequence[str],
    *,
    oracles: Oracles | None = None,
    processes: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Play every case under every policy.

    Args:
        drawn: from :func:`cases`.
        policies: names for :func:`policy_of`.
        oracles: how to find the bounds; None for a table without them.
        processes: how many at once.
        progress: told how many of how many cases are done.

    Returns:
        A row a case and policy: source, session, group, share, policy, waiting_s, compute_s, load_s, write_s,
        plain_s, turns, proved and bound_s (of the oracle: whether it is the best there is, and what no
        schedule can beat).
    """
    quick = [name for name in policies if compiled_play(name)]
    slow = tuple(name for name in policies if name not in quick)
    bounded = _bounded(drawn, oracles)
    rows = _quick_rows(drawn, quick)
    if not slow and oracles is None:
        return pd.DataFrame(rows)
    jobs = [(case, slow, oracles if case.script.name in bounded else None) for case in drawn]
    if processes > 1:
        # A fork would copy the threads' locks of whatever library was imported before.
        pool = multiprocessing.get_context("spawn").Pool(processes)
        with pool:
            for done, found in enumerate(pool.imap(_contest, jobs, chunksize=4), 1):
                rows += found
                if progress:
                    progress(done, len(jobs))
    else:
        for done, job in enumerate(jobs, 1):
            rows += _contest(job)
            if progress:
                progress(done, len(jobs))
    return pd.DataFrame(rows)


def compiled_play(name: str) -> bool:
    """Return whether the compiled kernel plays a policy (a test shows that it plays it to the nanosecond)."""
    return name in (UNTUNED, "expected") or name.startswith("learned")


def _quick_rows(drawn: Sequence[Case], policies: Sequence[str]) -> list[dict[str, object]]:
    if not policies:
        return []
    from experiments.agent.export import read_onnx
    from experiments.agent.quick import Case as QuickCase
    from experiments.agent.quick import Player
    from mile_rl.policies.appraisal import UNTUNED as CONSTANTS
    from mile_rl.policies.appraisal import ExpectedSettings
    from mile_rl.policies.expected import TUNED
    from mile_rl.policies.learned import SHIPPED
    from mile_rl.policies.network import Network

    scripts = list({id(case.script): case.script for case in drawn}.values())
    number = {id(script): at for at, script in enumerate(scripts)}
    played = [QuickCase(number=number[id(case.script)], conditions=case.conditions) for case in drawn]
    player = Player(Bank(scripts), played)
    rows: list[dict[str, object]] = []
    for name in policies:
        if name.startswith("learned"):
            path = Path(name.partition(":")[2] or SHIPPED)
            network = Network(path)
            waited = player.learned(read_onnx(path), network.scale, network.settings)
        else:
            waited = player.expected(CONSTANTS if name == UNTUNED else ExpectedSettings(**TUNED))
        for case, seconds, parts in zip(drawn, waited.tolist(), player.parts.tolist()):
            split = dict(zip(("compute_s", "load_s", "write_s"), parts))
            rows.append({**_about(case), "policy": name, "waiting_s": seconds, **split, "proved": True})
    return rows


def _bounded(drawn: Sequence[Case], oracles: Oracles | None) -> set[str]:
    """Return the sessions whose bound is looked for."""
    names: dict[str, dict[str, None]] = {}
    for case in drawn:
        if oracles is not None and case.script.version_node.size <= oracles.most_nodes:
            names.setdefault(case.script.source, {})[case.script.name] = None
    most = oracles.sessions if oracles else 0
    return {name for found in names.values() for name in list(found)[:most]}


def _about(case: Case) -> dict[str, object]:
    return {
        "source": case.script.source,
        "session": case.script.name,
        "group": case.script.group,
        "share": case.share,
        "turns": case.script.turns,
    }


def _contest(job: tuple[Case, tuple[str, ...], Oracles | None]) -> list[dict[str, object]]:
    case, policies, oracles = job
    base = _about(case)
    rows: list[dict[str, object]] = []
    for name in policies:
        played = play(case.script, case.conditions, Guard(policy_of(name)))
        parts = {
            "compute_s": sum(played.compute_ns) / 1e9,
            "load_s": sum(played.load_ns) / 1e9,
            "write_s": sum(played.write_ns) / 1e9,
        }
        rows.append({**base, "policy": name, "waiting_s": sum(parts.values()), **parts, "proved": True})
    rows += [{**base, **row} for row in _bounds(case, oracles)]
    return rows


def _bounds(case: Case, oracles: Oracles | None) -> Iterator[dict[str, object]]:
    if oracles is None:
        return
    story = story_of(case.script, case.conditions)
    found = oracle(story, case.conditions.budget_bytes, gap=oracles.gap, limit_s=oracles.limit_s)
    yield {
        "policy": ORACLE,
        "waiting_s": found.waiting_ns / 1e9,
        "proved": found.proved,
        "bound_s": found.bound_ns / 1e9,
    }
