"""Plots of a report: regret by recommendations followed, waiting, coverage and reliability."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def draw_plots(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the plots as PNG files and return their paths."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for name, row in report["rows"].items():
        left.plot(row["regret"], label=name, linewidth=2.4 if name == "MILE-RL" else 1.2)
    left.set(xlabel="recommendations followed", ylabel="gain still missing", ylim=(0, 1))
    left.legend(fontsize=8)
    names = list(report["rows"])
    values = np.array([report["rows"][name]["seconds"] for name in names])
    right.barh(names, values[:, 0], xerr=[values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]])
    right.set(xlabel="seconds waited until 95 % of the gain (geometric mean)")
    right.invert_yaxis()
    paths = [folder / "regret.png"]
    figure.savefig(paths[0], dpi=110)
    pyplot.close(figure)
    if "coverage" in report:
        paths.append(_calibration(report, folder))
    return paths


def _calibration(report: Mapping[str, Any], folder: Path) -> Path:
    from matplotlib import pyplot

    rows = report["coverage"]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    seen = [row["seen"] for row in rows]
    for key, label in (("all", "all not tried"), ("first", "first recommendation")):
        values = np.array([row[key] for row in rows])
        left.errorbar(
            seen, values[:, 0], [values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]],
            label=label, marker="o", capsize=3,
        )  # fmt: skip
    left.axhspan(0.75, 0.85, color="0.9")
    left.set(xlabel="scores seen", ylabel="covered by the 80 % interval", ylim=(0.5, 1))
    left.legend()
    claims = np.concatenate([row["claims"] for row in rows])
    came_true = np.concatenate([row["came_trues"] for row in rows])
    edges = np.quantile(claims, np.linspace(0, 1, 11))
    bins = np.clip(np.searchsorted(edges, claims, side="right") - 1, 0, 9)
    used = [number for number in range(10) if (bins == number).any()]
    right.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    right.plot(
        [claims[bins == number].mean() for number in used],
        [came_true[bins == number].mean() for number in used],
        marker="o",
    )
    right.set(xlabel="claimed chance to improve", ylabel="share that did", xlim=(0, 1), ylim=(0, 1))
    path = folder / "calibration.png"
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
