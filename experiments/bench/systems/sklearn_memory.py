"""scikit-learn's ``Pipeline(memory=...)``: fitted transformers are cached, the last step never is."""

from __future__ import annotations

from pathlib import Path

from experiments.bench.systems.base import write_files, write_functions
from experiments.bench.workloads import Workload

_MAIN = """\
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import nodes


class Last(BaseEstimator):
    def fit(self, X, y=None):
        self.result_ = nodes.{last}(X)
        return self


pipeline = Pipeline([
{transformers}    ("last", Last()),
], memory={store!r})


def run():
    return pipeline.fit(nodes.{first}())[-1].result_
"""


class SklearnMemory:
    """A pipeline of ``FunctionTransformer``; the data is loaded outside, as pipelines want it."""

    name = "sklearn memory="

    def write(self, workload: Workload, project: Path, store: Path) -> None:
        """Write the project."""
        first, *between, last = (step.name for step in workload.steps)
        transformers = "".join(f'    ("{name}", FunctionTransformer(nodes.{name})),\n' for name in between)
        main = _MAIN.format(first=first, last=last, transformers=transformers, store=str(store))
        write_functions(workload, project)
        write_files(project, {"main": main})
