"""Files that change under way, files read without a word, the working directory, threads and processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mile_rl import File, OperatorFailed, op, workflow

pytestmark = pytest.mark.usefixtures("always_decide")


@op
def text_of(path, after=None):
    return path.read_text()


@op
def overwrite(folder, text):
    (Path(folder) / "data.txt").write_text(text)
    return text


def test_a_file_that_changes_after_it_was_signed_is_never_kept_under_its_old_content(desk):
    data = desk.folder / "data.txt"
    data.write_text("old")

    @workflow
    def flow(text="new"):
        # The first operator plays another program, at work while the run waits for its turn.
        return text_of(File(data), after=overwrite(str(desk.folder), text))

    first = desk.run(flow)
    assert first.outputs == "new"
    assert any("data.txt changed while text_of ran" in note for note in first.report.notes)
    data.write_text("old")

    @workflow
    def alone():
        return text_of(File(data))

    assert desk.run(alone).outputs == "old"
    assert desk.run(flow, text="old").outputs == "old"


def test_a_file_in_a_declared_folder_that_changes_under_way(desk):
    (desk.folder / "parts" / "deep").mkdir(parents=True)
    part = desk.folder / "parts" / "deep" / "data.txt"
    part.write_text("old")

    @op
    def read_parts(folder, after=None):
        return [path.read_text() for path in sorted(folder.rglob("*.txt"))]

    @workflow
    def flow():
        return read_parts(File(desk.folder / "parts"), after=overwrite(str(part.parent), "new"))

    @workflow
    def alone():
        return read_parts(File(desk.folder / "parts"))

    assert desk.run(flow).outputs == ["new"]
    part.write_text("old")
    assert desk.run(alone).outputs == ["old"]


def test_an_undeclared_file_that_changes_while_it_is_read(desk):
    data = desk.folder / "data.txt"
    data.write_text("old")
    path = str(data)

    @op
    def reads_secretly():
        text = Path(path).read_text()
        # Another program, which no hook of this one hears.
        subprocess.run([sys.executable, "-c", f"open({path!r}, 'w').write('new')"], check=True)
        return text

    @workflow
    def flow():
        return reads_secretly()

    assert desk.run(flow).outputs == "old"
    assert desk.run(flow).outputs == "new"


def test_a_file_as_an_operators_default_is_a_path_and_counts(desk, states):
    data = desk.folder / "data.txt"
    data.write_text("1")

    @op
    def read_default(path=File(data)):
        assert isinstance(path, Path)
        return path.read_text()

    @workflow
    def flow():
        return read_default()

    assert desk.run(flow).outputs == "1"
    assert states(desk.run(flow)) == {"read_default": "load"}
    data.write_text("2")
    assert desk.run(flow).outputs == "2"


def _sqlite(path):
    base = sqlite3.connect(path)
    base.execute("create table t (x)")
    base.execute("insert into t values (1)")
    base.commit()
    base.close()


def _read_sqlite(path):
    base = sqlite3.connect(path)
    try:
        return base.execute("select sum(x) from t").fetchone()[0]
    finally:
        base.close()


READERS = {
    "open": (
        lambda path: Path(path).write_text("1"),
        lambda path: int(open(path).read()),  # noqa: SIM115
    ),
    "read_text": (lambda path: Path(path).write_text("1"), lambda path: int(Path(path).read_text())),
    "np.load": (
        lambda path: np.save(path + ".npy", np.ones(1)),
        lambda path: int(np.load(path + ".npy").sum()),
    ),
    "memory map": (
        lambda path: np.save(path + ".npy", np.ones(1)),
        lambda path: int(np.load(path + ".npy", mmap_mode="r").sum()),
    ),
    "read_csv": (
        lambda path: Path(path).write_text("x\n1\n"),
        lambda path: int(pd.read_csv(path)["x"].sum()),
    ),
    "sqlite3": (_sqlite, _read_sqlite),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("jobs", [1, 4])
@pytest.mark.parametrize("how", READERS)
def test_a_file_read_without_a_word_is_named_and_counts(desk, states, how, jobs):
    write, reader = READERS[how]
    path = str(desk.folder / "data")
    write(path)
    os.utime(desk.folder, (0, 0))

    @op
    def secret(reader, path):
        return reader(path)

    @op
    def other(k):
        return k

    @workflow
    def flow():
        return secret(reader, path), other(1), other(2)

    first = desk.run(flow, jobs=jobs)
    assert first.outputs == (1, 1, 2)
    assert any("secret read data" in note and "File(" in note for note in first.report.notes)
    desk.run(flow, jobs=jobs)
    assert states(desk.run(flow, jobs=jobs))["secret"] == "load"
    for file in desk.folder.glob("data*"):
        content = file.read_bytes()
        if how == "sqlite3":
            base = sqlite3.connect(file)
            base.execute("update t set x = 2")
            base.commit()
            base.close()
        elif how in ("np.load", "memory map"):
            np.save(file, np.full(1, 2.0))
        else:
            file.write_bytes(content.replace(b"1", b"2"))
    assert desk.run(flow, jobs=jobs).outputs == (2, 1, 2)


def test_artifacts_outside_the_state_folder_are_no_secret_files(desk, tmp_path_factory):
    @op
    def array(k):
        return np.full(10, float(k))

    @op
    def add(one, other, k=0):
        return one + other + k

    @workflow
    def flow(k=0):
        return add(array(1), array(2), k)

    for k in (0, 1, 0):
        project = desk.project(store=str(tmp_path_factory.getbasetemp() / "elsewhere"), jobs=4)
        done = desk.run(flow, k=k, project=project)
        assert (done.outputs == 3 + k).all()
        assert done.report.notes == ()


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_working_directory_is_put_back(desk, jobs):
    (desk.folder / "elsewhere").mkdir()
    elsewhere = str(desk.folder / "elsewhere")

    @op
    def moves(k=0):
        os.chdir(elsewhere)
        return k

    @op
    def where(x, k=0):
        return os.getcwd()

    @workflow
    def flow(k=0):
        return where(moves(), k)

    before = os.getcwd()
    assert desk.run(flow, jobs=jobs).outputs == before
    assert desk.run(flow, k=1, jobs=jobs).outputs == before
    assert os.getcwd() == before


def test_the_working_directory_is_put_back_after_a_failure(desk):
    elsewhere = str(desk.folder)

    @op
    def moves_and_fails():
        os.chdir(elsewhere)
        raise ValueError

    @workflow
    def flow():
        return moves_and_fails()

    before = os.getcwd()
    with pytest.raises(OperatorFailed):
        desk.run(flow)
    assert os.getcwd() == before


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_operator_that_exits_has_failed(desk, jobs):
    @op
    def leaves():
        sys.exit(3)

    @workflow
    def flow():
        return leaves()

    with pytest.raises(OperatorFailed, match="leaves") as caught:
        desk.run(flow, jobs=jobs)
    assert isinstance(caught.value.__cause__, SystemExit)


def test_an_operator_may_start_threads_of_its_own_that_read_files(desk, states):
    data = desk.folder / "data.txt"
    data.write_text("1")
    path = str(data)

    @op
    def reads_in_a_thread():
        found = []
        thread = threading.Thread(target=lambda: found.append(Path(path).read_text()))
        thread.start()
        thread.join()
        return found[0]

    @workflow
    def flow():
        return reads_in_a_thread()

    assert desk.run(flow).outputs == "1"
    data.write_text("2")
    assert desk.run(flow).outputs == "2"


@pytest.mark.parametrize("jobs", [1, 4])
def test_global_randomness_hidden_in_a_library_is_the_same_whatever_runs_beside_it(desk, jobs):
    @op
    def forest(k):
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(3, random_state=None)
        rows = np.arange(40.0).reshape(20, 2)
        return model.fit(rows, rows[:, 0] > 17).predict_proba(rows).tolist()

    @op
    def shuffled(k):
        return np.random.permutation(20).tolist()

    @workflow
    def flow():
        return [forest(1), shuffled(1), forest(2), shuffled(2)]

    assert desk.run(flow, jobs=jobs).outputs == _reference(desk, flow)


def _reference(desk, flow):
    return desk.run(flow, project=desk.project(policy="none")).outputs


def test_an_operator_may_run_a_workflow_of_its_own(desk):
    data = desk.folder / "data.txt"
    data.write_text("1")
    path = str(data)
    project = desk.project()

    @op
    def inner_op(k):
        return k + 1

    @workflow
    def inner(k=1):
        return inner_op(k)

    @op(version="1")
    def outer():
        from mile_rl.engine.iteration import run

        text = Path(path).read_text()
        return run(inner, (), {}, project=project).outputs, text

    @workflow
    def flow():
        return outer()

    first = desk.run(flow)
    assert first.outputs == (2, "1")
    assert any("outer read data.txt" in note for note in first.report.notes)
    data.write_text("2")
    assert desk.run(flow).outputs == (2, "2")


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_in_several_threads_of_one_process_give_what_they_give_alone(desk, jobs):
    @op
    def drawn(k):
        first = np.random.rand()
        threading.Event().wait(0.005)
        return first, float(np.random.rand()), k

    @workflow
    def flow(k=0):
        return drawn(k), drawn(k + 100)

    alone = {k: desk.run(flow, k=k, project=desk.project(policy="none")).outputs for k in range(4)}
    together = {}
    threads = [
        threading.Thread(target=lambda k=k: together.update({k: desk.run(flow, k=k, jobs=jobs).outputs}))
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == alone
    assert {k: desk.run(flow, k=k).outputs for k in range(4)} == alone


def test_a_workflow_inside_an_operator_on_a_thread_of_the_pool_does_not_wait_for_its_own_run(desk):
    project = desk.project(jobs=2)

    @op
    def inner_op(k):
        return k + 1

    @workflow
    def inner(k=1):
        return inner_op(k), inner_op(k + 10)

    @op(version="1")
    def outer(k):
        from mile_rl.engine.iteration import run

        return run(inner, (), {"k": k}, project=project).outputs

    @workflow
    def flow():
        return outer(1), outer(2)

    assert desk.run(flow, jobs=2).outputs == ((2, 12), (3, 13))
