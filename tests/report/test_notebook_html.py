"""What a notebook shows."""

import os
from html.parser import HTMLParser

import pytest

from mile_rl import op, workflow


@op(stage="preprocess")
def rows(n=3):
    return list(range(n))


@op(stage="evaluate")
def total(values, k=1):
    return sum(values) * k


@workflow
def shown(k=1):
    return {"<total>": total(rows(), k)}


@workflow
def needs(k):
    return total(rows(), k)


@pytest.fixture(autouse=True)
def project_here(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILE_HOME", str(tmp_path / ".mile"))


class Balanced(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open += [tag] if tag not in ("br", "line") else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_workflow_shows_its_dag():
    text = shown._repr_html_()
    Balanced(text)
    assert "total: operator total, stage evaluate; takes rows" in text


def test_a_workflow_that_needs_arguments_shows_as_text():
    assert needs._repr_html_() is None


def test_a_plan_and_an_iteration_show_what_is_done():
    plan = shown.using(quiet=True).plan()
    Balanced(plan._repr_html_())
    assert "to compute" in plan._repr_html_()
    iteration = shown.using(quiet=True).run(k=2)
    text = iteration._repr_html_()
    Balanced(text)
    assert "&lt;total&gt; = 6" in text
    assert "computed in" in text
    assert "waited" in text
    Balanced(iteration.report._repr_html_())
    assert "&lt;total&gt; =" not in iteration.report._repr_html_()


def test_what_is_shown_keeps_its_colours_to_itself():
    text = shown._repr_html_()
    style = text.partition("<style>")[2].partition("</style>")[0]
    for rule in style.replace("@media (prefers-color-scheme:dark){", "").split("}"):
        selector = rule.partition("{")[0].strip()
        assert all(part.strip().startswith((".m-note", ".m-pic")) for part in selector.split(",") if part), (
            selector
        )
