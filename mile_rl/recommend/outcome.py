"""The outcome model: how well and how fast each known configuration will do on this person's data.

Fitted on real OpenML outcomes (``experiments/outcome``); see docs/model_card_outcome.md. Errors are modelled on
a logistic scale, seconds on a logarithmic one. Both are Gaussian over the configurations: a mean that depends
on the size of the data, and a covariance of few factors, learned from how configurations rise and fall together
from one dataset to the next. What the person's own iterations scored is conditioned on, exactly.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mile_rl.recommend.belief import Belief, Gaussian, to_scale
from mile_rl.recommend.errors import RecommendError

Floats = NDArray[np.float64]

FORMAT = 1
"""Raised whenever the meaning of the file changes."""

ARRAYS = (
    "weights", "loadings", "noise", "time_weights", "time_loadings", "time_noise",
    "size_center", "size_scale", "kind_scores", "kind_loadings", "kind_mean",
)  # fmt: skip

TEXTS = ("facts", "configurations", "settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A learner with its parameters; those not named have their defaults.

    Args:
        family: its short name in the outcomes ("RF", "kSVM").
        parameters: parameter -> value.
    """

    family: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"family": self.family, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the data are.

    Args:
        rows: their number.
        columns: the number of columns that the learner sees.
    """

    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise ValueError(f"{self.rows} rows and {self.columns} columns: both must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one of the person's own iterations scored.

    Args:
        configuration: the position of the configuration among those that the model knows.
        error: 1 - the metric, between 0 and 1.
        seconds: how long fitting took, None where unknown.
        doubt: how much further than a repetition the score may lie from what this configuration would score
            (it is only the nearest one that is known), as a variance on the logistic scale.
    """

    configuration: int
    error: float
    seconds: float | None = None
    doubt: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.error <= 1:
            raise ValueError(f"error {self.error} lies outside [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How gain, what is not known and waiting are weighed; chosen on validation datasets.

    Args:
        width: how far on the logistic scale a kind of data may lie from what was seen, and still be believed.
        gaussian_share: the power of the Gaussian's expected gain beside that of the kinds of data.
        waiting_power: how strongly waiting counts against gain: gain / (1 + seconds) ** waiting_power.
    """

    width: float = 0.8
    gaussian_share: float = 0.6
    waiting_power: float = 0.2


# Without slots, for the sake of what is computed once.
@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeModel:
    """Everything that was fitted.

    Args:
        configurations: what it knows, in the order of every array.
        weights: how the mean depends on the size of the data, (features, configurations).
        loadings: the factors that errors share, (configurations, factors).
        noise: what each configuration has for itself, variances.
        time_weights, time_loadings, time_noise: the same of the logarithm of the seconds.
        size_center, size_scale: the mean and deviation of the logarithms of rows and columns.
        kind_scores: kinds of data, as few numbers each: (kinds, factors).
        kind_loadings, kind_mean: what these numbers mean for each configuration.
        freedom: degrees of freedom of the scale that datasets differ by; fewer, heavier tails.
        stretch: how much wider than the Gaussian's the intervals are, by how many scores were seen (the last
            counts for more); set so that they cover on datasets not fitted.
        sureness: (shift, slope) by how many scores were seen: see ``Belief.below``.
        ranking: how changes are ranked.
        facts: where the fit came from.
    """

    configurations: tuple[Configuration, ...]
    weights: Floats
    loadings: Floats
    noise: Floats
    time_weights: Floats
    time_loadings: Floats
    time_noise: Floats
    size_center: Floats
    size_scale: Floats
    kind_scores: Floats
    kind_loadings: Floats
    kind_mean: Floats
    freedom: float = 5.0
    stretch: tuple[float, ...] = (1.0,)
    sureness: tuple[tuple[float, float], ...] = ((0.0, 1.7),)
    ranking: Ranking = field(default_factory=Ranking)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def belief(
        self, seen: Sequence[Seen] = (), size: Size | None = None, *, level_doubt: float = 0.0
    ) -> Belief:
        """Return what is believed of every configuration after what was seen.

        Args:
            seen: what the person's own iterations scored; a configuration may occur several times.
            size: of the data; None where unknown, then that of typical data.
            level_doubt: how far all of the person's scores may lie from the outcomes' in common (another metric,
                another way to split), as a variance on the logistic scale.
        """
        features = self._features(size)
        errors = Gaussian.of(features @ self.weights, self.loadings, self.noise)
        seconds = Gaussian.of(features @ self.time_weights, self.time_loadings, self.time_noise)
        at = np.array([one.configuration for one in seen], dtype=np.int64)
        scores = to_scale(np.array([one.error for one in seen], dtype=np.float64))
        doubts = np.array([one.doubt for one in seen], dtype=np.float64)
        timed = [one for one in seen if one.seconds is not None and one.seconds > 0]
        count = len(set(at.tolist()))
        errors = errors.shifted(level_doubt)
        known = seconds.given(
            np.array([one.configuration for one in timed], dtype=np.int64),
            np.log(np.array([one.seconds for one in timed], dtype=np.float64)),
            np.array([one.doubt for one in timed], dtype=np.float64),
        )
        after = errors.given(at, scores, doubts, freedom=self.freedom)
        return Belief(
            errors=after,
            log_seconds=known.mean,
            seen=at,
            scores=scores,
            kinds=self.kinds,
            stretch=self.stretch[min(count, len(self.stretch) - 1)],
            sureness=self.sureness[min(count, len(self.sureness) - 1)],
            width=self.ranking.width,
            gaussian_share=self.ranking.gaussian_share,
            waiting_power=self.ranking.waiting_power,
            level_doubt=level_doubt,
        )

    @cached_property
    def kinds(self) -> Floats:
        """The scaled errors of every configuration in every kind of data."""
        kinds: Floats = self.kind_mean + self.kind_scores @ self.kind_loadings.T
        return kinds

    def _features(self, size: Size | None) -> Floats:
        if size is None:
            center = np.zeros(2)
        else:
            logs = np.log(np.array([size.rows, size.columns], dtype=np.float64))
            center = np.clip((logs - self.size_center) / self.size_scale, -2.5, 2.5)
        features: Floats = size_features(center[None])[0]
        return features

    def to_bytes(self) -> bytes:
        """Return the model as an ``.npz`` file without pickles."""
        buffer = io.BytesIO()
        arrays = {name: np.asarray(getattr(self, name), dtype=np.float32) for name in ARRAYS}
        texts = {
            "facts": dict(self.facts),
            "configurations": [one.to_json() for one in self.configurations],
            "settings": {
                "format": FORMAT,
                "freedom": self.freedom,
                "stretch": list(self.stretch),
                "sureness": [list(pair) for pair in self.sureness],
                "width": self.ranking.width,
                "gaussian_share": self.ranking.gaussian_share,
                "waiting_power": self.ranking.waiting_power,
            },
        }
        encoded = {name: np.frombuffer(json.dumps(text).encode(), np.uint8) for name, text in texts.items()}
        np.savez_compressed(buffer, **arrays, **encoded)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            RecommendError: it was written in another format.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            texts = {name: json.loads(file[name].tobytes()) for name in TEXTS}
            arrays = {name: file[name].astype(np.float64) for name in ARRAYS}
        settings = texts["settings"]
        if settings.get("format") != FORMAT:
            raise RecommendError(
                f"the outcome model has format {settings.get('format')!r} and this version reads {FORMAT}; "
                "refit it with `python -m experiments.outcome fit`."
            )
        return cls(
            configurations=tuple(Configuration(**one) for one in texts["configurations"]),
            freedom=settings["freedom"],
            stretch=tuple(settings["stretch"]),
            sureness=tuple((shift, slope) for shift, slope in settings["sureness"]),
            ranking=Ranking(
                width=settings["width"],
                gaussian_share=settings["gaussian_share"],
                waiting_power=settings["waiting_power"],
            ),
            facts=texts["facts"],
            **arrays,
        )


def size_features(sizes: Floats) -> Floats:
    """Return the features of standardised log sizes: (n, 2) -> (n, 6)."""
    rows, columns = sizes[:, 0], sizes[:, 1]
    return np.stack([np.ones(len(sizes)), rows, columns, rows**2, columns**2, rows * columns], axis=1)


@lru_cache(maxsize=1)
def shipped() -> OutcomeModel:
    """Return the model that ships with the package."""
    return OutcomeModel.from_bytes((files("mile_rl.recommend") / "outcome.npz").read_bytes())
