"""Many scripts in one file without pickle, or one after the other in arrays that compiled code can read."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from envs.errors import ScriptError
from envs.script import AXES, Script

FORMAT: Final = 1
"""Raised whenever the file's meaning changes; older banks are made again, not converted."""


class Bank(Sequence[Script]):
    """Scripts, one behind the other.

    Args:
        scripts: what it holds, in order.
        facts: where they come from (seed, digests, versions), for people and for tracking.

    >>> len(Bank([]))
    0
    """

    def __init__(self, scripts: Sequence[Script], facts: Mapping[str, Any] | None = None) -> None:
        self._scripts = tuple(scripts)
        self.facts: dict[str, Any] = dict(facts or {})

    def __len__(self) -> int:
        return len(self._scripts)

    def __iter__(self) -> Iterator[Script]:
        return iter(self._scripts)

    def __getitem__(self, index: Any) -> Any:
        """Return a script, or a bank of those that a slice or an array of indices names."""
        if isinstance(index, slice):
            return Bank(self._scripts[index], self.facts)
        if isinstance(index, int | np.integer):
            return self._scripts[index]
        return Bank([self._scripts[each] for each in index], self.facts)

    def packed(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, npt.NDArray[np.int64]]]:
        """Return all scripts' arrays end to end, and for each where each script's part begins (one longer)."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        starts: dict[str, npt.NDArray[np.int64]] = {}
        for name, (_, dtype) in AXES.items():
            parts = [getattr(script, name) for script in self._scripts]
            arrays[name] = np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)
            starts[name] = np.cumsum([0, *(part.size for part in parts)], dtype=np.int64)
        return arrays, starts

    def save(self, path: Path) -> None:
        """Write the bank as .npz, whole or not at all."""
        arrays, starts = self.packed()
        told = {
            "format": FORMAT,
            "facts": self.facts,
            "scripts": [[s.name, s.source, s.group, list(s.names)] for s in self._scripts],
        }
        text = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.npz")
        try:
            np.savez_compressed(
                beside, told=text, **arrays, **{f"{name}.start": each for name, each in starts.items()}
            )
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Bank:
        """Read what :meth:`save` wrote.

        Raises:
            ScriptError: the file is not a bank, is damaged, or was written by another version.
        """
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                told = json.loads(bytes(file["told"]))
                if told["format"] != FORMAT:
                    raise ScriptError(
                        f"{path} has format {told['format']}, this code reads {FORMAT}: "
                        "make it again with `python -m envs make`"
                    )
                arrays = {name: file[name] for name in AXES}
                starts = {name: file[f"{name}.start"].tolist() for name in AXES}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ScriptError(
                f"{path} is no bank of scripts ({type(error).__name__}: {error}): "
                "make one with `python -m envs make --out FILE`"
            ) from error
        scripts = []
        for at, (name, source, group, names) in enumerate(told["scripts"]):
            own = {key: array[starts[key][at] : starts[key][at + 1]] for key, array in arrays.items()}
            scripts.append(Script(name=name, source=source, group=group, names=tuple(names), **own))
        return cls(scripts, told["facts"])
