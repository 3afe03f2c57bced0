"""Puts the figures of the shipped table and model into the document, and draws predicted against measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from envs.costs import CostError, CostModel, Shape
from envs.costs.model import TABLE
from experiments.costs.measure import Measured
from experiments.costs.model_file import BYTES, TIMES, judge
from experiments.costs.table import parameters_of, read_table

FIGURES = ("<!-- figures: written by `calibrate_costs report` -->", "<!-- end of figures -->")
OBOE = ("<!-- oboe: written by `calibrate_costs compare` -->", "<!-- end of oboe -->")
WORDS = {
    "fit_ns": "time to fit",
    "apply_ns": "time to transform, predict or compute",
    "output_bytes": "bytes of the output",
    "model_bytes": "bytes of the fitted model",
    "codec_ns": "time to write and to load",
}
BAR = 0.25
TARGETS = (*TIMES, *BYTES)


def write_document(document: Path) -> None:
    """Replace the figures in the document, and draw the plot beside it.

    Args:
        document: a Markdown file with the two marks.
    """
    model, rows = CostModel.load(), read_table(TABLE)
    replace_block(document, FIGURES, figures(model, rows))
    draw(model, rows, document.with_suffix(".png"))


def replace_block(document: Path, marks: tuple[str, str], block: str) -> None:
    """Put a block between two marks of a document, in place of what is there.

    Raises:
        CostError: the document has no such marks.
    """
    begin, end = marks
    head, found, rest = document.read_text(encoding="utf-8").partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise CostError(f"{document} has no place for this: write the lines {begin!r} and {end!r} into it")
    document.write_text(f"{head}{begin}\n\n{block}\n\n{end}{tail}", encoding="utf-8")


def figures(model: CostModel, rows: Sequence[Measured]) -> str:
    """Return the figures as Markdown."""
    errors = judge(model, rows)
    machine = ", ".join(f"{name} {value}" for name, value in model.facts["machine"].items())
    held_out = sum(row.held_out for row in rows)
    largest_s = max(row.fit_ns + row.apply_ns for row in rows) / 1e9
    lines = [
        f"{len(rows):,} measurements of {len(model.operators)} operators, {held_out:,} of them on held-out shapes; "
        f"the longest took {largest_s:.1f} s. Measured with {machine}.",
        "",
        "| on held-out shapes | median error | 90th percentile | measurements |",
        "|---|---|---|---|",
    ]
    for target, words in WORDS.items():
        own = errors["pooled"][target]
        lines.append(f"| {words} | {_percent(own['median'])} | {_percent(own['p90'])} | {own['count']:,} |")
    lines += [
        "",
        f'By operator: median error on its held-out shapes; **bold** above {BAR:.0%}. "Largest" is the training '
        "shape of most cells that was measured with the defaults: beyond it the power laws extrapolate.",
        "",
        "| operator | family | shapes | largest | fit | apply | output | model |",
        "|---|---|---|---|---|---|---|---|",
    ]
    fitted_on = Counter((row.operator, bool(row.held_out)) for row in rows)
    for name, info in sorted(
        model.operators.items(), key=lambda item: (item[1].stage != "preprocess", item[1].family)
    ):
        own = errors["operators"].get(name, {})
        cells = [_cell(own.get(target)) for target in TARGETS]
        lines.append(
            f"| {name} | {info.family} | {fitted_on[name, False]} + {fitted_on[name, True]} | "
            f"{_largest(model, name, rows)} | " + " | ".join(cells) + " |"
        )
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _cell(error: float | None) -> str:
    if error is None:
        return ""
    text = f"{100 * error:.0f} %"
    return f"**{text}**" if error > BAR else text


def _largest(model: CostModel, name: str, rows: Sequence[Measured]) -> str:
    info = model.operators[name]
    defaults = {key: values[0] for key, values in info.parameters.items()}
    own = [
        row
        for row in rows
        if row.operator == name
        and not row.held_out
        and parameters_of(row, info) == defaults
        and row.density == 1
    ]
    if not own:
        return ""
    row = max(own, key=lambda row: (row.rows * row.columns, row.rows))
    return f"{row.rows:,} × {row.columns}"


def draw(model: CostModel, rows: Sequence[Measured], path: Path) -> None:
    """Draw predicted against measured on the held-out shapes, a panel a figure."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 4, figsize=(15, 4), layout="constrained")
    stages = {"preprocess": "C0", "learn": "C1", "evaluate": "C2"}
    for panel, target in zip(axes, TARGETS):
        for stage, colour in stages.items():
            measured, predicted = [], []
            for row in rows:
                info = model.operators[row.operator]
                if row.held_out and info.stage == stage and getattr(row, target):
                    shape = Shape(rows=row.rows, columns=row.columns, density=row.density)
                    measured.append(getattr(row, target))
                    predicted.append(
                        max(getattr(model.cost(row.operator, shape, parameters_of(row, info)), target), 1)
                    )
            if measured:
                panel.plot(measured, predicted, ".", color=colour, markersize=4, alpha=0.6, label=stage)
        every = [getattr(row, target) for row in rows if row.held_out and getattr(row, target)]
        low, high = (min(every) / 2, max(every) * 2) if every else (1, 2)
        panel.plot([1, 1e12], [1, 1e12], color="0.5", linewidth=1)
        for bound in (1 - BAR, 1 + BAR):
            panel.plot([1, 1e12], [bound, bound * 1e12], color="0.7", linewidth=0.7, linestyle="--")
        unit = "bytes" if target in BYTES else "ns"
        panel.set(
            xscale="log", yscale="log", title=WORDS[target], xlabel=f"measured, {unit}",
            ylabel=f"predicted, {unit}", xlim=(low, high), ylim=(low, high),
        )  # fmt: skip
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=70)
    pyplot.close(figure)
