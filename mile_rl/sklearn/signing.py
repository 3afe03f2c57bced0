"""Signatures of steps, values and scorers within one search, and whose code stands in them."""

from __future__ import annotations

import functools
import threading
from typing import Any, NamedTuple

from mile_rl.errors import MileError
from mile_rl.workflows.digest import combine, digest
from mile_rl.workflows.encode import Encoder
from mile_rl.workflows.environment import PYTHON
from mile_rl.workflows.packages import Versions, origin_of_name
from mile_rl.workflows.reach import Reach
from mile_rl.workflows.scalars import SCALARS

OURS = "_mile_shared"
"""The attribute under which a step knows the session that it is shared in."""

_CARRIED = frozenset({"_sklearn_output_config"})
"""What ``clone`` takes over besides parameters (and what metadata a step asks for, which stands in the call).
A step with any other attribute is not shared."""

PASSING = frozenset({OURS, "_parent_callback_ctx"})
"""Attributes that are there only while something runs, and are no part of what a step is."""

_LEFT_OUT = PASSING | {"_metadata_request"}
_WHERE = "a step of the pipeline"


class Signed(NamedTuple):
    """A digest, and whether code of the person's own stands behind it."""

    digest: bytes
    own: bool


class Signing:
    """Digests steps; the code that they are made of is looked at once a session. Safe from any thread.

    Attributes:
        surroundings: digest of the versions that every result depends on.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reach = Reach()
        self._plain: dict[Any, Signed] = {}
        # By identity, with what is identified: it may have no hash.
        self._codes: dict[tuple[int, ...], tuple[tuple[Any, ...], list[bytes], bool]] = {}
        versions = Versions()
        packages = [f"{name} {versions.of(name)}" for name in ("sklearn", "numpy", "scipy")]
        self.surroundings = combine("around", "\0".join((*packages, PYTHON)).encode())

    def step(self, step: Any, kind: type) -> Signed | None:
        """Return the signature of a step that is not fitted yet, or None where it has none.

        Args:
            step: an estimator.
            kind: its class, as the person wrote it.
        """
        state = _state(step)
        if not state.keys() - _CARRIED <= _parameters(kind):
            return None
        items = sorted(state.items())
        key = None
        if all(type(value) in SCALARS for value in state.values()):
            key = (kind, *((name, type(value), repr(value)) for name, value in items))
            known = self._plain.get(key)
            if known is not None:
                return known
        try:
            signed = self.value((kind, items))
        except MileError:
            return None
        if key is not None:
            self._plain[key] = signed
        return signed

    def value(self, value: Any) -> Signed:
        """Return the digest of a value with the code that it refers to.

        Raises:
            UnhashableValue: it cannot be digested.
        """
        encoder = Encoder(where=_WHERE)
        encoder.write(value)
        if not encoder.refs:
            return Signed(combine("value", encoder.out), False)
        code, own = self._code(tuple(encoder.refs))
        return Signed(combine("value", encoder.out, *code), own)

    def _code(self, refs: tuple[Any, ...]) -> tuple[list[bytes], bool]:
        """Return the digests of some code and of the packages in it, and whether any is the person's own."""
        key = tuple(map(id, refs))
        with self._lock:
            known = self._codes.get(key)
            if known is None:
                finals = [self._reach.final(self._reach.code(ref, _WHERE)) for ref in refs]
                parts = [*finals, *self._reach.package_parts(refs)]
                known = self._codes[key] = (refs, parts, any(map(_is_own, refs)))
            return known[1:]

    @staticmethod
    def still(step: Any, kind: type, signed: Signed) -> bool:
        """Tell whether looking at the code of a step anew gives the signature that it had.

        Args:
            step: its parameters as they were before it was fitted, by name, sorted.
            kind: its class.
            signed: what :meth:`step` said.
        """
        try:
            return digest((kind, step), where=_WHERE) == signed.digest
        except MileError:
            return False


def unfitted(step: Any) -> list[tuple[str, Any]]:
    """Return what a step that is not fitted yet is made of: attributes by name, sorted."""
    return sorted(_state(step).items())


def _state(step: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(step).items() if name not in _LEFT_OUT}


def _is_own(code: Any) -> bool:
    return origin_of_name(getattr(code, "__module__", None) or getattr(code, "__name__", "")) == "own"


@functools.lru_cache(maxsize=1024)
def _parameters(kind: type) -> frozenset[str]:
    names = getattr(kind, "_get_param_names", None)
    return frozenset(names()) if names is not None else frozenset()
