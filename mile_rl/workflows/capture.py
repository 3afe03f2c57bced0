"""Capture: what happens when a workflow function is called with handles instead of values."""

from __future__ import annotations

import copy
import dis
import enum
import functools
import itertools
import sys
import types
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from mile_rl.errors import WorkflowError
from mile_rl.workflows import names
from mile_rl.workflows.dag import RESULT, Dag, Node, Output
from mile_rl.workflows.file import File
from mile_rl.workflows.handle import Handle, Handles

if TYPE_CHECKING:
    from mile_rl.workflows.operator import Operator

_CURRENT: ContextVar[Capture | None] = ContextVar("mile_rl_capture", default=None)

IMMUTABLE = (
    type(None), bool, int, float, complex, str, bytes, range, slice, type, File, enum.Enum, PurePath,
    types.FunctionType, types.BuiltinFunctionType, types.ModuleType,
)  # fmt: skip

"""Values of these types are never copied: nobody can change them, or they count by what they refer to."""


class Draft:
    """A node that has no name yet.

    Args:
        operator: what it calls.
        arguments: parameter name -> argument, with handles as leaves.
        target: the variable(s) that the call is assigned to, "" where there is none.
    """

    __slots__ = ("arguments", "capture", "name", "operator", "parents", "target")

    def __init__(
        self, capture: Capture, operator: Operator[..., Any], arguments: dict[str, Any], target: str
    ) -> None:
        self.capture = capture
        self.operator = operator
        self.arguments = arguments
        self.target = target
        self.name = ""
        self.parents: tuple[Handle, ...] = ()


class Capture:
    """Collects the nodes of one workflow while its function runs."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []

    def add(self, operator: Operator[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add a node and return what stands for its result: a handle, or :class:`Handles` for several."""
        try:
            bound = operator.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise WorkflowError(f"call of operator {operator.name}: {error}.") from None
        caller = sys._getframe(2)
        target = operator.target or _assigned_to(caller.f_code, caller.f_lasti)
        draft = Draft(self, operator, bound, target)
        found: dict[tuple[int, str], Handle] = {}
        for name, argument in bound.items():
            try:
                bound[name] = self._private(argument, found, operator, name)
            except RecursionError:
                raise WorkflowError(
                    f"argument {name!r} of {operator.name} is nested too deeply, or contains itself: make it inside "
                    "an operator."
                ) from None
        draft.parents = tuple(found.values())
        self.drafts.append(draft)
        if operator.outputs == (RESULT,):
            return Handle(draft, RESULT)
        return Handles(Handle(draft, output) for output in operator.outputs)

    def _private(
        self, value: Any, found: dict[tuple[int, str], Handle], operator: Operator[..., Any], name: str
    ) -> Any:
        """Return a private copy of an argument, and note the handles in it.

        The copy keeps what the person does to a list or an array after the call out of the node, and what
        one operator does to it out of the next.
        """
        kind = type(value)
        if kind is Handle:
            if value.draft.capture is not self:
                raise WorkflowError(f"{value!r} belongs to another workflow (or another call of this one).")
            found.setdefault((id(value.draft), value.output), value)
            return value
        if isinstance(value, IMMUTABLE):
            return value
        if kind is list or kind is tuple or kind is Handles:
            items = [self._private(item, found, operator, name) for item in value]
            return items if kind is list else tuple(items)
        if kind is dict:
            if any(type(key) is Handle for key in value):
                raise WorkflowError(
                    f"argument {name!r} of {operator.name} has a handle as a key: use handles as values only."
                )
            return {key: self._private(item, found, operator, name) for key, item in value.items()}
        if kind in (set, frozenset) and any(type(item) is Handle for item in value):
            raise WorkflowError(f"argument {name!r} of {operator.name} is a set of handles: use a list.")
        try:
            return copied(value)
        except WorkflowError:
            raise
        except Exception:
            # What cannot be copied is digested next, and refused there by name unless that works.
            return value

    def finish(self, workflow: str, result: Any, parameters: Mapping[str, Any]) -> Dag:
        """Name the nodes and return the DAG."""
        _refuse_hidden(result, workflow)
        names.assign(self.drafts)
        nodes = {}
        for draft in self.drafts:
            nodes[draft.name] = Node(
                name=draft.name,
                operator=draft.operator,
                arguments={name: _addressed(value) for name, value in draft.arguments.items()},
                parents=tuple(Output(handle.draft.name, handle.output) for handle in draft.parents),
                target=draft.target,
            )
        dag = Dag(workflow=workflow, nodes=nodes, result=_addressed(result), parameters=dict(parameters))
        if not dag.requested:
            raise WorkflowError(
                f"workflow {workflow} returns nothing that an operator makes: return the handles that you "
                "want to see, alone or in a dict, list or tuple."
            )
        return dag


def current() -> Capture | None:
    """Return the capture under way in this context, or None outside a workflow."""
    return _CURRENT.get()


def run_captured(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Capture, Any]:
    """Call a workflow function so that operators add nodes.

    Returns:
        The capture and what the function returned, handles included.
    """
    capture = Capture()
    token = _CURRENT.set(capture)
    try:
        return capture, function(*args, **kwargs)
    finally:
        _CURRENT.reset(token)


def _refuse_hidden(value: Any, workflow: str) -> None:
    """Refuse handles in what a workflow returns where nobody would put values in their place."""
    kind = type(value)
    if kind is Handle or isinstance(value, IMMUTABLE):
        return
    if kind is list or kind is tuple or kind is Handles:
        for item in value:
            _refuse_hidden(item, workflow)
        return
    if kind is dict:
        if any(type(key) is Handle for key in value):
            raise WorkflowError(
                f"workflow {workflow} returns a dict with a handle as a key: use it as a value."
            )
        for item in value.values():
            _refuse_hidden(item, workflow)
        return
    if kind in (set, frozenset) and any(type(item) is Handle for item in value):
        raise WorkflowError(f"workflow {workflow} returns a set of handles: return a list.")
    try:
        copied(value)
    except WorkflowError:
        raise WorkflowError(
            f"workflow {workflow} returns a {kind.__name__} with a handle in it: return handles alone, or in "
            "a dict, list or tuple."
        ) from None
    except Exception:
        # What cannot be copied, for whatever reason of its own, hides what it holds beyond finding.
        return


def _addressed(value: Any) -> Any:
    kind = type(value)
    if kind is Handle:
        return Output(value.draft.name, value.output)
    if kind is list:
        return [_addressed(item) for item in value]
    if kind is tuple or kind is Handles:
        return tuple(_addressed(item) for item in value)
    if kind is dict:
        return {key: _addressed(item) for key, item in value.items()}
    return value


def copied(value: Any) -> Any:
    """Return a copy that shares nothing changeable with ``value``.

    Raises:
        Exception: whatever an object that cannot be copied raises.
    """
    if type(value) is object:
        # A sentinel: nothing about it can change, and it is known by being itself.
        return value
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        return _copied_frame(value)
    return copy.deepcopy(value)


def _copied_frame(frame: Any) -> Any:
    """Copy a frame or a series; pandas' own deep copy shares the lists and the like in cells."""
    copied_frame = frame.copy()
    memo: dict[int, Any] = {}
    for block in copied_frame._mgr.blocks:
        if block.dtype == object:
            cells = block.values
            for position, cell in zip(itertools.product(*map(range, cells.shape)), cells.flat):
                if not isinstance(cell, IMMUTABLE):
                    cells[position] = copy.deepcopy(cell, memo)
    return copied_frame


@functools.lru_cache(maxsize=65536)
def _assigned_to(code: types.CodeType, lasti: int) -> str:
    """Return the variable(s) that the call at an instruction is assigned to, "" where there is none."""
    instructions, position = _instructions(code)
    at = position.get(lasti)
    if at is None:
        return ""
    wanted = 1
    stored: list[str] = []
    for instruction in instructions[at + 1 :]:
        if instruction.opname == "UNPACK_SEQUENCE" and not stored:
            wanted = int(instruction.arg or 1)
        elif instruction.opname.startswith("STORE_") and isinstance(instruction.argval, str):
            stored.append(instruction.argval)
        elif instruction.opname != "COPY":
            return ""
        if len(stored) == wanted:
            return ",".join(stored)
    return ""


@functools.lru_cache(maxsize=64)
def _instructions(code: types.CodeType) -> tuple[list[dis.Instruction], dict[int, int]]:
    """Return a function's instructions, and the position of each by its offset."""
    found = list(dis.get_instructions(code))
    return found, {instruction.offset: position for position, instruction in enumerate(found)}
