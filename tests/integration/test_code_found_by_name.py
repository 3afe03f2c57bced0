"""Code that an operator finds by a name in data: in a pickle, or by a computed import."""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace

import pytest

from mile_rl.engine.loading import load_workflow
from mile_rl.workflows.bytecode import Use, scan

pytestmark = pytest.mark.usefixtures("always_decide")


def outputs_of(desk, *, scratch=False):
    """What a fresh process returns, with or without a past."""
    for name in ("flow", "models", "rules", "plugins", "plugins.one"):
        sys.modules.pop(name, None)
    project = desk.project()
    if scratch:
        project = replace(project, home=desk.folder / f"home{len(list(desk.folder.iterdir()))}")
    return desk.run(load_workflow(str(desk.folder / "flow.py")), project=project).outputs


PICKLED = """
import pickle
import models
from mile_rl import File, op, workflow
@op
def use(path):
    with open(path, "rb") as file:
        return pickle.load(file).go()
@workflow
def flow():
    return use(File("model.pickle"))
"""


def test_the_class_of_what_an_operator_unpickles_counts_with_its_helpers(desk):
    desk.write("flow.py", PICKLED)
    desk.write("models.py", "import rules\nclass Model:\n    def go(self): return rules.rule(1)\n")
    desk.write("rules.py", "def rule(x): return x\n")
    sys.path.insert(0, str(desk.folder))
    import models

    (desk.folder / "model.pickle").write_bytes(pickle.dumps(models.Model()))
    assert outputs_of(desk) == 1
    desk.write("models.py", "import rules\nclass Model:\n    def go(self): return rules.rule(2)\n")
    assert outputs_of(desk) == 2
    desk.write("rules.py", "def rule(x): return x + 10\n")
    assert outputs_of(desk) == 12


BY_NAME = """
import importlib
from mile_rl import op, workflow
@op
def first(name):
    return importlib.import_module(f"plugins.{name}").go()
@op
def second(name):
    return importlib.import_module("plugins." + name).go() + 10
@workflow
def flow():
    return first("one"), second("one")
"""


def test_a_module_that_another_operator_imported_first_counts_too(desk):
    desk.write("flow.py", BY_NAME)
    desk.write("plugins/__init__.py", "")
    for result in (1, 2, 1):
        desk.write("plugins/one.py", f"def go(): return {result}\n")
        assert outputs_of(desk) == (result, result + 10)


@pytest.mark.parametrize("name", ['f"A{x}"', '"A" + x', '"A{}".format(x)', '"A%s" % x', '"".join(x)'])
def test_an_argument_that_only_begins_with_a_text_is_no_name(name):
    space: dict = {}
    exec(f"def computed(x): return load({name}, 1)\ndef constant(x): return load('A', x)\n", space)
    assert Use("load") in scan(space["computed"].__code__).uses
    assert scan(space["constant"].__code__).uses == (Use("load", key="A"),)
