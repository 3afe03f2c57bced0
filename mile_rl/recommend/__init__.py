"""What to change next: ranked changes with what to expect of them, why, and how long they will take.

``recommend(workflow)`` answers; ``mile recommend`` and ``mile try`` are the same on the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mile_rl.recommend.advise import recommend
    from mile_rl.recommend.base import Recommendation

__all__ = ["Recommendation", "recommend"]


def __getattr__(name: str) -> Any:
    # The journal is imported on every run of a workflow; the rest only when somebody asks for advice.
    if name == "recommend":
        from mile_rl.recommend.advise import recommend

        return recommend
    if name == "Recommendation":
        from mile_rl.recommend.base import Recommendation

        return Recommendation
    raise AttributeError(name)
