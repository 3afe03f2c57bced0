"""Which effects to ask a history for: of each kind of change, of each parameter, of each other change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mile_rl.report.impact.design import Design, has_trend, is_logarithmic
from mile_rl.report.impact.states import NOT_THERE, Factor, Version, differing
from mile_rl.workflows.edits import EditKind, Stage

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Question:
    """An effect to be estimated.

    Args:
        what: in words.
        kind: the kind of edit.
        stage: what the nodes concerned are for.
        times: how often it was changed from one version to the next.
        alone: in how many of these cases nothing else changed.
        contrast: of levels, as the design makes them.
        own: the indices of the factors that it is about.
        together: the contrast of all that changed with it at once, None where it once changed alone.
        one: whether it is about one factor.
    """

    what: str
    kind: EditKind
    stage: Stage
    times: int
    alone: int
    contrast: np.ndarray[Any, Any]
    own: frozenset[int]
    together: np.ndarray[Any, Any] | None = None
    one: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """A factor that changed from one version to the next.

    Args:
        factor: its index.
        old: the index of its level before.
        new: the one after.
        all: the same three of every factor that changed in this step, itself included.
    """

    factor: int
    old: int
    new: int
    all: tuple[tuple[int, int, int], ...]


def moves_of(versions: Sequence[Version], factors: Sequence[Factor]) -> list[Move]:
    """Return what changed from each version's parent to it; a step back to a version is none, as it has one already.

    Args:
        versions: in the order of their first iterations.
        factors: what they differ in.
    """
    moves: list[Move] = []
    for index, version in enumerate(versions):
        if version.parent is None:
            continue
        changed = tuple(
            (factor, factors[factor].at[version.parent], factors[factor].at[index])
            for factor in differing(factors, version.parent, index)
        )
        moves.extend(Move(factor, old, new, changed) for factor, old, new in changed)
    return moves


def kinds(design: Design, moves: Sequence[Move]) -> list[Question]:
    """Ask for the mean effect of the changes of each kind and stage, as they were made.

    Args:
        design: of the versions.
        moves: all that changed between them.
    """
    groups: dict[tuple[EditKind, Stage], list[Move]] = {}
    for move in moves:
        factor = design.factors[move.factor]
        groups.setdefault((_kind(factor, move), factor.stage), []).append(move)
    asked = []
    for (kind, stage), group in groups.items():
        contrast = design.nothing()
        for move in group:
            contrast += design.step(move.factor, move.old, move.new) / len(group)
        asked.append(
            Question(
                what=f"{_KIND_WORDS[kind]} in {stage} nodes",
                kind=kind,
                stage=stage,
                times=len(group),
                alone=sum(len(move.all) == 1 for move in group),
                contrast=contrast,
                own=frozenset(move.factor for move in group),
                one=False,
            )
        )
    return asked


_KIND_WORDS: Mapping[EditKind, str] = {
    "add": "nodes added",
    "remove": "nodes removed",
    "replace": "operators replaced",
    "parameter": "parameters moved",
    "code": "code changed",
    "data": "data changed",
    "environment": "libraries changed",
}


def _kind(factor: Factor, move: Move) -> EditKind:
    if factor.kind not in ("add", "replace"):
        return factor.kind
    if factor.levels[move.old] == NOT_THERE:
        return "add"
    return "remove" if factor.levels[move.new] == NOT_THERE else "replace"


def parameters(design: Design, moves: Sequence[Move]) -> list[Question]:
    """Ask for each parameter's trend and for its values against the one that was tried first.

    Args:
        design: of the versions.
        moves: all that changed between them.
    """
    asked: list[Question] = []
    for index, factor in enumerate(design.factors):
        if factor.kind != "parameter":
            continue
        if has_trend(factor):
            own = [move for move in moves if move.factor == index]
            how = "each tenfold" if is_logarithmic(factor) else "each unit more"
            asked.append(
                Question(
                    what=f"{factor.label}, {how}",
                    kind="parameter",
                    stage=factor.stage,
                    times=len(own),
                    alone=sum(len(move.all) == 1 for move in own),
                    contrast=design.trend(index),
                    own=frozenset({index}),
                )
            )
        asked.extend(_against_first(design, index, moves))
    return asked


def changes(design: Design, moves: Sequence[Move]) -> list[Question]:
    """Ask for every other factor's levels, likewise.

    Args:
        design: of the versions.
        moves: all that changed between them.
    """
    return [
        one
        for index, factor in enumerate(design.factors)
        if factor.kind != "parameter"
        for one in _against_first(design, index, moves)
    ]


def _against_first(design: Design, index: int, moves: Sequence[Move]) -> list[Question]:
    """Ask for each level of a factor against the one that was tried first; what was added counts from absence."""
    factor = design.factors[index]
    base = factor.levels.index(NOT_THERE) if NOT_THERE in factor.levels else 0
    asked = []
    for level in range(len(factor.levels)):
        if level == base:
            continue
        touching = [move for move in moves if move.factor == index and level in (move.old, move.new)]
        contrast = design.step(index, base, level)
        together = None
        for move in touching:
            if {move.old, move.new} == {base, level} and len(move.all) > 1:
                sign = 1.0 if move.new == level else -1.0
                together = sign * sum((design.step(*one) for one in move.all), design.nothing())
                break
        words = factor.words(base, level)
        if factor.kind in ("code", "data") and len(factor.levels) > 2:
            words += f" (version {level + 1} against 1)"
        asked.append(
            Question(
                what=words,
                kind=factor.kind,
                stage=factor.stage,
                times=len(touching),
                alone=sum(len(move.all) == 1 for move in touching),
                contrast=contrast,
                own=frozenset({index}),
                together=together,
            )
        )
    return asked
