"""From the history and the prediction model to what a policy looks at: the outlook of the running iteration.

Two sources, by what they cost. At first sight: the node just edited will probably be edited again, else any
other; that costs nothing. The shipped model, told the workflow's history, knows better, but loading it and
reading the history takes tens of milliseconds; it is asked where that is small beside the iteration.
(Plain classes, as in :mod:`mile_rl.policies.replan`: the first decision of a process pays for making dataclasses.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from mile_rl.planner.costs import DEFAULT_COMPUTE_NS
from mile_rl.policies.outlook import RETURN, Outlook, scenario_limit, spread
from mile_rl.policies.scenarios import MOST_RETURNS, likely_scenarios
from mile_rl.workflows.edits import STAGES, Stage

if TYPE_CHECKING:
    from mile_rl.engine.prepared import Prepared
    from mile_rl.store.catalog import Catalog
    from mile_rl.workflows.sign import NodeSignature

MOST_READ: Final = 40
"""How many of the workflow's latest iterations the model is told for an outlook; 25 µs a node."""

FIRST_NOTHING: Final = 0.1
FIRST_STOP: Final = 0.05
AGAIN: Final = 0.5
"""At first sight: the chances of a re-run and of the end, and of the same node among all edits."""


class Expectation:
    """What is expected of the next iteration.

    Args:
        touched: node of the current version -> how probably it is edited, up to a common factor.
        nothing: probability of a re-run, given that there is a next iteration.
        returning: probability of a return to any earlier version.
        returns: (number of an earlier iteration, probability of a return to its version).
        stop: probability that there is no next iteration.
        iterations: how many iterations of this workflow it rests on, the running one included.
    """

    __slots__ = ("iterations", "nothing", "returning", "returns", "stop", "touched")

    def __init__(
        self,
        *,
        touched: Mapping[str, float],
        nothing: float,
        returning: float,
        returns: tuple[tuple[int, float], ...],
        stop: float,
        iterations: int,
    ) -> None:
        self.touched, self.nothing, self.returning, self.returns = touched, nothing, returning, returns
        self.stop, self.iterations = stop, iterations


class PastVersion:
    """An earlier version, as the catalog remembers it.

    Args:
        nodes: (signature, stage, own time) in topological order.
        takes: per node, the (signature of the) outputs that it takes.
        outputs: per node, the signatures of its outputs.
        requested: the outputs that nothing takes: what it was run for.
    """

    __slots__ = ("nodes", "outputs", "requested", "takes")

    def __init__(
        self,
        *,
        nodes: tuple[tuple[str, Stage, int], ...],
        takes: tuple[tuple[str, ...], ...],
        outputs: tuple[tuple[str, ...], ...],
        requested: tuple[str, ...],
    ) -> None:
        self.nodes, self.takes, self.outputs, self.requested = nodes, takes, outputs, requested


def at_first_sight(prepared: Prepared) -> Expectation:
    """Return what can be expected without asking the model.

    Args:
        prepared: the iteration.
    """
    nodes = prepared.layout.nodes
    edited = {edit.node for edit in prepared.edits} & set(nodes)
    others = len(nodes) - len(edited)
    touched = dict.fromkeys(nodes, (1 - AGAIN if edited else 1.0) / max(others, 1))
    touched.update(dict.fromkeys(edited, (AGAIN if others else 1.0) / max(len(edited), 1)))
    return Expectation(
        touched=touched,
        nothing=FIRST_NOTHING,
        returning=0.0,
        returns=(),
        stop=FIRST_STOP,
        iterations=1,
    )


def as_predicted(prepared: Prepared) -> Expectation:
    """Return what the shipped model expects, told the workflow's history and the running iteration.

    Args:
        prepared: the iteration. Only read: this may run beside it, in another thread.
    """
    from mile_rl.engine.foresight import pending
    from mile_rl.engine.past import past
    from mile_rl.prediction.model import TreePredictor
    from mile_rl.workflows.edits import ChangeClass

    line, records = past(prepared.catalog, prepared.workflow, limit=MOST_READ)
    numbers = [iteration.id for iteration in line]
    running = pending(prepared, records)
    if running is not None:
        records.append(running)
        numbers.append(0)
    predictor = TreePredictor()
    for record in records:
        predictor.observe(record)
    said = predictor.predict(n_parameters=0)
    return Expectation(
        touched=said.touched,
        nothing=said.classes[ChangeClass.NOTHING],
        returning=said.classes[ChangeClass.RETURN],
        returns=tuple((numbers[-1 - guess.back], guess.probability) for guess in said.returns[:MOST_RETURNS]),
        stop=said.stop,
        iterations=max(len(records), 1),
    )


def make_outlook(
    prepared: Prepared, expected: Expectation, signatures: Mapping[str, NodeSignature]
) -> Outlook | None:
    """Return the outlook of an iteration, None where its graph is too large for one.

    Args:
        prepared: the iteration.
        expected: what may come.
        signatures: node -> signature, as they are now.
    """
    nodes = prepared.layout.nodes
    limit = scenario_limit(len(nodes))
    if not limit:
        return None
    found = likely_scenarios(
        [expected.touched.get(name, 0.0) for name in nodes],
        expected.nothing,
        expected.returning,
        [chance for _, chance in expected.returns],
        limit,
    )
    graph = _Graph()
    graph.add_current(prepared, signatures)
    wanted: list[Sequence[int]] = []
    current = [graph.position[signatures[o.node].outputs[o.name]] for o in prepared.dag.requested]
    for each in found:
        if each.kind == RETURN:
            version = past_version(prepared.catalog, prepared.workflow, expected.returns[each.back][0])
            wanted.append(graph.add_past(version))
        else:
            wanted.append(current)
    count, outputs = len(graph.compute_ns), len(graph.output_node)
    take_ptr = np.cumsum([0, *map(len, graph.takes)]).astype(np.int32)
    take_output = np.array([output for taken in graph.takes for output in taken], dtype=np.int32)
    output_node = np.array(graph.output_node, dtype=np.int32)
    edited = np.zeros((len(found), count), dtype=np.bool_)
    requested = np.zeros((len(found), outputs), dtype=np.bool_)
    for row, each in enumerate(found):
        edited[row, list(each.roots)] = True
        requested[row, list(wanted[row])] = True
    roots = edited.copy()
    roots[:, [prepared.layout.node_at[name] for name in prepared.volatile]] = True
    return Outlook(
        iterations=expected.iterations,
        position=graph.position,
        compute_ns=np.array(graph.compute_ns, dtype=np.float64),
        take_ptr=take_ptr,
        take_output=take_output,
        output_node=output_node,
        stage=np.array(graph.stage, dtype=np.int8),
        seen=np.array(graph.seen, dtype=np.bool_),
        p=np.array([each.p for each in found]),
        kind=np.array([each.kind for each in found], dtype=np.int8),
        edited=edited,
        invalid=spread(roots, output_node, take_ptr, take_output),
        requested=requested,
        stop=expected.stop,
    )


def past_version(catalog: Catalog, workflow: str, number: int) -> PastVersion:
    """Return the version of an earlier iteration.

    What it was run for is not recorded; it is taken to be what nothing takes.

    Args:
        catalog: the project's catalog.
        workflow: its key.
        number: of the iteration.
    """
    records = catalog.nodes_of(number)
    signature = {(output.node, output.name): output.signature for output in catalog.outputs_of(number)}
    measured = catalog.measured(workflow, [(node.signature, node.name, node.operator) for node in records])
    takes = tuple(
        tuple(dict.fromkeys(signature[node, name] for node, name in record.parents)) for record in records
    )
    outputs = tuple(
        tuple(each for (node, _), each in signature.items() if node == record.name) for record in records
    )
    taken = {each for one in takes for each in one}
    return PastVersion(
        nodes=tuple(
            (
                record.signature,
                record.stage,
                measured[record.name].elapsed_ns if record.name in measured else DEFAULT_COMPUTE_NS,
            )
            for record in records
        ),
        takes=takes,
        outputs=outputs,
        requested=tuple(each for each in signature.values() if each not in taken),
    )


class _Graph:
    """The union of versions by signature, under construction."""

    def __init__(self) -> None:
        self.position: dict[str, int] = {}
        self.compute_ns: list[int] = []
        self.stage: list[int] = []
        self.seen: list[bool] = []
        self.takes: list[list[int]] = []
        self.output_node: list[int] = []

    def add_current(self, prepared: Prepared, signatures: Mapping[str, NodeSignature]) -> None:
        layout, position = prepared.layout, self.position
        for name, compute_ns in zip(layout.nodes, layout.compute_ns.tolist()):
            node = prepared.dag.nodes[name]
            takes = [position[signatures[parent.node].outputs[parent.name]] for parent in node.parents]
            outputs = [signatures[name].outputs[output] for output in node.outputs]
            self._add(compute_ns, node.stage, takes, outputs, seen=name in prepared.measured_ns)

    def add_past(self, version: PastVersion) -> list[int]:
        """Add what is not there yet, and return the requested outputs."""
        for (_, stage, compute_ns), taken, outputs in zip(version.nodes, version.takes, version.outputs):
            if any(output not in self.position for output in outputs):
                takes = [self.position[output] for output in taken]
                self._add(compute_ns, stage, takes, outputs, seen=True)
        return [self.position[output] for output in version.requested]

    def _add(
        self, compute_ns: int, stage: Stage, takes: list[int], outputs: Sequence[str], *, seen: bool
    ) -> None:
        self.compute_ns.append(compute_ns)
        self.stage.append(STAGES.index(stage))
        self.seen.append(seen)
        self.takes.append(takes)
        for output in outputs:
            # Two uses of one operator with the same arguments yield the same: what is kept serves both.
            self.position.setdefault(output, len(self.output_node))
            self.output_node.append(len(self.compute_ns) - 1)
