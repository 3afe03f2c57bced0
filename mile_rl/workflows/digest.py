"""Digests of values and files: equal digests mean same type and same representation.

A pre-image is always record type + schema version + canonical bytes, so that no two kinds of record can be
taken for each other; child digests stand inside the parents' pre-images. Structure goes through BLAKE2b,
bulk content (big buffers, files) through xxh3.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from mile_rl.errors import MissingFile

SCHEMA = 1
"""Raised whenever the canonical bytes of anything change: old signatures then never match new ones."""

SIZE = 16
"""Bytes in a digest."""

_CHUNK_BYTES = 1 << 20

_CLOCK_NS = 50_000_000
"""File systems tell times of change that lie closer together than this apart at the latest (Linux: 10 ms)."""


class _Hash(Protocol):
    """What BLAKE2b and xxh3 objects have in common."""

    def update(self, data: Any, /) -> None: ...

    def digest(self) -> bytes: ...


class Hasher:
    """Digests one record: its type and the schema version, then chunks of canonical bytes.

    Every chunk is prefixed with its length, so ("ab", "c") and ("a", "bc") differ.

    Args:
        record: the record's type; at most 11 ASCII characters.

    Example:
        >>> Hasher("pair").add(b"ab", b"c").hexdigest() == Hasher("pair").add(b"a", b"bc").hexdigest()
        False
    """

    __slots__ = ("_hash",)

    def __init__(self, record: str) -> None:
        self._hash = blake2b(digest_size=SIZE, person=_person(record))

    def add(self, *chunks: bytes | bytearray) -> Hasher:
        """Add chunks to the pre-image; returns itself."""
        for chunk in chunks:
            self._hash.update(len(chunk).to_bytes(8, "little"))
            self._hash.update(chunk)
        return self

    def digest(self) -> bytes:
        """Return the 16 bytes."""
        return self._hash.digest()

    def hexdigest(self) -> str:
        """Return the digest as 32 hexadecimal characters."""
        return self._hash.hexdigest()


def combine(record: str, *chunks: bytes | bytearray) -> bytes:
    """Return the digest of one record at once; the same as ``Hasher(record).add(*chunks).digest()``."""
    image = bytearray()
    for chunk in chunks:
        image += len(chunk).to_bytes(8, "little")
        image += chunk
    return blake2b(image, digest_size=SIZE, person=_PERSONS.get(record) or _person(record)).digest()


_PERSONS: dict[str, bytes] = {}


def _person(record: str) -> bytes:
    person = _PERSONS.get(record)
    if person is None:
        person = _PERSONS[record] = f"mile{SCHEMA}:{record}".encode("ascii")
        assert len(person) <= blake2b.PERSON_SIZE, f"record type {record!r} is too long"
    return person


def bulk(data: Any) -> bytes:
    """Return the digest of a big C-contiguous buffer by content alone; several GB a second."""
    import xxhash

    return xxhash.xxh3_128_digest(data)


def digest(value: object, *, where: str = "value") -> bytes:
    """Return the digest of a value.

    Two values have equal digests if and only if they have the same type and the same representation: 1, 1.0
    and True differ, 0.0 and -0.0 differ, every NaN equals every other. What a program can observe counts, so
    the insertion order of a dict does, and the order of a set does not. Which equal parts are one object and
    which are copies does not count; a cycle does. Functions, classes and modules count with all of the
    person's own code that they reach, installed ones by name and version.

    Args:
        value: what to digest.
        where: where it stands, in the person's words; for the error only.

    Returns:
        16 bytes, the same in every process, whatever PYTHONHASHSEED and working directory.

    Raises:
        UnhashableValue: the value cannot be digested.
        MissingFile: it holds a ``File`` that is not there.
    """
    from mile_rl.workflows.encode import Encoder

    encoder = Encoder(where=where)
    encoder.write(value)
    if not encoder.refs:
        return combine("value", encoder.out)
    from mile_rl.workflows.reach import Reach

    reach = Reach()
    finals = [reach.final(reach.code(ref, where)) for ref in encoder.refs]
    return combine("value", encoder.out, *finals, *reach.package_parts(encoder.refs))


def digest_file(path: Path) -> bytes:
    """Return the digest of a file's content, or of a folder's: relative names and contents, recursively.

    The content is always read: a file can change while its size and its time of change stay. Links are
    followed. A file's own name does not count, the names inside a folder do.

    Args:
        path: the file or folder.

    Raises:
        MissingFile: it is not there, or cannot be read.
    """
    try:
        if os.path.isdir(path):
            return _digest_folder(os.fspath(path), ())
        return _digest_content(os.fspath(path))
    except FileNotFoundError as error:
        raise MissingFile(
            f"there is no file {str(error.filename or path)!r}; check the path given to File(...)."
        ) from None
    except OSError as error:
        raise MissingFile(
            f"{str(path)!r} cannot be read ({error.strerror or error}); check its permissions."
        ) from None


class FileDigests:
    """Digests files, each at most once in its life: what counts in a run is what stood there at its start.

    Args:
        wall_ns: the time of day, to tell how long ago a file was changed.
    """

    __slots__ = ("_known", "_seen", "_states", "_wall_ns")

    def __init__(self, *, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._known: dict[Path, bytes] = {}
        self._states: dict[Path, _State | None] = {}
        self._seen: dict[Path, bytes] = {}
        self._wall_ns = wall_ns

    def __call__(self, path: Path) -> bytes:
        """Return the digest of a file's or a folder's content; see :func:`digest_file`."""
        known = self._known.get(path)
        if known is None:
            self._states[path] = _settled_state(path, self._wall_ns())
            known = self._known[path] = digest_file(path)
        return known

    def seen(self, path: Path) -> bytes:
        """Return the digest of what an operator saw at a path that nobody declared.

        That is a file's content, the names in a folder (files that were opened there count by themselves), or
        that nothing is there.
        """
        glance = self._seen[path] = _glance(path)
        try:
            return self(path) if glance == _FILE else glance
        except MissingFile:
            return combine("missing")

    def changed(self, path: Path) -> bool:
        """Tell whether a file is not, or may not be, what it was when it was digested.

        Its size and times are compared, which no write leaves as they are; one that was written a moment
        before it was digested is read once more. A file that was never digested has not changed.
        """
        glance = self._seen.get(path)
        if glance is not None and _glance(path) != glance:
            return True
        if path not in self._known:
            return False
        state = self._states[path]
        if state is not None:
            return _settled_state(path, self._wall_ns()) != state
        try:
            return digest_file(path) != self._known[path]
        except MissingFile:
            return True

    def forget(self, paths: Iterable[Path]) -> None:
        """Look at some files again when they are next asked for."""
        for path in paths:
            self._known.pop(path, None)
            self._seen.pop(path, None)


_FILE = b"file"


def _glance(path: Path) -> bytes:
    """Return what stands at a path without reading it: a file, nothing, or a folder with these names."""
    if os.path.isdir(path):
        with contextlib.suppress(OSError):
            return combine("names", *(os.fsencode(name) for name in sorted(os.listdir(path))))
    return _FILE if os.path.exists(path) else combine("missing")


_State = tuple[tuple[int, ...], ...]


def _settled_state(path: Path, now_ns: int) -> _State | None:
    """Return what tells one state of a file (or of all files of a folder) from another without reading them.

    None where something was changed so lately that the file system's clock may not tell the next change.
    """
    try:
        found = [os.stat(path)]
        if os.path.isdir(path):
            for folder, folders, files in os.walk(path, followlinks=False):
                found += (os.stat(os.path.join(folder, name)) for name in (*sorted(folders), *sorted(files)))
    except OSError:
        return None
    if any(each.st_ctime_ns > now_ns - _CLOCK_NS for each in found):
        return None
    return tuple(
        (each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for each in found
    )


def _digest_content(path: str) -> bytes:
    import xxhash

    hasher: _Hash = xxhash.xxh3_128()
    # Unbuffered into one buffer that stays in the processor's cache; a memory map would be raised SIGBUS
    # where the file is cut short meanwhile.
    buffer = bytearray(_CHUNK_BYTES)
    view = memoryview(buffer)
    size_bytes = 0
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            hasher.update(view[:count])
            size_bytes += count
    return combine("file", size_bytes.to_bytes(8, "little"), hasher.digest())


def _digest_folder(path: str, above: tuple[str, ...]) -> bytes:
    real = os.path.realpath(path)
    if real in above:
        # A link to a folder above: its content is counted there already.
        return combine("loop", (len(above) - above.index(real)).to_bytes(8, "little"))
    hasher = Hasher("folder")
    with os.scandir(path) as entries:
        found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
    for entry in found:
        inside = entry.is_dir()
        content = _digest_folder(entry.path, (*above, real)) if inside else _digest_content(entry.path)
        hasher.add(b"d" if inside else b"f", os.fsencode(entry.name), content)
    return hasher.digest()
