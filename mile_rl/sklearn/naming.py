"""Signatures of a search's candidates and tasks: known before anything runs, so that nothing need run twice."""

from __future__ import annotations

from typing import Any, NamedTuple

from mile_rl.errors import MileError
from mile_rl.sklearn.contents import content as content_of
from mile_rl.sklearn.signing import Signed, Signing
from mile_rl.sklearn.steps import shareable
from mile_rl.sklearn.tails import Tail, is_container, tail_of
from mile_rl.workflows.digest import combine
from mile_rl.workflows.digest import digest as digest_of


class Candidate(NamedTuple):
    """What is known of an estimator with its parameters set: a token and a signature a step, and its own.

    ``prefix`` is the signature of all steps but the predictor, where this is a ``tail``; ``pattern`` is the
    estimator itself, to be cloned, where nobody else has it.
    """

    tokens: tuple[bytes, ...]
    steps: tuple[Signed | None, ...]
    whole: Signed | None
    tail: Tail | None
    prefix: bytes
    pattern: Any


class Task(NamedTuple):
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


class Naming:
    """Signs candidates and tasks; what all tasks are given is digested once.

    Args:
        signing: digests steps.
        whole: whether candidates are signed as a whole too, as it takes to keep what their tasks return.
    """

    def __init__(self, signing: Signing, *, whole: bool) -> None:
        self._signing = signing
        self._whole = whole
        # By identity, and holding each, so that nothing else gets its id.
        self._contents: dict[int, tuple[Any, bytes]] = {}
        self._signed: dict[int, tuple[Any, Signed]] = {}

    def candidate(self, estimator: Any, *, apart: bool = False) -> Candidate:
        """Sign an estimator and its steps. Steps with equal tokens compute the same on one fold.

        Tokens only say how long a value is to be held. What may be shared is decided by what is really given.

        Args:
            estimator: with its parameters set.
            apart: whether nobody will ever fit it.
        """
        above: dict[str, bytes] = {}
        steps = []
        for path, step in shareable(estimator):
            signed = self._signing.step(step, type(step))
            before = [token for other, token in above.items() if _feeds(other, path)]
            above[path] = combine("token", path.encode(), signed.digest if signed else b"", *before)
            steps.append(signed)
        try:
            whole = self._signing.value(estimator) if self._whole else None
        except MileError:
            whole = None
        tail, prefix = tail_of(estimator) if apart else None, b""
        if tail is not None and any(map(is_container, estimator.named_steps.values())):
            try:
                # The containers of the steps have parameters too, such as weights.
                prefix = self._signing.value(estimator.steps[:-1]).digest
            except MileError:
                tail = None
        tokens = tuple(above.values())
        return Candidate(tokens, tuple(steps), whole, tail, prefix, estimator if apart else None)

    def task(self, candidate: Candidate, X: Any, y: Any, options: dict[str, Any]) -> Task | None:
        """Return the signature of what a task returns; None where it cannot be kept."""
        signed = candidate.whole
        if signed is None or options.get("return_estimator") or options.get("return_parameters"):
            return None
        if getattr(options.get("caller"), "_skl_callbacks", None) or options.get("verbose", 0) > 1:
            # Somebody wants to see every fit.
            return None
        from sklearn import get_config

        try:
            scorer = self._once(options.get("scorer"))
            given = [
                combine("given", kind.encode(), name.encode(), self.content(value))
                for kind in ("fit_params", "score_params")
                for name, value in (options.get(kind) or {}).items()
            ]
            parts = [
                *(self.content(value) for value in (X, y)),
                self.content(options["train"]),
                self.content(options["test"]),
                *given,
                repr((options.get("return_train_score"), len(given))).encode(),
                repr(sorted(get_config().items(), key=lambda item: item[0])).encode(),
            ]
        except MileError:
            return None
        digest = combine("task", self._signing.surroundings, signed.digest, scorer.digest, *parts)
        return Task(digest, signed, scorer)

    def content(self, value: Any) -> bytes:
        """Return the digest of something that all tasks are given; computed once."""
        known = self._contents.get(id(value))
        if known is None or known[0] is not value:
            known = self._contents[id(value)] = (value, content_of(value))
        return known[1]

    def _once(self, value: Any) -> Signed:
        known = self._signed.get(id(value))
        if known is None or known[0] is not value:
            known = self._signed[id(value)] = (value, self._signing.value(value))
        return known[1]


def _feeds(one: str, other: str) -> bool:
    """Tell whether the step at one path may come before the step at another: not beside it in a union."""
    common = 0
    for mine, theirs in zip(one, other):
        if mine != theirs:
            break
        common += 1
    separator = max(one.rfind("/", 0, common + 1), one.rfind("|", 0, common + 1))
    return one[separator : separator + 1] == "/"
