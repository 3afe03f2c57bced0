"""The store's contract: kept exactly, counted exactly, never an exception for what lies on disk."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_support import META, bytes_on_disk

from mile_rl.errors import StoreError
from mile_rl.store.catalog import Catalog
from mile_rl.store.records import IterationRecord, OutputRecord
from mile_rl.store.store import MISSING, Store

Open = Callable[..., Store]


def array(size_bytes: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, size_bytes, dtype="u1")


def file_of(store: Store, signature: str) -> Path:
    artifact = store.catalog.artifacts_for([signature])[signature]
    return store.objects.path(artifact.content, artifact.suffix)


def test_value_comes_back_with_its_cost(store: Store) -> None:
    put = store.put("s", array(1000), meta=META)
    assert (put.kept, put.codec, put.reason) == (True, "array", "")
    got = store.get("s")
    assert got.found
    assert got.value.tobytes() == array(1000).tobytes()
    assert got.size_bytes == put.size_bytes == bytes_on_disk(store.objects.root.parent)
    assert got.elapsed_ns > 0
    (artifact,) = store.artifacts()
    assert artifact.meta == META
    assert store.artifacts("other") == []


def test_none_is_a_value_and_missing_is_not(store: Store) -> None:
    store.put("none", None, meta=META)
    assert store.get("none").value is None
    missing = store.get("other")
    assert missing.value is MISSING
    assert not missing.found
    assert missing.reason == "not in the store"


def test_equal_contents_share_one_file_until_the_last_is_evicted(store: Store) -> None:
    for signature in ("a", "b"):
        assert store.put(signature, array(5000), meta=META).kept
    size = file_of(store, "a").stat().st_size
    assert store.used_bytes() == size
    assert store.evict(["a"]) == 0
    assert store.get("b").found
    assert store.evict(["b", "unknown"]) == size
    assert store.used_bytes() == bytes_on_disk(store.objects.root.parent) == 0


def test_second_put_of_a_signature_keeps_the_first(store: Store) -> None:
    store.put("s", 1, meta=META)
    again = store.put("s", 2, meta=META)
    assert again.kept
    assert again.reason == "already in the store"
    assert store.get("s").value == 1


def test_value_that_is_in_the_store_is_not_written_again(open_store: Open) -> None:
    def refuse(descriptor: int, data: Any) -> int:
        raise AssertionError("something was written")

    open_store().put("s", array(100_000), meta=META)
    again = open_store(write=refuse).put("s", array(100_000), meta=META)
    assert (again.kept, again.reason) == (True, "already in the store")
    assert open_store().info().reserved_bytes == 0


def test_value_beyond_the_budget_is_refused_and_leaves_nothing(open_store: Open, tmp_path: Path) -> None:
    store = open_store(budget_bytes=10_000)
    assert store.put("a", array(6000), meta=META).kept
    for value in (array(6000, 1), [array(6000, 1), "x"], {"text": "y" * 2_000_000}):
        result = store.put("b", value, meta=META)
        assert not result.kept
        assert result.reason.startswith("over budget")
        assert store.used_bytes() == bytes_on_disk(tmp_path)
        assert store.info().reserved_bytes == 0
    store.evict(["a"])
    assert store.put("b", array(6000, 1), meta=META).kept


def test_value_of_unknown_size_fits_to_the_last_byte(open_store: Open, tmp_path: Path) -> None:
    value = {f"k{i}": "text" * 100 for i in range(10_000)}
    value |= {f"n{i}": f"{i}" * 60 for i in range(10_000)}
    size = open_store().put("probe", value, meta=META).size_bytes
    assert size > 1 << 20
    open_store().clear()
    assert open_store(budget_bytes=size).put("s", value, meta=META).kept
    assert bytes_on_disk(tmp_path) == size
    open_store().clear()
    assert not open_store(budget_bytes=size - 1).put("s", value, meta=META).kept
    assert bytes_on_disk(tmp_path) == 0


def test_zero_budget_keeps_nothing_and_negative_is_refused(open_store: Open) -> None:
    assert not open_store(budget_bytes=0).put("s", 1, meta=META).kept
    with pytest.raises(StoreError, match="-1"):
        open_store(budget_bytes=-1)


def test_bytes_on_disk_never_exceed_what_is_reserved_while_writing(open_store: Open, tmp_path: Path) -> None:
    seen: list[int] = []
    budget = 3_000_000

    def watching(descriptor: int, data: Any) -> int:
        written = os.write(descriptor, bytes(data)[:100_000])  # a short write, as the system may do
        info = store.info()
        seen.append(bytes_on_disk(tmp_path))
        assert seen[-1] <= info.used_bytes + info.reserved_bytes <= budget
        return written

    store = open_store(budget_bytes=budget, write=watching)
    assert store.put("a", array(1_200_000), meta=META).kept
    assert store.put("b", {i: "text" * 50 + str(i) for i in range(4000)}, meta=META).kept
    assert not store.put("c", array(2_000_000, 3), meta=META).kept
    assert len(seen) > 15
    assert store.used_bytes() == bytes_on_disk(tmp_path)
    assert store.verify().clean
    assert store.get("a").value.tobytes() == array(1_200_000).tobytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("after_bytes", [0, 700_000])
def test_full_disk_leaves_nothing_and_says_so(
    open_store: Open, tmp_path: Path, code: int, after_bytes: int
) -> None:
    taken = 0

    def full(descriptor: int, data: Any) -> int:
        nonlocal taken
        if taken + len(data) > after_bytes:
            raise OSError(code, os.strerror(code))
        taken += len(data)
        return os.write(descriptor, data)

    store = open_store(write=full)
    result = store.put("s", [array(600_000), array(600_000, 1)], meta=META)
    assert not result.kept
    assert "disk" in result.reason
    assert bytes_on_disk(tmp_path) == 0
    assert store.info().reserved_bytes == 0
    assert store.verify().clean


def test_put_past_its_deadline_leaves_nothing_and_says_so(open_store: Open, tmp_path: Path) -> None:
    now = 0

    def clock_ns() -> int:
        nonlocal now
        now += 10
        return now

    store = open_store(clock_ns=clock_ns)
    result = store.put("s", array(40 << 20), meta=META, deadline_ns=25)
    assert not result.kept
    assert "longer than allowed" in result.reason
    assert bytes_on_disk(tmp_path) == 0
    assert store.info().reserved_bytes == 0


def test_progress_is_told_only_of_what_takes_long(open_store: Open) -> None:
    told: list[tuple[int, int, str]] = []
    now = 0

    def clock_ns() -> int:
        nonlocal now
        now += step
        return now

    step = 0
    store = open_store(budget_bytes=1 << 26, clock_ns=clock_ns)
    for step, some in ((1, False), (900_000_000, True)):  # noqa: B007
        told.clear()
        store.clear()
        store.put("s", array(40 << 20), meta=META, on_progress=lambda *words: told.append(words))
        store.get("s", on_progress=lambda *words: told.append(words))
        assert bool(told) == some
    assert {words[2] for words in told} > {"fit.result"}
    assert all(0 <= done <= total for done, total, _ in told)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "deleted": (lambda path: path.unlink(), "vanished"),
    "cut": (lambda path: os.truncate(path, 100), "truncated"),
    "emptied": (lambda path: os.truncate(path, 0), "truncated"),
    "grown": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "truncated"),
    "one bit flipped": (lambda path: flip(path), "corrupt"),
}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_artifact_is_missing_dropped_and_counted(store: Store, name: str) -> None:
    damage, cause = DAMAGES[name]
    for signature in ("a", "b"):
        store.put(signature, array(5000), meta=META)
    store.put("other", array(100, 2), meta=META)
    damage(file_of(store, "a"))
    result = store.get("a")
    assert result.value is MISSING
    assert result.reason
    assert store.info().counters == {cause: 1}
    assert not store.contains("a")
    assert not store.contains("b"), "it shared the damaged file"
    assert store.get("other").found
    assert store.used_bytes() == bytes_on_disk(store.objects.root.parent)
    assert store.verify().clean
    assert store.put("a", array(5000), meta=META).kept, "it can be stored again"
    assert store.get("a").found


def test_put_of_equal_content_repairs_a_damaged_file(store: Store) -> None:
    store.put("a", array(5000), meta=META)
    flip(file_of(store, "a"))
    store.put("b", array(5000), meta=META)
    assert store.get("a").found
    assert store.verify().clean


def test_eviction_between_lookup_and_load_is_no_damage(store: Store) -> None:
    store.put("s", array(5000), meta=META)
    (artifact,) = store.artifacts()
    store.evict(["s"])
    result = store.get("s", artifact=artifact)
    assert not result.found
    assert store.info().counters == {}


def test_artifact_of_an_unknown_codec_is_left_alone(store: Store) -> None:
    store.put("s", 1, meta=META)
    with store.catalog.connector.writing() as transaction:
        transaction.run("UPDATE artifacts SET codec_version = 99")
    assert "unknown here" in store.get("s").reason
    assert store.contains("s")


def test_verify_finds_and_repairs_everything(store: Store) -> None:
    for i in range(4):
        store.put(f"s{i}", array(1000 + i), meta=META)
    flip(file_of(store, "s0"))
    file_of(store, "s1").unlink()
    folder = store.objects.root / "ff"
    folder.mkdir(exist_ok=True)
    (folder / ("f" * 32 + ".npy")).write_bytes(b"orphan")
    (store.objects.temporary / "999-dead").write_bytes(b"half")
    seen: list[tuple[int, int, str]] = []
    report = store.verify(on_progress=lambda *words: seen.append(words))
    assert (len(report.damaged), report.orphans, report.abandoned) == (2, ("f" * 32 + ".npy",), ("999-dead",))
    assert not report.clean
    assert seen[-1][:2] == (4, 4)
    assert store.contains("s0"), "looking changes nothing"
    store.verify(repair=True)
    assert store.verify().clean
    assert sorted(a.signature for a in store.artifacts()) == ["s2", "s3"]
    assert store.used_bytes() == bytes_on_disk(store.objects.root.parent)


def test_store_larger_than_a_lowered_budget_says_by_how_much(open_store: Open) -> None:
    size = open_store().put("s", array(5000), meta=META).size_bytes
    report = open_store(budget_bytes=4000).verify()
    assert report.over_budget_bytes == size - 4000


def test_folders_and_files_are_private(store: Store, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store.put("s", array(5000), meta=META)
    finally:
        os.umask(old)
    for path in (store.objects.root, *store.objects.root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_leftovers_of_a_dead_writer_are_swept_on_opening(open_store: Open, tmp_path: Path) -> None:
    store = open_store()
    (store.objects.temporary / "1-dead").write_bytes(b"x" * 100)
    (store.objects.temporary / "2-unregistered").write_bytes(b"x" * 100)
    with store.catalog.connector.writing() as transaction:
        transaction.run("INSERT INTO reservations VALUES (1, 'writing', '1-dead', '', 5000)")
    content = "ee" * 16
    store.objects.path(content, ".npy").parent.mkdir()
    store.objects.path(content, ".npy").write_bytes(b"moved to its place, never entered")
    with store.catalog.connector.writing() as transaction:
        transaction.run("INSERT INTO reservations VALUES (2, 'writing', '3-moved', '', 5000)")
    again = open_store()
    assert again.info().reserved_bytes == 0
    assert bytes_on_disk(tmp_path) == 0


def test_sweep_spares_a_living_writer(open_store: Open) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(descriptor: int, data: Any) -> int:
        inside.set()
        assert go_on.wait(30)
        return os.write(descriptor, data)

    store = open_store(write=slow)
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(store.put("s", array(1_000_000), meta=META)))
    thread.start()
    assert inside.wait(30)
    other = open_store()  # sweeps
    other.evict(["unknown"])
    other.verify(repair=True)
    assert other.info().reserved_bytes >= 1_000_000
    go_on.set()
    thread.join()
    assert results[0].kept, results[0].reason
    assert other.get("s").found
    assert other.info().reserved_bytes == 0


def test_use_is_recorded_with_the_iteration(store: Store, catalog: Catalog) -> None:
    store.put("a", 1, meta=META)
    store.put("b", 2, meta=META)
    outputs = (
        OutputRecord(node="n", name="r", signature="a", load_ns=42),
        OutputRecord(node="m", name="r", signature="b", write_ns=7, kept=True),
    )
    record = IterationRecord(workflow="w", version="a", started_ns=1, waited_ns=1, outputs=outputs)
    catalog.record_iteration(record)
    catalog.record_iteration(record)
    used = catalog.artifacts_for(["a", "b"])
    assert (used["a"].loads, used["a"].load_ns, used["a"].last_used) == (2, 42, 2)
    assert (used["b"].loads, used["b"].load_ns, used["b"].last_used) == (0, None, 2)


def test_failure_of_the_catalog_is_a_reason_and_no_exception(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise StoreError("the catalog is broken")

    store.put("s", 1, meta=META)
    monkeypatch.setattr(store.catalog.connector, "read", broken)
    monkeypatch.setattr(store.catalog.connector, "writing", broken)
    assert "broken" in store.put("t", 1, meta=META).reason
    assert "broken" in store.get("s").reason


def test_interrupted_put_leaves_nothing(open_store: Open, tmp_path: Path) -> None:
    def interrupted(descriptor: int, data: Any) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_store(write=interrupted).put("s", array(1_000_000), meta=META)
    assert bytes_on_disk(tmp_path) == 0
    assert open_store().info().reserved_bytes == 0


def test_commit_that_fails_after_the_move_leaves_nothing(open_store: Open, tmp_path: Path) -> None:
    store = open_store()
    with store.catalog.connector.writing() as transaction:
        transaction.run(
            "CREATE TRIGGER refuse BEFORE INSERT ON artifacts BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    assert not store.put("s", array(5000), meta=META).kept
    assert bytes_on_disk(tmp_path) == 0
    assert store.info().reserved_bytes == 0
