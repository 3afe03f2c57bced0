"""Does fitting to one person help? Everybody's last iterations, each fitted on their own earlier ones.

    python -m experiments.personalise_many TRACES --out DIR [--source mlflow] [--most 12] [--ppo N]

Runs ``experiments.personalise`` for people of mined traces, one after the other, and pools what it brought: the mean
over people with an interval that draws people. The prediction model that ships was fitted on public histories; where
TRACES are those, it knows these people already, which speaks against a correction of it and touches the comparison
of the policies little, since both play with the same forecasts.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from envs.replay import KINDS, unfit
from experiments.personalise import PersonalArguments, fitted
from mile_rl.errors import MileError
from traces.errors import TraceError
from traces.reader import Traces
from traces.schema import History

LOG = logging.getLogger("experiments.personalise_many")

FEWEST: Final = 30
MOST: Final = 400
"""People with so many iterations: fewer tell nothing, and more than that are a program's."""

SHIPPED: Final = "shipped policy, shipped prediction"


def people(histories: Iterable[History], source: str) -> dict[str, list[History]]:
    """Return the histories of each person who has sessions to replay, in an order that depends on nothing else.

    Args:
        histories: from any sources.
        source: as scripts call it.
    """
    own: dict[str, list[History]] = defaultdict(list)
    for history in histories:
        if KINDS.get(history.source) == source and not unfit(history):
            own[history.person].append(history)
    fit = {name: each for name, each in own.items() if FEWEST <= sum(map(len, each)) <= MOST}
    return dict(sorted(fit.items(), key=lambda item: zlib.crc32(item[0].encode())))


def run(traces: Path, arguments: PersonalArguments, *, source: str, most: int) -> dict[str, Any]:
    """Fit to one person after the other; write DIR/report.md and DIR/report.json; return the figures.

    Args:
        traces: a folder that ``python -m traces mine`` wrote.
        arguments: as for one person; the location is overwritten.
        source: of the histories.
        most: people.
    """
    arguments.folder.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    for name, histories in people(Traces(traces), source).items():
        if len(found) == most:
            break
        try:
            _, _, figures = fitted(histories, replace(arguments, location=name))
        except TraceError as error:
            LOG.info("%s: %s", name, error)
            continue
        if "judged_s" in figures["policy"]:
            found.append({"person": name, **figures})
            LOG.info("%s: %s", name, _line(figures))
    pooled = pool(found, seed=arguments.seed)
    (arguments.folder / "report.json").write_text(
        json.dumps({"pooled": pooled, "people": found}, indent=1) + "\n", encoding="utf-8"
    )
    (arguments.folder / "report.md").write_text(report(found, pooled), encoding="utf-8")
    return pooled


def pool(found: Sequence[dict[str, Any]], *, seed: int = 0) -> dict[str, Any]:
    """Return what it brought over people, each with the same weight: mean and 95 % interval.

    Args:
        found: the figures of each person.
        seed: of the bootstrap.
    """
    if not found:
        return {}
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(found), size=(2_000, len(found)))
    rows: dict[str, list[float]] = {}
    for each in found:
        for name, row in each["policy"]["judged_s"].items():
            if name != SHIPPED:
                rows.setdefault(f"waiting / shipped, {name}", []).append(row["ratio"])
        for name in ("classes", "nodes"):
            rows.setdefault(f"gain in log-loss, {name}", []).append(each["prediction"][name]["gain"])
    pooled: dict[str, Any] = {"people": len(found)}
    for name, values in rows.items():
        low, high = np.quantile(np.asarray(values)[picks].mean(axis=1), (0.025, 0.975))
        pooled[name] = {"mean": float(np.mean(values)), "low": float(low), "high": float(high)}
    return pooled


def report(found: Sequence[dict[str, Any]], pooled: dict[str, Any]) -> str:
    """Return the figures in tables."""
    lines = [
        f"# What fitting to one person brought, {len(found)} people\n",
        "| mean over people | [95 %] |",
        "|---|---|",
    ]
    for name, row in pooled.items():
        if name != "people":
            lines.append(f"| {name} | {row['mean']:.4f} [{row['low']:.4f}, {row['high']:.4f}] |")
    lines += [
        "",
        "| person | sessions | decisions | chosen | waiting / shipped in the last fifth |",
        "|---|---|---|---|---|",
    ]
    for each in found:
        told = each["policy"]
        row = told["judged_s"]["own policy, shipped prediction"]
        lines.append(
            f"| {each['person']} | {told['sessions']} | {each['prediction']['decisions']} | {told['chosen']} | "
            f"{row['ratio']:.4f} |"
        )
    return "\n".join(lines) + "\n"


def _line(figures: dict[str, Any]) -> str:
    told = figures["policy"]
    return f"{told['chosen']}, {told['judged_s']['own policy, shipped prediction']['ratio']:.4f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.personalise_many", description=__doc__)
    parser.add_argument("traces", type=Path, help="a folder that `python -m traces mine` wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--source", choices=sorted(set(KINDS.values())), default="mlflow")
    parser.add_argument("--most", type=int, default=12, help="people")
    parser.add_argument("--ppo", type=int, default=0, help="decisions of PPO on each person's own sessions")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    arguments = PersonalArguments(location="", folder=given.out.resolve(), ppo=given.ppo, seed=given.seed)
    try:
        run(given.traces, arguments, source=given.source, most=given.most)
    except (MileError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
