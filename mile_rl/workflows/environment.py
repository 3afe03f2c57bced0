"""What surrounds code and counts in its signature: Python, package versions and environment variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Protocol

from mile_rl.workflows import settings
from mile_rl.workflows.digest import combine
from mile_rl.workflows.packages import Versions

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""All that counts of the Python that runs, its standard library included."""


class Surrounded(Protocol):
    """Something that uses packages and environment variables."""

    packages: set[str]
    environment: set[str]


def surroundings(items: Iterable[Surrounded], versions: Versions) -> dict[str, str]:
    """Return label -> version or digest of all packages and environment variables that items use, sorted.

    With the packages come their settings, where these are not as they come.

    The value of a variable may be a secret, so it stands as a digest.
    """
    packages: set[str] = set()
    variables: set[str] = set()
    for item in items:
        packages |= item.packages
        variables |= item.environment
    found = {f"package {name}": versions.of(name) for name in sorted(packages)}
    for name, changed in settings.current().items():
        if name in packages or name == "decimal":
            content = repr(sorted(changed.items())).encode("utf-8", "backslashreplace")
            found[f"environment settings of {name}"] = combine("settings", content).hex()
    for name in sorted(variables):
        value = os.environ.get(name)
        content = b"unset" if value is None else b"=" + value.encode("utf-8", "surrogateescape")
        found[f"environment variable {name}"] = combine("variable", content).hex()
    return found


def as_bytes(around: Mapping[str, str]) -> bytes:
    """Return what :func:`surroundings` found as a chunk of a pre-image."""
    return "\0".join(f"{label}={text}" for label, text in around.items()).encode()
