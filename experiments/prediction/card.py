"""Put the figures of a report into the model card.

python -m experiments.prediction.card build/prediction/report.json docs/model_card_prediction.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.prediction.evaluate import MODEL

VOTES = {
    "iteration": "one vote an iteration",
    "balanced": "balanced",
    "repository": "one vote a group",
    "node": "one vote a node",
}
BEGIN, END = "<!-- figures: written by experiments.prediction.card -->", "<!-- end of figures -->"


def figures(report: Mapping[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines: list[str] = []
    for source, own in report["held_out"].items():
        lines += [
            f"### {source}: {own['decisions']:,} iterations of {own['histories']} histories, "
            f"{own['groups']} groups of people",
            "",
        ]
        lines += _target("Change class", own["classes"], "first-order Markov")
        lines += _target("Nodes touched", own["nodes"], "stage base rate")
    if report.get("values"):
        lines += _values("in histories that a person launched", report["values"]["hand_launched"])
        lines += _values("all runs launched by hand", report["values"]["with_scripted"])
    lines += _others(report)
    return "\n".join(lines)


def _percent(gain: Mapping[str, float]) -> str:
    return f"{100 * gain['gain']:.1f} % [{100 * gain['low']:.1f}, {100 * gain['high']:.1f}]"


def _target(title: str, own: Mapping[str, Any], shown: str) -> list[str]:
    weightings = [name for name in ("iteration", "balanced", "repository", "node") if name in own]
    lines = [
        f"**{title}.** Log-loss in nats; in brackets how far the model lies below, with its 95 % interval.",
        "",
        "| forecast | " + " | ".join(VOTES[name] for name in weightings) + " |",
        "|---" * (len(weightings) + 1) + "|",
    ]
    for name in own[weightings[0]]["scores"]:
        cells = []
        for weighting in weightings:
            loss = own[weighting]["scores"][name]["log_loss"]
            gain = own[weighting]["gains"].get(name)
            cells.append(f"{loss:.3f}" + (f" ({_percent(gain)})" if gain else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", "| model | " + " | ".join(weightings) + " |", "|---" * (len(weightings) + 1) + "|"]
    for metric in own[weightings[0]]["scores"][MODEL]:
        if metric != "log_loss":
            values = [f"{own[weighting]['scores'][MODEL][metric]:.3f}" for weighting in weightings]
            lines.append(f"| {metric} | " + " | ".join(values) + " |")
    cells = [
        f"{own[name]['calibration']['low']:.3f} to {own[name]['calibration']['high']:.3f}"
        for name in weightings
    ]
    lines.append("| 95 % interval of ece | " + " | ".join(cells) + " |")
    adapting = own["adapting"]
    known = [name for name in weightings if name in adapting]
    if known:
        cells = ", ".join(f"{name} {_percent(adapting[name])}" for name in known)
        lines += ["", f"Worth of 5 or more own edits (the same iterations, with and without them): {cells}."]
    lines += ["", "| edits seen | iterations or nodes | model | " + shown + " |", "|---|---|---|---|"]
    lines += [
        f"| {row['edits_seen']} | {row['decisions']:,} | {row[MODEL]:.3f} | {row[shown]:.3f} |"
        for row in own["by_seen"]
    ]
    return [*lines, ""]


def _values(title: str, own: Mapping[str, Any]) -> list[str]:
    weightings = [name for name in ("iteration", "balanced", "repository") if name in own]
    lines = [
        f"### Next exact value of a parameter that moves, {title}: {own['moves']:,} moves of "
        f"{own['groups']} groups",
        "",
        "| top-1 / top-3 | " + " | ".join(VOTES[name] for name in weightings) + " |",
        "|---" * (len(weightings) + 1) + "|",
    ]
    for name in own["iteration"]["top_1"]:
        cells = [f"{own[w]['top_1'][name]:.3f} / {own[w]['top_3'][name]:.3f}" for w in weightings]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    cells = [f"{own[w]['among_candidates']:.3f}" for w in weightings]
    ratios = [
        f"{times['times']:.2f} [{times['low']:.2f}, {times['high']:.2f}]"
        for times in (own[w]["times_best"] for w in weightings)
    ]
    lines.append("| right value among the candidates at all | " + " | ".join(cells) + " |")
    lines.append("| top-3, times the best baseline's | " + " | ".join(ratios) + " |")
    return [*lines, ""]


def _distance(own: Mapping[str, Any]) -> str:
    people = own["between_people"]
    return (
        f"{own['distance']:.2f}, p {own['p']:.3f}, by groups {own['p_by_groups']:.3f}; "
        f"two samples of people {people['median']:.2f}, up to {people['high']:.2f}"
    )


def _others(report: Mapping[str, Any]) -> list[str]:
    lines = ["### Drawn histories beside the real ones whose first version they start from", ""]
    lines += ["| | " + " | ".join(report["generated"]) + " |", "|---" * (len(report["generated"]) + 1) + "|"]
    for name in ("length", "share_return", "reuse"):
        cells = [
            f"{own[name]['real']:.3f} / {own[name]['drawn']:.3f} (KS {_distance(own[name])})"
            for own in report["generated"].values()
        ]
        word = "log(1 + length)" if name == "length" else name.replace("_", " ")
        lines.append(f"| mean {word}, real / drawn | " + " | ".join(cells) + " |")
    cells = [_distance(own["stage_transitions"]) for own in report["generated"].values()]
    lines.append("| stage transitions, total variation | " + " | ".join(cells) + " |")
    cells = [f"{own['classifier_auc']:.3f}" for own in report["generated"].values()]
    lines.append("| AUC of a classifier that tells them apart | " + " | ".join(cells) + " |")
    lines += ["", "### End of history, and which parameters move", ""]
    lines += ["| log-loss (ECE) | model | baseline |", "|---|---|---|"]
    for target in ("stop", "moves"):
        for source, own in report[target].items():
            other = next(name for name in own if name != MODEL)
            cells = [f"{own[name]['log_loss']:.3f} ({own[name]['ece']:.3f})" for name in (MODEL, other)]
            lines.append(f"| {target}, {source} | {cells[0]} | {cells[1]}, {other} |")
    return [*lines, ""]


def main(argv: Sequence[str]) -> int:
    """Replace the figures in the card by those of the report."""
    report, card = Path(argv[0]), Path(argv[1])
    text = card.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    block = figures(json.loads(report.read_text(encoding="utf-8")))
    card.write_text(f"{head}{BEGIN}\n\n{block}\n{END}{tail}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
