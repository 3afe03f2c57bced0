"""Settings of libraries that change what operators return and that no operator's code shows.

``sklearn.set_config(transform_output="pandas")`` in one line of a module, or in another operator, makes every
pipeline return something else. Only what differs from how a library comes is looked at, so a library that is not
loaded yet is as one that is loaded.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Settings = Mapping[str, Mapping[str, Any]]
"""Library -> the settings of it that differ from how it comes."""

_NUMPY = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False, "linewidth": 75,
    "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None, "legacy": False,
    "divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn",
}  # fmt: skip
_ERRORS = ("divide", "over", "under", "invalid")
_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")


class _Library(NamedTuple):
    """How the settings of a library are read and put back; each gets the loaded module.

    Args:
        read: yields name, value and the value that it comes with.
        put: sets values by name.
    """

    read: Callable[[Any], Iterator[tuple[str, Any, Any]]]
    put: Callable[[Any, Mapping[str, Any]], Any]


def _read_sklearn(sklearn: Any) -> Iterator[tuple[str, Any, Any]]:
    default = sys.modules["sklearn._config"]._global_config
    return ((name, value, default.get(name)) for name, value in sklearn.get_config().items())


def _read_numpy(numpy: Any) -> Iterator[tuple[str, Any, Any]]:
    now = {**numpy.get_printoptions(), **numpy.geterr()}
    return ((name, now.get(name, default), default) for name, default in _NUMPY.items())


def _put_numpy(numpy: Any, values: Mapping[str, Any]) -> None:
    numpy.seterr(**{name: value for name, value in values.items() if name in _ERRORS})
    numpy.set_printoptions(**{name: value for name, value in values.items() if name not in _ERRORS})


def _read_pandas(pandas: Any) -> Iterator[tuple[str, Any, Any]]:
    config = sys.modules["pandas._config.config"]
    places = _places(config, len(config._registered_options))
    return ((name, place[key], default) for name, place, key, default in places)


@functools.lru_cache(maxsize=1)
def _places(config: Any, count: int) -> list[tuple[str, dict[str, Any], str, Any]]:
    """Return name, dict, key and default of each of pandas' options; looked up again when there are more."""
    found = []
    for name, option in config._registered_options.items():
        *above, key = name.split(".")
        place = functools.reduce(dict.__getitem__, above, config._global_config)
        found.append((name, place, key, option.defval))
    return found


def _put_pandas(pandas: Any, values: Mapping[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in values.items():
            pandas.set_option(name, value)


def _read_decimal(decimal: Any) -> Iterator[tuple[str, Any, Any]]:
    now, default = decimal.getcontext(), decimal.DefaultContext
    return ((name, getattr(now, name), getattr(default, name)) for name in _DECIMAL)


def _put_decimal(decimal: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(decimal.getcontext(), name, value)


_LIBRARIES = {
    "decimal": _Library(_read_decimal, _put_decimal),
    "numpy": _Library(_read_numpy, _put_numpy),
    "pandas": _Library(_read_pandas, _put_pandas),
    "sklearn": _Library(_read_sklearn, lambda sklearn, values: sklearn.set_config(**values)),
}


def current() -> Settings:
    """Return the settings of the loaded libraries that differ from how they come, as this thread sees them."""
    found = {}
    for name, library in _LIBRARIES.items():
        module = sys.modules.get(name)
        if module is not None and (changed := _changed(module, library)):
            found[name] = changed
    return found


def _changed(module: Any, library: _Library) -> dict[str, Any]:
    try:
        return {name: value for name, value, default in library.read(module) if value != default}
    except (AttributeError, KeyError):
        # Only just being imported, or of another make; then there is nothing to be said.
        return {}


def put(wanted: Settings) -> None:
    """Set the loaded libraries as :func:`current` found them, for this thread where they tell threads apart."""
    now = current()
    if now == wanted:
        return
    for name in now.keys() | wanted.keys():
        module, library = sys.modules[name], _LIBRARIES[name]
        as_it_comes = {key: default for key, _, default in library.read(module)}
        before = {key: as_it_comes[key] for key in now.get(name, {})}
        library.put(module, before | dict(wanted.get(name, {})))
