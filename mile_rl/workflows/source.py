"""The source of live functions, as a normalised syntax tree, and only where it is true to the running code.

In a notebook or a long-lived process a file may have been edited after its import: its text is then not what
runs. So the text is compiled, and a function's tree counts only if it compiles to the very code that the
function runs.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from mile_rl.workflows.digest import Hasher, combine
from mile_rl.workflows.same_code import same_code

_ANNOTATIONS = 0x1000000
"""The flag of ``from __future__ import annotations``, in code objects and for ``compile``."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

_IGNORED = frozenset(("ctx", "type_comment", "kind", "type_ignores"))
_FIELDS: dict[type, tuple[str, tuple[str, ...]]] = {}


class SourceFile:
    """One source text: its statements, compiled on demand.

    Args:
        filename: as code objects give it.
        text: the source.

    Raises:
        SyntaxError: the text is no Python.
    """

    def __init__(self, filename: str, text: bytes | str) -> None:
        self.filename = filename
        self._statements = ast.parse(text, filename).body
        self._compiled: dict[tuple[int, int], list[CodeType]] = {}
        self._by_name: dict[str, list[int]] = {}
        self._by_line: dict[int, int] | None = None
        for at, statement in enumerate(self._statements):
            self._by_name.setdefault(getattr(statement, "name", ""), []).append(at)

    def nodes_of(self, code: CodeType) -> list[ast.AST]:
        """Return the syntax trees that compile to a code object; none if the text is not true to it.

        There are several where a line has several functions of one name that run alike.
        """
        for at in self._candidates(code):
            lines = {
                compiled.co_firstlineno
                for compiled in self._codes(at, code.co_flags & _ANNOTATIONS)
                if compiled.co_name == code.co_name and same_code(compiled, code)
            }
            statement = self._statements[at]
            if lines and type(statement) is ast.FunctionDef and code.co_qualname == statement.name:
                return [statement]
            if lines:
                found = [node for node in _functions(statement) if _matches(node, code.co_name, lines)]
                if found:
                    return found
        return []

    def _candidates(self, code: CodeType) -> Iterator[int]:
        """Yield the statements in which a code object may stand, the likeliest first."""
        if self._by_line is None:
            self._by_line = {}
            for at, statement in enumerate(self._statements):
                for line in range(_first_line(statement), (statement.end_lineno or 0) + 1):
                    self._by_line[line] = at
        likely = self._by_line.get(code.co_firstlineno)
        if likely is not None:
            yield likely
        for at in self._by_name.get(code.co_qualname.partition(".")[0], ()):
            if at != likely:
                yield at
        for at in self._by_name.get("", ()):
            # A function that moved inside an if, try, with or assignment.
            if at != likely and any(True for _ in _functions(self._statements[at])):
                yield at

    def _codes(self, at: int, flags: int) -> list[CodeType]:
        known = self._compiled.get((at, flags))
        if known is None:
            # Statement by statement: what a function compiles to does not depend on the rest of its module.
            module = ast.Module([self._statements[at]], [])
            try:
                stack = [compile(module, self.filename, "exec", flags=flags, dont_inherit=True)]
            except (SyntaxError, ValueError):
                stack = []
            known = self._compiled[at, flags] = []
            while stack:
                code = stack.pop()
                known.append(code)
                stack.extend(const for const in code.co_consts if isinstance(const, CodeType))
        return known


class Sources:
    """The source texts of one walk over code, each read and parsed at most once."""

    def __init__(self) -> None:
        self._files: dict[str, SourceFile | None] = {}

    def nodes_of(self, code: CodeType, space: dict[str, Any]) -> list[ast.AST]:
        """Return the trees of a live code object, none where no source is true to it.

        Args:
            code: of a function.
            space: the function's globals.
        """
        name = code.co_filename
        if name not in self._files:
            text = _text_of(name, space)
            try:
                self._files[name] = None if text is None else SourceFile(name, text)
            except (SyntaxError, ValueError):
                self._files[name] = None
        file = self._files[name]
        return [] if file is None else file.nodes_of(code)


def _text_of(filename: str, space: dict[str, Any]) -> bytes | str | None:
    linecache = sys.modules.get("linecache")
    if linecache is not None:
        entry = linecache.cache.get(filename)
        if entry is not None and len(entry) == 4 and (entry[1] is None or not os.path.exists(filename)):
            # A notebook's cell, or another text that never was a file.
            return "".join(entry[2])
    own = space.get("__file__")
    places = [filename] if os.path.isabs(filename) else []
    if isinstance(own, str) and os.path.basename(own) == os.path.basename(filename):
        places.append(own)
    for place in places:
        try:
            with open(place, "rb") as file:
                return file.read()
        except OSError:
            continue
    return None


def _first_line(statement: ast.stmt) -> int:
    decorators = getattr(statement, "decorator_list", None)
    return min(statement.lineno, decorators[0].lineno) if decorators else statement.lineno


def _functions(statement: ast.AST) -> Iterator[ast.AST]:
    return (node for node in ast.walk(statement) if isinstance(node, _FUNCTIONS))


def _matches(node: Any, name: str, lines: set[int]) -> bool:
    return getattr(node, "name", "<lambda>") == name and (node.lineno in lines or _first_line(node) in lines)


def tree_digest(nodes: list[ast.AST], ours: Callable[[ast.expr], bool]) -> bytes:
    """Return the digest of the normalised trees of one function.

    Positions, comments and docstrings do not count. Nor do the function's own default values, which are
    digested as the live values that they are, and the decorators of MILE-RL.

    Args:
        nodes: the candidates; more than one are digested together.
        ours: whether a decorator belongs to MILE-RL.
    """
    digests = []
    for node in nodes:
        parts: list[str] = []
        _dump_function(node, parts, ours)
        digests.append(combine("tree", "\0".join(parts).encode("utf-8", "backslashreplace")))
    return digests[0] if len(digests) == 1 else Hasher("trees").add(*sorted(set(digests))).digest()


def _dump_function(node: Any, out: list[str], ours: Callable[[ast.expr], bool]) -> None:
    cls, fields = _fields_of(node.__class__)
    out.append(cls)
    for field in fields:
        value = getattr(node, field)
        if field == "decorator_list":
            value = [decorator for decorator in value if not ours(decorator)]
        elif field == "args":
            value = ast.arguments(
                posonlyargs=value.posonlyargs,
                args=value.args,
                vararg=value.vararg,
                kwonlyargs=value.kwonlyargs,
                kw_defaults=[],
                kwarg=value.kwarg,
                defaults=[],
            )
        elif field == "body" and isinstance(value, list):
            value = _without_docstring(value)
        _dump(value, out)


def _dump(value: Any, out: list[str]) -> None:
    kind = value.__class__
    known = _FIELDS.get(kind)
    if known is not None:
        name, fields = known
        out.append(name)
        for field in fields:
            inner: Any = getattr(value, field, None)
            cls = inner.__class__
            if cls is ast.Name:
                out.append("=" + inner.id)
            elif cls is str:
                out.append(inner if inner.isidentifier() else repr(inner))
            elif cls in _BARE:
                # An operator: all there is to say is which.
                out.append(_BARE[cls])
            else:
                _dump(_without_docstring(inner) if field == "body" and kind in _DOCUMENTED else inner, out)
    elif kind is list:
        out.append(f"[{len(value)}")
        for item in value:
            if item.__class__ is ast.Name:
                out.append("=" + item.id)
            else:
                _dump(item, out)
    elif kind is ast.Name:
        out.append("=" + value.id)
    elif value is None:
        out.append("~")
    elif kind is ast.Constant:
        out.append(f"{value.value.__class__.__name__} {value.value!r}")
    elif isinstance(value, ast.AST):
        name, fields = _fields_of(kind)
        if not fields:
            _BARE[kind] = name
        _dump(value, out)
    elif kind is str:
        out.append(value if value.isidentifier() else repr(value))
    else:
        out.append(f"{kind.__name__} {value!r}")


_BARE: dict[type, str] = {type(None): "~"}


def _fields_of(kind: type) -> tuple[str, tuple[str, ...]]:
    known = _FIELDS.get(kind)
    if known is None:
        fields = tuple(field for field in kind._fields if field not in _IGNORED)  # type: ignore[attr-defined]
        known = _FIELDS[kind] = (f"<{kind.__name__}", fields)
    return known


def _without_docstring(body: Any) -> Any:
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and type(first.value.value) is str
    ):
        return body[1:]
    return body
