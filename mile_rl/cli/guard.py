"""How every command ends: 0 fine, 1 an error told in a line or two, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

from mile_rl.cli import console
from mile_rl.errors import MileError, OperatorFailed, WorkflowError

P = ParamSpec("P")

FAILED = 1
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + SIGPIPE: what a program gets that the system stops for writing where nobody reads any more."""


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Return the command so that errors end it with a message and an exit code instead of our traceback.

    Notes added to an error (``error.add_note``) are told after it. A bug of MILE-RL keeps its traceback.
    """

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            console.err(_with_notes("interrupted", error, "; "))
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            _silence()
        except OperatorFailed as error:
            if isinstance(error.__cause__, BrokenPipeError):
                _silence()
            console.err(_operator_failed(error))
            raise SystemExit(FAILED) from None
        except MileError as error:
            console.err(_with_notes(_told(error), error))
            raise SystemExit(FAILED) from None
        except Exception as error:
            console.err(_other(error))
            raise SystemExit(FAILED) from None

    return wrapper


def _operator_failed(error: OperatorFailed) -> str:
    from mile_rl.cli.failure import persons_traceback

    if error.__cause__ is None:
        return _with_notes(f"error: {error}", error)
    return _with_notes(f"node {error.node!r} failed:\n{persons_traceback(error.__cause__)}", error)


def _told(error: MileError) -> str:
    message = f"error: {error}"
    if isinstance(error, WorkflowError):
        from mile_rl.cli.failure import place

        where = place(error)
        return f"{message}\n  {where}" if where else message
    return message


def _other(error: Exception) -> str:
    from mile_rl.cli import failure

    if failure.is_persons(error):
        return _with_notes(failure.persons_traceback(error), error)
    import traceback

    whole = "".join(traceback.format_exception(error)).rstrip("\n")
    return f"{whole}\nThis is a bug in MILE-RL, not in your code: please report it with the lines above."


def _with_notes(message: str, error: BaseException, separator: str = "\n") -> str:
    notes: list[str] = getattr(error, "__notes__", [])
    return separator.join((message, *(note for note in notes if note not in message)))


def _silence() -> None:
    """End quietly: whoever read our output (``| head``) has seen enough."""
    # Python flushes standard output once more at its end, which would complain.
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, sys.stdout.fileno())
    except (OSError, ValueError):  # standard output is no file of the system (a test's, say)
        sys.stdout = io.StringIO()
    raise SystemExit(BROKEN_PIPE) from None
