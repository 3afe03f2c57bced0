"""Playing a session: edit the file, ``mile run`` in a fresh process, and so on."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mile_rl.cli.demo.examples import environment
from mile_rl.cli.session import Session, Step
from mile_rl.errors import MileError
from mile_rl.workflows.edits import Edit


@dataclass(frozen=True, slots=True, kw_only=True)
class Plainly:
    """The same version run as plain functions, in a fresh process of its own.

    Args:
        elapsed_ns: how long the call took.
        process_ns: the whole process, from start to exit.
        same: whether it returned exactly what the run under MILE-RL returned.
    """

    elapsed_ns: int
    process_ns: int
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run of a session, as it went.

    Args:
        step: what the person thought and did.
        command: what they typed.
        edits: what MILE-RL found changed.
        returned_to: the earlier iteration whose version this is, if the person went back.
        states: computed, loaded and pruned nodes.
        waited_ns: the time waited, from calling the workflow to outputs returned and everything written.
        everything_ns: what everything would have taken, as MILE-RL estimates it.
        process_ns: the whole process, from start to exit.
        metrics: numbers among the outputs.
        plainly: what running it plainly gave; None where that was not asked for.
    """

    step: Step
    command: str
    edits: tuple[Edit, ...]
    returned_to: int | None
    states: tuple[int, int, int]
    waited_ns: int
    everything_ns: int
    process_ns: int
    metrics: dict[str, float]
    plainly: Plainly | None = None

    @property
    def reference_ns(self) -> int:
        """The time that everything takes: measured where it was run plainly, else the estimate."""
        return self.plainly.elapsed_ns if self.plainly else self.everything_ns

    def to_json(self) -> dict[str, Any]:
        """Return the run as a JSON object."""
        computed, loaded, pruned = self.states
        return {
            "step": self.step.number,
            "say": self.step.say,
            "command": self.command,
            "edits": [{**edit.to_json(), "words": edit.words()} for edit in self.edits],
            "returned_to": self.returned_to,
            "computed": computed,
            "loaded": loaded,
            "pruned": pruned,
            "waited_ns": self.waited_ns,
            "everything_ns": self.everything_ns,
            "process_ns": self.process_ns,
            "metrics": self.metrics,
            "plain": self.plainly
            and {
                "elapsed_ns": self.plainly.elapsed_ns,
                "process_ns": self.plainly.process_ns,
                "same": self.plainly.same,
            },
        }


def play(
    session: Session,
    place: Path,
    *,
    flags: Sequence[str] = (),
    verify: bool = False,
    on_step: Callable[[Step, str], None] | None = None,
    clock_ns: Callable[[], int] = time.perf_counter_ns,
) -> Iterator[Played]:
    """Play a session in a folder that holds its workflow and data, and yield each run when it is over.

    Args:
        session: what the person does.
        place: the folder; the workflow's file in it is edited.
        flags: options for every ``mile run``, as in ``("--policy", "lru")``.
        verify: whether to run every version plainly as well, and compare what both return.
        on_step: hears of a step and its command before it runs.
        clock_ns: a clock.

    Raises:
        MileError: an edit does not fit, or a run fails.
    """
    file = place / f"{session.name}.py"
    for step, source in session.versions(file.read_text(encoding="utf-8")):
        file.write_text(source, encoding="utf-8")
        arguments = [f"{name}={value}" for name, value in step.arguments.items()]
        typed = ["run", file.name, *arguments, *flags]
        command = shlex.join(["mile", *typed])
        if on_step is not None:
            on_step(step, command)
        start_ns = clock_ns()
        told = _json_of(["mile_rl.cli", *typed, "--json"], place, command)
        process_ns = clock_ns() - start_ns
        plainly = _plainly(file.name, arguments, place, told["outputs"], clock_ns) if verify else None
        yield _played(step, command, told, process_ns, plainly)


def _plainly(
    file: str, arguments: Sequence[str], place: Path, outputs: Any, clock_ns: Callable[[], int]
) -> Plainly:
    start_ns = clock_ns()
    told = _json_of(["mile_rl.cli.demo.plain", file, *arguments], place, f"{file}, run plainly")
    return Plainly(
        elapsed_ns=told["elapsed_ns"],
        process_ns=clock_ns() - start_ns,
        same=told["outputs"] == outputs,
    )


def _played(
    step: Step, command: str, told: dict[str, Any], process_ns: int, plainly: Plainly | None
) -> Played:
    states = [node["state"] for node in told["nodes"]]
    edits = ({key: value for key, value in edit.items() if key != "words"} for edit in told["edits"])
    return Played(
        step=step,
        command=command,
        edits=tuple(map(Edit.from_json, edits)),
        returned_to=told["returned_to"],
        states=(states.count("compute"), states.count("load"), states.count("prune")),
        waited_ns=told["waited_ns"],
        everything_ns=told["everything_ns"],
        process_ns=process_ns,
        metrics=told["metrics"],
        plainly=plainly,
    )


def _json_of(module: Sequence[str], place: Path, command: str) -> dict[str, Any]:
    """Run a module in a fresh process and return the JSON that it prints."""
    ended = subprocess.run(
        [sys.executable, "-m", *module], cwd=place, env=environment(place), capture_output=True, text=True
    )
    if ended.returncode:
        raise MileError(f"{command} failed with exit code {ended.returncode}:\n{ended.stderr.strip()}")
    told: dict[str, Any] = json.loads(ended.stdout)
    return told
