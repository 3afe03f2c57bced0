"""Operators that make an object of a class from arguments of their own, and use it: a step of a pipeline, say."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from mile_rl.workflows.edits import Stage
from mile_rl.workflows.operator import Operator
from mile_rl.workflows.scalars import SCALARS


class Maker(Operator[..., Any]):
    """An operator whose function takes a class and, by keyword, what an object of it is made from.

    Each of these is a parameter of its own, so that a change of one is told as that, and not as a change of an
    object.

    Args:
        function: takes ``estimator_class``, other arguments, and the class's parameters as ``**parameters``.
        makes: the class.
        parameters: the names of its parameters; none is that of another argument of the function.
        name, stage, outputs, target: as for an operator.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        makes: type,
        parameters: Iterable[str],
        name: str,
        stage: Stage,
        outputs: tuple[str, ...],
        target: str,
    ) -> None:
        super().__init__(function, stage=stage, outputs=outputs, name=name, target=target)
        self.makes = makes
        self.parameters = tuple(parameters)

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature, with the class's parameters in the place of ``**parameters``."""
        plain = inspect.signature(self.function)
        own = [one for one in plain.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        made = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in self.parameters]
        return plain.replace(parameters=[*own, *made])


def own_parameters(value: Any, taken: Iterable[str]) -> dict[str, Any] | None:
    """Return what an estimator was made from, None where that is not all that it is.

    Args:
        value: an estimator of scikit-learn's kind that is not fitted.
        taken: names that are taken by other arguments.
    """
    names = getattr(type(value), "_get_param_names", None)
    if names is None or set(names()) & set(taken):
        return None
    told = {name: vars(value)[name] for name in names() if name in vars(value)}
    try:
        again = vars(type(value)(**told))
    except Exception:
        return None
    # What is set besides (an output format, what a class keeps for itself) has to come from the parameters alone.
    besides = [name for name in vars(value) if name not in told]
    same = again.keys() == vars(value).keys() and all(
        type(again[name]) is type(vars(value)[name]) in SCALARS and again[name] == vars(value)[name]
        for name in besides
    )
    return told if same else None
