"""``mile recommend`` and ``mile try`` on the real engine."""

import json

import pytest


def told(result):
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def ran(mile):
    for c in (1, 10, 20):
        told(mile("run", "small.py", f"C={c}", "--json"))
    return mile


def test_it_lists_changes_with_what_to_expect_and_how_to_try_them(ran):
    result = ran("recommend", "small.py", "C=20")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "small  what to try after iteration 3"
    assert any(line.startswith("1. ") for line in lines)
    assert "better with a chance of" in result.stdout
    assert "your last 2 edits of C: 1.0 -> 10.0" in result.stdout
    assert lines[-1].startswith(("try one without touching your file: mile try 1", "note: "))


def test_without_a_file_it_is_about_the_workflow_run_last(ran):
    assert told(ran("recommend", "--json"))["workflow"] == "small"
    assert ran("recommend", "C=1").exit_code == 1


def test_the_json_says_it_all_and_restrictions_hold(ran):
    said = told(
        ran("recommend", "small.py", "C=20", "--json", "--stage", "learn", "--top", "2", "--minutes", "1")
    )
    assert said["arguments"] == {"C": 20.0}
    assert 1 <= len(said["recommendations"]) <= 2
    for one in said["recommendations"]:
        assert one["stage"] == "learn"
        assert one["low"] <= one["expected"] <= one["high"]
        assert isinstance(one["waiting_ns"], int)
        assert one["change"]["words"]
    assert told(ran("recommend", "small.py", "--novice", "--json"))["recommendations"][0]["terms"]


def test_trying_touches_no_file_and_prints_what_to_run(ran):
    text = ran.file.read_text()
    said = told(ran("recommend", "small.py", "C=20", "--stage", "learn", "--json"))["recommendations"]
    number = next(at for at, one in enumerate(said, start=1) if "C" in one["change"]["arguments"])
    value = said[number - 1]["change"]["arguments"]["C"]
    result = ran("try", str(number))
    assert (result.exit_code, ran.file.read_text()) == (0, text)
    assert result.stdout.splitlines()[-1] == f"  mile run small.py C={value}"
    assert "your file is as it was" in result.stdout
    after = told(ran("try", str(number), "--json"))
    assert after["after"] == after["iteration"]["metrics"]["accuracy"]
    again = told(ran("recommend", "small.py", "C=20", "--top", "9", "--json"))["recommendations"]
    assert all(one["change"]["arguments"].get("C") != value for one in again)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recommend"], "nothing was run here yet"),
        (["recommend", "small.py"], "has not run to its end yet"),
        (["try", "1"], "nothing was recommended here yet"),
        (["recommend", "smal.py"], "there is no file 'smal.py'"),
    ],
)
def test_what_cannot_be_done_is_a_clear_line_and_exit_code_1(mile, arguments, message):
    result = mile(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_what_was_only_tried_is_no_part_of_what_is_predicted(ran):
    before = told(ran("predict", "--json"))
    said = told(ran("recommend", "small.py", "C=20", "--stage", "learn", "--json"))["recommendations"]
    number = next(at for at, one in enumerate(said, start=1) if "C" in one["change"]["arguments"])
    assert ran("try", str(number)).exit_code == 0
    assert told(ran("predict", "--json")) == before
