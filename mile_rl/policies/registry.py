"""The policies by the names that settings use."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from mile_rl.errors import SettingsError
from mile_rl.policies.all import KeepAll
from mile_rl.policies.base import Policy
from mile_rl.policies.density import Density
from mile_rl.policies.expected import Expected
from mile_rl.policies.gdsf import Gdsf
from mile_rl.policies.helix import Helix
from mile_rl.policies.learned import SHIPPED, Learned
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
    # Only where its file is: a checkout may not have trained one yet.
    **({"learned": Learned} if SHIPPED.exists() else {}),
}

DEFAULT: Final = "expected"

WITHOUT_OUTLOOK: Final = "gdsf"
"""What stands in for a policy that looks ahead where there is nothing to look at."""

_FILE_PREFIX: Final = "learned:"


def make_policy(name: str = DEFAULT) -> Policy:
    """Return a new policy by its name.

    Args:
        name: one of ``POLICIES``, or "learned:FILE.onnx" for a trained policy of one's own.

    Raises:
        SettingsError: there is none of that name; the message suggests the closest.
        PolicyRefused: the trained policy's file cannot be used.

    >>> make_policy("lru").name
    'lru'
    """
    if name in POLICIES:
        return POLICIES[name]()
    if name.startswith(_FILE_PREFIX):
        return Learned(Path(name.removeprefix(_FILE_PREFIX)).expanduser())
    if name == "learned":
        raise SettingsError(
            "this installation has no trained policy (mile_rl/policies/learned.onnx): reinstall the package, "
            "train one with `make train`, or name one, as in learned:FILE.onnx"
        )
    close = get_close_matches(name.lower(), POLICIES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise SettingsError(f"there is no policy {name!r}: {hint}Choose one of {', '.join(POLICIES)}.")
