"""Several processes on one store, and processes that are killed at random instants."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from store_shared import META, make
from store_support import bytes_on_disk

from mile_rl.store.catalog import Catalog
from mile_rl.store.store import Store

BUDGET = 2_000_000
WORKER = Path(__file__).parent / "store_worker.py"


def start(root: Path, seed: int, rounds: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, str(WORKER), str(root), str(BUDGET), str(seed), str(rounds)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@contextmanager
def opened(root: Path) -> Iterator[Store]:
    catalog = Catalog.open(root / "catalog.db")
    yield Store.open(root, budget_bytes=BUDGET, catalog=catalog)
    catalog.close()


def files(root: Path) -> dict[tuple[object, ...], int]:
    """Return the size of every file under a store by its identity."""
    found: dict[tuple[object, ...], int] = {}
    for folder, _, names in os.walk(root / "objects"):
        for name in names:
            with suppress(FileNotFoundError):
                state = os.stat(os.path.join(folder, name))
                finished = 0 if folder.endswith("tmp") else state.st_mtime_ns
                found[name, state.st_ino, finished] = state.st_size
    return found


def bytes_at_one_instant(root: Path) -> int:
    """Return a size that the store had for certain between two walks, while others change it.

    One walk alone would count a file twice that is moved meanwhile, or one that is deleted together with its
    successor. Files seen by both walks were there all the time, at least as large as first seen.
    """
    first = files(root)
    second = files(root)
    return sum(size for key, size in first.items() if key in second)


@contextmanager
def standing_still(workers: list[subprocess.Popen[str]]) -> Iterator[None]:
    """Stop processes where they are: files that move while they are counted would be counted twice."""
    for worker in workers:
        os.kill(worker.pid, signal.SIGSTOP)
        os.waitpid(worker.pid, os.WUNTRACED)
    yield
    for worker in workers:
        os.kill(worker.pid, signal.SIGCONT)


def test_four_processes_on_one_new_store_lose_nothing_and_keep_the_budget(tmp_path: Path) -> None:
    workers = [start(tmp_path, seed, 120) for seed in range(4)]
    highest = 0
    while any(worker.poll() is None for worker in workers):
        highest = max(highest, bytes_at_one_instant(tmp_path))
        assert highest <= BUDGET
    for worker in workers:
        output, _ = worker.communicate()
        assert output == "ready\n"
        assert worker.returncode == 0
    assert highest > BUDGET // 2, "the budget was never put to the test"
    with opened(tmp_path) as store:
        assert store.verify().clean
        assert store.used_bytes() == bytes_on_disk(tmp_path)
        assert store.info().reserved_bytes == 0


@pytest.mark.slow
def test_sixty_kills_leave_a_clean_store_and_no_wrong_value(tmp_path: Path) -> None:
    rng = random.Random(7)
    kills = 0
    for _ in range(30):
        workers = [start(tmp_path, rng.randrange(10**6), 10**6) for _ in range(2)]
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker, others in ((workers[0], workers[1:]), (workers[1], [])):
            time.sleep(rng.random() * 0.05)
            worker.kill()
            worker.wait()
            kills += 1
            with standing_still(others):
                assert bytes_on_disk(tmp_path) <= BUDGET
        for worker in workers:
            output, _ = worker.communicate()
            assert output == ""
        with opened(tmp_path) as store:
            assert store.info().reserved_bytes == 0
            assert store.used_bytes() == bytes_on_disk(tmp_path)
            report = store.verify()
            assert report.clean, report
            for artifact in store.artifacts():
                assert store.get(artifact.signature).value == make(int(artifact.signature[1:]))
            assert store.info().counters == {}
    assert kills == 60
    with opened(tmp_path) as store:
        store.clear()
        assert store.put("s1", make(1), meta=META).kept
