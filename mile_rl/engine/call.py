"""Calling one operator: its arguments, its outputs, and what it did besides."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mile_rl.engine import seeds
from mile_rl.engine.opened import OPENED
from mile_rl.errors import WorkflowError
from mile_rl.workflows.capture import IMMUTABLE, copied
from mile_rl.workflows.dag import RESULT, Node, Output
from mile_rl.workflows.file import File


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What came of a call.

    Args:
        values: output name -> value; empty where the operator raised.
        elapsed_ns: how long the operator ran.
        opened: the files that it read without declaring them.
        files_changed: the declared files that changed while it ran.
        error: what it raised.
    """

    values: Mapping[str, Any]
    elapsed_ns: int
    opened: tuple[Path, ...] = ()
    files_changed: tuple[Path, ...] = ()
    error: BaseException | None = None


def call(
    node: Node,
    inputs: Mapping[Output, Any],
    *,
    seed: str | None,
    state_folder: Path,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Called:
    """Call a node's operator on its inputs. Runs on whatever thread; touches nothing that is shared.

    Args:
        node: the node.
        inputs: what to give for each output that it takes.
        seed: the digest to seed the global generators from, or None to leave them alone.
        state_folder: the project's own state, reading which does not count.
        clock_ns: a clock.
    """
    declared = [file.path for file in _files(node.arguments)]
    before = [_state(path) for path in declared]
    arguments = {name: _filled(value, inputs) for name, value in node.arguments.items()}
    bound = inspect.BoundArguments(node.operator.signature, arguments)
    args, kwargs = bound.args, bound.kwargs
    if seed is not None:
        seeds.seed(seed)
    OPENED.begin()
    start_ns = clock_ns()
    try:
        result = node.operator.function(*args, **kwargs)
        elapsed_ns = clock_ns() - start_ns
        values = _split(node, result)
    except BaseException as error:
        elapsed_ns = clock_ns() - start_ns
        OPENED.end()
        return Called(values={}, elapsed_ns=elapsed_ns, error=error)
    opened = OPENED.end(declared=declared, ignored=(state_folder,))
    changed = tuple(path for path, state in zip(declared, before) if _state(path) != state)
    return Called(values=values, elapsed_ns=elapsed_ns, opened=opened, files_changed=changed)


def _split(node: Node, result: Any) -> dict[str, Any]:
    names = node.outputs
    if names == (RESULT,):
        values = {RESULT: result}
    elif isinstance(result, dict):
        if set(result) != set(names):
            raise WorkflowError(
                f"operator {node.operator.name} returned a dict with the keys {', '.join(map(str, result))}; "
                f"its outputs are {', '.join(names)}."
            )
        values = {name: result[name] for name in names}
    elif isinstance(result, tuple | list) and len(result) == len(names):
        values = dict(zip(names, result))
    else:
        shape = f"{len(result)} values" if isinstance(result, tuple | list) else f"a {type(result).__name__}"
        raise WorkflowError(
            f"operator {node.operator.name} returned {shape}; its outputs are {', '.join(names)}: return a tuple "
            "with one value for each, or a dict with these keys."
        )
    for name, value in values.items():
        if isinstance(value, Iterator) and not hasattr(value, "read"):
            what = "its result" if name == RESULT else f"its output {name!r}"
            raise WorkflowError(
                f"operator {node.operator.name} returned {what} as a {type(value).__name__}, which can be read "
                "only once: return a list of it."
            )
    return values


def _filled(value: Any, inputs: Mapping[Output, Any]) -> Any:
    kind = type(value)
    if kind is Output:
        return inputs[value]
    if kind is File:
        return value.path
    if kind is list:
        return [_filled(item, inputs) for item in value]
    if kind is tuple:
        return tuple(_filled(item, inputs) for item in value)
    if kind is dict:
        return {key: _filled(item, inputs) for key, item in value.items()}
    if isinstance(value, IMMUTABLE):
        return value
    try:
        # A generator, an array or a model among the arguments: what this call does to it must not be seen
        # by another call of the node, which happens when a result has to be made again.
        return copied(value)
    except Exception:
        return value


def _files(value: Any) -> Iterator[File]:
    kind = type(value)
    if kind is File:
        yield value
    elif kind is list or kind is tuple:
        for item in value:
            yield from _files(item)
    elif kind is dict:
        for item in value.values():
            yield from _files(item)


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
