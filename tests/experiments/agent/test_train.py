import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("stable_baselines3")

from envs.making import make_bank
from envs.workload.generate import Plan
from experiments.agent.ppo import PpoSettings
from experiments.agent.quick import Player, draw_cases
from experiments.train import TrainArguments, run
from mile_rl.errors import MileError
from mile_rl.policies.appraisal import UNTUNED
from mile_rl.policies.learned import Learned

# MLflow's own, about its tables.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")

SMALL = PpoSettings(decisions=512, check_every=256, episodes=4, rollout=32, batch=64, epochs=1, hidden=8)


@pytest.fixture(scope="module")
def banks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("banks")
    for name, seed in (("training", 31), ("validation", 32)):
        make_bank(Plan(seed=seed, most_turns=14), 3, jobs=1).save(folder / f"{name}.npz")
    return folder


def arguments(banks, folder, **more):
    return TrainArguments(
        training=banks / "training.npz",
        validation=banks / "validation.npz",
        folder=folder,
        **{"seeds": (0,), "settings": SMALL, "processes": 1, **more},
    )


@pytest.fixture(scope="module")
def trained(banks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("agent")
    return folder, run(arguments(banks, folder))


@pytest.mark.slow
def test_the_exported_file_is_what_the_engine_accepts_and_is_tracked(trained):
    from mlflow import MlflowClient

    folder, figures = trained
    policy = Learned(folder / "learned_0.onnx")
    assert 0.9 < policy.network.multiplier(np.zeros(46, dtype=np.float32)) < 1.2  # it began at exactly 1
    assert figures["chosen"] == 0
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    (found,) = client.search_runs([client.get_experiment_by_name("agent").experiment_id])
    assert {"training", "validation", "commit", "learning_rate"} <= found.data.params.keys()
    assert len(client.get_metric_history(found.info.run_id, "curve/seed 0")) == 3
    names = {artifact.path for artifact in client.list_artifacts(found.info.run_id)}
    assert {"learned_0.onnx", "training.json", "curves.png"} <= names


@pytest.mark.slow
def test_a_finished_training_is_not_done_again_and_an_interrupted_one_goes_on(trained, banks):
    folder, figures = trained
    curve = folder / "seed_0" / "curve.json"
    before = curve.read_bytes()
    again = run(arguments(banks, folder))
    assert again["validation"] == figures["validation"]
    assert curve.read_bytes() == before


@pytest.mark.slow
def test_another_training_is_not_mixed_into_a_folder(trained, banks):
    folder, _ = trained
    with pytest.raises(MileError, match="other settings or banks"):
        run(arguments(banks, folder, settings=PpoSettings(decisions=1_024)))


def test_a_network_that_always_answers_1_waits_as_the_expected_saving(banks):
    from envs.bank import Bank
    from experiments.agent.export import Dense
    from mile_rl.policies import observation

    bank = Bank.load(banks / "validation.npz")
    player = Player(bank, draw_cases(bank, seed=1, shares=(0.1,)))
    layers = [
        Dense(weight=np.zeros((observation.SIZE, 1), dtype=np.float32), bias=np.zeros(1, dtype=np.float32))
    ]
    np.testing.assert_array_equal(player.learned(layers, 2.0, UNTUNED), player.expected())
