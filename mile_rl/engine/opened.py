"""Files that operators open without declaring them, seen through Python's audit hook.

Files that compiled code opens by itself (HDF5, some Arrow readers) raise no event and are not seen.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from mile_rl.workflows.packages import origin_of_module

_STDLIB = os.path.dirname(os.__file__)
_SYSTEM_FOLDERS = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/share/")


class Opened:
    """Collects what the threads of one process open while nodes run. One a process: hooks cannot be removed.

    Threads that an operator starts itself are counted to every node that runs at the time.

    Attributes:
        moves: how often nodes changed what others go by: the working directory, an environment variable, the
            global generators (where they put these back, as a workflow's run does).
    """

    def __init__(self) -> None:
        self.moves = 0
        self._variables: dict[str, None] = {}
        self._by_thread: dict[int, _Node] = {}
        self._installed = False

    def begin(self) -> None:
        """Start collecting for a node on this thread."""
        if not self._installed:
            sys.addaudithook(self._hear)
            self._installed = True
        thread = threading.get_ident()
        self._by_thread[thread] = _Node(self._by_thread.get(thread))

    def end(self, *, declared: Iterable[Path] = (), ignored: Iterable[Path] = ()) -> tuple[Path, ...]:
        """Stop collecting on this thread.

        Args:
            declared: the node's ``File`` arguments.
            ignored: folders that do not count (the project's own state).

        Returns:
            The files that the node read without declaring them, the folders that it listed, and the files that it
            looked for in vain, in order of first use. Each by the path that it was opened by: a link may lead
            elsewhere next time.
        """
        thread = threading.get_ident()
        node = self._by_thread.pop(thread, None)
        if node is None:
            return ()
        if node.outer is not None:
            # An operator that runs a workflow of its own: what is read there, it reads too.
            self._by_thread[thread] = node.outer
            node.outer.read.update(node.read)
            node.outer.written.update(node.written)
            node.outer.missing.update(node.missing)
            node.outer.modules.update(node.modules)
        for name in node.modules:
            node.read.update(dict.fromkeys(own_sources(name)))
        if not node.read:
            return ()
        skipped = (*_library_folders(), *(str(folder) + os.sep for folder in ignored))
        known = [os.path.realpath(path) for path in declared]
        found: dict[Path, None] = {}
        for text in node.read:
            path = os.path.realpath(text)
            if text in node.written or path.startswith(skipped) or _is_metadata(path):
                continue
            if any(path == one or path.startswith(one + os.sep) for one in known):
                continue
            text = _source_of(text)
            if (
                os.path.isfile(text)
                or text in node.missing
                or (text.endswith(os.sep) and os.path.isdir(text))
            ):
                found[Path(text)] = None
        return tuple(found)

    def take_variables(self) -> tuple[str, ...]:
        """Return the environment variables that nodes set or removed since this was asked last."""
        names = tuple(self._variables)
        self._variables.clear()
        return names

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._by_thread:
            return
        if event == "pickle.find_class":
            # The classes of what is unpickled are in no code that the operator shows.
            mine = self._by_thread.get(threading.get_ident())
            for node in (mine,) if mine is not None else tuple(self._by_thread.values()):
                node.modules.add(str(arguments[0]))
            return
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & (os.O_WRONLY | os.O_CREAT)) if isinstance(flags, int) else False
            if isinstance(mode, str) and ("w" in mode or "a" in mode or "x" in mode):
                writes = True
        elif event == "sqlite3.connect":
            path, writes = arguments[0], False
        elif event in ("os.listdir", "os.scandir"):
            if _is_import_machinery():
                return
            path, writes = arguments[0], False
            if isinstance(path, str | os.PathLike):
                path = os.path.join(path or os.curdir, "")
        elif event in ("os.putenv", "os.unsetenv"):
            if not _is_imported():
                self.moves += 1
                self._variables[os.fsdecode(arguments[0])] = None
            return
        else:
            self.moves += event == "os.chdir"
            return
        if isinstance(path, int) or path is None:
            return
        try:
            # Not normalised: "link/.." is not where the link stands.
            text = os.path.join(os.getcwd(), os.fsdecode(path))
            is_missing = not writes and not os.path.lexists(text)
            if is_missing and (text in sys.path or _is_import_machinery()):
                return
        except (TypeError, ValueError, OSError):
            return
        mine = self._by_thread.get(threading.get_ident())
        for node in (mine,) if mine is not None else tuple(self._by_thread.values()):
            (node.written if writes else node.read)[text] = None
            if is_missing:
                node.missing[text] = None


def _is_import_machinery() -> bool:
    """Tell whether importlib looks somewhere, to find a module or what is installed, and not the operator.

    Between the two there may be other parts of the standard library (zipfile), but no one else's code.
    """
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if "importlib" in file:
            return True
        if not file.startswith((_STDLIB, "<frozen")) or "-packages" in file:
            return False
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _is_imported() -> bool:
    """Tell whether a module sets an environment variable while it is imported, for itself and for good."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") != "mile_rl.engine.call":
        if "importlib" in frame.f_code.co_filename:
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


class _Node:
    __slots__ = ("missing", "modules", "outer", "read", "written")

    def __init__(self, outer: _Node | None) -> None:
        self.outer = outer
        self.missing: dict[str, None] = {}
        self.modules: set[str] = set()
        self.read: dict[str, None] = {}
        self.written: dict[str, None] = {}


def own_sources(name: str) -> list[str]:
    """Return the files of a loaded module of the person's, and of all others of theirs that it refers to."""
    found: dict[str, str] = {}
    stack = [name]
    while stack:
        module = sys.modules.get(name := stack.pop())
        if name in found or module is None or origin_of_module(module) != "own":
            continue
        found[name] = getattr(module, "__file__", None) or ""
        for value in tuple(vars(module).values()):
            inner = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            if isinstance(inner, str):
                stack.append(inner)
    return [file for file in found.values() if file]


_FOLDERS: list[tuple[str, ...]] = []


def _library_folders() -> tuple[str, ...]:
    """Return the folders of Python, its packages, the system and this package, each with a separator."""
    if not _FOLDERS:
        names = ("stdlib", "platstdlib", "purelib", "platlib", "include", "scripts", "data")
        paths = {sysconfig.get_path(name) for name in names}
        paths |= {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.dirname(__file__))}
        paths |= {os.path.expanduser(f"~/{folder}") for folder in (".cache", ".config", ".matplotlib")}
        real = {os.path.realpath(path) for path in paths if path} - {
            os.sep,
            os.path.realpath(tempfile.gettempdir()),
        }
        _FOLDERS.append((*(path.rstrip(os.sep) + os.sep for path in real), *_SYSTEM_FOLDERS))
    return _FOLDERS[0]


def _is_metadata(path: str) -> bool:
    """Tell whether a file describes an installed package; importing reads these wherever packages lie."""
    return any(part.endswith((".egg-info", ".dist-info")) for part in path.split(os.sep)[-3:])


def _source_of(path: str) -> str:
    """Return the source of a compiled module, since that is what a person edits."""
    if path.endswith(".pyc") and f"{os.sep}__pycache__{os.sep}" in path:
        folder, name = os.path.split(path)
        return os.path.join(os.path.dirname(folder), name.split(".", 1)[0] + ".py")
    return path


OPENED = Opened()
"""The process's one collector."""
