"""What artifacts save in the scenarios of an outlook, exactly.

Rows are the artifacts kept, in the order of (``kept_at``, ``signature``), and as the last one the candidate.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from mile_rl.policies.outlook import Outlook
from mile_rl.policies.questions import Answers, answer
from mile_rl.policies.replan import Graph
from mile_rl.policies.value import Bools, Floats, Rows
from mile_rl.policies.walk import bits


class Savings:
    """What having each artifact saves in the next iteration.

    Args:
        value_ns: float64[r], the sum over scenarios of chance x (least cost without it - least cost with it); 0
            for rows that no scenario knows, and for all but the last one where only that was asked for.
        survival: float64[r], the probability that it is valid in the next iteration.
        reuse: float64[r], the probability that the next iteration is faster for it; known where the value is.
        cost_ns: float64[s], each scenario's least cost with all rows; where only the last one was asked for, 0 for
            the scenarios in which it is not valid.
    """

    __slots__ = ("cost_ns", "reuse", "survival", "value_ns")

    def __init__(self, *, value_ns: Floats, survival: Floats, reuse: Floats, cost_ns: Floats) -> None:
        self.value_ns, self.survival, self.reuse, self.cost_ns = value_ns, survival, reuse, cost_ns


class Scenarios:
    """The scenarios of an outlook, ready to be asked what they cost.

    Args:
        outlook: its times are read anew for every question.
        chance: float64[s], how probable each scenario is.
    """

    def __init__(self, outlook: Outlook, chance: Floats) -> None:
        self._outlook, self._chance, self._count = outlook, chance, outlook.scenarios
        self._graph = Graph.of(outlook.output_node, outlook.take_ptr, outlook.take_output)
        self._alive = _masks(outlook.alive)
        self._requested = [(output, of) for output, of in enumerate(_masks(outlook.requested)) if of]
        self._likely = _masks((chance > 0)[:, np.newaxis])[0]
        self._living = np.zeros(outlook.output_node.size)
        for scenario in range(self._count):
            self._living += chance[scenario] * outlook.alive[scenario]

    def savings(self, load_ns: Floats, place: Rows, *, everything: bool) -> Savings:
        """Return what each row saves, from a store that holds all the others.

        The candidate is among these: an artifact that it makes superfluous counts as superfluous. Exact, with two
        short cuts that lose nothing: what a plan does not load it does not miss, and what is not valid in a
        scenario no plan can load.

        Args:
            load_ns: float64[m], what loading an output takes, at least those of the rows.
            place: int64[r], the output that each row is, -1 for an artifact that no scenario knows.
            everything: whether to value all rows; else the last one only.
        """
        rows, last = place.tolist(), int(place[-1])
        found = Savings(
            value_ns=np.zeros(place.size),
            survival=np.array([self._living[output] if output >= 0 else 0.0 for output in rows]),
            reuse=np.zeros(place.size),
            cost_ns=np.zeros(self._count),
        )
        asked = (1 << self._count) - 1
        if not everything:
            asked = self._alive[last] if last >= 0 else 0
        if not asked:
            return found
        offered = self._offered(rows)
        base = self._ask(load_ns, offered, asked, 1)
        found.cost_ns[:] = base.cost_ns
        missed = {
            output: of & self._likely
            for output, of in base.loaded.items()
            if of & self._likely and (everything or output == last)
        }
        if missed:
            self._miss(found, load_ns, offered, missed, {output: row for row, output in enumerate(rows)})
        return found

    def _miss(
        self,
        found: Savings,
        load_ns: Floats,
        offered: list[int],
        missed: dict[int, int],
        row_of: dict[int, int],
    ) -> None:
        """Plan without each output in turn, in the scenarios in which its loss is felt: all of that at once.

        Scenario j without the i-th output is question i x scenarios + j.
        """
        width, every = self._count, (1 << self._count) - 1
        copies = sum(1 << width * at for at in range(len(missed)))
        asked = sum(of << width * at for at, of in enumerate(missed.values()))
        less = [of * copies for of in offered]
        for at, output in enumerate(missed):
            less[output] &= ~(every << width * at)
        costs = self._ask(load_ns, less, asked, len(missed)).cost_ns.reshape(len(missed), width)
        for without, (output, of) in zip(costs.tolist(), missed.items()):
            row = row_of[output]
            for scenario in bits(of):
                saved = without[scenario] - found.cost_ns[scenario]
                if saved > 0:
                    found.value_ns[row] += self._chance[scenario] * saved
                    found.reuse[row] += self._chance[scenario]

    def displaced_worth(
        self, load_ns: Floats, place: Rows, savings: Savings, worth_ns: Floats, weight: Floats, victims: Bools
    ) -> float:
        """Return what the victims are worth together, in nanoseconds.

        One victim: its worth. Several may stand in for each other (then each alone is worth little and both are
        worth much) or need each other, so their loss together is planned for, and their worths are scaled by it.

        Args:
            load_ns: float64[m].
            place: int64[r].
            savings: of everything.
            worth_ns: float64[r], from ``worths``.
            weight: float64[r], likewise.
            victims: bool[r], from ``choose_victims``.
        """
        known = np.flatnonzero(victims & (place >= 0)).tolist()
        worth = float(worth_ns[victims].sum())
        if len(known) < 2:
            return worth
        rows = place.tolist()
        felt = 0
        for row in known:
            felt |= self._alive[rows[row]]
        felt &= self._likely
        held = [output for output, gone in zip(rows, victims.tolist()) if not gone]
        cost_ns = self._ask(load_ns, self._offered(held), felt, 1).cost_ns
        difference_ns = -sum(savings.value_ns[known].tolist())
        for scenario in bits(felt):
            difference_ns += self._chance[scenario] * (cost_ns[scenario] - savings.cost_ns[scenario])
        scale = weight[known].max() if difference_ns > 0 else weight[known].min()
        return max(0.0, worth + float(difference_ns * scale))

    def _offered(self, rows: Iterable[int]) -> list[int]:
        """Return of each output the scenarios in which it can be loaded, where the rows are kept."""
        offered = [0] * len(self._alive)
        for output in rows:
            if output >= 0:
                offered[output] = self._alive[output]
        return offered

    def _ask(self, load_ns: Floats, offered: list[int], asked: int, copies: int) -> Answers:
        """Ask for the costs of the scenarios that are ``asked`` for, 0 for others, in so many copies."""
        each = sum(1 << self._count * at for at in range(copies))
        requested = [(output, of * each & asked) for output, of in self._requested]
        count = self._count * copies
        return answer(self._graph, self._outlook.compute_ns, load_ns, requested, offered, count)


def _masks(flags: npt.NDArray[np.bool_]) -> list[int]:
    """Return the columns of bool[s, m] as integers, bit j for row j."""
    packed = np.packbits(flags, axis=0, bitorder="little")
    return [int.from_bytes(column.tobytes(), "little") for column in packed.T]
