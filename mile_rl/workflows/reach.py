"""Everything of the person's own code that a function, class or module reaches, as a graph of live objects."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mile_rl.errors import MileError
from mile_rl.workflows import graph
from mile_rl.workflows.bytecode import Use
from mile_rl.workflows.classes import attributes_of
from mile_rl.workflows.code import annotation_uses, code_of
from mile_rl.workflows.digest import combine, digest_file
from mile_rl.workflows.encode import Encoder
from mile_rl.workflows.item import Item
from mile_rl.workflows.kinds import is_wrapper
from mile_rl.workflows.packages import (
    Versions,
    canonical_name,
    origin_of_module,
    origin_of_name,
)
from mile_rl.workflows.paths import paths_in
from mile_rl.workflows.resolve import Everything, Found, Resolved, Resolver, Text, Whole
from mile_rl.workflows.scalars import SCALARS
from mile_rl.workflows.source import Sources

Target = tuple[str, int | None]
"""What a name leads to, in words, and its item where it is the person's own code or a value."""

_MARKED = frozenset("function name stage outputs volatile version signature".split())
"""The attributes of an operator or a workflow that are ours."""

_NOTEBOOK = frozenset(("In", "Out", "get_ipython", "exit", "quit", "open"))


class Reach:
    """One walk over live code. Globals are looked at afresh by each walk, code once a process.

    Args:
        file_digest: digests a file's content.
        versions: where versions of packages are looked up.
    """

    def __init__(
        self,
        *,
        file_digest: Callable[[Path], bytes] = digest_file,
        versions: Versions | None = None,
    ) -> None:
        self.items: list[Item] = []
        self.versions = versions or Versions()
        self._finals: dict[int, bytes] = {}
        self._file_digest = file_digest
        self._known: dict[tuple[str, int], int] = {}
        # What is known by its id is held here, so that no other object can take the id.
        self._alive: list[object] = []
        self._pending: list[tuple[Callable[..., None], Item, Any]] = []
        self._checked: set[int] = set()
        self._sources = Sources()
        self._resolver = Resolver()

    def operator(self, function: Any, where: str) -> int:
        """Return the item of an operator's function; its defaults do not count, they are arguments.

        Args:
            function: a function, ``functools.partial``, method or wrapper.
            where: whose it is, in the person's words; for errors.
        """
        if isinstance(function, types.FunctionType) and self._is_own_function(function):
            index = self._add("root", "helper", function, _label(function), self._build_root)
        else:
            index = self._value(function, _label(function), where)
        self._drain()
        self._check(index)
        return index

    def code(self, code: Any, where: str) -> int:
        """Return the item of a function, class, module or wrapper."""
        item = Item("constant", where)
        words, index = self._target(code, item)
        if index is None:
            index = len(self.items)
            item.local = combine("text", words.encode())
            self.items.append(item)
        self._drain()
        self._check(index)
        return index

    def final(self, index: int) -> bytes:
        """Return the digest of an item with all that it reaches, packages left out."""
        return graph.finish(self.items, index, self._finals)

    def reachable(self, roots: Iterable[int]) -> list[Item]:
        """Return the items that some roots reach, themselves included."""
        seen = set()
        stack = list(roots)
        while stack:
            index = stack.pop()
            if index not in seen:
                seen.add(index)
                stack.extend(self.items[index].refs)
        return [self.items[index] for index in sorted(seen)]

    def let_go_of_sources(self) -> None:
        """Free the syntax trees; they are read again should more code come."""
        self._sources = Sources()

    def package_parts(self, codes: Iterable[Any]) -> list[bytes]:
        """Return what stands for the packages and environment variables that some code uses."""
        from mile_rl.workflows.environment import surroundings

        items = self.reachable([self.code(code, "value") for code in codes])
        return [f"{label}={text}".encode() for label, text in surroundings(items, self.versions).items()]

    def _add(self, record: str, kind: str, value: Any, label: str, build: Callable[..., None]) -> int:
        key = (record, id(value))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self.items)
            self._alive.append(value)
            item = Item(kind, label)
            self.items.append(item)
            # Built later: reaching deep must not recurse deep.
            self._pending.append((build, item, value))
        return known

    def _drain(self) -> None:
        while self._pending:
            build, item, value = self._pending.pop()
            try:
                build(item, value)
            except MileError as error:
                # An error only if the item is needed; see _check.
                item.error = error
                item.local = combine("unknown", item.label.encode())
                item.warnings.append(
                    f"code that evaluates text may reach {item.label}, but it does not count: {error}"
                )

    def _check(self, root: int) -> None:
        """Raise if anything is unknown that an item reaches by more than the bare possibility."""
        seen = set()
        stack = [root]
        while stack:
            index = stack.pop()
            if index not in seen and index not in self._checked:
                seen.add(index)
                item = self.items[index]
                if item.error is not None:
                    raise item.error
                if not item.loose:
                    stack.extend(item.refs)
        self._checked |= seen

    def _is_own_function(self, function: types.FunctionType) -> bool:
        space = function.__globals__
        name = space.get("__name__") or function.__module__
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is not None and vars(module) is space:
            return origin_of_module(module) == "own"
        from mile_rl.workflows.packages import origin

        return origin(str(name), space.get("__file__")) == "own"

    def _target(self, value: Any, item: Item, *, label: str = "", where: str = "") -> Target:
        """Return what a value is as the target of a reference, and note the package it comes from."""
        if isinstance(value, types.FunctionType):
            name = _label(value)
            if self._is_own_function(value):
                return f"helper {name}", self._add("helper", "helper", value, name, self._build_helper)
            self._use_package(item, value.__module__)
            if value.__closure__ or hasattr(value, "__wrapped__"):
                return f"installed {name}", self._add(
                    "helper", "installed", value, name, self._build_installed
                )
            return f"installed {name}", None
        if isinstance(value, type):
            name = _label(value)
            if origin_of_name(value.__module__) == "own":
                return f"class {name}", self._add("class", "class", value, name, self._build_class)
            self._use_package(item, value.__module__)
            return f"installed {name}", None
        if isinstance(value, types.ModuleType):
            name = canonical_name(value.__name__)
            if origin_of_module(value) == "own":
                return f"module {name}", self._add("module", "module", value, name, self._build_module)
            self._use_package(item, value.__name__)
            return f"installed {name}", None
        if isinstance(value, types.BuiltinFunctionType) and (
            value.__self__ is None or isinstance(value.__self__, types.ModuleType)
        ):
            return self._builtin(value, item)
        if is_wrapper(value):
            return self._wrapped(value, item)
        return "value", self._value(value, label or where, where or label)

    def _builtin(self, value: Any, item: Item) -> Target:
        module = getattr(value, "__module__", None)
        name = f"{module or 'builtins'}.{value.__qualname__}"
        if origin_of_name(module) == "own" and module in sys.modules:
            loaded = sys.modules[module]
            return f"compiled {name}", self._add(
                "module", "module", loaded, canonical_name(module), self._build_module
            )
        self._use_package(item, module)
        return f"installed {name}", None

    def _wrapped(self, value: Any, item: Item) -> Target:
        if type(value).__module__.startswith("mile_rl."):
            version = getattr(value, "version", None)
            if version is not None:
                return f"operator {_label(value.function)} version {version!r}", None
            words, index = self._target(value.function, item)
            if attributes := _given_attributes(value):
                # State that the person keeps on an operator, as one may on a function.
                label = f"{_label(value.function)}.__dict__"
                state = self._value(attributes, label, f"{label}, which {item.label} uses,")
                item.refs.append(state)
                item.constants[label] = (self.items[state].local.hex(), True)
                words += " with attributes"
            return words, index
        self._use_package(item, type(value).__module__)
        if hasattr(value, "cache_clear"):
            item.caches.append(value)
        return self._target(getattr(value, "py_func", None) or value.__wrapped__, item)

    def _use_package(self, item: Item, module: str | None) -> None:
        if not module:
            return
        top = module.partition(".")[0]
        # One that is not loaded yet can only come from an import that was found to be of an installed package.
        installed = top not in sys.modules or origin_of_name(module) == "installed"
        if installed and top != "mile_rl" and top not in sys.stdlib_module_names:
            item.packages.add(top)

    def _value(self, value: Any, label: str, where: str) -> int:
        """Return the item of a value; what it is made of is looked at at once."""
        scalar = type(value) in SCALARS and type(value) is not bytearray
        key = ("value", id(value))
        if not scalar and key in self._known:
            return self._known[key]
        item = Item("constant", label)
        index = len(self.items)
        self.items.append(item)
        if not scalar:
            self._known[key] = index
            self._alive.append(value)
        encoder = Encoder(where=where, file_digest=self._file_digest)
        try:
            encoder.write(value)
        except MileError:
            # Whoever needs it next must hear of it too.
            self._known.pop(key, None)
            raise
        self._alive.append(encoder)
        words = []
        for ref in encoder.refs:
            name, target = self._target(ref, item, where=where)
            words.append(name.encode())
            if target is not None:
                item.refs.append(target)
        item.local = combine("constant", encoder.out, *words)
        return index

    def _slot(self, item: Item, slots: list[bytes], name: str, found: Resolved, label: str) -> None:
        """Note that an item refers to something under a name."""
        if isinstance(found, Text):
            words: str = found.words
            if found.package:
                self._use_package(item, found.package)
        elif isinstance(found, Everything):
            words = "every module"
            item.refs.extend(
                self._add("loose", "module", module, canonical_name(module.__name__), self._build_loose)
                for module in _modules()
            )
        else:
            index: int | None
            value = found.space if isinstance(found, Whole) else found.value
            if isinstance(value, dict) and isinstance(found, Whole):
                inside = canonical_name(str(value.get("__name__", "")))
                words, index = f"module {inside}", self._space(value, inside)
            else:
                where = f"{label or item.label!r}, which {item.label} uses,"
                words, index = self._target(value, item, label=label, where=where)
            if index is not None:
                item.refs.append(index)
                target = self.items[index]
                if words == "value":
                    item.paths.update(paths_in(value))
                    mutable = type(value) not in SCALARS and not isinstance(value, Path)
                    item.constants[label] = (target.local.hex(), mutable)
        slots += (name.encode("utf-8", "backslashreplace"), words.encode("utf-8", "backslashreplace"))

    def _space(self, space: dict[str, Any], name: str) -> int:
        module = sys.modules.get(str(space.get("__name__", "")))
        if module is not None and vars(module) is space:
            return self._add("module", "module", module, name, self._build_module)
        return self._add("space", "module", space, name, self._build_space)

    def _build_helper(self, item: Item, function: types.FunctionType) -> None:
        slots: list[bytes] = []
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        given = dict(zip(names[len(names) - len(defaults) :], defaults)) | (function.__kwdefaults__ or {})
        for name, value in given.items():
            self._slot(item, slots, f"default {name}", Found(value), f"{item.label}({name})")
        self._build_function(item, function, slots)

    def _build_root(self, item: Item, function: types.FunctionType) -> None:
        self._build_function(item, function, [])

    def _build_function(self, item: Item, function: types.FunctionType, slots: list[bytes]) -> None:
        code = code_of(function, self._sources)
        item.stores = code.stores
        item.paths.update(code.paths)
        resolver = self._resolver
        for use in code.uses:
            for found, label in resolver.find(use, function, code.imports, item):
                self._slot(item, slots, f"name {'.'.join((use.name, *use.attributes))}", found, label)
        for name, imported in code.imports:
            for found, label in resolver.find_import(name, imported, function):
                self._slot(item, slots, f"import {name}", found, label)
        if code.reflects:
            self._slot(item, slots, "reflection", Everything(), "")
        for use in code.decorators:
            self._lenient(item, slots, "decorator", use, function)
        for name, annotation in getattr(function, "__annotations__", {}).items():
            if isinstance(annotation, str):
                for use in annotation_uses(annotation):
                    self._lenient(item, slots, f"annotation {name}", use, function)
            else:
                self._lenient_value(item, slots, f"annotation {name}", annotation)
        for name, value in vars(function).items():
            self._slot(item, slots, f"attribute {name}", Found(value), f"{item.label}.{name}")
        record = b"source" if code.from_source else b"bytecode"
        item.local = combine("function", item.label.encode(), record, code.digest, *slots)

    def _lenient(self, item: Item, slots: list[bytes], name: str, use: Use, function: Any) -> None:
        """Note a use that can have no effect but the one seen elsewhere; a value there may be anything."""
        for found, label in self._resolver.find(use, function, (), item):
            if isinstance(found, Found) and not _is_code(found.value):
                self._lenient_value(item, slots, name, found.value)
            elif not isinstance(found, Whole | Everything):
                self._slot(item, slots, name, found, label)

    def _lenient_value(self, item: Item, slots: list[bytes], name: str, value: Any) -> None:
        trial: list[bytes] = []
        try:
            self._slot(item, trial, name, Found(value), f"{item.label}: {name}")
        except MileError:
            trial = [name.encode(), f"some {type(value).__qualname__}".encode()]
        known = item.constants.pop(f"{item.label}: {name}", None)
        if known is not None:
            # It has no part of its own to show that it changed, so it counts in what holds it.
            trial.append(known[0].encode())
        slots += trial

    def _build_installed(self, item: Item, function: types.FunctionType) -> None:
        """Look through a wrapper that an installed decorator made, for the person's function in it."""
        slots: list[bytes] = []
        values = {"wrapped": getattr(function, "__wrapped__", None)}
        if hasattr(function, "registry") and hasattr(function, "dispatch"):
            # functools.singledispatch: its caches say nothing.
            values["registry"] = dict(function.registry)
        else:
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                values[name] = _content(cell)
        for name, value in values.items():
            self._lenient_value(item, slots, name, value)
        item.local = combine("installed", item.label.encode(), *slots)

    def _build_class(self, item: Item, cls: type) -> None:
        slots: list[bytes] = []
        for name, value, strict in attributes_of(cls):
            if strict:
                self._slot(item, slots, name, Found(value), f"{item.label}.{name}")
            else:
                self._lenient_value(item, slots, name, value)
        item.local = combine("class", item.label.encode(), *slots)

    def _build_module(self, item: Item, module: types.ModuleType) -> None:
        file = vars(module).get("__file__")
        if isinstance(file, str) and not file.endswith((".py", ".pyc", ".ipynb")):
            try:
                content = self._file_digest(Path(file))
            except MileError:
                content = b""
            item.local = combine("compiled", item.label.encode(), content)
            return
        self._build_space(item, vars(module))

    def _build_loose(self, item: Item, module: types.ModuleType) -> None:
        """Build one of all modules, most of which have nothing to do with the code: what cannot be digested
        in it is no error, but is said."""
        item.loose = True
        self._build_module(item, module)

    def _build_space(self, item: Item, space: dict[str, Any]) -> None:
        slots: list[bytes] = []
        notebook = space.get("__name__") == "__main__" and "__file__" not in space
        for name in sorted(key for key in space if isinstance(key, str)):
            if name.startswith("__") and name.endswith("__") and name not in ("__getattr__", "__all__"):
                continue
            if notebook and (name.startswith("_") or name in _NOTEBOOK):
                continue
            try:
                self._slot(item, slots, name, Found(space[name]), f"{item.label}.{name}")
            except MileError as error:
                if not item.loose:
                    raise
                slots.append(f"{name}: {type(space[name]).__qualname__}".encode())
                item.warnings.append(
                    f"code that evaluates text may use anything, but this does not count: {error}"
                )
        item.local = combine("module", item.label.encode(), *slots)


def _label(value: Any) -> str:
    inner = value
    while not hasattr(inner, "__qualname__") and hasattr(inner, "func"):
        inner = inner.func
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    named = getattr(inner, "__module__", None)
    module = canonical_name(named) if isinstance(named, str) else ""
    return f"{module}.{name}" if module else str(name)


def _given_attributes(marked: Any) -> dict[str, Any]:
    """Return the attributes that the person has set on an operator or a workflow."""
    own = vars(marked.function) if isinstance(marked.function, types.FunctionType) else {}
    return {
        name: value
        for name, value in sorted(vars(marked).items())
        if name not in _MARKED and not name.startswith("__") and own.get(name, _MARKED) is not value
    }


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _is_code(value: Any) -> bool:
    return isinstance(value, types.FunctionType | type | types.ModuleType) or is_wrapper(value)


def _modules() -> list[types.ModuleType]:
    """Return all loaded modules of the person's, in an order that is always the same."""
    found = {
        id(module): module
        for module in list(sys.modules.values())
        if isinstance(module, types.ModuleType)
        and (vars(module).get("__file__") or module.__name__ == "__main__")
        and origin_of_module(module) == "own"
    }
    return sorted(found.values(), key=lambda module: canonical_name(module.__name__))
