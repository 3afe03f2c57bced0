"""From a prediction to the scenarios that a script holds: the engine's own rule, over a script's rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from envs.errors import EnvironmentFailed
from envs.writing import Expected
from mile_rl.policies.outlook import RETURN, scenario_limit
from mile_rl.policies.scenarios import MOST_RETURNS, likely_scenarios
from mile_rl.prediction.base import Prediction
from mile_rl.prediction.errors import PredictionError
from mile_rl.prediction.model import Model, shipped
from mile_rl.workflows.edits import ChangeClass


def read_model(path: Path | None) -> Model:
    """Return the prediction model of a file, the shipped one where None.

    Raises:
        EnvironmentFailed: there is no such model.
    """
    if path is None:
        return shipped()
    try:
        return Model.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, PredictionError) as error:
        raise EnvironmentFailed(
            f"{path} is no prediction model ({type(error).__name__}: {error}): fit one with "
            "`python -m experiments.fit_prediction TRACES --out FILE`"
        ) from error


def expectations(said: Prediction, versions: Sequence[Mapping[str, int]]) -> list[Expected]:
    """Return what may come after the latest of some iterations.

    Args:
        said: the prediction after the latest one.
        versions: node name -> row of every iteration so far, the latest last.

    Returns:
        Nothing where the version is too large to look at.
    """
    now = versions[-1]
    latest = len(versions) - 1
    offered = [guess for guess in said.returns if 1 <= guess.back <= latest][:MOST_RETURNS]
    limit = scenario_limit(len(now))
    if not limit:
        return []
    names = list(now)
    found = likely_scenarios(
        [said.touched.get(name, 0.0) for name in names],
        said.classes[ChangeClass.NOTHING],
        said.classes[ChangeClass.RETURN],
        [guess.probability for guess in offered],
        limit,
    )
    return [
        Expected(
            kind=each.kind,
            p=each.p,
            turn=latest - offered[each.back].back if each.kind == RETURN else latest,
            roots=tuple(now[names[root]] for root in each.roots),
        )
        for each in found
    ]
