"""The outcomes: errors and seconds of many configurations on many datasets, and how datasets are split.

Source: the error and runtime matrices of Oboe (Yang et al., "OBOE: Collaborative filtering for AutoML model
selection", KDD 2019): balanced error of scikit-learn configurations on OpenML datasets.
"""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mile_rl.errors import MileError
from mile_rl.recommend.outcome import Configuration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS = 5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """Errors and seconds, datasets × configurations.

    Args:
        names: OpenML's data ids, one a dataset.
        configurations: one a column.
        errors: balanced errors in [0, 1].
        seconds: what each took.
        sizes: rows and columns of each dataset.
        digest: of the tables' bytes.
    """

    names: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    errors: Floats
    seconds: Floats
    sizes: Ints
    digest: str

    def only(self, rows: Ints) -> Outcomes:
        """Return some of the datasets."""
        return Outcomes(
            names=tuple(self.names[row] for row in rows),
            configurations=self.configurations,
            errors=self.errors[rows],
            seconds=self.seconds[rows],
            sizes=self.sizes[rows],
            digest=self.digest,
        )

    @property
    def groups(self) -> list[str]:
        """Datasets of one shape are one group: OpenML holds many of them in several versions."""
        return [f"{rows}x{columns}" for rows, columns in self.sizes]

    def folds(self, salt: str = "") -> Ints:
        """Return a fold for each dataset, the same for a whole group whatever else is in the table."""
        return np.array(
            [int(hashlib.sha256(f"{salt}{group}".encode()).hexdigest(), 16) % FOLDS for group in self.groups]
        )


def read(folder: Path) -> Outcomes:
    """Read the tables of a folder.

    Args:
        folder: holds ``oboe_error_matrix.csv.gz``, ``oboe_runtime_matrix.csv.gz``, ``oboe_dataset_sizes.csv``.

    Raises:
        MileError: a table is missing, or they do not fit each other.
    """
    import pandas as pd

    paths = [
        folder / name
        for name in ("oboe_error_matrix.csv.gz", "oboe_runtime_matrix.csv.gz", "oboe_dataset_sizes.csv")
    ]
    try:
        errors, seconds, sizes = (pd.read_csv(path, index_col=0) for path in paths)
    except OSError as error:
        raise MileError(
            f"{folder} lacks a table of outcomes ({error}): give the folder that holds them."
        ) from error
    for table in (errors, seconds, sizes):
        table.index = table.index.astype(int)
    both = [name for name in errors.index if name in seconds.index and name in sizes.index]
    if list(errors.columns) != list(seconds.columns) or not both:
        raise MileError(f"the tables in {folder} are not of the same configurations and datasets.")
    records = [ast.literal_eval(column) for column in errors.columns]
    return Outcomes(
        names=tuple(str(name) for name in both),
        configurations=tuple(
            Configuration(family=record["algorithm"], parameters=record["hyperparameters"])
            for record in records
        ),
        errors=errors.loc[both].to_numpy(float),
        seconds=np.maximum(seconds.loc[both].to_numpy(float), 1e-4),
        sizes=np.maximum(sizes.loc[both].to_numpy(int), 1),
        digest=hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16],
    )
