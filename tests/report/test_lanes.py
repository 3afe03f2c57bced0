"""The graph of versions: lanes branch where the person went back."""

from made_versions import Made, node

from mile_rl.report.lanes import version_rows
from mile_rl.report.timeline import timeline


def history(*levels, edits=True):
    made = Made(lambda nodes: float(nodes[0].arguments["C"]))
    for level in levels:
        made.run([node("fit", C=level)])
    return made.iterations


def lanes(rows):
    return {row.iterations[0].id: row.lane for row in rows}


def test_a_straight_history_has_one_lane():
    rows = version_rows(history(1, 2, 3))
    assert [row.iterations[0].id for row in rows] == [3, 2, 1]
    assert {row.lane for row in rows} == {0}
    assert [(row.above, row.below) for row in rows] == [(False, True), (True, True), (True, False)]


def test_a_rerun_and_a_return_join_the_row_of_their_version():
    rows = version_rows(history(1, 1, 2, 1))
    assert [[one.id for one in row.iterations] for row in rows] == [[3], [1, 2, 4]]


def test_editing_an_earlier_version_again_branches():
    rows = version_rows(history(1, 2, 1, 3))
    assert lanes(rows) == {4: 0, 2: 1, 1: 0}
    last = rows[-1]
    assert last.joining == (1,)
    assert rows[1].passing == (0,)


def test_lines_lead_from_every_version_down_to_its_parent():
    rows = version_rows(history(1, 2, 3, 2, 4, 1, 5, 3, 6, 5, 7))
    open_lanes = {}
    for row in rows:
        ends = [lane for lane, target in open_lanes.items() if target == row.version]
        assert sorted(ends) == sorted([*row.joining, *([row.lane] if row.above else [])])
        for lane in ends:
            del open_lanes[lane]
        assert set(row.passing) == set(open_lanes)
        if row.below:
            assert row.lane not in open_lanes
            open_lanes[row.lane] = row.parent
    assert open_lanes == {}


def test_the_drawn_history_tells_runs_metrics_and_where_it_branched():
    text = timeline(history(1, 2, 1, 3), "accuracy")
    assert "<strong>runs 1, 3</strong>" in text
    assert "accuracy <strong>3</strong>" in text
    assert "since run 3" not in text  # run 4 follows run 3 directly
    assert text.count("<li id=") == 3
    assert "<path" in text


def test_many_lanes_fit_on_a_phone():
    levels = [level for step in range(2, 14) for level in (1, step)]
    text = timeline(history(*levels), "accuracy")
    assert 'style="width:144px"' in text
