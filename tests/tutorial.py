"""Plays a tutorial: writes the files that it shows, makes its edits and runs its commands, in its order."""

import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Step:
    """One command and the lines that are shown below it."""

    command: str
    shown: list[str] = field(default_factory=list)


def play(text, folder):
    """Yield (step, output) of every command of a tutorial.

    A python block that begins with ``# name.py`` is that file, one with ``# name.py, added`` its new end, a diff
    block replaces in the file written last, and in a block without a language, lines with ``$`` are commands.

    Args:
        text: the tutorial's.
        folder: where to play; the working directory.
    """
    file = None
    for language, block in BLOCK.findall(text):
        if language == "python":
            name, _, added = re.match(r"# (\w+\.py)(, )?(added)?\n", block).groups()
            file = folder / name
            file.write_text(file.read_text() + "\n" + block if added else block)
        elif language == "diff":
            for old, new in re.findall(r"^-(.*)\n\+(.*)$", block, re.MULTILINE):
                assert file.read_text().count(old) == 1, f"{old!r} in {file.name}"
                file.write_text(file.read_text().replace(old, new))
        elif not language:
            for step in steps_of(block):
                yield step, output_of(step.command)


def steps_of(block):
    """Return the commands of a block with what is shown below each."""
    steps = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:]))
        elif line:
            steps[-1].shown.append(line)
    return steps


def output_of(command):
    """Run a command line in this process and return what it prints."""
    first, _, other = command.partition(" | ")
    words = shlex.split(first)
    for name in ("digits", "eights"):
        sys.modules.pop(name, None)
    if words[0] == "python":
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            runpy.run_path(str(Path.cwd() / words[1]), run_name="__main__")
        return said.getvalue()
    from typer.testing import CliRunner

    from mile_rl.cli.main import app

    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, f"{command}: {result.output}"
    if not other:
        return result.stdout
    piped = subprocess.run(
        shlex.split(other),
        input=result.stdout,
        text=True,
        capture_output=True,
        check=True,
        env=dict(os.environ),
    )
    return piped.stdout


def shape(line):
    """Return a line with what differs from run to run and from machine to machine taken out."""
    line = re.sub(r"\b[0-9a-f]{10,}\b", "DIGEST", line)
    line = re.sub(r"sklearn\.\w+ import \w+", "IMPORT", line)
    line = re.sub(r"\b[A-Z]\w+\([^()]*\)", "CALL", line)
    line = re.sub(r"[+-]?\b\d[\d,]*(\.\d+)?(e[+-]\d+)?", "N", line)
    line = re.sub(r"N (µs|ms|s|min|h|d|B|kB|MB|GB)\b", "N U", line)
    line = re.sub(r"\b(inside|outside)\b", "WHERE", line)
    return re.sub(r"[ ─]+", " ", line).strip()


def missing(step, output):
    """Return the shown lines whose shape the output does not have; one that ends in "…" is a beginning."""
    found = [shape(line) for line in output.splitlines()]
    return [
        line
        for line in step.shown
        if line.strip() != "…"
        and not any(
            one.startswith(shape(line[:-1])) if line.endswith("…") else one == shape(line) for one in found
        )
    ]
