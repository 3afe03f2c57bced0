"""Where the value of a node's parameter is written: on the command line, in the workflow, in a default."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mile_rl.recommend.base import Replacement
from mile_rl.recommend.scan import Scan
from mile_rl.recommend.written import Learner, Span
from mile_rl.workflows.dag import Dag
from mile_rl.workflows.edits import Scalar
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.maker import Maker


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value is written.

    Args:
        argument: the workflow's parameter that it comes from, "" where it is written in the file.
        span: where in the file.
        call: where nothing is written yet, the call that it would have to be written in.
        keyword: the argument's name in that call.
        nodes: the nodes that take it.
    """

    argument: str = ""
    span: Span | None = None
    call: Learner | None = None
    keyword: str = ""
    nodes: tuple[str, ...]

    def put(self, value: Scalar) -> tuple[dict[str, Scalar], tuple[Replacement, ...]]:
        """Return (arguments, replacements) that make the value another."""
        if self.argument:
            return {self.argument: value}, ()
        if self.call is not None:
            return {}, (self.call.rewritten({self.keyword: repr(value)}),)
        assert self.span is not None
        return {}, (Replacement(start=self.span.start, old=self.span.text, new=repr(value)),)


def place_of(scan: Scan, flow: Flow[..., Any], dag: Dag, node: str, parameter: str) -> Place | None:
    """Return where a parameter of a node is written; None where that is not plain to see.

    Args:
        scan: of the workflow's file.
        flow: the workflow.
        dag: as captured.
        node: the node.
        parameter: of its operator.
    """
    operator = dag.nodes[node].operator
    if isinstance(operator, Maker):
        return _in_the_making(scan, dag, operator, parameter)
    function = getattr(operator.function, "__name__", "")
    if getattr(operator.function, "__module__", "") != flow.function.__module__:
        return None
    names = list(operator.signature.parameters)
    if parameter not in names:
        return None
    given = parameter in dag.nodes[node].arguments
    others = [name for name, one in dag.nodes.items() if one.operator.function is operator.function]
    if not given:
        definition = scan.functions.get(function)
        default = _default(definition, parameter) if definition is not None else None
        takers = tuple(name for name in others if parameter not in dag.nodes[name].arguments)
        return _written(scan, default, takers) if default is not None else None
    passed = [
        value
        for call in scan.calls(flow.function.__name__, function)
        if (value := _passed(call, names, parameter)) is not None
    ]
    takers = tuple(name for name in others if parameter in dag.nodes[name].arguments)
    if not passed or len({ast.dump(value) for value in passed}) > 1:
        return None
    if isinstance(passed[0], ast.Name) and passed[0].id in dag.parameters:
        if _assigned(scan.functions[flow.function.__name__], passed[0].id):
            return None
        argument = passed[0].id
        users = _users(scan, flow, dag, argument)
        return Place(argument=argument, nodes=users or takers)
    return _written(scan, passed[0], takers) if len(passed) == 1 else None


def _in_the_making(scan: Scan, dag: Dag, maker: Maker, parameter: str) -> Place | None:
    """Return where a parameter of a step of a pipeline is written, or can be."""
    call = scan.made_once(maker.makes)
    if call is None or (parameter in call.written and parameter not in call.given):
        return None
    return Place(call=call, keyword=parameter, nodes=makers_of(dag, maker))


def makers_of(dag: Dag, maker: Maker) -> tuple[str, ...]:
    """Return the nodes that make the same step of a pipeline, one a fold."""
    return tuple(
        name
        for name, node in dag.nodes.items()
        if isinstance(node.operator, Maker) and node.operator.name == maker.name
    )


def _written(scan: Scan, value: ast.expr, nodes: tuple[str, ...]) -> Place | None:
    if isinstance(value, ast.Name) and value.id in scan.constants:
        value = scan.constants[value.id]
    try:
        ast.literal_eval(value)
    except ValueError:
        return None
    return Place(span=scan.span(value), nodes=nodes)


def _users(scan: Scan, flow: Flow[..., Any], dag: Dag, argument: str) -> tuple[str, ...]:
    """Return the nodes that take a parameter of the workflow."""
    found: list[str] = []
    for name, node in dag.nodes.items():
        function = getattr(node.operator.function, "__name__", "")
        for call in scan.calls(flow.function.__name__, function):
            values: Iterable[ast.expr] = [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(isinstance(value, ast.Name) and value.id == argument for value in values):
                found.append(name)
                break
    return tuple(found)


def _passed(call: ast.Call, names: list[str], parameter: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == parameter:
            return keyword.value
    at = names.index(parameter)
    if at < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args[: at + 1]):
        return call.args[at]
    return None


def _default(definition: ast.FunctionDef, parameter: str) -> ast.expr | None:
    plain = [*definition.args.posonlyargs, *definition.args.args]
    defaults = definition.args.defaults
    for argument, default in zip(plain[len(plain) - len(defaults) :], defaults):
        if argument.arg == parameter:
            return default
    for argument, keyword in zip(definition.args.kwonlyargs, definition.args.kw_defaults):
        if argument.arg == parameter:
            return keyword
    return None


def _assigned(function: ast.FunctionDef, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
        for node in ast.walk(function)
    )
