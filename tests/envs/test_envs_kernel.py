import numpy as np
import pytest
from made_scripts import chain, random_script

from envs import kernel
from envs.bank import Bank
from envs.conditions import Conditions
from envs.foreseeing import foresee_all
from envs.session import play
from envs.tables import constants, new_state, pack_bank, set_conditions
from envs.workload.generate import Plan, simulate
from mile_rl.policies import observation
from mile_rl.policies.appraisal import UNTUNED, ExpectedSettings, observed, room_for
from mile_rl.policies.expected import Expected
from mile_rl.policies.guard import Guard
from mile_rl.policies.ledger import Terms


class Multiplied(Expected):
    """The expected saving with multipliers, as a network would answer, and with what it would see."""

    def __init__(self, settings, multipliers):
        super().__init__(settings)
        self.multipliers, self.kept, self.observation = iter(multipliers), {}, None

    def on_iteration(self, iteration, code, kept):
        held = {artifact.signature for artifact in kept}
        self.kept = {key: value for key, value in self.kept.items() if key in held}
        return super().on_iteration(iteration, code, kept)

    def admit(self, candidate, kept, budget):
        appraised = self.appraise(candidate, kept, budget, multipliers=self.kept, everything=True)
        plain = room_for(candidate, budget, appraised, view=self.view)
        self.observation = observed(candidate, budget, appraised, plain, self.view)
        multiplier = next(self.multipliers)
        room = room_for(candidate, budget, appraised, view=self.view, multiplier=multiplier)
        decision = self.decide(candidate, appraised, room, multiplier=multiplier)
        if decision.keep:
            self.kept[candidate.signature] = multiplier
        return decision


def both_ways(script, conditions, multipliers, *, settings=UNTUNED, terms=None):
    """Play a session with the production objects and with the kernel; return both's stories."""
    policy = Multiplied(settings, multipliers)
    played = play(script, conditions, Guard(policy, terms=terms))
    bank = Bank([script])
    pack, state, numbers = pack_bank(bank), new_state(bank, 1), constants(settings, terms)
    foreseen = foresee_all(pack, settings.return_weight)
    set_conditions(state, 0, 0, conditions)
    kernel.begin(pack, state, 0)
    out = np.zeros(observation.SIZE, dtype=np.float32)
    seen, answer = [], iter(multipliers)
    more = kernel.advance(pack, foreseen, state, numbers, 0, 1.0, True, out)
    while more:
        seen.append(out.copy())
        more = kernel.advance(pack, foreseen, state, numbers, 0, next(answer), True, out)
    return played, state, seen


def assert_same(script, conditions, multipliers, **more):
    played, state, seen = both_ways(script, conditions, multipliers, **more)
    assert len(seen) == len(played.decided)
    for mine, theirs in zip(seen, played.decided):
        np.testing.assert_allclose(mine, theirs.observation, rtol=1e-5, atol=1e-6)
    spent = [sum(played.compute_ns), sum(played.load_ns), sum(played.write_ns)]
    np.testing.assert_allclose(kernel.spent(state, 0), spent, rtol=1e-12, atol=2)
    assert kernel.used_bytes(state, 0) == played.used_bytes[-1]
    return len(seen)


@pytest.mark.parametrize("seed", range(40))
def test_random_sessions_are_played_alike_by_kernel_and_production(seed):
    rng = np.random.default_rng(seed)
    script = random_script(rng, nodes=int(rng.integers(2, 14)), turns=int(rng.integers(2, 12)))
    conditions = Conditions.draw(rng, script)
    multipliers = np.exp(rng.normal(0, 1.5, 1_000)) if seed % 2 else np.ones(1_000)
    assert_same(
        script, conditions, multipliers.tolist(), terms=Terms(share=0.5, fraction=rng.choice([0.04, 1.0]))
    )


def test_simulated_sessions_are_played_alike_and_have_decisions():
    decisions = 0
    for index in range(25):
        script = simulate(Plan(seed=11), index)
        rng = np.random.default_rng(index)
        conditions = Conditions.draw(rng, script)
        decisions += assert_same(script, conditions, np.exp(rng.normal(0, 1, 2_000)).tolist())
    assert decisions > 500


def test_other_constants_mean_the_same_to_both():
    settings = ExpectedSettings(
        discount=0.9, least_end=0.1, return_weight=2.0, write_weight=0.5, background=0.1, decay=0.7, blind=0.2
    )
    for seed in range(8):
        rng = np.random.default_rng(seed)
        script = random_script(rng)
        assert_same(script, Conditions.draw(rng, script), [1.0] * 1_000, settings=settings)


def test_without_scenarios_both_go_by_what_a_reuse_saves():
    script = chain((3, 2, 1), (10, 20, 1), [(0, 0, 0), (0, 1, 0), (0, 0, 1)], outlooks=lambda t, version: [])
    conditions = Conditions.exact(budget_bytes=25_000_000)
    assert assert_same(script, conditions, [1.0] * 100, terms=Terms(share=1.0, fraction=1.0)) > 3


def test_an_unwatched_episode_takes_as_long_as_a_watched_one():
    bank = Bank([simulate(Plan(seed=12), index) for index in range(5)])
    pack, state, numbers = pack_bank(bank), new_state(bank, 2), constants()
    foreseen = foresee_all(pack, 1.0)
    out = np.zeros(observation.SIZE, dtype=np.float32)
    for number, script in enumerate(bank):
        conditions = Conditions.draw(np.random.default_rng(number), script, budget=0.1)
        for episode, watched in enumerate((True, False)):
            set_conditions(state, episode, number, conditions)
            kernel.begin(pack, state, episode)
            while kernel.advance(pack, foreseen, state, numbers, episode, 1.0, watched, out):
                pass
        np.testing.assert_array_equal(kernel.spent(state, 0), kernel.spent(state, 1))


def test_compiled_code_is_cached_by_all_it_comes_from(tmp_path):
    from envs.compiled import SOURCES, digest

    copies = []
    for path in SOURCES:
        copies.append(tmp_path / path.name)
        copies[-1].write_bytes(path.read_bytes())
    assert digest(copies) == digest(copies) == digest()
    for path in copies:
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        assert digest(copies) != digest()
        path.write_bytes(before)
