"""Playing a recorded session for real: every run by the engine, in a process of its own, on the clock of choice.

What ``mile demo`` does, but the processes are forked from one that has the session's libraries in memory, so that a
play takes seconds, not minutes, of imports; and time may be the processor's, which other people's work on a shared
machine hardly moves. What happened is in the plays' catalogs, and is read from there.
"""

from __future__ import annotations

import ast
import compileall
import importlib
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, Literal

import mile_rl
from experiments.agent.real_deciding import forget
from mile_rl.cli.session import Session, Step
from mile_rl.engine.project import Project, Settings
from mile_rl.errors import MileError

Clock = Literal["wall", "processor"]
"""What is waited for: the time that passes, or the processor's time of the engine's process."""

UNBOUNDED: Final = "1TB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """How a session is played.

    Args:
        home: where the project's state is kept; it must not be there yet.
        policy: what decides.
        budget: what the store may hold.
        clock: what is waited for.
        freely: whether writing may take any time, so that everything is written.
    """

    home: Path
    policy: str
    budget: int | str = UNBOUNDED
    clock: Clock = "wall"
    freely: bool = False

    @property
    def settings(self) -> Settings:
        """The engine's settings."""
        free = {"write_allowance_ms": 1e7} if self.freely else {}
        return Settings(policy=self.policy, budget=self.budget, **free)  # type: ignore[arg-type]


def play(session: Session, place: Path, source: str, how: Play) -> None:
    """Play a session from its first step to its last, in one new project.

    Args:
        session: what the person does.
        place: a folder with the workflow's data; its file is written there.
        source: the workflow's text before the first step.
        how: under which policy, budget and clock.

    Raises:
        MileError: an edit does not fit, or a run fails.
    """
    project = Project(root=place, home=how.home, settings=how.settings)
    _make_home(how.home)
    for step, text in session.versions(source):
        _run(place / f"{session.name}.py", text, step, project, how.clock)
    shutil.rmtree(project.store_root, ignore_errors=True)


def play_apart(session: Session, place: Path, source: str, how: Play) -> list[Path]:
    """Play every step in a project of its own, so that all of it is computed; return the projects' folders.

    Everything that can be kept is written: the sizes of all intermediates are known afterwards.
    """
    homes = []
    for step, text in session.versions(source):
        home = how.home / f"{step.number:02}"
        _make_home(home)
        project = Project(root=place, home=home, settings=how.settings)
        _run(place / f"{session.name}.py", text, step, project, how.clock)
        shutil.rmtree(project.store_root, ignore_errors=True)
        homes.append(home)
    return homes


def preload(sources: Iterable[str]) -> None:
    """Import the installed modules that some workflow texts import, before processes are forked off.

    The engine's byte code is written too: an installation has it, and compiling it anew in every run would count.
    """
    for folder in mile_rl.__path__:
        compileall.compile_dir(folder, quiet=2)
    for text in sources:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                importlib.import_module(node.module)
            elif isinstance(node, ast.Import):
                for each in node.names:
                    importlib.import_module(each.name)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise MileError(
            f"{home} is there already: a play begins in a new project, name another folder"
        ) from None


def _run(file: Path, text: str, step: Step, project: Project, clock: Clock) -> None:
    file.write_text(text, encoding="utf-8")
    arguments = [f"{name}={value}" for name, value in step.arguments.items()]
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(there, file, arguments, project, clock))
    child.start()
    there.close()
    try:
        told = here.recv()
    except EOFError:
        told = "its process died"
    child.join()
    if told:
        raise MileError(f"step {step.number} of {file.stem} ({step.say}) failed: {told}")


def _child(pipe: Connection, file: Path, arguments: list[str], project: Project, clock: Clock) -> None:
    told = ""
    try:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
        os.chdir(file.parent)
        _one_iteration(file, arguments, project, clock)
    except BaseException as error:
        told = f"{type(error).__name__}: {error}"
    pipe.send(told)


def _one_iteration(file: Path, arguments: list[str], project: Project, clock: Clock) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from mile_rl.engine import opening, stock
    from mile_rl.engine.iteration import run
    from mile_rl.engine.loading import load_workflow, parse_arguments

    # A run of `mile run` has neither looked ahead yet nor has its libraries use several threads for granted.
    forget()
    limited: Any = threadpool_limits(1)
    with limited:
        flow = load_workflow(str(file))
        given = parse_arguments(flow, arguments)
        if clock == "wall":
            run(flow, (), given, project=project)
        else:
            # All clocks of this process, which does nothing else: those of the run, of what the store's work costs
            # the person, of waiting for the writer, of looking for changes. Times kept waiting do not count.
            opening.cost_ns = stock.cost_ns = time.thread_time_ns  # type: ignore[attr-defined]
            time.perf_counter_ns = time.thread_time_ns
            run(flow, (), given, project=project, clock_ns=time.process_time_ns)
