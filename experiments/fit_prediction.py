"""Refit the iteration-prediction model from folders of traces, judge it, and write what ships.

    python -m experiments.fit_prediction TRACES_DIR... [--out model.json] [--report DIR] [--tracking URI]

Every group of people is judged by a model that never saw it: four fits, each without a quarter of the groups, by
their pseudonyms alone. Then the very same settings are fitted on everybody, and that is what ships.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from experiments.prediction.dataset import build
from experiments.prediction.fit import FitSettings
from experiments.prediction.judge import Material, fit_and_judge
from experiments.prediction.plots import draw_plots
from experiments.prediction.tracking import track
from mile_rl.errors import MileError
from traces.reader import Traces
from traces.schema import History

LOG = logging.getLogger("experiments.fit_prediction")
SHIPPED = Path(__file__).resolve().parents[1] / "mile_rl" / "prediction" / "model.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FitArguments:
    """What a fit is told.

    Args:
        traces: folders that ``python -m traces mine`` wrote.
        out: where the model is written.
        folder: where the report and the plots are written.
        tracking: MLflow's tracking store; a SQLite file in ``folder`` where empty.
        settings: how the forests are grown.
        synthetic: whether made-up histories are fitted too; they are never judged on.
        jobs: how many fits run side by side.
    """

    traces: tuple[Path, ...]
    out: Path = SHIPPED
    folder: Path = Path("build/prediction")
    tracking: str = ""
    settings: FitSettings = field(default_factory=FitSettings)
    synthetic: bool = False
    jobs: int = 2


def read(arguments: FitArguments) -> tuple[list[History], str]:
    """Return the histories of all folders, each once, and a digest of what was read.

    Raises:
        MileError: a folder holds no traces, or all of them none to learn from.
    """
    histories: dict[str, History] = {}
    digests = []
    for folder in arguments.traces:
        traces = Traces(folder)
        digests.append(traces.digest)
        for history in traces:
            if arguments.synthetic or not history.synthetic:
                histories.setdefault(history.id, history)
    if sum(len(history) > 1 for history in histories.values()) < 20:
        raise MileError(
            f"{len(histories)} histories were read and fewer than 20 have a second iteration: nothing can be "
            "learned from them; mine more with `python -m traces mine`"
        )
    return list(histories.values()), hashlib.blake2b(
        " ".join(sorted(digests)).encode(), digest_size=8
    ).hexdigest()


def run(arguments: FitArguments) -> dict[str, Any]:
    """Fit, judge, refit on everybody, write, track; return the report."""
    started = time.monotonic()
    histories, digest = read(arguments)
    LOG.info("%d histories, traces %s", len(histories), digest)
    dataset = build(histories)
    LOG.info("%d decisions, %d nodes, %d moves", len(dataset.y), len(dataset.nodes), len(dataset.moves))
    facts = {
        "traces": digest,
        "sources": {
            name: int((dataset.source == name).sum()) for name in sorted(set(dataset.source.tolist()))
        },
        "groups": len(set(dataset.group.tolist())),
        "seed": arguments.settings.seed,
    }
    material = Material(dataset=dataset, histories=histories, settings=arguments.settings, facts=facts)
    model, figures = fit_and_judge(material, arguments.jobs)
    figures["facts"] = {**facts, "fit_seconds": round(time.monotonic() - started, 1)}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(model.to_json(), separators=(",", ":")) + "\n", encoding="utf-8")
    report_path = arguments.folder / "report.json"
    report_path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    plots = draw_plots(figures["held_out"], arguments.folder)
    run_id = track(
        arguments.tracking or f"sqlite:///{(arguments.folder / 'mlflow.db').resolve()}",
        f"fit {digest} seed {arguments.settings.seed}",
        {"traces": digest, **_flat(asdict(arguments.settings))},
        figures,
        [arguments.out, report_path, *plots],
        arguments.folder / "artifacts",
    )
    LOG.info("run %s, %.0f s", run_id, time.monotonic() - started)
    return figures


def _flat(nested: Any, prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in nested.items():
        path = f"{prefix}.{name}" if prefix else str(name)
        out.update(_flat(value, path) if isinstance(value, dict) else {path: value})
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m experiments.fit_prediction", description=__doc__)
    parser.add_argument("traces", nargs="+", type=Path, help="folders of mined traces")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="where the model is written")
    parser.add_argument("--report", type=Path, default=Path("build/prediction"), help="folder for the report")
    parser.add_argument(
        "--tracking", default="", help="MLflow tracking URI (default: SQLite in the report folder)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--synthetic", action="store_true", help="fit on made-up histories too")
    parser.add_argument("--jobs", type=int, default=2, help="fits that run side by side, one core each")
    given = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    arguments = FitArguments(
        traces=tuple(given.traces),
        out=given.out,
        folder=given.report,
        tracking=given.tracking,
        settings=FitSettings(seed=given.seed),
        synthetic=given.synthetic,
        jobs=given.jobs,
    )
    try:
        run(arguments)
    except MileError as error:
        LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
