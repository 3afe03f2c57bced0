"""Freed memory of middling size is used again at once instead of going back to the system.

See docs/adr/0019-allocator.md for what that saves and costs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

MMAP_BYTES = 32 * 2**20
"""From this size on a block has pages of its own; the most that glibc's own rule ever raises it to."""
TRIM_BYTES = 2 * MMAP_BYTES
"""So much freed memory may stay with the process; twice the other, as in glibc's own rule."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of ``mallopt``'s parameters in glibc's malloc.h."""

_GIVEN = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")

_done = False


def reuse_memory(environ: Mapping[str, str] = os.environ) -> bool:
    """Set glibc's thresholds to where its own rule takes them in a process that has freed a block of 32 MiB.

    Once a process; nothing happens without NumPy (then no large blocks are to be expected), under another C
    library, or where the person has set any of these thresholds.

    Args:
        environ: environment variables.

    Returns:
        Whether they are set now.
    """
    global _done
    if not _done and "numpy" in sys.modules and not _is_given(environ):
        import ctypes

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
        # musl has no such function, and there is nothing to set on other systems.
        _done = mallopt is not None and bool(
            mallopt(_MMAP_THRESHOLD, MMAP_BYTES) and mallopt(_TRIM_THRESHOLD, TRIM_BYTES)
        )
    return _done


def _is_given(environ: Mapping[str, str]) -> bool:
    return any(name in environ for name in _GIVEN) or "glibc.malloc." in environ.get("GLIBC_TUNABLES", "")
