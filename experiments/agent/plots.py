"""Plots of an evaluation and of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd


def draw_waiting(budgets: pd.DataFrame, source: str, folder: Path) -> Path:
    """Draw mean waiting by budget, a line a policy, and return the PNG file.

    Args:
        budgets: from ``table.by_budget``.
        source: what the sessions are.
        folder: where the file goes.
    """
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for policy, row in budgets.iterrows():
        name = str(policy).split("/")[-1]
        bound = name.startswith("oracle")
        axes.plot(
            [100 * share for share in row.index],
            row.to_numpy(),
            label=name,
            marker="" if bound else "o",
            linestyle="--" if bound else "-",
            color="0.2" if bound else None,
            linewidth=1,
        )
    axes.set(
        xscale="log",
        title=f"{source}: waiting by budget",
        xlabel="budget, % of all intermediates",
        ylabel="mean waiting / keeping nothing",
    )
    axes.legend(fontsize=7)
    path = folder / f"waiting_{source}.png"
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path


def draw_curves(curves: Mapping[str, Sequence[tuple[float, float]]], folder: Path) -> Path:
    """Draw what each seed reached on the validation sessions, and return the PNG file.

    Args:
        curves: name -> (steps, waiting relative to the untuned expected saving).
        folder: where the file goes.
    """
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name, points in curves.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, linewidth=1)
    axes.axhline(1.0, color="0.7", linewidth=1)
    axes.set(title="Validation", xlabel="decisions", ylabel="waiting / untuned expected saving")
    axes.legend(fontsize=7)
    path = folder / "curves.png"
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path


def _pyplot():  # type: ignore[no-untyped-def]
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
