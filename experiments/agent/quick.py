"""Many sessions under the expected saving or a network, by the compiled kernel: for tuning and for validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from envs import kernel
from envs.bank import Bank
from envs.compiled import compiled
from envs.conditions import Conditions
from envs.foreseeing import foresee_all
from envs.tables import constants, new_state, pack_bank, set_conditions
from experiments.agent.export import Dense
from mile_rl.policies import observation
from mile_rl.policies.appraisal import UNTUNED, ExpectedSettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One session of a bank under given conditions."""

    number: int
    conditions: Conditions


def draw_cases(bank: Bank, *, seed: int, shares: Sequence[float]) -> list[Case]:
    """Draw every session's conditions once a budget; the same for everybody who is compared.

    Args:
        bank: the sessions.
        seed: of the conditions.
        shares: budgets, as shares of a version's intermediates.
    """
    return [
        Case(
            number=number,
            conditions=Conditions.draw(np.random.default_rng((seed, number, at)), script, budget=share),
        )
        for number, script in enumerate(bank)
        for at, share in enumerate(shares)
    ]


class Player:
    """A bank, ready to be played many times over.

    Args:
        bank: the sessions.
        cases: what to play, in order.
    """

    def __init__(self, bank: Bank, cases: Sequence[Case]) -> None:
        self.cases = tuple(cases)
        self.parts = np.zeros((len(self.cases), 3))
        """Seconds of computing, loading and writing of the last play: float64[cases, 3]."""
        self._pack, self._state = pack_bank(bank), new_state(bank, 1)
        self._out = np.zeros(observation.SIZE, dtype=np.float32)
        self._foreseen = lru_cache(maxsize=4)(lambda weight: foresee_all(self._pack, weight))

    def expected(self, settings: ExpectedSettings = UNTUNED) -> Floats:
        """Return the seconds that each case waits under the expected saving: float64[cases]."""
        return self._play(settings, None, 0.0)

    def learned(self, layers: Sequence[Dense], scale: float, settings: ExpectedSettings) -> Floats:
        """Return the seconds that each case waits under a network: float64[cases].

        Args:
            layers: from the observation to the action.
            scale: of the action: the multiplier is exp(scale x action).
            settings: of the expected saving below it.
        """
        wide = padded(layers)
        return self._play(settings, wide, scale)

    def _play(self, settings: ExpectedSettings, network: Any, scale: float) -> Floats:
        numbers = constants(settings)
        seen = self._foreseen(settings.return_weight)
        spent = np.zeros(len(self.cases))
        for at, case in enumerate(self.cases):
            set_conditions(self._state, 0, case.number, case.conditions)
            kernel.begin(self._pack, self._state, 0)
            if network is None:
                _finish(self._pack, seen, self._state, numbers, self._out)
            else:
                _finish_with(self._pack, seen, self._state, numbers, self._out, scale, *network)
            self.parts[at] = kernel.spent(self._state, 0) / 1e9
            spent[at] = self.parts[at].sum()
        return spent


def padded(layers: Sequence[Dense]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the layers in arrays of one size: float32[layers, width, width], [layers, width], bool[layers]."""
    width = max(max(layer.weight.shape) for layer in layers)
    weight = np.zeros((len(layers), width, width), dtype=np.float32)
    bias = np.zeros((len(layers), width), dtype=np.float32)
    bent = np.zeros(len(layers), dtype=np.bool_)
    for at, layer in enumerate(layers):
        rows, columns = layer.weight.shape
        weight[at, :rows, :columns] = layer.weight
        bias[at, :columns] = layer.bias
        if layer.activation not in (None, "Tanh"):
            raise ValueError(f"layer {at} has activation {layer.activation}; only Tanh is played here")
        bent[at] = layer.activation == "Tanh"
    return weight, bias, bent


@compiled
def _finish(pack, seen, state, numbers, out):  # type: ignore[no-untyped-def]
    while kernel.advance(pack, seen, state, numbers, 0, 1.0, False, out):
        pass


@compiled
def answer(out, weight, bias, bent):  # type: ignore[no-untyped-def]
    """Return a network's action, -1 to 1; its layers as :func:`padded` gives them."""
    width = weight.shape[1]
    x = np.zeros(width, dtype=np.float32)
    x[: out.shape[0]] = out
    for at in range(weight.shape[0]):
        y = bias[at].copy()
        for i in range(width):
            if x[i] != 0:
                y += x[i] * weight[at, i]
        x = np.tanh(y) if bent[at] else y
    return min(max(x[0], np.float32(-1)), np.float32(1))


@compiled
def _finish_with(pack, seen, state, numbers, out, scale, weight, bias, bent):  # type: ignore[no-untyped-def]
    more = kernel.advance(pack, seen, state, numbers, 0, 1.0, True, out)
    while more:
        action = answer(out, weight, bias, bent)
        more = kernel.advance(pack, seen, state, numbers, 0, np.exp(scale * action), True, out)
