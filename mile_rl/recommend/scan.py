"""Finds in the text of a workflow's file which learners its operators make, and where values are written."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from mile_rl.recommend.families import ALIKE
from mile_rl.recommend.regressors import REGRESSORS
from mile_rl.recommend.written import Learner, Span, Steps


class Scan:
    """The text of a file, read as far as recommendations need it.

    Args:
        text: the file's text.

    Raises:
        SyntaxError: the text is no Python.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._lines = [line.encode() for line in text.splitlines(keepends=True)]
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    @cached_property
    def functions(self) -> Mapping[str, ast.FunctionDef]:
        """The functions of the module, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def constants(self) -> Mapping[str, ast.Constant]:
        """The module's names that one constant is assigned to, once."""
        found: dict[str, list[ast.expr]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(node.value)
            elif isinstance(node, ast.AugAssign | ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.setdefault(node.target.id, []).extend([ast.Constant(None)] * 2)
        return {
            name: values[0]
            for name, values in found.items()
            if len(values) == 1 and isinstance(values[0], ast.Constant)
        }

    @cached_property
    def imported(self) -> Mapping[str, str]:
        """Local name -> dotted name of what the module imports."""
        names: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    names[alias.asname or first] = alias.name if alias.asname else first
        return names

    def learners(self, function: str) -> list[Learner]:
        """Return the place in a function, or in the helpers that it calls, that makes its learner.

        Where there are several, or one inside another of scikit-learn's classes (a search, a vote), there is no
        telling what a score is the score of: then none is returned.
        """
        found = []
        for name in self._reached(function):
            node = self.functions[name]
            own = {argument.arg for argument in _arguments(node)} if name == function else set()
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and (learner := self._learner(function, call, own)) is not None:
                    found.append(learner)
                    if self._is_inside(call, node):
                        return []
        return found if len(found) == 1 else []

    def made_once(self, makes: type) -> Learner | None:
        """Return the one place in the file that makes an object of a class, None where that is not plain to see.

        Args:
            makes: the class; its parameters may be given by position.
        """
        calls = [
            call
            for call in ast.walk(self.tree)
            if isinstance(call, ast.Call) and self.full_name(call).rpartition(".")[2] == makes.__name__
        ]
        if len(calls) != 1 or not self.full_name(calls[0]).startswith(makes.__module__.partition(".")[0]):
            return None
        call = calls[0]
        if any(isinstance(one, ast.Starred) for one in call.args) or any(
            keyword.arg is None for keyword in call.keywords
        ):
            return None
        passed = dict(zip(inspect.signature(makes).parameters, call.args))
        passed |= {str(keyword.arg): keyword.value for keyword in call.keywords}
        return Learner(
            function="",
            class_name=makes.__name__,
            called=ast.unparse(call.func),
            given={
                name: value for name, one in passed.items() if (value := self._constant(one)) is not _NONE
            },
            written={name: self.span(one).text for name, one in passed.items()},
            beside=tuple(name for name in self.everything_made if name != makes.__name__),
            span=self.span(call),
            whole=True,
        )

    @cached_property
    def everything_made(self) -> tuple[str, ...]:
        """The classes of scikit-learn that anything in the file makes, by their own names."""
        names = [
            full.rpartition(".")[2]
            for call in ast.walk(self.tree)
            if isinstance(call, ast.Call) and (full := self.full_name(call)).startswith("sklearn.")
        ]
        return tuple(dict.fromkeys(name for name in names if name[:1].isupper()))

    def _constant(self, value: ast.expr) -> Any:
        if isinstance(value, ast.Name) and value.id in self.constants:
            return self.constants[value.id].value
        try:
            return ast.literal_eval(value)
        except ValueError:
            return _NONE

    def _is_inside(self, call: ast.Call, node: ast.FunctionDef) -> bool:
        return any(
            isinstance(around, ast.Call)
            and around is not call
            and any(inner is call for argument in _given(around) for inner in ast.walk(argument))
            and (name := self.full_name(around)).startswith("sklearn.")
            and name.rpartition(".")[2] not in ("make_pipeline", "Pipeline")
            for around in ast.walk(node)
        )

    def made(self, function: str) -> list[str]:
        """Return the classes of scikit-learn that a function and its helpers make, by their own names."""
        found = []
        for name in self._reached(function):
            for call in ast.walk(self.functions[name]):
                if isinstance(call, ast.Call) and (full := self.full_name(call)).startswith("sklearn."):
                    last = full.rpartition(".")[2]
                    if last[:1].isupper():
                        found.append(last)
        return list(dict.fromkeys(found))

    def full_name(self, call: ast.Call) -> str:
        """Return the dotted name of what is called, as far as imports tell it; "" where they do not."""
        first, _, rest = ast.unparse(call.func).partition(".")
        return self.imported.get(first, "") + (f".{rest}" if rest else "")

    def pipeline_around(self, learner: Learner) -> Steps | None:
        """Return the steps of the pipeline whose last one a learner is, None where it is in none."""
        for call in ast.walk(self.tree):
            if isinstance(call, ast.Call):
                written, names = self._steps(call)
                made = [one.elts[1] if names and isinstance(one, ast.Tuple) else one for one in written]
                if made and self.span(made[-1]).start == learner.span.start:
                    return Steps(
                        spans=tuple(map(self.span, written)),
                        classes=tuple(
                            self.span(one).text.partition("(")[0].rpartition(".")[2] for one in made
                        ),
                        names=names,
                    )
        return None

    def _steps(self, call: ast.Call) -> tuple[list[ast.expr], tuple[str, ...]]:
        """Return the steps that a call of ``make_pipeline`` or ``Pipeline`` writes down, and their names if any."""
        called = self.full_name(call)
        if called == "sklearn.pipeline.make_pipeline":
            return ([] if any(isinstance(one, ast.Starred) for one in call.args) else call.args), ()
        if called != "sklearn.pipeline.Pipeline" or not call.args or not isinstance(call.args[0], ast.List):
            return [], ()
        pairs = [one for one in call.args[0].elts if isinstance(one, ast.Tuple) and len(one.elts) == 2]
        names = [one.elts[0].value for one in pairs if isinstance(one.elts[0], ast.Constant)]
        whole = len(names) == len(call.args[0].elts)
        return (list(call.args[0].elts), tuple(map(str, names))) if whole else ([], ())

    def asked_anywhere(self) -> frozenset[str]:
        """Return every attribute that anything in the file asks of anything."""
        return frozenset(node.attr for node in ast.walk(self.tree) if isinstance(node, ast.Attribute))

    def asked_of(self, functions: Iterator[str] | list[str]) -> frozenset[str]:
        """Return every attribute that these functions and their helpers ask of anything."""
        return frozenset(
            node.attr
            for function in functions
            for name in self._reached(function)
            for node in ast.walk(self.functions[name])
            if isinstance(node, ast.Attribute)
        )

    def calls(self, function: str, callee: str) -> list[ast.Call]:
        """Return the calls of one function in another."""
        node = self.functions.get(function)
        return [
            call
            for call in (ast.walk(node) if node is not None else ())
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == callee
        ]

    def span(self, node: ast.expr) -> Span:
        """Return where an expression stands."""
        start = self._at(node.lineno, node.col_offset)
        end = self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)
        return Span(start=start, text=self.text[start:end])

    def import_place(self) -> int:
        """Return the position at which an import can be put: behind the last one, else behind the docstring."""
        last = 0
        for node in self.tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                last = node.end_lineno or 0
        if not last and self.tree.body:
            first = self.tree.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            last = (first.end_lineno or 0) if documented else 0
        return self._starts[min(last, len(self._starts) - 1)]

    def _at(self, line: int, column: int) -> int:
        # Columns of the syntax tree count bytes of UTF-8, positions of a text characters.
        return self._starts[line - 1] + len(self._lines[line - 1][:column].decode())

    def _reached(self, function: str) -> list[str]:
        reached, stack = [], [function]
        while stack:
            name = stack.pop()
            if name in reached or name not in self.functions:
                continue
            reached.append(name)
            stack += _global_names(self.functions[name])
        return reached

    def _learner(self, function: str, call: ast.Call, own: set[str]) -> Learner | None:
        called = ast.unparse(call.func)
        class_name = self.full_name(call).rpartition(".")[2]
        if (
            class_name not in ALIKE.keys() | REGRESSORS.keys()
            or call.args
            or any(keyword.arg is None for keyword in call.keywords)
        ):
            return None
        given: dict[str, Any] = {}
        bound: dict[str, str] = {}
        written: dict[str, str] = {}
        for keyword in call.keywords:
            name, value = str(keyword.arg), keyword.value
            written[name] = self.span(value).text
            if isinstance(value, ast.Name) and value.id in own:
                bound[name] = value.id
            elif (constant := self._constant(value)) is not _NONE:
                given[name] = constant
        return Learner(
            function=function,
            class_name=class_name,
            called=called,
            given=given,
            bound=bound,
            written=written,
            beside=tuple(name for name in self.made(function) if name != class_name),
            span=self.span(call),
        )


_NONE = object()
"""What stands for an expression that is no constant; None is one."""


def _arguments(node: ast.FunctionDef) -> list[ast.arg]:
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def _global_names(function: ast.FunctionDef) -> list[str]:
    """Return the names that a function reads from its module: a variable of its own may be called like them."""
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {argument.arg for argument in _arguments(function)}
    return [node.id for node in names if node.id not in own]


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords)]
