import itertools
import json
import time
from dataclasses import replace

import numpy as np
import pytest
from made_histories import first, node, tuned, version

from mile_rl.prediction.base import CLASSES, PastIteration
from mile_rl.prediction.differences import differences
from mile_rl.prediction.errors import PredictionError
from mile_rl.prediction.leanings import Leanings
from mile_rl.prediction.live import past_nodes, predict
from mile_rl.prediction.memory import PersonMemory
from mile_rl.prediction.model import Model, TreePredictor, entropy_bits, shipped
from mile_rl.workflows.dag import Output
from mile_rl.workflows.edits import ChangeClass, Edit, change_class
from mile_rl.workflows.version import VersionNode


@pytest.fixture(scope="module")
def model():
    return shipped()


def test_every_probability_lies_between_0_and_1_and_classes_sum_to_1(model, grid):
    said = predict(grid, model=model)
    assert set(said.classes) == set(CLASSES)
    assert sum(said.classes.values()) == pytest.approx(1)
    assert set(said.touched) == {"load", "clean", "fit", "score"}
    chances = [*said.classes.values(), *said.touched.values(), said.stop]
    chances += [guess.probability for guess in (*said.parameters, *said.returns)]
    assert all(0 <= chance <= 1 for chance in chances)


def test_who_tunes_one_node_is_expected_to_tune_it_again(model, grid):
    said = predict(grid, model=model)
    assert max(said.touched, key=said.touched.get) == "fit"
    assert said.classes[ChangeClass.MODEL_PARAMETER] == max(
        said.classes[change] for change in CLASSES if change is not ChangeClass.RETURN
    )
    assert (said.parameters[0].node, said.parameters[0].parameter) == ("fit", "C")


def test_the_next_step_of_a_grid_is_proposed_and_says_why(model, grid):
    predictor = TreePredictor(model)
    for record in grid:
        predictor.observe(record)
    values = predictor.predict(n_values=5).parameters[0].values
    # people who launch by hand go back to a value used before more often: it ranks behind those
    assert {guess.value: guess.why for guess in values}[6.0] == "the same step again"


def test_a_cycle_of_values_is_continued_with_what_followed_last_time(model):
    values = [1.0, 5.0, 9.0, 1.0, 5.0, 9.0, 1.0]
    records = [first(1.0), *(tuned(a, b) for a, b in itertools.pairwise(values))]
    assert predict(records, model=model).parameters[0].values[0].value == 5.0


def test_five_edits_of_ones_own_change_the_answer(model, grid):
    fresh = predict(grid[:1], model=model)
    adapted = predict(grid, model=model)
    change = ChangeClass.MODEL_PARAMETER
    assert adapted.classes[change] > fresh.classes[change] + 0.1
    assert (fresh.edits_seen, adapted.edits_seen) == (0, 4)


def test_what_is_known_from_other_histories_counts_and_is_not_changed(model, grid):
    memory = PersonMemory()
    teacher = TreePredictor(model, memory=memory)
    for record in grid:
        teacher.observe(record)
    alone = predict(grid[:1], model=model)
    known = predict(grid[:1], model=model, memory=memory)
    assert known.classes != alone.classes
    assert memory.hand == 4
    assert memory.histories == 1


def test_only_earlier_versions_that_differ_from_the_present_one_can_be_returned_to(model):
    rerun = PastIteration(nodes=version(2.0), change=ChangeClass.NOTHING, version="C=2.0")
    said = predict([first(1.0), tuned(1.0, 2.0), rerun], model=model)
    assert [guess.back for guess in said.returns] == [2]
    total = sum(guess.probability for guess in said.returns)
    assert total == pytest.approx(said.classes[ChangeClass.RETURN])


def test_nothing_observed_is_one_clear_error(model, rng):
    with pytest.raises(PredictionError, match="observe"):
        predict([], model=model)
    with pytest.raises(PredictionError, match="observe"):
        TreePredictor(model).sample(rng)


def test_a_model_of_other_features_is_refused(model):
    record = model.to_json()
    record["features"]["touched"] = record["features"]["touched"][:-1]
    with pytest.raises(PredictionError, match=r"'touched'.*refit"):
        Model.from_json(record)
    with pytest.raises(PredictionError, match="format 99"):
        Model.from_json({**model.to_json(), "format": 99})


def test_json_keeps_every_answer(model, grid):
    again = Model.from_json(json.loads(json.dumps(model.to_json())))
    left, right = predict(grid, model=model), predict(grid, model=again)
    assert left.parameters[0].values[0].value == right.parameters[0].values[0].value
    np.testing.assert_allclose(list(left.touched.values()), list(right.touched.values()), atol=1e-5)


def check(record, before):
    """What makes a drawn iteration a possible one."""
    names = {item.name for item in record.nodes}
    old = {item.name for item in before}
    assert len(names) == len(record.nodes)
    assert all(parent in names for item in record.nodes for parent in item.parents)
    for edit in record.edits:
        assert isinstance(edit, Edit)
        if edit.kind == "add":
            assert edit.node in names - old or record.returns_to
        elif edit.kind == "remove":
            assert edit.node in old - names or record.returns_to
        else:
            assert edit.node in names & old
    if record.change is ChangeClass.RETURN:
        assert record.returns_to >= 1
    else:
        assert record.change is change_class(record.edits)


def test_drawn_iterations_are_possible_and_teach_nothing_until_observed(model, rng):
    drawn = set()
    for _ in range(120):
        predictor = TreePredictor(model)
        predictor.observe(first())
        for _ in range(25):
            before = predictor.predict(n_parameters=0)
            record = predictor.sample(rng)
            assert predictor.predict(n_parameters=0) == before
            if record is None:
                drawn.add(None)
                break
            check(record, predictor.state.nodes)
            drawn.add(record.change)
            predictor.observe(record)
    assert {None, *CLASSES} - drawn <= {
        ChangeClass.RETURN,
        ChangeClass.EVALUATE,
        ChangeClass.PREPROCESS_PARAMETER,
    }


def test_one_seed_draws_one_history(model):
    def history(seed):
        rng = np.random.default_rng(seed)
        predictor = TreePredictor(model)
        predictor.observe(first())
        out = []
        while len(out) < 20 and (record := predictor.sample(rng)) is not None:
            predictor.observe(record)
            out.append(record)
        return out

    assert history(3) == history(3)
    assert any(history(3) != history(seed) for seed in range(4, 8))


def test_nodes_asked_about_in_blocks_are_drawn_as_if_asked_one_by_one(model, monkeypatch):
    nodes = tuple(node(f"n{i}", "preprocess", (f"n{i - 1}",) if i else ()) for i in range(60))
    start = PastIteration(nodes=nodes)
    drawn = {}
    for block in (1, 7, 24):
        monkeypatch.setattr("mile_rl.prediction.sample.BLOCK", block)
        predictor, rng = TreePredictor(model), np.random.default_rng(4)
        predictor.observe(start)
        drawn[block] = [predictor.sample(rng) for _ in range(30)]
    assert drawn[1] == drawn[7] == drawn[24]
    assert any(record and len(record.edits) > 1 for record in drawn[1])


def test_class_frequencies_of_draws_match_what_is_predicted_where_nothing_is_corrected(model, grid):
    tables = replace(model.tables, leanings={"run": Leanings()})
    predictor = TreePredictor(replace(model, tables=tables))
    for record in grid:
        predictor.observe(record)
    said = predictor.predict(n_parameters=0)
    rng = np.random.default_rng(0)
    drawn = [predictor.sample(rng) for _ in range(1500)]
    ends = sum(record is None for record in drawn) / len(drawn)
    assert ends == pytest.approx(said.stop, abs=0.04)
    going = [record.change for record in drawn if record is not None]
    assert going.count(ChangeClass.NOTHING) / len(going) == pytest.approx(
        said.classes[ChangeClass.NOTHING], abs=0.05
    )
    # a parameter drawn back to a value that makes an earlier version is a return
    tuned_or_back = (ChangeClass.MODEL_PARAMETER, ChangeClass.RETURN)
    assert sum(change in tuned_or_back for change in going) / len(going) == pytest.approx(
        sum(said.classes[change] for change in tuned_or_back), abs=0.05
    )
    assert going.count(ChangeClass.RETURN) / len(going) >= said.classes[ChangeClass.RETURN] - 0.05


def test_a_version_drawn_that_was_there_before_is_a_return(model, grid, rng):
    predictor = TreePredictor(model)
    for record in grid:
        predictor.observe(record)
    for _ in range(300):
        record = predictor.sample(rng)
        if record is None or record.change is ChangeClass.NOTHING:
            continue
        seen = [nodes for nodes in predictor.state.records[:-1] if nodes == record.nodes]
        if all(edit.kind == "parameter" for edit in record.edits):
            assert bool(seen) == (record.change is ChangeClass.RETURN)


def test_a_workflow_of_no_nodes_can_be_asked_about(model, rng):
    predictor = TreePredictor(model)
    predictor.observe(PastIteration(nodes=()))
    assert predictor.predict().touched == {}
    for _ in range(30):
        record = predictor.sample(rng)
        assert record is None or record.change in CLASSES


def test_an_answer_is_quick(model):
    nodes = tuple(
        node(f"n{i}", ("preprocess", "learn", "evaluate")[i % 3], (f"n{i - 1}",) if i else (), a=i, b=0.5)
        for i in range(12)
    )
    predictor = TreePredictor(model)
    predictor.observe(PastIteration(nodes=nodes))
    times = []
    for _ in range(120):
        started = time.thread_time_ns()
        predictor.predict()
        times.append(time.thread_time_ns() - started)
    # 1 ms is promised and measured on an idle machine (docs/model_card_prediction.md); this one may be slow
    assert min(times) < 3_000_000


def test_being_sure_is_zero_bits():
    assert entropy_bits({"a": 1.0, "b": 0.0}) == 0
    assert entropy_bits(dict.fromkeys(range(8), 1 / 8)) == pytest.approx(3)


def test_a_version_of_the_engine_is_seen_with_its_own_arguments_only():
    nodes = past_nodes(
        [
            VersionNode(name="rows", operator="load", stage="preprocess", arguments={"path": "a.csv"}),
            VersionNode(
                name="tree",
                operator="fit",
                stage="learn",
                parents=(Output("rows"), Output("rows", "y")),
                arguments={"x": "rows", "y": "rows.y", "depth": 3},
            ),
        ]
    )
    assert nodes[1].parents == ("rows",)
    assert nodes[1].parameters == {"depth": 3}
    assert nodes[0].parameters == {"path": "a.csv"}


def test_an_edit_that_was_not_run_yet_counts(model, grid):
    now = version(5.0, depth=4)
    edits = list(differences(grid[-1].nodes, now))
    assert [(edit.node, edit.parameter, edit.old, edit.new) for edit in edits] == [("fit", "depth", 3, 4)]
    assert predict(grid, now, model=model).edits_seen == 5
    assert predict(grid, version(5.0), model=model).edits_seen == 4
    assert predict([], now, model=model).edits_seen == 0
