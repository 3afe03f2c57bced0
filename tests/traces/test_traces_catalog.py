"""The engine's own catalog as a source."""

import pytest
from trace_source_contract import TraceSourceContract

from mile_rl.store.catalog import Catalog
from mile_rl.store.records import IterationRecord, NodeRecord
from mile_rl.workflows.edits import ChangeClass, Edit
from traces.errors import TraceError
from traces.people import Pseudonyms
from traces.sources.base import Tally
from traces.sources.catalog import EngineCatalog

PSEUDONYMS = Pseudonyms(b"s" * 32)
START_NS = 1_600_000_000_000_000_000
MINUTE_NS = 60_000_000_000


def nodes(C, state="compute"):
    return (
        NodeRecord(
            name="read",
            operator="read",
            stage="preprocess",
            state=state,
            signature="s-read",
            arguments={"path": "rows.csv"},
            parts={"code read": "c1", "file rows.csv": "f1", "argument path": "a"},
            elapsed_ns=5_000,
            size_bytes=300,
        ),
        NodeRecord(
            name="model",
            operator="fit",
            stage="learn",
            state="compute",
            signature=f"s-model-{C}",
            parents=[["read", "result"]],
            arguments={"rows": "read", "C": C},
            parts={"code fit": "c2", "argument C": str(C), "parent rows": "s-read"},
            elapsed_ns=9_000,
        ),
    )


def record(catalog, number, C, parent, edits=(), accuracy=0.5):
    return catalog.record_iteration(
        IterationRecord(
            workflow="digits",
            version=f"{int(C * 10):032x}",
            started_ns=START_NS + number * MINUTE_NS,
            waited_ns=2_000_000_000,
            parent=parent,
            edits=edits,
            metrics={"accuracy": accuracy},
            nodes=nodes(C, "compute" if number == 0 else "load"),
        )
    )


def parameter(old, new):
    return (
        Edit(kind="parameter", node="model", stage="learn", operator="fit", parameter="C", old=old, new=new),
    )


@pytest.fixture
def project(tmp_path):
    home = tmp_path / "ada-project" / ".mile"
    home.mkdir(parents=True)
    catalog = Catalog.open(home / "catalog.db")
    first = record(catalog, 0, 1.0, None)
    second = record(catalog, 1, 10.0, first, parameter(1.0, 10.0), 0.9)
    third = record(catalog, 2, 1.0, second, parameter(10.0, 1.0))
    record(catalog, 3, 1.0, third)
    catalog.close()
    return home.parent


class TestEngineCatalog(TraceSourceContract):
    @pytest.fixture
    def source(self, project):
        return EngineCatalog(str(project), PSEUDONYMS)

    @pytest.fixture
    def names(self):
        return ("ada-project",)

    @pytest.fixture
    def broken(self, tmp_path):
        path = tmp_path / "catalog.db"
        path.write_text("a diary, not a database at all, and long enough to be looked at")
        return lambda: list(EngineCatalog(str(path), PSEUDONYMS).histories(Tally()))


def test_a_live_history_is_told_as_the_engine_recorded_it(project):
    (history,) = EngineCatalog(str(project), PSEUDONYMS).histories(Tally())
    assert [each.change for each in history.iterations] == [
        ChangeClass.START,
        ChangeClass.MODEL_PARAMETER,
        ChangeClass.RETURN,
        ChangeClass.NOTHING,
    ]
    assert history.iterations[2].returns_to == 0
    assert history.iterations[1].edits == parameter(1.0, 10.0)
    assert history.objective == "accuracy"
    assert history.iterations[1].score == 0.9
    assert history.iterations[1].think_ms == 58_000
    assert history.iterations[0].duration_ms == 2_000
    read, model = history.iterations[1].components
    assert dict(model.parameters) == {"C": 10.0}
    assert model.parents == ("read",)
    assert dict(read.parts) == {"code read": "c1", "file rows.csv": "f1"}
    assert (history.iterations[0].components[0].compute_ns, read.compute_ns, read.size_bytes) == (
        5_000,
        None,
        300,
    )


def test_a_folder_without_a_catalog_is_refused(tmp_path):
    with pytest.raises(TraceError, match="mile run"):
        EngineCatalog(str(tmp_path), PSEUDONYMS)
