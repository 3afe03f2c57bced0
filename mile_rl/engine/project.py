"""Where a project keeps its state, and with which settings it runs."""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from mile_rl.errors import SettingsError

STATE = ".mile"
"""The folder of a project's state; found by walking up, like ``.git``."""

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {
    unit.replace("B", "iB"): 1024**power for power, unit in enumerate(("", "KB", "MB", "GB", "TB")) if unit
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How iterations of a project run. Default < ``[tool.mile]`` < ``MILE_*`` variable < flag or argument.

    Args:
        budget: bytes that the store may hold; a number or a text such as "10GB" or "512MiB".
        policy: which intermediate results to keep; ``mile_rl.policies`` lists the names.
        executor: what runs the nodes; "threads" is the only one so far.
        jobs: how many nodes may run at once.
        store: the folder (or ``file://`` URL) of the artifacts, instead of ``.mile/store``.
        catalog: an SQLAlchemy URL of the catalog, instead of ``.mile/catalog.db``.
        write_share: how much of the time saved so far may be spent on writing.
        write_fraction: how much of a run's own computing time may be spent on writing besides.
        write_allowance_ms: how many milliseconds a run may be spent on writing besides.
        mlflow: where runs are logged to: an MLflow tracking URI; "auto" for ``MLFLOW_TRACKING_URI``, or an
            SQLite database beside the catalog where that is not set; "" or "off" for nowhere.
    """

    budget: int | str = "10GB"
    policy: str = "expected"
    executor: str = "threads"
    jobs: int = 1
    store: str = ""
    catalog: str = ""
    write_share: float = 0.5
    write_fraction: float = 0.018
    write_allowance_ms: float = 1.0
    mlflow: str = ""

    def __post_init__(self) -> None:
        parse_bytes(self.budget)
        if self.executor != "threads":
            raise SettingsError(f"executor {self.executor!r} is not known; the only one so far is 'threads'.")
        if self.jobs < 1:
            raise SettingsError(f"jobs = {self.jobs} must be at least 1.")
        if not (
            0 <= self.write_share <= 1
            and 0 <= self.write_fraction < math.inf
            and 0 <= self.write_allowance_ms < math.inf
        ):
            raise SettingsError(
                "write_share must lie in [0, 1], and write_fraction and write_allowance_ms must be finite and not "
                "negative."
            )

    @property
    def budget_bytes(self) -> int:
        """The budget as a number of bytes."""
        return parse_bytes(self.budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's folder, state and settings.

    Args:
        root: the folder that holds ``.mile``.
        home: the state folder itself.
        settings: how its iterations run.
    """

    root: Path
    home: Path
    settings: Settings

    @property
    def store_root(self) -> Path:
        """The folder of the artifacts."""
        given = self.settings.store
        if not given:
            return self.home / "store"
        if "://" in given and not given.startswith("file://"):
            raise SettingsError(f"store {given!r}: only folders and file:// URLs can be used so far.")
        path = Path(given.removeprefix("file://")).expanduser()
        return path if path.is_absolute() else self.root / path


def find(start: Path | str, *, environ: Mapping[str, str] = os.environ, **overrides: Any) -> Project:
    """Return the project that ``start`` belongs to; nothing is made on disk.

    Its root is the closest folder upwards that has ``.mile``, else the closest with a ``pyproject.toml`` or
    ``.git``, else ``start`` itself. ``MILE_HOME`` names the state folder directly.

    Args:
        start: a folder.
        environ: environment variables.
        **overrides: settings given by flag or argument; None means not given.

    Raises:
        SettingsError: a setting is unknown or has a value that cannot be used.
    """
    # As texts: paths as objects take 0.2 ms here, which every run would wait for.
    folder = os.path.realpath(start)
    root = _upwards(folder, (STATE, os.path.isdir))
    if root is None:
        root = _upwards(folder, ("pyproject.toml", os.path.isfile), (".git", os.path.exists)) or folder
    given = environ.get("MILE_HOME")
    home = Path(given).expanduser().absolute() if given else Path(root, STATE)
    settings = Settings()
    for source, values in (
        ("[tool.mile] of pyproject.toml", _from_pyproject(os.path.join(root, "pyproject.toml"))),
        ("the environment", _from_environment(environ)),
        ("the arguments", {name: value for name, value in overrides.items() if value is not None}),
    ):
        settings = _updated(settings, values, source)
    return Project(root=Path(root), home=home, settings=settings)


def _upwards(folder: str, *signs: tuple[str, Callable[[str], bool]]) -> str | None:
    """Return the closest folder upwards in which one of some names is there."""
    while True:
        if any(is_there(os.path.join(folder, name)) for name, is_there in signs):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def parse_bytes(size: int | str) -> int:
    """Read a number of bytes: 1000, "10GB", "512 MiB".

    Raises:
        SettingsError: it is neither, or negative.
    """
    if isinstance(size, int) and not isinstance(size, bool) and size >= 0:
        return size
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(size))
    unit = found.group(2) if found else ""
    factor = {name.lower(): value for name, value in _UNITS.items()}.get(unit.lower())
    if found is None or factor is None:
        raise SettingsError(f"{size!r} is no number of bytes; write for example 500MB, 10GB or 2GiB.")
    return int(float(found.group(1)) * factor)


def _from_pyproject(path: str) -> dict[str, Any]:
    # A file without the word cannot have the table (which may be written inline), and the TOML parser need not be
    # imported.
    if not os.path.isfile(path):
        return {}
    with open(path, "rb") as file:
        raw = file.read()
    if b"mile" not in raw:
        return {}
    import tomllib

    try:
        table = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    tool = table.get("tool", {})
    settings = tool.get("mile", {}) if isinstance(tool, dict) else {}
    if not isinstance(settings, dict):
        raise SettingsError(f"mile = {settings!r} in [tool] of {path}: write a table, [tool.mile].")
    return settings


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    names = {f"MILE_{field.name.upper()}": field.name for field in fields(Settings)}
    return {name: environ[variable] for variable, name in names.items() if environ.get(variable)}


def _updated(settings: Settings, values: Mapping[str, Any], source: str) -> Settings:
    if not values:
        return settings
    known = {field.name: field for field in fields(Settings)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" Known are: {', '.join(known)}."
            raise SettingsError(f"unknown setting {name!r} in {source}.{hint}")
        default = known[name].default
        try:
            if isinstance(default, int | float):
                read = type(default)(value)
                if isinstance(value, bool) or (isinstance(value, float) and read != value and value == value):
                    raise ValueError
                value = read
            elif name != "budget" and not isinstance(value, type(default)):
                raise ValueError
        except (TypeError, ValueError):
            kind = type(default).__name__
            raise SettingsError(f"setting {name} = {value!r} in {source} is no {kind}.") from None
        checked[name] = value
    return replace(settings, **checked)
