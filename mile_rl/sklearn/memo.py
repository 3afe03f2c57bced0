"""Values that several tasks of one search need: made once, held until the last of them is done."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any


class Entry:
    """One value, or the promise of one.

    Attributes:
        found: whether there is a value; meaningful once :meth:`wait` has returned.
        value: what was published.
    """

    __slots__ = ("_done", "_maker", "found", "owners", "value")

    def __init__(self, owner: Hashable) -> None:
        self._done = threading.Event()
        self._maker = threading.get_ident()
        self.found = False
        self.value: Any = None
        self.owners = {owner}

    def wait(self) -> bool:
        """Wait until whoever makes the value is done; tell whether there is one.

        A thread that makes the value itself (a step that fits a copy of itself) does not wait.
        """
        if self._maker == threading.get_ident() and not self._done.is_set():
            return False
        self._done.wait()
        return self.found

    def settle(self, value: Any, *, found: bool) -> None:
        """Hand out the value, or say that there is none."""
        self.value, self.found = value, found
        self._done.set()


class Memo:
    """Entries by key. Who asks first makes the value; the others wait for it. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[bytes, Entry] = {}
        self._owned: dict[Hashable, set[bytes]] = {}

    def claim(self, key: bytes, owner: Hashable) -> tuple[Entry, bool]:
        """Return the entry of a key, and whether the caller has to make (and :meth:`publish`) its value.

        Args:
            key: of the value.
            owner: on whose behalf; the value is held until all its owners were released.
        """
        with self._lock:
            self._owned.setdefault(owner, set()).add(key)
            entry = self._entries.get(key)
            if entry is not None:
                entry.owners.add(owner)
                return entry, False
            entry = self._entries[key] = Entry(owner)
            return entry, True

    def find(self, key: bytes, owner: Hashable) -> Entry | None:
        """Return the entry of a key if its value is there already; nobody is promised one."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not entry.found:
                return None
            self._owned.setdefault(owner, set()).add(key)
            entry.owners.add(owner)
            return entry

    def publish(self, entry: Entry, value: Any) -> None:
        """Hand out a value that the caller has made."""
        entry.settle(value, found=True)

    def withdraw(self, key: bytes, entry: Entry) -> None:
        """Say that there is no value to share; whoever needs it makes it for itself."""
        with self._lock:
            if self._entries.get(key) is entry:
                del self._entries[key]
        entry.settle(None, found=False)

    def release(self, owner: Hashable) -> None:
        """Let go of everything that only this owner still held."""
        with self._lock:
            for key in self._owned.pop(owner, ()):
                entry = self._entries.get(key)
                if entry is not None:
                    entry.owners.discard(owner)
                    if not entry.owners:
                        del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)
