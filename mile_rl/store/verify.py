"""Checking a whole store: every byte of every file, and the account of them."""

from __future__ import annotations

from dataclasses import dataclass

from mile_rl.store.catalog import Catalog
from mile_rl.store.ledger import Ledger, remove_orphans
from mile_rl.store.objects import Damaged, Objects, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found.

    Args:
        files: how many contents were checked.
        checked_bytes: their size together.
        damaged: in words, each file that is gone or not what was written.
        orphans: names of files that no row knows.
        abandoned: names of files that dead writers left.
        over_budget_bytes: by how much the files exceed the budget (it may have been lowered), 0 if not.
        repaired: whether all of it was cleared away.
    """

    files: int
    checked_bytes: int
    damaged: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    over_budget_bytes: int = 0
    repaired: bool = False

    @property
    def clean(self) -> bool:
        """Whether there was nothing to find."""
        return not (self.damaged or self.orphans or self.abandoned or self.over_budget_bytes)


def verify(
    catalog: Catalog,
    objects: Objects,
    ledger: Ledger,
    *,
    repair: bool = False,
    on_progress: Progress | None = None,
) -> Report:
    """Read every file and compare it with its checksum and the catalog; other processes may go on working.

    Args:
        catalog: of the store.
        objects: of the store.
        ledger: of the store.
        repair: drop and count what is damaged, delete what nobody knows. An excess over the budget stays:
            what to let go is the policy's choice.
        on_progress: hears of files checked.
    """
    artifacts = {artifact.content: artifact for artifact in catalog.artifacts()}
    damaged: list[str] = []
    checked_bytes = 0
    for done, artifact in enumerate(artifacts.values()):
        try:
            objects.open_checked(artifact.content, artifact.suffix, artifact.size_bytes).close()
            checked_bytes += artifact.size_bytes
        except Damaged as damage:
            if artifact.signature in catalog.artifacts_for([artifact.signature]):  # else evicted meanwhile
                damaged.append(str(damage))
                if repair:
                    ledger.drop(artifact, damage.cause)
        if on_progress is not None:
            on_progress(done + 1, len(artifacts), "checking files")
    orphans, abandoned = _strays(catalog, objects, repair)
    if repair:
        ledger.sweep()
    return Report(
        files=len(artifacts),
        checked_bytes=checked_bytes,
        damaged=tuple(damaged),
        orphans=tuple(orphans),
        abandoned=tuple(abandoned),
        over_budget_bytes=max(0, ledger.used_bytes() - ledger.budget_bytes),
        repaired=repair,
    )


def _strays(catalog: Catalog, objects: Objects, repair: bool) -> tuple[list[str], list[str]]:
    """Return the files that no row knows (deleted on ``repair``) and those that dead writers left."""
    with catalog.connector.writing() as transaction:  # nobody may enter files while we compare
        known = {content for (content,) in transaction.run("SELECT content FROM contents")}
        leaving = {name for (name,) in transaction.run("SELECT content FROM reservations")}
        orphans = [s.path.name for s in objects.stored() if s.content not in known | leaving]
        writing = {n for (n,) in transaction.run("SELECT path FROM reservations WHERE kind = 'writing'")}
        writing |= {path.name for path in objects.temporaries()}
        abandoned = [name for name in sorted(writing) if objects.abandoned(objects.temporary / name)]
        if repair and orphans:
            remove_orphans(transaction, objects)
    return orphans, abandoned
