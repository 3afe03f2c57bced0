"""Which workflow ran last in a project."""

from __future__ import annotations

from pathlib import Path

from mile_rl.engine.history import opened
from mile_rl.engine.project import find
from mile_rl.engine.versions import CROSS_VALIDATION, WHAT_IF
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
    searched = False
    with opened(project) as catalog:
        for iteration in catalog.iterations(limit=50):
            record = iteration.record
            searched |= record.workflow.rpartition(":")[2] == CROSS_VALIDATION
            if record.source and Path(record.source).is_file() and not record.workflow.endswith(WHAT_IF):
                return f"{record.source}:{record.workflow.rpartition(':')[2]}"
    if searched:
        raise StoreError(
            "only searches and cross-validations ran here: put their pipeline into a workflow with "
            "mile_rl.sklearn.pipeline_workflow and `mile run` its file; then there is something to recommend for."
        )
    raise nothing
