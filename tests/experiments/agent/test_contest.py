import numpy as np
import pandas as pd
import pytest

pytest.importorskip("numba")

from envs.script import Script
from envs.writing import Expected, NodeRow, Writer
from experiments.agent.contest import (
    BUDGETS,
    HOARDING,
    ORACLE,
    RULES,
    UNTUNED,
    Oracles,
    cases,
    contest,
    policy_of,
)
from experiments.agent.table import by_budget, gap, markdown, ratio, relative, summary, totals
from mile_rl.policies.base import Kept
from mile_rl.policies.outlook import EDIT, NOTHING

SECOND = 1_000_000_000


def chain(name, seed, turns=6) -> Script:
    """Read -> fit, of which the second is edited again and again; the guard grants writing what is read at once."""
    rng = np.random.default_rng(seed)
    writer = Writer()
    read = writer.add_node(
        NodeRow(
            name="read", operator="read", stage="preprocess", code=0, takes=(),
            compute_ns=int(rng.uniform(5, 20) * SECOND), outputs=((2_000_000, 0),),
        )
    )  # fmt: skip
    for turn in range(turns):
        fit = writer.add_node(
            NodeRow(
                name="fit", operator="fit", stage="learn", code=turn + 1, takes=((read, 0),),
                compute_ns=SECOND, outputs=((1_000, 3),),
            )
        )  # fmt: skip
        after = [
            Expected(kind=NOTHING, p=0.2, turn=turn),
            Expected(kind=EDIT, p=0.8, turn=turn, roots=(fit,)),
        ]
        writer.add_turn([read, fit], [writer.output(fit)], after, stop=0.1)
    return writer.script(name=name, source="simulated", group=name)


@pytest.fixture(scope="module")
def frame():
    scripts = [chain(f"s{i}", i) for i in range(4)]
    return contest(cases(scripts, seed=3), [*RULES, UNTUNED], oracles=Oracles(), processes=1)


def test_every_policy_plays_every_session_under_every_budget(frame):
    assert len(frame) == 4 * len(BUDGETS) * (len(RULES) + 2)
    assert frame["proved"].all()


def test_nobody_beats_the_oracle_and_keeping_nothing_waits_for_everything(frame):
    wide = relative(frame)
    assert (wide.drop(columns=ORACLE).ge(wide[ORACLE] * (1 - 0.005), axis=0)).all(axis=None)
    assert (wide["none"] == 1).all()
    full = by_budget(frame)[1.0]
    assert full[ORACLE] < 0.6  # the reading is waited for about once in six
    assert full[UNTUNED] < 0.7 < full["gdsf"]  # which gives the large artifact up for crumbs


def test_the_oracle_says_how_far_from_the_best_it_may_be(frame):
    rows = frame[frame["policy"] == ORACLE]
    assert (rows["bound_s"] <= rows["waiting_s"] * (1 + 1e-9)).all()
    assert (rows["bound_s"] >= rows["waiting_s"] * (1 - 0.006)).all()
    halved = frame.assign(bound_s=rows["waiting_s"] / 2)
    assert "lie 100.00% above" in gap(halved, ORACLE)
    assert gap(frame, "nobody") == ""


def test_a_session_too_large_for_the_solver_is_left_without_a_bound():
    scripts = [chain("short", 0, turns=3), chain("long", 1, turns=6)]
    found = contest(
        cases(scripts, seed=3, shares=(0.5,)), ["none"], oracles=Oracles(most_nodes=6), processes=1
    )
    assert found[found["policy"] == ORACLE]["session"].tolist() == ["short"]


def test_all_budgets_of_a_session_share_their_luck(frame):
    nothing = frame[frame["policy"] == "none"].groupby("session")["waiting_s"]
    assert (nothing.nunique() == 1).all()


def test_the_same_seed_gives_the_same_table():
    scripts = [chain("s", 0, turns=3)]
    first, again = (contest(cases(scripts, seed=1), ["lru"], processes=1) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


def test_the_kernel_plays_the_expected_saving_as_the_production_objects_do(frame):
    from envs.session import play
    from experiments.agent.contest import policy_of
    from mile_rl.policies.guard import Guard

    case = cases([chain("s2", 2)], seed=3)[0]
    played = play(case.script, case.conditions, Guard(policy_of(UNTUNED)))
    (row,) = contest([case], [UNTUNED], processes=1).to_dict("records")
    assert row["waiting_s"] == pytest.approx(played.waiting_ns / 1e9, rel=1e-9)


def made_frame(factors):
    rows = [
        {"source": "x", "group": f"g{g}", "session": f"g{g}s{s}", "share": 0.1, "policy": policy,
         "waiting_s": 10.0 * (s + 1) * factor}
        for g in range(20) for s in range(2) for policy, factor in factors.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_ratio_that_is_the_same_everywhere_has_no_width():
    wide = relative(made_frame({"none": 1.0, "a": 0.5, "b": 0.4}))
    found = ratio(wide, "b", "a")
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.8, 0.8))
    assert found.sessions == 40


def test_a_session_counts_as_much_as_any_other_however_long_it_takes():
    frame = made_frame({"none": 1.0, "a": 1.0})
    frame.loc[(frame["session"] == "g0s0") & (frame["policy"] == "none"), "waiting_s"] *= 1_000
    frame.loc[(frame["session"] == "g0s0") & (frame["policy"] == "a"), "waiting_s"] *= 500
    assert ratio(relative(frame), "a", "none").value == pytest.approx((39 + 0.5) / 40)


def test_the_helix_that_never_purges_lets_nothing_go():
    changed = Kept(
        signature="s", output="o", node="n", size_bytes=1, load_ns=1, recreation_ns=9, loads=0, last_used=1,
        kept_at=1, code="before",
    )  # fmt: skip
    assert policy_of("helix").on_iteration(2, {"n": "after"}, [changed]) == ("s",)
    assert policy_of(HOARDING).on_iteration(2, {"n": "after"}, [changed]) == ()


def test_in_seconds_a_session_counts_as_much_as_people_wait_in_it():
    frame = made_frame({"none": 1.0, "a": 1.0})
    long = frame["session"] == "g0s0"
    frame.loc[long, "waiting_s"] *= 1_000
    frame.loc[long & (frame["policy"] == "a"), "waiting_s"] /= 2
    others_s = 19 * 30 + 20
    table = totals(frame, ["none"])
    assert table.loc["a", "/ none"].value == pytest.approx((5_000 + others_s) / (10_000 + others_s))
    assert table.loc["a", "mean [s]"] == pytest.approx((5_000 + others_s) / 40)


def test_budgets_above_the_pooled_ones_do_not_count():
    frame = made_frame({"none": 1.0, "a": 0.5})
    large = frame.assign(share=1.0)
    large.loc[large["policy"] == "a", "waiting_s"] *= 100
    table = summary(pd.concat([frame, large]), ["none"])
    assert table.loc["a", "mean / none"] == pytest.approx(0.5)
    assert "| a |" in markdown(table)
