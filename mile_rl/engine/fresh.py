"""Importing a person's own modules from their source, never from a compiled copy that may be out of date.

Python takes a compiled copy for current if the source has the same size and the same second of change. Two
edits within a second are enough to run the code before last, which nobody who edits and runs would forgive.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from mile_rl.workflows.packages import origin


class FreshLoader(importlib.machinery.SourceFileLoader):
    """Compiles the source whenever a module is imported, and leaves no compiled copy."""

    def get_code(self, fullname: str) -> CodeType:
        """Return the module's code, compiled now."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class FreshFinder:
    """Finds modules where Python does, and has those of the person's own loaded by :class:`FreshLoader`."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the person's own, None for all others."""
        if path is None and fullname in sys.stdlib_module_names:
            return None
        folder = next(iter(path), None) if path is not None else None
        if folder is not None and origin(fullname, os.path.join(folder, "__init__.py")) != "own":
            # A part of an installed package: there are hundreds, and Python finds them by itself.
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not importlib.machinery.SourceFileLoader:
            return None
        if spec.origin is None or origin(fullname, spec.origin) != "own":
            return None
        spec.loader = FreshLoader(fullname, spec.origin)
        return spec


def install() -> None:
    """Have this process import the person's modules afresh from now on. It costs a look-up an import."""
    if FreshFinder not in sys.meta_path:
        sys.meta_path.insert(0, FreshFinder)
