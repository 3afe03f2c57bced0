"""The documents say what the program does."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from mile_rl.cli.main import app
from mile_rl.cli.reference import commands, reference

ROOT = Path(__file__).parents[1]
COMMANDS = dict(commands(get_command(app)))
LINES_WITH_COMMANDS = re.compile(r"^\s*(?:\$ |# )?(mile (?:[a-z-]+).*)$|`(mile [a-z-]+[^`]*)`", re.MULTILINE)


def test_the_reference_is_current():
    assert (ROOT / "docs" / "cli.md").read_text() == reference(), (
        "run: python -m mile_rl.cli.reference > docs/cli.md"
    )


@pytest.mark.parametrize("path", sorted(COMMANDS))
class TestCommand:
    def test_it_has_help_with_an_example_that_calls_it(self, path):
        text, _, examples = COMMANDS[path].help.partition("\b\nExamples:\n")
        assert text.strip().splitlines()[0].endswith(".")
        lines = [line.strip() for line in examples.strip().splitlines()]
        assert any(line == path or line.startswith(f"{path} ") for line in lines)
        for line in lines:
            assert command_of(line) in COMMANDS

    def test_each_option_has_help(self, path):
        for parameter in COMMANDS[path].params:
            assert parameter.name == "help" or parameter.help.endswith((".", "?"))

    def test_it_is_in_the_reference(self, path):
        assert f"\n## {path}\n" in (ROOT / "docs" / "cli.md").read_text()

    def test_what_reports_speaks_json(self, path):
        assert "json" in {parameter.name for parameter in COMMANDS[path].params}


def command_of(line):
    """Return the command that a line of a document calls."""
    words = shlex.split(line, comments=True)
    two = " ".join(words[:3])
    return two if two in COMMANDS else " ".join(words[:2])


@pytest.mark.parametrize(
    "name", ["README.md", "docs/guide.md", "docs/tutorial.md", "docs/report.md", "examples/README.md"]
)
def test_commands_in_the_documents_exist(name):
    text = (ROOT / name).read_text()
    groups = {path.rpartition(" ")[0] for path in COMMANDS}
    for found in LINES_WITH_COMMANDS.finditer(text):
        line = found[1] or found[2]
        assert command_of(line) in COMMANDS.keys() | groups, f"{name}: {line}"
        options = {option for word in shlex.split(line, comments=True) if (option := word).startswith("--")}
        known = {
            option
            for parameter in getattr(COMMANDS.get(command_of(line)), "params", ())
            for option in parameter.opts
        }
        assert options <= known | {"--help"} or command_of(line) not in COMMANDS, f"{name}: {line}"


def test_every_package_of_the_source_has_an_init_file():
    for folder in (ROOT / "mile_rl").rglob("*"):
        if folder.is_dir() and folder.name != "__pycache__" and list(folder.glob("*.py")):
            assert (folder / "__init__.py").is_file(), f"{folder} would be missing from the wheel"
