"""Seeing that something was drawn at random: what was, must be drawn again by everybody."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

from mile_rl.sklearn.signing import PASSING

_DEPTH = 6
_ITEMS = 1000


class Draws:
    """Tells whether any random generator that a step can reach was drawn from since this was made.

    The global generators of Python and NumPy count, those in the step's attributes (and in what nests in
    them), and those in the module that its class comes from.

    Args:
        holders: the step, or whatever else may hold generators.
    """

    __slots__ = ("_before", "_generators")

    def __init__(self, *holders: Any) -> None:
        numpy_random = sys.modules["numpy"].random
        self._generators: list[Any] = [numpy_random.mtrand._rand, random]
        for holder in holders:
            attributes = getattr(holder, "__dict__", {})
            self._generators += generators_in(
                {name: value for name, value in attributes.items() if name not in PASSING}
            )
            module = sys.modules.get(type(holder).__module__)
            if module is not None:
                kinds = _kinds()
                self._generators += [value for value in vars(module).values() if isinstance(value, kinds)]
        self._before = [_state(generator) for generator in self._generators]

    def any(self) -> bool:
        """Tell whether one of them has moved on."""
        return any(
            not _same(_state(generator), before) for generator, before in zip(self._generators, self._before)
        )


def generators_in(value: Any) -> list[Any]:
    """Return the random generators in an object's attributes, lists and dicts, nested ones included."""
    return list(_generators(value, _DEPTH, set()))


def _generators(value: Any, depth: int, seen: set[int]) -> Iterator[Any]:
    if isinstance(value, _PLAIN) or id(value) in seen:
        return
    if isinstance(value, _kinds()):
        yield value
        return
    if not depth:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        parts: Any = value.values()
    elif isinstance(value, list | tuple | set):
        parts = value
    elif isinstance(value, sys.modules["numpy"].ndarray):
        parts = value.ravel().tolist() if value.dtype == object and value.size <= _ITEMS else ()
    else:
        parts = getattr(value, "__dict__", {}).values()
    if len(parts) <= _ITEMS:
        for part in parts:
            yield from _generators(part, depth - 1, seen)


def _kinds() -> tuple[type, ...]:
    numpy_random = sys.modules["numpy"].random
    return (numpy_random.RandomState, numpy_random.Generator, random.Random)


def _state(generator: Any) -> Any:
    if generator is random or isinstance(generator, random.Random):
        return generator.getstate()
    if hasattr(generator, "get_state"):
        return generator.get_state(legacy=False)
    return generator.bit_generator.state


def _same(one: Any, other: Any) -> bool:
    """Compare states, which are nested dicts and tuples with arrays as leaves."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, sys.modules["numpy"].ndarray):
        return bool((one == other).all())
    return bool(one == other)


_PLAIN = (type(None), bool, int, float, str, bytes, type)
