"""The shipped table: one line a measurement, plain CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

from envs.costs import CostError, OperatorInfo, Scalar
from experiments.costs.measure import Measured

COLUMNS = tuple(field.name for field in fields(Measured))
TEXTS = ("operator", "parameters", "output_kind", "model_kind")
CLOCKED = tuple(name for name in COLUMNS if name.endswith("_ns"))
FRACTIONS = ("density", "output_density")


def write_table(rows: Sequence[Measured], path: Path) -> None:
    """Write measurements, ordered by operator and shape."""
    ordered = sorted(rows, key=lambda row: (row.operator, row.rows, row.columns, row.density, row.parameters))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([getattr(row, name) for name in COLUMNS] for row in ordered)


def merged(campaigns: Iterable[Sequence[Measured]]) -> list[Measured]:
    """Return each point once, with the least of the times that several campaigns found.

    Whatever else a machine does only ever adds time, so campaigns on different hours come closer to the cost.
    """
    found: dict[tuple[str, int, int, float, str], Measured] = {}
    for row in chain.from_iterable(campaigns):
        key = (row.operator, row.rows, row.columns, row.density, row.parameters)
        known = found.get(key)
        if known is not None:
            row = replace(row, **{name: min(getattr(row, name), getattr(known, name)) for name in CLOCKED})
        found[key] = row
    return list(found.values())


def read_table(path: Path) -> list[Measured]:
    """Return the measurements of a table.

    Raises:
        CostError: it is not there or has other columns.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise CostError(f"{path} has other columns than a table of costs; measure anew")
            return [Measured.from_json({name: _cell(name, row[name]) for name in COLUMNS}) for row in reader]
    except OSError as error:
        raise CostError(f"{path} cannot be read ({error}); write it with `calibrate_costs fit`") from error


def _cell(name: str, text: str) -> Any:
    if name in TEXTS:
        return text
    return float(text) if name in FRACTIONS else int(text)


def parameters_of(row: Measured, info: OperatorInfo) -> dict[str, Scalar]:
    """Return a measurement's parameters as values.

    Raises:
        CostError: the operator has other parameters now.
    """
    given: dict[str, Scalar] = {}
    for part in filter(None, row.parameters.split(";")):
        name, _, text = part.partition("=")
        found = [value for value in info.parameters.get(name, ()) if str(value) == text]
        if not found:
            raise CostError(
                f"{row.operator} was measured with {part}, which its spec no longer has; measure anew"
            )
        given[name] = found[0]
    return given
