"""The examples of docs/sklearn.md run and say what the text says."""

import re
from pathlib import Path

from mile_rl.store.catalog import Catalog

TEXT = (Path(__file__).parents[2] / "docs" / "sklearn.md").read_text()


def test_the_examples_run_and_count_what_the_text_counts(capsys, project):
    blocks = [
        block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "OpenmlApi" not in block
    ]
    space = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, "docs/sklearn.md", "exec"), space)
    counts = space["search"].counts_
    assert counts.computed == 2 * (2 + 4) * 3
    assert space["more"].counts_.tasks_computed == 12
    assert "12 of 36" in capsys.readouterr().out
    assert len(space["done"]["test_score"]) == 3
    recorded = Catalog.open(project / ".mile" / "catalog.db").iterations()
    assert [one.record.workflow for one in recorded] == ["digits", "cross-validation", "cross-validation"]
