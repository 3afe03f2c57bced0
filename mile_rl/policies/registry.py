"""The policies by the names that settings use."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from mile_rl.errors import SettingsError
from mile_rl.policies.all import KeepAll
from mile_rl.policies.base import Policy
from mile_rl.policies.density import Density
from mile_rl.policies.expected import Expected
from mile_rl.policies.gdsf import Gdsf
from mile_rl.policies.helix import Helix
from mile_rl.policies.lru import Lru
from mile_rl.policies.none import KeepNone

POLICIES: Final[dict[str, Callable[[], Policy]]] = {
    "none": KeepNone,
    "all": KeepAll,
    "helix": Helix,
    "lru": Lru,
    "gdsf": Gdsf,
    "density": Density,
    "expected": Expected,
}

DEFAULT: Final = "gdsf"


def make_policy(name: str = DEFAULT) -> Policy:
    """Return a new policy by its name.

    Raises:
        SettingsError: there is none of that name; the message suggests the closest.

    >>> make_policy("lru").name
    'lru'
    """
    if name in POLICIES:
        return POLICIES[name]()
    close = get_close_matches(name.lower(), POLICIES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise SettingsError(f"there is no policy {name!r}: {hint}Choose one of {', '.join(POLICIES)}.")
