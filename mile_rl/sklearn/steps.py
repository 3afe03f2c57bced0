"""Steps that are shared: estimators whose fitting and transforming goes through a session.

A shared step is an instance of a subclass that is made on the spot and is called as its class is: tests of its
type, its tags, its parameters and its attributes find what they would find in a plain one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable, Iterator
from types import FunctionType
from typing import Any, Protocol

from mile_rl.sklearn.signing import OURS, PASSING, Signed

_METHODS = ("fit", "fit_transform", "transform")


class Sharer(Protocol):
    """Answers the calls of shared steps."""

    def call(
        self, link: Link, method: str, plain: Callable[..., Any], step: Any, args: Any, kwargs: Any
    ) -> Any:
        """Return what ``plain(step, *args, **kwargs)`` returns, having computed it or not."""


class Link:
    """What a shared step knows of its session.

    Args:
        session: who answers its calls.
        kind: its class, as the person wrote it.
        owner: on whose behalf its results are held.
        signed: its signature, if that is known.
        before: what it was made of when it was signed.

    Attributes:
        fitted: the key of its fit; None where that is not shared.
        own: whether code of the person's own stands behind it.
        busy: whether its own class is at work, which calls other methods of itself.
    """

    __slots__ = ("before", "busy", "fitted", "kind", "own", "owner", "session", "signed")

    def __init__(
        self, session: Sharer, kind: type, owner: Hashable, signed: Signed | None, before: dict[str, Any]
    ) -> None:
        self.session = session
        self.kind = kind
        self.owner = owner
        self.signed = signed
        self.before = before
        self.fitted: bytes | None = None
        self.own = True
        self.busy = False

    def signed_as(self, step: Any) -> Signed | None:
        """Return the step's signature if it is known, and still is what it was when it was signed."""
        if self.signed is None:
            return None
        now = [(name, value) for name, value in vars(step).items() if name not in PASSING]
        before = self.before
        same = len(now) == len(before) and all(before.get(name, now) is value for name, value in now)
        return self.signed if same else None


def share(step: Any, session: Sharer, owner: Hashable, signed: Signed | None = None) -> bool:
    """Make a step a shared one, in place; tell whether that is possible.

    Args:
        step: an estimator that is not fitted yet and belongs to the caller alone.
        session: who is to answer its calls.
        owner: on whose behalf its results are held.
        signed: its signature, if that is known.
    """
    kind = type(step)
    if OURS in vars(step) or getattr(step, "_skl_callbacks", None):
        return False
    try:
        step.__class__ = _shared_class(kind)  # type: ignore[arg-type]
    except TypeError:
        return False
    vars(step)[OURS] = Link(session, kind, owner, signed, dict(vars(step)))
    return True


def plain_copy(step: Any) -> Any:
    """Return a shallow copy of a shared step that is an instance of the person's class again."""
    kind = vars(step)[OURS].kind
    copied = object.__new__(kind)
    copied.__dict__.update({name: value for name, value in vars(step).items() if name != OURS})
    return copied


def unshare(value: Any, seen: set[int] | None = None) -> None:
    """Make every shared step in an estimator, and in what it holds, a plain one again, in place."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, list | tuple):
        parts: Any = value
    elif isinstance(value, dict):
        parts = list(value.values())
    elif hasattr(value, "get_params") and not isinstance(value, type):
        if OURS in vars(value):
            kind = vars(value).pop(OURS).kind
            value.__class__ = kind
        parts = list(vars(value).values())
    else:
        return
    for part in parts:
        unshare(part, seen)


def shareable(estimator: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, step) of every transformer in a pipeline whose fit can be shared, inputs before takers.

    Pipelines without ``memory``, feature unions and column transformers are gone into; anything else that
    transforms is a step. The predictor at the end is none.

    Args:
        estimator: with its parameters set.
        path: where it stands.
    """
    yield from _inside(estimator, path, final=True)


def _inside(estimator: Any, path: str, *, final: bool) -> Iterator[tuple[str, Any]]:
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    kind = type(estimator)
    if kind is Pipeline:
        # Where somebody has asked for a cache of their own, they shall have it.
        steps = estimator.steps if estimator.memory is None else ()
        for position, step in enumerate(steps):
            last = position == len(steps) - 1
            yield from _inside(step[1], f"{path}/{step[0]}", final=final and last)
    elif kind is FeatureUnion:
        for step in estimator.transformer_list:
            yield from _inside(step[1], f"{path}|{step[0]}", final=False)
    elif kind is ColumnTransformer:
        for step in estimator.transformers:
            yield from _inside(step[1], f"{path}|{step[0]}", final=False)
        yield from _inside(estimator.remainder, f"{path}|remainder", final=False)
    elif not final and hasattr(estimator, "get_params") and hasattr(estimator, "transform"):
        yield path, estimator


@functools.lru_cache(maxsize=256)
def _shared_class(kind: type) -> type:
    """Return the subclass whose instances are shared steps of a class.

    Raises:
        TypeError: no such subclass can be made, or it would not behave as its class does.
    """
    from sklearn.base import BaseEstimator

    own_clone = getattr(kind, "__sklearn_clone__", BaseEstimator.__sklearn_clone__)
    if own_clone is not BaseEstimator.__sklearn_clone__:
        raise TypeError(f"{kind.__name__} is cloned in a way of its own")
    methods = {name: inspect.getattr_static(kind, name, None) for name in _METHODS}
    if not all(method is None or isinstance(method, FunctionType) for method in methods.values()):
        raise TypeError(f"{kind.__name__} has methods that are there only at times")
    shared = type(kind)(kind.__name__, (kind,), {"__doc__": kind.__doc__})
    shared.__module__, shared.__qualname__ = kind.__module__, kind.__qualname__
    keys = getattr(kind, "_sklearn_auto_wrap_output_keys", None)
    if keys is not None:
        # Made anew for every subclass; one that has opted out of set_output stays out.
        shared._sklearn_auto_wrap_output_keys = keys  # type: ignore[attr-defined]
    for name, plain in methods.items():
        if plain is not None:
            setattr(shared, name, _shared_method(plain, name))
    shared.__sklearn_clone__ = _clone  # type: ignore[attr-defined]
    shared.__reduce_ex__ = _reduce  # type: ignore[assignment]
    return shared


def _shared_method(plain: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(plain)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        link: Link | None = vars(self).get(OURS)
        if link is None or link.busy:
            return plain(self, *args, **kwargs)
        link.busy = True
        try:
            return link.session.call(link, name, plain, self, args, kwargs)
        finally:
            link.busy = False

    return method


def _clone(step: Any) -> Any:
    from sklearn.base import clone

    cloned = clone(plain_copy(step))
    link: Link = vars(step)[OURS]
    share(cloned, link.session, link.owner)
    return cloned


def _reduce(step: Any, protocol: Any) -> Any:
    # Copied or pickled, it is a plain step: sessions end, and copies are for others.
    return plain_copy(step).__reduce_ex__(protocol)
