"""``File``: where it is looked up, and what equals what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mile_rl import File


def file_written_in(folder: Path | None, text: str) -> File:
    """Return ``File(text)`` as a Python file in a folder (or a notebook) would write it."""
    space = {"File": File, "text": text} | ({"__file__": str(folder / "flow.py")} if folder else {})
    return eval("File(text)", space)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_relative_path_starts_beside_the_file_that_writes_it(tmp_path, elsewhere):
    (tmp_path / "data.txt").touch()
    (elsewhere / "data.txt").touch()
    assert file_written_in(tmp_path, "data.txt").path == tmp_path / "data.txt"
    assert file_written_in(tmp_path, "../x").path == tmp_path.parent / "x"


def test_where_nothing_lies_there_the_working_directory_is_tried(tmp_path, elsewhere):
    (elsewhere / "only.txt").touch()
    assert file_written_in(tmp_path, "only.txt").path == elsewhere / "only.txt"
    assert file_written_in(tmp_path, "nowhere.txt").path == tmp_path / "nowhere.txt"


def test_a_notebook_has_the_working_directory_alone(elsewhere):
    assert file_written_in(None, "data.txt").path == elsewhere / "data.txt"


def test_absolute_paths_home_and_a_given_base(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert File("/data/x.npz").path == Path("/data/x.npz")
    assert File("~/x.npz").path == tmp_path / "x.npz"
    assert File("x.npz", base=tmp_path).path == tmp_path / "x.npz"
    assert File(tmp_path / "a" / ".." / "x").path == tmp_path / "x"


def test_a_file_is_a_path_for_python_and_equal_by_place(tmp_path):
    (tmp_path / "x.txt").write_text("1")
    file = File(tmp_path / "x.txt")
    assert os.fspath(file) == str(tmp_path / "x.txt")
    with open(file) as opened:
        assert opened.read() == "1"
    assert file == File("x.txt", base=tmp_path)
    assert len({file, File("x.txt", base=tmp_path)}) == 1
    assert file != File("y.txt", base=tmp_path)
    assert file != str(tmp_path / "x.txt")
    assert (file.name, repr(File("a/x.txt"))) == ("x.txt", "File('a/x.txt')")
