"""What the running iteration's policy is told of the next one, and when that is worth asking for."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mile_rl.engine.outlook import Expectation
    from mile_rl.engine.prepared import Prepared
    from mile_rl.policies.outlook import Outlook
    from mile_rl.workflows.sign import NodeSignature

log = logging.getLogger(__name__)

COLD_NS: Final = 80_000_000
"""What asking the model takes the first time in a process: importing and reading it, and the history."""

WARM_NS: Final = 15_000_000
"""What it takes then."""

LONG_NS: Final = 2_000_000_000
"""While a node that took so long before is computed, the model is asked beside it: 4 % of its time at the most,
and only where the node's operator holds the interpreter all the time."""


class Lookout:
    """Keeps the policy's outlook up to date; does nothing until a decision comes up.

    Belongs to the thread that executes; one more thread may ask the model beside it.

    Args:
        prepared: the iteration.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._wanted = prepared.guard.needs_outlook
        self._asking: Thread | None = None
        self._asked = False
        self._answer: Expectation | None = None
        self._told: Expectation | None = None
        self._outlook: Outlook | None = None

    @property
    def wanted(self) -> bool:
        """Whether the policy makes use of an outlook."""
        return self._wanted

    def begins(self, expected_ns: int) -> None:
        """Ask the model beside a node that will take long.

        Args:
            expected_ns: what the node took when it was computed last; 0 where it never was.
        """
        if self._wanted and not self._asked and expected_ns >= LONG_NS:
            self._asked = True
            self._asking = Thread(target=self._ask, name="mile-foresight", daemon=True)
            self._asking.start()

    def ready(self, spare_ns: int, signatures: Mapping[str, NodeSignature]) -> None:
        """See to it that the policy has the best outlook that can be had in time; call it before it decides.

        Args:
            spare_ns: what may be spent on it.
            signatures: node -> signature, as they are now.
        """
        if not self._asked and spare_ns >= (WARM_NS if _is_loaded() else COLD_NS):
            self._asked = True
            self._ask()
        # Whether the other thread has an answer is looked at once, or it might come in between.
        answer = self._answer
        if answer is not None and answer is not self._told:
            self._tell(answer, signatures)
        elif self._told is None:
            from mile_rl.engine.outlook import at_first_sight

            self._tell(at_first_sight(self._prepared), signatures)
        elif self._outlook is None:
            self._tell(self._told, signatures)

    def computed(self, node: int, elapsed_ns: int) -> None:
        """Take note of what a node of the current version took.

        Args:
            node: its position in the layout.
            elapsed_ns: its time.
        """
        if self._outlook is not None and self._outlook.nodes:
            self._outlook.compute_ns[node] = elapsed_ns

    def resigned(self) -> None:
        """Hear that nodes of the current version have other signatures now."""
        self._outlook = None

    def close(self) -> None:
        """Wait for the other thread, which reads the catalog."""
        if self._asking is not None:
            self._asking.join()

    def _ask(self) -> None:
        from mile_rl.engine.outlook import as_predicted
        from mile_rl.errors import MileError

        try:
            self._answer = as_predicted(self._prepared)
        except MileError as error:
            log.warning("no prediction of the next iteration, first sight has to do: %s", error)

    def _tell(self, expected: Expectation, signatures: Mapping[str, NodeSignature]) -> None:
        from mile_rl.engine.outlook import make_outlook
        from mile_rl.policies.outlook import no_outlook

        self._told = expected
        self._outlook = make_outlook(self._prepared, expected, signatures) or no_outlook()
        self._prepared.guard.on_outlook(self._outlook)


def _is_loaded() -> bool:
    """Return whether this process has read the model already."""
    module = sys.modules.get("mile_rl.prediction.model")
    return module is not None and bool(module.shipped.cache_info().currsize)
