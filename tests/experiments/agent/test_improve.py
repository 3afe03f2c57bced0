import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

from envs.bank import Bank
from envs.batch import Batch, Options
from envs.workload.generate import Plan, simulate
from experiments.agent.export import Dense
from experiments.agent.quick import draw_cases
from experiments.agent.twins import Twins, twins
from experiments.improve import ACTIONS, ImproveSettings, between, improved, knots, room, still
from mile_rl.policies.appraisal import UNTUNED
from mile_rl.policies.observation import SIZE

SCALE = 2.0


def leaning(action):
    """Return a network that always gives the same answer."""
    return (
        Dense(
            weight=np.zeros((SIZE, 1), dtype=np.float32),
            bias=np.array([action], dtype=np.float32),
            activation=None,
        ),
    )


@pytest.fixture(scope="module")
def bank():
    return Bank([simulate(Plan(seed=51, most_turns=14), index) for index in range(3)])


@pytest.mark.parametrize("own", [0.0, 0.3])
def test_a_twin_waits_as_the_session_does_when_one_answer_is_another(bank, own):
    cases = draw_cases(bank, seed=1, shares=(0.1,))
    found = twins(bank, cases, leaning(own), (-1.0, 1.0), scale=SCALE, settings=UNTUNED)
    assert np.allclose(found.answered, own)
    batch = Batch(bank, 1, Options(scale=SCALE))

    def waited(case, other=None, action=0.0):
        batch.place(0, case.number, case.conditions)
        at, spent = 0, 0.0
        while batch.running[0]:
            answer = action if at == other else np.float32(own)
            spent = batch.step(np.array([answer]))[0] and batch.info(0)["waiting_s"]
            at += 1
        return spent

    for number, case in enumerate(cases):
        rows = np.flatnonzero(found.case == number)
        whole = waited(case)
        for at in (0, len(rows) // 2, len(rows) - 1):
            for k, action in enumerate((-1.0, 1.0)):
                expected = waited(case, at, action) / whole - 1
                assert found.longer[rows[at], k] == pytest.approx(expected, abs=1e-9)


def made(count=4_000, seed=0):
    """Decisions where more is better if the first feature is positive, and less is better otherwise."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(count, SIZE)).astype(np.float32)
    slope = -np.sign(seen[:, :1]) * 0.01
    return Twins(
        observations=seen,
        answered=np.zeros(count),
        longer=slope * np.asarray(ACTIONS),
        case=np.arange(count) // 100,
    )


def test_what_would_have_helped_is_learned():
    found, fresh = made(), made(seed=1)

    import torch

    def judge(layers):
        x = fresh.observations
        for layer in layers:
            x = x @ layer.weight + layer.bias
            x = np.tanh(x) if layer.activation else x
        action = torch.from_numpy(x[:, 0].clip(-1, 1))
        points, values = (torch.from_numpy(each) for each in knots(fresh, 1.0))
        return 1 + float(between(action, points, values).mean())

    reached, layers = improved(
        found, still(8), judge, ImproveSettings(hidden=8, batch=256, learning_rate=3e-3)
    )
    assert 0.99 <= reached < 0.993  # 0.99 is the best there is
    assert len(layers) == 3


def test_where_nothing_helps_the_policy_stays_as_it_was():
    reached, layers = improved(made(200), still(8), lambda layers: 1.0, ImproveSettings(hidden=8, epochs=2))
    assert reached == 1.0
    assert not any(layer.weight.any() for layer in layers)


def test_between_the_tried_answers_the_difference_is_linear():
    found = Twins(
        observations=np.zeros((1, SIZE), dtype=np.float32),
        answered=np.array([0.1]),
        longer=np.array([[0.4, 0.2, 0.1, -0.3]]),
        case=np.zeros(1, dtype=np.int64),
    )
    import torch

    points, values = (torch.from_numpy(each) for each in knots(found, 1.0))
    at = torch.tensor([0.1])
    assert float(between(at, points, values)) == pytest.approx(0.0)
    assert float(between(at + 0.15, points, values)) == pytest.approx(0.05)
    assert float(between(at - 0.8, points, values)) == pytest.approx(0.3)
    told = room(found)
    assert (told["matter"], told["better"], told["best single change"]) == pytest.approx((1.0, 1.0, -0.3))
