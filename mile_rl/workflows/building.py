"""What each function, class and module of the person's is made of: its own digest, and what it refers to."""

from __future__ import annotations

import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mile_rl.errors import MileError
from mile_rl.workflows.bytecode import Use
from mile_rl.workflows.classes import attributes_of
from mile_rl.workflows.code import annotation_uses, code_of
from mile_rl.workflows.digest import combine
from mile_rl.workflows.item import Item
from mile_rl.workflows.kinds import is_code
from mile_rl.workflows.packages import canonical_name, own_modules
from mile_rl.workflows.paths import paths_in
from mile_rl.workflows.resolve import Everything, Found, Resolved, Text, Whole
from mile_rl.workflows.scalars import SCALARS

if TYPE_CHECKING:
    from mile_rl.workflows.reach import Reach

_NOTEBOOK = frozenset(("In", "Out", "get_ipython", "exit", "quit", "open"))


class Slots:
    """The names under which one item refers to others, and in words what each leads to.

    Args:
        reach: the walk that the item belongs to.
        item: the item.

    Attributes:
        chunks: the names and words, part of the pre-image of the item's digest.
    """

    __slots__ = ("_item", "_reach", "chunks")

    def __init__(self, reach: Reach, item: Item) -> None:
        self._reach = reach
        self._item = item
        self.chunks: list[bytes] = []

    def add(self, name: str, found: Resolved, label: str) -> None:
        """Note that the item refers to something under a name."""
        item, reach = self._item, self._reach
        if isinstance(found, Text):
            words: str = found.words
            if found.package:
                reach.use_package(item, found.package)
        elif isinstance(found, Everything):
            words = "every module"
            item.refs.extend(
                reach.add("loose", "module", module, canonical_name(module.__name__), build_loose)
                for module in own_modules()
            )
        else:
            index: int | None
            value = found.space if isinstance(found, Whole) else found.value
            if isinstance(value, dict) and isinstance(found, Whole):
                inside = canonical_name(str(value.get("__name__", "")))
                words, index = f"module {inside}", reach.space(value, inside)
            else:
                where = f"{label or item.label!r}, which {item.label} uses,"
                words, index = reach.target(value, item, label=label, where=where)
            if index is not None:
                item.refs.append(index)
                target = reach.items[index]
                if words == "value":
                    item.paths.update(paths_in(value))
                    mutable = type(value) not in SCALARS and not isinstance(value, Path)
                    item.constants[label] = (target.local.hex(), mutable)
        self.chunks += (name.encode("utf-8", "backslashreplace"), words.encode("utf-8", "backslashreplace"))

    def add_lenient(self, name: str, use: Use, function: types.FunctionType) -> None:
        """Note a use that can have no effect but the one seen elsewhere; a value there may be anything."""
        for found, label in self._reach.resolver.find(use, function, (), self._item):
            if isinstance(found, Found) and not is_code(found.value):
                self.add_value(name, found.value)
            elif not isinstance(found, Whole | Everything):
                self.add(name, found, label)

    def add_value(self, name: str, value: Any) -> None:
        """Note a value that may be anything: one that cannot be digested counts by its type."""
        item = self._item
        trial = Slots(self._reach, item)
        try:
            trial.add(name, Found(value), f"{item.label}: {name}")
        except MileError:
            trial.chunks = [name.encode(), f"some {type(value).__qualname__}".encode()]
        known = item.constants.pop(f"{item.label}: {name}", None)
        if known is not None:
            # It has no part of its own to show that it changed, so it counts in what holds it.
            trial.chunks.append(known[0].encode())
        self.chunks += trial.chunks


def build_helper(reach: Reach, item: Item, function: types.FunctionType) -> None:
    """Build a function of the person's that code calls; its defaults count."""
    slots = Slots(reach, item)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    given = dict(zip(names[len(names) - len(defaults) :], defaults)) | (function.__kwdefaults__ or {})
    for name, value in given.items():
        slots.add(f"default {name}", Found(value), f"{item.label}({name})")
    _build_function(reach, item, function, slots)


def build_root(reach: Reach, item: Item, function: types.FunctionType) -> None:
    """Build an operator's own function, whose defaults are arguments."""
    _build_function(reach, item, function, Slots(reach, item))


def _build_function(reach: Reach, item: Item, function: types.FunctionType, slots: Slots) -> None:
    code = code_of(function, reach.sources)
    item.stores = code.stores
    item.paths.update(code.paths)
    resolver = reach.resolver
    for use in code.uses:
        for found, label in resolver.find(use, function, code.imports, item):
            slots.add(f"name {'.'.join((use.name, *use.attributes))}", found, label)
    for name, imported in code.imports:
        for found, label in resolver.find_import(name, imported, function):
            slots.add(f"import {name}", found, label)
    if code.reflects:
        slots.add("reflection", Everything(), "")
    for use in code.decorators:
        slots.add_lenient("decorator", use, function)
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if isinstance(annotation, str):
            for use in annotation_uses(annotation):
                slots.add_lenient(f"annotation {name}", use, function)
        else:
            slots.add_value(f"annotation {name}", annotation)
    for name, value in vars(function).items():
        slots.add(f"attribute {name}", Found(value), f"{item.label}.{name}")
    record = b"source" if code.from_source else b"bytecode"
    item.local = combine("function", item.label.encode(), record, code.digest, *slots.chunks)


def build_installed(reach: Reach, item: Item, function: types.FunctionType) -> None:
    """Look through a wrapper that an installed decorator made, for the person's function in it."""
    slots = Slots(reach, item)
    values = {"wrapped": getattr(function, "__wrapped__", None)}
    if hasattr(function, "registry") and hasattr(function, "dispatch"):
        # functools.singledispatch: its caches say nothing.
        values["registry"] = dict(function.registry)
    else:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            values[name] = _content(cell)
    for name, value in values.items():
        slots.add_value(name, value)
    item.local = combine("installed", item.label.encode(), *slots.chunks)


def build_class(reach: Reach, item: Item, cls: type) -> None:
    """Build a class of the person's."""
    slots = Slots(reach, item)
    for name, value, strict in attributes_of(cls):
        if strict:
            slots.add(name, Found(value), f"{item.label}.{name}")
        else:
            slots.add_value(name, value)
    item.local = combine("class", item.label.encode(), *slots.chunks)


def build_module(reach: Reach, item: Item, module: types.ModuleType) -> None:
    """Build a module of the person's: compiled by the content of its file, any other by all that is in it."""
    file = vars(module).get("__file__")
    if isinstance(file, str) and not file.endswith((".py", ".pyc", ".ipynb")):
        try:
            content = reach.file_digest(Path(file))
        except MileError:
            content = b""
        item.local = combine("compiled", item.label.encode(), content)
        return
    build_space(reach, item, vars(module))


def build_loose(reach: Reach, item: Item, module: types.ModuleType) -> None:
    """Build one of all modules, most of which have nothing to do with the code: what cannot be digested
    in it is no error, but is said."""
    item.loose = True
    build_module(reach, item, module)


def build_space(reach: Reach, item: Item, space: dict[str, Any]) -> None:
    """Build a namespace: a module's, or one in which code was run by hand."""
    slots = Slots(reach, item)
    notebook = space.get("__name__") == "__main__" and "__file__" not in space
    for name in sorted(key for key in space if isinstance(key, str)):
        if name.startswith("__") and name.endswith("__") and name not in ("__getattr__", "__all__"):
            continue
        if notebook and (name.startswith("_") or name in _NOTEBOOK):
            continue
        try:
            slots.add(name, Found(space[name]), f"{item.label}.{name}")
        except MileError as error:
            if not item.loose:
                raise
            slots.chunks.append(f"{name}: {type(space[name]).__qualname__}".encode())
            item.warnings.append(
                f"code that evaluates text may use anything, but this does not count: {error}"
            )
    item.local = combine("module", item.label.encode(), *slots.chunks)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
