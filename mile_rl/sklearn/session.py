"""One search or cross-validation: tasks (a candidate on a fold) that share their steps."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

from mile_rl.engine.opened import OPENED
from mile_rl.sklearn.chance import Draws
from mile_rl.sklearn.memo import Memo
from mile_rl.sklearn.naming import Candidate, Naming
from mile_rl.sklearn.recording import Evaluated
from mile_rl.sklearn.results import Results
from mile_rl.sklearn.sharing import Counts, Sharing
from mile_rl.sklearn.shelf import Shelf
from mile_rl.sklearn.signing import Signing
from mile_rl.sklearn.steps import share, shareable, unshare
from mile_rl.sklearn.tails import Given, given_by, suits
from mile_rl.sklearn.tails import fit_and_score as fit_tail
from mile_rl.workflows.digest import combine


class Session:
    """Runs scikit-learn's own tasks so that each distinct step on a fold is computed once.

    Use it in a ``with`` statement; at its end everything kept is on disk.

    Args:
        store: "project", a folder, or None; see :class:`~mile_rl.sklearn.GridSearchCV`.

    Attributes:
        everything_ns: how long the tasks so far would have taken had each computed all that it needs.
    """

    def __init__(self, store: str | Path | None = "project") -> None:
        self.shelf = Shelf.at(store)
        self.signing = Signing()
        self.memo = Memo()
        self.sharing = Sharing(self.signing, self.memo, self.shelf)
        self._naming = Naming(self.signing, whole=self.shelf is not None)
        self.everything_ns = 0
        self._lock = threading.Lock()
        self._clones = True
        # Parameters are told by identity, and held so that nothing else gets theirs.
        self._candidates: dict[int, tuple[Any, Candidate]] = {}
        self._expected: Counter[bytes] = Counter()
        self._seen: Counter[bytes] = Counter()
        self._left: dict[tuple[bytes, bytes], int] = {}
        self._results: dict[bytes, Results] = {}

    @property
    def counts(self) -> Counts:
        """What was computed, shared and loaded so far."""
        return self.sharing.counts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for results in self._results.values():
            results.flush()
        if self.shelf is not None:
            self.shelf.close()

    def expect(self, estimator: Any, candidates: Iterable[Mapping[str, Any]]) -> None:
        """Hear which candidates will come, on every fold: what they share is held until the last is done.

        Args:
            estimator: what their parameters will be set on.
            candidates: parameters by name.
        """
        from sklearn.base import clone

        for parameters in candidates:
            try:
                one = clone(estimator).set_params(**clone(parameters, safe=False))
                candidate = self._naming.candidate(one, apart=True)
            except Exception:
                # The search itself will say what is wrong with it, in scikit-learn's words.
                continue
            self._candidates[id(parameters)] = (parameters, candidate)
            self._expected.update(candidate.tokens)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Have :meth:`clone` clone nothing for a while: each task clones its candidate, and only if it runs."""
        self._clones = False
        try:
            yield
        finally:
            self._clones = True

    def clone(self, value: Any, **options: Any) -> Any:
        """Do what ``sklearn.base.clone`` does, unless what is cloned goes to :meth:`fit_and_score`."""
        from sklearn.base import clone

        return clone(value, **options) if self._clones else value

    def fit_and_score(self, estimator: Any, X: Any, y: Any, **options: Any) -> Any:
        """Do what ``sklearn.model_selection._validation._fit_and_score`` does, and return what it returns."""
        from sklearn.base import clone

        parameters = options.get("parameters")
        expected = self._candidates.get(id(parameters))
        if parameters is not None:
            options["parameters"] = _Set(parameters)
            if expected is None:
                estimator = clone(estimator).set_params(**clone(parameters, safe=False))
        candidate = expected[1] if expected is not None else self._naming.candidate(estimator)
        # Where it is known, it is set up from the candidate's own pattern, and only if it has to be.
        task = self._naming.task(candidate, X, y, options)
        results = self._results_of(X, y) if task is not None else None
        if task is not None and results is not None and (known := results.get(task.digest)) is not None:
            with self._lock:
                self.counts.tasks_loaded += 1
                self.everything_ns += known.plain_ns
            # A search asks for the number of test rows, a cross-validation does not.
            known.scores.pop("n_test_samples", None)
            if options.get("return_n_test_samples"):
                known.scores["n_test_samples"] = len(options["test"])
            return known.scores
        own = task is not None and task.own and results is not None
        before = clone(candidate.pattern or estimator) if own else None
        draws = Draws()
        opened: tuple[Any, ...] = ()
        if own:
            # The person's own code may read files, which count too.
            OPENED.begin()
        begun_ns = time.perf_counter_ns()
        try:
            with self.sharing.task():
                result = self._run(estimator, candidate, X, y, options)
        finally:
            elapsed_ns = time.perf_counter_ns() - begun_ns
            if own:
                opened = OPENED.end(ignored=self.sharing.folders)
        plain_ns = elapsed_ns + self.sharing.shared_ns
        with self._lock:
            self.counts.tasks_computed += 1
            self.everything_ns += plain_ns
        kept = results is not None and task is not None and not opened and not draws.any()
        if kept and (not own or task.still(before, options)):  # type: ignore[union-attr]
            results.add(task.digest, result, elapsed_ns, plain_ns)  # type: ignore[union-attr]
        return result

    def record(self, frame: FrameType, *, beside_ns: int = 0, **evaluated: Any) -> None:
        """Note what was evaluated in the project's history, if there is a store.

        Args:
            frame: whence it was called.
            beside_ns: how long was computed besides tasks.
            **evaluated: see :class:`~mile_rl.sklearn.recording.Evaluated`.
        """
        if self.shelf is not None:
            everything_ns = self.everything_ns + beside_ns
            computed = self.counts.tasks_computed > 0
            about = Evaluated(everything_ns=everything_ns, computed=computed, **evaluated)
            self.shelf.record(about, frame, self.signing)

    def _run(self, estimator: Any, candidate: Candidate, X: Any, y: Any, options: dict[str, Any]) -> Any:
        """Fit and score with shared steps, or where these are done already, the predictor alone."""
        from sklearn.base import clone
        from sklearn.model_selection._validation import _fit_and_score

        fold = self._naming.content(options["train"])
        owners = [(fold, token) for token in candidate.tokens]
        try:
            tail = candidate.tail
            if tail is not None and suits(tail, options):
                given = self._given(candidate, owners, X, y, options)
                if given is not None:
                    with self._lock:
                        self.counts.shared += 1
                    self.sharing.found(given.made_ns)
                    return fit_tail(tail, given, X, y, options)
            if candidate.pattern is not None:
                estimator = clone(candidate.pattern)
            self._share(estimator, candidate, owners)
            try:
                return _fit_and_score(estimator, X, y, **options)
            finally:
                # Whoever was shown it may hold on to it.
                unshare(estimator)
        finally:
            self._release(owners)

    def _share(self, estimator: Any, candidate: Candidate, owners: list[tuple[bytes, bytes]]) -> bool:
        """Make the steps of an estimator shared ones; tell whether all are."""
        found = list(shareable(estimator))
        return all(
            # A list, since each step is to be shared, whatever the ones before it are.
            [  # noqa: C419
                share(step, self.sharing, owner, signed) and signed is not None
                for (_, step), owner, signed in zip(found, owners, candidate.steps)
            ]
        )

    def _given(
        self,
        candidate: Candidate,
        owners: list[tuple[bytes, bytes]],
        X: Any,
        y: Any,
        options: dict[str, Any],
    ) -> Given | None:
        """Return what the predictor is given where an earlier task has made all of it, else None."""
        from sklearn.base import clone

        if not owners:
            return None
        test = self._naming.content(options["test"])
        key = combine("given", owners[0][0], test, *candidate.tokens, candidate.prefix)
        with self._lock:
            seen = self._seen[key]
            self._seen[key] += 1
        if seen == 0:
            return None
        entry, mine = self.memo.claim(key, owners[-1])
        if not mine:
            return entry.value if entry.wait() else None
        given = None
        try:
            whole = clone(candidate.pattern)
            if self._share(whole, candidate, owners):
                with self.sharing.computing_nothing():
                    before_ns = self.sharing.shared_ns
                    given = given_by(whole, X, y, options)
                    made_ns = self.sharing.shared_ns - before_ns
                    # Told by whoever takes it, this task included.
                    self.sharing.found(-made_ns)
                    given = given._replace(made_ns=made_ns)
        except Exception:
            # Something has to be computed after all, or fails: let it, where scikit-learn expects it.
            given = None
        finally:
            # A prefix that cannot be shared is not tried again: others find that there is nothing.
            entry.settle(given, found=given is not None)
        return given

    def _release(self, owners: list[tuple[bytes, bytes]]) -> None:
        done = []
        with self._lock:
            for fold, token in owners:
                left = self._left.get((fold, token), self._expected.get(token, 1)) - 1
                self._left[fold, token] = left
                if left <= 0:
                    done.append((fold, token))
        for owner in done:
            self.memo.release(owner)

    def _results_of(self, X: Any, y: Any) -> Results | None:
        """Return the results on some data that the store holds, and the place for new ones."""
        if self.shelf is None:
            return None
        name = combine("results", self.signing.surroundings, self._naming.content(X), self._naming.content(y))
        with self._lock:
            if name not in self._results:
                self._results[name] = Results(self.shelf, name.hex())
            return self._results[name]


class _Set(dict[str, Any]):
    """Parameters that are set already: they read as they are, and setting a clone of them sets nothing."""

    def __sklearn_clone__(self) -> dict[str, Any]:
        return {}
