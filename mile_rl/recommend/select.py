"""From candidates to the few that are recommended: gain against waiting, variety, and one step into the unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mile_rl.recommend.candidate import Candidate

MOST_OF_A_FAMILY = 2
"""So many of one family at most: five settings of one learner are one piece of advice. Of learners that were not
tried yet, one a family: its first score will tell which settings come next."""

MOST_UP_TO_THE_PERSON = 1
"""So many that name a node to work on, without saying what to write."""

OTHER_ORIGINS = 2
"""So many places of five are left to candidates that do not come from the outcome model, where there are any."""


def select(
    candidates: Sequence[Candidate], count: int, *, waiting_power: float
) -> tuple[tuple[Candidate, bool], ...]:
    """Return the recommended candidates, best first, each with whether it explores.

    Args:
        candidates: those of the outcome model stand in the order of its own ranking.
        count: how many at most; from three on, at least one explores a family not tried, if there is any.
        waiting_power: how strongly waiting counts.
    """
    ranked = ordered(candidates, waiting_power)
    chosen: list[Candidate] = []
    for one in ranked:
        if _fits(one, chosen):
            chosen.append(one)
    others = sum(one.origin != "outcome model" for one in chosen)
    room = count - min(others, OTHER_ORIGINS * count // 5)
    modelled = [one for one in chosen if one.origin == "outcome model"][room:]
    chosen = [one for one in chosen if one not in modelled][:count]
    if count >= 3 and chosen and not any(one.untried for one in chosen):
        # Thompson's rule among the families not tried: one draw each, the best one drawn.
        unknown = [one for one in ranked if one.untried and one not in chosen]
        if unknown:
            chosen[-1 if len(chosen) == count else len(chosen) :] = [max(unknown, key=_promise)]
    return tuple((one, one.untried) for one in chosen)


def ordered(candidates: Sequence[Candidate], waiting_power: float) -> list[Candidate]:
    """Return candidates by utility; those of the outcome model keep the order that they came in.

    The outcome model ranks by more than the mean and deviation of each candidate, and it is that ranking which
    was judged. So its utilities are dealt out anew: the largest to its first, and so on.
    """
    utilities = [one.utility(waiting_power) for one in candidates]
    places = [at for at, one in enumerate(candidates) if one.origin == "outcome model"]
    dealt = sorted((utilities[at] for at in places), reverse=True)
    for at, utility in zip(places, dealt):
        utilities[at] = utility
    order = sorted(range(len(candidates)), key=lambda at: -utilities[at])
    return [candidates[at] for at in order]


def without_doubles(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return candidates without those that another one says already; what the outcome model says counts."""
    found: dict[str, Candidate] = {}
    for one in candidates:
        key = one.change.key
        if key not in found:
            found[key] = one
        elif one.origin == "outcome model" != found[key].origin:
            found[key] = replace(one)
    return list(found.values())


def _fits(one: Candidate, chosen: Sequence[Candidate]) -> bool:
    alike = [other for other in chosen if other.family == one.family]
    if not one.change.applicable:
        return sum(not other.change.applicable for other in chosen) < MOST_UP_TO_THE_PERSON
    unknown_learner = one.untried and one.origin == "outcome model"
    return len(alike) < (1 if unknown_learner else MOST_OF_A_FAMILY)


def _promise(one: Candidate) -> float:
    return one.draw / one.metric.unit + (0.0 if one.change.applicable else -1.0)
