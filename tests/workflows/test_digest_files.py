from __future__ import annotations

import os

import pytest

from mile_rl.errors import MissingFile
from mile_rl.workflows.digest import digest, digest_file
from mile_rl.workflows.file import File


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"abc")
    status, before = path.stat(), digest_file(path)
    path.write_bytes(b"abd")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert digest_file(path) != before
    path.write_bytes(b"abc")
    assert digest_file(path) == before


def test_neither_place_nor_time_counts(tmp_path):
    (tmp_path / "one").write_bytes(b"abc" * 1_000_000)
    (tmp_path / "two").write_bytes(b"abc" * 1_000_000)
    os.utime(tmp_path / "two", (1, 1))
    assert digest_file(tmp_path / "one") == digest_file(tmp_path / "two")


def test_the_last_byte_of_a_large_file_counts(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(b"x" * 3_000_000)
    before = digest_file(path)
    path.write_bytes(b"x" * 2_999_999 + b"y")
    assert digest_file(path) != before
    path.write_bytes(b"x" * 3_000_001)
    assert digest_file(path) != before


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    (folder / "inner" / "b.csv").write_text("2")
    return folder


def change_content(folder):
    (folder / "inner" / "b.csv").write_text("3")


def add_file(folder):
    (folder / "c.csv").write_text("")


def add_folder(folder):
    (folder / "empty").mkdir()


def rename(folder):
    (folder / "a.csv").rename(folder / "z.csv")


def rename_in_order(folder):
    (folder / "a.csv").rename(folder / "b.csv")


def move(folder):
    (folder / "inner" / "b.csv").rename(folder / "b.csv")


def swap(folder):
    (folder / "a.csv").write_text("2")
    (folder / "inner" / "b.csv").write_text("1")


def file_for_folder(folder):
    (folder / "inner" / "b.csv").unlink()
    (folder / "inner").rmdir()
    (folder / "inner").write_text("")


@pytest.mark.parametrize(
    "edit",
    [change_content, add_file, add_folder, rename, rename_in_order, move, swap, file_for_folder],
    ids=lambda f: f.__name__,
)
def test_every_change_inside_a_folder_is_seen(folder, edit):
    before = digest_file(folder)
    assert digest_file(folder) == before
    edit(folder)
    assert digest_file(folder) != before


def test_a_folder_counts_by_relative_names(folder, tmp_path):
    before = digest_file(folder)
    folder.rename(tmp_path / "elsewhere")
    assert digest_file(tmp_path / "elsewhere") == before


def test_a_link_counts_as_what_it_leads_to(folder, tmp_path):
    (tmp_path / "target").write_text("9")
    (folder / "link").symlink_to(tmp_path / "target")
    before = digest_file(folder)
    (tmp_path / "target").write_text("8")
    assert digest_file(folder) != before


def test_a_link_upwards_ends(folder):
    (folder / "inner" / "up").symlink_to(folder)
    assert digest_file(folder) == digest_file(folder)


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    for path in (tmp_path / "gone.csv", tmp_path / "no" / "folder"):
        with pytest.raises(MissingFile, match=r"(gone\.csv|folder).*check the path"):
            digest_file(path)
    (tmp_path / "dangling").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(MissingFile):
        digest_file(tmp_path)


def test_a_declared_file_counts_by_name_and_content(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("same")
        (tmp_path / folder / "y.csv").write_text("same")
    x = digest(File(tmp_path / "one" / "x.csv"))
    assert digest(File(tmp_path / "two" / "x.csv")) == x
    assert digest(File(tmp_path / "one" / "y.csv")) != x
    (tmp_path / "one" / "x.csv").write_text("other")
    assert digest(File(tmp_path / "one" / "x.csv")) != x
