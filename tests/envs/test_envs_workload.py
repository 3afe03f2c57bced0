import json
from collections import Counter

import numpy as np
import pytest

from envs.__main__ import main
from envs.bank import Bank
from envs.describe import describe
from envs.errors import EnvironmentFailed
from envs.making import make_bank
from envs.workload import generate
from envs.workload.editing import EVALUATED, EVALUATED_ALONE
from envs.workload.generate import LARGEST_BYTES, LEAST_TURNS, UNBEARABLE, Plan, simulate, unfold
from envs.workload.recipes import FAMILIES
from mile_rl.policies.outlook import EDIT, RETURN
from mile_rl.prediction.model import shipped


@pytest.fixture(scope="module")
def scripts():
    return [simulate(Plan(seed=1), index) for index in range(30)]


def test_a_session_is_the_same_for_the_same_seed_and_number(scripts):
    assert simulate(Plan(seed=1), 7).equals(scripts[7])
    assert not simulate(Plan(seed=2), 7).equals(scripts[7])


def test_what_is_forked_goes_its_own_way_and_leaves_the_session_as_it_was():
    plan, rng = Plan(seed=51, most_turns=14), np.random.default_rng(0)
    for session in unfold(plan, 1):
        other = session.fork(rng)
        other.go_on()
        turns = session.turns
        assert (other.turns, len(session.rows)) == (turns + 1, turns)
        forked = other.script("forked")
        assert forked.version(turns - 1).tolist() == sorted(session.rows[-1].values())
    alone = simulate(plan, 1)
    assert all(
        np.array_equal(each, alone.arrays()[name]) for name, each in session.script("x").arrays().items()
    )


def test_sessions_last_as_long_as_they_should(scripts):
    assert min(script.turns for script in scripts) >= LEAST_TURNS
    assert len({script.turns for script in scripts}) > 5


def test_waiting_matters_in_most_first_iterations(scripts):
    seconds = [script.plain_ns(0) / 1e9 for script in scripts]
    assert np.percentile(seconds, 10) > 1
    assert np.percentile(seconds, 90) < 1_200 * UNBEARABLE


def test_nothing_grows_beyond_all_bounds(scripts):
    assert max(int(script.output_bytes.max()) for script in scripts) <= UNBEARABLE * LARGEST_BYTES


def test_every_family_is_drawn_and_named(scripts):
    assert {script.name.split("-")[0] for script in scripts} == set(FAMILIES)


def test_an_edit_changes_a_node_and_what_depends_on_it_and_nothing_else(scripts):
    for script in scripts:
        for turn in range(1, script.turns):
            before, after = set(script.version(turn - 1).tolist()), set(script.version(turn).tolist())
            for row in sorted(after - before):
                parents = {int(script.output_node[output]) for output in script.takes(row)}
                name, code = script.node_name[row], script.node_code[row]
                twins = [other for other in before if script.node_name[other] == name]
                same_code = any(script.node_code[other] == code for other in twins)
                takes = [tuple(script.takes(other)) for other in twins]
                assert not (same_code and tuple(script.takes(row)) in takes)
                assert parents <= after


def test_outlooks_put_edits_on_nodes_of_the_version_and_returns_on_earlier_ones(scripts):
    for script in scripts:
        for turn in range(script.turns):
            version = set(script.version(turn).tolist())
            for at in range(script.scenario_ptr[turn], script.scenario_ptr[turn + 1]):
                roots = script.root_node[script.root_ptr[at] : script.root_ptr[at + 1]].tolist()
                assert set(roots) <= version
                assert (len(roots) == 1) == (script.scenario_kind[at] == EDIT)
                assert (script.scenario_turn[at] < turn) == (script.scenario_kind[at] == RETURN)


def test_evaluation_is_edited_in_the_proportions_of_the_sources(monkeypatch):
    seen = Counter()
    add = generate.Session.add

    def counting(self, steps, record):
        if record.edits and record.returns_to is None:
            stages = {edit.stage for edit in record.edits}
            seen.update(changed=1, evaluated="evaluate" in stages, alone=stages == {"evaluate"})
        add(self, steps, record)

    monkeypatch.setattr(generate.Session, "add", counting)
    for index in range(60):
        simulate(Plan(seed=3), index)
    assert seen["evaluated"] / seen["changed"] == pytest.approx(EVALUATED, abs=0.08)
    assert seen["alone"] / seen["changed"] == pytest.approx(EVALUATED_ALONE, abs=0.04)


def test_several_processes_make_the_same_bank_as_one():
    plan = Plan(seed=5, most_turns=8)
    alone, together = make_bank(plan, 16, jobs=1), make_bank(plan, 16, jobs=2)
    assert all(left.equals(right) for left, right in zip(alone, together))
    assert make_bank(plan, 3, first=2, jobs=1)[0].equals(alone[2])


def test_the_commands_make_a_bank_and_describe_it(tmp_path, capsys):
    out = tmp_path / "bank.npz"
    assert main(["make", "--sessions", "3", "--jobs", "1", "--out", str(out)]) == 0
    assert main(["describe", str(out), "--json"]) == 0
    assert '"sessions": 3' in capsys.readouterr().out
    assert main(["describe", str(tmp_path / "none.npz")]) == 1
    assert "envs make" in capsys.readouterr().err
    assert describe(Bank.load(out))["sources"] == {"simulated": 3}


def test_a_person_may_be_drawn_by_another_model_than_the_one_that_foresees_them(tmp_path, scripts):
    record = shipped().to_json()
    same = tmp_path / "same.json"
    same.write_text(json.dumps(record))
    # Whoever foresees, the person does the same; what is said of them differs.
    record["forests"]["stop"]["baseline"] = [9.0]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(record))
    found = simulate(Plan(seed=1, draws=same, foresees=other), 7)
    assert found.node_ns.tolist() == scripts[7].node_ns.tolist()
    assert found.version_node.tolist() == scripts[7].version_node.tolist()
    assert found.stop.min() > 0.9 > scripts[7].stop.min()
    with pytest.raises(EnvironmentFailed, match="no prediction model"):
        simulate(Plan(seed=1, draws=tmp_path / "none.json"), 7)


def test_the_corrections_of_drawn_histories_are_none_of_sessions(scripts, tmp_path):
    record = shipped().to_json()
    for own in record["tables"]["leanings"].values():
        own["classes"] = [0.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0, 0.0]
    leaning = tmp_path / "leaning.json"
    leaning.write_text(json.dumps(record))
    assert simulate(Plan(seed=1, draws=leaning, foresees=leaning), 7).equals(scripts[7])
