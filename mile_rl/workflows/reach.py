"""Everything of the person's own code that a function, class or module reaches, as a graph of live objects."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mile_rl.errors import MileError
from mile_rl.workflows import building, graph
from mile_rl.workflows.digest import combine, digest_file
from mile_rl.workflows.encode import Encoder
from mile_rl.workflows.item import Item
from mile_rl.workflows.kinds import given_attributes, is_wrapper, label_of
from mile_rl.workflows.packages import (
    Versions,
    canonical_name,
    origin_of_function,
    origin_of_module,
    origin_of_name,
)
from mile_rl.workflows.resolve import Resolver
from mile_rl.workflows.scalars import SCALARS
from mile_rl.workflows.source import Sources

Target = tuple[str, int | None]
"""What a name leads to, in words, and its item where it is the person's own code or a value."""

Build = Callable[["Reach", Item, Any], None]
"""What gives an item its digest and its references; see ``building``."""


class Reach:
    """One walk over live code. Globals are looked at afresh by each walk, code once a process.

    What is met becomes an item of a graph; what each is made of, ``building`` knows.

    Args:
        file_digest: digests a file's content.
        versions: where versions of packages are looked up.

    Attributes:
        items: everything met so far; an index among them stands for an item.
        sources: where source texts are read.
        resolver: what looks names up.
    """

    def __init__(
        self,
        *,
        file_digest: Callable[[Path], bytes] = digest_file,
        versions: Versions | None = None,
    ) -> None:
        self.items: list[Item] = []
        self.sources = Sources()
        self.resolver = Resolver()
        self.versions = versions or Versions()
        self.file_digest = file_digest
        self._finals: dict[int, bytes] = {}
        self._known: dict[tuple[str, int], int] = {}
        # What is known by its id is held here, so that no other object can take the id.
        self._alive: list[object] = []
        self._pending: list[tuple[Build, Item, Any]] = []
        self._checked: set[int] = set()

    def operator(self, function: Any, where: str) -> int:
        """Return the item of an operator's function; its defaults do not count, they are arguments.

        Args:
            function: a function, ``functools.partial``, method or wrapper.
            where: whose it is, in the person's words; for errors.
        """
        if isinstance(function, types.FunctionType) and origin_of_function(function) == "own":
            index = self.add("root", "helper", function, label_of(function), building.build_root)
        else:
            index = self._value(function, label_of(function), where)
        self._drain()
        self._check(index)
        return index

    def code(self, code: Any, where: str) -> int:
        """Return the item of a function, class, module or wrapper."""
        item = Item("constant", where)
        words, index = self.target(code, item)
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
        self.sources = Sources()

    def package_parts(self, codes: Iterable[Any]) -> list[bytes]:
        """Return what stands for the packages and environment variables that some code uses."""
        from mile_rl.workflows.environment import surroundings

        items = self.reachable([self.code(code, "value") for code in codes])
        return [f"{label}={text}".encode() for label, text in surroundings(items, self.versions).items()]

    def add(self, record: str, kind: str, value: Any, label: str, build: Build) -> int:
        """Return the item of a function, class, module or namespace, which is built in its turn.

        Args:
            record: with the value, what tells items apart: one function is another item as an operator's own.
            kind: the item's.
            value: what it is of.
            label: its name for people.
            build: gives it its digest and its references.
        """
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
                build(self, item, value)
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

    def target(self, value: Any, item: Item, *, label: str = "", where: str = "") -> Target:
        """Return what a value is as the target of a reference, and note the package it comes from."""
        if isinstance(value, types.FunctionType):
            name = label_of(value)
            if origin_of_function(value) == "own":
                return f"helper {name}", self.add("helper", "helper", value, name, building.build_helper)
            self.use_package(item, value.__module__)
            if value.__closure__ or hasattr(value, "__wrapped__"):
                return f"installed {name}", self.add(
                    "helper", "installed", value, name, building.build_installed
                )
            return f"installed {name}", None
        if isinstance(value, type):
            name = label_of(value)
            if origin_of_name(value.__module__) == "own":
                return f"class {name}", self.add("class", "class", value, name, building.build_class)
            self.use_package(item, value.__module__)
            return f"installed {name}", None
        if isinstance(value, types.ModuleType):
            name = canonical_name(value.__name__)
            if origin_of_module(value) == "own":
                return f"module {name}", self.add("module", "module", value, name, building.build_module)
            self.use_package(item, value.__name__)
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
            return f"compiled {name}", self.add(
                "module", "module", loaded, canonical_name(module), building.build_module
            )
        self.use_package(item, module)
        return f"installed {name}", None

    def _wrapped(self, value: Any, item: Item) -> Target:
        if type(value).__module__.startswith("mile_rl."):
            version = getattr(value, "version", None)
            if version is not None:
                return f"operator {label_of(value.function)} version {version!r}", None
            words, index = self.target(value.function, item)
            if attributes := given_attributes(value):
                # State that the person keeps on an operator, as one may on a function.
                label = f"{label_of(value.function)}.__dict__"
                state = self._value(attributes, label, f"{label}, which {item.label} uses,")
                item.refs.append(state)
                item.constants[label] = (self.items[state].local.hex(), True)
                words += " with attributes"
            return words, index
        self.use_package(item, type(value).__module__)
        if hasattr(value, "cache_clear"):
            item.caches.append(value)
        return self.target(getattr(value, "py_func", None) or value.__wrapped__, item)

    def use_package(self, item: Item, module: str | None) -> None:
        """Note that an item uses a module, if that is of an installed package."""
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
        encoder = Encoder(where=where, file_digest=self.file_digest)
        try:
            encoder.write(value)
        except MileError:
            # Whoever needs it next must hear of it too.
            self._known.pop(key, None)
            raise
        self._alive.append(encoder)
        words = []
        for ref in encoder.refs:
            name, target = self.target(ref, item, where=where)
            words.append(name.encode())
            if target is not None:
                item.refs.append(target)
        item.local = combine("constant", encoder.out, *words)
        return index

    def space(self, space: dict[str, Any], name: str) -> int:
        """Return the item of a namespace: that of its module, where there is one."""
        module = sys.modules.get(str(space.get("__name__", "")))
        if module is not None and vars(module) is space:
            return self.add("module", "module", module, name, building.build_module)
        return self.add("space", "module", space, name, building.build_space)
