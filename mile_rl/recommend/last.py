"""Which workflow ran last in a project."""

from __future__ import annotations

from pathlib import Path

from mile_rl.engine.history import opened
from mile_rl.engine.project import find
from mile_rl.engine.versions import WHAT_IF
from mile_rl.errors import StoreError


def last_target(start: Path) -> str:
    """Return the workflow that ran last as the command line names it: ``file.py:name``.

    Args:
        start: a folder of the project.

    Raises:
        StoreError: nothing ran here, or only from a notebook.
    """
    project = find(start)
    nothing = StoreError(
        "nothing was run here yet: name a workflow's file, as in `mile recommend digits.py`."
    )
    if not project.settings.catalog and not (project.home / "catalog.db").exists():
        raise nothing
    with opened(project) as catalog:
        for iteration in catalog.iterations(limit=50):
            record = iteration.record
            if record.source and Path(record.source).is_file() and not record.workflow.endswith(WHAT_IF):
                return f"{record.source}:{record.workflow.rpartition(':')[2]}"
    raise nothing
