"""Small pieces of HTML: tables that turn into cards on a phone, whole pages that need nothing from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from mile_rl.errors import MileError
from mile_rl.report.style import PICTURE, variables

_PAGE = """
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1rem}
header{padding-top:1.6rem}footer{padding-top:2rem;padding-bottom:2rem;color:var(--muted);font-size:.86rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
p{margin:.4rem 0}a{color:var(--accent)}.m-muted{color:var(--muted)}
.m-skip{position:absolute;left:-999rem}.m-skip:focus{left:1rem;top:.5rem;background:var(--bg);padding:.3rem .6rem}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;margin:.8rem 0 0}
nav a{display:inline-block;padding:.15rem 0}
.m-tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.7rem;margin:1.2rem 0 0;padding:0}
.m-tile{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .8rem}
.m-tile dt{font-size:.82rem;color:var(--muted)}
.m-tile dd{margin:0;font-size:1.2rem;font-weight:600;overflow-wrap:anywhere}
.m-tile small{display:block;font-size:.8rem;font-weight:400;color:var(--muted)}
.m-two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem}
.m-card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem;min-width:0}
.m-card h3{margin-top:0}.m-chart{width:100%;height:auto}
.m-scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.6rem;background:var(--card);padding:.4rem}
.m-scroll svg{margin:0 auto}.m-narrow{display:none}
.m-legend{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem 1rem;padding:0;margin:.6rem 0;font-size:.88rem}
.m-legend li{display:flex;align-items:center;gap:.4rem}
.m-key{width:1.5rem;height:.95rem;border-radius:.2rem;border:2px solid var(--plain);background:var(--prune)}
.m-key.m-compute,.m-key.m-changed{background:var(--changed);border-color:var(--changed-line)}
.m-key.m-load,.m-key.m-added{background:var(--added);border-color:var(--added-line)}
.m-key.m-prune{border-style:dotted}
.m-key.m-removed{background:var(--removed);border:2px dashed var(--removed-line)}
.m-key.m-failed{background:var(--failed);border-color:var(--failed-line)}
.m-key.m-affected{background:var(--affected);border-color:var(--affected-line)}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.6rem 0}
th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:break-word}td:first-child,td:last-child{overflow-wrap:anywhere}
th{color:var(--muted);font-weight:600}td.m-n,th.m-n{padding-right:1.2rem;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
tr:target td,li:target,tr:target{background:var(--affected)}
code,pre{font:0.86em/1.45 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
pre{overflow-x:auto;background:var(--bg);border:1px solid var(--line);border-radius:.4rem;padding:.6rem}
details>summary{cursor:pointer;padding:.3rem 0}
.m-bar-track{height:.8rem;border-radius:.4rem;background:var(--prune);border:1px solid var(--line);overflow:hidden}
.m-bar-fill{height:100%;background:var(--accent)}
.m-moved{font-weight:600}
.m-versions{list-style:none;margin:.6rem 0;padding:0}
.m-versions li{display:flex;gap:.7rem;min-height:3.2rem}
.m-gutter{flex:none;position:relative}
.m-gutter i{position:absolute;width:2px;background:var(--plain)}
.m-gutter b{position:absolute;width:14px;height:14px;border-radius:50%;
background:var(--card);border:3px solid var(--accent)}
.m-gutter b.m-bad{border-color:var(--failed-line);border-radius:2px}
.m-gutter svg{position:absolute;top:0;left:0}.m-gutter path{fill:none;stroke:var(--plain);stroke-width:2}
.m-what{padding-bottom:.9rem;min-width:0;flex:1}.m-what p{margin:.05rem 0;overflow-wrap:anywhere}
.m-what ul{margin:.1rem 0;padding-left:1.1rem;list-style:disc}.m-what ul li{display:list-item;min-height:0;
overflow-wrap:anywhere}
.m-suggestions{padding-left:1.4rem}.m-suggestions li{margin-bottom:.9rem;overflow-wrap:anywhere}
.m-facts{display:grid;grid-template-columns:minmax(0,max-content) minmax(0,1fr);
gap:.1rem .8rem;margin:.2rem 0;font-size:.9rem}
.m-facts dt{color:var(--muted);overflow-wrap:anywhere}.m-facts dd{margin:0;overflow-wrap:anywhere}
@media (max-width:40rem){
.m-wide{display:none}.m-narrow{display:block}
table.m-cards thead{position:absolute;left:-999rem}
table.m-cards,table.m-cards tbody{display:block}
table.m-cards tr{display:flex;flex-wrap:wrap;gap:0 1rem;border-bottom:1px solid var(--line);padding:.45rem 0}
table.m-cards td{display:block;border:0;overflow-wrap:anywhere;padding:0;text-align:left;
white-space:normal;min-width:0}
table.m-cards td:first-child{flex:0 0 100%}
table.m-cards td:not(:first-child)::before{content:attr(data-label) " ";color:var(--muted)}
table.m-cards td:empty{display:none}
.m-pic.m-chart .m-sub{font-size:18px}
}
@media (prefers-reduced-motion:no-preference){html{scroll-behavior:smooth}}
@media print{.m-skip,nav{display:none}}
"""


def page(title: str, body: str) -> str:
    """Return a whole page that needs no other file and no network.

    Args:
        title: of the page.
        body: what stands in it; has to bring its own ``<main>``.
    """
    # A policy that allows nothing from elsewhere: whatever slipped in could not call home.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title>\n<style>{variables(':root')}{_PAGE}{PICTURE}</style></head>\n"
        f'<body>\n<a class="m-skip" href="#main">Skip to the content</a>\n{body}\n</body></html>\n'
    )


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str,
    numbers: Sequence[int] = (),
    ids: Sequence[str] = (),
) -> str:
    """Return a table; on a narrow screen each row becomes a card with its columns' names.

    Args:
        header: the columns' names.
        rows: cells that are HTML already.
        caption: what it lists, for screen readers.
        numbers: which columns hold figures.
        ids: an id a row, to lead to; none by default.
    """

    def look(column: int) -> str:
        return ' class="m-n"' if column in numbers else ""

    # Cards take the table's display away, and with it what screen readers know it by; the roles keep it.
    head = "".join(
        f'<th role="columnheader" scope="col"{look(column)}>{html.escape(name)}</th>'
        for column, name in enumerate(header)
    )
    lines = []
    for place, row in enumerate(rows):
        own = f' id="{html.escape(ids[place])}" tabindex="-1"' if ids else ""
        cells = "".join(
            f'<td role="cell" data-label="{html.escape(header[column])}"{look(column)}>{cell}</td>'
            for column, cell in enumerate(row)
        )
        lines.append(f'<tr role="row"{own}>{cells}</tr>')
    return (
        f'<table class="m-cards" role="table" aria-label="{html.escape(caption)}">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(lines)}</tbody></table>'
    )


def scrolled(wide: str, narrow: str, label: str) -> str:
    """Return a picture in a box that scrolls sideways, also by keyboard; a phone shows its narrow variant.

    Args:
        wide: HTML.
        narrow: the same, for a phone.
        label: what it shows.
    """
    both = f'<div class="m-wide">{wide}</div><div class="m-narrow">{narrow}</div>'
    return f'<div class="m-scroll" role="region" tabindex="0" aria-label="{html.escape(label)}">{both}</div>'


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return what the looks of a picture mean.

    Args:
        entries: (look, its meaning).
    """
    items = "".join(
        f'<li><span class="m-key m-{html.escape(look)}" aria-hidden="true"></span>{html.escape(meaning)}</li>'
        for look, meaning in entries
    )
    return f'<ul class="m-legend" aria-label="Legend">{items}</ul>'


def write_text(path: Path, text: str) -> None:
    """Write a page or picture.

    Args:
        path: where to.
        text: what.

    Raises:
        MileError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MileError(f"{path} cannot be written ({error}): name another file.") from error
