"""Operators: functions that a workflow wires together."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from mile_rl.errors import WorkflowError
from mile_rl.workflows import capture
from mile_rl.workflows.dag import RESULT
from mile_rl.workflows.edits import STAGES, Stage
from mile_rl.workflows.file import File

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])


class Operator(Generic[P, R]):
    """A function marked ``@op``. Inside a workflow a call adds a node; anywhere else it calls the function.

    Args:
        function: what is computed: a function, a static or class method, or a ``functools.partial``.
        stage: what it is for.
        outputs: the names of what it yields.
        name: its name for people; the function's own by default.
        volatile: whether it must be computed anew in every iteration.
        version: what stands for its code, packages and Python version in signatures, if given.
        target: what its nodes are told by among those of operators of the same name; by default the variable
            that a call is assigned to.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        stage: Stage = "preprocess",
        outputs: tuple[str, ...] = (RESULT,),
        name: str = "",
        volatile: bool = False,
        version: str | None = None,
        target: str = "",
    ) -> None:
        self.function = function
        self.name = name or _name_of(function)
        self.stage = stage
        self.outputs = outputs
        self.volatile = volatile
        self.version = version
        self.target = target
        functools.update_wrapper(self, _innermost(function))

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature; text annotations stay text."""
        try:
            return inspect.signature(self.function)
        except (TypeError, ValueError) as error:
            raise WorkflowError(
                f"operator {self.name} has no signature that Python can tell; wrap it in a function of your own."
            ) from error

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Add a node inside a workflow; call the function anywhere else."""
        capturing = capture.current()
        if capturing is None:
            return self.function(*_paths(args), **dict(zip(kwargs, _paths(kwargs.values()))))
        return cast(R, capturing.add(self, args, kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if not isinstance(instance, type):  # a class stands here for a class method; its code is signed
            _refuse_state(instance, f"{type(instance).__qualname__}.{self.name}")
        bound = types.MethodType(self.function, instance)
        return Operator(
            bound,
            stage=self.stage,
            outputs=self.outputs,
            name=self.name,
            volatile=self.volatile,
            version=self.version,
            target=self.target,
        )

    def __repr__(self) -> str:
        return f"<operator {self.name}>"

    def __reduce__(self) -> str:
        # Pickled by name, as functions are: an operator may stand in a person's global or be returned.
        return cast(str, self.__qualname__)  # type: ignore[attr-defined]


@overload
def op(function: F, /) -> F: ...


@overload
def op(
    function: None = None,
    /,
    *,
    stage: Stage = ...,
    outputs: Sequence[str] | None = ...,
    name: str = ...,
    volatile: bool = ...,
    version: str | int | None = ...,
) -> Callable[[F], F]: ...


@overload
def op(
    function: F,
    /,
    *,
    stage: Stage = ...,
    outputs: Sequence[str] | None = ...,
    name: str = ...,
    volatile: bool = ...,
    version: str | int | None = ...,
) -> F: ...


def op(
    function: Callable[..., Any] | None = None,
    /,
    *,
    stage: Stage = "preprocess",
    outputs: Sequence[str] | None = None,
    name: str = "",
    volatile: bool = False,
    version: str | int | None = None,
) -> Any:
    """Mark a function as an operator of workflows. It must be pure: same inputs, same result.

    Outside a workflow it stays a plain function, so it is tested like any other.

    Args:
        function: the function; a ``functools.partial`` or a method of a class without state will do as well.
        stage: what it is for: "preprocess", "learn" or "evaluate".
        outputs: the names of its outputs, where it returns a tuple (or a dict with these keys) of several
            values that are to be kept and taken one by one.
        name: its name for people; the function's own by default.
        volatile: always compute it, and whatever depends on it (it reads a clock, a sensor, a database).
        version: a word of yours that stands for its code: as long as it stays, changes of the code (and of
            helpers and packages) do not count; arguments and inputs still do.

    Raises:
        WorkflowError: what is marked cannot be an operator.

    Example:
        >>> @op(stage="learn")
        ... def fit(rows, C=1.0):
        ...     return sum(rows) * C
        >>> fit([1, 2], C=2.0)
        6.0
    """
    if stage not in STAGES:
        raise WorkflowError(f"stage {stage!r} is none of {', '.join(STAGES)}.")
    names = _checked_outputs(outputs)

    def mark(function: Callable[..., Any]) -> Operator[..., Any]:
        return Operator(
            _checked_function(function),
            stage=stage,
            outputs=names,
            name=name,
            volatile=volatile,
            version=None if version is None else str(version),
        )

    return mark if function is None else mark(function)


def _checked_outputs(outputs: Sequence[str] | None) -> tuple[str, ...]:
    if outputs is None:
        return (RESULT,)
    if isinstance(outputs, str):
        raise WorkflowError(
            f"outputs={outputs!r} is one text; give a tuple of names: outputs=({outputs!r},)."
        )
    names = tuple(outputs)
    bad = [name for name in names if not (isinstance(name, str) and name.isidentifier())]
    if bad or not names or len(set(names)) != len(names):
        raise WorkflowError(f"outputs={names!r}: give different names, each a Python identifier.")
    return names


def _checked_function(function: Any) -> Callable[..., Any]:
    if isinstance(function, Operator):
        raise WorkflowError(f"{function.name} is an operator already.")
    if isinstance(function, staticmethod | classmethod):
        raise WorkflowError("write @staticmethod (or @classmethod) above @op, not below it.")
    if isinstance(function, type):
        raise WorkflowError(
            f"{function.__qualname__} is a class, and operators have no state: mark a function that makes and "
            "uses the object."
        )
    if isinstance(function, functools.partial):
        _checked_function(function.func)
    elif inspect.ismethod(function):
        if not isinstance(function.__self__, type):
            _refuse_state(function.__self__, function.__qualname__)
    elif not callable(function):
        raise WorkflowError(f"{function!r} is not a function.")
    elif not (
        inspect.isroutine(function) or hasattr(function, "__wrapped__") or hasattr(function, "py_func")
    ):
        _refuse_state(function, type(function).__qualname__)
    code = getattr(_innermost(function), "__code__", None)
    if code is not None and code.co_flags & (
        inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
    ):
        raise WorkflowError(
            f"{_name_of(function)} is a generator or a coroutine, whose result can be read only once: return a "
            "list instead of yielding."
        )
    return cast(Callable[..., Any], function)


def _refuse_state(instance: object, name: str) -> None:
    """Refuse an object whose attributes can change: nobody would see when its results are out of date."""
    params = getattr(type(instance), "__dataclass_params__", None)
    frozen = isinstance(instance, tuple) or (params is not None and params.frozen)
    slots = [slot for cls in type(instance).__mro__ for slot in getattr(cls, "__slots__", ())]
    if not frozen and (getattr(instance, "__dict__", None) or slots):
        raise WorkflowError(
            f"{name} belongs to an object with state, which can change unseen: make it a function that takes "
            f"what it needs as arguments, or make {type(instance).__qualname__} a frozen dataclass."
        )


def _paths(arguments: Iterable[Any]) -> Any:
    """Return arguments as a run would hand them over: a declared file as a path."""
    return (argument.path if type(argument) is File else argument for argument in arguments)


def _innermost(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _name_of(function: Any) -> str:
    inner = _innermost(function)
    name = getattr(inner, "__name__", type(inner).__name__)
    return "lambda_" if name == "<lambda>" else cast(str, name)
