"""The code of one live function: its digest, and the names that it uses."""

from __future__ import annotations

import ast
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from mile_rl.workflows.bytecode import Import, Scan, Use, scan
from mile_rl.workflows.same_code import code_digest
from mile_rl.workflows.source import Sources, tree_digest


class Code(NamedTuple):
    """What is known of a code object; it cannot change, so it is known for good.

    Args:
        digest: of its normalised syntax tree, or of its bytecode where no source is true to it.
        from_source: which of the two.
        uses: the names that it uses.
        imports: local name -> imports inside it.
        decorators: the names that its decorators use.
        stores: whether it assigns to globals or attributes.
        reflects: whether it looks at namespaces or subclasses as a whole.
        paths: its texts that look like names of files.
    """

    digest: bytes
    from_source: bool
    uses: tuple[Use, ...]
    imports: tuple[tuple[str, Import], ...]
    decorators: tuple[Use, ...]
    stores: bool
    reflects: bool
    paths: tuple[str, ...]


# The code object is held, so that no other one can get its id.
_KNOWN: dict[int, tuple[CodeType, Code]] = {}
_ANNOTATIONS: dict[str, tuple[Use, ...]] = {}


def code_of(function: FunctionType, sources: Sources) -> Code:
    """Return what is known of a live function's code; looked up once a process.

    Args:
        function: a plain function.
        sources: where source texts are read.
    """
    code = function.__code__
    known = _KNOWN.get(id(code))
    if known is None:
        known = _KNOWN[id(code)] = (code, _code_of(function, sources))
    return known[1]


def _code_of(function: FunctionType, sources: Sources) -> Code:
    code = function.__code__
    found: Scan = scan(code)
    space = function.__globals__

    def ours(decorator: ast.expr) -> bool:
        return _belongs_to_mile(decorator, space)

    nodes = sources.nodes_of(code, space)
    if nodes:
        digest = tree_digest(nodes, ours)
        decorators = {
            use
            for node in nodes
            for decorator in getattr(node, "decorator_list", ())
            if not ours(decorator)
            for use in _uses_in(decorator)
        }
    else:
        digest, decorators = code_digest(code, function.__doc__), set()
    return Code(
        digest=digest,
        from_source=bool(nodes),
        uses=found.uses,
        imports=found.imports,
        decorators=tuple(sorted(decorators, key=lambda use: use[:2])),
        stores=found.stores,
        reflects=found.reflects,
        paths=found.paths,
    )


def annotation_uses(text: str) -> tuple[Use, ...]:
    """Return the names in an annotation that stands as text."""
    known = _ANNOTATIONS.get(text)
    if known is None:
        try:
            known = scan(compile(text, "<annotation>", "eval", dont_inherit=True)).uses
        except (SyntaxError, ValueError):
            known = ()
        _ANNOTATIONS[text] = known
    return known


def _uses_in(expression: ast.expr) -> set[Use]:
    uses = set()
    inner: set[int] = set()
    for node in ast.walk(expression):
        # Outer attributes come before the names that they are taken from.
        if id(node) not in inner and isinstance(node, ast.Name | ast.Attribute):
            names = _chain(node, inner)
            if names:
                uses.add(Use(names[0], tuple(names[1:])))
    return uses


def _chain(node: ast.expr, inner: set[int]) -> list[str]:
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
        inner.add(id(node))
    return [node.id, *attributes] if isinstance(node, ast.Name) else []


def _belongs_to_mile(decorator: ast.expr, space: dict[str, Any]) -> bool:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    names = _chain(node, set())
    value = space.get(names[0]) if names else None
    for name in names[1:]:
        value = getattr(value, name, None)
    module = getattr(value, "__module__", None)
    return isinstance(module, str) and (module == "mile_rl" or module.startswith("mile_rl."))
