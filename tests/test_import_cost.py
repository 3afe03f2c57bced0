"""What is imported, since that is most of what a short command costs: which modules, not how long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WORKSHOP = {
    "torch",
    "gymnasium",
    "stable_baselines3",
    "mlflow",
    "openml",
    "dask",
    "onnxruntime",
    "numba",
    "traces",
}
HEAVY = {
    "numpy", "pandas", "networkx", "sqlalchemy", "ortools", "sklearn", "scipy", "pyarrow", "polars", "matplotlib",
    "joblib", "fsspec", "skops",
} | WORKSHOP  # fmt: skip

PLAIN = """
import time
from mile_rl import op, workflow

@op
def make():
    time.sleep(0.05)
    return list(range(1000))

@op(stage="evaluate")
def total(rows, k=1):
    time.sleep(0.05)
    return sum(rows) * k

@workflow
def plain(k=1):
    return total(make(), k)
"""


def _loaded(code: str, folder: Path) -> set[str]:
    """Return the top-level modules that are loaded after some code has run in a process of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MILE_")}
    said = subprocess.run(
        [sys.executable, "-c", code + "\nimport sys; print('|' + ' '.join(sorted(sys.modules)))"],
        env=kept | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return {name.partition(".")[0] for name in said.stdout.rpartition("|")[2].split()}


def _main(*words: str) -> str:
    return (
        f"import sys; sys.argv = {['mile', *words]!r}\n"
        "from mile_rl.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    )


def test_importing_the_package_loads_nothing_heavy(tmp_path):
    assert _loaded("import mile_rl", tmp_path) & HEAVY == set()


def test_defining_and_capturing_a_workflow_loads_nothing_heavy(tmp_path):
    assert (
        _loaded(PLAIN + "\nassert plain.capture().nodes\nassert plain() == 499500", tmp_path) & HEAVY == set()
    )


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("store", "--help")], ids=" ".join)
def test_help_loads_nothing_heavy(tmp_path, words):
    assert _loaded(_main(*words), tmp_path) & (HEAVY | {"rich"}) == set()


@pytest.mark.parametrize(
    "words", [("run", "plain.py"), ("run", "plain.py", "k=2"), ("plan", "plain.py")], ids=" ".join
)
def test_a_run_of_plain_python_loads_no_library_that_it_does_not_use(tmp_path, words):
    (tmp_path / ".mile").mkdir()
    (tmp_path / "plain.py").write_text(PLAIN)
    for _ in range(2):  # a first run writes, a second one loads
        assert _loaded(_main(*words), tmp_path) & (HEAVY - {"numpy"}) == set()


@pytest.mark.parametrize(
    "words",
    [
        ("log",),
        ("store", "ls"),
        ("store", "info"),
        ("store", "verify"),
        ("diff", "1", "1", "--html", "diff.html"),
        ("report", "--no-recommend"),
    ],
    ids=" ".join,
)
def test_looking_at_what_was_done_loads_no_library_of_the_workflow(tmp_path, words):
    (tmp_path / ".mile").mkdir()
    (tmp_path / "plain.py").write_text(PLAIN)
    _loaded(_main("run", "plain.py"), tmp_path)
    assert _loaded(_main(*words), tmp_path) & (HEAVY - {"numpy"}) == set()


def test_an_array_is_kept_and_loaded_without_pandas(tmp_path):
    (tmp_path / ".mile").mkdir()
    source = PLAIN.replace("list(range(1000))", "np.arange(1000)").replace(
        "import time", "import time\nimport numpy as np"
    )
    (tmp_path / "plain.py").write_text(source)
    for _ in range(2):
        assert _loaded(_main("run", "plain.py"), tmp_path) & (HEAVY - {"numpy"}) == set()
