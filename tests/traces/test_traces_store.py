"""The Parquet form of histories: what is written is read back, whatever it holds."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mile_rl.workflows.edits import STAGES, ChangeClass
from traces.digest import TraceDigest
from traces.errors import TraceError
from traces.link import Seen, link
from traces.reader import Traces
from traces.schema import Component, History
from traces.writer import TraceWriter

NAMES = st.text("abcxyz_é\n", min_size=1, max_size=6)
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | NAMES
TIMES = st.none() | st.integers(0, 2**42)


@st.composite
def runs(draw):
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    components = tuple(
        Component(
            name=name,
            operator=draw(NAMES),
            stage=draw(st.sampled_from(STAGES)),
            category=draw(st.sampled_from(["", "data"])),
            parameters=draw(st.dictionaries(NAMES, SCALARS, max_size=3)),
            parts=draw(st.dictionaries(st.sampled_from(["code a.py", "file b.csv"]), NAMES)),
            parents=tuple(draw(st.sets(st.sampled_from(names[:place])))) if place else (),
            compute_ns=draw(TIMES),
            size_bytes=draw(TIMES),
        )
        for place, name in enumerate(names)
    )
    return Seen(
        components=components,
        start_ms=draw(TIMES),
        duration_ms=draw(TIMES),
        score=draw(st.none() | st.floats(-1, 1)),
        metrics=draw(st.dictionaries(NAMES, st.floats(allow_nan=False), max_size=2)),
        trials=draw(st.integers(0, 3)),
        scripted=draw(st.booleans()),
    )


@st.composite
def histories(draw, id="h"):
    return History(
        id=id,
        source="made",
        person=draw(NAMES),
        group=draw(NAMES),
        task=draw(st.sampled_from(["", "31"])),
        facts=draw(st.dictionaries(NAMES, SCALARS, max_size=2)),
        iterations=link(draw(st.lists(runs(), min_size=1, max_size=4))),
        demo=draw(st.booleans()),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(written=st.lists(histories(), max_size=3))
def test_what_is_written_is_read_back(tmp_path_factory, written):
    folder = tmp_path_factory.mktemp("traces")
    with TraceWriter(folder) as writer:
        for history in written:
            writer.add(history)
    traces = Traces(folder)
    read = list(traces)
    assert read == written
    assert len(traces) == len(written)
    again = TraceDigest()
    for history in read:
        again.add(history)
    assert again.hexdigest() == traces.digest


def made(id, value=1):
    component = Component(name="clf", operator="SVC", stage="learn", parameters={"C": value})
    later = Component(name="clf", operator="SVC", stage="learn", parameters={"C": value * 10})
    iterations = link([Seen(components=(component,)), Seen(components=(later,))])
    return History(id=id, source="made", person="p", group="g", iterations=iterations)


def test_the_digest_does_not_depend_on_the_order_of_histories_but_on_all_their_content(tmp_path):
    def digest(*histories):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        with TraceWriter(folder) as writer:
            for history in histories:
                writer.add(history)
        return Traces(folder).digest

    a, b = made("a"), made("b")
    assert digest(a, b) == digest(b, a)
    assert len({digest(a, b), digest(a), digest(a, a), digest(), digest(a, made("b", 2))}) == 5


def test_an_edit_keeps_its_parameter_its_values_and_its_magnitude(tmp_path):
    import pyarrow.parquet as pq

    with TraceWriter(tmp_path / "t") as writer:
        writer.add(made("a"))
    (history,) = Traces(tmp_path / "t")
    (edit,) = history.iterations[1].edits
    assert (edit.kind, edit.parameter, edit.old, edit.new) == ("parameter", "C", 1, 10)
    assert history.iterations[1].change is ChangeClass.MODEL_PARAMETER
    assert history.iterations[1].touched() == {"clf"}
    row = pq.read_table(tmp_path / "t" / "edits.parquet").to_pylist()[0]
    assert math.isclose(row["magnitude"], 1.0)


def test_only_the_histories_asked_for_are_put_together(tmp_path):
    with TraceWriter(tmp_path / "t") as writer:
        for name in "abc":
            writer.add(made(name))
    assert [history.id for history in Traces(tmp_path / "t").read(lambda row: row["id"] != "b")] == ["a", "c"]


def test_an_interrupted_writing_leaves_the_earlier_traces_as_they_were(tmp_path):
    with TraceWriter(tmp_path) as writer:
        writer.add(made("a"))
    before = Traces(tmp_path).digest
    with pytest.raises(ValueError, match="before its parent"):
        _write_one_that_fails(tmp_path)
    assert Traces(tmp_path).digest == before
    assert not list(tmp_path.glob(".*"))


def _write_one_that_fails(folder):
    backwards = Component(name="clf", operator="SVC", stage="learn", parents=("nowhere",))
    with TraceWriter(folder) as writer:
        writer.add(made("b"))
        writer.add(
            History(
                id="c", source="made", person="p", group="g", iterations=link([Seen(components=(backwards,))])
            )
        )


def test_a_folder_with_something_else_in_it_is_not_written_into(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(TraceError, match=r"thesis\.tex"):
        TraceWriter(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "edits.parquet").unlink(),
        lambda folder: (folder / "edits.parquet").write_bytes(b"PAR1"),
        lambda folder: (folder / "edits.parquet").write_bytes((folder / "dag.parquet").read_bytes()),
    ],
)
def test_a_damaged_folder_is_one_clear_error(tmp_path, damage):
    with TraceWriter(tmp_path) as writer:
        writer.add(made("a"))
    damage(tmp_path)
    with pytest.raises(TraceError, match="mine"):
        Traces(tmp_path)


def test_a_newer_schema_is_refused(tmp_path):
    with TraceWriter(tmp_path) as writer:
        writer.add(made("a"))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(TraceError, match="schema 99"):
        Traces(tmp_path)
