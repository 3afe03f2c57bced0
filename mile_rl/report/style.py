"""Colours and type of every page and picture: light and dark, no request to anywhere.

State and change are never told by colour alone: each has a word, a mark or a line style as well.
"""

from __future__ import annotations

_LIGHT = """
--bg:#ffffff;--card:#f7f8fa;--fg:#1a1d21;--muted:#56606a;--line:#d3d9df;--accent:#155fa0;
--compute:#fff0d2;--compute-line:#a35f00;--load:#dcf2e2;--load-line:#19703a;--prune:#f2f4f6;--prune-line:#7d8790;
--failed:#fde3e1;--failed-line:#b3261e;--changed:#fff0d2;--changed-line:#a35f00;--added:#dcf2e2;
--added-line:#19703a;--removed:#fde3e1;--removed-line:#b3261e;--affected:#e2eefb;--affected-line:#155fa0;
--plain:#9aa3ab;
"""

_DARK = """
--bg:#15181b;--card:#1d2125;--fg:#e8ebee;--muted:#a3adb7;--line:#3a424a;--accent:#7fb8ee;
--compute:#3b2b0a;--compute-line:#e3a53a;--load:#12321e;--load-line:#57c483;--prune:#22272b;--prune-line:#89939d;
--failed:#431715;--failed-line:#f2786f;--changed:#3b2b0a;--changed-line:#e3a53a;--added:#12321e;
--added-line:#57c483;--removed:#431715;--removed-line:#f2786f;--affected:#14293f;--affected-line:#7fb8ee;
--plain:#78828b;
"""


def variables(scope: str) -> str:
    """Return the rules that define the colours for what a selector holds, light and dark.

    Args:
        scope: a CSS selector.
    """
    light, dark = _LIGHT.strip().replace("\n", ""), _DARK.strip().replace("\n", "")
    return (
        f"{scope}{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{{scope}{{{dark}}}}}"
    )


PICTURE = """
.m-pic{display:block;font:13px/1.3 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.m-pic text{fill:var(--fg)}.m-pic .m-sub{fill:var(--muted);font-size:11.5px}.m-pic .m-name{font-weight:600}
.m-pic .m-edge{fill:none;stroke:var(--plain);stroke-width:1.4}.m-pic .m-edge.m-gone{stroke-dasharray:4 4}
.m-pic .m-tip{fill:var(--plain)}
.m-pic .m-box rect{fill:var(--prune);stroke:var(--prune-line);stroke-width:1.4}
.m-pic .m-compute rect{fill:var(--compute);stroke:var(--compute-line);stroke-width:2.2}
.m-pic .m-load rect{fill:var(--load);stroke:var(--load-line)}
.m-pic .m-prune rect,.m-pic .m-skipped rect{stroke-dasharray:2 3}
.m-pic .m-failed rect{fill:var(--failed);stroke:var(--failed-line);stroke-width:2.6}
.m-pic .m-changed rect{fill:var(--changed);stroke:var(--changed-line);stroke-width:2.2}
.m-pic .m-added rect{fill:var(--added);stroke:var(--added-line);stroke-width:2.2}
.m-pic .m-removed rect{fill:var(--removed);stroke:var(--removed-line);stroke-dasharray:5 4}
.m-pic .m-affected rect{fill:var(--affected);stroke:var(--affected-line)}
.m-pic a{cursor:pointer}.m-pic .m-box:focus{outline:none}
.m-pic .m-box:focus rect,.m-pic a:focus rect{stroke:var(--accent);stroke-width:3.4;stroke-dasharray:none}
.m-pic a:focus{outline:none}
.m-pic .m-grid{stroke:var(--line);stroke-width:1}
.m-pic .m-area{opacity:.18}.m-pic .m-curve{fill:none;stroke-width:2.2;stroke-linejoin:round}
.m-pic .m-c1{stroke:var(--accent)}.m-pic .m-f1{fill:var(--accent)}
.m-pic .m-c2{stroke:var(--plain);stroke-dasharray:6 4}.m-pic .m-f2{fill:var(--plain)}
.m-pic .m-bar{stroke:var(--accent);stroke-width:3}.m-pic .m-zero{stroke:var(--fg);stroke-width:1}
"""
"""Rules of pictures; they need the variables."""
