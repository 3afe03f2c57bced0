"""From ``file.py:name`` and ``name=value`` on a command line to a workflow and its arguments."""

from __future__ import annotations

import ast
import difflib
import enum
import importlib
import importlib.util
import inspect
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mile_rl.engine import fresh
from mile_rl.errors import MissingFile, WorkflowError
from mile_rl.workflows.file import File
from mile_rl.workflows.flow import Flow


def load_workflow(reference: str) -> Flow[..., Any]:
    """Import a workflow from a file, as Python would run it as a script or import it from its package.

    Args:
        reference: ``file.py``, or ``file.py:name`` where the file has several workflows.

    Raises:
        MissingFile: there is no such file.
        WorkflowError: it has no workflow, or several and no name is given, or none of that name.
    """
    path_text, _, name = reference.partition(":")
    path = Path(path_text).resolve()
    if not path.is_file():
        raise MissingFile(f"there is no file {path_text!r} (looked in {Path.cwd()}).")
    if path.suffix != ".py":
        raise WorkflowError(f"{path_text!r} is no Python file: give a .py file with a @workflow in it.")
    module = _import(path)
    flows = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, Flow) and value.function.__module__ == module.__name__
    } or {key: value for key, value in vars(module).items() if isinstance(value, Flow)}
    if name:
        for key, flow in flows.items():
            if name in (key, flow.name):
                return flow
        close = difflib.get_close_matches(name, flows, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else f" It has: {', '.join(flows) or 'none'}."
        raise WorkflowError(f"{path_text} has no workflow {name!r}.{hint}")
    if not flows:
        raise WorkflowError(f"{path_text} has no workflow: mark a function with @workflow.")
    if len(flows) > 1:
        first = next(iter(flows))
        raise WorkflowError(
            f"{path_text} has several workflows ({', '.join(flows)}): name one, as in {path_text}:{first}."
        )
    return next(iter(flows.values()))


def _import(path: Path) -> types.ModuleType:
    """Import the file under its own name, so that its helpers and relative imports are found."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    fresh.install()
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    importlib.invalidate_caches()
    if len(parts) > 1:
        importlib.import_module(".".join(parts[:-1]))
    if loaded is not None:
        # The name belongs to another module (random.py, say), which others may need as it is.
        name = f"_mile_{name}"
    spec = importlib.util.spec_from_file_location(name, path, loader=fresh.FreshLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise WorkflowError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def parse_arguments(flow: Flow[..., Any], texts: Iterable[str]) -> dict[str, Any]:
    """Read ``name=value`` texts by the workflow's annotations, else by its defaults.

    Args:
        flow: the workflow.
        texts: as typed: "C=10", "path=other.npz".

    Returns:
        Parameter name -> value; only the given ones.

    Raises:
        WorkflowError: a text has no ``=``, a parameter is unknown, or a value does not fit its type.
    """
    parameters = flow.signature.parameters
    arguments: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise WorkflowError(f"argument {text!r}: write name=value, as in {_example(parameters)}.")
        if name not in parameters:
            close = difflib.get_close_matches(name, parameters, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" It has: {', '.join(parameters) or 'none'}."
            raise WorkflowError(f"workflow {flow.name} has no parameter {name!r}.{hint}")
        parameter = parameters[name]
        try:
            arguments[name] = _read(value, parameter.annotation, parameter.default)
        except (ValueError, SyntaxError, KeyError) as error:
            wanted = _type_name(parameter)
            raise WorkflowError(f"argument {text!r}: {value!r} is no {wanted} ({error}).") from None
    return arguments


def _read(text: str, annotation: Any, default: Any) -> Any:
    if isinstance(default, File) or annotation is File:
        return File(text, base=Path.cwd())
    if annotation is not inspect.Parameter.empty and not isinstance(annotation, str):
        return _read_as(text, annotation)
    if default is None or default is inspect.Parameter.empty:
        return _literal_or_text(text)
    return _read_as(text, type(default))


def _read_as(text: str, kind: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _read_first(text, typing.get_args(kind))
    if origin is typing.Literal:
        choices = {str(choice): choice for choice in typing.get_args(kind)}
        if text not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}")
        return choices[text]
    kind = origin or kind
    if kind in (typing.Any, object):
        return _literal_or_text(text)
    if kind is type(None):
        if text != "None":
            raise ValueError("not None")
        return None
    if kind is bool:
        return {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}[text.lower()]
    if kind is File:
        return File(text, base=Path.cwd())
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[text]
    if isinstance(kind, type) and issubclass(kind, list | tuple | set | frozenset | dict):
        value = ast.literal_eval(text)
        if not isinstance(value, kind):
            raise ValueError(f"it is a {type(value).__name__}")
        return value
    if kind in (int, float, complex, str) or (isinstance(kind, type) and issubclass(kind, Path)):
        return kind(text)
    return _literal_or_text(text)


def _read_first(text: str, kinds: Iterable[Any]) -> Any:
    # None first and text last, so that "None" and "10" find their own types.
    order = sorted(kinds, key=lambda kind: (kind is not type(None), kind is str))
    for kind in order:
        try:
            return _read_as(text, kind)
        except (ValueError, SyntaxError, KeyError):
            continue
    raise ValueError(f"none of {', '.join(getattr(kind, '__name__', str(kind)) for kind in order)}")


def _literal_or_text(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _type_name(parameter: inspect.Parameter) -> str:
    if parameter.annotation is not inspect.Parameter.empty:
        return getattr(parameter.annotation, "__name__", str(parameter.annotation))
    return type(parameter.default).__name__


def _example(parameters: Mapping[str, inspect.Parameter]) -> str:
    for name, parameter in parameters.items():
        if isinstance(parameter.default, int | float | str):
            return f"{name}={parameter.default}"
    return f"{next(iter(parameters), 'name')}=value"
