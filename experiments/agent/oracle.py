"""The least waiting that any policy could have reached: an exact MILP that knows the whole session.

For iteration t, node i of its version, output o and an artifact that lives from one iteration to the next:

    minimise    sum_t  sum_i c[t,i] x[t,i]  +  sum_o load[t,o] l[t,o]  +  sum_o write[o] w[t,o]
    subject to  x[t, node(o)] + l[t,o] >= 1                  o requested at t
                x[t, node(o)] + l[t,o] >= x[t,i]             i takes o at t
                l[t,o] <= k[t-1,o]                           only what is kept can be loaded
                k[t,o] <= k[t-1,o] + w[t,o],  w[t,o] <= x[t, node(o)]
                sum_o size[o] k[t,o] <= budget               at the end of every iteration
                written so far <= share x saved so far + allowances      (only under the guard's terms)

x, l and w may be fractional: for a given k what is left is a minimum cut, whose polytope is integral (with
the guard's row it is a relaxation, so the bound stays a bound). k is binary. Bytes are checked between
iterations, not inside them, so a real policy can only do worse.

Solver: HiGHS (Huangfu and Hall, 2018) through ``scipy.optimize.milp``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mile_rl.policies.ledger import Terms

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn:
    """One iteration as the oracle sees it, in the session's numbers of nodes and outputs.

    Args:
        nodes: int64[n], the version's needed nodes.
        compute_ns: float64[n], what each really takes in this iteration.
        takes: (node, output) pairs: who takes what.
        requested: the outputs that are wanted in the end.
    """

    nodes: Ints
    compute_ns: Floats
    takes: Sequence[tuple[int, int]]
    requested: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Story:
    """A whole session, known in advance.

    Args:
        turns: its iterations.
        output_node: int64[m], the node that yields each output.
        size_bytes: int64[m].
        load_ns: float64[turns, m], what loading it takes in each iteration; inf where it cannot be kept.
        write_ns: float64[turns, m], what writing it costs in each iteration.
    """

    turns: Sequence[Turn]
    output_node: Ints
    size_bytes: Ints
    load_ns: Floats
    write_ns: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the solver found.

    Args:
        waiting_ns: of the best schedule found.
        bound_ns: no schedule waits less than this.
        proved: whether the two are within the gap that was asked for.
    """

    waiting_ns: float
    bound_ns: float
    proved: bool


def oracle(
    story: Story,
    budget_bytes: int,
    *,
    terms: Terms | None = None,
    gap: float = 0.002,
    limit_s: float = 30.0,
) -> Bound:
    """Return the least waiting for a session under a budget.

    Args:
        story: the session.
        budget_bytes: what the store may hold.
        terms: the guard's; None for an oracle that may write as much as it likes.
        gap: relative, at which the solver may stop.
        limit_s: seconds, after which it gives its best schedule and its best bound.

    Raises:
        RuntimeError: the solver found nothing at all, which only an empty session could explain.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    model = _Model(story, budget_bytes, terms)
    scale = max(model.plain_ns, 1.0)
    found = milp(
        np.asarray(model.cost) / scale,
        integrality=np.asarray(model.integral),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(model.matrix(), -np.inf, np.asarray(model.most)),
        options={"mip_rel_gap": gap, "time_limit": limit_s},
    )
    if found.x is None:
        raise RuntimeError(f"HiGHS found no schedule: {found.message}")
    bound = found.mip_dual_bound if found.mip_dual_bound is not None else found.fun
    return Bound(waiting_ns=float(found.fun) * scale, bound_ns=float(bound) * scale, proved=found.status == 0)


class _Model:
    """The rows and columns of the programme; every row reads "sum <= most"."""

    def __init__(self, story: Story, budget_bytes: int, terms: Terms | None) -> None:
        self.cost: list[float] = []
        self.integral: list[int] = []
        self.most: list[float] = []
        self._rows: list[int] = []
        self._columns: list[int] = []
        self._values: list[float] = []
        self._story = story
        self.plain_ns = float(sum(turn.compute_ns.sum() for turn in story.turns))
        seen = _wanted(story)
        kept_before: dict[int, int] = {}
        book: list[tuple[int, float]] = []
        granted = 0.0
        for t, turn in enumerate(story.turns):
            x = {int(i): self._column(c) for i, c in zip(turn.nodes, turn.compute_ns)}
            load = {o: self._column(float(story.load_ns[t, o])) for o in kept_before if o in seen[t]}
            for column_o, column in load.items():
                self._row([(column, 1.0), (kept_before[column_o], -1.0)], 0.0)
            self._demands(turn, x, load)
            kept, writes = self._keeping(t, x, kept_before, seen)
            self._row([(k, float(story.size_bytes[o])) for o, k in kept.items()], float(budget_bytes))
            if terms is not None:
                # written - share (plain - computed - loaded) - fraction computed <= runs x allowance
                granted += terms.allowance_ns + terms.share * float(turn.compute_ns.sum())
                book += [(column, float(story.write_ns[t, o])) for o, column in writes.items()]
                ratio = terms.share - terms.fraction
                book += [(x[int(i)], ratio * float(c)) for i, c in zip(turn.nodes, turn.compute_ns)]
                book += [(column, terms.share * float(story.load_ns[t, o])) for o, column in load.items()]
                self._row(book, granted)
            kept_before = kept

    def _demands(self, turn: Turn, x: dict[int, int], load: dict[int, int]) -> None:
        node = self._story.output_node
        for output in turn.requested:
            row = [(x[int(node[output])], -1.0)]
            row += [(load[output], -1.0)] if output in load else []
            self._row(row, -1.0)
        for child, output in turn.takes:
            row = [(x[child], 1.0), (x[int(node[output])], -1.0)]
            row += [(load[output], -1.0)] if output in load else []
            self._row(row, 0.0)

    def _keeping(
        self, t: int, x: dict[int, int], before: dict[int, int], seen: Sequence[set[int]]
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Add what may be kept behind iteration t: only what a later iteration could load."""
        later = set().union(*seen[t + 1 :])
        kept: dict[int, int] = {}
        writes: dict[int, int] = {}
        for output in sorted(later):
            source = int(self._story.output_node[output])
            if output not in before and source not in x:
                continue
            column = kept[output] = self._column(0.0, integral=True)
            row = [(column, 1.0)]
            if output in before:
                row.append((before[output], -1.0))
            if source in x:
                write = writes[output] = self._column(float(self._story.write_ns[t, output]))
                self._row([(write, 1.0), (x[source], -1.0)], 0.0)
                row.append((write, -1.0))
            self._row(row, 0.0)
        return kept, writes

    def _column(self, cost: float, *, integral: bool = False) -> int:
        self.cost.append(cost)
        self.integral.append(int(integral))
        return len(self.cost) - 1

    def _row(self, entries: Sequence[tuple[int, float]], most: float) -> None:
        row = len(self.most)
        # In units of the row's largest entry: bytes, nanoseconds and counts stand side by side.
        scale = max((abs(value) for _, value in entries), default=1.0) or 1.0
        for column, value in entries:
            self._rows.append(row)
            self._columns.append(column)
            self._values.append(value / scale)
        self.most.append(most / scale)

    def matrix(self) -> object:
        """Return the rows as a sparse matrix; entries of one place add up."""
        from scipy.sparse import csr_array

        shape = (len(self.most), len(self.cost))
        return csr_array((self._values, (self._rows, self._columns)), shape=shape)


def _wanted(story: Story) -> list[set[int]]:
    """Return per iteration the outputs that could be worth loading there."""
    wanted = []
    for t, turn in enumerate(story.turns):
        outputs = {int(output) for _, output in turn.takes} | {int(output) for output in turn.requested}
        wanted.append({o for o in outputs if np.isfinite(story.load_ns[t, o])})
    return wanted
