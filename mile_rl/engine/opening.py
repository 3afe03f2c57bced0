"""Opening a project's catalog and store: once a process, and not before they are needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mile_rl.engine.project import Project
from mile_rl.engine.writer import cost_ns
from mile_rl.errors import StoreError
from mile_rl.store import template
from mile_rl.store.catalog import Catalog
from mile_rl.store.store import Store


class Opening:
    """A project's catalog and store, opened when they are first needed.

    A plan is made from :attr:`reads`, which needs no catalog where nothing has been recorded yet.

    Args:
        project: whose they are.

    Raises:
        StoreError: the state folder cannot be made or written.
        SettingsError: the store's place cannot be used.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._root = project.store_root
        self._catalog: Catalog | None = None
        self._store: Store | None = None
        self._is_new = not project.settings.catalog and _make(project.home / "catalog.db")

    @property
    def reads(self) -> Catalog | NothingYet:
        """What to make a plan from."""
        return NothingYet() if self._is_new else self.catalog

    @property
    def catalog(self) -> Catalog:
        """The open catalog. Raises StoreError where it cannot be opened."""
        if self._catalog is None:
            self._catalog = open_catalog(self._project)
        return self._catalog

    @property
    def store(self) -> Store:
        """The open store. Raises StoreError where it cannot be opened."""
        if self._store is None:
            budget_bytes = self._project.settings.budget_bytes
            self._store = Store.open(
                self._root, budget_bytes=budget_bytes, catalog=self.catalog, clock_ns=cost_ns
            )
        return self._store

    def close(self) -> None:
        """Let the catalog go, unless it stays open for this process's next iteration."""
        if self._catalog is not None:
            release(self._project, self._catalog)


class NothingYet:
    """What a catalog answers in which nothing has been recorded."""

    def latest(self, workflow: str) -> None:
        """Return that there is no iteration."""

    def hidden_files(self) -> dict[str, tuple[str, ...]]:
        """Return that no file was seen."""
        return {}

    def artifacts(self) -> list[Any]:
        """Return that nothing is kept."""
        return []

    def operator_flags(self, codes: Iterable[str]) -> dict[str, Any]:
        """Return that nothing was observed."""
        return {}

    def channels(self) -> tuple[Any, ...]:
        """Return that no channel was measured."""
        return ()

    def measured(self, workflow: str, nodes: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
        """Return that no node was measured."""
        return {}

    def counters(self) -> dict[str, int]:
        """Return that nothing was counted."""
        return {}

    def policy_state(self, name: str) -> None:
        """Return that no policy has saved anything."""


def open_catalog(project: Project) -> Catalog:
    """Open a project's catalog, making the state folder where it does not exist.

    Raises:
        StoreError: it cannot be opened.
    """
    if project.settings.catalog:
        _make_folder(project.home)
        return Catalog.open(project.settings.catalog)
    path = project.home / "catalog.db"
    _make(path)
    return _local_catalog(path)


def release(project: Project, catalog: Catalog) -> None:
    """Close a catalog, unless it stays open for this process's next iteration."""
    if project.settings.catalog:
        catalog.close()


def _make(path: Path) -> bool:
    """Make the state folder and an empty catalog; tell whether there was none.

    Raises:
        StoreError: that is not allowed, or there is no room.
    """
    if path.exists():
        return False
    _make_folder(path.parent)
    try:
        return template.place(path)
    except OSError as error:
        raise StoreError(f"the catalog {path} cannot be made ({error}); check its permissions.") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the state folder {folder} cannot be made ({error}).") from error


def _local_catalog(path: Path) -> Catalog:
    """Return the open catalog at a path, opening it once a process: opening and closing cost 2 ms a run."""
    with _OPEN_LOCK:
        catalog, identity = _OPEN.get(path, (None, None))
        if catalog is None or identity != _identity(path):
            # The first use, or somebody has removed the file (or put another in its place) meanwhile.
            if catalog is not None:
                catalog.close()
            catalog = Catalog.open(path)
            _OPEN[path] = (catalog, _identity(path))
        return catalog


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (os.getpid(), found.st_dev, found.st_ino)


_OPEN: dict[Path, tuple[Catalog, tuple[int, int, int] | None]] = {}
_OPEN_LOCK = threading.Lock()
