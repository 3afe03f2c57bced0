"""Run a workflow as the plain function that it is: ``python -m mile_rl.cli.demo.plain FILE [NAME=VALUE]…``.

Prints one JSON object: how long the call took, and what it returned. What the person's code prints goes to
standard error. Nothing is read from or written to the store.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from mile_rl.cli.console import prints_go_to_stderr
from mile_rl.cli.values import to_json
from mile_rl.engine.loading import load_workflow, parse_arguments
from mile_rl.workflows.file import File


def run_plainly(reference: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return ``elapsed_ns`` and ``outputs`` (as JSON) of a workflow that is simply called.

    Args:
        reference: ``file.py`` or ``file.py:name``.
        texts: ``name=value`` texts.
    """
    flow = load_workflow(reference)
    bound = flow.signature.bind(**parse_arguments(flow, texts))
    bound.apply_defaults()
    # Operators receive a declared file as its path, whoever calls them.
    for name, value in bound.arguments.items():
        if isinstance(value, File):
            bound.arguments[name] = value.path
    start_ns = time.perf_counter_ns()
    outputs = flow(*bound.args, **bound.kwargs)
    elapsed_ns = time.perf_counter_ns() - start_ns
    return {"elapsed_ns": elapsed_ns, "outputs": to_json(outputs)}


def main() -> None:
    """Read the command line, run, print."""
    with prints_go_to_stderr(True):
        told = run_plainly(sys.argv[1], sys.argv[2:])
    sys.stdout.write(json.dumps(told, allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
