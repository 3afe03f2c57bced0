"""What can be an operator, what it keeps of its function, and what is refused."""

from __future__ import annotations

import enum
import functools
import inspect
import pickle
from dataclasses import dataclass

import pytest

from mile_rl.errors import WorkflowError
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.operator import op


@op(stage="learn", outputs=("a", "b"), name="known as", version=3, volatile=True)
def decorated(x: int, y: str = "z") -> tuple[int, str]:
    """Do it."""
    return x, y


def test_an_operator_looks_like_its_function():
    assert decorated.__name__ == "decorated"
    assert decorated.__doc__ == "Do it."
    assert decorated.__module__ == __name__
    assert str(inspect.signature(decorated)) == "(x: 'int', y: 'str' = 'z') -> 'tuple[int, str]'"
    assert (decorated.name, decorated.stage, decorated.outputs) == ("known as", "learn", ("a", "b"))
    assert (decorated.version, decorated.volatile) == ("3", True)
    assert decorated(1) == (1, "z")
    assert pickle.loads(pickle.dumps(decorated)) is decorated


class Tools:
    RATE = 2

    @staticmethod
    @op
    def static(x):
        return x + 1

    @classmethod
    @op
    def of_class(cls, x):
        return x * cls.RATE

    @op
    def method(self, x):
        return x - 1


@dataclass(frozen=True)
class Scaler:
    factor: int

    @op
    def scale(self, x):
        return x * self.factor


class Colour(enum.Enum):
    RED = 2

    @op
    def paint(self, x):
        return x * self.value


OPERATORS = {
    "static method": (lambda: Tools.static, 4, "static"),
    "static method of an instance": (lambda: Tools().static, 4, "static"),
    "class method": (lambda: Tools.of_class, 6, "of_class"),
    "method of an instance without state": (lambda: Tools().method, 2, "method"),
    "method of a frozen dataclass": (lambda: Scaler(5).scale, 15, "scale"),
    "bound method marked from outside": (lambda: op(Scaler(5).scale.function), 15, "scale"),
    "partial": (lambda: op(functools.partial(lambda k, x: k * x, 7)), 21, "lambda_"),
    "partial of a partial": (lambda: op(functools.partial(functools.partial(pow, 2), mod=5)), 3, "pow"),
    "lambda": (lambda: op(lambda x: x), 3, "lambda_"),
    "built-in": (lambda: op(abs), 3, "abs"),
    "cached function": (lambda: op(functools.cache(lambda x: x)), 3, "lambda_"),
}


@pytest.mark.parametrize("kind", OPERATORS)
def test_methods_partials_and_the_like_are_operators(kind):
    make, value, name = OPERATORS[kind]
    operator = make()
    assert operator(3) == value
    dag = Flow(lambda: operator(3)).capture()
    assert [*dag.nodes] == [name]
    from mile_rl.workflows.sign import Signer

    assert Signer().sign(dag)[name].digest == Signer().sign(Flow(lambda: make()(3)).capture())[name].digest


def test_frozen_objects_of_other_content_sign_otherwise():
    from mile_rl.workflows.sign import Signer

    digests = {
        Signer().sign(Flow(lambda k=k: Scaler(k).scale(3)).capture())["scale"].digest for k in (5, 6, 5)
    }
    assert len(digests) == 2


class Stateful:
    def __init__(self):
        self.k = 1

    @op
    def method(self, x):
        return x + self.k

    def __call__(self, x):
        return x


class Slotted:
    __slots__ = ("k",)

    @op
    def method(self, x):
        return x


REFUSED = {
    "a method of an object with state": (
        lambda: Stateful().method,
        "Stateful.method belongs to an object with state",
    ),
    "of an object with slots": (lambda: Slotted().method, "belongs to an object with state"),
    "a callable object with state": (lambda: op(Stateful()), "belongs to an object with state"),
    "a class": (lambda: op(Stateful), "is a class"),
    "an operator": (lambda: op(decorated), "is an operator already"),
    "a static method below": (lambda: op(staticmethod(len)), "write @staticmethod"),
    "a class method below": (lambda: op(classmethod(len)), "write @staticmethod (or @classmethod)"),
    "a number": (lambda: op(3), "is not a function"),
    "a partial of a class": (lambda: op(functools.partial(Stateful)), "is a class"),
    "a stage unknown": (lambda: op(stage="train"), "none of preprocess, learn, evaluate"),
    "outputs as one text": (lambda: op(outputs="ab"), "outputs=('ab',)"),
    "outputs twice": (lambda: op(outputs=("a", "a")), "different names"),
    "no outputs": (lambda: op(outputs=()), "different names"),
    "outputs that are no names": (lambda: op(outputs=("a b",)), "identifier"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_an_operator_is_refused_with_the_remedy(what):
    make, words = REFUSED[what]
    with pytest.raises(WorkflowError) as caught:
        make()
    assert words in str(caught.value)


def test_generators_and_coroutines_are_refused():
    def yields():
        yield 1

    async def waits():
        return 1

    async def both():
        yield 1

    for function in (yields, waits, both, functools.partial(yields)):
        with pytest.raises(WorkflowError, match="generator or a coroutine"):
            op(function)


def test_a_workflow_must_be_a_function():
    with pytest.raises(WorkflowError, match="marks functions"):
        Flow(Stateful)
