"""Texts in code that may name a file: what compiled code opens by itself, nobody sees being opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

_FILE_NAME = re.compile(r"[^\0\n\r]{0,1000}[^\0\n\r./\\\\ ]\.[A-Za-z][A-Za-z0-9]{0,9}").fullmatch
"""Something with a suffix that begins with a letter: "a.parquet", "data/x.csv.gz", not "3.14", "..", "see above."."""


_MANY = 1000
"""Longer containers hold data rather than names of files."""
_DEPTH = 4
"""So many containers deep a name is looked for; one may hold itself."""


def paths_in(value: Any, *, depth: int = _DEPTH) -> Iterator[str]:
    """Yield the texts and path objects that look like names of files: a value alone, or those in containers."""
    kind = type(value)
    if kind is str or issubclass(kind, PurePath):
        if _FILE_NAME(str(value)):
            yield str(value)
    elif kind in (dict, list, tuple, frozenset) and len(value) <= _MANY and depth:
        for item in value.values() if kind is dict else value:
            yield from paths_in(item, depth=depth - 1)
