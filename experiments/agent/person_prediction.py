"""A person's own correction of the shipped prediction: fitted on their past, kept only where it helps.

The shipped model adapts to a person by itself: what it reads includes what they did before (``PersonMemory``). What
is fitted here comes on top and is small on purpose, since the history of one person is: how sure the model may be of
itself (a temperature), how much their own habits count beside it (a blend), and the level of its chances that a node
is touched (a line through the log-odds).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from experiments.prediction.records import transitions
from mile_rl.prediction.base import CLASS_INDEX, CLASSES, PastIteration, Prediction
from mile_rl.prediction.model import Model, TreePredictor, shipped
from traces.schema import History

Floats = npt.NDArray[np.float64]

TEMPERATURES: Final = (0.7, 0.85, 1.0, 1.2, 1.5, 2.0)
BLENDS: Final = (0.0, 0.1, 0.2, 0.35, 0.5)
SLOPES: Final = (0.6, 0.8, 1.0, 1.2)
OFFSETS: Final = (-0.8, -0.4, -0.2, 0.0, 0.2, 0.4, 0.8)

_SMALLEST: Final = 1e-9
_PRIOR: Final = 0.5
"""How often each change class counts as having been seen before anything was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What is done to the shipped model's answers; the defaults change nothing.

    Args:
        temperature: > 1 makes the chances of the change classes more even, < 1 more extreme.
        blend: how much the person's own frequencies count in them, 0..1.
        slope: what the log-odds that a node is touched are multiplied by.
        offset: what is added to them.
    """

    temperature: float = 1.0
    blend: float = 0.0
    slope: float = 1.0
    offset: float = 0.0

    def classes(self, chances: Floats, counts: Floats) -> Floats:
        """Return corrected chances of the change classes.

        Args:
            chances: the model's, in the order of ``CLASSES``.
            counts: how often the person has made each change so far.
        """
        logs = np.log(np.maximum(chances, _SMALLEST)) / self.temperature
        own = np.exp(logs - logs.max())
        habit = (counts + _PRIOR) / (counts.sum() + _PRIOR * len(counts))
        mixed: Floats = (1 - self.blend) * own / own.sum() + self.blend * habit
        return mixed

    def touched(self, chances: Floats) -> Floats:
        """Return corrected chances that nodes are touched."""
        inner = np.clip(chances, 1e-6, 1 - 1e-6)
        odds = self.slope * np.log(inner / (1 - inner)) + self.offset
        corrected: Floats = 1 / (1 + np.exp(-odds))
        return corrected

    def to_json(self) -> dict[str, float]:
        """Return it as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """One decision of the person, and what the shipped model said before it.

    Args:
        classes: its chances of the change classes.
        truth: which it was.
        counts: how often the person had made each by then.
        touched: its chance for each node of the version.
        hit: whether the person edited it.
    """

    classes: Floats
    truth: int
    counts: Floats
    touched: Floats
    hit: npt.NDArray[np.bool_]


def moments(histories: Sequence[History], model: Model | None = None) -> list[Moment]:
    """Return a person's decisions in order of time; what a loop launched is context, but no decision.

    Args:
        histories: all of one person's.
        model: the shipped one where None.
    """
    model = model or shipped()
    found: list[Moment] = []
    counts = np.zeros(len(CLASSES))
    for each in transitions(histories):
        record = each.record
        if record is None or record.looped or record.change not in CLASS_INDEX:
            continue
        classes = np.asarray(model.classes(each.state), dtype=np.float64)
        touched = np.asarray(model.touched(each.state, classes), dtype=np.float64)
        edited = {edit.node for edit in record.edits}
        truth = CLASS_INDEX[record.change]
        hit = np.array([node.name in edited for node in each.state.nodes], dtype=np.bool_)
        found.append(Moment(classes=classes, truth=truth, counts=counts.copy(), touched=touched, hit=hit))
        counts[truth] += 1
    return found


def class_losses(found: Sequence[Moment], correction: Correction) -> Floats:
    """Return the log-loss of the change class in each decision."""
    chances = [correction.classes(each.classes, each.counts)[each.truth] for each in found]
    return -np.log(np.maximum(np.array(chances, dtype=np.float64), _SMALLEST))


def node_losses(found: Sequence[Moment], correction: Correction) -> Floats:
    """Return the log-loss of the touched nodes in each decision, a mean over its nodes."""
    losses = []
    for each in found:
        said = np.clip(correction.touched(each.touched), _SMALLEST, 1 - _SMALLEST)
        losses.append(float(np.mean(-np.log(np.where(each.hit, said, 1 - said)))) if len(said) else 0.0)
    return np.array(losses, dtype=np.float64)


def fit(found: Sequence[Moment], *, inner: float = 0.25) -> Correction:
    """Return the correction that helps, part by part; the one that changes nothing where none does.

    Candidates are compared on the earlier decisions; the best is kept only if it is better on the later ones, which
    nothing was fitted on, by more than a standard error, and is then fitted again on all.

    Args:
        found: decisions in order of time.
        inner: the share of later ones.
    """
    split = round(len(found) * (1 - inner))
    early, late = found[:split], found[split:]
    if len(early) < 4 or len(late) < 2:
        return Correction()
    chosen = Correction()
    sure = [Correction(temperature=t, blend=b) for t, b in product(TEMPERATURES, BLENDS)]
    level = [Correction(slope=a, offset=b) for a, b in product(SLOPES, OFFSETS)]
    best = _best(sure, early, class_losses)
    if _surely_better(class_losses(late, Correction()), class_losses(late, best)):
        again = _best(sure, found, class_losses)
        chosen = replace(chosen, temperature=again.temperature, blend=again.blend)
    best = _best(level, early, node_losses)
    if _surely_better(node_losses(late, Correction()), node_losses(late, best)):
        again = _best(level, found, node_losses)
        chosen = replace(chosen, slope=again.slope, offset=again.offset)
    return chosen


def _surely_better(before: Floats, after: Floats) -> bool:
    """Return whether losses fell by more than a standard error: a few decisions are soon better by chance."""
    difference = before - after
    return bool(difference.mean() > difference.std(ddof=1) / np.sqrt(len(difference)))


def _best(
    candidates: Sequence[Correction],
    found: Sequence[Moment],
    losses: Callable[[Sequence[Moment], Correction], Floats],
) -> Correction:
    return min(candidates, key=lambda each: float(losses(found, each).mean()))


def gain(
    before: Floats, after: Floats, *, seed: int = 0, block: int = 4, rounds: int = 2_000
) -> dict[str, float]:
    """Return two mean losses and their difference, with a 95 % interval over blocks of neighbouring decisions.

    Args:
        before, after: loss per decision, in order of time.
        seed: of the draws.
        block: how many neighbours are drawn together, since they are alike.
        rounds: how many draws.
    """
    difference = before - after
    count = len(difference)
    told = {"before": float(before.mean()), "after": float(after.mean()), "decisions": float(count)}
    starts = np.arange(max(1, count - block + 1))
    rng = np.random.default_rng(seed)
    picks = rng.choice(starts, size=(rounds, -(-count // block)))
    inside = np.minimum(picks[:, :, None] + np.arange(block), count - 1).reshape(rounds, -1)[:, :count]
    low, high = np.quantile(difference[inside].mean(axis=1), (0.025, 0.975))
    return {**told, "gain": float(difference.mean()), "low": float(low), "high": float(high)}


class PersonalPredictor(TreePredictor):
    """The shipped predictor, its answers corrected; what the person did before its history is handed in.

    Args:
        correction: what is done to them.
        **given: see :class:`mile_rl.prediction.model.TreePredictor`.
    """

    def __init__(self, correction: Correction, **given: Any) -> None:
        super().__init__(**given)
        self._correction = correction
        self._counts = np.zeros(len(CLASSES))

    def observe(self, record: PastIteration) -> None:
        """Take in the history's next iteration."""
        if not record.looped and record.change in CLASS_INDEX:
            self._counts[CLASS_INDEX[record.change]] += 1
        super().observe(record)

    def predict(self, *, n_parameters: int = 3, n_values: int = 3) -> Prediction:
        """Return what is expected of the next iteration."""
        said = super().predict(n_parameters=n_parameters, n_values=n_values)
        classes = self._correction.classes(np.array([said.classes[each] for each in CLASSES]), self._counts)
        touched = self._correction.touched(np.array(list(said.touched.values())))
        returning = float(classes[1]) / max(float(list(said.classes.values())[1]), _SMALLEST)
        return replace(
            said,
            classes={each: float(chance) for each, chance in zip(CLASSES, classes)},
            touched=dict(zip(said.touched, touched.tolist())),
            returns=tuple(replace(each, probability=each.probability * returning) for each in said.returns),
        )
