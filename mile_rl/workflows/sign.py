"""Signatures of nodes: what a result depends on, by lineage and never over the bytes of an intermediate."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mile_rl.workflows.dag import Dag, Node, Output
from mile_rl.workflows.digest import SCHEMA, FileDigests, combine
from mile_rl.workflows.encode import Encoder
from mile_rl.workflows.environment import surroundings
from mile_rl.workflows.file import File
from mile_rl.workflows.item import Item
from mile_rl.workflows.packages import Versions, canonical_name
from mile_rl.workflows.paths import paths_in
from mile_rl.workflows.reach import Reach
from mile_rl.workflows.scalars import scalar_writer

if TYPE_CHECKING:
    from mile_rl.workflows.operator import Operator

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""All that counts of the Python that runs, its standard library included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSignature:
    """What a node's results depend on.

    Args:
        digest: the node's signature, hexadecimal.
        base: the same without the files that it opens undeclared; these are remembered under it.
        outputs: output name -> the output's signature, hexadecimal.
        parts: label -> digest, hexadecimal, or short text of each thing that went in, for explanations. The
            first word of a label says what it is: "operator", "helper", "class", "constant", "module",
            "package", "python", "format", "environment", "argument", "file", "parent", "hidden", "version"
            or "volatile".
    """

    digest: str
    base: str
    outputs: Mapping[str, str]
    parts: Mapping[str, str]


class _Argument(NamedTuple):
    """An argument, digested: ``digest`` says all but what its outputs and files are."""

    digest: bytes
    leaves: Sequence[Output] = ()
    files: Sequence[tuple[str, bytes]] = ()
    parts: Mapping[str, str] = MappingProxyType({})


class _Signed(NamedTuple):
    """An operator, digested."""

    digest: bytes
    parts: dict[str, str]
    root: int | None
    defaults: dict[str, _Argument]
    items: list[Item]
    outputs: bytes
    caches: Sequence[Any] = ()
    paths: frozenset[str] = frozenset()


class Signer:
    """Signs the nodes of one run. An operator is looked at once, whatever number of nodes use it.

    Args:
        hidden: base signature -> files that a node of this base opened undeclared when it last ran; their
            content counts too.

    Attributes:
        warnings: one line each about what cannot be followed, naming the node and the remedy.
    """

    def __init__(self, *, hidden: Mapping[str, Sequence[Path]] | None = None) -> None:
        self.warnings: list[str] = []
        self._hidden: dict[str, Sequence[Path]] = dict(hidden or {})
        self._files = FileDigests()
        self._versions = Versions()
        self._reach = Reach(file_digest=self._files, versions=self._versions)
        # By identity, and holding each: an operator may be made within a run and let go.
        self._operators: dict[int, tuple[Operator[..., Any], _Signed]] = {}
        self._arguments: dict[str, list[tuple[str, _Argument]]] = {}
        self._volatile: dict[str, bytes] = {}
        self._modules: frozenset[str] = frozenset()

    def sign(self, dag: Dag) -> dict[str, NodeSignature]:
        """Return node name -> signature, for all nodes.

        Args:
            dag: a captured workflow.

        Raises:
            UnhashableValue: an argument, or a global that an operator's code reaches, cannot be digested.
            MissingFile: a declared file is not there.
        """
        signatures: dict[str, NodeSignature] = {}
        with _uncollected():
            for name, node in dag.nodes.items():
                signed = self._operator(node)
                self._arguments[name] = self._bound(node, signed)
                signatures[name] = self._node(node, signed, signatures)
            self._reach.let_go_of_sources()
        self._modules = frozenset(sys.modules)
        return signatures

    def resign(
        self,
        dag: Dag,
        signatures: Mapping[str, NodeSignature],
        node: str,
        hidden_files: Sequence[Path],
    ) -> dict[str, NodeSignature]:
        """Return the new signatures of a node that was seen to open files, and of its descendants.

        Args:
            dag: what was signed.
            signatures: as :meth:`sign` or an earlier call returned them.
            node: its name.
            hidden_files: all files that it opens undeclared.
        """
        self._hidden[signatures[node].base] = tuple(hidden_files)
        self._files.forget(hidden_files)
        current = dict(signatures)
        changed: dict[str, NodeSignature] = {}
        for name, each in dag.nodes.items():
            if name == node or any(parent.node in changed for parent in each.parents):
                signature = self._node(each, self._operator(each), current)
                changed[name] = current[name] = signature
        return changed

    def changed_files(self, node: Node, signature: NodeSignature) -> tuple[Path, ...]:
        """Return the files that count in a signature and may not be any more what they were when it was made.

        Args:
            node: one that was signed.
            signature: its signature.
        """
        files = (*files_of(node), *self._hidden.get(signature.base, ()))
        return tuple(path for path in dict.fromkeys(files) if self._files.changed(path))

    def guards(self, operator: Operator[..., Any]) -> list[tuple[str, str]]:
        """Return (label, digest) of the values outside an operator that can change while it runs.

        Args:
            operator: one that was signed.
        """
        items = self._signed(operator).items
        stores = any(item.stores for item in items)
        return sorted(
            (f"constant {label}", content)
            for item in items
            for label, (content, mutable) in item.constants.items()
            if mutable or stores
        )

    def named_files(self, node: Node) -> list[str]:
        """Return the texts that may name files which a node reads, in its operator's code, arguments and defaults.

        Args:
            node: one that was signed.
        """
        parameters = node.operator.signature.parameters
        defaults = [parameter.default for name, parameter in parameters.items() if name not in node.arguments]
        given = [value for value in (*node.arguments.values(), *defaults) if not isinstance(value, File)]
        return sorted({*self._signed(node.operator).paths, *paths_in(given)})

    def caches(self, operator: Operator[..., Any]) -> Sequence[Any]:
        """Return the functions with a cache (``functools.lru_cache``) that an operator's code reaches.

        Args:
            operator: one that was signed.
        """
        return self._signed(operator).caches

    def loaded_since(self, operator: Operator[..., Any]) -> list[str]:
        """Return the modules loaded since the signing, where an operator imports by names that it computes.

        One of another operator's may be among them, but nobody can tell whether this one used it, too.

        Args:
            operator: one that was signed.
        """
        if not any(item.loose for item in self._signed(operator).items):
            return []
        return [name for name in tuple(sys.modules) if name not in self._modules]

    def changed_globals(self, operator: Operator[..., Any]) -> tuple[str, ...]:
        """Return the labels of what an operator's code reaches that is not as it was when it was signed.

        Args:
            operator: one that was signed.
        """
        signed = self._signed(operator)
        if signed.root is None or not (
            any(item.stores for item in signed.items)
            or any(mutable for item in signed.items for _, mutable in item.constants.values())
        ):
            return ()
        now = Reach(file_digest=self._files, versions=self._versions)
        try:
            root = now.operator(operator.function, f"the code of {operator.name}")
        except Exception:
            # It has become something that cannot be digested.
            return (f"the globals of {operator.name}",)
        if now.final(root) == self._reach.final(signed.root):
            return ()
        before, after = _parts_of(signed.items), _parts_of(now.reachable([root]))
        labels = (label for label in {**before, **after} if before.get(label) != after.get(label))
        return tuple(sorted(label.partition(" ")[2] for label in labels)) or (f"the code of {operator.name}",)

    def _signed(self, operator: Operator[..., Any]) -> _Signed:
        return self._operators[id(operator)][1]

    def _operator(self, node: Node) -> _Signed:
        known = self._operators.get(id(node.operator))
        if known is None:
            known = (node.operator, self._sign_operator(node.operator, node.name))
            self._operators[id(node.operator)] = known
        return known[1]

    def _sign_operator(self, operator: Operator[..., Any], node: str) -> _Signed:
        outputs = "\0".join(operator.outputs).encode()
        defaults = {}
        for name, parameter in operator.signature.parameters.items():
            if parameter.default is not parameter.empty:
                defaults[name] = self._argument(name, parameter.default, operator.name)
        if operator.version is not None:
            inner = operator.function
            while hasattr(inner, "func"):
                inner = inner.func
            # Two modules may each have an operator of one name and both begin at version 1.
            module = canonical_name(str(getattr(inner, "__module__", "")))
            qualname = getattr(inner, "__qualname__", type(inner).__qualname__)
            identity = f"{operator.name}\0{module}\0{qualname}"
            return _Signed(
                digest=combine("vouched", identity.encode(), operator.version.encode()),
                parts={"version": operator.version, "format": str(SCHEMA)},
                root=None,
                defaults=defaults,
                items=[],
                outputs=outputs,
            )
        root = self._reach.operator(operator.function, f"the code of {operator.name}")
        items = self._reach.reachable([root])
        around = surroundings(items, self._versions)
        own = self._reach.items[root]
        parts = {f"operator {operator.name}": own.local.hex()}
        parts.update(_parts_of(items, without=own))
        parts.update(around)
        parts.update(python=PYTHON, format=str(SCHEMA))
        for item in items:
            self.warnings.extend(f"{node}: {warning}" for warning in item.warnings)
        surrounding = "\0".join(f"{label}={text}" for label, text in around.items())
        return _Signed(
            digest=combine("operator", self._reach.final(root), surrounding.encode(), PYTHON.encode()),
            parts=parts,
            root=root,
            defaults=defaults,
            items=items,
            outputs=outputs,
            caches=[cache for item in items for cache in item.caches],
            paths=frozenset(path for item in items for path in item.paths),
        )

    def _bound(self, node: Node, signed: _Signed) -> list[tuple[str, _Argument]]:
        bound = []
        given = node.arguments
        for name in node.operator.signature.parameters:
            if name in given:
                bound.append((name, self._argument(name, given[name], node.name)))
            elif name in signed.defaults:
                bound.append((name, signed.defaults[name]))
        return bound

    def _argument(self, name: str, value: Any, owner: str) -> _Argument:
        kind = type(value)
        if kind is Output:
            return _Argument(b"L", (value,))
        scalar = scalar_writer(kind)
        if scalar is not None:
            # By far the most arguments are such; the same bytes as below, sooner.
            out = bytearray()
            scalar(out, value)
            digest = combine("argument", out)
            return _Argument(digest, (), (), {f"argument {name}": digest.hex()})
        where = f"argument {name!r} of {owner}"
        encoder = Encoder(where=where, outputs=True, file_digest=self._files)
        encoder.write(value)
        files = tuple((file.name, self._files(file.path)) for file in encoder.files)
        if not encoder.refs:
            digest = combine("argument", encoder.out)
            parts = {} if kind is File else {f"argument {name}": digest.hex()}
        else:
            digest, parts = self._with_code(name, encoder, where)
        return _Argument(digest, encoder.leaves, files, parts)

    def _with_code(self, name: str, encoder: Encoder, where: str) -> tuple[bytes, dict[str, str]]:
        """Return the digest and parts of an argument that holds functions, classes or objects of such."""
        roots = [self._reach.code(ref, where) for ref in encoder.refs]
        items = self._reach.reachable(roots)
        around = surroundings(items, self._versions)
        surrounding = "\0".join(f"{label}={text}" for label, text in around.items()).encode()
        finals = [self._reach.final(root) for root in roots]
        labels = [self._reach.items[root].label.encode() for root in roots]
        # What the argument is and how the code in it reads are told apart, so that each edit is called right.
        parts = {f"argument {name}": combine("argument", encoder.out, *labels).hex()}
        parts.update(_parts_of(items))
        parts.update(around)
        return combine("argument", encoder.out, *finals, surrounding), parts

    def _node(self, node: Node, signed: _Signed, signatures: Mapping[str, NodeSignature]) -> NodeSignature:
        chunks = [signed.digest, signed.outputs]
        parts = dict(signed.parts)
        for name, argument in self._arguments[node.name]:
            chunks += (name.encode(), argument.digest)
            if argument.parts:
                parts.update(argument.parts)
            for leaf in argument.leaves:
                content = signatures[leaf.node].outputs[leaf.name]
                chunks.append(content.encode())
                parts[f"parent {leaf}"] = content
            for label, digest in argument.files:
                chunks += (label.encode("utf-8", "surrogateescape"), digest)
                parts[_free(f"file {label}", digest.hex(), parts)] = digest.hex()
        if node.operator.volatile:
            random = self._volatile.setdefault(node.name, os.urandom(16))
            chunks += (b"volatile", random)
            parts["volatile"] = random.hex()
        base = combine("node", *chunks)
        digest = self._with_hidden(node, base, parts) if self._hidden else base
        return NodeSignature(
            digest=digest.hex(),
            base=base.hex(),
            outputs={name: combine("output", digest, name.encode()).hex() for name in node.operator.outputs},
            parts=parts,
        )

    def _with_hidden(self, node: Node, base: bytes, parts: dict[str, str]) -> bytes:
        files = self._hidden.get(base.hex(), ())
        if not files:
            return base
        # In the order of their paths: two files of one name may change places.
        found = [(os.fsencode(path.name), self._files.seen(path)) for path in sorted(files)]
        for name, content in found:
            parts[_free(f"hidden file {os.fsdecode(name)}", content.hex(), parts)] = content.hex()
        place = _place(node.operator).encode("utf-8", "surrogateescape")
        parts["hidden place"] = combine("place", place).hex()
        return combine("hidden", base, place, *(chunk for pair in found for chunk in pair))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the garbage collector off: syntax trees are many small objects, none of them in a cycle.

    It would go over them (and everything else) again and again, for a third of the time that signing takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _place(operator: Operator[..., Any]) -> str:
    """Return where an operator may look for files of its own: the working directory and beside its code.

    The same code elsewhere finds other files, of which nothing is known yet.
    """
    module = sys.modules.get(str(getattr(operator.function, "__module__", None)))
    file = getattr(module, "__file__", None) or ""
    return f"{os.path.realpath(os.curdir)}\0{os.path.dirname(os.path.realpath(file)) if file else ''}"


def files_of(node: Node) -> Iterator[Path]:
    """Yield the declared files of a node: those of its arguments, and of its operator's defaults."""
    yield from files_in(list(node.arguments.values()))
    for name, parameter in node.operator.signature.parameters.items():
        if name not in node.arguments:
            yield from files_in(parameter.default)


def files_in(value: Any) -> Iterator[Path]:
    """Yield the paths of the declared files in a value: it alone, or those nested in lists, tuples and dicts."""
    kind = type(value)
    if kind is File:
        yield value.path
    elif kind is list or kind is tuple:
        for item in value:
            yield from files_in(item)
    elif kind is dict:
        for item in value.values():
            yield from files_in(item)


def _parts_of(items: Sequence[Item], *, without: Item | None = None) -> dict[str, str]:
    """Return label -> digest of items and of the values they use, in an order that is always the same."""
    pairs = []
    for item in items:
        if item is not without and item.kind != "constant" and item.kind != "installed":
            pairs.append((f"{item.kind} {item.label}", item.local.hex()))
        pairs.extend((f"constant {label}", content) for label, (content, _) in item.constants.items())
    parts: dict[str, str] = {}
    for label, content in sorted(set(pairs)):
        parts[_free(label, content, parts)] = content
    return parts


def _free(label: str, content: str, parts: Mapping[str, str]) -> str:
    """Return a label that nothing else has; different things can have one name."""
    number, free = 1, label
    while parts.get(free, content) != content:
        number += 1
        free = f"{label} ({number})"
    return free
