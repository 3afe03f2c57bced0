"""The rows of the comparison: each is a rule that says which configuration to try next.

A row is fitted on some datasets and then asked, dataset by dataset, for the values of all configurations given
what was tried; the highest value among those not tried yet is tried next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.outcome.data import Floats, Outcomes
from experiments.outcome.fitting import FitSettings, fit
from mile_rl.recommend.belief import expected_gain
from mile_rl.recommend.outcome import OutcomeModel, Ranking, Seen, Size

Tried = Sequence[tuple[int, float, float]]
"""(configuration, error, seconds), in the order of trying."""

Chooser = Callable[[Tried, Size, np.random.Generator], Floats]
"""What was tried, the size of the data, randomness -> the value of each configuration."""

Row = Callable[[Outcomes, Mapping[str, Any]], Chooser]
"""Outcomes to learn from, settings -> chooser."""


def random(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """Any of the configurations, all equally likely."""
    return lambda tried, size, rng: rng.random(len(train.configurations))


def best_ranked(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """The configurations in the order of their mean rank over all datasets."""
    values = -_ranks(train.errors).mean(axis=0)
    return lambda tried, size, rng: values


def greedy_portfolio(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """The list in which each configuration adds most to those before it, over all datasets."""
    values = _greedy(_regrets(train.errors))
    return lambda tried, size, rng: values


def nearest(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """What did best on the datasets of the most similar size. Settings: neighbours."""
    logs = np.log(train.sizes)
    center, scale = logs.mean(axis=0), logs.std(axis=0)
    regrets, neighbours = _regrets(train.errors), int(settings["neighbours"])

    def choose(tried: Tried, size: Size, rng: np.random.Generator) -> Floats:
        here = (np.log([size.rows, size.columns]) - center) / scale
        order = np.argsort((((logs - center) / scale - here) ** 2).sum(axis=1), kind="stable")
        return -regrets[order[:neighbours]].mean(axis=0)

    return choose


def completion(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """The lowest error that a low-rank completion of the matrix predicts. Settings: rank, noise.

    Source: Yang et al., "OBOE: Collaborative filtering for AutoML model selection" (KDD 2019); the latent
    vector of the new dataset is the ridge regression of what was tried on the configurations' vectors.
    """
    mean = train.errors.mean(axis=0)
    _, strengths, right = np.linalg.svd(train.errors - mean, full_matrices=False)
    rank = int(settings["rank"])
    vectors = right[:rank].T * strengths[:rank] / np.sqrt(len(train.errors))

    def choose(tried: Tried, size: Size, rng: np.random.Generator) -> Floats:
        at = [one for one, _, _ in tried]
        own = vectors[at]
        off = np.array([error for _, error, _ in tried]) - mean[at]
        latent = np.linalg.solve(own.T @ own + settings["noise"] ** 2 * np.eye(rank), own.T @ off)
        return -(mean + vectors @ latent)

    return choose


def gaussian_process(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """Bayesian optimisation over the parameters. Settings: length, family, noise, prior.

    The kernel is a squared exponential over standardised parameters (logarithms where they span decades) times
    a constant share for another family. The level comes from what was tried; expected improvement chooses. With
    ``prior``, the mean over other datasets is the process's mean and their spread its amplitude; without, it
    knows nothing of other datasets but its settings, and the amplitude comes from what was tried.
    """
    kernel = _parameter_kernel(train, settings["length"], settings["family"])
    mean = train.errors.mean(axis=0) if settings["prior"] else np.zeros(len(train.configurations))
    rest = train.errors - mean
    spread = float((rest - rest.mean(axis=1, keepdims=True)).std())

    def choose(tried: Tried, size: Size, rng: np.random.Generator) -> Floats:
        at = [one for one, _, _ in tried]
        errors = np.array([error for _, error, _ in tried])
        apart = errors - mean[at]
        level, amplitude = apart.mean(), spread if settings["prior"] else max(errors.std(), 0.05)
        own = kernel[np.ix_(at, at)] + settings["noise"] * np.eye(len(at))
        solved = np.linalg.solve(own, np.column_stack([(apart - level) / amplitude, kernel[at]]))
        expected = (mean + level) / amplitude + kernel[:, at] @ solved[:, 0]
        variance = np.maximum(1 - np.einsum("ij,ji->i", kernel[:, at], solved[:, 1:]), 1e-9)
        gain = expected_gain(expected, np.sqrt(variance), float(errors.min() / amplitude))
        return np.log(np.maximum(gain, 1e-300)) + 1e-9 * rng.random(len(gain))

    return choose


def outcome_model(train: Outcomes, settings: Mapping[str, Any]) -> Chooser:
    """The model that ships, as it ranks. Settings: those of ``Ranking``."""
    ranking = Ranking(
        width=settings["width"],
        gaussian_share=settings["gaussian_share"],
        waiting_power=settings["waiting_power"],
    )
    return choose_by(fit(train, FitSettings(ranking=ranking)))


def choose_by(model: OutcomeModel) -> Chooser:
    """Return the chooser of a fitted model."""

    def choose(tried: Tried, size: Size, rng: np.random.Generator) -> Floats:
        seen = [Seen(configuration=at, error=error, seconds=seconds) for at, error, seconds in tried]
        return model.belief(seen, size).value()

    return choose


ROWS: Mapping[str, tuple[Row, Sequence[Mapping[str, Any]]]] = {
    "random": (random, ({},)),
    "best-ranked": (best_ranked, ({},)),
    "greedy portfolio": (greedy_portfolio, ({},)),
    "nearest dataset": (nearest, tuple({"neighbours": k} for k in (1, 5, 10, 20, 40))),
    "low-rank completion": (
        completion,
        tuple({"rank": rank, "noise": noise} for rank in (3, 6, 12) for noise in (0.01, 0.03, 0.1)),
    ),
    "Gaussian process": (
        gaussian_process,
        tuple(
            {"length": length, "family": family, "noise": noise, "prior": prior}
            for length in (0.3, 1.0)
            for family in (0.1, 0.5)
            for noise in (0.01, 0.1)
            for prior in (False, True)
        ),
    ),
    "MILE-RL": (
        outcome_model,
        tuple(
            {"width": width, "gaussian_share": share, "waiting_power": power}
            for width in (0.8,)
            for share in (0.4, 0.6, 0.9)
            for power in (0.1, 0.2, 0.3)
        ),
    ),
}
"""Name -> (row, the settings that it is chosen among on validation datasets)."""

OURS = "MILE-RL"


def _ranks(errors: Floats) -> Floats:
    from scipy.stats import rankdata

    return np.asarray(rankdata(errors, axis=1), dtype=float)


def _regrets(errors: Floats) -> Floats:
    best = errors.min(axis=1, keepdims=True)
    return (errors - best) / np.ptp(errors, axis=1)[:, None]


def _greedy(regrets: Floats) -> Floats:
    """Return falling values in the order of the greedy list, then in that of the mean regret."""
    values = -regrets.mean(axis=0) - regrets.shape[1]
    now = np.ones(len(regrets))
    for place in range(regrets.shape[1]):
        left = np.minimum(now[:, None], regrets).mean(axis=0)
        best = int(left.argmin())
        if now.mean() - left[best] <= 1e-12:
            break
        values[best] = -place
        now = np.minimum(now, regrets[:, best])
    return values


def _parameter_kernel(train: Outcomes, length: float, family: float) -> Floats:
    families = [one.family for one in train.configurations]
    names = sorted({(one.family, name) for one in train.configurations for name in one.parameters})
    columns = np.zeros((len(families), len(names)))
    for place, (owner, name) in enumerate(names):
        members = [at for at, one in enumerate(train.configurations) if one.family == owner]
        columns[members, place] = _standardised([train.configurations[at].parameters[name] for at in members])
    squares = ((columns[:, None, :] - columns[None, :, :]) ** 2).sum(axis=2)
    same = np.array([[1.0 if one == other else family for other in families] for one in families])
    kernel: Floats = same * np.exp(-0.5 * squares / length**2)
    return kernel


def _standardised(values: Sequence[Any]) -> Floats:
    if all(isinstance(value, int | float) for value in values):
        numbers = np.array(values, dtype=float)
        if numbers.min() > 0:
            numbers = np.log(numbers)
    else:
        numbers = np.array([sorted(set(map(repr, values))).index(repr(value)) for value in values], float)
    return (numbers - numbers.mean()) / max(numbers.std(), 1e-9)
