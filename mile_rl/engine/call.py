"""Calling one operator: its arguments, its outputs, and what it did besides."""

from __future__ import annotations

import contextvars
import inspect
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mile_rl.engine import seeds
from mile_rl.engine.opened import OPENED
from mile_rl.engine.turns import inside
from mile_rl.errors import WorkflowError
from mile_rl.workflows import settings
from mile_rl.workflows.capture import IMMUTABLE, copied
from mile_rl.workflows.dag import RESULT, Node, Output
from mile_rl.workflows.file import File
from mile_rl.workflows.packages import origin_of_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What came of a call.

    Args:
        values: output name -> value; empty where the operator raised.
        elapsed_ns: how long the operator ran.
        opened: the files that it read without declaring them, or looked for in vain.
        files_changed: those of ``opened`` that were written to while it ran, so that nobody knows what it read.
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
    context: contextvars.Context,
    given: settings.Settings | None,
    named: Sequence[str] = (),
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Called:
    """Call a node's operator on its inputs. Runs on whatever thread; touches nothing that is shared.

    Args:
        node: the node.
        inputs: what to give for each output that it takes.
        seed: the digest to seed the global generators from, or None to leave them alone.
        state_folder: the project's own state, reading which does not count.
        context: the context variables that it starts from.
        given: the libraries' settings that it starts from; None where this thread has them.
        named: texts that may name files which it reads; compiled code opens files without telling anybody.
        clock_ns: a clock.
    """
    declared = tuple(node.files())
    arguments = {name: _filled(value, inputs) for name, value in node.arguments.items()}
    arguments.update(_own_defaults(node))
    bound = inspect.BoundArguments(node.operator.signature, arguments)
    args, kwargs = bound.args, bound.kwargs
    if seed is not None:
        seeds.seed(seed)
    context.run(_enter, given)
    before = _states(named)
    OPENED.begin()
    begun_ns = _file_clock_ns()
    start_ns = clock_ns()
    try:
        with inside():
            result = context.run(node.operator.function, *args, **kwargs)
        elapsed_ns = clock_ns() - start_ns
        values = _split(node, result)
    except BaseException as error:
        elapsed_ns = clock_ns() - start_ns
        OPENED.end()
        return Called(values={}, elapsed_ns=elapsed_ns, error=error)
    opened = OPENED.end(declared=declared, ignored=(state_folder,))
    changed = tuple(path for path in opened if _written_since(path, begun_ns))
    opened = tuple(dict.fromkeys((*opened, *_untouched(before, (*declared, state_folder)))))
    return Called(values=values, elapsed_ns=elapsed_ns, opened=opened, files_changed=changed)


def _enter(given: settings.Settings | None) -> None:
    """Set this thread and context up as the run's own are."""
    if decimal := sys.modules.get("decimal"):
        # The context is an object that can change, and would be shared with whoever else has this variable.
        decimal.setcontext(decimal.getcontext().copy())
    if given is not None:
        settings.put(given)


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


def _own_defaults(node: Node) -> Iterator[tuple[str, Any]]:
    """Yield the defaults that are used and that an operator is given in another form: files, and what can change.

    A list, an array or a generator as default would carry what one call does to it into the next.
    """
    for name, parameter in node.operator.signature.parameters.items():
        default = parameter.default
        if name in node.arguments or default is parameter.empty:
            continue
        if type(default) is File or not (isinstance(default, IMMUTABLE) or _is_known_by_itself(default)):
            yield name, _filled(default, {})


def _is_known_by_itself(value: Any) -> bool:
    """Tell whether a default may be a sentinel, which code compares with ``is``, so that no copy will do."""
    kind = type(value)
    if origin_of_name(kind.__module__) == "own":
        return True
    return (
        "__reduce__" not in vars(kind)
        and not hasattr(kind, "__len__")
        and not getattr(value, "__dict__", None)
    )


def _file_clock_ns() -> int:
    """Return the time by the clock that files are stamped with, which on Linux may be 10 ms behind."""
    coarse = getattr(time, "CLOCK_REALTIME_COARSE", None)
    return time.time_ns() if coarse is None else time.clock_gettime_ns(coarse)


def _states(named: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return what tells whether a file was written, for each of some texts that names one; by its full path.

    Links are not followed in the path: one may lead elsewhere next time.
    """
    states: dict[str, tuple[int, ...]] = {}
    for name in named:
        try:
            text = os.path.join(os.getcwd(), name)
            found = os.stat(text)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(found.st_mode):
            states[text] = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return states


def _untouched(before: Mapping[str, tuple[int, ...]], known: Sequence[Path]) -> Iterator[Path]:
    """Yield the named files that are as they were, but for those declared: what was written is a result."""
    after = _states(list(before))
    for text, state in before.items():
        real = Path(os.path.realpath(text))
        if after.get(text) == state and not any(real.is_relative_to(one) for one in map(Path.resolve, known)):
            yield Path(text)


def _written_since(path: Path, begun_ns: int) -> bool:
    try:
        return os.stat(path).st_ctime_ns >= begun_ns
    except FileNotFoundError:
        # One that was looked for in vain, and still is not there.
        return False
    except OSError:
        return True
