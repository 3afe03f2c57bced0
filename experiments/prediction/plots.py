"""Plots of a report: reliability, and loss by how many edits were seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw_plots(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the plots of every source as PNG files and return their paths."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    paths = []
    for source, own in report.items():
        figure, axes = pyplot.subplots(2, 2, figsize=(10, 8), layout="constrained")
        for column, target in enumerate(("classes", "nodes")):
            bins = own[target]["reliability"]
            low = axes[0][column]
            low.plot([0, 1], [0, 1], color="0.7", linewidth=1)
            low.plot([row["claimed"] for row in bins], [row["true"] for row in bins], marker="o")
            low.set(
                title=f"{source}: reliability, {target}", xlabel="claimed", ylabel="came true",
                xlim=(0, 1), ylim=(0, 1),
            )  # fmt: skip
            steps = own[target]["by_seen"]
            names = [name for name in steps[0] if name not in ("edits_seen", "decisions")]
            for name in names:
                axes[1][column].plot(
                    [row["edits_seen"] for row in steps],
                    [row[name] for row in steps],
                    marker="o",
                    linewidth=2.5 if name == "model" else 1,
                    label=name,
                )
            axes[1][column].set(
                title=f"{source}: log-loss by edits seen, {target}",
                xlabel="the person's edits seen",
                ylabel="nats",
            )
            axes[1][column].legend(fontsize=7)
        path = folder / f"prediction_{source}.png"
        figure.savefig(path, dpi=90)
        pyplot.close(figure)
        paths.append(path)
    return paths
