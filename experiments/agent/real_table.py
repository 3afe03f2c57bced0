"""Real and predicted waiting side by side: ratios, and whether both put the policies in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import sqrt
from statistics import mean, median
from typing import Any

import numpy as np

LEAST_NOISE = 0.03
"""Two plays that differ by less than this share are not told apart, however equal their repeats are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy on one session under one budget.

    Args:
        session: its name.
        share: the budget as a share of a version's intermediates; None where the policy knows none.
        policy: its name.
        real_s: seconds waited in each repeat.
        parts_s: medians of computing, loading, writing, and the engine itself.
        predicted_s: seconds of computing, loading and writing in the simulator.
        engine_s: what the engine itself takes in a play that keeps nothing, all iterations together, and what the
            policy takes for itself, measured apart from the plays.
        drift: how many times as long the same computations took in this play as where they were measured.
    """

    session: str
    share: float
    policy: str
    real_s: tuple[float, ...]
    parts_s: tuple[float, float, float, float]
    predicted_s: tuple[float, float, float]
    engine_s: float
    drift: float = 1.0

    @property
    def real(self) -> float:
        """The median of the repeats."""
        return median(self.real_s)

    @property
    def predicted(self) -> float:
        """What the simulator says, and the engine's own time."""
        return sum(self.predicted_s) + self.engine_s

    @property
    def bare(self) -> float:
        """What the simulator says, without the engine's own time."""
        return sum(self.predicted_s)

    @property
    def ratio(self) -> float:
        """Predicted / real."""
        return self.predicted / self.real

    @property
    def steady_ratio(self) -> float:
        """Predicted / real, had the machine been as fast in this play as where times were measured."""
        compute, load, write = self.predicted_s
        return (compute * self.drift + load + write + self.engine_s) / self.real

    @property
    def noise(self) -> float:
        """The standard error of the repeats' median as a share of it, at least ``LEAST_NOISE``."""
        if len(self.real_s) < 2:
            return LEAST_NOISE
        spread = float(np.std(self.real_s, ddof=1)) / sqrt(len(self.real_s))
        return max(LEAST_NOISE, 1.25 * spread / self.real)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Whether reality and simulator order the policies alike, on one session under one budget.

    Args:
        tau: Kendall's tau-b over the policies.
        told_apart: pairs of policies whose real waiting differs by more than the noise.
        disagreeing: those of them that the simulator orders the other way round, by more than ``LEAST_NOISE``.
        ties: pairs that really differ by no more than the noise.
    """

    tau: float
    told_apart: int
    disagreeing: tuple[str, ...] = ()
    ties: tuple[str, ...] = field(default=())


def agreement(rows: Sequence[Row]) -> Agreement:
    """Compare the two orders of some policies on the same session and budget."""
    from scipy.stats import kendalltau

    apart, disagreeing, ties = 0, [], []
    for one, other in combinations(rows, 2):
        margin = 2 * sqrt(one.noise**2 + other.noise**2) * min(one.real, other.real)
        if abs(one.real - other.real) <= margin:
            ties.append(f"{one.policy} ~ {other.policy}")
            continue
        apart += 1
        faster, slower = (one, other) if one.real < other.real else (other, one)
        if faster.predicted > slower.predicted * (1 + LEAST_NOISE):
            disagreeing.append(f"{faster.policy} < {slower.policy}")
    tau = float(kendalltau([row.real for row in rows], [row.predicted for row in rows]).statistic)
    return Agreement(tau=tau, told_apart=apart, disagreeing=tuple(disagreeing), ties=tuple(ties))


def grouped(rows: Sequence[Row]) -> dict[tuple[str, float], list[Row]]:
    """Return the rows by session and budget, in order."""
    groups: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.session, row.share), []).append(row)
    return groups


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the bars ask for, as JSON."""
    agreed = {key: agreement(group) for key, group in grouped(rows).items()}
    return {
        "ratio_mean": mean(row.ratio for row in rows),
        "ratio_least": min(row.ratio for row in rows),
        "ratio_most": max(row.ratio for row in rows),
        "within_20_percent": mean(abs(row.ratio - 1) <= 0.2 for row in rows),
        "steady_ratio_least": min(row.steady_ratio for row in rows),
        "steady_ratio_most": max(row.steady_ratio for row in rows),
        "within_20_percent_without_engine": mean(abs(row.bare / row.real - 1) <= 0.2 for row in rows),
        "pairs_told_apart": sum(each.told_apart for each in agreed.values()),
        "pairs_disagreeing": sum(len(each.disagreeing) for each in agreed.values()),
        "rows": [
            {
                "session": row.session,
                "share": row.share,
                "policy": row.policy,
                "real_s": list(row.real_s),
                "parts_s": list(row.parts_s),
                "predicted_s": list(row.predicted_s),
                "engine_s": row.engine_s,
                "ratio": row.ratio,
                "drift": row.drift,
                "steady_ratio": row.steady_ratio,
            }
            for row in rows
        ],
        "tau": {f"{name} {share:.0%}": each.tau for (name, share), each in agreed.items()},
    }


def markdown(rows: Sequence[Row]) -> str:
    """Return the tables."""
    lines = [
        "| session | budget | policy | real s | compute + load + write + engine | predicted s | "
        "compute + load + write + engine | predicted / real | machine's drift | ratio without drift |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        spread = f" ({min(row.real_s):.2f}–{max(row.real_s):.2f})" if len(row.real_s) > 1 else ""
        lines.append(
            f"| {row.session} | {row.share:.0%} | {row.policy} | {row.real:.2f}{spread} | "
            f"{' + '.join(f'{each:.2f}' for each in row.parts_s)} | {row.predicted:.2f} | "
            f"{' + '.join(f'{each:.2f}' for each in (*row.predicted_s, row.engine_s))} | {row.ratio:.2f} | "
            f"{row.drift:.2f} | {row.steady_ratio:.2f} |"
        )
    lines += [
        "",
        "| session | budget | Kendall's tau | pairs told apart | of these in the other order | "
        "equal within noise |",
        "|---|---|---|---|---|---|",
    ]
    for (name, share), group in grouped(rows).items():
        found = agreement(group)
        lines.append(
            f"| {name} | {share:.0%} | {found.tau:.2f} | {found.told_apart} | "
            f"{', '.join(found.disagreeing) or 'none'} | {', '.join(found.ties) or 'none'} |"
        )
    return "\n".join(lines) + "\n"
