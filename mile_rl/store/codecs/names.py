"""One name for a script's module, whether it runs as ``__main__`` or was imported."""

from __future__ import annotations

import importlib
import sys
from functools import reduce
from pathlib import PurePath
from typing import Any

MAINS = ("__main__", "__mp_main__")
"""What Python calls the running script: itself, and in children that multiprocessing spawned."""


def main_name() -> str:
    """Return the name under which the running script would be imported.

    The stem of its file, or its full name under ``python -m``; ``__main__`` where there is no file (a
    notebook, an interactive session).
    """
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return PurePath(file).stem if file else "__main__"


def canonical(module: str) -> str:
    """Return the name to write for a module: that of the file, even where it runs as a script."""
    return main_name() if module in MAINS else module


def find(module: str, qualname: str) -> Any:
    """Return a function or class by its written name, from the running script where it is that one.

    Args:
        module: a name from :func:`canonical`.
        qualname: dotted path inside the module.

    Raises:
        ImportError: there is no such module any more.
        AttributeError: the module has no such member any more.
    """
    path = qualname.split(".")
    if module == main_name() and (main := sys.modules.get("__main__")) is not None:
        try:
            return reduce(getattr, path, main)
        except AttributeError:
            pass  # the script's name may also be that of an installed module
    return reduce(getattr, path, importlib.import_module(module))
