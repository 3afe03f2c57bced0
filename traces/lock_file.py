"""The text of a ``dvc.lock`` file -> its stages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mile_rl.workflows.edits import Scalar
from traces.dvc_rules import category, dependency_kind, overlaps, program
from traces.dvc_stages import Dependency, LockStage
from traces.errors import BadRow
from traces.values import plain

_SECRET = re.compile(r"secret|passw|token|api_?key|credential", re.IGNORECASE)
_DIGESTS = ("md5", "etag", "checksum", "hash")
_LONGEST_LIST = 200


def parse_lock(content: bytes, pseudonym: Callable[[str], str]) -> list[LockStage]:
    """Return the stages of a lock file of schema 1 or 2.

    Args:
        content: the file.
        pseudonym: digests a full command, which may name people and places.

    Raises:
        BadRow: the content is no lock file.
    """
    import yaml  # type: ignore[import-untyped]

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(content, Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise BadRow("the lock file is no YAML", str(error).splitlines()[0]) from None
    if document is None:
        return []
    if not isinstance(document, Mapping):
        raise BadRow("the lock file is no mapping")
    stages = document.get("stages", {}) if "schema" in document else document
    if not isinstance(stages, Mapping) or not all(isinstance(stage, Mapping) for stage in stages.values()):
        raise BadRow("the lock file has no stages")
    try:
        return _stages(stages, pseudonym)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadRow("a stage of the lock file is not put together as it should be", repr(error)) from None


def _stages(stages: Mapping[str, Mapping[str, Any]], pseudonym: Callable[[str], str]) -> list[LockStage]:
    outputs = {name: [str(out["path"]) for out in stage.get("outs") or ()] for name, stage in stages.items()}
    found = []
    for name, stage in stages.items():
        dependencies = stage.get("deps") or ()
        command = stage.get("cmd") or ""
        text = command if isinstance(command, str) else "\n".join(map(str, command))
        sizes = [out.get("size") for out in stage.get("outs") or ()]
        ran = program(command)
        others = [path for other, paths in outputs.items() if other != name for path in paths]
        found.append(
            LockStage(
                name=str(name),
                category=category(str(name), ran),
                program=ran,
                command_digest=pseudonym(text) if text else "",
                dependencies=tuple(_dependency(item, others) for item in dependencies),
                parameters=_parameters(stage.get("params") or {}),
                output_bytes=None if any(size is None for size in sizes) else sum(sizes),
                parents=_parents(str(name), dependencies, outputs),
            )
        )
    return found


def _dependency(item: Mapping[str, Any], outputs: Sequence[str]) -> Dependency:
    path = str(item["path"])
    digest = next((str(item[name]) for name in _DIGESTS if item.get(name)), "")
    return Dependency(path=path, digest=digest, kind=dependency_kind(path, outputs))


def _parents(
    name: str, dependencies: Sequence[Mapping[str, Any]], outputs: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    paths = [str(item["path"]) for item in dependencies]
    return tuple(
        sorted(
            str(other)
            for other, own in outputs.items()
            if other != name and any(overlaps(output, path) for output in own for path in paths)
        )
    )


def _parameters(files: Mapping[str, Any]) -> dict[str, Scalar]:
    """Flatten the parameters; names from files other than params.* start with the file's name."""
    flat: dict[str, Scalar] = {}
    for file, values in files.items():
        base = str(file).rpartition("/")[2]
        prefix = "" if base.startswith("params.") else f"{file}:"
        _flatten(values, prefix, flat)
    return flat


def _flatten(values: Any, prefix: str, flat: dict[str, Scalar]) -> None:
    if not isinstance(values, Mapping):
        flat[prefix.rstrip(".:") or "params"] = plain(values)
        return
    for name, value in values.items():
        if _SECRET.search(str(name)):
            continue
        if isinstance(value, Mapping):
            _flatten(value, f"{prefix}{name}.", flat)
        elif isinstance(value, list):
            flat[f"{prefix}{name}"] = json.dumps(value, default=str)[:_LONGEST_LIST]
        else:
            flat[f"{prefix}{name}"] = plain(value)
