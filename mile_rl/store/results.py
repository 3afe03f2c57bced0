"""What the store answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final


class _Missing(Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing.MISSING
"""What :meth:`Store.get` gives where there is nothing (``None`` is a value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What came of a load.

    Args:
        value: the intermediate, or :data:`MISSING`.
        elapsed_ns: how long it took, checking included.
        size_bytes: of the file, 0 where nothing was loaded.
        codec: its name, "" where nothing was loaded.
        reason: why there is no value, "" where there is one.
    """

    value: Any
    elapsed_ns: int
    size_bytes: int = 0
    codec: str = ""
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether there is a value."""
        return self.value is not MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """What came of a put.

    Args:
        kept: whether an artifact of the signature is in the store now.
        size_bytes: of the file (of what was written of it, if it was not kept).
        elapsed_ns: how long it took.
        codec: its name, "" where none took the value.
        reason: one line: why it was not kept, or that it was there already; "" otherwise.
    """

    kept: bool
    size_bytes: int
    elapsed_ns: int
    codec: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """The state of a store in numbers."""

    root: str
    budget_bytes: int
    used_bytes: int
    reserved_bytes: int
    artifacts: int
    counters: dict[str, int]
