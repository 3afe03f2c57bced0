"""Telling what went wrong in the person's own code: their traceback, and nothing of ours."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import Literal

_OURS = Path(__file__).resolve().parents[1]
_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)

Owner = Literal["ours", "library", "person"]


def persons_traceback(error: BaseException) -> str:
    """Return the traceback of an error as Python prints it, without frames of MILE-RL and of the importer.

    Args:
        error: what the person's code raised.
    """
    told = traceback.TracebackException.from_exception(error)
    _trim(told)
    return "".join(told.format()).rstrip("\n")


def is_persons(error: BaseException) -> bool:
    """Tell whether an error comes from the person's code (or from what it called) and not from ours.

    Whoever stands closest to where it was raised, libraries not counted, is to blame.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return owner(error.filename) == "person"
    frames = traceback.extract_tb(error.__traceback__)
    owners = (owner(frame.filename) for frame in reversed(frames))
    return next((who for who in owners if who != "library"), "ours") == "person"


def place(error: BaseException) -> str:
    """Return the innermost line of the person's code that an error passed through, "" where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if owner(frame.filename) == "person":
            inside = f", in {frame.name}" if frame.name != "<module>" else ""
            return f'File "{frame.filename}", line {frame.lineno}{inside}\n    {frame.line}'
    return ""


def owner(filename: str) -> Owner:
    """Return whose code a file is: MILE-RL's, a library's (or Python's own), or the person's."""
    if filename.startswith("<frozen "):
        return "library"
    if filename.startswith("<"):  # a notebook cell, exec, -c
        return "person"
    path = Path(filename).resolve()
    if path.is_relative_to(_OURS) and not path.is_relative_to(_OURS / "examples"):
        return "ours"
    if "site-packages" in path.parts or "dist-packages" in path.parts:
        return "library"
    return "library" if str(path).startswith(_LIBRARIES) else "person"


def _trim(told: traceback.TracebackException) -> None:
    kept = [
        frame
        for frame in told.stack
        if owner(frame.filename) != "ours" and not frame.filename.startswith("<frozen importlib")
    ]
    # Without a frame there is nothing for the line "Traceback (most recent call last):" to introduce.
    told.stack = traceback.StackSummary.from_list(kept) if kept else None  # type: ignore[assignment]
    for chained in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if chained is not None:
            _trim(chained)
