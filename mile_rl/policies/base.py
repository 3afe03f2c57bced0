"""What a policy is asked, what it answers, and what every policy has to obey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mile_rl.workflows.edits import Stage

if TYPE_CHECKING:
    from mile_rl.policies.outlook import Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An output that has just been computed: is it worth keeping?

    Args:
        output: its name for people ("split.train").
        signature: the output's signature.
        node: the node that yielded it.
        operator: the node's operator.
        stage: what the operator is for.
        size_bytes: its size as an artifact.
        compute_ns: how long its node took, without its ancestors.
        recreation_ns: how long it would take to get it back without its artifact, under the plan, from
            what is kept now.
        run_ancestors_ns: its node's time plus the times of all its ancestors that this run really computed;
            Helix's c_i + sum of c_j.
        load_ns: how long loading it will take, estimated.
        write_ns: how long writing it will take, estimated.
        allowance_ns: how long writing may take now; 0 where nobody says.
        ahead_ns: what is still to be computed in this iteration, estimated; 0 where nobody says.
    """

    output: str
    signature: str
    node: str
    operator: str
    stage: Stage
    size_bytes: int
    compute_ns: int
    recreation_ns: int
    run_ancestors_ns: int
    load_ns: int
    write_ns: int
    allowance_ns: int = 0
    ahead_ns: int = 0

    @property
    def saving_ns(self) -> int:
        """What one reuse saves; never negative."""
        return max(0, self.recreation_ns - self.load_ns)

    def __post_init__(self) -> None:
        _no_negatives(self, _CANDIDATE_COUNTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An artifact in the store.

    Args:
        signature: the output's signature.
        output: its name for people.
        node: the node that yielded it.
        size_bytes: its size.
        load_ns: how long loading it will take, estimated.
        recreation_ns: its recreation time when it was kept.
        loads: how often it was loaded since.
        last_used: the iteration that last loaded or kept it.
        kept_at: the iteration that kept it.
        code: digest of its operator's code and its node's parameters when it was kept.
    """

    signature: str
    output: str
    node: str
    size_bytes: int
    load_ns: int
    recreation_ns: int
    loads: int
    last_used: int
    kept_at: int
    code: str

    @property
    def saving_ns(self) -> int:
        """What one reuse saves; never negative."""
        return max(0, self.recreation_ns - self.load_ns)

    def __post_init__(self) -> None:
        _no_negatives(self, ("size_bytes", "load_ns", "recreation_ns", "loads"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many bytes the store may hold, and holds (what is being written included)."""

    total_bytes: int
    used_bytes: int

    @property
    def free_bytes(self) -> int:
        """What is left; never negative."""
        return max(0, self.total_bytes - self.used_bytes)

    def __post_init__(self) -> None:
        _no_negatives(self, ("total_bytes", "used_bytes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A policy's answer.

    Args:
        keep: whether to keep the candidate.
        evict: signatures of artifacts to let go first; empty unless ``keep``.
        reason: why, in words and numbers, for people.
    """

    keep: bool
    evict: tuple[str, ...] = ()
    reason: str

    def __post_init__(self) -> None:
        if self.evict and not self.keep:
            raise ValueError("a decision that keeps nothing may not evict anything")


@runtime_checkable
class Policy(Protocol):
    """Decides what is worth keeping. The policy chooses; the store enforces bytes.

    Every policy obeys the contract (``tests/policies/policy_contract.py``): it evicts only what is in
    ``kept``, each once, and what it keeps fits then: size - freed <= free. It is deterministic: the same
    calls in the same order give the same decisions, in this process or, by ``state`` and ``restore``, in a
    later one. It accepts signatures that it has never heard of (another policy may have filled the store).
    It does no I/O, reads no clock and keeps no reference to its arguments. Nobody calls it from two threads
    at once: the engine has one lock for deciding.
    """

    @property
    def name(self) -> str:
        """The name by which settings choose it."""

    @property
    def needs_outlook(self) -> bool:
        """Whether it makes use of an outlook; making one is spared for the others."""

    def on_outlook(self, outlook: Outlook) -> None:
        """Hear what may be run next; after ``on_iteration``, before the iteration's first decision.

        Not every iteration has one: where nothing comes up for decision, none is made.

        Args:
            outlook: to look at until the next ``on_iteration``, an exception to the rule that no reference to
                an argument is kept. Its ``compute_ns`` follow what is measured meanwhile.
        """

    def admit(self, candidate: Candidate, kept: Sequence[Kept], budget: Budget) -> Decision:
        """Decide on an output that was just computed.

        Args:
            candidate: the output; its signature is not in ``kept``.
            kept: what the store holds, in any order.
            budget: the store's bytes.
        """

    def on_load(self, signature: str) -> None:
        """Hear that an artifact was loaded."""

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Hear that an iteration begins, before its plan is made.

        Args:
            iteration: its number, increasing.
            code: node -> digest of its operator's code and parameters, for every node of the new version.
            kept: what the store holds.

        Returns:
            Signatures of artifacts to let go now.
        """

    def state(self) -> dict[str, Any]:
        """Return what has to survive the process, as a JSON object."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what :meth:`state` returned, in place of everything heard so far."""


class Stateless:
    """What a policy does that remembers nothing, foresees nothing and evicts nothing between iterations."""

    needs_outlook = False

    def on_outlook(self, outlook: Outlook) -> None:
        """Take no note of it."""

    def on_load(self, signature: str) -> None:
        """Take no note of a load."""

    def on_iteration(self, iteration: int, code: Mapping[str, str], kept: Sequence[Kept]) -> tuple[str, ...]:
        """Let nothing go."""
        return ()

    def state(self) -> dict[str, Any]:
        """Return an empty object."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up nothing."""


_CANDIDATE_COUNTS = (
    "size_bytes",
    "compute_ns",
    "recreation_ns",
    "run_ancestors_ns",
    "load_ns",
    "write_ns",
    "allowance_ns",
    "ahead_ns",
)


def _no_negatives(record: object, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(record, name) < 0:
            raise ValueError(
                f"{type(record).__name__}.{name} is {getattr(record, name)}; it cannot be negative"
            )
