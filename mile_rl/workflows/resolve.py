"""From a name in code to the live object that it stands for."""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from mile_rl.workflows.bytecode import Import, Use
from mile_rl.workflows.packages import canonical_name, origin, origin_of_module


class Found(NamedTuple):
    """A live object."""

    value: Any


class Text(NamedTuple):
    """Something that counts by its name alone: installed, built in, or not there.

    Args:
        words: its name.
        package: the installed module that it comes from, "" where there is none.
    """

    words: str
    package: str = ""


class Whole(NamedTuple):
    """A whole namespace of the person's, because code reaches into it by a name that is computed."""

    space: Any


class Everything(NamedTuple):
    """All loaded modules of the person's: code evaluates text, or imports by a computed name."""


Resolved = Found | Text | Whole | Everything


class Noting(Protocol):
    """Where environment variables and warnings are noted."""

    label: str
    environment: set[str]
    warnings: list[str]


_MISSING = object()
_READS = frozenset(("get", "pop", "setdefault", "__getitem__", "__contains__"))
_TECHNICAL = frozenset(
    "__file__ __spec__ __loader__ __builtins__ __package__ __path__ __cached__ __name__ __debug__".split()
)


class Resolver:
    """Looks names up in live namespaces, imports included."""

    def find(
        self, use: Use, function: Any, imports: Sequence[tuple[str, Import]], item: Noting
    ) -> Iterator[tuple[Resolved, str]]:
        """Yield what a use of a name stands for, with its label for people.

        Args:
            use: the name and what is done with it.
            function: in whose namespaces it is looked up.
            imports: what is imported inside the function.
            item: where environment variables and warnings are noted.
        """
        space = function.__globals__
        module = canonical_name(str(space.get("__name__", "")))
        label = f"{module}.{use.name}" if module else use.name
        if use.local:
            free = function.__code__.co_freevars
            if use.name in free:
                try:
                    root = function.__closure__[free.index(use.name)].cell_contents
                except ValueError:
                    yield Text("missing"), label
                else:
                    yield self._follow(root, use, item, f"{_qualified(function, module)}.{use.name}")
            for name, imported in imports:
                if name == use.name:
                    found = self._imported(imported, space)
                    if isinstance(found, Found):
                        followed = self._follow(found.value, use, item, _import_label(imported))
                        # What an installed module gives counts with the import itself, as it does as long as
                        # the module is not loaded.
                        if not (_is_installed(found.value) and isinstance(followed[0], Text)):
                            yield followed
            return
        root = space.get(use.name, _MISSING)
        if root is _MISSING:
            root = getattr(builtins, use.name, _MISSING)
            if root is _MISSING:
                yield Text("missing"), label
            else:
                yield self._built_in(root, use, space), label
        elif use.name in _TECHNICAL:
            yield _technical(use.name, space, module), label
        else:
            yield self._follow(root, use, item, label)

    def find_import(self, name: str, imported: Import, function: Any) -> Iterator[tuple[Resolved, str]]:
        """Yield what must be said of an import inside a function, besides the uses of what it binds."""
        label = _import_label(imported)
        found = self._imported(imported, function.__globals__)
        if (isinstance(found, Found) and name == "*") or isinstance(found, Text):
            yield found, label
        elif _is_installed(found.value):
            # The same words as for a module that is not loaded yet: see _import_own.
            yield Text(f"installed {imported.module}", imported.module), label
        else:
            yield Text(f"import {label}"), label

    def _follow(self, root: Any, use: Use, item: Noting, label: str) -> tuple[Resolved, str]:
        """Follow attributes as long as they lead through modules."""
        value = root
        left = list(use.attributes)
        installed = ""
        while True:
            special = self._special(value, left, use, item)
            if special is not None:
                return special, label
            if not isinstance(value, types.ModuleType) or not left:
                break
            name = left.pop(0)
            own = origin_of_module(value) == "own"
            if not own:
                installed = value.__name__
            elif name in _TECHNICAL:
                return _technical(name, vars(value), canonical_name(value.__name__)), label
            label = f"{canonical_name(value.__name__)}.{name}"
            inner = vars(value).get(name, _MISSING)
            if inner is _MISSING:
                if own and "__getattr__" in vars(value):
                    return Found(value), label
                words = "missing" if own else f"installed {label}"
                return Text(words, "" if own else installed), label
            value = inner
        if installed and not _is_own_code(value):
            return Text(f"installed {label}", installed), label
        if left[:1] == ["__doc__"] and callable(value):
            # A docstring counts where code asks for it: a prompt, a usage text.
            return Found((value, value.__doc__)), f"{label}.__doc__"
        return Found(value), label

    def _special(self, value: Any, left: list[str], use: Use, item: Noting) -> Resolved | None:
        if value is os.environ or value is os.getenv or value is getattr(os, "environb", None):
            read = value is os.getenv or (left and left[0] in _READS) or (not left and use.subscript)
            if use.key is not None and read:
                item.environment.add(use.key)
                return Text("environment variable")
            item.warnings.append(
                f"{item.label} reads environment variables by names that cannot be told beforehand, so they do "
                'not count: write os.environ["NAME"] with the name itself, or pass the value as an argument.'
            )
            return Text("environment")
        if value is sys.modules:
            return Everything()
        if value is sys.argv:
            return Found(value)
        importlib = sys.modules.get("importlib")
        if importlib is not None and value is getattr(importlib, "import_module", _MISSING):
            if use.key is None or use.key.startswith("."):
                return Everything()
            found = self._imported(Import(0, use.key), {})
            return found if isinstance(found, Found | Text) else None
        return None

    def _built_in(self, value: Any, use: Use, space: dict[str, Any]) -> Resolved:
        if value is builtins.globals or value is builtins.vars or value is builtins.locals:
            return Whole(space) if value is builtins.globals else Text(f"builtin {use.name}")
        if value is builtins.eval or value is builtins.exec or value is builtins.__import__:
            return Everything()
        return Text(f"builtin {use.name}")

    def _imported(self, imported: Import, space: dict[str, Any]) -> Found | Text:
        """Return what an import gives; the person's modules are imported, installed ones are not."""
        name = imported.module
        if imported.level:
            package = str(space.get("__package__") or space.get("__name__", ""))
            parts = package.split(".")
            parts = parts[: len(parts) - imported.level + 1]
            name = ".".join([*parts, name] if name else parts)
        module = sys.modules.get(name) or _import_own(name)
        if isinstance(module, Text):
            if imported.attribute and module.words != "missing":
                return Text(f"{module.words}.{imported.attribute}", module.package)
            return module
        if not imported.attribute:
            return Found(module)
        value = vars(module).get(imported.attribute, _MISSING)
        if value is _MISSING:
            inner = f"{name}.{imported.attribute}"
            own = origin_of_module(module) == "own"
            value = sys.modules.get(inner) or (_import_own(inner) if own else _MISSING)
            if value is _MISSING or isinstance(value, Text):
                return Text("missing" if own else f"installed {inner}", "" if own else name)
        if origin_of_module(module) != "own" and not _is_own_code(value):
            return Text(f"installed {name}.{imported.attribute}", name)
        return Found(value)


def _import_own(name: str) -> types.ModuleType | Text:
    """Import a module if it is the person's own."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return Text(f"installed {name}")
    loaded = sys.modules.get(top)
    if loaded is not None and origin_of_module(loaded) != "own":
        return Text(f"installed {name}", name)
    import importlib
    from importlib.util import find_spec

    try:
        spec = find_spec(top)
        if spec is None:
            return Text("missing")
        places = list(spec.submodule_search_locations or ())
        file = spec.origin if spec.has_location else (f"{places[0]}{os.sep}" if places else None)
        if origin(top, file) != "own":
            return Text(f"installed {name}", name)
        return importlib.import_module(name)
    except Exception:
        # The function may never come to its import, or handle its failure; then this is what it sees.
        return Text("missing")


def _is_installed(value: Any) -> bool:
    """Tell whether a value is a module that is not the person's own."""
    return isinstance(value, types.ModuleType) and origin_of_module(value) != "own"


def _is_own_code(value: Any) -> bool:
    """Tell whether a value found in an installed module was put there by the person's code."""
    if isinstance(value, types.ModuleType):
        return origin_of_module(value) == "own"
    if isinstance(value, types.FunctionType | type):
        module = sys.modules.get(value.__module__)
        return module is not None and origin_of_module(module) == "own"
    return False


def _technical(name: str, space: dict[str, Any], module: str) -> Text:
    """Return what stands for a module's own name or place; a script is called as when it is imported."""
    file = space.get("__file__")
    if name == "__file__" and isinstance(file, str):
        # Code that looks beside itself finds other files where it is copied to.
        return Text(f"file {os.path.abspath(file)}")
    return Text(f"technical {module}")


def _qualified(function: Any, module: str) -> str:
    return f"{module}.{function.__qualname__}" if module else str(function.__qualname__)


def _import_label(imported: Import) -> str:
    return ".".join(part for part in (imported.module, imported.attribute) if part)
