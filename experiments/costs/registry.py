"""Every operator to be measured, by name."""

from __future__ import annotations

from experiments.costs.learners import LEARNERS
from experiments.costs.plain import PLAIN
from experiments.costs.preprocessing import PREPROCESSING
from experiments.costs.spec import Spec

SPECS: dict[str, Spec] = {spec.info.name: spec for spec in (*PREPROCESSING, *LEARNERS, *PLAIN)}
