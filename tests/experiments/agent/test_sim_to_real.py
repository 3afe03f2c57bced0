"""Real plays become scripts that say what was measured, and the comparison says what it sees."""

import subprocess
import sys
from itertools import count

import numpy as np
import pytest

pytest.importorskip("numba")

from envs.conditions import Conditions
from envs.session import play as simulate
from experiments.agent import real_deciding, real_play
from experiments.agent.real_play import Play
from experiments.agent.real_script import node_times, script_of, spent
from experiments.agent.real_table import Row, agreement, figures, markdown
from experiments.agent.real_transfers import (
    Sizes,
    Transfer,
    conditions_of,
    first_write_ns,
    fit_transfers,
    read_sizes,
)
from mile_rl.cli.session import Replacement, Session, Step
from mile_rl.errors import MileError
from mile_rl.policies.base import Budget, Candidate
from mile_rl.policies.guard import Guard
from mile_rl.policies.outlook import no_outlook
from mile_rl.policies.registry import make_policy

SOURCE = """
import time
import numpy as np
from mile_rl import op, workflow

def work(ms):
    until = time.process_time() + ms / 1000
    while time.process_time() < until:
        pass

@op(stage="preprocess")
def read(rows=20000):
    work(60)
    return np.arange(rows)

@op(stage="preprocess", outputs=("left", "right"))
def split(values, at=0.5):
    work(40)
    cut = int(len(values) * at)
    return values[:cut].copy(), values[cut:].copy()

@op(stage="learn")
def fit(values, C=1.0):
    work(80)
    return values * C

@op(stage="evaluate")
def score(model, values):
    return float(model.mean())

@workflow
def small(C=1.0):
    left, right = split(read())
    return {"score": score(fit(left, C), right)}
"""

SESSION = Session(
    name="small",
    steps=(
        Step(number=1, say="Begin."),
        Step(number=2, say="More.", arguments={"C": 2.0}),
        Step(number=3, say="Another split.", edit=(Replacement(old="at=0.5", new="at=0.25"),)),
        Step(
            number=4,
            say="Back.",
            edit=(Replacement(old="at=0.25", new="at=0.5"),),
            arguments={"C": 2.0},
        ),
    ),
)


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    """The session played without keeping anything, and once step by step keeping all."""
    folder = tmp_path_factory.mktemp("plays")
    place = folder / "place"
    place.mkdir()
    sizing = Play(home=folder / "sizes", policy="all", clock="processor", freely=True)
    homes = real_play.play_apart(SESSION, place, SOURCE, sizing)
    real_play.play(SESSION, place, SOURCE, Play(home=folder / "none", policy="none", clock="processor"))
    real_play.play(
        SESSION, place, SOURCE, Play(home=folder / "gdsf", policy="gdsf", clock="processor", freely=True)
    )
    return folder, homes


@pytest.fixture(scope="module")
def script(plays):
    folder, homes = plays
    home = folder / "none"
    return script_of(home, "small", times=node_times([home]), sizes=read_sizes(homes).of, sight="first")


def test_a_script_has_the_versions_and_returns_of_the_session(script):
    assert script.turns == 4
    assert [len(script.version(turn)) for turn in range(4)] == [4, 4, 4, 4]
    # read; two splits; fit, and score, of (C, split): three different ones.
    assert script.nodes == 1 + 2 + 3 + 3
    assert np.array_equal(script.version(3), script.version(1))


def test_a_script_has_the_measured_times(plays, script):
    folder, _ = plays
    measured = [compute for _, compute, _, _ in spent(folder / "none", "small")]
    assert [script.plain_ns(turn) for turn in range(4)] == pytest.approx(
        measured, rel=0.6
    )  # the median of several plays, on any machine
    assert min(measured) >= 180e6


def test_a_script_has_the_sizes_of_what_was_written_and_asks_for_what_nothing_takes(script):
    names = [script.names[script.node_name[node]] for node in script.output_node]
    sizes = dict(zip(names, script.output_bytes.tolist()))
    assert sizes["read"] >= 20_000 * 8
    assert [names[output] for output in script.requested(0)] == ["score"]


def test_the_simulator_computes_what_the_engine_computes(plays, script):
    folder, homes = plays
    conditions = conditions_of(read_sizes([*homes, folder / "gdsf"]), 10**9)
    kept = simulate(script, conditions, Guard(make_policy("none")))
    assert kept.waiting_ns == sum(script.plain_ns(turn) for turn in range(4))
    real = [compute for _, compute, _, _ in spent(folder / "gdsf", "small")]
    # Everything was kept: the first run computes all, the second from fit on, the last nothing.
    assert real[0] >= 180e6
    assert 80e6 <= real[1] < 170e6
    assert real[3] < 40e6


def test_a_play_begins_in_a_new_project(plays, tmp_path):
    folder, _ = plays
    with pytest.raises(MileError, match="new project"):
        real_play.play(SESSION, tmp_path, SOURCE, Play(home=folder / "none", policy="none"))


def test_a_step_that_fails_is_named(tmp_path):
    broken = SOURCE.replace("return values * C", "raise ValueError('no')")
    with pytest.raises(MileError, match="step 1 of small"):
        real_play.play(SESSION, tmp_path, broken, Play(home=tmp_path / "home", policy="none"))


def test_transfers_give_latency_and_bandwidth():
    sizes = np.random.default_rng(0).integers(1_000, 10**8, 50)
    found = [Transfer(size_bytes=int(s), elapsed_ns=int(200_000 + s * 2)) for s in sizes]
    latency_ns, rate = fit_transfers(found, 1.0)
    assert latency_ns == pytest.approx(200_000, rel=0.01)
    assert rate == pytest.approx(500e6, rel=0.01)


def test_what_the_first_write_takes_longer_is_told_from_what_its_codec_takes():
    rng = np.random.default_rng(0)
    # Every process first writes a long list, whose bytes take nine times as long as those of arrays.
    first = [
        Transfer(size_bytes=int(s), elapsed_ns=int(900_000 + 9 * s), codec=2, first=True)
        for s in (10**6, 2 * 10**6)
    ]
    later = [
        Transfer(size_bytes=int(s), elapsed_ns=int(400_000 + 9 * s), codec=2)
        for s in rng.integers(1, 10**6, 9)
    ]
    arrays = [
        Transfer(size_bytes=int(s), elapsed_ns=int(400_000 + s), codec=1) for s in rng.integers(1, 10**7, 9)
    ]
    assert first_write_ns([*first, *later, *arrays]) == pytest.approx(500_000, rel=0.01)
    assert first_write_ns([*later, *arrays]) == 0
    assert conditions_of(Sizes(of={}, loads=(), writes=(*first, *later, *arrays)), 1).first_write_ns > 0


def test_without_transfers_the_engines_prior_holds():
    conditions = conditions_of(read_sizes([]), 1_000)
    assert isinstance(conditions, Conditions)
    assert conditions.read_bytes_per_s == conditions.believed_read.bytes_per_s


def row(policy, real, predicted):
    return Row(
        session="s",
        share=0.1,
        policy=policy,
        real_s=tuple(real),
        parts_s=(real[0], 0.0, 0.0, 0.0),
        predicted_s=(predicted, 0.0, 0.0),
        engine_s=0.0,
    )


def test_pairs_within_noise_are_ties_and_others_have_to_agree():
    rows = [
        row("none", [10.0, 10.1], 10),
        row("a", [5.0, 5.0], 6),
        row("b", [5.05, 5.0], 4),
        row("c", [7, 7], 4.5),
    ]
    found = agreement(rows)
    assert found.ties == ("a ~ b",)
    assert found.told_apart == 5
    assert found.disagreeing == ("a < c",)


def test_the_report_counts_what_is_within_20_percent():
    rows = [row("none", [10.0], 10.0), row("a", [5.0], 7.0)]
    told = figures(rows)
    assert told["within_20_percent"] == 0.5
    assert told["ratio_most"] == pytest.approx(1.4)
    assert "| s | 10% | a | 5.00 |" in markdown(rows)


def test_a_timed_policy_answers_as_it_does_and_tells_what_that_took():
    plain, ticks = make_policy("expected"), count()
    timed = real_deciding.Timed(make_policy("expected"), clock_ns=lambda: next(ticks))
    one = Candidate(
        output="a",
        signature="s",
        node="a",
        operator="op",
        stage="learn",
        size_bytes=10,
        compute_ns=10**9,
        recreation_ns=10**9,
        run_ancestors_ns=10**9,
        load_ns=10**6,
        write_ns=10**6,
    )
    room = Budget(total_bytes=100, used_bytes=0)
    for policy in (plain, timed):
        assert policy.on_iteration(1, {}, ()) == ()
        policy.on_outlook(no_outlook())
    assert timed.admit(one, (), room) == plain.admit(one, (), room)
    assert (timed.name, timed.needs_outlook, timed.outlooks) == ("expected", True, 1)
    assert timed.spent_ns == 3  # three questions, one tick each


def test_only_policies_that_look_ahead_take_time_before_their_first_answer():
    assert real_deciding.first_look_ns("gdsf") == 0
    assert real_deciding.first_look_ns("expected") > 0


def test_what_is_forgotten_before_a_run_is_what_a_new_process_has_not_imported():
    code = "import sys, mile_rl.engine.iteration, mile_rl.policies.registry; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in said.stdout.split() if name.startswith(real_deciding.AHEAD)]
    code = (
        "import mile_rl.engine.outlook, mile_rl.policies.appraisal, mile_rl.policies.network, sys\n"
        "from experiments.agent.real_deciding import forget\nforget()\n"
        "import mile_rl.engine.iteration, mile_rl.policies.registry\n"
        "print(*(each for each in sys.modules if each.startswith('mile_rl.policies.')))"
    )
    left = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    fresh = {name for name in said.stdout.split() if name.startswith("mile_rl.policies.")}
    assert set(left.stdout.split()) == fresh
