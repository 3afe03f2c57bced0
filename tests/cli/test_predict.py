"""``mile predict`` on the real engine."""

import json
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

HEAVY = {"pandas", "networkx", "sqlalchemy", "ortools", "sklearn", "scipy", "pyarrow", "small"}


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def ran(mile, monkeypatch):
    """Six runs, a minute apart, in which C is tuned."""
    from mile_rl.engine import iteration

    moments = iter(range(10**18, 10**19, 60 * 10**9))
    clock = SimpleNamespace(time_ns=lambda: next(moments), perf_counter_ns=time.perf_counter_ns)
    monkeypatch.setattr(iteration, "time", clock)
    for c in (1, 10, 100, 50, 20, 10):
        told(mile("run", "small.py", f"C={c}", "--json"))
    return mile


def test_it_tells_changes_nodes_values_returns_and_how_sure_it_is(ran):
    result = ran("predict")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "small  after iteration 6"
    likeliest = lines[lines.index("what will probably be done next, if anything is") + 1]
    assert likeliest.endswith("%  change parameters of what learns")
    touched = lines[lines.index("nodes that this will probably touch") + 1]
    assert touched.endswith("%  fit (learn)")
    moving = lines.index("parameters that will probably move") + 1
    assert lines[moving].endswith("%  C of fit, now 10.0")
    assert ": used before here" in lines[moving + 1]
    assert "%  iteration 5" in lines[lines.index("where it may go back to") + 1]
    assert "It knows 5 edits of yours." in result.stdout


def test_the_json_says_it_all_with_probabilities(ran):
    said = told(ran("predict", "--json", "--top", "5"))
    assert (said["workflow"], said["iteration"], said["edits_seen"]) == ("small", 6, 5)
    assert sum(said["change_classes"].values()) == pytest.approx(1.0)
    assert next(iter(said["change_classes"])) == "model_parameter"
    assert {one["node"] for one in said["nodes"]} == {"read", "features", "fit", "accuracy"}
    assert said["nodes"][0]["node"] == "fit"
    moving = said["parameters"][0]
    assert (moving["node"], moving["parameter"], moving["value"]) == ("fit", "C", 10.0)
    assert len(moving["values"]) == 5
    assert 0 < sum(value["probability"] for value in moving["values"]) <= 1 + 1e-9
    assert {one["iteration"] for one in said["returns"]} == {1, 3, 4, 5}
    assert 0 < said["stop"] < 1


def test_a_value_that_json_has_no_word_for_becomes_text(ran):
    said = told(ran("predict", "small.py", "C=nan", "--json"))
    assert said["parameters"][0]["value"] == said["pending"][0]["new"] == "nan"


def test_with_a_file_and_arguments_what_was_not_run_yet_counts(ran):
    said = told(ran("predict", "small.py", "C=30", "--json"))
    assert [edit["words"] for edit in said["pending"]] == ["fit: C 10.0 -> 30.0"]
    assert said["parameters"][0]["value"] == 30.0
    assert "though not run yet:\n  fit: C 10.0 -> 30.0\n" in ran("predict", "small.py:small", "C=30").stdout
    assert [row["iteration"] for row in told(ran("log", "--json"))] == [6, 5, 4, 3, 2, 1]


def test_before_the_first_run_a_file_is_predicted_from_the_traces(mile):
    result = mile("predict", "small.py")
    assert result.stdout.startswith("small  not run yet\n")
    assert "It knows no edits of yours yet" in result.stdout
    assert told(mile("predict", "small.py", "--json"))["iteration"] is None


def test_one_of_several_workflows_is_named(ran):
    with ran.file.open("a") as file:
        file.write("\n\n@workflow\ndef other():\n    return fit([1.0])\n")
    assert "name one, as in small.py:small" in ran("predict", "small.py").stderr
    told(ran("run", "small.py:other", "--json"))
    assert told(ran("predict", "--json"))["workflow"] == "small.py:other"
    named = told(ran("predict", "-w", "small", "--json"))
    assert (named["workflow"], named["iteration"], named["iterations_elsewhere"]) == ("small", 6, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing was run here yet"),
        (["-w", "small"], "nothing was run here yet"),
        (["smal.py"], "there is no file 'smal.py'"),
        (["small.py", "c=1"], "no parameter 'c'"),
        (["C=1"], "argument 'C=1' has no workflow: name its file"),
        (["small.py", "-w", "small"], "name one workflow"),
    ],
)
def test_what_cannot_be_done_is_a_clear_line_and_exit_code_1(mile, arguments, message):
    result = mile("predict", *arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_wrong_usage_is_exit_code_2(mile):
    assert mile("predict", "--top", "0").exit_code == 2


def test_without_a_file_neither_the_workflow_nor_its_libraries_are_imported(ran):
    code = (
        "import sys; sys.argv = ['mile', 'predict']\nfrom mile_rl.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('|' + ' '.join(sys.modules))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ran.folder,
        env=ran.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in said.stdout.rpartition("|")[2].split()}
    assert loaded & HEAVY == set()
