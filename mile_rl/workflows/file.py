"""A declared input file or folder: its content, not its place, is part of a workflow's version."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class File(os.PathLike[str]):
    """An input file (or folder) of a workflow; operators receive it as an absolute :class:`pathlib.Path`.

    A relative path is looked up beside the Python file that writes ``File(...)``, so a workflow means the
    same file from whatever folder it is run; where nothing lies there (or in a notebook, which has no file),
    it is looked up in the working directory.

    Args:
        path: where the file lies.
        base: the folder that a relative path starts from, instead of the rule above.

    Example:
        >>> File("/data/digits.npz").name
        'digits.npz'
    """

    __slots__ = ("path", "written")

    def __init__(self, path: str | os.PathLike[str], *, base: str | os.PathLike[str] | None = None) -> None:
        self.written = os.fspath(path)
        expanded = Path(self.written).expanduser()
        if base is None and not expanded.is_absolute():
            source = sys._getframe(1).f_globals.get("__file__")
            beside = Path(source).parent / expanded if source else None
            self.path = Path(os.path.abspath(beside if beside and beside.exists() else expanded))
            if beside and not self.path.exists():
                self.path = Path(os.path.abspath(beside))
        else:
            self.path = Path(os.path.abspath(Path(base) / expanded if base is not None else expanded))

    @property
    def name(self) -> str:
        """The last component of the path; it counts in signatures, since readers look at suffixes."""
        return self.path.name

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"File({self.written!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


def files_in(value: Any) -> Iterator[Path]:
    """Yield the paths of the declared files in a value: it alone, or those nested in lists, tuples and dicts."""
    kind = type(value)
    if kind is File:
        yield value.path
    elif kind is list or kind is tuple:
        for item in value:
            yield from files_in(item)
    elif kind is dict:
        for item in value.values():
            yield from files_in(item)
