import re

import gymnasium
import numpy as np
import pytest
from made_scripts import MB, MS, SECOND, chain
from stable_baselines3.common.env_checker import check_env as sb3_check_env

from envs.bank import Bank
from envs.batch import INFO_KEYS
from envs.conditions import Conditions
from envs.environment import ManySessions, ReplayEnv, SimulatedEnv, make_vec
from envs.errors import EnvironmentFailed, ScriptError
from envs.sb3 import Sb3Sessions
from envs.workload.generate import Plan, simulate
from mile_rl.policies.ledger import Terms
from mile_rl.policies.outlook import EDIT, NOTHING

HEADINGS = (
    "Action Space", "Observation Space", "Starting State", "Reward", "Episode End", "Information", "Version History",
)  # fmt: skip


@pytest.fixture(scope="module")
def bank():
    return Bank([simulate(Plan(seed=21), index) for index in range(10)])


def test_gymnasiums_checker_has_nothing_to_say(bank):
    env = gymnasium.make("mile/Simulated-v0", bank=bank, disable_env_checker=True).unwrapped
    from gymnasium.utils.env_checker import check_env

    check_env(env, skip_render_check=True)


def test_stable_baselines3s_checker_has_nothing_to_say(bank):
    sb3_check_env(SimulatedEnv(bank))


@pytest.mark.parametrize("environment", [SimulatedEnv, ReplayEnv])
def test_docstrings_have_the_fixed_headings_and_name_every_info_key(environment, bank):
    text = environment.__doc__
    places = [text.index(f"{heading}:") for heading in HEADINGS]
    assert places == sorted(places)
    section = text.split("Information:")[1].split("Version History:")[0]
    named = set(re.findall(r"``(\w+)``", section))
    env = environment(bank)
    _, info = env.reset(seed=0)
    _, _, _, _, later = env.step(np.zeros(1, dtype=np.float32))
    assert named == set(info) == set(later) == set(INFO_KEYS)


def test_twin_rollouts_are_equal_element_by_element(bank):
    def rollout():
        env, rng, seen = SimulatedEnv(bank), np.random.default_rng(1), []
        observation, info = env.reset(seed=5)
        for _ in range(300):
            seen.append((observation, info["session"], info["waiting_s"]))
            observation, reward, terminated, truncated, info = env.step(
                rng.uniform(-1, 1, 1).astype(np.float32)
            )
            seen.append((reward, terminated, truncated))
            if terminated or truncated:
                observation, info = env.reset()
        return seen

    for left, right in zip(rollout(), rollout()):
        for mine, theirs in zip(left, right):
            np.testing.assert_array_equal(mine, theirs)


def test_many_episodes_are_the_single_ones_side_by_side(bank):
    many, actions = make_vec(bank, 3), np.random.default_rng(2)
    first, _ = many.reset(seed=[4, 5, 6])
    singles = []
    for seed in (4, 5, 6):
        env = SimulatedEnv(bank)
        env._np_random = np.random.default_rng(seed)
        observation, _ = env.reset()
        singles.append(env)
        np.testing.assert_array_equal(first[len(singles) - 1], observation)
    for _ in range(120):
        action = actions.uniform(-1, 1, (3, 1)).astype(np.float32)
        observations, rewards, terminated, _, infos = many.step(action)
        for at, env in enumerate(singles):
            observation, reward, ended, _, info = env.step(action[at])
            assert (rewards[at], terminated[at]) == (reward, ended)
            if ended:
                np.testing.assert_array_equal(infos["final_obs"][at], observation)
                assert infos["final_info"][at] == info
                observation, _ = env.reset()
            np.testing.assert_array_equal(observations[at], observation)


def test_an_agent_that_never_moves_returns_minus_one(bank):
    env = SimulatedEnv(bank)
    for seed in range(10):
        env.reset(seed=seed)
        total, ended = 0.0, False
        while not ended:
            _, reward, ended, _, info = env.step(np.zeros(1, dtype=np.float32))
            total += reward
        assert total == pytest.approx(-info["waiting_s"] / info["reference_s"])
        assert total == pytest.approx(-1.0, abs=1e-9)


def tiny(budget_mb=1_000):
    script = chain((3, 1), (10, 20), [(0, 0), (0, 1)], outlooks=lambda t, version: [
        (_expected(EDIT, 0.9, t, version[-1:])), (_expected(NOTHING, 0.1, t, ()))
    ])  # fmt: skip
    conditions = Conditions.exact(
        budget_bytes=budget_mb * MB, read_bytes_per_s=1e8, write_bytes_per_s=1e8, latency_ns=MS
    )
    terms = Terms(share=1.0, fraction=1.0)
    return SimulatedEnv(Bank([script]), conditions=conditions, terms=terms, scale=5.0)


def _expected(kind, p, turn, roots):
    from envs.writing import Expected

    return Expected(kind=kind, p=p, turn=turn, roots=tuple(roots))


def test_rewards_of_a_tiny_session_are_those_computed_by_hand():
    # The reference keeps a (3 s to make, 101 ms to write) and loads it again; b (20 MB) is written off at 201 ms
    # or not: it is worth its writing only if somebody runs the same again.
    env = tiny()
    env.reset(seed=0)
    waited, total, ended = [], 0.0, False
    while not ended:
        _, reward, ended, _, info = env.step(np.zeros(1, dtype=np.float32))
        waited.append(info["waiting_s"])
        total += reward
    # Decisions: a and b in the first iteration, the new b in the second.
    first = 3 + 0.101 + 1
    assert waited[0] == pytest.approx(first)
    assert waited[-1] in [pytest.approx(first + b + 0.101 + 1 + c) for b in (0, 0.201) for c in (0, 0.201)]
    assert info["reference_s"] == pytest.approx(waited[-1])
    assert total == pytest.approx(-1)


def test_refusing_everything_costs_what_computing_everything_takes():
    env = tiny()
    env.reset(seed=0)
    total, ended = 0.0, False
    while not ended:
        _, reward, ended, _, info = env.step(-np.ones(1, dtype=np.float32) * 1.0)
        total += reward
    assert info["waiting_s"] <= 8 * SECOND / 1e9 + 1e-9
    assert total == pytest.approx(-info["waiting_s"] / info["reference_s"])


def test_where_the_outlook_is_wrong_an_agent_can_beat_the_expected_saving():
    env, best = misled(), {}
    for action in (-1.0, 0.0, 1.0):
        env.reset(seed=0)
        total, ended = 0.0, False
        while not ended:
            _, reward, ended, _, _ = env.step(np.array([action], dtype=np.float32))
            total += reward
        best[action] = total
    assert best[0.0] == pytest.approx(-1)
    # The optimum: a is computed once (3 s), b five times (1 s), a written once and loaded four times (101 ms each).
    assert best[1.0] == pytest.approx(-(3 + 5 + 0.101 * 5) / (5 * 4), rel=0.02)


def misled():
    """The model is all but sure that the root is edited; in truth it is always the last node."""
    script = chain(
        (3, 1), (10, 2_000), [(0, code) for code in range(5)],
        outlooks=lambda t, version: [_expected(EDIT, 0.995, t, version[:1]), _expected(NOTHING, 0.005, t, ())],
    )  # fmt: skip
    conditions = Conditions.exact(
        budget_bytes=100 * MB, read_bytes_per_s=1e8, write_bytes_per_s=1e8, latency_ns=MS
    )
    from mile_rl.policies.appraisal import ExpectedSettings

    settings = ExpectedSettings(background=0.0)
    return SimulatedEnv(
        Bank([script]), conditions=conditions, terms=Terms(share=1.0, fraction=1.0), scale=5.0,
        settings=settings, reference=settings,
    )  # fmt: skip


def test_a_step_after_the_end_and_a_replay_without_a_bank_say_what_to_do(bank):
    env = SimulatedEnv(bank)
    with pytest.raises(EnvironmentFailed, match="reset"):
        env.step(np.zeros(1, dtype=np.float32))
    with pytest.raises(EnvironmentFailed, match="envs replay"):
        ReplayEnv()
    with pytest.raises(ScriptError, match="envs make"):
        SimulatedEnv(Bank([]))
    with pytest.raises(EnvironmentFailed, match="budget"):
        SimulatedEnv(bank, budget=0.0)


def test_sessions_with_nothing_to_decide_are_one_clear_error():
    script = chain((0.001,), (1,), [(0,), (0,)])
    with pytest.raises(EnvironmentFailed, match="nothing was left to decide"):
        SimulatedEnv(Bank([script])).reset(seed=0)


def test_an_episode_is_cut_off_after_so_many_decisions(bank):
    env = SimulatedEnv(bank, most_decisions=3, budget=1.0)
    env.reset(seed=1)
    steps = [env.step(np.zeros(1, dtype=np.float32)) for _ in range(3)]
    assert [truncated for _, _, _, truncated, _ in steps] == [False, False, True]


def test_stable_baselines3_gets_what_it_expects_of_many_episodes(bank):
    sessions = Sb3Sessions(ManySessions(bank, 4), seed=3)
    observations = sessions.reset()
    assert observations.shape == (4, sessions.observation_space.shape[0])
    returns = []
    for _ in range(200):
        _, rewards, _, infos = sessions.step(np.zeros((4, 1), dtype=np.float32))
        assert rewards.dtype == np.float32
        returns += [info["episode"]["r"] for info in infos if "episode" in info]
    assert returns
    np.testing.assert_allclose(returns, -1.0, atol=1e-6)


def test_observations_stay_within_their_space(bank):
    many = make_vec(bank, 16)
    observations, _ = many.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert many.observation_space.contains(observations)
        observations, *_ = many.step(rng.uniform(-1, 1, (16, 1)).astype(np.float32))


def test_gymnasium_makes_single_and_many_by_name(bank):
    env = gymnasium.make("mile/Replay-v0", bank=bank)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    many = gymnasium.make_vec(
        "mile/Simulated-v0", num_envs=3, vectorization_mode="vector_entry_point", bank=bank
    )
    observations, _ = many.reset(seed=0)
    assert observations.shape[0] == 3
    assert isinstance(many.unwrapped, ManySessions)
