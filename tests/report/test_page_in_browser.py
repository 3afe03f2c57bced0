"""The page in headless Chromium: offline, light and dark, on a phone, by keyboard.

Needs a Chromium, playwright's own or the system's (``apt-get install chromium``); skipped where there is none.
Set ``MILE_SCREENSHOTS`` to a folder to keep the screenshots and look at them.
"""

import os
import shutil
from pathlib import Path

import pytest
from made_versions import Made, node

from mile_rl.engine.history import Comparison
from mile_rl.engine.node_changes import NodeChange
from mile_rl.engine.report import NodeReport, OutputReport, Report
from mile_rl.report.comparison_page import comparison_page
from mile_rl.report.gather import Suggestion, WorkflowHistory
from mile_rl.report.history_page import history_page
from mile_rl.report.impact.effects import impact
from mile_rl.store.records import Artifact, ArtifactMeta
from mile_rl.store.results import StoreInfo
from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import ChangeClass

api = pytest.importorskip("playwright.sync_api", reason="no playwright")

pytestmark = pytest.mark.slow

STATES = {"read": "prune", "split": "load", "scale": "load", "fit": "compute", "vote": "failed"}
PARENTS = {"split": ["read"], "scale": ["split"], "fit": ["scale"], "vote": ["fit", "split"]}
FIELDS = [
    f"field[column={name}]" for name in ("education", "occupation", "relationship", "hours", "sex", "age")
]


def _nodes():
    for name, state in STATES.items():
        yield name, state, [Output(parent) for parent in PARENTS.get(name, ())]
        if name == "split":
            for field in FIELDS:
                yield field, "prune", [Output("split")]


def _history():
    made = Made(lambda nodes: 0.8 + 0.01 * (nodes[0].arguments["C"] % 7))
    for rate in (1, 10, 100, 10, 5, 3, 10, 50):
        made.run([node("fit_a_model_with_quite_a_long_name", C=rate)])
    report = Report(
        workflow="a_workflow_with_quite_a_long_name",
        version="ab" * 16,
        iteration=8,
        previous=7,
        edits=(),
        change_class=ChangeClass.NOTHING,
        nodes=tuple(
            NodeReport(
                name=name,
                operator=name,
                stage="learn",
                state=state,
                signature=name,
                expected_ns=0,
                elapsed_ns=None if state == "prune" else 120_000_000,
                outputs=(OutputReport(name=name, signature=name, size_bytes=4_500_000, kept=True),),
                parents=tuple(parents),
            )
            for name, state, parents in _nodes()
        ),
        waited_ns=10**9,
        everything_ns=4 * 10**9,
        policy="gdsf",
        status="failed",
    )
    meta = ArtifactMeta(workflow="w", node=FIELDS[0], output="result", operator="fit", stage="learn")
    artifact = Artifact(
        signature="fit",
        content="c",
        suffix=".npy",
        size_bytes=4_500_000,
        codec="array",
        codec_version=1,
        meta=meta,
        created_ns=0,
    )
    return WorkflowHistory(
        workflow=report.workflow,
        iterations=tuple(made.iterations),
        older=3,
        metric="accuracy",
        latest=report,
        artifacts=(artifact,) * 15,
        store=StoreInfo(
            root="s", budget_bytes=10**9, used_bytes=3 * 10**8, reserved_bytes=0, artifacts=15, counters={}
        ),
        impact=impact(made.iterations, made.nodes_of, "accuracy"),
        suggestions=(
            Suggestion(
                title="replace LogisticRegression by ExtraTreesClassifier(min_samples_split=0.001,criterion=entropy)",
                facts={"expected": "+0.01 [0, 0.02]"},
                code="fit(rows, C=100)",
            ),
        ),
    )


def _comparison():
    history = _history()
    kinds = ("unchanged", "changed", "affected", "added", "removed")
    nodes = [
        NodeChange(name=name, operator=name, stage="learn", change=kinds[place % 5], parents=tuple(parents))
        for place, (name, _, parents) in enumerate(_nodes())
    ]
    return Comparison(a=history.iterations[0], b=history.iterations[-1], edits=(), nodes=tuple(nodes))


# Root has no sandbox, a CI machine no graphics card, and nothing here is to reach for the network.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def browser():
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    with api.sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        except api.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    texts = {"report": history_page(_history()), "diff": comparison_page(_comparison())}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, pages, request):
    """Open a page and see to it that it asks for nothing and complains of nothing."""
    contexts = []

    def visit(name, *, width=1200, scheme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        asked, said = [], []
        page.on("request", lambda one: asked.append(one.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto((pages / f"{name}.html").as_uri())
        assert asked == [(pages / f"{name}.html").as_uri()]
        assert said == []
        return page

    yield visit
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["report", "diff"])
@pytest.mark.parametrize("width", [320, 375, 768, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_screen(visit, name, width, scheme):
    page = visit(name, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shown = page.locator(".m-scroll svg:visible")
    assert shown.count() == 1
    if folder := os.environ.get("MILE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}-{scheme}-{width}.png"), full_page=True)


@pytest.mark.parametrize("width", [375, 1200])
def test_no_text_of_the_picture_leaves_its_box(visit, width):
    outside = visit("report", width=width).evaluate(
        """() => [...document.querySelectorAll('.m-box')].filter(box => box.getBBox().width > 0).flatMap(box => {
            const frame = box.querySelector('rect').getBBox();
            return [...box.querySelectorAll('text')].filter(text => {
                const own = text.getBBox();
                return own.x < frame.x || own.x + own.width > frame.x + frame.width;
            }).map(text => text.textContent);
        })"""
    )
    assert outside == []


def test_dark_is_dark_and_light_is_light(visit):
    brightness = {}
    for scheme in ("light", "dark"):
        colour = visit("report", scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        brightness[scheme] = sum(int(part) for part in colour.strip("rgb()").split(",")) / 3
    assert brightness["light"] > 240
    assert brightness["dark"] < 40


def test_everything_is_reached_by_keyboard_and_seen_when_it_is(visit):
    page = visit("report")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        label = page.evaluate("document.activeElement.getAttribute('aria-label')")
        reached.append(label)
        if label and label.startswith("fit:"):
            break
    assert "The DAG of iteration 8" in reached, "the scrolling region takes part"
    assert any(label and label.startswith("split: loaded") for label in reached)
    frame = page.evaluate("getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth")
    assert float(frame.removesuffix("px")) > 3
    page.keyboard.press("Enter")
    row = page.locator(":target")
    assert row.count() == 1
    assert "fit" in row.inner_text()
    assert row.is_visible()


def test_what_is_folded_opens_by_keyboard(visit):
    page = visit("report")
    code = page.locator(".m-suggestions pre")
    assert not code.is_visible()
    page.locator(".m-suggestions summary").focus()
    page.keyboard.press("Enter")
    assert code.is_visible()


def test_a_screen_reader_hears_states_rows_and_charts(visit):
    page = visit("report", width=375)
    tree = page.locator("body").aria_snapshot()
    for words in (
        "fit: computed in 120 ms",
        "vote: failed",
        "accuracy from run to run",
        "Waiting so far",
        "columnheader",
    ):
        assert words in tree, words
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.lang") == "en"
