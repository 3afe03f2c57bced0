"""Runs that are interrupted or killed, disks that are full, stores that cannot be used: nothing wrong comes back."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
from waiting import wait_for

SESSION = """
import json, sys, time
from pathlib import Path

import numpy as np
from mile_rl import op, workflow


@op
def load(k):
    time.sleep(0.012)
    return np.arange(20_000.0) + k


@op(outputs=("left", "right"))
def split(array, at=3):
    time.sleep(0.01)
    return array[:at], array[at:]


@op(stage="learn")
def fit(rows, C):
    time.sleep(0.01)
    return {"weights": rows * C, "C": C}


@op(stage="evaluate")
def score(model, rows):
    time.sleep(0.005)
    return float(model["weights"].sum() + rows.sum())


@workflow
def session(k=0, C=1.0):
    left, right = split(load(k))
    return {"score": score(fit(right, C), left), "array": right}


def expected(k, C):
    array = np.arange(20_000.0) + k
    return float((array[3:] * C).sum() + array[:3].sum())


EDITS = [(0, 1.0), (0, 2.0), (1, 2.0), (1, 3.0), (0, 2.0), (2, 1.0)]


def play(first=0):
    for k, C in EDITS[first:] + EDITS[:first]:
        done = session.using(quiet=True).run(k=k, C=C)
        right = done.outputs["score"] == expected(k, C)
        right &= (done.outputs["array"] == np.arange(3.0, 20_000) + k).all()
        print(json.dumps({"right": bool(right), "states": [n.state for n in done.report.nodes],
                          "notes": done.report.notes}), flush=True)


if __name__ == "__main__":
    print("ready", flush=True)
    play(int(sys.argv[1]))
"""


def _lines(out):
    # A kill may cut the last line.
    return [json.loads(line) for line in out.splitlines() if line.startswith("{") and line.endswith("}")]


def test_kills_at_random_instants_leave_nothing_wrong_behind(desk):
    desk.write("session.py", SESSION)
    rng = random.Random(20)
    budget = {"MILE_BUDGET": "700KB"}
    start = time.monotonic()
    desk.python("session.py", "0", **budget)
    span = time.monotonic() - start
    shutil.rmtree(desk.folder / ".mile")
    (desk.folder / ".mile").mkdir()
    seen = 0
    for kill in range(20):
        with desk.start("session.py", str(kill % 6), **budget) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.6 * span))
            process.kill()
            out, _ = process.communicate()
        for line in _lines(out):
            assert line["right"], line
            seen += 1
    assert seen > 10
    lines = _lines(desk.python("session.py", "0", **budget)[0])
    assert len(lines) == 6
    assert all(line["right"] for line in lines)
    out, _err = desk.mile("store", "verify", "--json", **budget)
    report = json.loads(out)
    assert not any(report.get(key) for key in ("damaged", "missing", "stray", "problems")), report
    assert _stored(desk.folder / ".mile" / "store") <= 700_000


def _files(folder):
    """Return inode -> size of every file in a folder."""
    found = {}
    for where, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(os.path.join(where, name))
                found[status.st_ino] = status.st_size
    return found


def _stored(folder):
    """Return how many bytes a folder held at one instant at least: those of what was there before and after it."""
    before, after = _files(folder), _files(folder)
    return sum(min(size, after[inode]) for inode, size in before.items() if inode in after)


def test_four_processes_on_one_store_keep_the_budget_and_get_right_values(desk):
    desk.write("session.py", SESSION)
    budget_bytes = 500_000
    most, stop = [0], threading.Event()

    def watch():
        while not stop.is_set():
            most[0] = max(most[0], _stored(desk.folder / ".mile" / "store"))

    observer = threading.Thread(target=watch)
    observer.start()
    try:
        started = [desk.start("session.py", str(n), MILE_BUDGET=str(budget_bytes)) for n in range(4)]
        said = [process.communicate(timeout=120) for process in started]
    finally:
        stop.set()
        observer.join()
    for process, (out, err) in zip(started, said):
        assert process.returncode == 0, err
        lines = _lines(out)
        assert len(lines) == 6
        assert all(line["right"] for line in lines)
        assert not any(line["notes"] for line in lines), lines
    assert 0 < most[0] <= budget_bytes
    assert len(desk.mile_json("log", "--limit", "100")) == 24
    desk.mile("store", "verify")


INTERRUPTED = """
import time
from pathlib import Path
from mile_rl import op, workflow

@op
def first():
    time.sleep(0.05)
    return list(range(1000))

@op
def second(rows):
    Path(__file__).with_name("begun").touch()
    time.sleep(SECONDS)
    return sum(rows)

@workflow
def flow():
    return second(first())
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_was_earned(desk, jobs):
    desk.write("flow.py", INTERRUPTED.replace("SECONDS", "30"))
    with desk.start("-m", "mile_rl.cli", "run", "flow.py", "--jobs", jobs) as process:
        wait_for((desk.folder / "begun").exists)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert err.startswith("interrupted; kept 1 result")
    assert "Traceback" not in err
    desk.write("flow.py", INTERRUPTED.replace("SECONDS", "0.01"))
    report = desk.mile_json("run", "flow.py")
    assert [node["state"] for node in report["nodes"]] == ["load", "compute"]
    assert report["outputs"] == 499500


QUICK = """
import time
import numpy as np
from mile_rl import op, workflow

@op
def make(k):
    time.sleep(0.03)
    return np.full(300_000, float(k))

@op
def total(one, other):
    time.sleep(0.03)
    return float(one.sum() + other.sum())

@workflow
def flow(k=1):
    return total(make(k), make(2))
"""


def test_a_full_disk_costs_a_note_and_nothing_else(desk, tmp_path_factory):
    full = tmp_path_factory.mktemp("full")
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", full], check=False).returncode
    ):
        pytest.skip("a small file system can be mounted by root only")
    try:
        desk.write("flow.py", QUICK)
        for k in (1, 3, 1):
            report = desk.mile_json("run", "flow.py", f"k={k}", MILE_STORE=str(full))
            assert report["outputs"] == 300_000.0 * (k + 2)
            assert report["status"] == "ok"
        # The whole state on it, its catalog too.
        report = desk.mile_json("run", "flow.py", MILE_HOME=str(full / "home"))
        assert report["outputs"] == 900_000.0
    finally:
        subprocess.run(["umount", full], check=True)


def test_a_full_disk_while_writing_is_survived(desk, monkeypatch):
    """The same through the store's own door, for those who cannot mount."""
    import errno

    from mile_rl import op, workflow
    from mile_rl.store.store import Store

    def no_space(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    opened = Store.open.__func__
    monkeypatch.setattr(Store, "open", classmethod(lambda cls, *a, **k: opened(cls, *a, **k, write=no_space)))
    monkeypatch.setattr("mile_rl.engine.keeper.QUICK_NS", 0)
    monkeypatch.setattr("mile_rl.planner.costs.Costs.load_ns", lambda self, codec, size_bytes: 0)

    @op
    def rows(k):
        return [k] * 100

    @op
    def count(values):
        return len(values)

    @workflow
    def flow(k=1):
        return count(rows(k))

    for k in (1, 2, 1):
        done = desk.run(flow, k=k)
        assert done.outputs == 100
        assert not any(output.kept for node in done.report.nodes for output in node.outputs)


def test_a_state_folder_that_may_only_be_read(desk):
    desk.write("flow.py", QUICK)
    desk.mile("run", "flow.py")
    home = desk.folder / ".mile"
    if os.geteuid() == 0:
        if subprocess.run(["mount", "--bind", home, home], check=False).returncode:
            pytest.skip("root writes wherever it likes, and nothing can be mounted here")
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
    else:
        for folder, _, files in os.walk(home):
            for name in files:
                os.chmod(os.path.join(folder, name), 0o400)
            os.chmod(folder, 0o500)
    try:
        with desk.start("-m", "mile_rl.cli", "run", "flow.py", "k=5", "--json") as process:
            out, err = process.communicate(timeout=60)
        if process.returncode == 0:
            assert json.loads(out)["outputs"] == 300_000.0 * 7
        else:
            assert process.returncode == 1
            assert err.startswith("error: ")
            assert "Traceback" not in err
            assert ".mile" in err
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", home], check=True)
        else:
            for folder, _, _ in os.walk(home):
                os.chmod(folder, 0o700)


def test_a_damaged_catalog_and_a_newer_one_are_refused_in_clear_words(desk):
    desk.write("flow.py", QUICK)
    desk.mile("run", "flow.py")
    path = desk.folder / ".mile" / "catalog.db"
    good = path.read_bytes()
    path.write_bytes(b"this is no database, but long enough to be taken for one " * 100)
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (desk.folder / ".mile" / name).unlink(missing_ok=True)
    _, err = desk.mile("run", "flow.py", code=1)
    assert err.startswith("error: ")
    assert "catalog" in err
    assert "Traceback" not in err
    path.write_bytes(good[: len(good) // 2])
    with desk.start("-m", "mile_rl.cli", "run", "flow.py", "--json") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode == 1 and err.startswith("error: ")) or json.loads(out)["outputs"] == 900_000.0
    assert "Traceback" not in err
    path.write_bytes(good)
    base = sqlite3.connect(path)
    assert base.execute("update meta set schema_version = 1000").rowcount == 1
    base.commit()
    base.close()
    _, err = desk.mile("run", "flow.py", code=1)
    assert err.startswith("error: ")
    assert "upgrade MILE-RL" in err


def test_artifacts_removed_by_hand_are_made_again(desk):
    desk.write("flow.py", QUICK)
    desk.mile("run", "flow.py")
    for file in (desk.folder / ".mile" / "store").rglob("*"):
        if file.is_file():
            file.unlink()
    report = desk.mile_json("run", "flow.py")
    assert report["outputs"] == 900_000.0
    shutil.rmtree(desk.folder / ".mile" / "store")
    assert desk.mile_json("run", "flow.py")["outputs"] == 900_000.0
    shutil.rmtree(desk.folder / ".mile")
    (desk.folder / ".mile").mkdir()
    assert desk.mile_json("run", "flow.py")["outputs"] == 900_000.0


def test_the_state_removed_between_two_runs_of_one_process(desk):
    desk.write(
        "again.py",
        "import shutil\nfrom pathlib import Path\nfrom flow import flow\n"
        "for n in range(3):\n"
        "    i = flow.using(quiet=True).run()\n"
        "    assert i.outputs == 900_000.0\n"
        "    print([node.state for node in i.report.nodes], i.report.notes)\n"
        "    if n == 1:\n"
        "        shutil.rmtree('.mile'); Path('.mile').mkdir()\n",
    )
    desk.write("flow.py", QUICK)
    out, err = desk.python("again.py")
    first, second, third = out.splitlines()
    assert second == "['prune', 'prune', 'load'] ()"
    assert third == first == "['compute', 'compute', 'compute'] ()"
    assert err == ""
