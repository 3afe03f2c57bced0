"""What fitting to one person brought, in words and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.agent.person_prediction import Correction


def report(figures: dict[str, Any], policy: Path) -> str:
    """Return the figures in words and tables.

    Args:
        figures: as ``experiments.personalise`` makes them.
        policy: the file of the policy that was chosen.
    """
    said, told = figures["prediction"], figures["policy"]
    lines = [
        "# What fitting to one person brought\n",
        "Split in time: fitted on the first 60 % of the iterations, chosen by the next 20 %, judged on the last "
        "20 %, which nothing was fitted on. The engine adapts to a person by itself, through what the prediction "
        "model reads of their history; everything below comes on top of that.\n",
        "## Prediction\n",
        f"{said['decisions']} decisions of the person, {said['judged']} of them judged. "
        f"{_correction_in_words(said['correction'])}\n",
        "| log-loss of | shipped | own | gain [95 %] | helped |",
        "|---|---|---|---|---|",
    ]
    for name in ("classes", "nodes"):
        row = said[name]
        lines.append(
            f"| {name} | {row['before']:.4f} | {row['after']:.4f} | {row['gain']:+.4f} "
            f"[{row['low']:+.4f}, {row['high']:+.4f}] | {_verdict(row['low'], row['high'], 0.0, more=True)} |"
        )
    lines += ["", "## Policy\n", f"{told['sessions']} sessions can be replayed. Chosen: {told['chosen']}.\n"]
    if "why" in told:
        lines.append(f"Nothing was fitted: {told['why']}.\n")
    if "judged_s" in told:
        lines += ["| in the last fifth | seconds waited | / shipped [95 %] | helped |", "|---|---|---|---|"]
        for name, row in told["judged_s"].items():
            lines.append(
                f"| {name} | {row['seconds']:.1f} | {row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}] | "
                f"{_verdict(row['low'], row['high'], 1.0, more=False)} |"
            )
        lines.append(
            f"\nSummed over budgets and disks. With {told['sessions']} session(s) to draw from, the intervals are "
            "those of sessions like these, not of all that the person may ever do.\n"
        )
    lines.append(f"Use it: `mile run --policy learned:{policy}`.\n")
    return "\n".join(lines)


def _correction_in_words(correction: dict[str, float]) -> str:
    if correction == Correction().to_json():
        return "No correction of the shipped model was better on the choosing part, so none is made."
    values = ", ".join(f"{name} {value:g}" for name, value in correction.items())
    return f"Correction: {values}."


def _verdict(low: float, high: float, even: float, *, more: bool) -> str:
    if low == high == even:
        return "nothing changed"
    if low > even:
        return "yes" if more else "no, it hurt"
    if high < even:
        return "no, it hurt" if more else "yes"
    return "cannot be told"
