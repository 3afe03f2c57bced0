"""Pictures of DAGs: well-formed, told in words, readable in light and dark."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from mile_rl.report.picture import LARGEST, Edge, Shape, dag_svg, shortened
from mile_rl.report.style import variables

SVG = "{http://www.w3.org/2000/svg}"
NASTY = '<b onload="x">&amp;"\''


def shape(name, **values):
    return Shape(
        **{"name": name, "kind": "compute", "note": "compute · 2 ms", "said": f"{name}: computed"} | values
    )


def test_a_picture_is_well_formed_and_each_box_is_said():
    text = dag_svg([shape("a"), shape(NASTY)], [Edge(source="a", target=NASTY)], title=NASTY)
    root = ElementTree.fromstring(text)
    boxes = [one for one in root if "m-box" in one.get("class", "")]
    assert [one.get("aria-label") for one in boxes] == ["a: computed", f"{NASTY}: computed"]
    assert [one.find(f"{SVG}title").text for one in boxes] == ["a: computed", f"{NASTY}: computed"]
    assert root.get("aria-label") == NASTY


def test_every_box_can_be_reached_by_keyboard():
    root = ElementTree.fromstring(dag_svg([shape("a"), shape("b", href="#node-1")], [], title="t"))
    plain, linked = (one for one in root if "m-box" in one.get("class", ""))
    assert plain.get("tabindex") == "0"
    assert linked.tag == f"{SVG}a"
    assert linked.get("href") == "#node-1"


def test_a_file_of_its_own_brings_its_colours_for_light_and_dark():
    alone = dag_svg([shape("a")], [], title="t", alone=True)
    assert "prefers-color-scheme:dark" in alone
    assert "<style>" not in dag_svg([shape("a")], [], title="t")
    assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)", alone), (
        "asks for something from elsewhere"
    )


def test_a_picture_too_large_to_read_says_what_it_leaves_out():
    many = [shape(f"n{number}") for number in range(LARGEST + 5)]
    edges = [Edge(source="n0", target=f"n{LARGEST + 1}")]
    text = dag_svg(many, edges, title="t")
    assert text.count("m-box") == LARGEST
    assert f"the first {LARGEST} of {LARGEST + 5} nodes" in text


@pytest.mark.parametrize("longest", [5, 9, 12, 40])
def test_a_long_name_keeps_both_its_ends(longest):
    text = shortened("accuracy_of_logistic", longest)
    assert len(text) <= longest
    assert text[0] == "a"
    assert text[-1] == "c"


def _luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear))


def _contrast(one, other):
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_whatever_is_behind_it(scheme):
    light, _, dark = variables(":root").partition("@media")
    colours = dict(re.findall(r"--([\w-]+):(#\w{6})", light if scheme == "light" else dark))
    behind = ("bg", "card", "compute", "load", "prune", "failed", "changed", "added", "removed", "affected")
    for name in behind:
        assert _contrast(colours["fg"], colours[name]) >= 7
        assert _contrast(colours["muted"], colours[name]) >= 4.5
    for name in (
        "compute-line",
        "load-line",
        "failed-line",
        "changed-line",
        "added-line",
        "removed-line",
        "accent",
    ):
        assert _contrast(colours[name], colours["card"]) >= 3
