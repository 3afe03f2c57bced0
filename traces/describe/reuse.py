"""How much of an iteration was there already in the one that it was edited from."""

from __future__ import annotations

from traces.schema import Iteration


def reused_share(parent: Iteration, iteration: Iteration) -> float | None:
    """Return the share of an iteration's components whose results need not be computed again.

    Those are the components that no edit touched and that depend on none that was touched, added or taken
    from other parents. None for an iteration without components.
    """
    if not iteration.components:
        return None
    touched = {edit.node for edit in iteration.edits}
    before = {component.name: component for component in parent.components}
    stale: set[str] = set()
    for component in iteration.components:
        old = before.get(component.name)
        if (
            old is None
            or component.name in touched
            or old.parents != component.parents
            or not stale.isdisjoint(component.parents)
        ):
            stale.add(component.name)
    return 1 - len(stale) / len(iteration.components)


def same_operators_share(parent: Iteration, iteration: Iteration) -> float | None:
    """Return the share of an iteration's components whose operator the parent used too, whatever its parameters."""
    if not iteration.components:
        return None
    before = {component.operator for component in parent.components}
    kept = sum(component.operator in before for component in iteration.components)
    return kept / len(iteration.components)
