"""What recommendations know of a file's text: its pieces, the learners that it makes, the steps of its pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mile_rl.recommend.base import Replacement
from mile_rl.recommend.families import set_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a text.

    Args:
        start: the position of its first character.
        text: the piece.
    """

    start: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """A place in the code that makes a learner.

    Args:
        function: the operator's function in (or below) which it stands.
        class_name: the class that is called.
        called: how the code calls it ("LogisticRegression", "svm.SVC").
        given: parameter -> constant that the code gives.
        bound: parameter -> the operator's parameter that it is bound to.
        written: parameter -> the text of each argument.
        beside: the other classes of scikit-learn that the function makes.
        span: the whole call.
        whole: whether it stands for a step of a pipeline, whose node takes its parameters as arguments.
    """

    function: str
    class_name: str
    called: str
    given: Mapping[str, Any] = field(default_factory=dict)
    bound: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    span: Span
    whole: bool = False

    def parameters(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return its parameters in a node whose operator is called with these arguments."""
        if self.whole:
            return set_parameters(self.class_name, arguments)
        found = {name: arguments[own] for name, own in self.bound.items() if own in arguments}
        return {**self.given, **found}

    def rewritten(self, changed: Mapping[str, str]) -> Replacement:
        """Return what gives the call other arguments: parameter -> text."""
        listed = ", ".join(f"{name}={text}" for name, text in {**self.written, **changed}.items())
        return Replacement(start=self.span.start, old=self.span.text, new=f"{self.called}({listed})")

    def to_json(self) -> dict[str, Any]:
        """Return what of it has to be known later, as a JSON object."""
        return {
            "function": self.function,
            "class": self.class_name,
            "given": {name: value for name, value in self.given.items() if _is_json(value)},
            "bound": dict(self.bound),
            "beside": list(self.beside),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The steps of a pipeline as they are written.

    Args:
        spans: of each: a call, or a tuple of a name and a call.
        classes: what each makes.
        names: theirs, empty where ``make_pipeline`` names them.
    """

    spans: tuple[Span, ...]
    classes: tuple[str, ...]
    names: tuple[str, ...] = ()


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
