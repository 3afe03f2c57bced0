"""One search or cross-validation: tasks (a candidate on a fold) that share their steps."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from mile_rl.engine.opened import OPENED
from mile_rl.errors import MileError
from mile_rl.sklearn.chance import Draws
from mile_rl.sklearn.contents import content
from mile_rl.sklearn.memo import Memo
from mile_rl.sklearn.results import Results
from mile_rl.sklearn.sharing import Counts, Sharing
from mile_rl.sklearn.shelf import Shelf
from mile_rl.sklearn.signing import Signed, Signing
from mile_rl.sklearn.steps import share, shareable, unshare
from mile_rl.workflows.digest import combine
from mile_rl.workflows.digest import digest as digest_of


class _Task(NamedTuple):
    """The signature of what a task returns, and those of what runs in it."""

    digest: bytes
    estimator: Signed
    scorer: Signed

    @property
    def own(self) -> bool:
        """Whether code of the person's own runs in it."""
        return self.estimator.own or self.scorer.own

    def still(self, estimator: Any, options: dict[str, Any]) -> bool:
        """Tell whether the code of a clone made before, and all that it reaches, is still what it was."""
        try:
            return (
                digest_of(estimator, where="the estimator") == self.estimator.digest
                and digest_of(options.get("scorer"), where="the scorer") == self.scorer.digest
            )
        except MileError:
            return False


class Session:
    """Runs scikit-learn's own tasks so that each distinct step on a fold is computed once.

    Use it in a ``with`` statement; at its end everything kept is on disk.

    Args:
        store: "project", a folder, or None; see :class:`~mile_rl.sklearn.GridSearchCV`.
    """

    def __init__(self, store: str | Path | None = "project") -> None:
        self.shelf = Shelf.at(store)
        self.signing = Signing()
        self.memo = Memo()
        self.sharing = Sharing(self.signing, self.memo, self.shelf)
        self._lock = threading.Lock()
        self._expected: Counter[bytes] = Counter()
        self._left: dict[tuple[bytes, bytes], int] = {}
        self._contents: dict[int, tuple[Any, bytes]] = {}
        self._signed: dict[int, tuple[Any, Signed]] = {}
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
                self._expected.update(token for token, _ in self._tokens(one))
            except Exception:
                # The search itself will say what is wrong with it, in scikit-learn's words.
                continue

    def fit_and_score(self, estimator: Any, X: Any, y: Any, **options: Any) -> Any:
        """Do what ``sklearn.model_selection._validation._fit_and_score`` does, and return what it returns."""
        from sklearn.base import clone
        from sklearn.model_selection._validation import _fit_and_score

        parameters = options.get("parameters")
        if parameters is not None:
            estimator = estimator.set_params(**clone(parameters, safe=False))
            options["parameters"] = _Set(parameters)
        task = self._task_key(estimator, X, y, options)
        results = self._results_of(X, y) if task is not None else None
        if task is not None and results is not None and (known := results.get(task.digest)) is not None:
            with self._lock:
                self.counts.tasks_loaded += 1
            return known
        own = task is not None and task.own and results is not None
        before = clone(estimator) if own else None
        fold = _fold(options)
        tokens = [(fold, token) for token, _ in self._shared(estimator, fold)]
        draws = Draws()
        opened: tuple[Any, ...] = ()
        if own:
            # The person's own code may read files, which count too.
            OPENED.begin()
        begun_ns = time.perf_counter_ns()
        try:
            with self.sharing.task():
                result = _fit_and_score(estimator, X, y, **options)
        finally:
            elapsed_ns = time.perf_counter_ns() - begun_ns
            if own:
                opened = OPENED.end(ignored=self.sharing.folders)
            self._release(tokens)
            unshare(estimator)
        with self._lock:
            self.counts.tasks_computed += 1
        kept = results is not None and task is not None and not opened and not draws.any()
        if kept and (not own or task.still(before, options)):  # type: ignore[union-attr]
            results.add(task.digest, result, elapsed_ns)  # type: ignore[union-attr]
        return result

    def _shared(self, estimator: Any, fold: bytes) -> list[tuple[bytes, Any]]:
        """Make the steps of an estimator shared ones; return their tokens."""
        found = list(self._tokens(estimator))
        for token, step in found:
            share(step, self.sharing, (fold, token))
        return found

    def _tokens(self, estimator: Any) -> Iterator[tuple[bytes, Any]]:
        """Yield (token, step); steps with equal tokens compute the same on one fold.

        Tokens only say how long a value is to be held. What may be shared is decided by what is really given.
        """
        above: dict[str, bytes] = {}
        for path, step in shareable(estimator):
            signed = self.signing.step(step, type(step))
            before = [token for other, token in above.items() if _feeds(other, path)]
            token = combine("token", path.encode(), signed.digest if signed else b"", *before)
            above[path] = token
            yield token, step

    def _release(self, tokens: list[tuple[bytes, bytes]]) -> None:
        done = []
        with self._lock:
            for fold, token in tokens:
                left = self._left.get((fold, token), self._expected.get(token, 1)) - 1
                self._left[fold, token] = left
                if left <= 0:
                    done.append((fold, token))
        for owner in done:
            self.memo.release(owner)

    def _task_key(self, estimator: Any, X: Any, y: Any, options: dict[str, Any]) -> _Task | None:
        """Return the signature of what a task returns; None where it cannot be kept."""
        if self.shelf is None or options.get("return_estimator") or options.get("return_parameters"):
            return None
        if getattr(options.get("caller"), "_skl_callbacks", None) or options.get("verbose", 0) > 1:
            # Somebody wants to see every fit.
            return None
        from sklearn import get_config

        try:
            signed = self.signing.value(estimator)
            scorer = self._once(options.get("scorer"))
            given = [
                self._content(value)
                for name in ("fit_params", "score_params")
                for value in (options.get(name) or {}).items()
            ]
            parts = [
                *(self._content(value) for value in (X, y)),
                content(options["train"]),
                content(options["test"]),
                *given,
                repr((options.get("return_train_score"), len(given))).encode(),
                repr(sorted(get_config().items(), key=lambda item: item[0])).encode(),
            ]
        except MileError:
            return None
        digest = combine("task", self.signing.surroundings, signed.digest, scorer.digest, *parts)
        return _Task(digest, signed, scorer)

    def _results_of(self, X: Any, y: Any) -> Results | None:
        """Return the results on some data that the store holds, and the place for new ones."""
        if self.shelf is None:
            return None
        name = combine("results", self.signing.surroundings, self._content(X), self._content(y))
        with self._lock:
            if name not in self._results:
                self._results[name] = Results(self.shelf, name.hex())
            return self._results[name]

    def _content(self, value: Any) -> bytes:
        """Return the digest of something that all tasks are given; computed once."""
        known = self._contents.get(id(value))
        if known is None or known[0] is not value:
            known = self._contents[id(value)] = (value, content(value))
        return known[1]

    def _once(self, value: Any) -> Signed:
        known = self._signed.get(id(value))
        if known is None or known[0] is not value:
            known = self._signed[id(value)] = (value, self.signing.value(value))
        return known[1]


class _Set(dict[str, Any]):
    """Parameters that are set already: they read as they are, and setting a clone of them sets nothing."""

    def __sklearn_clone__(self) -> dict[str, Any]:
        return {}


def _fold(options: dict[str, Any]) -> bytes:
    import numpy as np

    return content(np.asarray(options["train"]))


def _feeds(one: str, other: str) -> bool:
    """Tell whether the step at one path may come before the step at another: not beside it in a union."""
    common = 0
    for mine, theirs in zip(one, other):
        if mine != theirs:
            break
        common += 1
    separator = max(one.rfind("/", 0, common + 1), one.rfind("|", 0, common + 1))
    return one[separator : separator + 1] == "/"
