"""The items of the graph that code and values make."""

from __future__ import annotations

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
