"""Compiling with numba, with a cache that is never stale.

numba looks only at the file of a function to tell whether its cached machine code is still right, but a function
holds the code and the constants of all that it calls. So the cache lies in a folder that is named after a digest of
every file that compiled code comes from.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numba
import xxhash

ROOT: Final = Path(__file__).resolve().parents[1]

SOURCES: Final = tuple(
    ROOT / name
    for name in (
        "envs/channels.py",
        "envs/columns.py",
        "envs/compiled.py",
        "envs/deciding.py",
        "envs/foreseeing.py",
        "envs/kernel.py",
        "envs/mincut.py",
        "envs/noise.py",
        "envs/observing.py",
        "envs/planning.py",
        "envs/tables.py",
        "envs/turns.py",
        "envs/valuing.py",
        "experiments/agent/quick.py",
        "mile_rl/engine/keeper.py",
        "mile_rl/planner/channel.py",
        "mile_rl/planner/costs.py",
        "mile_rl/policies/guard.py",
        "mile_rl/policies/observation.py",
        "mile_rl/policies/outlook.py",
        "mile_rl/policies/value.py",
    )
)

_KEPT: Final = 4
"""Folders of so many states of the sources stay."""


def digest(sources: Sequence[Path] = SOURCES) -> str:
    """Return a digest of files' contents and of numba's version."""
    state = xxhash.xxh3_128(numba.__version__.encode())
    for path in sources:
        content = path.read_bytes()
        state.update(f"{path.name} {len(content)}\n".encode())
        state.update(content)
    return state.hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function compiled when it is first called, or read from the cache."""
    return _compiled(function, counting=True)


def bare(function: Callable[..., Any]) -> Any:
    """As :func:`compiled`, for a function that makes no array and returns none.

    It does not count references: with two dozen arrays handed on by every call, a third of the time went there.
    """
    return _compiled(function, counting=False)


def inlined(function: Callable[..., Any]) -> Any:
    """As :func:`bare`, for a function that becomes part of its callers.

    Every other call hands some thirty arrays over, two kilobytes in all, which takes as long as a short function.
    """
    return numba.njit(inline="always", _nrt=False)(function)


def _compiled(function: Callable[..., Any], *, counting: bool) -> Any:
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_folder())
    try:
        return numba.njit(cache=True, _nrt=counting)(function)
    finally:
        numba.config.CACHE_DIR = before


@lru_cache(maxsize=1)
def _folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mile-rl" / "compiled"
    folder = base / digest()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    for old in sorted(base.iterdir(), key=_age)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _age(folder: Path) -> float:
    try:
        return -folder.stat().st_mtime
    except OSError:  # another process removed it just now
        return 0.0
