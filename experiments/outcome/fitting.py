"""From outcomes to an outcome model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.outcome.data import Floats, Outcomes
from mile_rl.recommend.belief import to_scale
from mile_rl.recommend.outcome import OutcomeModel, Ranking, size_features


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How an outcome model is fitted.

    Args:
        factors: how many the Gaussian of the errors has.
        time_factors: how many that of the seconds has.
        kind_factors: how many numbers describe a kind of data.
        ridge: how strongly the weights of the size are drawn to zero.
        least_noise: a configuration has at least this variance for itself.
        freedom: degrees of freedom of the scale that datasets differ by.
        ranking: see ``mile_rl.recommend.outcome.Ranking``.
        stretch, sureness: see ``mile_rl.recommend.outcome.OutcomeModel``.
    """

    factors: int = 15
    time_factors: int = 10
    kind_factors: int = 30
    ridge: float = 5.0
    least_noise: float = 1e-3
    freedom: float = 5.0
    ranking: Ranking = field(default_factory=Ranking)
    stretch: tuple[float, ...] = (1.0,)
    sureness: tuple[tuple[float, float], ...] = ((0.0, 1.7),)


def fit(
    outcomes: Outcomes, settings: FitSettings | None = None, facts: Mapping[str, Any] | None = None
) -> OutcomeModel:
    """Return the model of these outcomes; exact linear algebra, the same for the same tables."""
    settings = settings or FitSettings()
    logs = np.log(outcomes.sizes.astype(float))
    center, scale = logs.mean(axis=0), np.maximum(logs.std(axis=0), 1e-6)
    features = size_features(np.clip((logs - center) / scale, -2.5, 2.5))
    scores = to_scale(outcomes.errors)
    weights, loadings, noise = _factors(features, scores, settings.factors, settings)
    times = _factors(features, np.log(outcomes.seconds), settings.time_factors, settings)
    mean = scores.mean(axis=0)
    left, strengths, right = np.linalg.svd(scores - mean, full_matrices=False)
    kinds = settings.kind_factors
    return OutcomeModel(
        configurations=outcomes.configurations,
        weights=weights,
        loadings=loadings,
        noise=noise,
        time_weights=times[0],
        time_loadings=times[1],
        time_noise=times[2],
        size_center=center,
        size_scale=scale,
        kind_scores=left[:, :kinds] * strengths[:kinds],
        kind_loadings=right[:kinds].T,
        kind_mean=mean,
        freedom=settings.freedom,
        stretch=settings.stretch,
        sureness=settings.sureness,
        ranking=settings.ranking,
        facts=dict(facts or {}),
    )


def _factors(
    features: Floats, values: Floats, factors: int, settings: FitSettings
) -> tuple[Floats, Floats, Floats]:
    """Return (weights, loadings, noise) of values = features @ weights + factors @ loadings.T + noise."""
    ridge = settings.ridge * np.diag([0.0] + [1.0] * (features.shape[1] - 1))
    weights = np.linalg.solve(features.T @ features + ridge, features.T @ values)
    rest = values - features @ weights
    covariance = rest.T @ rest / len(rest)
    strengths, vectors = np.linalg.eigh(covariance)
    loadings = vectors[:, ::-1][:, :factors] * np.sqrt(np.maximum(strengths[::-1][:factors], 0.0))
    noise = np.maximum(np.diag(covariance) - (loadings**2).sum(axis=1), settings.least_noise)
    return weights, loadings, noise
