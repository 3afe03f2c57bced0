"""Four fits that each leave out a quarter of the groups and are judged on it, and one on everybody, side by side."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from experiments.prediction.dataset import QUARTERS, Dataset, quarter
from experiments.prediction.evaluate import (
    MODEL,
    Forecasts,
    forecast,
    merge,
    moves_report,
    report,
    stop_report,
)
from experiments.prediction.fit import FitSettings, fit
from experiments.prediction.generated import Walk, walks
from experiments.prediction.leanings import corrected
from experiments.prediction.two_sample import compare
from experiments.prediction.value_scores import ValueHits, value_hits, values_report
from mile_rl.prediction.model import Model
from traces.schema import History

LOG = logging.getLogger("experiments.fit_prediction")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """What all fits have in common; the processes inherit it and it is never sent to one."""

    dataset: Dataset
    histories: Sequence[History]
    settings: FitSettings
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What a fit said of the quarter that it did not see.

    Args:
        number: the quarter.
        forecasts: of every decision and node; only those of the quarter count.
        hits: of the quarter's moves.
        pairs: (source, real walk, drawn walk) of the quarter's histories.
        ends: P(the history ends) of every decision.
        moved: P(it moves) of every parameter.
    """

    number: int
    forecasts: Forecasts
    hits: ValueHits | None
    pairs: Sequence[tuple[str, Walk, Walk]]
    ends: NDArray[np.float64]
    moved: NDArray[np.float64]


def fit_and_judge(material: Material, jobs: int) -> tuple[Model, dict[str, Any]]:
    """Return the model fitted on everybody, and the figures of groups that the judged fits never saw.

    Quarter 0 was never looked at while the settings were chosen; its figures stand alone under ``test``.

    Args:
        material: what to fit on, and how.
        jobs: how many fits run side by side, one thread each.
    """
    dataset = material.dataset
    quarters = quarter(dataset.group)
    numbers = [number for number in range(QUARTERS) if 0 < (quarters == number).sum() < len(quarters)]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(jobs, context, initializer=_inherit, initargs=(material,)) as pool:
        final = pool.submit(_fit_everybody)
        parts = list(pool.map(_judge_quarter, numbers))
        return final.result(), _figures(material, parts, quarters)


_MATERIAL: list[Material] = []


def _inherit(material: Material) -> None:
    _MATERIAL[:] = [material]
    threadpool_limits(1)


def _fit_everybody() -> Model:
    (material,) = _MATERIAL
    LOG.info("fit on everybody")
    everybody = np.ones(len(material.dataset.y), dtype=bool)
    model = fit(material.dataset, everybody, material.settings, material.facts).model
    LOG.info("correct what is drawn")
    return corrected(model, material.histories, material.settings.seed)


def _judge_quarter(number: int) -> Judged:
    (material,) = _MATERIAL
    dataset, settings = material.dataset, material.settings
    held_out = quarter(dataset.group) == number
    LOG.info("fit without quarter %d", number)
    fitted = fit(dataset, ~held_out, settings, {"without_quarter": number})
    said = forecast(dataset, ~held_out, fitted, settings.weight_power)
    real = [history for history in material.histories if not history.synthetic]
    apart = quarter(history.group for history in real) == number
    seen, unseen = ([history for history, own in zip(real, mask) if own] for mask in (~apart, apart))
    LOG.info("draw histories like those of quarter %d", number)
    model = corrected(fitted.model, seen, settings.seed)
    return Judged(
        number=number,
        forecasts=said,
        hits=value_hits(dataset, held_out, fitted),
        pairs=walks(model, unseen, np.random.default_rng([settings.seed, number])),
        ends=fitted.parts["stop"].chances(dataset.rows),
        moved=fitted.moves(dataset, said.classes[MODEL], said.nodes[MODEL]),
    )


def _figures(material: Material, parts: Sequence[Judged], quarters: NDArray[np.int64]) -> dict[str, Any]:
    dataset, seed = material.dataset, material.settings.seed
    ends, moved = np.zeros(len(dataset.y)), np.zeros(len(dataset.parameter_y))
    for part in parts:
        own = quarters == part.number
        ends[own] = part.ends[own]
        rows = own[dataset.parameter_decision]
        moved[rows] = part.moved[rows]
    everybody = np.ones(len(dataset.y), dtype=bool)
    merged = merge([(quarters == part.number, part.forecasts) for part in parts], dataset)
    return {
        "held_out": report(dataset, everybody, merged, seed),
        "test": report(dataset, quarters == 0, merged, seed),
        "values": values_report([part.hits for part in parts if part.hits is not None], seed),
        "moves": moves_report(dataset, everybody, moved),
        "stop": stop_report(dataset, everybody, ends),
        "generated": compare([pair for part in parts for pair in part.pairs], seed),
    }
