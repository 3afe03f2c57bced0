"""Signatures of nodes: what a result depends on, by lineage and never over the bytes of an intermediate."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mile_rl.workflows.dag import Dag, Node
from mile_rl.workflows.digest import FileDigests, combine
from mile_rl.workflows.file import File
from mile_rl.workflows.item import free_label
from mile_rl.workflows.paths import paths_in
from mile_rl.workflows.reach import Reach
from mile_rl.workflows.sign_arguments import Argument, sign_argument
from mile_rl.workflows.sign_operators import SignedOperator, changed_globals, sign_operator

if TYPE_CHECKING:
    from mile_rl.workflows.operator import Operator


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
        self._reach = Reach(file_digest=self._files)
        # By identity, and holding each: an operator may be made within a run and let go.
        self._operators: dict[int, tuple[Operator[..., Any], SignedOperator]] = {}
        self._arguments: dict[str, list[tuple[str, Argument]]] = {}
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
        files = (*node.files(), *self._hidden.get(signature.base, ()))
        return tuple(path for path in dict.fromkeys(files) if self._files.changed(path))

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
        return changed_globals(operator, self._signed(operator), self._reach)

    def _signed(self, operator: Operator[..., Any]) -> SignedOperator:
        return self._operators[id(operator)][1]

    def _operator(self, node: Node) -> SignedOperator:
        known = self._operators.get(id(node.operator))
        if known is None:
            signed = sign_operator(node.operator, self._reach)
            for item in signed.items:
                self.warnings.extend(f"{node.name}: {warning}" for warning in item.warnings)
            known = self._operators[id(node.operator)] = (node.operator, signed)
        return known[1]

    def _bound(self, node: Node, signed: SignedOperator) -> list[tuple[str, Argument]]:
        bound = []
        given = node.arguments
        for name in node.operator.signature.parameters:
            if name in given:
                bound.append((name, sign_argument(name, given[name], node.name, self._reach)))
            elif name in signed.defaults:
                bound.append((name, signed.defaults[name]))
        return bound

    def _node(
        self, node: Node, signed: SignedOperator, signatures: Mapping[str, NodeSignature]
    ) -> NodeSignature:
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
                parts[free_label(f"file {label}", digest.hex(), parts)] = digest.hex()
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
            parts[free_label(f"hidden file {os.fsdecode(name)}", content.hex(), parts)] = content.hex()
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
