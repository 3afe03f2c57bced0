"""``mile diff``, ``mile impact`` and ``mile report``."""

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest

VOID = {"meta", "br", "line", "circle", "rect", "path", "polyline", "polygon"}


class Page(HTMLParser):
    """What a page holds: its tags in balance, its ids, its links, what it would load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.words = [], set(), [], [], []
        self.feed(text)
        assert self.open == [], f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        self.ids.add(told.get("id"))
        if tag == "a":
            self.links.append(told["href"])
        self.loads += [told[name] for name in ("src", "srcset", "xlink:href") if name in told]
        self.loads += [tag] if tag in ("script", "link", "iframe", "object", "embed") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.ids.add(dict(attributes).get("id"))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def words_of(page):
    return re.sub(r"\s+", " ", " ".join(page.words))


@pytest.fixture
def lived(mile):
    """A project with a little history: two values of C, one gone back to, then other code."""
    for arguments in ((), ("C=2",), ("C=1",), ("C=3",)):
        assert mile("run", "small.py", *arguments).exit_code == 0
    mile.edit("return model / 10", "return model / 20")
    assert mile("run", "small.py", "C=3").exit_code == 0
    return mile


class TestDiff:
    def test_it_tells_edits_metrics_times_and_which_results_differ(self, lived):
        out = lived("diff", "1", "2").output
        assert "fit: C 1.0 -> 2.0" in out
        assert "accuracy:" in out
        assert "everything takes:" in out
        assert "waited:" in out
        assert "results that differ: fit, accuracy" in out
        assert "results that are the same: read, features" in out

    def test_json_tells_each_node(self, lived):
        told = json.loads(lived("diff", "1", "5", "--json").output)
        assert {node["name"]: node["change"] for node in told["nodes"]} == {
            "read": "unchanged", "features": "unchanged", "fit": "changed", "accuracy": "changed"
        }  # fmt: skip
        assert told["nodes"][3]["parents"] == ["fit"]

    def test_svg_and_page_are_written(self, lived):
        done = lived("diff", "1", "2", "--svg", "diff.svg", "--html", "diff.html")
        assert done.exit_code == 0, done.output
        root = ElementTree.fromstring((lived.folder / "diff.svg").read_text())
        said = [one.get("aria-label", "") for one in root]
        assert "fit: changed: fit: C 1.0 -> 2.0" in said
        page = Page((lived.folder / "diff.html").read_text())
        assert page.loads == []
        assert set(page.links) - {"#main"} <= {f"#{name}" for name in page.ids}
        assert "~ changed" in words_of(page)

    def test_a_place_that_cannot_be_written_is_said(self, lived):
        done = lived("diff", "1", "2", "--svg", "nowhere/diff.svg")
        assert done.exit_code == 1
        assert "nowhere/diff.svg cannot be written" in done.output


class TestImpact:
    def test_it_tells_effects_with_intervals(self, lived):
        out = lived("impact").output
        assert "what changes did to accuracy, over 4 versions" in out
        assert "fit.C, each unit more" in out
        assert "changed operator accuracy" in out
        assert "80% interval" in out

    def test_json_has_the_same(self, lived):
        told = json.loads(lived("impact", "--json").output)
        assert told["metric"] == "accuracy"
        (one,) = (each for each in told["parameters"] if each["what"] == "fit.C 1 -> 2")
        assert one["low"] <= one["effect"] <= one["high"]
        assert 0 <= one["probability_of_a_rise"] <= 1

    def test_between_explains_a_gap(self, lived):
        told = json.loads(lived("impact", "--between", "1", "5", "--json").output)["chain"]
        assert [link["changes"] for link in told["links"]] == [
            ["fit.C 1 -> 3"],
            ["changed operator accuracy"],
        ]
        assert sum(link["gain"] for link in told["links"]) == pytest.approx(told["gap"])
        assert "in 2 steps" in lived("impact", "--between", "1", "5").output

    def test_an_unknown_metric_says_which_there_are(self, lived):
        done = lived("impact", "--metric", "auc")
        assert done.exit_code == 1
        assert "these are: accuracy" in done.output

    def test_one_version_is_too_little(self, mile):
        assert mile("impact").exit_code == 1
        mile("run", "small.py")
        done = mile("impact")
        assert done.exit_code == 1
        assert "Change something and run again" in done.output

    def test_a_workflow_without_numbers_says_so(self, mile):
        mile.edit('return {"accuracy": ', 'return {"accuracy": [], "text": str_of(')
        mile.edit("C=C))}", "C=C)))}")
        mile.edit("@workflow", "@op\ndef str_of(x):\n    return str(x)\n\n\n@workflow")
        for value in ("1", "2"):
            assert mile("run", "small.py", f"C={value}").exit_code == 0
        done = mile("impact")
        assert done.exit_code == 1
        assert "returns no number" in done.output


class TestReport:
    def test_the_page_needs_nothing_from_elsewhere_and_every_link_leads_somewhere(self, lived):
        done = lived("report", "--out", "page.html")
        assert done.exit_code == 0, done.output
        text = (lived.folder / "page.html").read_text()
        page = Page(text)
        assert page.loads == []
        assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
        assert {link for link in page.links if not link.startswith("#")} == set()
        assert set(page.links) <= {f"#{name}" for name in page.ids}

    def test_it_tells_history_dag_effects_and_store(self, lived):
        lived("report")
        page = Page((lived.folder / "mile-report.html").read_text())
        words = words_of(page)
        for title in ("Progress", "Iteration 5: what was done", "What changes did", "History", "The store"):
            assert title in words
        assert "runs 1, 3" in words
        assert "What to try next" in words
        assert "prefers-color-scheme:dark" in (lived.folder / "mile-report.html").read_text()

    def test_without_recommendations_nothing_of_the_persons_is_imported(self, lived):
        lived.file.write_text("raise SystemExit('imported')")
        assert lived("report", "--no-recommend").exit_code == 0
        page = Page((lived.folder / "mile-report.html").read_text())
        assert "What to try next" not in words_of(page)

    def test_json_writes_no_page(self, lived):
        told = json.loads(lived("report", "--json").output)
        assert [one["iteration"] for one in told["iterations"]] == [1, 2, 3, 4, 5]
        assert told["latest"]["nodes"][3]["parents"] == ["fit"]
        assert told["latest"]["iteration"] == 5
        assert not (lived.folder / "mile-report.html").exists()

    def test_only_the_latest_are_told_where_that_is_asked(self, lived):
        told = json.loads(lived("report", "--json", "--limit", "2").output)
        assert [one["iteration"] for one in told["iterations"]] == [4, 5]
        assert told["older"] == 3
        lived("report", "--limit", "2")
        assert "3 older iterations" in (lived.folder / "mile-report.html").read_text()

    def test_a_first_iteration_has_a_page_too(self, mile):
        mile("run", "small.py")
        assert mile("report").exit_code == 0
        Page((mile.folder / "mile-report.html").read_text())

    def test_a_failed_iteration_has_a_page_too(self, lived):
        lived.edit("return sum(rows) * C", "raise ValueError('<script>alert(1)</script>')")
        assert lived("run", "small.py").exit_code == 1
        assert lived("report").exit_code == 0
        text = (lived.folder / "mile-report.html").read_text()
        Page(text)
        assert "failed after" in text
        assert "<script" not in text

    def test_without_any_run_it_says_what_to_do(self, mile):
        done = mile("report")
        assert done.exit_code == 1
        assert "mile run" in done.output

    def test_names_cannot_break_the_page(self, mile):
        mile.edit('{"accuracy": accuracy', '{"<b>&\\"x": accuracy')
        assert mile("run", "small.py").exit_code == 0
        assert mile("run", "small.py", "C=2").exit_code == 0
        assert mile("report").exit_code == 0
        assert '<b>&"x' in words_of(Page((mile.folder / "mile-report.html").read_text()))
