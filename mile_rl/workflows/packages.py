"""Whose code a module is, and the versions of installed packages."""

from __future__ import annotations

import functools
import os
import re
import sys
import types
from typing import Any, Literal

from mile_rl.errors import MissingFile

Origin = Literal["own", "installed", "stdlib"]
"""Own: what the person writes (also editable installs); installed: a distribution; stdlib: comes with Python."""

_STDLIB = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
_SITE = re.compile(r"(?:^|[/\\])(?:site|dist)-packages[/\\]")
_HINTS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv_python",
    "dateutil": "python_dateutil",
    "google": "protobuf",
    "PIL": "pillow",
    "skimage": "scikit_image",
    "sklearn": "scikit_learn",
    "umap": "umap_learn",
    "yaml": "pyyaml",
}
"""Where to look first for packages that are not called as their distribution is; always checked."""

_ORIGINS: dict[tuple[str, str | None], Origin] = {}


def origin(name: str, file: str | None) -> Origin:
    """Tell whose code a module is.

    Args:
        name: the module's full name.
        file: where it was loaded from; None for one made by hand, built in, or typed into a notebook.
    """
    known = _ORIGINS.get((name, file))
    if known is None:
        known = _ORIGINS[name, file] = _origin(name, file)
    return known


def _origin(name: str, file: str | None) -> Origin:
    top = name.partition(".")[0]
    if top == "mile_rl":
        return "installed"
    if top.startswith("_cython_"):
        # Where Cython keeps the types that all of its modules share.
        return "stdlib"
    if file is None:
        return "stdlib" if top in sys.stdlib_module_names and top != "__main__" else "own"
    if _SITE.search(file):
        return "installed"
    if file.startswith("<frozen") or os.path.realpath(file).startswith(_STDLIB):
        return "stdlib"
    return "own"


def origin_of_module(module: types.ModuleType) -> Origin:
    """Tell whose code a loaded module is."""
    space = vars(module)
    name = space.get("__name__", "")
    file = space.get("__file__")
    if file is None and (places := space.get("__path__")) is not None:
        # A namespace package has no file of its own; it belongs where its folders lie.
        file = next(iter(places), None)
        file = None if file is None else os.path.join(file, "__init__.py")
    return origin(name, file)


def origin_of_name(name: str | None) -> Origin:
    """Tell whose code the module of this name is, as ``__module__`` of a class or function gives it."""
    if not name:
        return "stdlib"
    module = sys.modules.get(name)
    if module is not None:
        return origin_of_module(module)
    top = name.partition(".")[0]
    if top != name and top in sys.modules:
        return origin_of_module(sys.modules[top])
    return origin(name, None)


def origin_of_function(function: types.FunctionType) -> Origin:
    """Tell whose code a live function is: that of the module in whose namespace it runs."""
    space = function.__globals__
    name = space.get("__name__") or function.__module__
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is not None and vars(module) is space:
        return origin_of_module(module)
    return origin(str(name), space.get("__file__"))


def own_modules() -> list[types.ModuleType]:
    """Return all loaded modules of the person's, in an order that is always the same."""
    found = {
        id(module): module
        for module in list(sys.modules.values())
        if isinstance(module, types.ModuleType)
        and (vars(module).get("__file__") or module.__name__ == "__main__")
        and origin_of_module(module) == "own"
    }
    return sorted(found.values(), key=lambda module: canonical_name(module.__name__))


def canonical_name(name: str) -> str:
    """Return a module's name as it is when the module is imported, also where it runs as a script.

    A script is called as the same file would be when imported; a notebook has no name.
    """
    if name.startswith("_mile_"):
        # Loaded by file under another name, because its own belongs to an installed module.
        return name.removeprefix("_mile_")
    if name != "__main__":
        return name
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    if not file:
        return ""
    folder, base = os.path.split(os.path.abspath(file))
    parts = [os.path.splitext(base)[0]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    return ".".join(parts)


class Versions:
    """The versions of installed packages, as their metadata says; looked up once a run.

    A version is read from disk and not from the imported module, so that it is the same whether or not the
    package has been imported.
    """

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}
        self._listings: dict[str, dict[str, tuple[str, str]]] = {}

    def of(self, top: str) -> str:
        """Return the version of the distribution that an importable top-level package comes from.

        Args:
            top: its name as in ``import top``.

        Returns:
            The version; several joined by "+" for a namespace shared by several distributions; a digest of
            the content where no distribution claims the package.
        """
        known = self._versions.get(top)
        if known is None:
            known = self._versions[top] = self._find(top)
        return known

    def _find(self, top: str) -> str:
        place = _place_of(top)
        if place is None:
            return "missing"
        site, file = place
        listing = self._listing(site)
        guess = listing.get(_normal(top))
        if guess is not None:
            return _exact(site, *guess)
        hint = listing.get(_HINTS.get(top, ""))
        if hint is not None and _provides(os.path.join(site, hint[0]), top):
            return _exact(site, *hint)
        found = sorted(
            _exact(site, folder, version)
            for folder, version in listing.values()
            if _provides(os.path.join(site, folder), top)
        )
        return "+".join(found) if found else _content(file)

    def _listing(self, site: str) -> dict[str, tuple[str, str]]:
        """Return normalised distribution name -> (metadata folder, version) of a folder of packages."""
        known = self._listings.get(site)
        if known is None:
            try:
                known = _listed(site, os.stat(site).st_mtime_ns)
            except OSError:
                known = {}
            self._listings[site] = known
        return known


@functools.lru_cache(maxsize=32)
def _listed(site: str, mtime_ns: int) -> dict[str, tuple[str, str]]:
    """Return what a folder of packages holds; installing or removing one renews the folder's time."""
    known: dict[str, tuple[str, str]] = {}
    for name in sorted(os.listdir(site)):
        stem, dot, suffix = name.rpartition(".")
        if dot and suffix in ("dist-info", "egg-info") and "-" in stem:
            distribution, version = stem.split("-")[:2]
            known[_normal(distribution)] = (name, version)
    return known


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _place_of(top: str) -> tuple[str, str] | None:
    """Return the folder of packages that a top-level package lies in, and its own file or folder."""
    module = sys.modules.get(top)
    spec: Any = getattr(module, "__spec__", None)
    if spec is None:
        from importlib.util import find_spec

        try:
            spec = find_spec(top)
        except (ImportError, ValueError):
            spec = None
    folders = list(getattr(spec, "submodule_search_locations", None) or ())
    if folders:
        return os.path.dirname(folders[0]), folders[0]
    file = getattr(spec, "origin", None) or getattr(module, "__file__", None)
    return (os.path.dirname(file), file) if file else None


def _exact(site: str, folder: str, version: str) -> str:
    """Return a version, and a digest of the installed files where the version alone does not tell them.

    What is installed from a folder or a repository (``pip install .``) often keeps its version while it changes.
    """
    metadata = os.path.join(site, folder)
    if not os.path.exists(os.path.join(metadata, "direct_url.json")):
        return version
    return f"{version} {_content(os.path.join(metadata, 'RECORD'))}"


def _provides(metadata: str, top: str) -> bool:
    """Tell whether a distribution says that it installs a top-level package."""
    listed = _read(os.path.join(metadata, "top_level.txt"))
    if listed is not None and top.encode() in listed.split():
        return True
    record = _read(os.path.join(metadata, "RECORD")) or _read(os.path.join(metadata, "SOURCES.txt"))
    if record is None:
        return False
    return (
        re.search(rb"^" + re.escape(top.encode()) + rb"(?:/|\.[^/,]*(?:py|so|pyd),)", record, re.M)
        is not None
    )


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _content(file: str) -> str:
    from pathlib import Path

    from mile_rl.workflows.digest import digest_file

    try:
        return digest_file(Path(file)).hex()
    except MissingFile:
        return "missing"
