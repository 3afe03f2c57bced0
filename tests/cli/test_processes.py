"""What only a process of its own shows: exit codes, tracebacks, pipes, signals, imports, time."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest
from cli_waiting import wait_for

FAILING = """
def divide(x):
    return x / 0


@op(stage="learn")
def fit("""


def test_a_failing_operator_shows_the_persons_traceback_and_what_was_kept(mile):
    mile.edit('@op(stage="learn")\ndef fit(', FAILING.strip())
    mile.edit("    return sum(rows) * C", "    return divide(sum(rows))")
    code, out, err = mile.process("run", "small.py")
    lines = err.splitlines()
    assert (code, out) == (1, "")
    assert lines[0] == "node 'fit' failed:"
    assert lines[1] == "Traceback (most recent call last):"
    assert "ZeroDivisionError: float division by zero" in lines
    assert lines[-1].startswith("kept ")
    assert "the next run goes on from there" in lines[-1]
    assert "mile_rl" not in err
    frames = [line for line in lines if line.startswith("  File ")]
    assert len(frames) == 2
    assert all(str(mile.file) in frame for frame in frames)

    # What was kept is loaded by the next run, and the log tells of the failure.
    mile.edit("    return divide(sum(rows))", "    return sum(rows)")
    code, out, _ = mile.process("run", "small.py", "--json")
    assert code == 0
    assert {node["name"]: node["state"] for node in json.loads(out)["nodes"]}["features"] == "load"
    code, out, _ = mile.process("log", "--json")
    assert [row["status"] for row in json.loads(out)] == ["ok", "failed"]


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax"),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("def f():\n    return undefined\nf()\n", "NameError: name 'undefined' is not defined"),
    ],
)
def test_an_error_in_the_file_itself_is_shown_as_python_shows_it(mile, source, last):
    mile.file.write_text(source)
    code, out, err = mile.process("run", "small.py")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith(last)
    assert "small.py" in err
    assert "mile_rl" not in err
    assert "importlib" not in err


def test_an_error_in_the_workflow_function_is_the_persons_too(mile):
    mile.edit("    return {", "    undefined\n    return {")
    code, _, err = mile.process("run", "small.py")
    assert code == 1
    assert err.splitlines()[-1] == "NameError: name 'undefined' is not defined"
    assert "mile_rl" not in err


def test_ctrl_c_keeps_what_was_computed(mile):
    mile.edit("    return sum(rows) * C", "    open('begun', 'w').close()\n    time.sleep(30)")
    with mile.start("run", "small.py") as process:
        wait_for((mile.folder / "begun").exists)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.startswith("interrupted; kept ")
    assert len(err.splitlines()) == 1
    assert json.loads(mile.process("log", "--json")[1])[0]["status"] == "interrupted"


@pytest.mark.parametrize("command", ["log", "policies", "--help"])
def test_a_reader_that_leaves_early_is_no_error(mile, command):
    mile.process("run", "small.py")
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "mile_rl.cli", command],
        cwd=mile.folder,
        env=mile.environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert ended.stderr == ""


def test_on_a_terminal_there_are_colours_a_bar_and_short_lines(mile):
    mile.edit("time.sleep(0.15)", "time.sleep(1.6)")
    assert mile.process("run", "small.py")[0] == 0
    mile.edit("FACTOR = 2", "FACTOR = 3")
    master, slave = pty.openpty()
    ended = subprocess.Popen(
        [sys.executable, "-m", "mile_rl.cli", "run", "small.py"],
        cwd=mile.folder,
        env=mile.environment() | {"TERM": "xterm", "NO_COLOR": ""},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
    assert ended.wait(60) == 0
    os.close(master)
    text = seen.decode()
    assert "\x1b[33mcompute\x1b[0m" in text
    assert "1 s of about 2 s  features" in text
    shown = text.rpartition("\r\x1b[K")[2].replace("\x1b[33m", "").replace("\x1b[32m", "")
    assert "░" not in shown
    assert all(len(line.replace("\x1b[0m", "")) <= 80 for line in shown.splitlines())


def test_help_imports_nothing_heavy(mile):
    code = (
        "import sys\n"
        "from mile_rl.cli.main import main\n"
        "sys.argv = ['mile', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'sklearn', 'sqlalchemy', 'networkx', 'ortools', 'rich', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=mile.environment(), capture_output=True, text=True, check=True
    )
    assert ended.stderr == "[]\n"
    assert "Usage: mile" in ended.stdout


def test_a_run_imports_neither_rich_nor_what_the_workflow_does_not_need(mile):
    code = (
        "import sys\n"
        "from mile_rl.cli.main import main\n"
        "sys.argv = ['mile', 'run', 'small.py']\n"
        "try:\n    main()\nexcept SystemExit as error:\n    assert not error.code\n"
        "heavy = {'pandas', 'sklearn', 'sqlalchemy', 'networkx', 'rich', 'pyarrow', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=mile.folder,
        env=mile.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == "[]\n"
