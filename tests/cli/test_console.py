"""Fitting text to a terminal, and colours only where they are wanted."""

import io
import json

import pytest

from mile_rl.cli import console


class Terminal(io.StringIO):
    def isatty(self):
        return True


def as_terminal(monkeypatch):
    """Make standard output a terminal; in the test itself, as pytest sets it anew after the fixtures."""
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return stream


ROW = "scale  preprocess  compute  yes: recreating takes 2.1 s, loading 20 ms"


def test_a_terminal_gets_lines_that_fit_and_colours(monkeypatch):
    terminal = as_terminal(monkeypatch)
    console.out(ROW)
    text = terminal.getvalue()
    assert "\x1b[33mcompute\x1b[0m" in text
    plain = text.replace("\x1b[33m", "").replace("\x1b[0m", "")
    assert all(len(line) <= 40 for line in plain.splitlines())
    assert " ".join(plain.split()) == " ".join(ROW.split())


def test_the_last_column_of_a_table_goes_on_below_itself():
    lines = console.fit("a  b  " + "word " * 20, 50).splitlines()
    assert len(lines) > 1
    assert all(line.startswith(" " * 6 + "word") for line in lines[1:])


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colours_where_they_are_not_wanted(monkeypatch, variable, value):
    terminal = as_terminal(monkeypatch)
    monkeypatch.setenv(variable, value)
    console.out(ROW)
    assert "\x1b" not in terminal.getvalue()


def test_a_pipe_gets_whole_lines_without_colours(capsys):
    console.out(ROW + " x" * 100)
    assert capsys.readouterr().out == ROW + " x" * 100 + "\n"


def test_what_is_printed_while_json_is_made_goes_to_stderr(capsys):
    with console.prints_go_to_stderr(True):
        print("from the person's code")
    console.out_json({"µ": [1.5, None]})
    captured = capsys.readouterr()
    assert captured.err == "from the person's code\n"
    assert captured.out == '{\n  "µ": [\n    1.5,\n    null\n  ]\n}\n'


def test_a_number_that_json_has_not_becomes_text(capsys):
    console.out_json({"loss": float("nan"), "best": float("-inf")})
    assert json.loads(capsys.readouterr().out) == {"loss": "nan", "best": "-inf"}
