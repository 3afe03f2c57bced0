"""Small projects of a person's, written to a folder, imported afresh and signed."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mile_rl.workflows.dag import Dag
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.sign import NodeSignature, Signer


@contextlib.contextmanager
def imported(folder: Path, files: Mapping[str, str]) -> Iterator[Dag]:
    """Write files, import ``wf`` from them as a new process would, and yield the DAG of its ``wf``."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = dict(sys.modules)
    # Code that evaluates text reaches every module that is loaded, and the tests are not the person's.
    tests = str(Path(__file__).parents[1])
    hidden = {name for name in before if str(getattr(before[name], "__file__", "")).startswith(tests)}
    for name in hidden:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        module = importlib.import_module("wf")
        yield Flow(module.wf).capture()
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - set(before):
            if _lies_in(folder, name):
                del sys.modules[name]
        sys.modules.update({name: before[name] for name in hidden})
        sys.path_importer_cache.pop(str(folder), None)


def _lies_in(folder: Path, name: str) -> bool:
    space = vars(sys.modules[name])
    return str(space.get("__file__") or [*space.get("__path__", ()), ""][0]).startswith(str(folder))


def signed(folder: Path, files: Mapping[str, str]) -> NodeSignature:
    """Return the signature of the node whose output the workflow returns first."""
    with imported(folder, files) as dag:
        return Signer().sign(dag)[dag.requested[0].node]
