"""The items of the graph that code and values make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mile_rl.errors import MileError


class Item:
    """A function, class, module or value that is reached.

    Args:
        kind: "helper", "class", "module", "installed" or "constant".
        label: its name for people, without the kind.

    Attributes:
        local: digest of what it is by itself.
        refs: the items that it refers to.
        constants: label -> (digest, whether it can change in place) of the values that it refers to by name.
        packages: installed top-level packages that it uses.
        environment: environment variables that it reads.
        warnings: what cannot be followed in it, with the remedy.
        caches: functions with a cache (``functools.lru_cache``) that it uses.
        paths: texts in it that look like names of files.
        stores: whether it assigns to globals or attributes.
        loose: whether it is there only because code that evaluates text may use anything.
        error: why it could not be digested.
    """

    __slots__ = (
        "caches", "constants", "environment", "error", "kind", "label", "local", "loose", "packages", "paths",
        "refs", "stores", "warnings",
    )  # fmt: skip

    def __init__(self, kind: str, label: str) -> None:
        self.kind = kind
        self.label = label
        self.local = b""
        self.refs: list[int] = []
        self.constants: dict[str, tuple[str, bool]] = {}
        self.packages: set[str] = set()
        self.environment: set[str] = set()
        self.warnings: list[str] = []
        self.caches: list[Any] = []
        self.paths: set[str] = set()
        self.stores = False
        self.loose = False
        self.error: MileError | None = None


def parts_of(items: Sequence[Item], *, without: Item | None = None) -> dict[str, str]:
    """Return label -> digest of items and of the values they use, in an order that is always the same."""
    pairs = []
    for item in items:
        if item is not without and item.kind != "constant" and item.kind != "installed":
            pairs.append((f"{item.kind} {item.label}", item.local.hex()))
        pairs.extend((f"constant {label}", content) for label, (content, _) in item.constants.items())
    parts: dict[str, str] = {}
    for label, content in sorted(set(pairs)):
        parts[free_label(label, content, parts)] = content
    return parts


def free_label(label: str, content: str, parts: Mapping[str, str]) -> str:
    """Return a label that nothing else has; different things can have one name."""
    number, free = 1, label
    while parts.get(free, content) != content:
        number += 1
        free = f"{label} ({number})"
    return free
