"""Values that several processes agree on without heavy imports."""

from __future__ import annotations

from typing import Any

from mile_rl.store.records import ArtifactMeta

META = ArtifactMeta(workflow="w", node="n", output="result", operator="o", stage="learn")


def make(number: int) -> Any:
    """Return the value of signature number ``number``; some share their content, some spill to disk."""
    size = (number % 8) * 90_000 + 10
    return bytes([number % 12]) * size if number % 2 else [number % 12, "text" * (size // 4)]
