"""What operators were seen to do besides returning something, and what must not be kept because of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mile_rl.engine.caches import CACHES
from mile_rl.engine.opened import own_sources
from mile_rl.workflows.dag import Output
from mile_rl.workflows.sign import NodeSignature

if TYPE_CHECKING:
    from mile_rl.engine.call import Called
    from mile_rl.engine.prepared import Prepared


class Observed:
    """What was seen of the operators of one iteration; part of it is remembered in the catalog.

    Args:
        prepared: the iteration.

    Attributes:
        signatures: node -> signature; undeclared files change them as they are seen.
        notes: warnings, one line each.
        not_to_keep: node -> why none of its outputs may be kept.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self.signatures: dict[str, NodeSignature] = dict(prepared.signatures)
        self.notes: list[str] = list(prepared.notes)
        self.not_to_keep: dict[str, str] = dict(prepared.volatile)

    def refresh_caches(self) -> None:
        """See to it that no function of the person's returns from its cache what a file held before."""
        prepared = self._prepared
        for name in prepared.layout.nodes if prepared.plan.compute else ():
            CACHES.refresh(prepared.signer.caches(prepared.dag.nodes[name].operator))

    def computed(self, node: str, called: Called) -> bool:
        """Look at what a call did, before its outputs are decided about.

        Returns:
            Whether it read files that count from now on, so that nodes have other signatures.
        """
        prepared = self._prepared
        signer, operator = prepared.signer, prepared.dag.nodes[node].operator
        stale = signer.changed_files(prepared.dag.nodes[node], self.signatures[node])
        if changed_files := dict.fromkeys((*called.files_changed, *stale)):
            names = ", ".join(path.name for path in changed_files)
            self._keep_nothing_of(node, f"{names} changed while {node} ran or waited")
        opened = called.opened
        if caches := signer.caches(operator):
            opened = tuple(dict.fromkeys((*opened, *self._filled_from(node, caches, opened))))
        if loaded := signer.loaded_since(operator):
            sources = (Path(file) for name in loaded for file in own_sources(name))
            opened = tuple(dict.fromkeys((*opened, *sources)))
        resigned = bool(opened) and self._note_hidden(node, opened)
        if changed := signer.changed_globals(operator):
            self._keep_nothing_of(node, f"{', '.join(changed)} changed while {node} ran")
        if prepared.flags(node).mutates_inputs:
            self.notes.append(
                f"{node} changes its inputs in place, so it is given copies; copy inside it instead"
            )
        return resigned

    def mutated(self, node: str, outputs: tuple[Output, ...]) -> str:
        """Remember an operator that changed its inputs in place; nothing that it touched is kept.

        Returns:
            Why the inputs must not be kept.
        """
        touched = ", ".join(map(str, outputs))
        self.notes.append(f"{node} changed its input {touched} in place; nothing that it touched is kept")
        self._prepared.set_flags(node, mutates_inputs=True)
        self.not_to_keep[node] = f"{node} changed its input in place"
        reason = f"{node} changed it in place"
        for output in outputs:
            self.not_to_keep.setdefault(output.node, reason)
        return reason

    def spoiled_unseen(self, output: Output) -> None:
        """Note a change in place whose author nobody saw, because watching everything took too long."""
        self.notes.append(
            f"{output} was changed in place, by an operator that was given something it is part of; made again"
        )

    def _filled_from(self, node: str, caches: Sequence[Any], opened: tuple[Path, ...]) -> list[Path]:
        """Return the undeclared files that a node may know from a cache that was filled before."""
        declared = tuple(self._prepared.dag.nodes[node].files())
        CACHES.filled(caches, (*opened, *declared))
        return [path for path in CACHES.files(caches) if path not in declared]

    def _note_hidden(self, node: str, opened: tuple[Path, ...]) -> bool:
        """Name the files that a node read undeclared; tell whether some were not known."""
        prepared = self._prepared
        there = {path: path.exists() for path in opened}
        if names := ", ".join(path.name or str(path) for path in there if there[path]):
            self.notes.append(
                f"{node} read {names} without declaring it; its content counts from now on. "
                "Pass it as an argument made with File(...)"
            )
        if names := ", ".join(str(path) for path in there if not there[path]):
            self.notes.append(f"{node} looked for {names}, which is not there; it counts as soon as it is")
        base = self.signatures[node].base
        known = set(prepared.hidden.get(base, ()))
        if set(opened) <= known:
            return False
        files = tuple(dict.fromkeys((*known, *opened)))
        prepared.catalog.learn(hidden_files=[(base, str(path)) for path in opened])
        self.signatures.update(prepared.signer.resign(prepared.dag, self.signatures, node, files))
        return True

    def _keep_nothing_of(self, node: str, reason: str) -> None:
        """Keep no output of a node, nor of what depends on it: their signatures do not say what they are of."""
        self.notes.append(f"{reason}: nothing that depends on it is kept")
        self.not_to_keep[node] = reason
        dag = self._prepared.dag
        for name in self._prepared.layout.nodes:
            if any(parent.node in self.not_to_keep for parent in dag.nodes[name].parents):
                self.not_to_keep.setdefault(name, reason)
