"""The examples that come with MILE-RL, and the folder in which one is played."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mile_rl.engine.project import STATE
from mile_rl.errors import MileError

PACKAGE = Path(__file__).resolve().parents[2]


def folder(package: Path = PACKAGE) -> Path:
    """Return where the examples lie: inside an installed package, beside the package in a checkout.

    Raises:
        MileError: they are nowhere.
    """
    for candidate in (package / "examples", package.parent / "examples"):
        if (candidate / "make_data.py").is_file():
            return candidate
    raise MileError(f"the examples are not beside {package}: install mile-rl again, or run from a checkout.")


@contextlib.contextmanager
def playground(name: str, *, size: int | None = None, source: Path | None = None) -> Iterator[Path]:
    """Yield a temporary folder with an example, its session and its data; it is gone afterwards.

    Args:
        name: of the example.
        size: how much data to make (images, rows or sentences); None for as much as the example has.
        source: where the examples lie; found unless given.

    Raises:
        MileError: the data cannot be made.
    """
    source = source or folder()
    with tempfile.TemporaryDirectory(prefix=f"mile-demo-{name}-") as text:
        place = Path(text)
        for file in (f"{name}.py", f"{name}.session.json", "make_data.py"):
            shutil.copy(source / file, place / file)
        # A project of its own: no .mile or settings further up concern it.
        (place / STATE).mkdir(mode=0o700)
        make = [sys.executable, "make_data.py", name, "."]
        made = subprocess.run(
            make if size is None else [*make, "--size", str(size)],
            cwd=place,
            env=environment(place),
            capture_output=True,
            text=True,
        )
        if made.returncode:
            last = made.stderr.strip().rpartition("\n")[2]
            raise MileError(f"the data of the example {name} cannot be made: {last}")
        yield place


def environment(place: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment for processes that play in a folder: this one, without settings of others.

    Args:
        place: the folder.
        environ: the environment here.
    """
    variables = {key: value for key, value in environ.items() if not key.startswith("MILE_")}
    variables["MILE_HOME"] = str(place / STATE)
    # Files are edited several times a second here, which Python's byte code files (dated by the second and
    # the size) would miss; a person is slower.
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    if "site-packages" not in PACKAGE.parts:
        paths = (str(PACKAGE.parent), variables.get("PYTHONPATH", ""))
        variables["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return variables
