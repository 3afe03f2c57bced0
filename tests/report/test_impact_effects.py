"""Effects on histories of which the truth is known."""

import numpy as np
import pytest
from made_versions import Made, node, parameter, replaced

from mile_rl.errors import StoreError
from mile_rl.report.impact.effects import impact
from mile_rl.report.impact.text import impact_text


def told(made, metric="accuracy", **named):
    return impact(made.iterations, made.nodes_of, metric, **named)


def effect(found, what):
    (one,) = (each for each in (*found.parameters, *found.changes, *found.kinds) if each.what == what)
    return one


def random_history(rng, length, noise, several):
    """A person who moves one to three of four choices at a time; each level's effect is known."""
    names = ["a", "b", "c", "d"]
    levels = [f"v{number}" for number in range(4)]
    truth = {(name, level): rng.normal() for name in names for level in levels}
    scores = {}

    def score(nodes):
        key = tuple(nodes[0].arguments.items())
        if key not in scores:
            scores[key] = sum(truth[item] for item in key) + noise * rng.normal()
        return scores[key]

    made = Made(score)
    state = dict.fromkeys(names, "v0")
    made.run([node("fit", **state)])
    for _ in range(length - 1):
        moved = rng.choice(names, size=1 + int(several and rng.poisson(0.6)) % 3, replace=False)
        for name in moved:
            state[name] = str(rng.choice([level for level in levels if level != state[name]]))
        made.run([node("fit", **state)])
    return made, truth


@pytest.mark.parametrize(("length", "noise"), [(6, 0.3), (15, 0.05), (15, 0.5), (40, 0.05), (40, 0.5)])
def test_intervals_hold_the_true_effects_as_often_as_they_say(length, noise):
    held = []
    for seed in range(30):
        made, truth = random_history(np.random.default_rng(seed), length, noise, several=True)
        for one in told(made).parameters:
            name, old, new = one.factor.partition(".")[2], *one.what.partition(" ")[2].split(" -> ")
            true = truth[name, new] - truth[name, old]
            held.append(one.estimate.low <= true <= one.estimate.high)
    assert len(held) > 150
    assert 0.70 <= np.mean(held) <= 0.96, np.mean(held)


def test_intervals_hold_mean_effects_where_choices_depend_on_one_another():
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        main = {(name, level): rng.normal() for name in "ab" for level in range(4)}
        both = rng.normal(size=(4, 4)) * 0.6
        made = Made(
            lambda nodes: (
                main["a", a := int(parameter(nodes, "fit", "a")[1])]  # noqa: B023
                + main["b", b := int(parameter(nodes, "fit", "b")[1])]  # noqa: B023
                + both[a, b]  # noqa: B023
            )
        )
        for step in rng.permutation(16)[:11]:
            made.run([node("fit", a=f"v{step // 4}", b=f"v{step % 4}")])
        tried = {
            name: {int(parameter(made.nodes[one.id], "fit", name)[1]) for one in made.iterations}
            for name in "ab"
        }
        for one in told(made).parameters:
            name, (old, new) = (
                one.factor[-1],
                (int(level[1]) for level in one.what.partition(" ")[2].split(" -> ")),
            )
            table = both if name == "a" else both.T
            others = sorted(tried["b" if name == "a" else "a"])
            true = main[name, new] - main[name, old] + (table[new, others] - table[old, others]).mean()
            held.append(one.estimate.low <= true <= one.estimate.high)
    assert 0.70 <= np.mean(held) <= 0.97, np.mean(held)


def test_long_histories_give_narrow_intervals_around_the_truth():
    made, truth = random_history(np.random.default_rng(1), 60, 0.02, several=True)
    for one in told(made).parameters:
        name, old, new = one.factor.partition(".")[2], *one.what.partition(" ")[2].split(" -> ")
        assert one.estimate.mean == pytest.approx(truth[name, new] - truth[name, old], abs=0.12)
        assert one.estimate.high - one.estimate.low < 0.3


def test_a_change_that_came_along_with_a_better_one_gets_no_credit_for_it():
    # depth does nothing, but was first raised together with C, which does much.
    made = Made(lambda nodes: {1: 0.5, 10: 0.8}[parameter(nodes, "fit", "C")])
    for rate, depth in [(1, 3), (10, 5), (10, 3), (1, 3), (1, 5), (10, 5), (10, 3)]:
        made.run([node("fit", C=rate, depth=depth)])
    found = told(made)
    rate, depth = effect(found, "fit.C 1 -> 10"), effect(found, "fit.depth 3 -> 5")
    assert rate.estimate.mean == pytest.approx(0.3, abs=0.03)
    assert abs(depth.estimate.mean) < 0.01
    assert depth.estimate.low < 0 < depth.estimate.high
    assert rate.confounded == depth.confounded == ()
    assert rate.estimate.positive > 0.95


def test_changes_that_never_came_apart_are_said_to_be_inseparable():
    made = Made(lambda nodes: 0.5 + 0.02 * parameter(nodes, "fit", "C"))
    for rate, depth, seed in [(1, 3, 0), (10, 5, 0), (10, 5, 1), (1, 3, 1)]:
        made.run([node("fit", C=rate, depth=depth, seed=seed)])
    found = told(made)
    rate, seed = effect(found, "fit.C 1 -> 10"), effect(found, "fit.seed 0 -> 1")
    assert rate.confounded == ("fit.depth",)
    assert seed.confounded == ()
    # What they did together is known all the same; each alone is a guess as wide as that.
    assert rate.together.low <= 0.18 <= rate.together.high
    assert rate.estimate.low <= 0.0 or rate.estimate.high >= 0.17
    assert "fit.C and fit.depth never changed apart" in impact_text(found)


def test_confounding_through_several_factors_is_seen():
    # c is always a or b or both: three indicators, of which only two differences are free.
    made = Made(lambda nodes: 0.5)
    scores = iter([0.5, 0.6, 0.7])
    made.score = lambda nodes: next(scores)
    for a, b, c in [(0, 0, 0), (1, 0, 1), (0, 1, 1)]:
        made.run([node("fit", a=f"a{a}", b=f"b{b}", c=f"c{c}")])
    found = told(made)
    assert set(effect(found, "fit.a a0 -> a1").confounded) == {"fit.b", "fit.c"}


def test_the_trend_of_a_number_is_told_per_tenfold():
    made = Made(lambda nodes: 0.6 + 0.05 * np.log10(parameter(nodes, "fit", "C")))
    for rate in (1, 10, 100, 1000, 10, 1):
        made.run([node("fit", C=rate)])
    trend = effect(told(made), "fit.C, each tenfold")
    assert trend.estimate.mean == pytest.approx(0.05, abs=0.006)
    assert trend.estimate.low <= 0.05 <= trend.estimate.high


def test_the_trend_of_a_narrow_range_is_told_per_unit():
    made = Made(lambda nodes: 0.01 * parameter(nodes, "fit", "depth"))
    for depth in (3, 4, 5, 6, 4):
        made.run([node("fit", depth=depth)])
    assert effect(told(made), "fit.depth, each unit more").estimate.mean == pytest.approx(0.01, abs=0.0015)


def test_replacing_an_operator_is_apart_from_its_parameters():
    def score(nodes):
        names = {one.name for one in nodes}
        if "fit_line" in names:
            return 0.5
        return 0.7 + 0.01 * (parameter(nodes, "fit_tree", "depth") - 4)

    made = Made(score)
    made.run([node("fit_line")])
    made.run([node("fit_tree", depth=3)], [replaced("fit_tree", "fit_line")])
    for depth in (5, 4, 2, 6):
        made.run([node("fit_tree", depth=depth)])
    found = effect(told(made), "replaced fit_line by fit_tree")
    assert (found.kind, found.confounded) == ("replace", ())
    assert found.estimate.mean == pytest.approx(0.2, abs=0.04)
    assert found.estimate.low <= 0.2 <= found.estimate.high


def test_kinds_average_the_changes_as_they_were_made():
    made = Made(lambda nodes: 0.5 + 0.05 * parameter(nodes, "fit", "k"))
    for level in (0, 1, 2, 3, 4, 0):
        made.run([node("fit", k=level)])
    found = effect(told(made), "parameters moved in learn nodes")
    # One up each time; the way back to 0 is no change of its own.
    assert (found.times, found.alone) == (4, 4)
    assert found.estimate.mean == pytest.approx(0.05, abs=0.005)


def test_a_rerun_adds_nothing_and_a_failed_run_counts_not():
    made = Made(lambda nodes: float(parameter(nodes, "fit", "C")))
    for rate in (1, 1, 1, 2, 3):
        made.run([node("fit", C=rate)])
    assert told(made).versions == 3


def test_a_metric_that_never_moved_has_effects_of_zero():
    made = Made(lambda nodes: 0.9)
    for rate in (1, 2, 3):
        made.run([node("fit", C=rate)])
    assert all(
        one.estimate.mean == one.estimate.low == one.estimate.high == 0.0 for one in told(made).parameters
    )


def test_effects_do_not_depend_on_the_metrics_unit():
    ours = Made(lambda nodes: float(np.sin(parameter(nodes, "fit", "C"))))
    theirs = Made(lambda nodes: 1e6 * float(np.sin(parameter(nodes, "fit", "C"))) - 5e7)
    for rate in (1, 2, 4, 3):
        ours.run([node("fit", C=rate)])
        theirs.run([node("fit", C=rate)])
    for one, other in zip(told(ours).parameters, told(theirs).parameters):
        assert other.estimate.mean == pytest.approx(1e6 * one.estimate.mean, rel=1e-6, abs=1e-3)
        assert other.estimate.positive == pytest.approx(one.estimate.positive, abs=1e-6)


def test_one_version_is_too_little():
    made = Made(lambda nodes: 1.0)
    made.run([node("fit", C=1)])
    with pytest.raises(StoreError, match="from two on"):
        told(made)


def test_two_versions_give_an_honestly_wide_interval():
    made = Made(lambda nodes: float(parameter(nodes, "fit", "C")))
    made.run([node("fit", C=1)])
    made.run([node("fit", C=2)])
    (one,) = told(made).parameters
    assert one.estimate.low < 0 < 1 < one.estimate.high


def test_numbers_that_are_none_are_left_out():
    made = Made(None)
    made.run([node("fit", C=1)], accuracy=0.5)
    made.run([node("fit", C=2)], accuracy=float("nan"))
    made.run([node("fit", C=3)], accuracy=0.7)
    made.run([node("fit", C=4)], other=1.0)
    assert told(made).versions == 2


def test_moves_that_cancel_out_are_told_as_zero():
    made = Made(lambda nodes: 0.9 if nodes[0].arguments["kind"] == "b" else 0.8)
    for rate, kind in ((1, "a"), (10, "a"), (100, "a"), (100, "b"), (1, "b")):
        made.run([node("fit", C=rate, kind=kind)])
    found = impact(made.iterations, made.nodes_of, "accuracy")
    for one in (*found.kinds, *found.parameters):
        for value in (one.estimate.mean, one.estimate.low, one.estimate.high):
            assert value == 0.0 or abs(value) > 1e-8
