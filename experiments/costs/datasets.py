"""Synthetic data of a given shape, for every kind of input that an operator may take."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from envs.costs import Scalar, Shape
from envs.costs.outputs import number

LATENTS = 8
VOCABULARY = 30_000


class Dataset:
    """One dataset; each form of it is made when it is first asked for.

    Columns share a few latent causes with noise on top, as real tables do, and the target depends on the causes
    not linearly, with a tenth of it noise: trees grow, solvers iterate and boosting keeps finding something.

    Args:
        shape: rows, columns, density.
        given: parameters that describe the data (``n_classes``, ``cardinality``, ``words``).
        folder: where files are written.
        seed: of all that is drawn.
    """

    def __init__(self, shape: Shape, given: Mapping[str, Scalar], folder: Path, seed: int = 0) -> None:
        self.shape = shape
        self.given = given
        self._folder = folder
        self._rng = np.random.default_rng([seed, shape.rows, shape.columns])

    @cached_property
    def causes(self) -> Any:
        """What the columns and the target are made of, rows × latents."""
        return self._rng.standard_normal((self.shape.rows, LATENTS))

    @cached_property
    def x(self) -> Any:
        """A matrix: an array where the density is 1, else CSR."""
        rows, columns = self.shape.rows, self.shape.columns
        if self.shape.density < 1:
            return _csr(rows, columns, self.shape.density, self._rng)
        weights = self._rng.standard_normal((LATENTS, columns))
        return self.causes @ weights + self._rng.standard_normal((rows, columns))

    @cached_property
    def number(self) -> Any:
        """A numeric target."""
        if self.shape.density < 1:
            weights = self._rng.standard_normal(self.shape.columns)
            signal = np.asarray(self.x @ weights)
        else:
            z = self.causes
            signal = z[:, 0] + z[:, 1] * z[:, 2] + np.sin(2 * z[:, 3])
        spread = float(signal.std()) or 1.0
        return signal / spread + 0.3 * self._rng.standard_normal(self.shape.rows)

    @cached_property
    def y(self) -> Any:
        """A class for each row, equally many rows a class, a tenth of them wrong."""
        classes = int(self.given.get("n_classes") or 2)
        ranks = np.argsort(np.argsort(self.number))
        labels = ranks * classes // len(ranks)
        wrong = self._rng.random(len(labels)) < 0.1
        labels[wrong] = self._rng.integers(0, classes, int(wrong.sum()))
        return labels

    @cached_property
    def missing(self) -> Any:
        """The matrix with a tenth of its cells missing."""
        x = self.x.copy()
        x[self._rng.random(x.shape) < 0.1] = np.nan
        # a column without a value would be dropped
        x[0] = 0.0
        return x

    @cached_property
    def nonnegative(self) -> Any:
        """The matrix without signs."""
        return abs(self.x)

    @cached_property
    def categories(self) -> Any:
        """A frame of text categories."""
        import pandas as pd

        names = np.array([f"category {i}" for i in range(number(self.given, "cardinality"))])
        drawn = self._rng.integers(0, len(names), (self.shape.rows, self.shape.columns))
        return pd.DataFrame({f"c{i}": names[drawn[:, i]] for i in range(self.shape.columns)})

    @cached_property
    def documents(self) -> list[str]:
        """Texts of words by Zipf's law."""
        words = number(self.given, "words")
        vocabulary = np.array([f"{'aeiou'[i % 5]}word{i}" for i in range(VOCABULARY)])
        odds = 1 / np.arange(1, VOCABULARY + 1)
        drawn = self._rng.choice(VOCABULARY, size=(self.shape.rows, words), p=odds / odds.sum())
        return [" ".join(vocabulary[row]) for row in drawn]

    @cached_property
    def counts(self) -> Any:
        """Whole counts in place of cells."""
        counts = abs(self.x)
        if self.shape.density < 1:
            counts.data = np.ceil(counts.data)
            return counts
        return np.ceil(counts)

    @cached_property
    def frame(self) -> Any:
        """A frame as databases give it: a key, of the rest every fifth column text, every fifth whole numbers."""
        import pandas as pd

        rows = self.shape.rows
        columns: dict[str, Any] = {"key": self._rng.permutation(rows) // 4}
        names = np.array([f"name {i}" for i in range(100)])
        for i in range(1, self.shape.columns):
            if i % 5 == 3:
                columns[f"c{i}"] = names[self._rng.integers(0, 100, rows)]
            elif i % 5 == 4:
                columns[f"c{i}"] = self._rng.integers(0, 1000, rows)
            else:
                columns[f"c{i}"] = self._rng.standard_normal(rows)
        return pd.DataFrame(columns)

    @cached_property
    def numbers(self) -> list[str]:
        """The numeric columns of the frame."""
        return [name for name, kind in self.frame.dtypes.items() if kind.kind in "if"]

    def right(self, columns: Scalar) -> Any:
        """Return a frame to join: one row a key."""
        import pandas as pd

        keys = np.arange((self.shape.rows + 3) // 4)
        drawn = self._rng.standard_normal((len(keys), int(columns or 1)))
        return pd.DataFrame({"key": keys, **{f"r{i}": drawn[:, i] for i in range(drawn.shape[1])}})

    def path(self, suffix: str) -> Path:
        """Return a file that holds the frame."""
        path = self._folder / f"{self.shape.rows}x{self.shape.columns}.{suffix}"
        if not path.exists():
            if suffix == "csv":
                self.frame.to_csv(path, index=False)
            else:
                self.frame.to_parquet(path)
        return path

    @cached_property
    def score(self) -> Any:
        """A forecast of the class, in (0, 1)."""
        return 1 / (1 + np.exp(-self.number))

    @cached_property
    def said(self) -> Any:
        """A forecast class."""
        return (self.score > 0.5).astype(int)

    def input(self, kind: str) -> Any:
        """Return what an operator of this kind of input takes."""
        return self.x if kind == "matrix" else getattr(self, kind)


def _csr(rows: int, columns: int, density: float, rng: np.random.Generator) -> Any:
    from scipy import sparse

    each = rng.binomial(columns, density, rows)
    indptr = np.concatenate([[0], np.cumsum(each)])
    indices = np.concatenate([np.sort(rng.choice(columns, n, replace=False)) for n in each])
    return sparse.csr_matrix((rng.standard_normal(len(indices)), indices, indptr), shape=(rows, columns))
