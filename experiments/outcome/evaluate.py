"""Every row against every other on datasets that no fit and no choice of settings has seen."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.outcome.calibration import calibrate, coverage
from experiments.outcome.data import FOLDS, Floats, Outcomes
from experiments.outcome.fitting import FitSettings, fit
from experiments.outcome.rows import OURS, ROWS, Row
from experiments.outcome.sessions import STARTS, Played, play
from mile_rl.recommend.outcome import OutcomeModel, Ranking

LOG = logging.getLogger(__name__)

RESAMPLES = 10_000

NOISE = 0.5
"""Settings within so many standard errors of the best regret count as equally good; then waiting decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What held-out datasets said of one row.

    Args:
        played: its sessions, all folds together.
        settings: what was chosen on validation datasets, one a fold.
    """

    played: Played
    settings: tuple[Mapping[str, Any], ...]


def judge(outcomes: Outcomes, *, starts: int = STARTS, only: Sequence[str] = tuple(ROWS)) -> dict[str, Any]:
    """Return the report of a cross-fitted evaluation: each fold is judged by fits on the others alone.

    Settings are chosen on a fifth of the groups of the other folds, by fits on the rest of these.

    Args:
        outcomes: all datasets.
        starts: sessions a dataset.
        only: the rows.
    """
    folds = outcomes.folds()
    splits = [
        (outcomes.only(np.flatnonzero(folds != fold)), outcomes.only(np.flatnonzero(folds == fold)))
        for fold in range(FOLDS)
    ]
    return judge_splits(splits, starts=starts, only=only)


def judge_splits(
    splits: Sequence[tuple[Outcomes, Outcomes]],
    *,
    starts: int = STARTS,
    only: Sequence[str] = tuple(ROWS),
) -> dict[str, Any]:
    """Return the report over (datasets to learn from, datasets to judge on) pairs."""
    held = [test for _, test in splits]
    judged = {}
    for name in only:
        row, grid = ROWS[name]
        parts, chosen = [], []
        for number, (train, test) in enumerate(splits):
            settings = choose(row, grid, train)
            parts.append(play(test, row(train, settings), starts=starts))
            chosen.append(settings)
            LOG.info("%s: fold %d of %d, %s", name, number + 1, len(splits), dict(settings))
        judged[name] = Judged(played=joined(parts), settings=tuple(chosen))
    groups = [group for test in held for group in test.groups]
    report = compared({name: one.played for name, one in judged.items()}, groups)
    for name, one in judged.items():
        report["rows"][name]["settings"] = [dict(settings) for settings in one.settings]
    report["datasets"] = sum(len(test.names) for test in held)
    report["groups"] = len(set(groups))
    report["starts"] = starts
    report["digest"] = held[0].digest
    if OURS in judged:
        report["coverage"] = _coverage(splits, judged[OURS].settings, groups)
    report["actions"] = {name: one.played.actions for name, one in judged.items()}
    return report


def choose(
    row: Row, grid: Sequence[Mapping[str, Any]], train: Outcomes, *, folds: Sequence[int] = (0,)
) -> Mapping[str, Any]:
    """Return the settings with the lowest regret after 5 on validation datasets; within noise, the fastest.

    Args:
        row: what is set.
        grid: what is chosen among.
        train: the datasets; each fold is validated by fits on the others.
        folds: which fifths to validate on: one where many fits are judged, all for what ships.
    """
    if len(grid) == 1:
        return grid[0]
    member = train.folds("validation")
    splits = [
        (train.only(np.flatnonzero(member != fold)), train.only(np.flatnonzero(member == fold)))
        for fold in folds
    ]
    played = [
        joined([play(held, row(rest, settings), starts=3, to_the_end=False) for rest, held in splits])
        for settings in grid
    ]
    regrets = np.array([one.regrets[:, 5] for one in played])
    best = int(regrets.mean(axis=1).argmin())
    apart = regrets - regrets[best]
    close = apart.mean(axis=1) <= NOISE * apart.std(axis=1) / np.sqrt(apart.shape[1]) + 1e-12
    waits = np.array([np.log(one.seconds).mean() for one in played])
    return grid[int(np.flatnonzero(close)[waits[close].argmin()])]


def fitted(train: Outcomes, ranking: Ranking, facts: Mapping[str, Any] | None = None) -> OutcomeModel:
    """Return the model of these outcomes with its intervals set."""
    stretch, sureness = calibrate(fit, train)
    return fit(train, FitSettings(ranking=ranking, stretch=stretch, sureness=sureness), facts)


def joined(parts: Sequence[Played]) -> Played:
    """Return the sessions of several folds as one."""
    return Played(
        regrets=np.concatenate([part.regrets for part in parts]),
        seconds=np.concatenate([part.seconds for part in parts]),
        actions={name: orders for part in parts for name, orders in part.actions.items()},
    )


def compared(played: Mapping[str, Played], groups: Sequence[str], *, seed: int = 0) -> dict[str, Any]:
    """Return each row's figures, and ours beside each other row's with paired bootstrap intervals.

    Groups of datasets are drawn, not datasets: versions of one dataset are no independent witnesses.
    """
    draw = _drawer(groups, seed)
    rows: dict[str, Any] = {}
    for name, one in played.items():
        area = one.regrets[:, 1:].mean(axis=1)
        rows[name] = {
            "regret": one.regrets.mean(axis=0).tolist(),
            "regret_5": _interval(one.regrets[:, 5].mean(), draw(one.regrets[:, 5])),
            "area": _interval(area.mean(), draw(area)),
            "seconds": _interval(np.exp(np.log(one.seconds).mean()), np.exp(draw(np.log(one.seconds)))),
            "seconds_median": float(np.median(one.seconds)),
            "seconds_mean": float(one.seconds.mean()),
        }
    if OURS in played:
        ours = played[OURS]
        for name, one in played.items():
            if name != OURS:
                rows[name]["ours_beside"] = _beside(ours, one, draw)
    return {"rows": rows}


def _beside(ours: Played, other: Played, draw: Callable[[Floats], Floats]) -> dict[str, Any]:
    difference = ours.regrets[:, 5] - other.regrets[:, 5]
    half = ours.regrets[:, 5] - 0.5 * other.regrets[:, 5]
    area = (ours.regrets - other.regrets)[:, 1:].mean(axis=1)
    logs = np.log(ours.seconds) - np.log(other.seconds)
    return {
        "regret_5_difference": _interval(difference.mean(), draw(difference)),
        "regret_5_less_half": _interval(half.mean(), draw(half)),
        "area_difference": _interval(area.mean(), draw(area)),
        "seconds_ratio": _interval(np.exp(logs.mean()), np.exp(draw(logs))),
        "seconds_ratio_of_means": float(ours.seconds.mean() / other.seconds.mean()),
    }


def _drawer(groups: Sequence[str], seed: int) -> Callable[[Floats], Floats]:
    """Return what draws the mean of values again and again, group by group; the same draws every time."""
    names, member = np.unique(np.array(groups), return_inverse=True)
    drawn = np.random.default_rng(seed).integers(len(names), size=(RESAMPLES, len(names)))

    def means(values: Floats) -> Floats:
        sums, counts = np.bincount(member, values), np.bincount(member)
        return sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)

    return means


def _interval(value: float, drawn: Floats) -> list[float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return [float(value), float(low), float(high)]


def _coverage(
    splits: Sequence[tuple[Outcomes, Outcomes]], chosen: Sequence[Mapping[str, Any]], groups: Sequence[str]
) -> list[dict[str, Any]]:
    """Return how often the 80 % intervals held, by how many scores were seen, over all folds."""
    parts = []
    for (train, test), settings in zip(splits, chosen):
        parts.append(coverage(fitted(train, Ranking(**settings)), test))
    draw = _drawer(groups, 1)
    told = []
    for rows in zip(*parts):
        everything = np.concatenate([row["by_dataset"] for row in rows])
        first = np.concatenate([row["first_by_dataset"] for row in rows])
        shown = np.concatenate([row["shown_by_dataset"] for row in rows])
        claims = np.concatenate([row["claims"] for row in rows])
        came_true = np.concatenate([row["came_true"] for row in rows])
        told.append(
            {
                "seen": rows[0]["seen"],
                "all": _interval(everything.mean(), draw(everything)),
                "first": _interval(first.mean(), draw(first)),
                "shown": _interval(shown.mean(), draw(shown)),
                "claimed": float(claims.mean()),
                "came_true": float(came_true.mean()),
                "claims": np.round(claims, 4).tolist(),
                "came_trues": came_true.astype(int).tolist(),
            }
        )
    return told


def write(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the report (JSON), its table (Markdown), the actions and the plots; return their paths."""
    from experiments.outcome.plots import draw_plots

    folder.mkdir(parents=True, exist_ok=True)
    small = {key: value for key, value in report.items() if key != "actions"}
    paths = [folder / "report.json", folder / "table.md", folder / "actions.json"]
    paths[0].write_text(json.dumps(small, indent=1) + "\n", encoding="utf-8")
    paths[1].write_text(table(report), encoding="utf-8")
    paths[2].write_text(json.dumps(report["actions"]) + "\n", encoding="utf-8")
    return [*paths, *draw_plots(report, folder)]


def table(report: Mapping[str, Any]) -> str:
    """Return the report's figures as Markdown tables."""
    lines = [
        "| row | regret after 1 | after 3 | after 5 | after 10 | area | waiting to 95 %, s | median, s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in report["rows"].items():
        curve = row["regret"]
        lines.append(
            f"| {name} | {curve[1]:.3f} | {curve[3]:.3f} | {_told(row['regret_5'])} | {curve[10]:.3f} | "
            f"{_told(row['area'])} | {_told(row['seconds'], 1)} | {row['seconds_median']:.1f} |"
        )
    lines += [
        "",
        "| MILE-RL beside | regret after 5, difference | less half of its | area, difference | waiting, ratio |",
        "|---|---|---|---|---|",
    ]
    for name, row in report["rows"].items():
        if (beside := row.get("ours_beside")) is not None:
            lines.append(
                f"| {name} | {_told(beside['regret_5_difference'])} | {_told(beside['regret_5_less_half'])} | "
                f"{_told(beside['area_difference'])} | {_told(beside['seconds_ratio'], 2)} |"
            )
    if "coverage" in report:
        lines += [
            "",
            "| scores seen | 80 % intervals cover, all | the first | the five recommended, as shown | "
            "first improves: claimed | true |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['seen']} | {_percent(row['all'])} | {_percent(row['first'])} | "
            f"{_percent(row['shown'])} | {100 * row['claimed']:.0f} % | {100 * row['came_true']:.0f} % |"
            for row in report["coverage"]
        ]
    return "\n".join(lines) + "\n"


def _told(interval: Sequence[float], digits: int = 3) -> str:
    value, low, high = (f"{number:.{digits}f}" for number in interval)
    return f"{value} ({low} to {high})"


def _percent(interval: Sequence[float]) -> str:
    value, low, high = (f"{100 * number:.0f}" for number in interval)
    return f"{value} % ({low} to {high})"
