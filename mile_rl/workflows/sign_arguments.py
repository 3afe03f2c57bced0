"""Digests of arguments: constants, declared files, outputs of other nodes, code, and anything that holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mile_rl.workflows.dag import Output
from mile_rl.workflows.digest import combine
from mile_rl.workflows.encode import Encoder
from mile_rl.workflows.environment import as_bytes, surroundings
from mile_rl.workflows.file import File
from mile_rl.workflows.item import parts_of
from mile_rl.workflows.reach import Reach
from mile_rl.workflows.scalars import scalar_writer


class Argument(NamedTuple):
    """An argument, digested.

    Args:
        digest: says all but what its outputs and files are.
        leaves: the outputs in it, in order.
        files: name and content digest of the files in it, in order.
        parts: label -> digest of what went in, for explanations.
    """

    digest: bytes
    leaves: Sequence[Output] = ()
    files: Sequence[tuple[str, bytes]] = ()
    parts: Mapping[str, str] = MappingProxyType({})


def sign_argument(name: str, value: Any, owner: str, reach: Reach) -> Argument:
    """Return an argument, digested.

    Args:
        name: the parameter.
        value: what it is bound to.
        owner: the node or the operator, for errors.
        reach: what follows the code in it.

    Raises:
        UnhashableValue: something in it cannot be digested.
        MissingFile: a declared file is not there.
    """
    kind = type(value)
    if kind is Output:
        return Argument(b"L", (value,))
    scalar = scalar_writer(kind)
    if scalar is not None:
        # By far the most arguments are such; the same bytes as below, sooner.
        out = bytearray()
        scalar(out, value)
        digest = combine("argument", out)
        return Argument(digest, (), (), {f"argument {name}": digest.hex()})
    where = f"argument {name!r} of {owner}"
    encoder = Encoder(where=where, outputs=True, file_digest=reach.file_digest)
    encoder.write(value)
    files = tuple((file.name, reach.file_digest(file.path)) for file in encoder.files)
    if not encoder.refs:
        digest = combine("argument", encoder.out)
        parts = {} if kind is File else {f"argument {name}": digest.hex()}
    else:
        digest, parts = _with_code(name, encoder, where, reach)
    return Argument(digest, encoder.leaves, files, parts)


def _with_code(name: str, encoder: Encoder, where: str, reach: Reach) -> tuple[bytes, dict[str, str]]:
    """Return the digest and parts of an argument that holds functions, classes or objects of such."""
    roots = [reach.code(ref, where) for ref in encoder.refs]
    items = reach.reachable(roots)
    around = surroundings(items, reach.versions)
    finals = [reach.final(root) for root in roots]
    labels = [reach.items[root].label.encode() for root in roots]
    # What the argument is and how the code in it reads are told apart, so that each edit is called right.
    parts = {f"argument {name}": combine("argument", encoder.out, *labels).hex()}
    parts.update(parts_of(items))
    parts.update(around)
    return combine("argument", encoder.out, *finals, as_bytes(around)), parts
