"""Files that operators find by themselves: whatever changes what they find is seen, as if nothing were kept."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from mile_rl import op, workflow

pytestmark = pytest.mark.usefixtures("always_decide")


@op
def text_at(path):
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return "nothing"


@op
def both_texts(one, other):
    return Path(one).read_text(), Path(other).read_text()


def scratch(desk, flow, **kwargs):
    """What a run in a project without a past returns."""
    project = desk.project()
    fresh = replace(project, home=desk.folder / f"fresh{len(list(desk.folder.iterdir()))}")
    return desk.run(flow, project=fresh, **kwargs).outputs


def test_a_file_that_was_looked_for_in_vain_counts_when_it_appears(desk):
    options = desk.folder / "options.json"

    @workflow
    def flow(path=str(options)):
        return text_at(path)

    first = desk.run(flow)
    assert first.outputs == "nothing"
    assert any("looked for" in note and "options.json" in note for note in first.report.notes)
    assert desk.run(flow).report.nodes[0].state == "load"
    options.write_text("here")
    assert desk.run(flow).outputs == "here"
    options.unlink()
    assert desk.run(flow).outputs == "nothing"


def test_a_link_that_leads_elsewhere_is_another_file(desk):
    for name in ("one", "two"):
        (desk.folder / name).write_text(name)
    link = desk.folder / "current"
    link.symlink_to("one")

    @workflow
    def flow(path=str(link)):
        return text_at(path)

    assert desk.run(flow).outputs == "one"
    link.unlink()
    link.symlink_to("two")
    assert desk.run(flow).outputs == "two"


def test_a_relative_path_goes_by_the_folder_of_the_run(desk):
    for name in ("one", "two"):
        (desk.folder / name).mkdir()
        (desk.folder / name / "data.txt").write_text(name)

    @workflow
    def flow(path="data.txt"):
        return text_at(path)

    os.chdir(desk.folder / "one")
    assert desk.run(flow).outputs == "one"
    os.chdir(desk.folder / "two")
    assert desk.run(flow).outputs == "two"


def test_two_files_of_one_name_that_change_places(desk):
    for name in ("train", "test"):
        (desk.folder / name).mkdir()
        (desk.folder / name / "data.txt").write_text(name)

    @workflow
    def flow(one=str(desk.folder / "train" / "data.txt"), other=str(desk.folder / "test" / "data.txt")):
        return both_texts(one, other)

    assert desk.run(flow).outputs == ("train", "test")
    (desk.folder / "train" / "data.txt").write_text("test")
    (desk.folder / "test" / "data.txt").write_text("train")
    assert desk.run(flow).outputs == ("test", "train") == scratch(desk, flow)


@op
def add_file(folder, name, k):
    Path(folder, name).write_text(str(k))
    return k


@op
def names_in(folder, after):
    return sorted(os.listdir(folder))


def test_what_appears_in_a_listed_folder_while_the_run_goes_on_is_not_filed_under_its_old_names(desk):
    folder = desk.folder / "parts"
    folder.mkdir()

    @workflow
    def flow(name="a", k=1):
        return names_in(str(folder), add_file(str(folder), name, k))

    assert desk.run(flow).outputs == ["a"]
    assert desk.run(flow, name="b").outputs == ["a", "b"]
    (folder / "b").unlink()
    assert desk.run(flow, name="a").outputs == ["a"]


BESIDE = """
from pathlib import Path
from mile_rl import op, workflow

@op
def read():
    return Path({}"data.txt").read_text()

@workflow
def flow():
    return read()
"""


@pytest.mark.parametrize(
    "place", ["__file__).parent.joinpath(", "(lambda: 0).__code__.co_filename).parent.joinpath("]
)
def test_a_copied_folder_of_code_finds_its_own_files(desk, place):
    from mile_rl.engine.loading import load_workflow

    for name in ("one", "two"):
        desk.write(f"{name}/flow.py", BESIDE.format(place))
        desk.write(f"{name}/data.txt", name)
    assert desk.run(load_workflow(str(desk.folder / "one" / "flow.py"))).outputs == "one"
    sys.modules.pop("flow")
    assert desk.run(load_workflow(str(desk.folder / "two" / "flow.py"))).outputs == "two"


@op
def looks_where_modules_are_looked_for(name):
    # As what stands in for parts of the standard library does.
    with suppress(FileNotFoundError):
        Path(next(entry for entry in sys.path if entry.endswith(name))).read_bytes()
    return 1


@op
def asks_for_a_version(k):
    import importlib.metadata

    return importlib.metadata.version("numpy")


def test_where_the_import_system_looks_in_vain_does_not_count(desk, monkeypatch):
    monkeypatch.syspath_prepend(str(desk.folder / "nowhere.zip"))

    @workflow
    def flow():
        return asks_for_a_version(1), looks_where_modules_are_looked_for("nowhere.zip")

    assert not desk.run(flow).report.notes
