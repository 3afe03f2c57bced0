"""The same file as a script, by ``mile run``, imported and from another folder: one version, one store."""

from __future__ import annotations

import json

import pytest

from mile_rl.engine.project import find
from mile_rl.errors import SettingsError

POINTS = """
import dataclasses
import time

from mile_rl import op, workflow


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0

    def moved(self, by):
        return Point(self.x + by, self.y)


@op
def make(count=3):
    time.sleep(0.03)
    print("made")
    return [Point(i) for i in range(count)]


@op(stage="evaluate")
def total(points, by=1):
    time.sleep(0.03)
    assert all(type(point) is Point for point in points)
    return sum(point.moved(by).x for point in points)


@workflow
def points(by=1):
    made = make()
    return {"points": made, "total": total(made, by)}


if __name__ == "__main__":
    import json, sys

    report = points.using(quiet=True).run(by=int(sys.argv[1])).report
    print(json.dumps({"version": report.version, "states": {n.name: n.state for n in report.nodes},
                      "notes": report.notes, "signatures": {n.name: n.signature for n in report.nodes}}))
"""


@pytest.mark.parametrize("first", ["script", "mile"])
def test_a_script_and_mile_run_share_artifacts_of_classes_defined_in_the_script(desk, first):
    desk.write("points.py", POINTS)

    def script(by):
        said = json.loads(desk.python("points.py", str(by))[0].splitlines()[-1])
        return said["version"], said["states"], said["notes"], said["signatures"]

    def mile(by):
        report = desk.mile_json("run", "points.py", f"by={by}")
        states = {node["name"]: node["state"] for node in report["nodes"]}
        signatures = {node["name"]: node["signature"] for node in report["nodes"]}
        return report["version"], states, report["notes"], signatures

    one, other = (script, mile) if first == "script" else (mile, script)
    made = one(1)
    assert made[1] == {"make": "compute", "total": "compute"}
    again = other(1)
    assert again[3] == made[3]
    assert again[0] == made[0]
    assert again[1] == {"make": "load", "total": "load"}
    assert again[2] == []
    edited = other(2)
    assert edited[1] == {"make": "load", "total": "compute"}
    assert one(2)[1] == {"make": "load", "total": "load"}
    assert len(desk.mile_json("log")) == 4


def test_an_imported_workflow_and_another_working_directory_find_the_same_artifacts(desk, tmp_path_factory):
    desk.write("points.py", POINTS)
    first = desk.mile_json("run", "points.py")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    code = (
        "import points; i = points.points.using(quiet=True).run(); print([n.state for n in i.report.nodes])"
    )
    out, _ = desk.python(
        "-c", code, cwd=elsewhere, PYTHONPATH=f"{desk.environ()['PYTHONPATH']}:{desk.folder}"
    )
    assert out == "['load', 'load']\n"
    report = desk.mile_json("run", str(desk.folder / "points.py"), cwd=elsewhere, PYTHONHASHSEED="7")
    assert report["version"] == first["version"]
    assert [node["state"] for node in report["nodes"]] == ["load", "load"]


def test_what_an_operator_prints_leaves_the_json_alone(desk):
    desk.write("points.py", POINTS)
    out, err = desk.mile("run", "points.py", "--json")
    json.loads(out)
    assert "made" in err


PACKAGE = {
    "shop/__init__.py": "RATE = 2\n",
    "shop/prices/__init__.py": "",
    "shop/prices/tools.py": "from .. import RATE\n\n\ndef priced(x):\n    return x * RATE\n",
    "shop/prices/flow.py": """
        import time

        from mile_rl import op, workflow

        from . import tools
        from .tools import priced as price


        @op
        def pay(x):
            time.sleep(0.03)
            from ..late import extra

            return price(x) + tools.priced(1) + extra()


        @workflow
        def paid(x=1):
            return pay(x)


        @workflow(name="twice")
        def paid_twice(x=1):
            return pay(pay(x))
        """,
    "shop/late.py": "def extra():\n    return 0\n",
}


@pytest.fixture
def shop(desk):
    for name, text in PACKAGE.items():
        desk.write(name, text)
    return desk


def test_relative_imports_in_a_package_work_and_count(shop):
    def run():
        report = shop.mile_json("run", "shop/prices/flow.py:paid")
        return report["outputs"], report["nodes"][0]["state"]

    assert run() == (4, "compute")
    assert run() == (4, "load")
    shop.write("shop/__init__.py", "RATE = 3\n")
    assert run() == (6, "compute")
    shop.write("shop/late.py", "def extra():\n    return 100\n")
    assert run() == (106, "compute")
    out, _ = shop.python(
        "-c",
        "from shop.prices.flow import paid; i = paid.using(quiet=True).run(); "
        "print(i.outputs, [n.state for n in i.report.nodes])",
    )
    assert out == "106 ['load']\n"


def test_a_file_with_several_workflows_asks_which_and_knows_names(shop):
    _, err = shop.mile("run", "shop/prices/flow.py", code=1)
    assert "several workflows (paid, paid_twice)" in err
    assert shop.mile_json("run", "shop/prices/flow.py:twice")["outputs"] == 10
    again = shop.mile_json("run", "shop/prices/flow.py:paid_twice")
    assert [node["state"] for node in again["nodes"]] == ["prune", "load"]
    _, err = shop.mile("run", "shop/prices/flow.py:payd", code=1)
    assert "Did you mean 'paid'?" in err


def test_an_editable_install_is_the_persons_own_code(desk, tmp_path_factory):
    """What ``pip install -e`` leaves: a .pth file in a folder of packages that names the checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "edited.py").write_text("def helper(x):\n    return x + 1\n")
    site = tmp_path_factory.mktemp("env") / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (site / "edited.pth").write_text(f"{checkout}\n")
    (site / "edited-1.0.dist-info").mkdir()
    (site / "edited-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: edited\nVersion: 1.0\n"
    )
    desk.write(
        "flow.py",
        """
        import time
        import edited
        from mile_rl import op, workflow

        @op
        def step(x):
            time.sleep(0.03)
            return edited.helper(x)

        @workflow
        def flow(x=1):
            return step(x)
        """,
    )
    run = [
        "-c",
        f"import site; site.addsitedir({str(site)!r}); import sys; sys.argv = ['mile', 'run', 'flow.py', '--json']; "
        "from mile_rl.cli.main import main; main()",
    ]
    assert json.loads(desk.python(*run)[0])["outputs"] == 2
    assert json.loads(desk.python(*run)[0])["nodes"][0]["state"] == "load"
    (checkout / "edited.py").write_text("def helper(x):\n    return x + 2\n")
    assert json.loads(desk.python(*run)[0])["outputs"] == 3


def test_mile_home_and_settings_are_found_and_bad_ones_refused_by_name(desk, tmp_path_factory):
    desk.write("points.py", POINTS)
    home = tmp_path_factory.mktemp("home") / "state"
    desk.mile("run", "points.py", MILE_HOME=str(home))
    assert (home / "catalog.db").is_file()
    assert not (desk.folder / ".mile" / "catalog.db").exists()
    for variables, words in [
        ({"MILE_BUDGET": "lots"}, "'lots' is no number of bytes"),
        ({"MILE_JOBS": "0"}, "jobs = 0 must be at least 1"),
        ({"MILE_JOBS": "two"}, "jobs = 'two'"),
        ({"MILE_POLICY": "gdfs"}, "gdsf"),
        ({"MILE_EXECUTOR": "dask"}, "executor 'dask' is not known"),
        ({"MILE_WRITE_SHARE": "2"}, "write_share must lie in [0, 1]"),
        ({"MILE_WRITE_FRACTION": "nan"}, "write_fraction"),
        ({"MILE_STORE": "s3://bucket"}, "s3://bucket"),
    ]:
        _, err = desk.mile("plan", "points.py", code=1, **variables)
        assert err.startswith("error: ")
        assert words in err, (variables, err)
        assert "Traceback" not in err
    desk.write("pyproject.toml", '[tool.mile]\nbudget = "1MB"\njobz = 2\n')
    assert "Did you mean 'jobs'?" in desk.mile("plan", "points.py", code=1)[1]
    desk.write("pyproject.toml", "[tool.mile]\njobs = 2.5\n")
    assert "jobs = 2.5" in desk.mile("plan", "points.py", code=1)[1]
    desk.write("pyproject.toml", "[tool.mile]\njobs = true\n")
    assert "jobs = True" in desk.mile("plan", "points.py", code=1)[1]
    desk.write("pyproject.toml", "[tool.mile\n")
    assert "not valid TOML" in desk.mile("plan", "points.py", code=1)[1]
    desk.write("pyproject.toml", '[tool.mile]\nbudget = "1MB"\n')
    desk.mile("run", "points.py")
    assert desk.mile_json("store", "info")["budget_bytes"] == 1_000_000
    assert desk.mile_json("store", "info", MILE_BUDGET="2MB")["budget_bytes"] == 2_000_000


def test_a_missing_file_is_said_at_once(desk):
    desk.write(
        "flow.py",
        """
        from mile_rl import File, op, workflow

        @op
        def read(path):
            return path.read_text()

        @workflow
        def flow(path=File("nowhere.txt")):
            return read(path)
        """,
    )
    _, err = desk.mile("run", "flow.py", code=1)
    assert err.startswith("error: ")
    assert "nowhere.txt" in err
    assert len(err.splitlines()) <= 2
    (desk.folder / "here.txt").write_text("x")
    assert desk.mile_json("run", "flow.py", "path=here.txt")["outputs"] == "x"


def test_a_definition_in_a_notebook_cell_that_is_edited_recomputes(desk):
    """What IPython does: it compiles each cell under a name of its own and tells linecache its text."""
    cells = [
        "from mile_rl import op, workflow\nimport time, os",
        "def helper(x):\n    return x + 1",
        "@op\ndef step(x):\n    time.sleep(0.03)\n    return helper(x)",
        "@workflow\ndef flow(x=1):\n    return step(x)",
        "RUN",
        "RUN",
        "def helper(x):\n    # a comment\n    return x + 1",
        "RUN",
        "def helper(x):\n    return x + 2",
        "RUN",
        "@op\ndef step(x):\n    time.sleep(0.03)\n    return 10 * helper(x)",
        "RUN",
        "def helper(x):\n    return x + 1",
        "@op\ndef step(x):\n    time.sleep(0.03)\n    return helper(x)",
        "RUN",
    ]
    driver = (
        "import json, linecache, sys, types\n"
        f"cells = {cells!r}\n"
        "main = types.ModuleType('__main__'); sys.modules['__main__'] = main; space = vars(main)\n"
        "seen = []\n"
        "for number, cell in enumerate(cells):\n"
        "    name = f'/tmp/ipykernel_1/{number}.py'\n"
        "    if cell == 'RUN':\n"
        "        done = space['flow'].using(quiet=True).run()\n"
        "        seen.append([done.outputs, done.report.nodes[0].state])\n"
        "        continue\n"
        "    linecache.cache[name] = (len(cell), None, [l + chr(10) for l in cell.splitlines()], name)\n"
        "    exec(compile(cell, name, 'exec'), space)\n"
        "print(json.dumps(seen))\n"
    )
    out, _ = desk.python("-c", driver)
    assert json.loads(out) == [
        [2, "compute"], [2, "load"], [2, "load"], [3, "compute"], [30, "compute"], [2, "load"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "policy"), [("[tool.mile]\npolicy = 'lru'", "lru"), ("[tool]\nmile = {policy = 'lru'}", "lru")]
)
def test_settings_may_be_written_as_any_table(tmp_path, text, policy):
    (tmp_path / "pyproject.toml").write_text(text)
    assert find(tmp_path, environ={}).settings.policy == policy


@pytest.mark.parametrize("text", ["[tool]\nmile = 3", "[tool.mile]\nwrite_allowance_ms = inf"])
def test_settings_that_make_no_sense_are_refused_in_words(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(SettingsError):
        find(tmp_path, environ={})
