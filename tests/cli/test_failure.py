"""Telling the person's code from a library's and from ours, and showing only theirs."""

import importlib.util
import json

import pytest

import mile_rl
from mile_rl.cli import failure


def raised(action):
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("it did not raise")


def loaded(tmp_path, source):
    path = tmp_path / "mine.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_files_belong_to_us_to_a_library_or_to_the_person(tmp_path):
    assert failure.owner(mile_rl.__file__) == "ours"
    assert failure.owner(json.__file__) == "library"
    assert failure.owner(pytest.__file__) == "library"
    assert failure.owner("<frozen importlib._bootstrap>") == "library"
    assert failure.owner("<stdin>") == "person"
    assert failure.owner(str(tmp_path / "mine.py")) == "person"


def test_the_traceback_has_their_frames_and_the_librarys_but_none_of_ours(tmp_path):
    mine = loaded(tmp_path, "import json\ndef read():\n    return json.loads('{')\n")

    def through_us():
        from mile_rl.cli.console import prints_go_to_stderr

        with prints_go_to_stderr(True):
            mine.read()

    error = raised(through_us)
    text = failure.persons_traceback(error)
    assert text.startswith("Traceback (most recent call last):")
    assert "return json.loads('{')" in text
    assert "decoder.py" in text
    assert str(failure._OURS) not in text
    assert text.splitlines()[-1].startswith("json.decoder.JSONDecodeError:")
    assert failure.is_persons(error)
    assert str(tmp_path / "mine.py") in text


def test_chained_errors_are_trimmed_too(tmp_path):
    source = """
def f():
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise ValueError("x") from error
"""
    text = failure.persons_traceback(raised(loaded(tmp_path, source).f))
    assert "1 / 0" in text
    assert "direct cause" in text


def test_a_syntax_error_has_no_frames_of_the_importer(tmp_path):
    error = raised(lambda: loaded(tmp_path, "def f(:\n"))
    assert failure.is_persons(error)
    text = failure.persons_traceback(error)
    assert "importlib" not in text
    assert "def f(:" in text
    assert text.splitlines()[-1].startswith("SyntaxError:")


def test_a_bug_of_ours_is_not_blamed_on_the_person():
    from mile_rl.cli import chart

    assert not failure.is_persons(raised(lambda: chart.cumulative(None, None, columns=80)))


def test_the_place_is_the_innermost_line_of_the_person(tmp_path):
    mine = loaded(tmp_path, "import json\ndef read():\n    return json.loads('{')\n")
    assert failure.place(raised(mine.read)) == (
        f"File \"{tmp_path / 'mine.py'}\", line 3, in read\n    return json.loads('{{')"
    )
