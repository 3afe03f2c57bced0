"""The store as a search uses it: what is worth keeping beyond the search, by the same policy and guard."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from mile_rl.engine.carried import channels, costs_of, counters, kept_of, policy_state, take_up, terms_of
from mile_rl.engine.opening import Opening
from mile_rl.engine.project import Project, find
from mile_rl.errors import StoreError
from mile_rl.policies.base import Budget, Candidate, Kept
from mile_rl.policies.guard import Guard
from mile_rl.policies.registry import WITHOUT_OUTLOOK, make_policy
from mile_rl.sklearn.contents import size_bytes
from mile_rl.sklearn.recording import Evaluated, file_of, record_of
from mile_rl.sklearn.signing import Signing
from mile_rl.store.records import Artifact, ArtifactMeta
from mile_rl.store.results import MISSING
from mile_rl.workflows.digest import combine

log = logging.getLogger(__name__)

QUICK_NS = 5_000_000
"""What took less than this to make is not worth keeping."""

WORKFLOW = "scikit-learn"
"""The name under which steps of searches stand in the store: they are shared by all searches of a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a value is and what it took.

    Args:
        node: the class of the step.
        output: which of its methods made it.
        compute_ns: how long that took.
        made_ns: the same with everything that it was made from in this session.
        stage: what the step is for.
    """

    node: str
    output: str
    compute_ns: int
    made_ns: int
    stage: Any = "preprocess"


class Shelf:
    """A project's store during one search. Safe from any thread.

    Args:
        project: whose store.

    Attributes:
        folders: where its files lie.

    Raises:
        StoreError: it cannot be used.
        SettingsError: a setting cannot be used.
    """

    def __init__(self, project: Project) -> None:
        settings = project.settings
        self.folders = (project.home, project.store_root)
        self._lock = threading.RLock()
        self._project = project
        self._opening = Opening(project)
        catalog = self._opening.reads
        policy = make_policy(settings.policy)
        if policy.needs_outlook:  # nobody says what a search's steps will be asked for next
            policy = make_policy(WITHOUT_OUTLOOK)
        self._guard = Guard(policy, terms=terms_of(settings))
        self._costs = costs_of(catalog)
        self._artifacts: dict[str, Artifact] = {
            artifact.signature: artifact for artifact in catalog.artifacts()
        }
        self._kept = {
            signature: kept_of(artifact, self._costs) for signature, artifact in self._artifacts.items()
        }
        self._iteration = 1 + max((kept.last_used for kept in self._kept.values()), default=0)
        take_up(self._guard, catalog)
        self._guard.begin_run()
        self._used_bytes = sum({a.content: a.size_bytes for a in self._artifacts.values()}.values())

    @classmethod
    def at(cls, store: str | Path | None) -> Shelf | None:
        """Open the store of the project at a folder; None, with a line in the log, where that cannot be used.

        Args:
            store: a folder; "project" for the one that the working directory belongs to; None for no store.
        """
        if store is None:
            return None
        try:
            return cls(find(Path.cwd() if store == "project" else Path(store)))
        except (StoreError, OSError) as error:
            log.warning("nothing is kept beyond this search: %s", error)
            return None

    def load(self, signature: str) -> Any:
        """Return a kept value, or None where there is none (any more)."""
        artifact = self._artifacts.get(signature)
        if artifact is None:
            return None
        with self._lock:
            try:
                loaded = self._opening.store.get(signature, artifact=artifact)
            except (StoreError, OSError) as error:
                log.warning("%s.%s was not loaded: %s", artifact.meta.node, artifact.meta.output, error)
                return None
            if loaded.value is MISSING:
                self._artifacts.pop(signature, None)
                self._kept.pop(signature, None)
                return None
            self._costs.loaded(loaded.codec, loaded.size_bytes, loaded.elapsed_ns)
            self._guard.on_load(signature)
            self._guard.saved(artifact.meta.recreation_ns - loaded.elapsed_ns)
        return loaded.value

    def __contains__(self, signature: str) -> bool:
        return signature in self._artifacts

    def spared(self, compute_ns: int) -> None:
        """Hear that something known needs not be computed, which took so long when it was."""
        self._guard.saved(compute_ns)

    def computed(self, compute_ns: int) -> None:
        """Hear that something was computed; a share of its time may be spent on writing."""
        self._guard.computed(compute_ns)

    def offer(self, signature: str, value: Any, worth: Worth) -> bool:
        """Keep a value if guard and policy want it; it is on disk when this returns. Tell whether it is.

        A store that cannot be used costs a line in the log, and never the search.

        Args:
            signature: of the value, in this and every later process.
            value: nobody may change it.
            worth: what it took.
        """
        try:
            return self._offer(signature, value, worth)
        except (StoreError, OSError) as error:
            log.warning("%s.%s was not kept: %s", worth.node, worth.output, error)
            return False

    def _offer(self, signature: str, value: Any, worth: Worth) -> bool:
        with self._lock:
            self._guard.computed(worth.compute_ns)
            if worth.made_ns < QUICK_NS or signature in self._kept:
                return False
            # A tuple of a result and attributes, whatever these are, is written by the last codec.
            candidate = self._candidate(signature, size_bytes(value), worth)
            store = self._opening.store
            total = store.budget_bytes
            budget = Budget(total_bytes=total, used_bytes=min(total, self._used_bytes))
            decision = self._guard.admit(candidate, tuple(self._kept.values()), budget)
            if not decision.keep:
                return False
            if decision.evict:
                self._used_bytes = max(0, self._used_bytes - store.evict(decision.evict))
                for gone in decision.evict:
                    self._kept.pop(gone, None)
                    self._artifacts.pop(gone, None)
            put = store.put(signature, value, meta=_meta(worth))
            self._guard.written(signature, put.elapsed_ns)
            if put.size_bytes and put.codec and put.elapsed_ns:
                self._costs.written(put.codec, put.size_bytes, put.elapsed_ns)
            if put.kept:
                self._kept[signature] = self._new(candidate, put.size_bytes)
                self._used_bytes += put.size_bytes
            return put.kept

    def close(self) -> None:
        """Write down what was learned of costs and uses, and let the catalog go."""
        with self._lock:
            try:
                self._opening.catalog.learn(
                    channels=channels(self._costs),
                    policy_state=policy_state(self._guard),
                    counters=counters(self._guard),
                )
            except StoreError as error:
                log.warning("what this search taught about costs was not recorded: %s", error)
            finally:
                self._opening.close()

    def record(self, evaluated: Evaluated, frame: FrameType, signing: Signing) -> None:
        """Note an evaluation in the project's history; what goes wrong costs a line in the log.

        Args:
            evaluated: what was done.
            frame: whence it was called.
            signing: digests values and code.
        """
        try:
            catalog = self._opening.catalog
            catalog.record_iteration(
                record_of(evaluated, catalog, file_of(frame, self._project.root), signing)
            )
        except (
            Exception
        ) as error:  # the search itself went well, and is worth more than its line in the history
            log.warning("this %s was not recorded: %s", evaluated.called, error)

    def free_slot(self, name: str) -> str:
        """Return the first signature of a log that nothing is kept under; see :meth:`slots`."""
        return next(slot for slot in _slots(name) if slot not in self._kept)

    def slots(self, name: str) -> list[str]:
        """Return the signatures of what is kept of a log: values added one after the other under one name."""
        return [slot for slot in itertools.islice(_slots(name), 256) if slot in self._artifacts]

    def _candidate(self, signature: str, size: int, worth: Worth) -> Candidate:
        return Candidate(
            output=f"{worth.node}.{worth.output}",
            signature=signature,
            node=worth.node,
            operator=worth.node,
            stage=worth.stage,
            size_bytes=size,
            compute_ns=worth.compute_ns,
            recreation_ns=worth.made_ns,
            run_ancestors_ns=worth.made_ns,
            load_ns=self._costs.load_ns("pickle", size),
            write_ns=self._costs.write_ns("pickle", size),
        )

    def _new(self, candidate: Candidate, size: int) -> Kept:
        return Kept(
            signature=candidate.signature,
            output=candidate.output,
            node=candidate.node,
            size_bytes=size,
            load_ns=candidate.load_ns,
            recreation_ns=candidate.recreation_ns,
            loads=0,
            last_used=self._iteration,
            kept_at=self._iteration,
            code="",
        )


def _meta(worth: Worth) -> ArtifactMeta:
    return ArtifactMeta(
        workflow=WORKFLOW,
        node=worth.node,
        output=f"{worth.node}.{worth.output}",
        operator=worth.node,
        stage=worth.stage,
        recreation_ns=worth.made_ns,
    )


def _slots(name: str) -> Iterator[str]:
    return (combine("slot", name.encode(), str(number).encode()).hex() for number in itertools.count())
