"""From a prediction to the scenarios of the next iteration: the likeliest ones, few enough to plan for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mile_rl.policies.outlook import EDIT, NOTHING, RETURN

MOST_RETURNS: Final = 3
"""So many earlier versions, the likeliest, are looked at."""


class Scenario:
    """One thing that the person may do next. (A plain class, as in :mod:`mile_rl.policies.replan`.)

    Args:
        kind: EDIT, NOTHING or RETURN.
        roots: for EDIT, the positions of the edited nodes in the current version.
        back: for RETURN, which of the earlier versions that were offered.
        p: its probability, given that there is a next iteration.
    """

    __slots__ = ("back", "kind", "p", "roots")

    def __init__(self, *, kind: int, roots: tuple[int, ...] = (), back: int = -1, p: float) -> None:
        self.kind, self.roots, self.back, self.p = kind, roots, back, p


def likely_scenarios(
    touched: Sequence[float], nothing: float, returning: float, returns: Sequence[float], limit: int
) -> tuple[Scenario, ...]:
    """Return the likeliest scenarios, likeliest first; their probabilities sum to 1.

    What is neither a re-run nor a return is an edit of one node, each in proportion to its ``touched``. Ties
    go to the re-run, then to returns, then to the nodes in their order.

    Args:
        touched: of each node of the current version, the probability that the next iteration edits it.
        nothing: the probability of a re-run.
        returning: the probability of a return to any earlier version.
        returns: the probability of a return to each of the earlier versions that are offered.
        limit: at most so many scenarios.

    >>> for each in likely_scenarios([0.1, 0.3], 0.2, 0.2, [0.2], 3):
    ...     print(each.kind, each.roots, each.back, round(each.p, 3))
    0 (1,) -1 0.529
    1 () -1 0.235
    2 () 0 0.235
    """
    found = [Scenario(kind=NOTHING, p=nothing)]
    chosen = np.argsort(-np.asarray(returns, dtype=np.float64), kind="stable")[:MOST_RETURNS]
    found += [Scenario(kind=RETURN, back=int(back), p=returns[back]) for back in chosen]
    editing = max(0.0, 1.0 - nothing - returning)
    total = sum(touched)
    for node, chance in enumerate(touched):
        share = chance / total if total > 0 else 1 / len(touched)
        found.append(Scenario(kind=EDIT, roots=(node,), p=editing * share))
    found.sort(key=lambda each: -each.p)
    found = [each for each in found[:limit] if each.p > 0]
    mass = sum(each.p for each in found)
    return tuple(
        Scenario(kind=each.kind, roots=each.roots, back=each.back, p=each.p / mass) for each in found
    )
