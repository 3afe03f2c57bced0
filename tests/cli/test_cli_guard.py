"""How a command ends, by what its library function raises."""

import pytest

from mile_rl.cli.guard import guarded
from mile_rl.errors import MileError, OperatorFailed, WorkflowError


def ended(action, capsys):
    """Return (exit code, standard error) of a command that does this."""
    with pytest.raises(SystemExit) as raised:
        guarded(action)()
    return raised.value.code, capsys.readouterr().err


def raising(error):
    def action():
        raise error

    return action


def test_a_command_that_is_fine_just_returns(capsys):
    guarded(lambda: print("fine"))()
    assert capsys.readouterr().out == "fine\n"


def test_an_error_is_one_line_and_exit_code_1(capsys):
    assert ended(raising(MileError("no file 'a.py': give another.")), capsys) == (
        1,
        "error: no file 'a.py': give another.\n",
    )


def test_interrupting_tells_what_was_kept(capsys):
    error = KeyboardInterrupt()
    error.add_note("kept 3 results; the next run goes on from there")
    assert ended(raising(error), capsys) == (
        130,
        "interrupted; kept 3 results; the next run goes on from there\n",
    )


def test_a_failed_operator_is_named_with_its_own_traceback_and_what_was_kept(capsys):
    def operator():
        return 1 / 0

    def action():
        try:
            operator()
        except ZeroDivisionError as cause:
            error = OperatorFailed("fit", cause)
            error.add_note("kept 2 results")
            raise error from cause

    code, text = ended(action, capsys)
    lines = text.splitlines()
    assert code == 1
    assert lines[0] == "node 'fit' failed:"
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-2:] == ["ZeroDivisionError: division by zero", "kept 2 results"]
    assert "mile_rl/cli/guard.py" not in text


def test_a_workflow_that_is_not_written_as_it_has_to_be_is_shown_where(capsys):
    code, text = ended(raising(WorkflowError("a handle has no value yet.")), capsys)
    assert code == 1
    assert text.startswith("error: a handle has no value yet.\n")
    assert "raise error" in text
    assert "Traceback" not in text


def test_an_error_of_the_persons_code_is_their_traceback(capsys):
    code, text = ended(raising(NameError("name 'np' is not defined")), capsys)
    assert code == 1
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("NameError: name 'np' is not defined\n")
    assert "bug in MILE-RL" not in text


def test_a_bug_of_ours_keeps_its_whole_traceback(capsys):
    from mile_rl.cli import chart

    code, text = ended(lambda: chart.cumulative(None, None, columns=80), capsys)
    assert code == 1
    assert "chart.py" in text
    assert "bug in MILE-RL" in text


@pytest.mark.parametrize("error", [BrokenPipeError(), OperatorFailed("fit", BrokenPipeError())])
def test_a_broken_pipe_is_silent(error, capsys, monkeypatch):
    import io

    if isinstance(error, OperatorFailed):
        error.__cause__ = BrokenPipeError()
    # Not the standard output of the tests: the guard turns it away from the pipe for good.
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert ended(raising(error), capsys) == (141, "")


def test_the_signature_that_typer_reads_stays(capsys):
    import inspect

    def command(a: int, b: str = "x") -> None:
        """Help."""

    assert inspect.signature(guarded(command)) == inspect.signature(command)
    assert guarded(command).__doc__ == "Help."
