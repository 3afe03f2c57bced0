"""Pickles survive a script that runs as ``__main__`` here and is imported there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import ArtifactMeta
from mile_rl.store.store import Store

class Model:
    class Inner:
        pass
    def __init__(self, x):
        self.x = x

def helper():
    return 5

def open_store(root):
    return Store.open(Path(root), budget_bytes=1 << 20, catalog=Catalog.open(Path(root) / "c.db"))

def put(root, signature):
    meta = ArtifactMeta(workflow="w", node="n", output="result", operator="o", stage="learn")
    value = [Model(3), Model, Model.Inner(), helper]
    result = open_store(root).put(signature, value, meta=meta)
    assert result.kept, result.reason

def get(root, signature):
    result = open_store(root).get(signature)
    assert result.found, result.reason
    model, kind, inner, function = result.value
    assert type(model) is Model and kind is Model and type(inner) is Model.Inner and function is helper
    assert model.x == 3
    print("ok")

if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2], sys.argv[3])
"""


def python(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_script_and_module_read_each_others_artifacts(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(SCRIPT)
    root = str(tmp_path / "store")
    Path(root).mkdir()
    python(tmp_path, "models.py", "put", root, "by-script")
    python(tmp_path, "-c", f"import models; models.put({root!r}, 'by-module')")
    for signature in ("by-script", "by-module"):
        assert python(tmp_path, "models.py", "get", root, signature) == "ok\n"
        assert python(tmp_path, "-c", f"import models; models.get({root!r}, {signature!r})") == "ok\n"
        assert python(tmp_path, "-m", "models", "get", root, signature) == "ok\n"


def test_class_that_is_gone_is_missing_and_counted(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(SCRIPT)
    root = str(tmp_path / "store")
    Path(root).mkdir()
    python(tmp_path, "models.py", "put", root, "s")
    code = (
        "import models; store = models.open_store({0!r}); del models.Model; result = store.get('s'); "
        "print(result.found, store.info().counters, store.used_bytes())"
    )
    assert python(tmp_path, "-c", code.format(root)) == "False {'unreadable': 1} 0\n"


def test_store_imports_no_library_that_the_values_do_not_need(tmp_path: Path) -> None:
    code = (
        "import sys; from mile_rl.store.catalog import Catalog; from mile_rl.store.store import Store; "
        "from mile_rl.store.records import ArtifactMeta; from pathlib import Path; "
        "store = Store.open(Path('.'), budget_bytes=1 << 20, catalog=Catalog.open(Path('c.db'))); "
        "meta = ArtifactMeta(workflow='w', node='n', output='r', operator='o', stage='learn'); "
        "assert store.put('s', {'a': [1]}, meta=meta).kept and store.get('s').found; "
        "heavy = {'numpy', 'pandas', 'pyarrow', 'polars', 'scipy', 'sklearn', 'sqlalchemy', 'networkx'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert python(tmp_path, "-c", code) == "[]\n"
