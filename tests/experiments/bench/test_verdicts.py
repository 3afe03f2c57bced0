"""Rows and their verdicts, and what the observer of a store counts."""

from experiments.bench.sharing import held_bytes, lines_of, observed_bytes
from experiments.bench.speed import cheap_bar, costly_bar, small_bar
from experiments.bench.verdicts import Row, table

MEDIANS = {"plain": 40.0, "joblib.Memory": 160.0, "hamilton cache": 42.0, "mile": 41.0}


def test_a_figure_at_the_bar_passes_and_above_it_misses():
    def row(value):
        return Row(section="s", system="mile", what="w", value=value, plain=40.0, bar=44.0)

    assert row(44.0).passed
    assert row(44.1).passed is False
    assert row(44.0).ratio == 1.1
    assert Row(section="s", system="plain", what="w", value=1.0).passed is None


def test_the_table_shows_ratio_bar_and_verdict_of_each_figure():
    rows = [
        Row(section="cheap", system="plain", what="first run, ms", value=40.0, plain=40.0),
        Row(
            section="cheap",
            system="mile",
            what="first run, ms",
            value=50.0,
            plain=40.0,
            bar=46.0,
            note="late",
        ),
    ]
    text = table(rows)
    assert "40.0 (1.00)" in text
    assert "50.0 (1.25)   bar 46.0 MISS" in text
    assert "mile, first run, ms: late" in text


def test_on_cheap_work_mile_must_also_be_below_every_peer():
    assert cheap_bar("first run", "in process", MEDIANS) == 42.0
    assert cheap_bar("first run", "in process", {**MEDIANS, "hamilton cache": 99.0}) == 40.0 * 1.15
    assert cheap_bar("last node changed", "in process", {**MEDIANS, "hamilton cache": 99.0}) == 44.0
    assert cheap_bar("the same again", "in process", MEDIANS) is None
    assert cheap_bar("first run", "whole process", MEDIANS) == 190.0


def test_small_work_has_a_fixed_price_and_costly_work_a_share():
    assert small_bar("the same again", "in process", MEDIANS) == 47.0
    assert costly_bar("last node changed", "in process", MEDIANS) == 6.0
    assert costly_bar("first run", "in process", MEDIANS) == 42.0
    assert costly_bar("first run", "whole process", MEDIANS) is None


def test_the_observer_counts_all_files_but_the_catalog(tmp_path):
    (tmp_path / "store" / "ab").mkdir(parents=True)
    (tmp_path / "store" / "ab" / "artifact").write_bytes(b"x" * 100)
    (tmp_path / "store" / "half.tmp").write_bytes(b"x" * 7)
    (tmp_path / "catalog.db-wal").write_bytes(b"x" * 1000)
    assert sum(held_bytes(tmp_path).values()) == observed_bytes(tmp_path) == 107
    assert observed_bytes(tmp_path / "nowhere") == 0


def test_a_line_torn_by_a_kill_is_no_answer(tmp_path):
    results = tmp_path / "results"
    results.write_text('{"version": 0, "result": [1.0]}\n{"version": 1, "res')
    assert lines_of(results) == [{"version": 0, "result": [1.0]}]
    assert lines_of(tmp_path / "none") == []
