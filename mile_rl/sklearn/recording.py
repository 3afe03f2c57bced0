"""What a search or cross-validation leaves in the project's history: an iteration, of the pipeline that was best."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from mile_rl._version import __version__
from mile_rl.engine import versions
from mile_rl.errors import MileError
from mile_rl.sklearn.contents import content
from mile_rl.sklearn.signing import Signing
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import IterationRecord, NodeRecord, OutputRecord
from mile_rl.workflows.diff import diff
from mile_rl.workflows.digest import combine
from mile_rl.workflows.edits import Stage, change_class
from mile_rl.workflows.maker import own_parameters
from mile_rl.workflows.packages import Versions, origin_of_name
from mile_rl.workflows.version import CLASS

_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A pipeline that was evaluated.

    Args:
        called: who evaluated it: "cross_validate", "GridSearchCV" …
        estimator: the pipeline; of a search, with the parameters that scored best.
        space: what was searched over, parameter -> values; empty where nothing was.
        X, y: the data.
        how: what else the scores depend on, name -> value.
        metrics: name -> mean over the folds.
        started_ns: when it began, by the wall clock.
        waited_ns: how long it took.
        everything_ns: how long it would have taken had every task computed all that it needs.
        computed: whether any task was computed rather than known.
    """

    called: str
    estimator: Any
    space: Mapping[str, Any]
    X: Any
    y: Any
    how: Mapping[str, Any]
    metrics: Mapping[str, float]
    started_ns: int
    waited_ns: int
    everything_ns: int
    computed: bool


def caller() -> FrameType | None:
    """Return the person's frame that a search is called from; None within another search, which records itself."""
    frame: FrameType | None = sys._getframe(1)
    found = None
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module == "mile_rl.sklearn.session":
            return None
        if found is None and not module.startswith(("mile_rl.sklearn.", "sklearn.", "joblib.")):
            found = frame
        frame = frame.f_back
    return found


def record_of(evaluated: Evaluated, catalog: Catalog, file: str, signing: Signing) -> IterationRecord:
    """Return the iteration that an evaluation is, edited from the one before of the same file.

    Args:
        evaluated: what was done.
        catalog: the project's.
        file: whence it was called, relative to the project; "" from a notebook.
        signing: digests values and code.
    """
    workflow = f"{file}:{versions.CROSS_VALIDATION}" if file else versions.CROSS_VALIDATION
    nodes = tuple(_nodes(evaluated, signing))
    previous = catalog.latest(workflow)
    described = tuple(map(versions.node_of, nodes))
    version = combine("version", *(node.signature.encode() for node in nodes)).hex()
    same = previous is not None and previous.record.version == version
    edits = () if previous is None or same else diff(versions.nodes_of(catalog, previous), described)
    returned = previous is not None and not same and catalog.latest_of_version(workflow, version) is not None
    return IterationRecord(
        workflow=workflow,
        version=version,
        parent=previous.id if previous is not None else None,
        started_ns=evaluated.started_ns,
        waited_ns=evaluated.waited_ns,
        everything_ns=evaluated.everything_ns,
        parameters={name: _text(value) for name, value in evaluated.space.items()},
        edits=edits,
        change_class=str(change_class(edits, first=previous is None, returned=returned)),
        metrics=dict(evaluated.metrics),
        python=platform.python_version(),
        mile=__version__,
        nodes=nodes,
        outputs=tuple(
            OutputRecord(node=node.name, name="result", signature=node.signature) for node in nodes
        ),
    )


def file_of(frame: FrameType, root: os.PathLike[str]) -> str:
    """Return a frame's file relative to the project, "" where it has none."""
    source = frame.f_globals.get("__file__")
    if not source:
        return ""
    path, within = str(os.path.realpath(source)), os.path.join(root, "")
    return path.removeprefix(within) if path.startswith(within) else os.path.basename(path)


def _nodes(evaluated: Evaluated, signing: Signing) -> Iterator[NodeRecord]:
    """Yield the data, the steps, the search if there was one, and the score."""
    assembling = _Assembling(signing, "compute" if evaluated.computed else "load")
    data = {
        f"file {name}": _digest(value, signing) for name, value in (("X", evaluated.X), ("y", evaluated.y))
    }
    yield (last := assembling.node("data", "data", "preprocess", {}, data, ()))
    for name, step, final in _steps(evaluated.estimator):
        yield (last := assembling.step(name, step, "learn" if final else "preprocess", last.name))
    if evaluated.space:
        yield (last := assembling.node(
            "search", evaluated.called, "learn", evaluated.space, {}, (last.name,)
        ))  # fmt: skip
    yield assembling.node("score", "score", "evaluate", evaluated.how, {}, (last.name,))


class _Assembling:
    """Makes the records of nodes, each with a signature over its inputs'.

    Args:
        signing: digests values and code.
        state: what was done with all of them.
    """

    def __init__(self, signing: Signing, state: Any) -> None:
        self._signing = signing
        self._state = state
        self._signatures: dict[str, str] = {}

    def step(self, name: str, step: Any, stage: Stage, parent: str) -> NodeRecord:
        """Return the record of a pipeline's step: its class and its parameters."""
        kind, parts = type(step), {}
        arguments: dict[str, Any] = {CLASS: kind.__qualname__}
        arguments |= own_parameters(step, (CLASS,)) or {"estimator": step}
        if origin_of_name(kind.__module__) == "own":
            parts[f"class {kind.__qualname__}"] = _digest(kind, self._signing)
        else:
            top = kind.__module__.partition(".")[0]
            parts[f"package {top}"] = Versions().of(top)
        return self.node(name, name, stage, arguments, parts, (parent,))

    def node(
        self,
        name: str,
        operator: str,
        stage: Stage,
        arguments: Mapping[str, Any],
        parts: Mapping[str, str],
        parents: tuple[str, ...],
    ) -> NodeRecord:
        """Return the record of a node.

        Args:
            name, operator, stage: as in a workflow.
            arguments: parameter -> value.
            parts: what else it is made of, label -> digest.
            parents: the nodes whose results it takes.
        """
        own = {f"argument {key}": _digest(value, self._signing) for key, value in arguments.items()}
        taken = {f"parent {parent}": self._signatures[parent] for parent in parents}
        together = {**parts, **own, **taken}
        lines = [f"{label}={value}".encode() for label, value in together.items()]
        self._signatures[name] = signature = combine("step", name.encode(), *lines).hex()
        return NodeRecord(
            name=name,
            operator=operator,
            stage=stage,
            state=self._state,
            signature=signature,
            parents=[[parent, "result"] for parent in parents],
            arguments={key: _told(value) for key, value in arguments.items()},
            parts=together,
        )


def _steps(estimator: Any, name: str = "", *, final: bool = True) -> Iterator[tuple[str, Any, bool]]:
    """Yield (name, step, whether it is the predictor) in order, as a pipeline's workflow names them."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    inner: list[tuple[str, Any]] = []
    if type(estimator) is Pipeline:
        inner = list(estimator.steps)
    elif type(estimator) is FeatureUnion:
        inner = list(estimator.transformer_list)
    elif type(estimator) is ColumnTransformer:
        inner = [(each, step) for each, step, _ in estimator.transformers]
    for position, (each, step) in enumerate(inner):
        last = final and type(estimator) is Pipeline and position == len(inner) - 1
        if step is not None and not isinstance(step, str):
            yield from _steps(step, f"{name}.{each}" if name else each, final=last)
    if not inner:
        yield name or type(estimator).__name__.lower(), estimator, final


def _digest(value: Any, signing: Signing) -> str:
    """Return a value's digest; of one that has none, that of what it looks like."""
    try:
        return (content(value) if hasattr(value, "shape") else signing.value(value).digest).hex()
    except MileError:
        return combine("text", _text(value).encode()).hex()


def _told(value: Any) -> Any:
    """Return a value as a JSON scalar or a short text."""
    return value if value is None or isinstance(value, bool | int | float) else _text(value)


def _text(value: Any) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else repr(value)[:_LONGEST_TEXT]
