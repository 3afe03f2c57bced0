"""What the executor and those it works with tell each other while an iteration runs."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mile_rl.workflows.dag import Output

if TYPE_CHECKING:
    from mile_rl.engine.call import Called
    from mile_rl.engine.held import Held

MISSING = object()
"""What a load returns when the artifact is gone or damaged."""

Progress = Callable[[int, int, str], None]
"""``on_progress(done_ns, total_ns, note)``: expected work done, expected work in all, what happens now."""


class Keeper(Protocol):
    """What the executor asks and tells while it runs; every call comes from the thread that executes."""

    def plan(self, known: Collection[Output]) -> tuple[frozenset[str], frozenset[Output]]:
        """Return the nodes to compute and the outputs to load, given what is in memory already."""

    def load(self, output: Output) -> Any:
        """Return an artifact's value, or ``MISSING``; in the latter case it must not be planned again."""

    def begins(self, node: str) -> None:
        """Hear that a node's operator is about to run."""

    def seed_of(self, node: str) -> str:
        """Return the digest that the node's global generators are seeded from."""

    def is_exclusive(self, node: str) -> bool:
        """Tell whether the node's operator was seen to do what ``drew`` is told of."""

    def is_mutator(self, node: str) -> bool:
        """Tell whether the node's operator was seen to change its inputs in place."""

    def named_files(self, node: str) -> Sequence[str]:
        """Return texts that may name files which the node's operator reads; safe on any thread."""

    def computed(self, node: str, called: Called) -> None:
        """Hear that a node was computed, before its outputs are decided about."""

    def decide(self, output: Output, held: Held) -> bool:
        """Tell whether to keep a value that was just computed."""

    def keep(self, output: Output, held: Held) -> None:
        """Write a value; nobody will change it any more."""

    def mutated(self, node: str, outputs: tuple[Output, ...]) -> None:
        """Hear that a node's operator changed these inputs in place: nothing that it touched may be kept."""

    def spoiled_unseen(self, output: Output) -> None:
        """Hear that somebody changed a value in place while not everything was watched."""

    def drew(self, node: str) -> None:
        """Hear that a node's operator draws from the global generators or changes the working directory."""

    def expected_ns(self, node: str) -> int:
        """Return how long the node is expected to run."""


class PlanAgain(Exception):
    """Something that the plan counts on is gone."""


@dataclass(slots=True)
class Running:
    """A node whose operator runs.

    Args:
        node: its name.
        handed: what it was handed.
        copies: the inputs of which it has a copy of its own; what it does to those is nobody's business.
        tainted: whether its result may owe something to nodes that ran beside it.
        unwatched: whether it was handed a value that is not compared afterwards.
        beside: whether others may run beside it; then none of its inputs can have suffered from what it did.
        context: the context variables that it starts from; what it sets in them stays with it.
    """

    node: str
    handed: dict[Output, Any]
    copies: frozenset[Output] = frozenset()
    tainted: bool = False
    unwatched: bool = False
    beside: bool = False
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
