"""Mining OpenML over real HTTP, against a local server that answers in its format."""

import threading
import tracemalloc

import pytest
from openml_server import Flow, OpenmlServer, error
from trace_source_contract import TraceSourceContract

from mile_rl.workflows.edits import ChangeClass
from traces.cli import main
from traces.errors import NotWhatItClaims, TraceError
from traces.openml_cache import CachedRun, OpenmlCache
from traces.openml_http import NoResult, OpenmlApi
from traces.people import Pseudonyms
from traces.reader import Traces
from traces.sources.base import Tally
from traces.sources.openml_live import OpenmlLive, Selection

SCALER = Flow(2, "sklearn.preprocessing.data.StandardScaler", parameters={"with_mean": "true"})
SVC = Flow(3, "sklearn.svm.classes.SVC", parameters={"C": "1.0", "kernel": '"rbf"'})
PIPE = Flow(
    1,
    "sklearn.pipeline.Pipeline(scale=sklearn.preprocessing.data.StandardScaler,clf=sklearn.svm.classes.SVC)",
    parameters={"steps": ""},
    components={"clf": SVC, "scale": SCALER},
)
J48 = Flow(5, "weka.J48", "Weka_3.8", {"C": "0.25", "M": "2"})
ODD = Flow(6, "azure_two_class_decision_forest_flow", "azure")
PEOPLE = (77001, 77002)


def settings(value):
    return (1, {(2, "with_mean"): "true", (3, "C"): value, (3, "kernel"): '"rbf"'})


def made_runs():
    runs = []
    for number in range(9):
        runs.append(
            {
                "run_id": 100 + number,
                "task_id": 31,
                "flow_id": 1,
                "setup_id": 10 + number % 3,
                "uploader": PEOPLE[number % 2],
                "upload_time": f"2019-03-0{9 - number} 10:00:00",
                "value": 0.7 + number / 100 if number else None,
            }
        )
    runs.append(
        {**runs[0], "run_id": 200, "flow_id": 5, "setup_id": 20, "upload_time": "2019-04-01 09:00:00"}
    )
    runs.append(
        {**runs[0], "run_id": 201, "flow_id": 6, "setup_id": 21, "upload_time": "2019-04-02 09:00:00"}
    )
    runs.append({**runs[0], "run_id": 202, "upload_time": "yesterday"})
    return runs


SETUPS = {
    10: settings("1.0"),
    11: settings("10.0"),
    12: settings("100.0"),
    20: (5, {(5, "C"): "0.5", (5, "M"): "2"}),
    21: (6, {}),
}


@pytest.fixture
def server():
    with OpenmlServer(made_runs(), [PIPE, J48, ODD], SETUPS) as server:
        yield server


class Slept:
    def __init__(self):
        self.seconds = []

    def __call__(self, seconds):
        self.seconds.append(seconds)


@pytest.fixture
def live(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path / "openml"))
    made = []

    def make(selection=None, **options):
        options = {"timeout_s": 5, "interval_ms": 0, "sleep": Slept(), **options}
        cache = OpenmlCache(tmp_path / "cache.sqlite")
        made.append(cache)
        api = OpenmlApi(server.url, **options)
        return OpenmlLive(
            selection or Selection(tasks=(31,)), api, cache, Pseudonyms(b"s" * 32), page_size=4, batch_size=2
        )

    yield make
    for cache in made:
        cache.close()


class TestOpenmlLive(TraceSourceContract):
    @pytest.fixture
    def source(self, live):
        return live()

    @pytest.fixture
    def names(self):
        return tuple(map(str, PEOPLE))

    @pytest.fixture
    def broken(self, live, server):
        server.fault = lambda number, path: (200, "<html><body>Welcome</body></html>")
        return lambda: list(live().histories(Tally()))


def test_people_and_times_give_the_histories_across_pages(live):
    histories = list(live().histories(Tally()))
    assert sorted(len(history) for history in histories) == [4, 6]
    first = max(histories, key=len)
    assert [iteration.metrics for iteration in first.iterations][-2:] == [{}, {}]
    edits = [edit for iteration in first.iterations[1:5] for edit in iteration.edits]
    assert {(edit.node, edit.parameter) for edit in edits} == {("clf", "C")}
    assert first.iterations[0].components[0].name == "scale"
    assert first.iterations[0].components[1].parents == ("scale",)
    assert first.iterations[-1].change in (ChangeClass.MODEL, ChangeClass.COMBINATION)
    assert first.iterations[-1].components[0].operator == "J48"


def test_what_cannot_be_read_is_counted_and_named(live):
    tally = Tally()
    list(live().histories(tally))
    assert tally.read == 12
    assert tally.bad == {"a flow of no known family": 1, "the upload time is no time": 1}
    assert tally.unread["flow"] == {"azure_two_class_decision_forest_flow": 1}


def test_mined_again_only_the_ends_of_the_lists_are_asked_for(live, server):
    list(live().histories(Tally()))
    before = len(server.asked)
    list(live().histories(Tally()))
    asked = server.asked[before:]
    assert len(asked) == 2
    assert all("/list/" in path for path in asked)


def test_interrupted_in_the_middle_it_goes_on_where_it_stopped(live, server, tmp_path):
    whole = list(live().histories(Tally()))
    (tmp_path / "cache.sqlite").unlink()
    answered = []
    for stop in (2, 3, 3):
        server.asked.clear()
        server.fault = lambda number, path, stop=stop: (412, error(999, "go away")) if number > stop else None
        with pytest.raises(TraceError, match="go away"):
            list(live().histories(Tally()))
        answered += server.asked[:stop]
    server.asked.clear()
    server.fault = lambda number, path: None
    assert list(live().histories(Tally())) == whole
    answered += server.asked
    again = {path for path in answered if answered.count(path) > 1}
    ends = {path for path in answered if "/list/task" in path and path.endswith("offset/12")}
    ends |= {path for path in answered if path.startswith("evaluation") and path.endswith("offset/8")}
    assert again <= ends


@pytest.mark.parametrize(
    "fault",
    [
        "cut",
        "hang up",
        (500, "<html>busy"),
        (503, "no xml at all"),
        (412, error(107, "no database")),
        (200, "<oml:"),
    ],
)
def test_trouble_that_passes_is_asked_again_with_growing_waits(live, server, fault):
    slept = Slept()
    server.fault = lambda number, path: fault if number in (1, 2, 3) else None
    histories = list(live(sleep=slept).histories(Tally()))
    assert sorted(len(history) for history in histories) == [4, 6]
    assert slept.seconds == [1.0, 2.0, 4.0]


def test_a_server_that_does_not_answer_in_time_is_asked_again(live, server):
    release = threading.Event()
    server.fault = lambda number, path: (lambda: release.wait(5)) if number == 1 else None
    histories = list(live(timeout_s=0.2).histories(Tally()))
    release.set()
    assert len(histories) == 2


def test_trouble_that_stays_is_one_error_that_says_how_to_go_on(live, server):
    server.fault = lambda number, path: "hang up"
    with pytest.raises(TraceError, match="mine again to go on"):
        list(live(attempts=3).histories(Tally()))
    assert len(server.asked) == 3


def test_requests_keep_their_distance(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path))
    slept = Slept()
    api = OpenmlApi(server.url, interval_ms=500, clock_ns=lambda: 0, sleep=slept)
    api.get("flow/1")
    api.get("flow/1")
    assert slept.seconds == [0.5]


def test_an_empty_list_is_no_error(live):
    assert list(live(Selection(tasks=(99,))).histories(Tally())) == []


def test_the_answer_that_nothing_is_there_is_told_apart(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path))
    with pytest.raises(NoResult):
        OpenmlApi(server.url, interval_ms=0).get("run/list/task/99/limit/4/offset/0")


def test_a_selection_of_everything_is_refused():
    with pytest.raises(TraceError, match="name tasks"):
        Selection()


def test_people_and_flows_can_be_selected(live):
    (history,) = live(Selection(uploaders=(PEOPLE[1],), flows=(1,))).histories(Tally())
    assert len(history) == 4


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    path = tmp_path / "cache.sqlite"
    path.write_text("this is a diary, not a database, and rather long")
    with pytest.raises(NotWhatItClaims, match="no cache"):
        OpenmlCache(path)


def test_our_settings_do_not_stay_in_the_openml_package(server, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path))
    import openml
    import requests

    before = openml.config.server
    OpenmlApi(server.url, interval_ms=0).get("flow/1")
    assert openml.config.server == before
    assert openml._api_calls.requests is requests


def test_selected_people_are_not_named_in_the_manifest(live):
    assert live(Selection(tasks=(31,), uploaders=PEOPLE)).place == "OpenML task/31/uploader/(2 of them)"


def test_the_command_line_mines_a_server(server, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path))
    out = tmp_path / "traces"
    options = ["--server", server.url, "--interval-ms", "0", "--salt-file", str(tmp_path / "salt")]
    assert main(["mine", "openml:task/31", "--out", str(out), *options]) == 0
    printed = capsys.readouterr().out
    assert "2 histories, 10 iterations from 12 read" in printed
    assert "azure_two_class_decision_forest_flow" in printed
    assert len(Traces(out)) == 2
    assert (tmp_path / "traces-openml-cache.sqlite").exists()


@pytest.mark.slow
def test_many_runs_are_read_in_bounded_memory(live, server, tmp_path):
    first = made_runs()[0]
    cache = OpenmlCache(tmp_path / "cache.sqlite")
    cache.add_runs(
        "task/31",
        (
            CachedRun(1_000_000 + n, 31, 1, 10 + n % 3, 500 + n // 200, f"2019-03-01 10:{n % 60:02}:00")
            for n in range(40_000)
        ),
        None,
    )
    cache.close()
    server.runs = [first]
    source, counted = live(), 0
    histories = source.histories(Tally())
    counted += len(next(histories))
    tracemalloc.start()
    counted += sum(map(len, histories))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted == 40_001
    assert peak_bytes < 20_000_000
