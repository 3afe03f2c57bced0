"""Handles: what stands for an operator's output while a workflow is being captured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mile_rl.errors import WorkflowError

if TYPE_CHECKING:
    from mile_rl.workflows.capture import Draft


class Handle:
    """Stands for one output of a node. It has no value yet, so all it can do is to be passed on.

    Args:
        draft: the node that will yield the output.
        output: the output's name.
    """

    __slots__ = ("draft", "output")

    def __init__(self, draft: Draft, output: str) -> None:
        object.__setattr__(self, "draft", draft)
        object.__setattr__(self, "output", output)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        _refuse(self, f"given the attribute {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        _refuse(self, f"robbed of the attribute {name!r}")

    def __repr__(self) -> str:
        return f"<handle of {self.draft.operator.name}: {self.output}>"

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return other is self or _refuse(self, "compared")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        _refuse(self, f"asked for its attribute {name!r}")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise WorkflowError(
            f"{self!r} is hidden inside another object, where it cannot be seen: pass it to an operator by "
            "itself, or in a list, tuple or dict."
        )


class Handles(tuple[Handle, ...]):
    """The handles of an operator with several outputs; by position, as its tuple would be, or by name."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            for handle in self:
                if handle.output == key:
                    return handle
            names = ", ".join(handle.output for handle in self)
            raise WorkflowError(f"there is no output {key!r}; the outputs are {names}.")
        return super().__getitem__(key)


def _refuse(handle: Handle, used: str) -> NoReturn:
    raise WorkflowError(
        f"{handle!r} was {used}, but inside a workflow nothing is computed yet. Do this inside an operator "
        "(a function marked @op) that takes the handle as an argument; decide in the workflow only on its "
        "own parameters."
    )


def _refusing(used: str) -> Any:
    def method(self: Handle, *_: object, **__: object) -> NoReturn:
        _refuse(self, used)

    return method


_CALCULATIONS = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul",
    "lshift", "rshift", "and", "or", "xor",
)  # fmt: skip

_USES = {
    "used as a condition": ("bool",),
    "iterated over (to unpack several outputs, name them: @op(outputs=(...)))": ("iter", "next", "reversed"),
    "asked for its length": ("len",),
    "indexed": ("getitem", "setitem", "delitem", "contains"),
    "called": ("call",),
    "compared": ("ne", "lt", "le", "gt", "ge"),
    "used as a number": (
        "int",
        "float",
        "complex",
        "index",
        "round",
        "trunc",
        "floor",
        "ceil",
        "neg",
        "pos",
        "abs",
        "invert",
    ),
    # repr() alone works, for messages and debuggers: a text made of a handle says nothing about the value.
    "put into a text": ("str", "format", "bytes"),
    "used as a path": ("fspath",),
    "calculated with": tuple(
        prefix + name
        for name in _CALCULATIONS
        for prefix in ("", "r", "i")
        if (prefix, name) != ("i", "divmod")
    ),
    "used in a with statement": ("enter", "exit"),
    "awaited": ("await", "aiter"),
}
for _used, _names in _USES.items():
    for _name in _names:
        setattr(Handle, f"__{_name}__", _refusing(_used))
