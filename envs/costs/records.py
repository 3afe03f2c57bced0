"""The values that cross the cost model's border."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from envs.costs.errors import CostError

Scalar = int | float | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The shape of a matrix or a frame.

    Args:
        rows: at least 1; documents, for a collection of texts.
        columns: at least 1; always 1 for a collection of texts.
        density: share of cells that are not zero, in (0, 1]; below 1 means a sparse (CSR) matrix.
    """

    rows: int
    columns: int
    density: float = 1.0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or not 0 < self.density <= 1:
            raise CostError(f"{self} is no shape: rows and columns are at least 1, the density in (0, 1]")

    @property
    def cells(self) -> float:
        """How many cells are stored."""
        return self.rows * self.columns * self.density


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What an operator costs on data of some shape, on the machine that was measured, with one thread.

    Args:
        fit_ns: to fit it, in nanoseconds of processor time; 0 where it has nothing to fit.
        apply_ns: to transform, predict or compute on as many rows as it was fitted on, in nanoseconds.
        output_bytes: of what it yields, as the store's codec writes it.
        model_bytes: of the fitted object, as the store's codec writes it; 0 where it has nothing to fit.
        output: the shape of what it yields.
    """

    fit_ns: int
    apply_ns: int
    output_bytes: int
    model_bytes: int
    output: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorInfo:
    """What is known of a measured operator.

    Args:
        name: its name in the table.
        family: "scaler", "linear", "join", …
        stage: "preprocess", "learn" or "evaluate".
        parameters: what its cost depends on besides the shape: name to plausible values, the default first.
        of_data: those parameters that describe the data (words a document, …), so that nobody tunes them.
        input: what it takes: "matrix", "missing", "nonnegative", "categories", "documents", "counts", "frame",
            "file" or "predictions".
        sparse: whether it takes sparse matrices; one that does not is costed on as many dense cells.
        fits: whether it has something to fit.
        output_kind: the store's codec for what it yields.
        spread: standard deviation of log(measured / predicted) time on held-out shapes; draw costs with it.
    """

    name: str
    family: str
    stage: str
    parameters: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    of_data: tuple[str, ...] = ()
    input: str = "matrix"
    sparse: bool = False
    fits: bool = True
    output_kind: str = "array"
    spread: float = 0.0
