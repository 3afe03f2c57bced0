"""Workflows: functions that wire operators together; calling one's ``capture`` gives a DAG."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar, cast

from mile_rl.errors import WorkflowError
from mile_rl.workflows import capture
from mile_rl.workflows.dag import Dag

P = ParamSpec("P")
R = TypeVar("R")


class Flow(Generic[P, R]):
    """A function marked ``@workflow``, as far as capturing goes; ``mile_rl.api.Workflow`` can also run.

    Args:
        function: the function that wires operators together. It must decide only on its own parameters.
        name: the workflow's name for people and in the catalog; the function's own by default.
    """

    def __init__(self, function: Callable[P, R], *, name: str = "") -> None:
        if not inspect.isfunction(function):
            raise WorkflowError(f"{function!r} is not a function; @workflow marks functions.")
        self.function = function
        self.name = name or function.__name__
        functools.update_wrapper(self, function)

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature, with text annotations resolved where that is possible."""
        try:
            return inspect.signature(self.function, eval_str=True)
        except Exception:  # an annotation that cannot be resolved here is no reason not to run
            return inspect.signature(self.function)

    def capture(self, *args: P.args, **kwargs: P.kwargs) -> Dag:
        """Call the function with operators that add nodes, and return the DAG; nothing is computed.

        Raises:
            WorkflowError: the arguments do not fit, a handle is used as a value, or nothing is returned that
                an operator makes.
        """
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise WorkflowError(f"workflow {self.name}: {error}. Its parameters: {self.signature}.") from None
        bound.apply_defaults()
        captured, result = capture.run_captured(self.function, args, kwargs)
        return captured.finish(self.name, result, bound.arguments)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function: inside another workflow its operators join in, elsewhere they just compute."""
        return cast(R, self.function(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"
