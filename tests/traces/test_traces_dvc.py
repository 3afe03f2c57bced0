"""Lock files in Git, and the published table of them."""

import gzip
import json

import pytest
from made_repository import PERSON, VERSIONS, commit, git, lock, make_repository, table_rows
from trace_source_contract import TraceSourceContract

from mile_rl.workflows.edits import ChangeClass
from traces.dvc_rules import category, dependency_kind, program
from traces.dvc_stages import LockStage, lock_components
from traces.errors import BadRow, NotWhatItClaims
from traces.lock_file import parse_lock
from traces.people import Pseudonyms
from traces.sources.base import Tally
from traces.sources.dvc_lock import DvcLock
from traces.sources.tables import DvcTable

PSEUDONYMS = Pseudonyms(b"s" * 32)


def write_table(path, rows):
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


class TestDvcLock(TraceSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return DvcLock(make_repository(tmp_path / "repository"), PSEUDONYMS)

    @pytest.fixture
    def names(self):
        return (PERSON, "Ada", "hush", "--fast")

    @pytest.fixture
    def broken(self, tmp_path):
        return lambda: DvcLock(tmp_path, PSEUDONYMS)


class TestDvcTable(TraceSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return DvcTable(write_table(tmp_path / "dvc_versions.jsonl.gz", table_rows()))

    @pytest.fixture
    def broken(self, tmp_path):
        path = tmp_path / "dvc_versions.jsonl.gz"
        path.write_text("not gzipped at all")
        return lambda: DvcTable(path)


def shape(history):
    """What must not depend on where a history was read: everything but digests and pseudonyms."""
    return [
        (
            iteration.index,
            iteration.parent,
            iteration.change,
            iteration.returns_to,
            iteration.start_ms,
            [
                (edit.kind, edit.node, edit.stage, edit.operator, edit.before, edit.parameter)
                for edit in iteration.edits
            ],
            [
                (
                    each.name,
                    each.operator,
                    each.stage,
                    each.category,
                    each.parents,
                    each.size_bytes,
                    sorted(each.parts),
                )
                for each in iteration.components
            ],
        )
        for iteration in history.iterations
    ]


def test_git_and_the_table_tell_the_same_of_one_repository(tmp_path):
    (from_git,) = DvcLock(make_repository(tmp_path / "repository"), PSEUDONYMS).histories(Tally())
    path = write_table(tmp_path / "dvc_versions.jsonl.gz", table_rows())
    (from_table,) = DvcTable(path).histories(Tally())
    assert shape(from_git) == shape(from_table)


def test_each_commit_is_the_edit_that_was_made(tmp_path):
    (history,) = DvcLock(make_repository(tmp_path / "repository"), PSEUDONYMS).histories(Tally())
    told = [
        [(edit.kind, edit.node, edit.parameter, edit.old, edit.new) for edit in iteration.edits]
        for iteration in history.iterations
    ]
    assert told[1] == [("parameter", "train", "train.C", 1.0, 10.0)]
    assert told[2] == [("code", "prepare", None, None, None)]
    assert sorted(told[3]) == [("add", "split", None, None, None), ("data", "prepare", None, None, None)]
    assert [edit[:3] for edit in told[4]] == [("parameter", "train", "cmd")]
    assert {edit[:3] for edit in told[5]} >= {
        ("remove", "split", None),
        ("parameter", "train", "config conf/model.yaml"),
    }
    assert history.iterations[6].returns_to == 2
    assert history.iterations[6].change is ChangeClass.RETURN
    assert told[7] == [("replace", "prepare", None, None, None)]
    assert [each.name for each in history.iterations[0].components] == ["prepare", "train", "evaluate"]
    assert history.iterations[0].components[1].size_bytes == 42
    assert "api_token" not in repr(history)


def test_branches_keep_their_parents_and_copies_are_left_out(tmp_path):
    folder = make_repository(tmp_path / "repository", VERSIONS[:2])
    git(folder, "checkout", "-qb", "side", "HEAD~1")
    commit(folder, lock(C=0.1), 1_600_010_000)
    git(folder, "checkout", "-q", "main")
    commit(folder, lock(C=100.0), 1_600_020_000)
    commit(folder, lock(C=0.1), 1_600_030_000)
    tally = Tally()
    (history,) = DvcLock(folder, PSEUDONYMS).histories(tally)
    assert [iteration.parent for iteration in history.iterations] == [None, 0, 0, 1]
    assert tally.left_out == {"same content on another line of history": 1}
    (edit,) = history.iterations[3].edits
    assert (edit.old, edit.new) == (10.0, 100.0)


def test_an_automatic_author_is_marked(tmp_path):
    folder = make_repository(tmp_path / "repository", VERSIONS[:1])
    commit(
        folder, VERSIONS[1], 1_600_010_000, author="1+x@users.noreply.github.com", name="github-actions[bot]"
    )
    (history,) = DvcLock(folder, PSEUDONYMS).histories(Tally())
    assert [iteration.scripted for iteration in history.iterations] == [False, True]


def test_a_lock_file_that_cannot_be_read_is_counted_and_the_rest_is_kept(tmp_path):
    folder = make_repository(tmp_path / "repository", VERSIONS[:1])
    (folder / "dvc.lock").write_text("stages: [<<<<<<< HEAD")
    git(folder, "commit", "-qam", "conflict", when=1_600_010_000)
    commit(folder, VERSIONS[1], 1_600_020_000)
    tally = Tally()
    (history,) = DvcLock(folder, PSEUDONYMS).histories(tally)
    assert len(history) == 2
    assert tally.bad == {"the lock file is no YAML": 1}


def test_a_repository_without_lock_files_is_refused(tmp_path):
    git(tmp_path, "init", "-q")
    with pytest.raises(NotWhatItClaims, match=r"no dvc\.lock"):
        DvcLock(tmp_path, PSEUDONYMS)


def test_the_old_form_of_lock_files_is_read():
    (stage,) = parse_lock(b"train:\n  cmd: [python a.py, echo]\n  outs: [{path: m, etag: x}]\n", str)
    assert (stage.name, stage.program, stage.output_bytes) == ("train", "python a.py", None)


@pytest.mark.parametrize(
    "content", [b"[1, 2]", b"stages: 3\nschema: '2.0'", b"\xff\x00\x80", b"a: {deps: 3}"]
)
def test_no_lock_file_is_a_bad_row(content):
    with pytest.raises(BadRow):
        parse_lock(content, str)


def test_stages_in_a_circle_are_a_bad_row():
    stages = [
        LockStage(name=name, category="data", program="p", command_digest="", parents=(parent,))
        for name, parent in (("a", "b"), ("b", "a"))
    ]
    with pytest.raises(BadRow, match="circle"):
        lock_components(stages)


def test_a_stage_of_no_category_takes_its_stage_from_its_place():
    stages = [
        LockStage(name="x", category="other", program="p", command_digest=""),
        LockStage(name="fit", category="model", program="p", command_digest="", parents=("x",)),
        LockStage(name="y", category="other", program="p", command_digest="", parents=("fit",)),
    ]
    assert [each.stage for each in lock_components(stages)] == ["preprocess", "learn", "evaluate"]


def test_rows_of_the_table_that_cannot_be_read_are_counted(tmp_path):
    rows = table_rows()
    del rows[3]["stages"][0]["cmd"]
    rows[5]["dup"] = True
    path = write_table(tmp_path / "dvc_versions.jsonl.gz", rows)
    with gzip.open(path, "at") as file:
        file.write("{broken\n")
    tally = Tally()
    (history,) = DvcTable(path).histories(tally)
    assert len(history) == len(rows) - 2
    assert tally.bad == {"a field is missing or of another type": 1, "the line is no JSON": 1}
    assert tally.left_out["same content on another line of history"] == 1


def test_a_truncated_table_is_one_clear_error(tmp_path):
    path = write_table(tmp_path / "dvc_versions.jsonl.gz", table_rows() * 50)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(NotWhatItClaims, match="fetch it again"):
        list(DvcTable(path).histories(Tally()))


def test_splits_beside_the_table_give_the_groups(tmp_path):
    path = write_table(tmp_path / "dvc_versions.jsonl.gz", table_rows())
    (tmp_path / "splits.json").write_text('{"r1": "cluster-7"}')
    (history,) = DvcTable(path).histories(Tally())
    assert history.group == "cluster-7"


@pytest.mark.parametrize(
    ("name", "command", "expected"),
    [
        ("train@fold1", "", "model"),
        ("split_data", "", "data"),
        ("features", "", "features"),
        ("plot-roc", "", "report"),
        ("x1", "python src/evaluate.py", "evaluation"),
        ("x1", "python -m pkg.scripts.export", "report"),
        ("x1", "make", "other"),
    ],
)
def test_categories(name, command, expected):
    assert category(name, command) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data/clean.csv", "up"),
        ("data", "up"),
        ("data/clean.csv/part", "up"),
        ("data2", "data"),
        ("src/a.py", "code"),
        ("src", "code"),
        ("conf/a.yaml", "config"),
    ],
)
def test_kinds_of_dependencies(path, expected):
    assert dependency_kind(path, ["data/clean.csv"]) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -u src/train.py --lr 1", "python src/train.py"),
        ("CUDA=0 python3 -m pkg.mod x", "python3 -m pkg.mod"),
        ("poetry run python a.py", "python a.py"),
        ("echo 'unclosed", "echo 'unclosed"),
        ("", ""),
    ],
)
def test_programs(command, expected):
    assert program(command) == expected
