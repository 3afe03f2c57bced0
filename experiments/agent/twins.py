"""What another answer to one decision would have changed: twin rollouts with the same luck, all else by the policy.

Noise is drawn by session, node and iteration, so two plays that differ in one decision differ by what that decision
caused and by nothing else. That difference is the advantage of the other answer, without any variance from what the
session does anyway (most of the waiting is what no policy can spare).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from envs import kernel
from envs.bank import Bank
from envs.columns import WAITING
from envs.compiled import compiled
from envs.foreseeing import foresee_all
from envs.tables import constants, new_state, pack_bank, set_conditions
from experiments.agent.export import Dense
from experiments.agent.quick import Case, answer, padded
from mile_rl.policies import observation
from mile_rl.policies.appraisal import ExpectedSettings

Floats = npt.NDArray[np.float64]
MOST_DECISIONS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twins:
    """Decisions, and how much longer the session would have taken under other answers.

    Args:
        observations: float32[d, SIZE], what the policy saw.
        answered: float64[d], the action that it took.
        longer: float64[d, actions], the whole session's waiting under each other action minus the waiting under the
            policy's own, in units of the latter; below 0 is better.
        case: int64[d], which case each belongs to.
    """

    observations: npt.NDArray[np.float32]
    answered: Floats
    longer: Floats
    case: npt.NDArray[np.int64]


def twins(
    bank: Bank,
    cases: Sequence[Case],
    layers: Sequence[Dense],
    actions: Sequence[float],
    *,
    scale: float,
    settings: ExpectedSettings,
) -> Twins:
    """Play cases under a network, and at each decision a twin with each other action.

    Args:
        bank: the sessions.
        cases: what is played.
        layers: of the network that is to be improved.
        actions: the other answers, -1 to 1.
        scale: the multiplier is exp(scale x action).
        settings: of the expected saving below.
    """
    pack, state = pack_bank(bank), new_state(bank, 2)
    numbers, seen = constants(settings), foresee_all(pack, settings.return_weight)
    network = padded(layers)
    multipliers = np.exp(scale * np.asarray(actions, dtype=np.float64))
    # The expected saving itself needs no observation to go on.
    blind = not any(layer.weight.any() or layer.bias.any() for layer in layers)
    seen_by = np.zeros((MOST_DECISIONS, observation.SIZE), dtype=np.float32)
    answered, waited = np.zeros(MOST_DECISIONS), np.zeros((MOST_DECISIONS, len(actions)))
    out = np.zeros(observation.SIZE, dtype=np.float32)
    parts: list[tuple[Any, Any, Any, Any]] = []
    for number, case in enumerate(cases):
        set_conditions(state, 0, case.number, case.conditions)
        kernel.begin(pack, state, 0)
        count, whole = _play(
            pack, seen, state, numbers, out, scale, *network, blind, multipliers, seen_by, answered, waited
        )
        longer = (waited[:count] - whole) / max(whole, 1.0)
        parts.append((seen_by[:count].copy(), answered[:count].copy(), longer, np.full(count, number)))
    joined = [np.concatenate(each) for each in zip(*parts, strict=True)]
    return Twins(observations=joined[0], answered=joined[1], longer=joined[2], case=joined[3])


@compiled
def _play(
    pack, seen, state, numbers, out, scale, weight, bias, bent, blind, multipliers, seen_by, answered, waited
):  # type: ignore[no-untyped-def]
    """Return how many decisions there were, and what was waited for in all."""
    aside = np.zeros_like(out)
    count = 0
    more = kernel.advance(pack, seen, state, numbers, 0, 1.0, True, out)
    while more and count < seen_by.shape[0]:
        seen_by[count] = out
        answered[count] = answer(out, weight, bias, bent)
        for k in range(multipliers.shape[0]):
            _copy(state)
            multiplier = multipliers[k]
            on = True
            while on:
                on = kernel.advance(pack, seen, state, numbers, 1, multiplier, not blind, aside)
                multiplier = 1.0
                if on and not blind:
                    multiplier = np.exp(scale * answer(aside, weight, bias, bent))
            waited[count, k] = state.reals[1, WAITING]
        more = kernel.advance(pack, seen, state, numbers, 0, np.exp(scale * answered[count]), True, out)
        count += 1
    return count, state.reals[0, WAITING]


@compiled
def _copy(state):  # type: ignore[no-untyped-def]
    """Make the second episode the first one's twin."""
    state.ints[1] = state.ints[0]
    state.reals[1] = state.reals[0]
    state.node_f[1] = state.node_f[0]
    state.name_f[1] = state.name_f[0]
    state.node_i[1] = state.node_i[0]
    state.out_f[1] = state.out_f[0]
    state.out_i[1] = state.out_i[0]
    state.scene_f[1] = state.scene_f[0]
    state.channel[1] = state.channel[0]
