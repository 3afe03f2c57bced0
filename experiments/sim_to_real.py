"""Play the example sessions for real and in the simulator, and show both side by side.

    python -m experiments.sim_to_real [--sessions digits census text] [--repeats 3] [--clock processor] [--out DIR]

Every session is played by the engine under each policy and budget, each time in a new project. From what the engine
recorded where nothing was kept (times) and everything was (sizes, transfers) a script is made and played in the
simulator; nothing of the plays that are predicted goes into it. What a policy takes for itself is measured in the
simulator and in new processes. Plays stay in DIR: with ``--no-play`` the comparison is made again from them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from envs.script import Script
from envs.session import play as simulate
from experiments.agent import real_play
from experiments.agent.real_deciding import Timed, first_look_ns
from experiments.agent.real_play import Clock, Play
from experiments.agent.real_script import Sight, drift, node_times, script_of, spent
from experiments.agent.real_table import Row, figures, markdown
from experiments.agent.real_transfers import Sizes, conditions_of, read_sizes
from mile_rl.cli.demo.examples import playground
from mile_rl.cli.session import Session, load
from mile_rl.errors import MileError
from mile_rl.policies.guard import COLD_NS, Guard
from mile_rl.policies.learned import SHIPPED
from mile_rl.policies.registry import make_policy
from mile_rl.store.catalog import Catalog

LOG = logging.getLogger("experiments.sim_to_real")
SESSIONS: Final = ("digits", "census", "text")
POLICIES: Final = ("helix", "gdsf", "expected")
SHARES: Final = (0.10, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealArguments:
    """What is to be played.

    Args:
        sessions: names of examples.
        policies: what decides, besides keeping nothing.
        shares: budgets as shares of a version's intermediates.
        repeats: plays of each.
        size: how much data is made (images, rows or sentences); None for as much as the examples have.
        data: a folder whose files take the place of the made ones.
        clock: what is waited for.
        sight: where the simulator's outlooks come from.
        folder: for the plays and the report.
        playing: whether anything is played, or the plays in the folder are compared again.
    """

    sessions: tuple[str, ...] = SESSIONS
    policies: tuple[str, ...] = POLICIES
    shares: tuple[float, ...] = SHARES
    repeats: int = 3
    size: int | None = None
    data: Path | None = None
    clock: Clock = "wall"
    sight: Sight = "engine"
    folder: Path = Path("build/sim_to_real")
    playing: bool = True


def run(arguments: RealArguments) -> dict[str, Any]:
    """Play, compare, write; return the figures.

    Raises:
        MileError: a session cannot be played.
    """
    load_before = os.getloadavg()[0]
    if arguments.playing:
        for name in arguments.sessions:
            play_session(name, arguments)
    rows: list[Row] = []
    for name in arguments.sessions:
        rows += compare_session(arguments.folder / name, name, arguments)
    found = figures(rows)
    found |= {"clock": arguments.clock, "load": [load_before, os.getloadavg()[0]], "cores": os.cpu_count()}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    text = _report(rows, found, arguments)
    (arguments.folder / "report.md").write_text(text, encoding="utf-8")
    (arguments.folder / "report.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    LOG.info("%s", arguments.folder / "report.md")
    return found


def play_session(name: str, arguments: RealArguments) -> None:
    """Play a session under everything, repeat by repeat, so that a busy hour falls on all policies alike."""
    folder = arguments.folder / name
    shutil.rmtree(folder, ignore_errors=True)
    with playground(name, size=arguments.size) as place:
        if arguments.data is not None:
            for file in arguments.data.iterdir():
                shutil.copy(file, place / file.name)
        session = load(place / f"{name}.session.json")
        source = (place / f"{name}.py").read_text(encoding="utf-8")
        real_play.preload(text for _, text in session.versions(source))
        clock = arguments.clock
        sizing = Play(home=folder / "sizes", policy="all", clock=clock, freely=True)
        real_play.play_apart(session, place, source, sizing)
        for repeat in range(arguments.repeats):
            home = folder / f"{repeat}"
            _one(session, place, source, Play(home=home / "none", policy="none", clock=clock))
            if repeat == 0:
                _one(session, place, source, Play(home=home / "all", policy="all", clock=clock, freely=True))
                whole_bytes = _script(folder, "first", name).intermediate_bytes
            for share in arguments.shares:
                for policy in arguments.policies:
                    budget = int(share * whole_bytes)
                    how = Play(home=home / _key(policy, share), policy=policy, budget=budget, clock=clock)
                    _one(session, place, source, how)


def _one(session: Session, place: Path, source: str, how: Play) -> None:
    LOG.info("%s: %s, budget %s", session.name, how.policy, how.budget)
    real_play.play(session, place, source, how)


def compare_session(folder: Path, name: str, arguments: RealArguments) -> list[Row]:
    """Return a session's rows from its plays.

    Args:
        folder: of the session's plays.
        name: of the session.
        arguments: what was played.
    """
    script, sizes = _script(folder, arguments.sight, name), _sizes(folder)
    repeats = sorted(each for each in folder.iterdir() if each.name.isdecimal())
    workflow = _workflow(repeats[0] / "none")
    idle = [
        [waited - compute for waited, compute, _, _ in spent(each / "none", workflow)] for each in repeats
    ]
    engine_s = sum(median(turn) for turn in zip(*idle)) / 1e9
    times = node_times([each / "none" for each in repeats])
    first_ns = {policy: first_look_ns(policy) for policy in ("none", *arguments.policies)}
    rows = []
    for share in arguments.shares:
        budget_bytes = int(share * script.intermediate_bytes)
        for policy in ("none", *arguments.policies):
            homes = [each / ("none" if policy == "none" else _key(policy, share)) for each in repeats]
            plays = [list(spent(home, workflow)) for home in homes]
            if any(len(turns) != script.turns for turns in plays):
                raise MileError(f"a play of {name} under {policy} is not finished: play the session again")
            sums = [[sum(part) / 1e9 for part in zip(*turns)] for turns in plays]
            # Every run is a new process, so little is worth looking ahead for.
            timed = Timed(make_policy(policy))
            conditions = conditions_of(sizes, budget_bytes)
            played = simulate(script, conditions, Guard(timed, settled_ns=COLD_NS))
            own_ns = timed.spent_ns + timed.outlooks * first_ns[policy]
            parts = [median(each[i] for each in sums) for i in (1, 2, 3)]
            rest = median(each[0] - sum(each[1:]) for each in sums)
            rows.append(
                Row(
                    session=name,
                    share=share,
                    policy=policy.split(":")[0],
                    real_s=tuple(each[0] for each in sums),
                    parts_s=(parts[0], parts[1], parts[2], rest),
                    predicted_s=tuple(
                        sum(part) / 1e9 for part in (played.compute_ns, played.load_ns, played.write_ns)
                    ),  # type: ignore[arg-type]
                    engine_s=engine_s + own_ns / 1e9,
                    drift=median(drift(home, times) for home in homes),
                )
            )
    return rows


def _script(folder: Path, sight: Sight, name: str) -> Script:
    """Return the script of a session, from the plays that kept nothing and everything."""
    homes = sorted(each / "none" for each in folder.iterdir() if each.name.isdecimal())
    return script_of(
        homes[0],
        _workflow(homes[0]),
        times=node_times(homes),
        sizes=_sizes(folder).of,
        sight=sight,
        name=name,
    )


def _sizes(folder: Path) -> Sizes:
    return read_sizes([*sorted((folder / "sizes").iterdir()), folder / "0" / "all"])


def _workflow(home: Path) -> str:
    catalog = Catalog.open(home / "catalog.db")
    try:
        return str(catalog.workflows()[0])
    finally:
        catalog.close()


def _key(policy: str, share: float) -> str:
    return f"{policy.split(':')[0]}@{share:g}"


def _report(rows: Sequence[Row], found: dict[str, Any], arguments: RealArguments) -> str:
    before, after = found["load"]
    count = arguments.repeats
    plays = f"{count} plays of each, the median counts" if count > 1 else "One play of each"
    return "\n".join(
        [
            "# Real and predicted waiting\n",
            f"{plays}; time is the {arguments.clock}'s. "
            f"Load of the machine {before:.1f} before and {after:.1f} after on {found['cores']} cores. "
            f"Outlooks: {arguments.sight}.\n",
            markdown(rows),
            f"Predicted / real: mean {found['ratio_mean']:.3f}, {found['ratio_least']:.2f} to "
            f"{found['ratio_most']:.2f} (without the machine's drift between plays "
            f"{found['steady_ratio_least']:.2f} to {found['steady_ratio_most']:.2f}); within 20 %: "
            f"{found['within_20_percent']:.0%} of the rows "
            f"({found['within_20_percent_without_engine']:.0%} without the engine's own time). Of "
            f"{found['pairs_told_apart']} pairs of policies that really differ the simulator orders "
            f"{found['pairs_disagreeing']} the other way round.\n",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.sim_to_real", description=__doc__)
    parser.add_argument("--sessions", nargs="+", choices=SESSIONS, default=list(SESSIONS))
    parser.add_argument("--policies", nargs="+", default=list(POLICIES), help="besides none")
    parser.add_argument("--shares", nargs="+", type=float, default=list(SHARES), help="budgets")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=int, default=None, help="make less data: images, rows or sentences")
    parser.add_argument("--data", type=Path, default=None, help="folder of files to use instead of made ones")
    parser.add_argument("--learned", type=Path, default=None, help="policy file, where none ships")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="processor: what a busy machine hardly moves (default: wall)",
    )
    parser.add_argument("--sight", choices=("engine", "first", "model"), default="engine", help="of outlooks")
    parser.add_argument("--out", type=Path, default=Path("build/sim_to_real"))
    parser.add_argument("--no-play", action="store_true", help="compare the plays that are there already")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    learned = [f"learned:{given.learned.resolve()}"] if given.learned else ["learned"] * SHIPPED.exists()
    arguments = RealArguments(
        sessions=tuple(given.sessions),
        policies=(*given.policies, *learned),
        shares=tuple(given.shares),
        repeats=given.repeats,
        size=given.size,
        data=given.data,
        clock=given.clock,
        sight=given.sight,
        folder=given.out.resolve(),
        playing=not given.no_play,
    )
    try:
        run(arguments)
    except (MileError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
