"""What happens when a shared step is fitted or transforms: computed once, by whoever comes first."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from mile_rl.engine.opened import OPENED
from mile_rl.errors import MileError
from mile_rl.sklearn.chance import Draws, generators_in
from mile_rl.sklearn.contents import content, private
from mile_rl.sklearn.memo import Entry, Memo
from mile_rl.sklearn.shelf import Shelf, Worth
from mile_rl.sklearn.signing import PASSING, Signed, Signing, unfitted
from mile_rl.sklearn.steps import Link
from mile_rl.workflows.digest import combine


@dataclass(slots=True)
class Counts:
    """What a session did: fits and transforms of steps, and whole tasks.

    Args:
        computed: how often a step's own code ran.
        shared: how often a value was there already, made for another task.
        loaded: how often it came from the store.
        tasks_computed: candidates x folds that were fitted and scored.
        tasks_loaded: those whose scores were in the store.
    """

    computed: int = 0
    shared: int = 0
    loaded: int = 0
    tasks_computed: int = 0
    tasks_loaded: int = 0


class Made(NamedTuple):
    """What a call of a step gave.

    Args:
        result: what it returned, None for ``fit``, which returns the step.
        state: the step's attributes afterwards, None for ``transform``.
        draws: whether ``state`` holds random generators, so that nobody may share it.
        compute_ns: how long it took.
    """

    result: Any
    state: dict[str, Any] | None
    draws: bool
    compute_ns: int


class NotMade(Exception):
    """A value was asked for that nobody has made yet."""


class _Asked(NamedTuple):
    """The key of a call's value, and the signature of the step that is in it."""

    key: bytes
    about: Signed


class Sharing:
    """Answers the calls of shared steps; implements ``mile_rl.sklearn.steps.Sharer``. Safe from any thread.

    A value is shared only if making it was a function of what was given: nothing was drawn at random, and
    neither the input nor a fitted attribute was changed by it. Everything else is computed for each task,
    just when scikit-learn would, so that even a search over estimators without ``random_state`` draws the
    very numbers that it would draw there.

    Args:
        signing: digests steps.
        memo: where values are held.
        shelf: where they outlive the session; None for nowhere.
    """

    def __init__(self, signing: Signing, memo: Memo, shelf: Shelf | None) -> None:
        self.signing = signing
        self.memo = memo
        self.shelf = shelf
        self.counts = Counts()
        self.folders = shelf.folders if shelf is not None else ()
        self._local = threading.local()

    @contextmanager
    def task(self) -> Iterator[None]:
        """Begin to sum up how long it takes to make what one task needs."""
        self._local.made_ns = self._local.own_ns = 0
        yield

    @property
    def shared_ns(self) -> int:
        """How long the steps took that the task on this thread needed and others have made."""
        return int(self._local.made_ns - self._local.own_ns)

    @contextmanager
    def computing_nothing(self) -> Iterator[None]:
        """Have calls of steps on this thread raise :class:`NotMade` where something would be computed.

        What is found counts for :attr:`shared_ns` only if the block ends well.
        """
        self._local.computes = False
        before_ns = self._local.made_ns
        try:
            yield
        except BaseException:
            self._local.made_ns = before_ns
            raise
        finally:
            self._local.computes = True

    def found(self, shared_ns: int) -> None:
        """Hear that the task on this thread needed something that took others so long."""
        self._passed(shared_ns)

    def _computing(self) -> None:
        if not getattr(self._local, "computes", True):
            raise NotMade
        self.counts.computed += 1

    def call(
        self, link: Link, method: str, plain: Callable[..., Any], step: Any, args: Any, kwargs: Any
    ) -> Any:
        """Return what the step's own method would return, and leave the step as it would."""
        asked = self._key(link, method, step, args, kwargs)
        if asked is None:
            link.fitted = None if method != "transform" else link.fitted
            self._computing()
            return plain(step, *args, **kwargs)
        key = asked.key
        if not getattr(self._local, "computes", True):
            there = self.memo.find(key, link.owner)
            if there is None:
                raise NotMade
            self._passed(there.value.compute_ns)
            return _adopt(link, method, step, there.value, key)
        entry, mine = self.memo.claim(key, link.owner)
        if mine:
            made = self._loaded(key, entry)
            if made is None:
                return self._make(link, method, plain, step, args, kwargs, asked, entry)
        elif entry.wait():
            made = entry.value
            self.counts.shared += 1
        else:
            self._computing()
            return plain(step, *args, **kwargs)
        self._passed(made.compute_ns)
        return _adopt(link, method, step, made, key)

    def _key(self, link: Link, method: str, step: Any, args: Any, kwargs: Any) -> _Asked | None:
        """Return what a call asks for; None where it cannot be shared."""
        from sklearn import get_config

        try:
            if method == "transform":
                if link.fitted is None:
                    return None
                output = vars(step).get("_sklearn_output_config")
                about = Signed(combine("fitted", link.fitted, repr(output).encode()), link.own)
            else:
                signed = link.signed_as(step) or self.signing.step(step, link.kind)
                if signed is None:
                    return None
                about = signed
                link.own = signed.own
            parts = [content(value) for value in (*args, *kwargs.values())]
        except MileError:
            return None
        names = "\0".join((method, str(len(args)), *kwargs)).encode()
        config = repr(sorted(get_config().items(), key=lambda item: item[0])).encode()
        key = combine("call", self.signing.surroundings, about.digest, names, config, *parts)
        return _Asked(key, about)

    def _loaded(self, key: bytes, entry: Entry) -> Made | None:
        found = self.shelf.load(key.hex()) if self.shelf is not None else None
        if found is None:
            return None
        made = Made(*found)
        self.memo.publish(entry, made)
        self.counts.loaded += 1
        return made

    def _make(
        self,
        link: Link,
        method: str,
        plain: Callable[..., Any],
        step: Any,
        args: Any,
        kwargs: Any,
        asked: _Asked,
        entry: Entry,
    ) -> Any:
        """Compute a value, and share it if it depends on nothing but what was given."""
        key, own = asked.key, asked.about.own
        before = unfitted(step) if own and method != "transform" else []
        inputs = [content(value) for value in args]
        draws = Draws(step)
        watched = own and self.shelf is not None
        if watched:
            OPENED.begin()
        opened: tuple[Any, ...] = ()
        made: Made | None = None
        self._computing()
        try:
            begun_ns = time.perf_counter_ns()
            try:
                result = plain(step, *args, **kwargs)
            finally:
                compute_ns = time.perf_counter_ns() - begun_ns
                if watched:
                    opened = OPENED.end(ignored=self.folders)
            self._passed(compute_ns)
            self._local.own_ns += compute_ns
            if not draws.any() and [_content(value) for value in args] == inputs:
                made = _made(method, step, result, compute_ns)
        finally:
            if made is None:
                self.memo.withdraw(key, entry)
            else:
                self.memo.publish(entry, made)
        if method != "transform":
            link.fitted = key if made is not None else None
        # The person's own code may have changed what it depends on while it ran.
        lasting = not own or (bool(before) and Signing.still(before, link.kind, asked.about))
        if made is not None and self.shelf is not None and lasting and not made.draws and not opened:
            self._offer(link, method, key, made)
        return result

    def _offer(self, link: Link, method: str, key: bytes, made: Made) -> None:
        assert self.shelf is not None
        worth = Worth(
            node=link.kind.__name__,
            output=method,
            compute_ns=made.compute_ns,
            made_ns=getattr(self._local, "made_ns", made.compute_ns),
        )
        self.shelf.offer(key.hex(), tuple(made), worth)

    def _passed(self, compute_ns: int) -> None:
        self._local.made_ns = getattr(self._local, "made_ns", 0) + compute_ns


def _made(method: str, step: Any, result: Any, compute_ns: int) -> Made | None:
    """Return what is to be handed out from now on, which shares nothing that the first taker may change."""
    try:
        state = None
        draws = False
        if method != "transform":
            state = {name: value for name, value in vars(step).items() if name not in PASSING}
            draws = bool(generators_in(state))
            if draws:
                state = copy.deepcopy(state)
        value = None if method == "fit" else private(result)
    except Exception:
        # What cannot be copied cannot be handed out twice.
        return None
    return Made(value, state, draws, compute_ns)


def _adopt(link: Link, method: str, step: Any, made: Made, key: bytes) -> Any:
    """Make a step what fitting it would have made it; return what the call would have returned."""
    if made.state is not None:
        vars(step).update(copy.deepcopy(made.state) if made.draws else made.state)
        link.fitted = key
    return step if method == "fit" else private(made.result)


def _content(value: Any) -> bytes:
    try:
        return content(value)
    except MileError:
        return b""
