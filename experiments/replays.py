"""Make banks of real sessions, each foreseen by a prediction model that never saw the people in it.

    python -m experiments.replays TRACES... [--out DIR] [--sources dvc mlflow] [--quarters 0 1 2 3] [--most 6]

The model that ships is fitted on all public histories, so its forecasts of these very histories prove nothing. Here
groups of people fall into four quarters by their pseudonyms alone, as where the model is judged; a session is
replayed with a fit on the other three. A group gives at most so many sessions, drawn by a digest of their names, so
that nobody outweighs the rest. Fits stay in DIR: what is there is not fitted again.
"""

from __future__ import annotations

import argparse
import logging
import sys
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from envs.bank import Bank
from envs.outlooks import read_model
from envs.replay import KINDS, replay_bank, unfit
from envs.script import Script
from experiments.prediction.dataset import QUARTERS, quarter
from experiments.prediction.held_out import HeldOut
from mile_rl.errors import MileError
from traces.reader import Traces
from traces.schema import History

LOG = logging.getLogger("experiments.replays")

SOURCES: Final = ("dvc", "mlflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayArguments:
    """What is to be replayed.

    Args:
        traces: folders that ``python -m traces mine`` wrote.
        folder: where banks and fits are kept: DIR/dvc.npz, DIR/without_0.json …
        sources: a bank each.
        quarters: of the groups; all, or some where time is short.
        most: sessions of one group and source.
        seed: of the fits and of the costs that are drawn.
    """

    traces: tuple[Path, ...]
    folder: Path = Path("build/replays")
    sources: tuple[str, ...] = SOURCES
    quarters: tuple[int, ...] = tuple(range(QUARTERS))
    most: int = 6
    seed: int = 0


def run(arguments: ReplayArguments) -> dict[str, Bank]:
    """Fit what is missing, replay, write; return the banks by source.

    Raises:
        MileError: a folder holds no traces.
    """
    arguments.folder.mkdir(parents=True, exist_ok=True)
    found = {history.id: history for folder in arguments.traces for history in Traces(folder)}
    fits = HeldOut(list(found.values()), arguments.folder, seed=arguments.seed)
    banks = {}
    for source in arguments.sources:
        scripts: list[Script] = []
        left_out: Counter[str] = Counter()
        for number, own in chosen(fits.histories, source, arguments.quarters, arguments.most).items():
            bank, reasons = replay_bank(own, seed=arguments.seed, model=read_model(fits.without(number)))
            scripts += bank
            left_out.update(reasons)
        banks[source] = Bank(scripts, {"seed": arguments.seed, "held out": list(arguments.quarters)})
        path = arguments.folder / f"{source}.npz"
        banks[source].save(path)
        groups = len({script.group for script in scripts})
        LOG.info("%s: %d sessions of %d groups; left out: %s", path, len(scripts), groups, dict(left_out))
    return banks


def chosen(
    histories: Sequence[History], source: str, quarters: Sequence[int], most: int
) -> Mapping[int, list[History]]:
    """Return by quarter the histories of a source that make sessions, at most so many of a group.

    Args:
        histories: from any sources.
        source: as scripts call it.
        quarters: which ones.
        most: of one group.
    """
    out: dict[int, list[History]] = {number: [] for number in quarters}
    taken: Counter[str] = Counter()
    for history in sorted(histories, key=lambda each: zlib.crc32(each.id.encode())):
        number = int(quarter([history.group])[0])
        if number not in out or KINDS.get(history.source) != source or unfit(history):
            continue
        if taken[history.group] < most:
            taken[history.group] += 1
            out[number].append(history)
    return {number: own for number, own in out.items() if own}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.replays", description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path, help="folders of mined traces")
    parser.add_argument("--out", type=Path, default=Path("build/replays"), help="folder for banks and fits")
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument(
        "--quarters", nargs="+", type=int, choices=range(QUARTERS), default=list(range(QUARTERS))
    )
    parser.add_argument("--most", type=int, default=6, help="sessions of one group of people")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    arguments = ReplayArguments(
        traces=tuple(given.traces),
        folder=given.out,
        sources=tuple(given.sources),
        quarters=tuple(given.quarters),
        most=given.most,
        seed=given.seed,
    )
    try:
        run(arguments)
    except (MileError, OSError) as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
