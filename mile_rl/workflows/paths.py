"""Texts in code that may name a file: what compiled code opens by itself, nobody sees being opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

_FILE_NAME = re.compile(r"[^\0\n\r]{0,1000}[^\0\n\r./\\\\ ]\.[A-Za-z][A-Za-z0-9]{0,9}").fullmatch
"""Something with a suffix that begins with a letter: "a.parquet", "data/x.csv.gz", not "3.14", "..", "see above."."""


_MANY = 1000
"""Longer containers hold data rather than names of files."""


def paths_in(value: Any) -> Iterator[str]:
    """Yield the texts and path objects that look like names of files: a value alone, or those in containers."""
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        if isinstance(text, str) and _FILE_NAME(text):
            yield text
    elif isinstance(value, dict) and len(value) <= _MANY:
        for item in value.values():
            yield from paths_in(item)
    elif isinstance(value, list | tuple | frozenset) and len(value) <= _MANY:
        for item in value:
            yield from paths_in(item)
