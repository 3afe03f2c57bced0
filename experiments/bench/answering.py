"""What an answer of the prediction model costs, by processor time: all that is asked of it in one call."""

from __future__ import annotations

import time
from statistics import median

from experiments.bench.verdicts import Row
from mile_rl.prediction.base import PastIteration, PastNode
from mile_rl.prediction.differences import differences
from mile_rl.prediction.model import TreePredictor
from mile_rl.workflows.edits import Stage, change_class

ANSWER_BAR_MS = 1.0
"""What an answer may take for a workflow of ten nodes."""

NODES = (10, 30, 100)
ITERATIONS = 25
SECTION = "an answer of the prediction model, processor time"
STAGES: tuple[Stage, ...] = ("preprocess", "preprocess", "learn", "evaluate")


def workflow(nodes: int, iteration: int) -> tuple[PastNode, ...]:
    """Return a chain of nodes with three parameters each, three of which move along grids of their own."""
    step = iteration % 9 + iteration // 7
    moving = {
        (nodes // 2, 0): float(step),
        (nodes // 4, 1): step // 3 * 10.0,
        (nodes // 2 + 1, 1): 0.1 * step,
    }
    return tuple(
        PastNode(
            name=f"n{i}",
            stage=STAGES[4 * i // nodes],
            operator=f"operator{i}",
            parents=(f"n{i - 1}",) if i else (),
            parameters={f"p{j}": moving.get((i, j), j) for j in range(3)},
        )
        for i in range(nodes)
    )


def followed(nodes: int) -> list[TreePredictor]:
    """Return a predictor as it stands after each of 25 iterations."""
    predictor = TreePredictor()
    before = workflow(nodes, 0)
    predictor.observe(PastIteration(nodes=before))
    stands = [predictor.fork()]
    for iteration in range(1, ITERATIONS):
        now = workflow(nodes, iteration)
        edits = tuple(differences(before, now))
        predictor.observe(
            PastIteration(
                nodes=now, edits=edits, change=change_class(edits), version=str(iteration), gap_s=60.0
            )
        )
        stands.append(predictor.fork())
        before = now
    return stands


def bench(*, repeats: int) -> list[Row]:
    """Measure an answer with no values, and with three parameters and three values of each."""
    rows = []
    for nodes in NODES:
        stands = followed(nodes)
        for what, parameters, bar in (("without values", 0, None), ("with values", 3, ANSWER_BAR_MS)):
            rows.append(
                Row(
                    section=SECTION,
                    system="mile",
                    what=f"{nodes} nodes, {what}, ms",
                    value=_median_ms(stands, parameters, 4 * repeats),
                    bar=bar if nodes == NODES[0] else None,
                )
            )
    return rows


def _median_ms(stands: list[TreePredictor], n_parameters: int, repeats: int) -> float:
    times = []
    for predictor in stands * repeats:
        begun_ns = time.thread_time_ns()
        predictor.predict(n_parameters=n_parameters)
        times.append(time.thread_time_ns() - begun_ns)
    return median(times) / 1e6
