"""Measures many operators on many shapes: the cheap first, resumable, nothing that would run away."""

from __future__ import annotations

import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.costs import Scalar
from envs.costs.model import NO_OUTPUT
from envs.costs.outputs import RULES
from envs.costs.posynomial import features
from experiments.costs.datasets import Dataset
from experiments.costs.grid import Point, points
from experiments.costs.measure import Measured, Shelf, as_text, measure
from experiments.costs.spec import Spec

Progress = Callable[[int, int, str], None]
Key = tuple[str, int, int, float, str]
MOST_CELLS = 2e7
"""An output of more cells is not made (160 MB), nor an input of more than half of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What a campaign is told.

    Args:
        out: file that measurements are appended to, one JSON object a line; those in it are not made again.
        quick: few and small shapes.
        cap_ns: a measurement expected to take longer is left out.
        budget_ns: processor time after which no further measurement begins.
        draws: random parameter settings a shape.
        seed: of data and settings.
    """

    out: Path
    quick: bool = False
    cap_ns: int = 4 * 10**9
    budget_ns: int = 20 * 60 * 10**9
    draws: int = 2
    seed: int = 0


def read(path: Path) -> list[Measured]:
    """Return the measurements in a file; none where there is no file."""
    if not path.exists():
        return []
    return [Measured.from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def run(specs: Iterable[Spec], campaign: Campaign, on_progress: Progress) -> list[Measured]:
    """Make every measurement that is missing; return all that the file then holds."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    done = read(campaign.out)
    guess = Guess(done)
    known = {_key(row) for row in done}
    todo = _ordered(specs, campaign)
    begun_ns = time.process_time_ns()
    campaign.out.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        campaign.out.open("a", encoding="utf-8") as file,
        threadpool_limits(1),
    ):
        shelf = Shelf(Path(folder))
        warm: set[str] = set()
        try:
            for number, (point, data) in enumerate(_with_data(todo, Path(folder), campaign.seed)):
                on_progress(
                    number, len(todo), f"{point.spec.info.name} {point.shape.rows}x{point.shape.columns}"
                )
                if _point_key(point) in known or guess.ns(point) > campaign.cap_ns:
                    continue
                if time.process_time_ns() - begun_ns > campaign.budget_ns:
                    break
                if point.spec.info.name not in warm:
                    # imports and first calls are no part of an operator's cost
                    warm.add(point.spec.info.name)
                    _warm(point.spec, Path(folder), shelf, campaign.seed)
                row = measure(
                    point.spec, point.shape, point.parameters, data(), shelf, held_out=point.held_out
                )
                guess.learn(point, row)
                done.append(row)
                file.write(json.dumps(row.to_json()) + "\n")
                file.flush()
        finally:
            shelf.close()
    return done


def _warm(spec: Spec, folder: Path, shelf: Shelf, seed: int) -> None:
    first = points(spec, quick=True)[0]
    given = {name: first.parameters[name] for name in spec.info.of_data}
    measure(
        spec, first.shape, first.parameters, Dataset(first.shape, given, folder, seed), shelf, held_out=False
    )


def _ordered(specs: Iterable[Spec], campaign: Campaign) -> list[Point]:
    every = [
        point
        for spec in specs
        for point in points(spec, quick=campaign.quick, draws=campaign.draws, seed=campaign.seed)
        if _fits_memory(point)
    ]
    return sorted(every, key=lambda point: (point.cells, point.shape.rows, _of_data(point)))


def _fits_memory(point: Point) -> bool:
    if point.cells > MOST_CELLS / 2:
        return False
    rule = RULES.get(point.spec.output)
    return rule is None or rule(point.shape, point.parameters).cells <= MOST_CELLS


def _of_data(point: Point) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(point.parameters[name])) for name in point.spec.info.of_data)


def _with_data(
    todo: Sequence[Point], folder: Path, seed: int
) -> Iterator[tuple[Point, Callable[[], Dataset]]]:
    """Yield each point with a way to its dataset; neighbours of one shape share it."""
    held: dict[Any, Dataset] = {}
    for point in todo:
        key = (point.shape, _of_data(point))
        if key not in held and len(held) > 3:
            held.clear()

        def data(point: Point = point, key: Any = key) -> Dataset:
            if key not in held:
                given: dict[str, Scalar] = {name: point.parameters[name] for name in point.spec.info.of_data}
                held[key] = Dataset(point.shape, given, folder, seed)
            return held[key]

        yield point, data


def _key(row: Measured) -> Key:
    return row.operator, row.rows, row.columns, row.density, row.parameters


def _point_key(point: Point) -> Key:
    shape = point.shape
    return point.spec.info.name, shape.rows, shape.columns, shape.density, as_text(point.parameters)


def _features(point: Point) -> list[float]:
    rule = RULES.get(point.spec.output)
    output = rule(point.shape, point.parameters) if rule else NO_OUTPUT
    return features(point.spec.features, point.shape, output, point.parameters)


class Guess:
    """Guesses how long a measurement would take from those made before.

    A ridge regression of log time on the model's own features, weighted towards the long ones.
    """

    def __init__(self, done: Iterable[Measured]) -> None:
        self._seen: dict[str, list[tuple[list[float], float]]] = {}
        self._earlier = {_key(row): row.fit_ns + row.apply_ns for row in done}

    def learn(self, point: Point, row: Measured) -> None:
        """Take note of a measurement."""
        took = float(row.fit_ns + row.apply_ns)
        self._seen.setdefault(row.operator, []).append((_features(point), took))

    def ns(self, point: Point) -> float:
        """Return about how long a measurement will take; 0 where nothing is known."""
        earlier = self._earlier.get(_point_key(point))
        found = _features(point)
        if earlier is not None:
            self._seen.setdefault(point.spec.info.name, []).append((found, float(earlier)))
            return earlier
        seen = self._seen.get(point.spec.info.name, [])
        if not seen:
            return 0.0
        x = np.array([[1.0, *row[0]] for row in seen])
        log_ns = np.log(np.array([row[1] for row in seen]))
        weight = np.sqrt(np.exp(log_ns - log_ns.max()))
        penalty = 0.1 * np.eye(x.shape[1])
        penalty[0, 0] = 0.0
        # the prior: proportional to the rows
        prior = np.zeros(x.shape[1])
        prior[1] = point.spec.growth
        left = log_ns - x @ prior
        beta = np.linalg.solve((x * weight[:, None]).T @ x + penalty, (x * weight[:, None]).T @ left) + prior
        return math.exp(min(float(np.array([1.0, *found]) @ beta), 60.0))
