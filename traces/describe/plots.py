"""The report's plots, as SVG texts without dates or random ids, so that equal traces give equal reports."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from traces.describe.figures import Figures, Group

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plots(figures: Figures) -> dict[str, str]:
    """Return name -> SVG of every plot, in the order of the report."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "mile-rl", "font.size": 9, "axes.spines.top": False}):
        groups = {source: figures.persons[source] for source in figures.sources}
        groups = {source: group for source, group in groups.items() if group.lengths}
        drawn = {
            "lengths": _curves(
                {source: group.lengths for source, group in groups.items()},
                "iterations in a history of a person's",
                "share of histories at least as long",
            ),
            "think-time": _curves(
                {source: [ms / 1000 for ms in group.think_ms] for source, group in groups.items()},
                "think time, s",
                "share of pauses at least as long",
            ),
            "return-lag": _curves(
                {source: group.lags for source, group in groups.items()},
                "iterations back to the version returned to",
                "share of returns at least as far",
            ),
            "reuse": _reuse(groups),
            "change-classes": _bars(groups),
        }
        for source, group in groups.items():
            drawn[f"stages-{_slug(source)}"] = _stages(source, group)
            drawn[f"gains-{_slug(source)}"] = _gains(source, group)
    return {name: svg for name, svg in drawn.items() if svg}


def _curves(values: Mapping[str, Sequence[float]], x: str, y: str) -> str:
    values = {source: sorted(own) for source, own in values.items() if own}
    if not values:
        return ""
    figure, axes = _new()
    for source, own in values.items():
        axes.step(own, [1 - place / len(own) for place in range(len(own))], where="post", label=source)
    axes.set(xscale="log", xlabel=x, ylabel=y, ylim=(0, 1.02))
    axes.legend(frameon=False)
    return _svg(figure)


def _reuse(groups: Mapping[str, Group]) -> str:
    values = {source: group.reused for source, group in groups.items() if group.reused}
    if not values:
        return ""
    figure, axes = _new()
    axes.hist(
        list(values.values()),
        bins=[tenth / 10 for tenth in range(11)],
        weights=[[1 / len(own)] * len(own) for own in values.values()],
        label=list(values),
    )
    axes.set(xlabel="share of components whose results stay valid", ylabel="share of iterations")
    axes.legend(frameon=False)
    return _svg(figure)


def _bars(groups: Mapping[str, Group]) -> str:
    if not groups:
        return ""
    from mile_rl.workflows.edits import ChangeClass

    figure, axes = _new()
    names = [each.name for each in ChangeClass if each is not ChangeClass.START]
    width = 0.8 / len(groups)
    for place, (source, group) in enumerate(groups.items()):
        total = sum(group.classes[name] for name in names) or 1
        axes.barh(
            [row + place * width for row in range(len(names))],
            [group.classes[name] / total for name in names],
            height=width,
            label=source,
        )
    axes.set_yticks(
        [row + 0.4 - width / 2 for row in range(len(names))],
        [name.lower().replace("_", " ") for name in names],
    )
    axes.set(xlabel="share of iterations behind the first")
    axes.invert_yaxis()
    axes.legend(frameon=False)
    return _svg(figure)


def _stages(source: str, group: Group) -> str:
    table = group.to_json()["stage transitions"]
    if not table:
        return ""
    figure, axes = _new(3.6)
    columns = list(next(iter(table.values())))[:-1]
    shares = [[row[name] for name in columns] for row in table.values()]
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for y, row in enumerate(shares):
        for x, share in enumerate(row):
            axes.text(
                x, y, f"{share:.2f}", ha="center", va="center", color="black" if share < 0.6 else "white"
            )
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(table)), list(table))
    axes.set(xlabel="stage of the next edit", ylabel="stage of an edit", title=source)
    return _svg(figure)


def _gains(source: str, group: Group) -> str:
    gains = {name: own for name, own in sorted(group.gains.items()) if len(own) >= 5}
    if not gains:
        return ""
    figure, axes = _new(3.6)
    better = [sum(value > 0 for value in own) / len(own) for own in gains.values()]
    worse = [-sum(value < 0 for value in own) / len(own) for own in gains.values()]
    rows = range(len(gains))
    axes.barh(rows, better, color="tab:green", label="better than before")
    axes.barh(rows, worse, color="tab:red", label="worse")
    labels = [f"{name.lower().replace('_', ' ')} ({len(own)})" for name, own in gains.items()]
    axes.set_yticks(rows, labels)
    axes.set(xlabel="share of iterations", xlim=(-1, 1), title=source)
    axes.legend(frameon=False)
    return _svg(figure)


def _new(height: float = 3.2) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _slug(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in text)
