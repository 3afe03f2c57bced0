import numpy as np
import pandas as pd
import pytest

pytest.importorskip("numba")
pytest.importorskip("stable_baselines3")

from envs.bank import Bank
from envs.making import make_bank
from envs.workload.generate import Plan
from experiments.agent.ppo import PpoSettings
from experiments.shifts import BELIEVED, SHARES, ShiftArguments, run, table
from mile_rl.errors import MileError

# MLflow's own, about its tables.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

SMALL = PpoSettings(decisions=256, check_every=256, episodes=4, rollout=32, batch=64, epochs=1, hidden=8)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    path = tmp_path_factory.mktemp("banks") / "test.npz"
    make_bank(Plan(seed=41, most_turns=14), 3, jobs=1).save(path)
    return path


def arguments(folder, **more):
    return ShiftArguments(
        folder=folder, sessions=2, training=5, validation=5, settings=SMALL, processes=1, **more
    )


def test_believing_otherwise_changes_what_is_decided_and_not_what_things_take(bank, tmp_path):
    found = run(arguments(tmp_path, test=bank, shifts=("costs",)))
    assert len(found) == len(BELIEVED) * 5
    rows = pd.read_csv(tmp_path / "waiting.csv.gz")
    assert rows["session"].nunique() == 2
    assert set(rows["share"]) == set(SHARES)
    waited = rows.pivot_table(index=["session", "share", "policy"], columns="shift", values="waiting_s")
    nothing = waited.xs("none", level="policy").to_numpy()
    assert np.ptp(nothing, axis=1).max() == 0
    others = waited.drop("none", level="policy").to_numpy()
    assert np.ptp(others, axis=1).max() > 0
    assert "costs believed 2 x, gdsf" in (tmp_path / "report.md").read_text()


@pytest.mark.slow
def test_a_policy_never_meets_the_family_that_it_is_tried_on(tmp_path):
    found = run(arguments(tmp_path, shifts=("families",), families=("text",)))
    assert list(found.index)[-1].startswith("without text, ")
    trained = {script.name.split("-")[0] for script in Bank.load(tmp_path / "without_text" / "training.npz")}
    chosen = {script.name.split("-")[0] for script in Bank.load(tmp_path / "without_text" / "validation.npz")}
    tried = {script.name.split("-")[0] for script in Bank.load(tmp_path / "test_text.npz")}
    assert trained == chosen == {"linear", "fan", "join", "models"}
    assert tried == {"text"}


def test_people_need_traces_to_be_unlike(tmp_path):
    with pytest.raises(MileError, match="traces"):
        run(arguments(tmp_path, shifts=("people",)))


def test_each_shift_is_compared_with_itself_alone():
    waits = {
        "a": {"none": 10.0, "gdsf": 5.0, "expected": 4.0},
        "b": {"none": 8.0, "gdsf": 4.0, "expected": 6.0},
    }
    rows = [
        {"shift": shift, "group": f"g{g}", "session": f"s{g}", "share": 0.1, "policy": policy, "waiting_s": waited}
        for shift, own in waits.items() for g in range(4) for policy, waited in own.items()
    ]  # fmt: skip
    found = table(pd.DataFrame(rows))
    assert found.loc["a, expected", "/ gdsf"].value == pytest.approx(0.8)
    assert found.loc["b, expected", "/ gdsf"].value == pytest.approx(1.5)
    assert found.loc["b, expected", "worst / none"] == pytest.approx(0.75)
