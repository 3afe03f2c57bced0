"""Digests of operators: their code with everything that it reaches, and what surrounds that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mile_rl.workflows.digest import SCHEMA, combine
from mile_rl.workflows.environment import PYTHON, as_bytes, surroundings
from mile_rl.workflows.item import Item, parts_of
from mile_rl.workflows.packages import canonical_name
from mile_rl.workflows.reach import Reach
from mile_rl.workflows.sign_arguments import Argument, sign_argument

if TYPE_CHECKING:
    from mile_rl.workflows.operator import Operator


class SignedOperator(NamedTuple):
    """An operator, digested.

    Args:
        digest: of its code, or of the version that the person vouches for.
        parts: label -> digest or short text of what went in, for explanations.
        root: the item of its function; None where the person vouches for it.
        defaults: parameter -> its default, digested.
        items: everything that its code reaches.
        outputs: the names of its outputs.
        caches: the functions with a cache (``functools.lru_cache``) that its code reaches.
        paths: texts in its code that look like names of files.
    """

    digest: bytes
    parts: dict[str, str]
    root: int | None
    defaults: dict[str, Argument]
    items: list[Item]
    outputs: bytes
    caches: Sequence[Any] = ()
    paths: frozenset[str] = frozenset()


def sign_operator(operator: Operator[..., Any], reach: Reach) -> SignedOperator:
    """Return an operator, digested.

    Args:
        operator: any.
        reach: what follows its code.

    Raises:
        UnhashableValue: a default, or a global that its code reaches, cannot be digested.
        MissingFile: a declared file among its defaults is not there.
    """
    outputs = "\0".join(operator.outputs).encode()
    defaults = {
        name: sign_argument(name, parameter.default, operator.name, reach)
        for name, parameter in operator.signature.parameters.items()
        if parameter.default is not parameter.empty
    }
    if operator.version is not None:
        return SignedOperator(
            digest=combine("vouched", _identity(operator), operator.version.encode()),
            parts={"version": operator.version, "format": str(SCHEMA)},
            root=None,
            defaults=defaults,
            items=[],
            outputs=outputs,
        )
    root = reach.operator(operator.function, f"the code of {operator.name}")
    items = reach.reachable([root])
    around = surroundings(items, reach.versions)
    own = reach.items[root]
    parts = {f"operator {operator.name}": own.local.hex()}
    parts.update(parts_of(items, without=own))
    parts.update(around)
    parts.update(python=PYTHON, format=str(SCHEMA))
    return SignedOperator(
        digest=combine("operator", reach.final(root), as_bytes(around), PYTHON.encode()),
        parts=parts,
        root=root,
        defaults=defaults,
        items=items,
        outputs=outputs,
        caches=[cache for item in items for cache in item.caches],
        paths=frozenset(path for item in items for path in item.paths),
    )


def _identity(operator: Operator[..., Any]) -> bytes:
    """Return the name and place of an operator: two modules may each have one of one name, both at version 1."""
    inner = operator.function
    while hasattr(inner, "func"):
        inner = inner.func
    module = canonical_name(str(getattr(inner, "__module__", "")))
    qualname = getattr(inner, "__qualname__", type(inner).__qualname__)
    return f"{operator.name}\0{module}\0{qualname}".encode()


def changed_globals(operator: Operator[..., Any], signed: SignedOperator, reach: Reach) -> tuple[str, ...]:
    """Return the labels of what an operator's code reaches that is not as it was when it was signed.

    Args:
        operator: one that was signed.
        signed: as what.
        reach: what followed its code then.
    """
    if signed.root is None or not (
        any(item.stores for item in signed.items)
        or any(mutable for item in signed.items for _, mutable in item.constants.values())
    ):
        return ()
    now = Reach(file_digest=reach.file_digest, versions=reach.versions)
    try:
        root = now.operator(operator.function, f"the code of {operator.name}")
    except Exception:
        # It has become something that cannot be digested.
        return (f"the globals of {operator.name}",)
    if now.final(root) == reach.final(signed.root):
        return ()
    before, after = parts_of(signed.items), parts_of(now.reachable([root]))
    labels = (label for label in {**before, **after} if before.get(label) != after.get(label))
    return tuple(sorted(label.partition(" ")[2] for label in labels)) or (f"the code of {operator.name}",)
