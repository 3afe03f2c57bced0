"""One decision, valued: what the candidate and everything kept are worth, and whom it would displace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mile_rl.errors import SettingsError
from mile_rl.policies import observation
from mile_rl.policies.base import Budget, Candidate, Kept
from mile_rl.policies.outlook import NOTHING, RETURN, Outlook
from mile_rl.policies.savings import Savings, Scenarios
from mile_rl.policies.value import Bools, Floats, Rows, chances, choose_victims, worths
from mile_rl.workflows.edits import STAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSettings:
    """The constants of the expected saving; the defaults are what one would write down without any data.

    Args:
        discount: of what is saved an iteration later, 0..1.
        least_end: the least probability, an iteration, that an artifact is of no use any more; > 0.
        return_weight: how much more probable than predicted a return is taken to be, >= 0.
        write_weight: how many nanoseconds a nanosecond of writing counts, >= 0.
        background: the probability that an artifact is used though no scenario knows of it, 0..1.
        decay: of that with every iteration, 0..1.
        blind: the same probability where there is no outlook at all, 0..1.

    Raises:
        SettingsError: one of them is out of range.
    """

    discount: float = 1.0
    least_end: float = 0.02
    return_weight: float = 1.0
    write_weight: float = 1.0
    background: float = 0.02
    decay: float = 0.9
    blind: float = 0.5

    def __post_init__(self) -> None:
        for name in ("discount", "background", "decay", "blind"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is {getattr(self, name)}; it has to be 0 to 1")
        if not 0 < self.least_end <= 1:
            raise SettingsError(f"least_end is {self.least_end}; it has to be above 0 and at most 1")
        for name in ("return_weight", "write_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise SettingsError(f"{name} is {getattr(self, name)}; it has to be a number >= 0")


UNTUNED: Final = ExpectedSettings()


class View:
    """An outlook with what all decisions of its iteration need of it.

    Args:
        outlook: what may be run next; one without scenarios where nobody knows.
        settings: the constants.
    """

    __slots__ = (
        "chance",
        "depth",
        "lineage_edit",
        "nothing",
        "outlook",
        "own_edit",
        "returning",
        "scenarios",
        "takers",
    )

    def __init__(self, outlook: Outlook, settings: ExpectedSettings) -> None:
        self.outlook = outlook
        self.chance = chances(outlook.p, outlook.kind, RETURN, settings.return_weight)
        self.scenarios = Scenarios(outlook, self.chance)
        self.nothing = float(self.chance[outlook.kind == NOTHING].sum())
        self.returning = float(self.chance[outlook.kind == RETURN].sum())
        self.own_edit, self.lineage_edit, self.depth, self.takers = observation.surroundings(
            self.chance,
            outlook.edited,
            outlook.invalid,
            outlook.output_node,
            outlook.take_ptr,
            outlook.take_output,
        )

    def edits(self, output: int) -> tuple[float, float]:
        """Return the probabilities that an output's node is edited, and that it or its lineage is; 0 for -1."""
        if output < 0:
            return 0.0, 0.0
        node = self.outlook.output_node[output]
        return float(self.own_edit[node]), float(self.lineage_edit[node])

    def standing(self, output: int) -> tuple[float, bool, int]:
        """Return the depth of an output's node, whether it was seen before, and the takers; 0 for -1."""
        if output < 0:
            return 0.0, False, 0
        node = self.outlook.output_node[output]
        return float(self.depth[node]), bool(self.outlook.seen[node]), int(self.takers[output])


class Appraisal:
    """What a decision stands on. Rows are the artifacts kept, by (``kept_at``, signature), then the candidate.

    Args:
        rows: the artifacts kept; empty where there is room for the candidate and only it was to be valued.
        savings: what each saves in the next iteration.
        worth_ns: float64[r], what it saves over the rest of the session.
        weight: float64[r], what a nanosecond of value is worth.
        size_bytes: int64[r].
        place: int64[r], where each is in the outlook, -1 for nowhere.
    """

    __slots__ = ("place", "rows", "savings", "size_bytes", "weight", "worth_ns")

    def __init__(
        self,
        *,
        rows: tuple[Kept, ...],
        savings: Savings,
        worth_ns: Floats,
        weight: Floats,
        size_bytes: Rows,
        place: Rows,
    ) -> None:
        self.rows, self.savings, self.worth_ns = rows, savings, worth_ns
        self.weight, self.size_bytes, self.place = weight, size_bytes, place


def appraisal(
    candidate: Candidate,
    kept: Sequence[Kept],
    budget: Budget,
    *,
    view: View,
    settings: ExpectedSettings,
    iteration: int,
    multipliers: Mapping[str, float],
    everything: bool,
) -> Appraisal:
    """Value the candidate, and everything kept where it is asked for or needed because room has to be made.

    Args:
        candidate: the output that was just computed.
        kept: what the store holds.
        budget: the store's bytes.
        view: what may be run next.
        settings: the constants.
        iteration: the number of the running one.
        multipliers: signature -> what the worth of a kept artifact is to be multiplied by, where not 1.
        everything: whether to value what is kept even where there is room.
    """
    full = everything or candidate.size_bytes > budget.total_bytes - budget.used_bytes
    outlook = view.outlook
    position = outlook.position
    if full:
        rows = sorted(kept, key=lambda each: (each.kept_at, each.signature))
    else:
        rows = [each for each in kept if each.signature in position]
    everyone: tuple[Kept | Candidate, ...] = (*rows, candidate)
    count = len(everyone)
    place = np.array([position.get(each.signature, -1) for each in everyone], dtype=np.int64)
    worth_ns, weight = np.zeros(count), np.zeros(count)
    savings = view.scenarios.savings(_loads(outlook, place, everyone), place, everything=full)
    worths(
        savings.value_ns,
        savings.survival,
        np.array([each.saving_ns for each in everyone], dtype=np.float64),
        np.array([*(settings.decay ** max(0, iteration - each.last_used) for each in rows), 1.0]),
        np.array([*(multipliers.get(each.signature, 1.0) for each in rows), 1.0], dtype=np.float64),
        outlook.stop,
        settings.discount,
        settings.least_end,
        settings.background if outlook.scenarios else settings.blind,
        worth_ns,
        weight,
    )
    part = slice(None) if full else slice(-1, None)
    return Appraisal(
        rows=tuple(rows) if full else (),
        savings=Savings(
            value_ns=savings.value_ns[part],
            survival=savings.survival[part],
            reuse=savings.reuse[part],
            cost_ns=savings.cost_ns,
        ),
        worth_ns=worth_ns[part],
        weight=weight[part],
        size_bytes=np.array([each.size_bytes for each in everyone[part]], dtype=np.int64),
        place=place[part],
    )


def _loads(outlook: Outlook, place: Rows, rows: Sequence[Kept | Candidate]) -> Floats:
    load_ns = np.zeros(outlook.output_node.size)
    for output, row in zip(place.tolist(), rows):
        if output >= 0:
            load_ns[output] = row.load_ns
    return load_ns


class Room:
    """Whom the candidate would displace.

    Args:
        enough: whether that makes room for it.
        mask: bool[r], over the rows of the appraisal.
        victims: the same as artifacts, what is worth least per byte first.
        displaced_ns: what they are worth together.
    """

    __slots__ = ("displaced_ns", "enough", "mask", "victims")

    def __init__(self, *, enough: bool, mask: Bools, victims: tuple[Kept, ...], displaced_ns: float) -> None:
        self.enough, self.mask, self.victims, self.displaced_ns = enough, mask, victims, displaced_ns


def room_for(
    candidate: Candidate, budget: Budget, appraised: Appraisal, *, view: View, multiplier: float = 1.0
) -> Room:
    """Choose whom to let go for the candidate: what is worth least per byte.

    Args:
        candidate: the output that was just computed.
        budget: the store's bytes.
        appraised: from :func:`appraisal`.
        view: as there.
        multiplier: what the candidate's worth is to be multiplied by.
    """
    mask = np.zeros(appraised.size_bytes.size, dtype=np.bool_)
    missing = candidate.size_bytes - (budget.total_bytes - budget.used_bytes)
    if missing <= 0:
        return Room(enough=True, mask=mask, victims=(), displaced_ns=0.0)
    worth_ns = appraised.worth_ns.copy()
    worth_ns[-1] *= multiplier
    enough = choose_victims(missing, appraised.size_bytes, worth_ns, mask)
    density = worth_ns / np.maximum(appraised.size_bytes, 1)
    chosen = sorted(np.flatnonzero(mask).tolist(), key=lambda row: float(density[row]))
    victims = tuple(appraised.rows[row] for row in chosen)
    displaced_ns = float(worth_ns[mask].sum())
    if len(victims) > 1:
        loads = _loads(view.outlook, appraised.place, (*appraised.rows, candidate))
        displaced_ns = view.scenarios.displaced_worth(
            loads, appraised.place, appraised.savings, worth_ns, appraised.weight, mask
        )
    return Room(enough=enough, mask=mask, victims=victims, displaced_ns=displaced_ns)


def observed(
    candidate: Candidate, budget: Budget, appraised: Appraisal, room: Room, view: View
) -> npt.NDArray[np.float32]:
    """Return the observation of a decision, float32[observation.SIZE].

    Args:
        candidate: the output that was just computed.
        budget: the store's bytes.
        appraised: of everything.
        room: with multiplier 1.
        view: what may be run next.
    """
    out = np.zeros(observation.SIZE, dtype=np.float32)
    outlook, output = view.outlook, int(appraised.place[-1])
    depth, seen, takers = view.standing(output)
    observation.observe(
        appraised.savings.value_ns,
        appraised.worth_ns,
        float(appraised.savings.survival[-1]),
        float(appraised.savings.reuse[-1]),
        appraised.size_bytes,
        room.mask,
        room.enough,
        room.displaced_ns,
        float(candidate.recreation_ns),
        float(candidate.compute_ns),
        float(candidate.run_ancestors_ns),
        float(candidate.load_ns),
        float(candidate.write_ns),
        float(candidate.allowance_ns),
        float(candidate.ahead_ns),
        budget.total_bytes,
        budget.used_bytes,
        view.chance,
        appraised.savings.cost_ns,
        outlook.stop,
        view.nothing,
        view.returning,
        *view.edits(output),
        depth,
        seen,
        STAGES.index(candidate.stage),
        outlook.iterations,
        outlook.nodes,
        takers,
        out,
    )
    return out
