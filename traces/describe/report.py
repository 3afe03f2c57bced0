"""Writes the report on a folder of traces: Markdown, HTML, the plots, and all figures as JSON."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traces.describe.figures import Figures
from traces.describe.papers import PUBLISHED
from traces.describe.plots import plots
from traces.reader import Traces
from traces.scripted import RULE
from traces.sources.base import OnProgress, no_progress

_PROGRESS_HISTORIES = 50
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;"
    "text-align:left}td+td{font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where a report was written: its folder and its two forms."""

    folder: Path
    html: Path
    markdown: Path


@dataclass(frozen=True, slots=True)
class _Table:
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


_Block = str | _Table | tuple[str, str]
"""A paragraph ("# " and "## " begin headings), a table, or a plot as (name, SVG)."""


def describe(folder: Path, out: Path, on_progress: OnProgress = no_progress) -> Written:
    """Count the figures of a folder of traces and write the report.

    Args:
        folder: the traces.
        out: gets report.html, report.md, figures.json and figures/*.svg.
        on_progress: called with the histories read so far.

    Raises:
        TraceError: ``folder`` holds no traces.
    """
    traces = Traces(folder)
    figures = Figures()
    for done, history in enumerate(traces, 1):
        figures.add(history)
        if done % _PROGRESS_HISTORIES == 0:
            on_progress(done, len(traces), "histories")
    counted = figures.to_json()
    blocks = _blocks(traces, figures, counted, plots(figures))
    (out / "figures").mkdir(parents=True, exist_ok=True)
    record = {"trace digest": traces.digest, "mined": traces.manifest["sources"], "sources": counted}
    (out / "figures.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for block in blocks:
        if isinstance(block, tuple):
            (out / "figures" / f"{block[0]}.svg").write_text(block[1], "utf-8")
    markdown, page = out / "report.md", out / "report.html"
    markdown.write_text(_markdown(blocks), "utf-8")
    page.write_text(_html(blocks), "utf-8")
    return Written(folder=out, html=page, markdown=markdown)


def _blocks(
    traces: Traces, figures: Figures, counted: Mapping[str, Any], drawn: Mapping[str, str]
) -> list[_Block]:
    general = [name for name in drawn if not name.startswith(("stages-", "gains-"))]
    blocks: list[_Block] = [
        "# What the traces say",
        f"{len(traces)} histories, trace digest {traces.digest}. Figures of people leave scripted histories out.",
        "## Mined",
        _mined(traces.manifest["sources"]),
        "## People and programs",
        RULE,
        _overview(counted),
        "## Beside the papers",
        _papers(counted),
        *[(name, drawn[name]) for name in general],
    ]
    for source in figures.sources:
        blocks.append(f"## {source}: what people changed")
        blocks.extend(_source(counted[source]["persons"]))
        slug = "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in source)
        blocks.extend((name, drawn[name]) for name in (f"stages-{slug}", f"gains-{slug}") if name in drawn)
    return blocks


def _mined(sources: Sequence[Mapping[str, Any]]) -> _Table:
    rows = []
    for source in sources:
        bad = "; ".join(f"{each['count']} {cause}" for cause, each in source["bad"].items()) or "none"
        left = (
            "; ".join(f"{count} {reason}" for reason, count in source["left_out"].items() if count) or "none"
        )
        unread = "; ".join(f"{each['count']} {kind}s" for kind, each in source["unread"].items()) or "none"
        counts = [f"{source[name]:,}" for name in ("read", "histories", "iterations")]
        rows.append([f"{source['source']} ({source['place']})", *counts, bad, left, unread])
    return _Table(
        ("source", "read", "histories", "iterations", "unreadable", "left out", "not understood"), rows
    )


def _overview(counted: Mapping[str, Any]) -> _Table:
    names = ("histories", "people", "iterations")
    rows = []
    for source, each in counted.items():
        persons, length = each["persons"], each["persons"]["length"]
        rows.append(
            [
                source,
                *(f"{persons[name]:,}" for name in names),
                " / ".join(_number(length.get(name)) for name in ("p50", "p90", "max")),
                _percent(each["scripted"]["share of histories"]),
                _percent(each["scripted"]["share of iterations"]),
                _percent(persons["reused results"].get("iterations over half")),
                _percent(persons["same operators"].get("iterations over half")),
                _percent(persons["returns"]["share of iterations"]),
                " / ".join(_number(persons["returns"]["lag"].get(name)) for name in ("p50", "p90")),
                _number(persons["think time, s"].get("p50")),
            ]
        )
    header = (
        "source",
        *(f"{name}" for name in names),
        "length p50/p90/max",
        "scripted histories",
        "scripted iterations",
        "iterations reusing over half of the results",
        "… of the operators",
        "returns",
        "lag p50/p90",
        "think time p50, s",
    )
    return _Table(header, rows)


def _papers(counted: Mapping[str, Any]) -> _Table:
    rows = []
    for published in PUBLISHED:
        for source, each in counted.items():
            if source.partition(" ")[0] not in published.sources:
                continue
            ours = published.ours(each)
            if ours is not None:
                rows.append([published.words, published.value, _number(ours), source, published.paper])
    return _Table(("figure", "published", "ours", "our source", "where published"), rows)


def _source(persons: Mapping[str, Any]) -> list[_Block]:
    classes = persons["change classes"]
    kinds = persons["edits by kind and stage"]
    stages = list(next(iter(kinds.values())))
    blocks: list[_Block] = [
        _Table(
            ("change class", "share of iterations"),
            [[_words(name), _percent(share)] for name, share in classes.items() if share],
        ),
        _Table(
            ("edit", *stages),
            [[kind, *(f"{row[stage]:,}" for stage in stages)] for kind, row in kinds.items()],
        ),
    ]
    for title, name in (
        ("from stage (rows) to stage", "stage transitions"),
        ("from class (rows) to class", "class transitions"),
    ):
        table = persons[name]
        if table:
            columns = [
                column
                for column in next(iter(table.values()))
                if column == "n" or any(row[column] for row in table.values())
            ]
            blocks.append(
                _Table(
                    (title, *map(_words, columns)),
                    [
                        [_words(before), *(_number(row[column]) for column in columns)]
                        for before, row in table.items()
                    ],
                )
            )
    gains = persons["gains"]
    if gains:
        header = ("change class", "n", "better", "worse", "gain p25", "p50", "p75")
        names = ("better", "worse", "p25", "p50", "p75")
        rows = [
            [_words(name), f"{gain['n']:,}", *(_number(gain.get(key)) for key in names)]
            for name, gain in gains.items()
        ]
        blocks.append(_Table(header, rows))
    return blocks


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _markdown(blocks: Sequence[_Block]) -> str:
    parts = []
    for block in blocks:
        if isinstance(block, _Table):
            lines = ["| " + " | ".join(block.header) + " |", "|" + "---|" * len(block.header)]
            lines += [
                "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in block.rows
            ]
            parts.append("\n".join(lines))
        elif isinstance(block, tuple):
            parts.append(f"![{_words(block[0].replace('-', ' '))}](figures/{block[0]}.svg)")
        else:
            parts.append(block)
    return "\n\n".join(parts) + "\n"


def _html(blocks: Sequence[_Block]) -> str:
    parts = []
    for block in blocks:
        if isinstance(block, _Table):
            rows = ["".join(f"<th>{html.escape(cell)}</th>" for cell in block.header)]
            rows += ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in block.rows]
            parts.append("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
        elif isinstance(block, tuple):
            parts.append(f"<figure>{block[1]}</figure>")
        elif block.startswith("#"):
            marks, _, words = block.partition(" ")
            parts.append(f"<h{len(marks)}>{html.escape(words)}</h{len(marks)}>")
        else:
            parts.append(f"<p>{html.escape(block)}</p>")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>What the traces say</title>'
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )
