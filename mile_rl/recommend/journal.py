"""Which learners each iteration was made of: the code is gone once it is edited, so it is noted when it runs.

One line of JSON an iteration in ``.mile/learners.jsonl``. An iteration that is missing there is simply one of
which nothing is known.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mile_rl.engine.project import Project
from mile_rl.workflows.flow import Flow

log = logging.getLogger(__name__)

FILE = "learners.jsonl"

_MARK = b"sklearn"

_TAIL = 65_536


def note(flow: Flow[..., Any], iteration: int | None, project: Project, *, text: str | None = None) -> None:
    """Note the learners of an iteration that has run.

    Costs one look at the file where it does not mention scikit-learn or has not changed since the last note,
    and reading its syntax where it has; what goes wrong costs a recommendation, never a run.

    Args:
        flow: the workflow; in a notebook it has no file, and nothing is noted.
        iteration: its number in the catalog, None where it was not recorded.
        project: where the state lives.
        text: what the file's text would be, for a what-if iteration.
    """
    source = flow.function.__globals__.get("__file__")
    if iteration is None or not source:
        return
    try:
        content = Path(source).read_bytes() if text is None else text.encode()
        if _MARK not in content or "sklearn" not in sys.modules:
            return
        path = project.home / FILE
        digest = hashlib.blake2b(content, digest_size=8).hexdigest()
        last = _last(path)
        found = last["learners"] if last.get("text") == digest else _learners(content.decode())
        if found:
            line = json.dumps({"iteration": iteration, "text": digest, "learners": found}) + "\n"
            with path.open("a", encoding="utf-8") as file:
                file.write(line)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        log.info("the learners of iteration %s were not noted: %s", iteration, error)


def _learners(text: str) -> list[dict[str, Any]]:
    from mile_rl.recommend.scan import Scan

    scan = Scan(text)
    return [learner.to_json() for name in scan.functions for learner in scan.learners(name)]


def _last(path: Path) -> dict[str, Any]:
    """Return the last line, {} where there is none or it is longer than what is looked at."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - _TAIL, 0))
            record = json.loads(file.read().rstrip(b"\n").rpartition(b"\n")[2])
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and isinstance(record.get("learners"), list) else {}


def read(project: Project) -> dict[int, Sequence[Mapping[str, Any]]]:
    """Return iteration -> its learners, as ``Learner.to_json`` tells them; broken lines are left out."""
    found: dict[int, Sequence[Mapping[str, Any]]] = {}
    try:
        lines = (project.home / FILE).read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            record = json.loads(line)
            found[int(record["iteration"])] = list(record["learners"])
        except (ValueError, KeyError, TypeError):
            continue
    return found
