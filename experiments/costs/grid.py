"""Which shapes and parameters each operator is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from envs.costs import Scalar, Shape
from experiments.costs.spec import Spec

TRAINING = (
    (100, 5), (100, 100), (200, 20), (500, 50), (1000, 5), (1000, 20), (1000, 100), (3000, 10), (3000, 50),
    (10000, 5), (10000, 20), (10000, 100), (30000, 10), (30000, 50), (100000, 5), (100000, 20), (100000, 100),
)  # fmt: skip
HELD_OUT = (
    (150, 40),
    (400, 8),
    (700, 70),
    (2000, 30),
    (5000, 15),
    (6000, 80),
    (20000, 7),
    (50000, 30),
    (70000, 12),
)
SPARSE_TRAINING = (
    (300, 300, 0.05), (1000, 100, 0.3), (1000, 3000, 0.01), (3000, 1000, 0.03), (10000, 300, 0.05),
    (10000, 10000, 0.005), (30000, 3000, 0.01), (100000, 100, 0.1),
)  # fmt: skip
SPARSE_HELD_OUT = (
    (600, 600, 0.04),
    (2000, 5000, 0.01),
    (6000, 200, 0.15),
    (20000, 2000, 0.01),
    (50000, 500, 0.03),
)
ROWS = (100, 300, 1000, 3000, 10000, 30000, 100000)
ROWS_HELD_OUT = (170, 600, 2000, 6000, 17000, 60000)
QUICK = ((100, 5), (300, 20), (1000, 5), (1000, 40), (3000, 10))
QUICK_HELD_OUT = ((500, 10), (2000, 25))


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measurement to be made."""

    spec: Spec
    shape: Shape
    parameters: Mapping[str, Scalar]
    held_out: bool

    @property
    def cells(self) -> float:
        """Stored cells of the input, words for documents."""
        return self.shape.cells * float(self.parameters.get("words") or 1)


def shapes(spec: Spec, *, quick: bool = False) -> Iterator[tuple[Shape, bool]]:
    """Yield the shapes that an operator is measured on, and whether each is held out."""
    if spec.info.input in ("documents", "predictions"):
        rows, held = (ROWS[:4], ROWS_HELD_OUT[:2]) if quick else (ROWS, ROWS_HELD_OUT)
        yield from ((Shape(rows=n, columns=1), False) for n in rows)
        yield from ((Shape(rows=n, columns=1), True) for n in held)
        return
    dense, dense_held = (QUICK, QUICK_HELD_OUT) if quick else (TRAINING, HELD_OUT)
    yield from ((Shape(rows=n, columns=c), False) for n, c in dense)
    yield from ((Shape(rows=n, columns=c), True) for n, c in dense_held)
    if spec.info.sparse:
        thin = SPARSE_TRAINING[:4] if quick else SPARSE_TRAINING
        thin_held = SPARSE_HELD_OUT[:1] if quick else SPARSE_HELD_OUT
        yield from ((Shape(rows=n, columns=c, density=d), False) for n, c, d in thin)
        yield from ((Shape(rows=n, columns=c, density=d), True) for n, c, d in thin_held)


def points(spec: Spec, *, quick: bool = False, draws: int = 2, seed: int = 0) -> list[Point]:
    """Return an operator's measurements, the cheap ones first.

    Each shape is measured with the defaults and with ``draws`` random choices of all parameters (one where the
    shape is held out), so that few measurements tell each parameter's share.
    """
    rng = np.random.default_rng([seed, *spec.info.name.encode()])
    defaults = {name: values[0] for name, values in spec.info.parameters.items()}
    found: list[Point] = []
    for shape, held_out in shapes(spec, quick=quick):
        chosen = [defaults]
        for _ in range(1 if held_out or quick else draws):
            drawn = {n: v[int(rng.integers(len(v)))] for n, v in spec.info.parameters.items()}
            if drawn not in chosen:
                chosen.append(drawn)
        found.extend(Point(spec=spec, shape=shape, parameters=one, held_out=held_out) for one in chosen)
    return sorted(found, key=lambda point: point.cells)
