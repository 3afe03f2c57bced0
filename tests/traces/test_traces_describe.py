"""The report, its figures, and the command line."""

import json
import shutil
import xml.etree.ElementTree as ET

import pytest
from made_repository import make_repository, table_rows
from test_traces_dvc import write_table

from mile_rl.workflows.edits import ChangeClass
from traces.cli import main
from traces.columns import as_markdown
from traces.describe.figures import Figures
from traces.describe.reuse import reused_share, same_operators_share
from traces.errors import TraceError
from traces.link import Seen, link
from traces.open_source import SOURCES, Settings, open_source
from traces.people import Pseudonyms
from traces.reader import Traces
from traces.schema import Component, History
from traces.scripted import RULE, is_scripted


def workflow(C=1.0, mean=True, metric="auc"):
    return (
        Component(name="scale", operator="Scaler", stage="preprocess", parameters={"mean": mean}),
        Component(name="clf", operator="SVC", stage="learn", parameters={"C": C}, parents=("scale",)),
        Component(
            name="score", operator="score", stage="evaluate", parameters={"metric": metric}, parents=("clf",)
        ),
    )


def history(*runs, gap_ms=60_000, id="h", **fields):
    seen = [
        Seen(components=components, start_ms=number * gap_ms, duration_ms=1_000, score=score)
        for number, (components, score) in enumerate(runs)
    ]
    return History(id=id, source="dvc", person=id, group=id, iterations=link(seen), **fields)


BUSY = (
    (workflow(), 0.5),
    (workflow(C=10.0), 0.6),
    (workflow(C=10.0, metric="f1"), 0.6),
    (workflow(C=10.0, mean=False, metric="f1"), 0.4),
    (workflow(C=10.0, metric="f1"), 0.6),
)


def test_reuse_counts_what_no_edit_reaches():
    first, second, third, fourth, _ = history(*BUSY).iterations
    assert reused_share(first, second) == pytest.approx(1 / 3)
    assert reused_share(second, third) == pytest.approx(2 / 3)
    assert reused_share(third, fourth) == 0.0
    assert reused_share(first, first) == 1.0
    assert same_operators_share(first, second) == 1.0
    new = (*workflow()[:2], Component(name="plot", operator="plot", stage="evaluate", parents=("clf",)))
    old, changed = history((workflow(), None), (new, None)).iterations
    assert reused_share(old, changed) == pytest.approx(2 / 3)
    assert same_operators_share(old, changed) == pytest.approx(2 / 3)


def test_figures_are_what_one_counts_by_hand():
    figures = Figures()
    figures.add(history(*BUSY))
    counted = figures.to_json()["dvc"]["persons"]
    assert counted["iterations"] == 5
    assert counted["change classes"]["MODEL_PARAMETER"] == pytest.approx(0.2)
    assert counted["returns"] == {"share of iterations": 0.25, "lag": {"p50": 2.0, "p90": 2.0}}
    assert counted["edits by kind and stage"]["parameter"] == {"preprocess": 2, "learn": 1, "evaluate": 1}
    assert counted["stage transitions"]["learn"] == {"preprocess": 0.0, "learn": 0.0, "evaluate": 1.0, "n": 1}
    assert counted["class transitions"]["RETURN"]["stop"] == 1.0
    assert counted["think time, s"]["p50"] == 59.0
    assert counted["gains"]["MODEL_PARAMETER"]["better"] == 1.0
    assert counted["gains"]["PREPROCESS_PARAMETER"]["worse"] == 1.0
    assert counted["reused results"]["iterations over half"] == pytest.approx(0.25)
    assert counted["nodes edited"] == {"none": 0.0, "one": 1.0, "several": 0.0}


@pytest.mark.parametrize(
    ("length", "gap_ms", "expected"),
    [(5, 60_000, False), (5, 2_000, True), (4, 2_000, False), (5, 7_000, False), (5, 5_999, True)],
)
def test_a_program_is_told_by_its_pace(length, gap_ms, expected):
    assert is_scripted(history(*[(workflow(), None)] * length, gap_ms=gap_ms)) is expected


def test_synthetic_histories_never_stand_among_real_ones():
    figures = Figures()
    figures.add(history(*BUSY))
    figures.add(history(*BUSY, id="made", synthetic=True))
    assert figures.sources == ["dvc", "dvc (synthetic)"]


@pytest.fixture
def mined(tmp_path):
    write_table(tmp_path / "dvc_versions.jsonl.gz", table_rows())
    make_repository(tmp_path / "repository")
    out = tmp_path / "traces"
    arguments = [str(tmp_path / "dvc_versions.jsonl.gz"), f"dvc:{tmp_path / 'repository'}", "--out", str(out)]
    assert main(["mine", *arguments, "--salt-file", str(tmp_path / "salt")]) == 0
    return out


def test_mine_and_describe_leave_a_whole_report(mined, capsys):
    capsys.readouterr()
    assert main(["describe", str(mined)]) == 0
    assert "report.html" in capsys.readouterr().out
    markdown = (mined / "report.md").read_text()
    page = (mined / "report.html").read_text()
    for words in (RULE, "Beside the papers", "dvc-table", "stage", "about 0.80", Traces(mined).digest):
        assert words in markdown
        assert words.replace("'", "&#x27;") in page
    drawn = [line.split("(")[1].rstrip(")") for line in markdown.splitlines() if line.startswith("![")]
    assert len(drawn) >= 4
    for path in drawn:
        assert ET.fromstring((mined / path).read_text()).tag.endswith("svg")
    assert page.count("<svg") == len(drawn)
    figures = json.loads((mined / "figures.json").read_text())
    assert figures["sources"]["dvc"]["persons"]["iterations"] == 8


def test_equal_traces_give_equal_reports(mined):
    assert main(["describe", str(mined)]) == 0
    first = (mined / "report.html").read_text()
    assert main(["describe", str(mined)]) == 0
    assert (mined / "report.html").read_text() == first


def test_mining_again_with_the_same_salt_gives_the_same_digest_and_keeps_the_report(mined, tmp_path):
    before = Traces(mined).digest
    assert main(["describe", str(mined)]) == 0
    arguments = [
        str(tmp_path / "dvc_versions.jsonl.gz"),
        f"dvc:{tmp_path / 'repository'}",
        "--out",
        str(mined),
    ]
    assert main(["mine", *arguments, "--salt-file", str(tmp_path / "salt")]) == 0
    assert Traces(mined).digest == before
    assert (mined / "report.md").exists()
    (tmp_path / "salt").unlink()
    assert main(["mine", *arguments, "--salt-file", str(tmp_path / "salt")]) == 0
    assert Traces(mined).digest != before


def test_the_salt_is_readable_by_its_owner_only(mined, tmp_path):
    assert (tmp_path / "salt").stat().st_mode & 0o777 == 0o600


def test_json_has_the_counts(mined, tmp_path, capsys):
    capsys.readouterr()
    place = f"dvc:{tmp_path / 'repository'}"
    salt = str(tmp_path / "salt")
    assert main(["mine", place, "--out", str(tmp_path / "t"), "--json", "--salt-file", salt]) == 0
    (counts,) = json.loads(capsys.readouterr().out)
    assert (counts["source"], counts["iterations"], counts["bad"]) == ("dvc", 8, {})


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["mine", "dcv:somewhere", "--out", "OUT"], 1, "did you mean dvc:somewhere"),
        (["mine", "nowhere", "--out", "OUT"], 1, "does not tell what it is"),
        (["mine", "openml:tusk/31", "--out", "OUT"], 1, "openml:task/31"),
        (["mine", "openml:task/x", "--out", "OUT"], 1, "no number"),
        (["mine", "dvc:nowhere", "--out", "OUT"], 1, "no Git repository"),
        (["describe", "OUT"], 1, "no finished traces"),
        (["mine", "--out", "OUT"], 2, "source"),
    ],
)
def test_mistakes_are_answered_in_one_line(arguments, code, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, *(["--salt-file", "salt"] if "mine" in arguments else [])]) == code
    assert words in capsys.readouterr().err
    assert not (tmp_path / "OUT").exists()


def test_places_tell_what_they_are(tmp_path):
    settings = Settings(pseudonyms=Pseudonyms(b"s" * 32), cache=tmp_path / "cache.sqlite")
    make_repository(tmp_path / "repository")
    write_table(tmp_path / "dvc_versions.jsonl.gz", table_rows())
    found = {
        open_source(str(tmp_path / "repository"), settings).name,
        open_source(str(tmp_path / "dvc_versions.jsonl.gz"), settings).name,
        open_source("table.csv.zip", settings).name,
        open_source("sqlite:///runs.db", settings).name,
        open_source("openml:task/31,59/uploader/1", settings).name,
    }
    assert found == {"dvc", "dvc-table", "openml-table", "mlflow", "openml"}
    assert found <= SOURCES.keys()
    with pytest.raises(TraceError):
        open_source(str(tmp_path), settings)


def test_the_documentation_shows_the_tables_as_they_are(request):
    text = (request.config.rootpath / "docs" / "traces.md").read_text("utf-8")
    assert as_markdown().strip() in text
    assert RULE in " ".join(text.split())
    for name in SOURCES:
        assert f"`{name}" in text


def test_a_change_class_is_one_of_the_glossary():
    assert {each.change for each in history(*BUSY).iterations} <= set(ChangeClass)


def test_a_report_can_be_written_elsewhere(mined, tmp_path):
    assert main(["describe", str(mined), "--out", str(tmp_path / "elsewhere")]) == 0
    assert (tmp_path / "elsewhere" / "report.html").exists()
    shutil.rmtree(tmp_path / "elsewhere")
