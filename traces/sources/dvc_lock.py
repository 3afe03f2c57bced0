"""DVC: the Git history of the ``dvc.lock`` files of a repository."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from traces.dvc_stages import lock_components
from traces.errors import BadRow, NotWhatItClaims
from traces.git import FileChange, GitRepository
from traces.link import Seen, link
from traces.lock_file import parse_lock
from traces.people import Pseudonyms
from traces.schema import Component, History
from traces.sources.base import OnProgress, Tally, no_progress

_AUTOMATIC = re.compile(r"\[bot\]|actions", re.IGNORECASE)
_DEMO = re.compile(r"template|demo|example|tutorial|course|workshop|get-started", re.IGNORECASE)
_MANY_COMMITS = 50


class DvcLock:
    """Every lock file of one repository; a version is a commit that changed it.

    A version was edited from the content on the old side of its commit's diff. The same content on another
    line of history (squashed, picked, rebased) is left out; the content of an ancestor is a return.

    Args:
        path: the repository's folder.
        pseudonyms: turns authors, the repository and commands into pseudonyms.

    Raises:
        NotWhatItClaims: it is no repository, or holds no lock file in its history.
    """

    name = "dvc"

    def __init__(self, path: Path, pseudonyms: Pseudonyms) -> None:
        self.place = path.resolve().name
        self._repository = GitRepository(path)
        self._pseudonyms = pseudonyms
        self._changes: dict[str, list[FileChange]] = defaultdict(list)
        for change in self._repository.changes("dvc.lock"):
            self._changes[change.path].append(change)
        if not self._changes:
            raise NotWhatItClaims(f"{path} holds no dvc.lock in its history")
        self._group = pseudonyms("repository", path.resolve())

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history a lock file. See :class:`traces.sources.base.Source`."""
        total, done = sum(map(len, self._changes.values())), 0
        automatic = self._automatic()
        for path, changes in sorted(self._changes.items()):
            history = self._history(path, changes, automatic, tally)
            done += len(changes)
            on_progress(done, total, "versions")
            if history is not None:
                yield history

    def _history(
        self, path: str, changes: Sequence[FileChange], automatic: frozenset[str], tally: Tally
    ) -> History | None:
        kept = _versions(changes, tally)
        contents = self._contents([change.new for change in kept], tally)
        index_of: dict[str, int] = {}
        runs: list[Seen] = []
        authors: Counter[str] = Counter()
        for change in kept:
            components = contents[change.new]
            if components is None:
                continue
            parent = None if change.old is None else index_of.get(change.old)
            index_of[change.new] = len(runs)
            authors[change.email] += 1
            runs.append(
                Seen(
                    components=components,
                    parent=parent,
                    start_ms=1000 * change.author_s,
                    scripted=change.email in automatic,
                )
            )
        if not runs:
            return None
        main = min(authors, key=lambda email: (-authors[email], email))
        return History(
            id=f"dvc-{self._pseudonyms('lock', f'{self._group}/{path}')}",
            source=self.name,
            person=self._pseudonyms("email", main),
            group=self._group,
            task=self._group,
            workflow=path,
            facts={"authors": len(authors)},
            demo=bool(_DEMO.search(self.place)),
            iterations=link(runs),
        )

    def _contents(self, blobs: Sequence[str], tally: Tally) -> dict[str, tuple[Component, ...] | None]:
        """Return each content's components, None where it cannot be read."""
        found: dict[str, tuple[Component, ...] | None] = {}
        wanted = list(dict.fromkeys(blobs))
        for blob, content in zip(wanted, self._repository.contents(wanted), strict=True):
            try:
                found[blob] = lock_components(parse_lock(content, self._command))
            except BadRow as bad:
                found[blob] = None
                tally.count_bad(bad)
        return found

    def _command(self, text: str) -> str:
        return self._pseudonyms("command", text)

    def _automatic(self) -> frozenset[str]:
        """Return the addresses of authors that look automatic.

        By name; or a noreply address with at least 50 commits of which a quarter fall in one hour of the day.
        """
        people = {(change.name, change.email) for changes in self._changes.values() for change in changes}
        found = {email for name, email in people if _AUTOMATIC.search(name)}
        for _, email in people:
            if "noreply" in email and email not in found:
                times = self._repository.commits_by(email)
                hours = Counter(time // 3600 % 24 for time in times)
                if len(times) >= _MANY_COMMITS and 4 * max(hours.values()) >= len(times):
                    found.add(email)
        return frozenset(found)


def _versions(changes: Sequence[FileChange], tally: Tally) -> list[FileChange]:
    """Return the changes that count, each transition once, without copies from other lines of history."""
    kept: list[FileChange] = []
    transitions: set[tuple[str | None, str]] = set()
    ancestors: dict[str, frozenset[str]] = {}
    for change in changes:
        tally.read += 1
        if (change.old, change.new) in transitions:
            tally.left_out["a change seen before"] += 1
            continue
        transitions.add((change.old, change.new))
        above: frozenset[str] = frozenset()
        if change.old is not None:
            above = ancestors.get(change.old, frozenset()) | {change.old}
        if change.new in ancestors and change.new not in above:
            tally.left_out["same content on another line of history"] += 1
            continue
        ancestors[change.new] = above | ancestors.get(change.new, frozenset())
        kept.append(change)
    return kept
