"""The few things that mining needs of Git, by its command line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from traces.errors import NotWhatItClaims, TraceError

_ABSENT = "0" * 40


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One commit's change of one file.

    Args:
        author_s: author time, Unix seconds.
        name: the author's name.
        email: the author's address.
        path: of the file.
        old: id of the content before, None where the file was made.
        new: id of the content after.
    """

    author_s: int
    name: str
    email: str
    path: str
    old: str | None
    new: str


class GitRepository:
    """A repository on this machine; only read.

    Args:
        path: its folder (bare or not).

    Raises:
        NotWhatItClaims: it is no repository.
        TraceError: Git is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_dir() or self._run("rev-parse", "--git-dir", check=False) is None:
            raise NotWhatItClaims(f"{path} is no Git repository")

    def changes(self, file_name: str) -> list[FileChange]:
        """Return every change of files of this name on any branch, without deletions, by author time.

        A merge's own changes are not seen, as ``git log --raw`` has it.
        """
        text = self._run(
            "log",
            "--all",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--reverse",
            "-z",
            "--format=%x01%at%x02%an%x02%ae%x03",
            "--",
            f":(glob)**/{file_name}",
        )
        changes = [change for commit in (text or "").split("\x01")[1:] for change in _changes(commit)]
        return sorted(changes, key=lambda change: change.author_s)

    def commits_by(self, email: str) -> list[int]:
        """Return the author times (Unix seconds) of all commits of an address."""
        text = self._run("log", "--all", "--format=%at", "--fixed-strings", f"--author=<{email}>") or ""
        return [int(line) for line in text.split()]

    def contents(self, ids: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of blobs, in order, through one process.

        Raises:
            TraceError: one is missing (a shallow or partial clone).
        """
        command = ["git", "-C", str(self.path), "cat-file", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for id in ids:
                process.stdin.write(f"{id}\n".encode())
                process.stdin.flush()
                header = process.stdout.readline().split()
                if len(header) != 3:
                    process.kill()
                    raise TraceError(f"{self.path} lacks content {id}; fetch the whole repository")
                content = process.stdout.read(int(header[2]))
                process.stdout.read(1)
                yield content
            process.stdin.close()

    def _run(self, *arguments: str, check: bool = True) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(self.path), *arguments], capture_output=True, check=False)
        except FileNotFoundError:
            raise TraceError("Git is not installed; install it to mine repositories") from None
        if done.returncode:
            if check:
                message = done.stderr.decode("utf-8", "replace").strip()
                raise TraceError(f"git {arguments[0]} failed in {self.path}: {message}")
            return None
        return done.stdout.decode("utf-8", "replace")


def _changes(commit: str) -> Iterator[FileChange]:
    header, _, body = commit.partition("\x03")
    author_s, name, email = header.split("\x02")
    fields = [field.strip("\n") for field in body.split("\0") if field.strip("\n")]
    for raw, path in zip(fields[::2], fields[1::2], strict=False):
        _mode, _new_mode, old, new, _status = raw.lstrip(":").split(" ")
        if new != _ABSENT:
            yield FileChange(
                author_s=int(author_s),
                name=name,
                email=email,
                path=path,
                old=None if old == _ABSENT else old,
                new=new,
            )
