"""How long a change would make the person wait, planned with what is in the store now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mile_rl.engine.prepared import Prepared
from mile_rl.workflows.dag import Output


class Waiting:
    """Plans changes of one planned workflow: what they touch has to be computed, all else may be loaded.

    Args:
        prepared: the workflow, planned; its costs are lent and given back unchanged.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._layout = prepared.layout
        self._dag = prepared.dag

    def after(self, nodes: Iterable[str], compute_ns: Mapping[str, int] | None = None) -> int:
        """Return the expected waiting time in nanoseconds if these nodes are changed.

        Args:
            nodes: that a change touches; whatever depends on them is computed anew too.
            compute_ns: node -> what computing it will take, where that changes.
        """
        touched = self._below(nodes)
        changed = {name: ns for name, ns in (compute_ns or {}).items() if name in self._layout.node_at}
        layout = self._layout
        compute, load = layout.compute_ns.copy(), layout.load_ns.copy()
        try:
            layout.forget(
                Output(name, output) for name in touched for output in self._dag.nodes[name].outputs
            )
            for name, ns in changed.items():
                layout.compute_ns[layout.node_at[name]] = ns
            return layout.choose().total_ns
        finally:
            layout.compute_ns[:] = compute
            layout.load_ns[:] = load

    def _below(self, nodes: Iterable[str]) -> list[str]:
        found: set[str] = set()
        stack = list(nodes)
        children = self._dag.children
        while stack:
            name = stack.pop()
            if name in found or name not in self._layout.node_at:
                continue
            found.add(name)
            for output in self._dag.nodes[name].outputs:
                stack.extend(children[Output(name, output)])
        return list(found)
