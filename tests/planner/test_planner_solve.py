import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_problems import COSTS, brute_force_ns, networkx_ns, random_problem

from mile_rl.planner import UNAVAILABLE, PlannerBug, Problem, ortools_cut, plain, solve, solver


def chain(compute, load):
    """A chain of nodes with one output each; the last is requested."""
    n = len(compute)
    return Problem(
        compute_ns=compute,
        output_node=np.arange(n),
        load_ns=load,
        takes_child=np.arange(1, n),
        takes_output=np.arange(n - 1),
        requested=[n - 1],
    )


@pytest.mark.parametrize("costs", COSTS)
@pytest.mark.parametrize("seed", range(6))
def test_the_plan_is_as_cheap_as_the_best_of_all_states(costs, seed):
    rng = np.random.default_rng([seed, COSTS.index(costs)])
    for _ in range(150):
        problem = random_problem(rng, nodes=int(rng.integers(1, 8)), costs=costs, available=rng.random())
        assert solve(problem).total_ns == brute_force_ns(problem)


@pytest.mark.parametrize("seed", range(4))
def test_the_plan_is_as_cheap_as_the_best_of_all_states_of_14_nodes(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, nodes=14, available=0.5)
    problem = replace(problem, requested=np.arange(problem.outputs)[-3:])
    assert solve(problem).total_ns == brute_force_ns(problem)


@pytest.mark.parametrize("seed", range(4))
def test_both_solvers_and_networkx_agree_on_larger_problems(seed):
    rng = np.random.default_rng(100 + seed)
    for _ in range(12):
        problem = random_problem(rng, nodes=int(rng.integers(10, 60)), costs=COSTS[seed], available=0.7)
        by_plain, by_ortools = plain.cut(problem), ortools_cut.cut(problem)
        assert by_plain is not None
        for (first, compute), (second, other) in [(by_plain, by_ortools)]:
            assert np.array_equal(compute, other)
            assert np.array_equal(first.needed, second.needed)
            assert first.value_ns == second.value_ns == networkx_ns(problem)
            first.check_flow(problem)
            second.check_flow(problem)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(1, 30),
    costs=st.sampled_from(COSTS),
    available=st.floats(0, 1),
)
def test_every_plan_proves_itself_and_does_not_depend_on_the_solver(seed, nodes, costs, available):
    problem = random_problem(np.random.default_rng(seed), nodes=nodes, costs=costs, available=available)
    plan = solve(problem)
    plan.check(problem)
    for certificate, compute in (plain.cut(problem), ortools_cut.cut(problem)):
        assert np.array_equal(plan.compute, compute)
        assert np.array_equal(plan.needed, certificate.needed)
        certificate.check_flow(problem)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(1, 12))
def test_on_a_first_run_everything_needed_is_computed_and_nothing_else(seed, nodes):
    problem = random_problem(np.random.default_rng(seed), nodes=nodes, available=0.0)
    plan = solve(problem)
    needed, stack = set(), problem.output_node[problem.requested].tolist()
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            taken = problem.takes_output[problem.takes_child == node]
            stack.extend(problem.output_node[taken].tolist())
    assert set(np.flatnonzero(plan.compute).tolist()) == needed
    assert not plan.load.any()
    assert np.array_equal(plan.compute, ortools_cut.cut(problem)[1])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(1, 12))
def test_known_outputs_cost_nothing_and_never_make_a_plan_dearer(seed, nodes):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, nodes=nodes)
    known = rng.random(problem.outputs) < 0.4
    plan = solve(problem, known=known)
    plan.check(problem, known=known)
    assert plan.total_ns == brute_force_ns(problem.with_known(known)) <= solve(problem).total_ns


def test_a_vanished_artifact_is_replanned_around_what_is_in_memory():
    problem = chain([100, 100, 100], [50, UNAVAILABLE, UNAVAILABLE])
    assert solve(problem).compute.tolist() == [False, True, True]
    vanished = replace(problem, load_ns=np.full(3, UNAVAILABLE))
    assert solve(vanished).total_ns == 300
    assert solve(vanished, known=np.array([False, True, False])).compute.tolist() == [False, False, True]


def test_loads_what_is_cheaper_to_load_and_prunes_what_is_above():
    plan = solve(chain([10, 20, 30], [1, 5, UNAVAILABLE]))
    assert plan.compute.tolist() == [False, False, True]
    assert plan.load.tolist() == [False, True, False]
    assert plan.total_ns == 35


def test_two_outputs_of_a_node_are_loaded_only_while_both_loads_cost_less_than_the_node():
    def problem(compute_ns):
        return Problem(
            compute_ns=[compute_ns, 1],
            output_node=[0, 0, 1],
            load_ns=[40, 40, UNAVAILABLE],
            takes_child=[1, 1],
            takes_output=[0, 1],
            requested=[2],
        )

    assert solve(problem(79)).compute.tolist() == [True, True]
    assert solve(problem(81)).load.tolist() == [True, True, False]


def test_of_equally_cheap_plans_the_one_with_fewest_computations_is_taken():
    plan = solve(chain([5, 5], [UNAVAILABLE, 10]))
    assert plan.load.tolist() == [False, True]
    assert not plan.compute.any()


def test_what_no_requested_output_needs_is_left_out():
    problem = chain([1, 1, 1], [UNAVAILABLE] * 3)
    plan = solve(replace(problem, requested=np.array([0])))
    assert plan.compute.tolist() == [True, False, False]
    assert plan.needed.tolist() == [True, False, False]


@pytest.mark.parametrize("requested", [[], [0]])
def test_the_smallest_problems_have_plans(requested):
    problem = Problem(
        compute_ns=[7] * len(requested),
        output_node=[0] * len(requested),
        load_ns=[UNAVAILABLE] * len(requested),
        takes_child=[],
        takes_output=[],
        requested=requested,
    )
    assert solve(problem).total_ns == 7 * len(requested)
    assert ortools_cut.cut(problem)[0].value_ns == 7 * len(requested)


def test_where_plain_python_gives_up_or_tools_takes_over(monkeypatch):
    problem = random_problem(np.random.default_rng(3), nodes=40, available=0.9)
    problem = replace(problem, requested=np.arange(problem.outputs))
    expected = solve(problem)
    assert plain.cut(problem, steps=1) is None
    monkeypatch.setattr(solver, "TINY", solver.SMALL)
    monkeypatch.setattr(solver, "STEPS", 1)
    assert np.array_equal(solve(problem).compute, expected.compute)


def test_the_plain_solver_looks_no_farther_than_it_has_to():
    many = 2_000
    problem = chain(np.full(many, 1_000), np.full(many, 500))
    found = plain.cut(problem, steps=20)
    assert found is not None
    assert found[0].value_ns == 500


def test_loads_dearer_than_everything_else_together_do_not_overflow():
    problem = chain([2**59, 2**59, 2**59], [2**63 - 1] * 3)
    assert solve(problem).total_ns == ortools_cut.cut(problem)[0].value_ns == 3 * 2**59
    many = replace(problem, requested=np.array([0, 1, 2] * 50))
    assert ortools_cut.cut(many)[0].value_ns == solve(many).total_ns == 3 * 2**59


def tampered(plan, **changes):
    return replace(plan, certificate=replace(plan.certificate, **changes))


def flipped(mask, place):
    mask = mask.copy()
    mask[place] = not mask[place]
    return mask


def test_a_tampered_plan_is_caught():
    problem = chain([10, 20, 30, 40], [1, 5, UNAVAILABLE, UNAVAILABLE])
    plan = solve(problem)
    plan.check(problem)
    certificate = plan.certificate
    wrong = [replace(plan, total_ns=plan.total_ns + 1), tampered(plan, value_ns=certificate.value_ns - 1)]
    for place in range(4):
        wrong.append(replace(plan, compute=flipped(plan.compute, place)))
        wrong.append(replace(plan, load=flipped(plan.load, place)))
        wrong.append(tampered(plan, needed=flipped(certificate.needed, place)))
    for name in ("request_flow", "take_flow", "load_flow", "compute_flow"):
        for place in range(getattr(certificate, name).size):
            for by in (-1, 1):
                flow = getattr(certificate, name).copy()
                flow[place] += by
                wrong.append(tampered(plan, **{name: flow}))
    for plan in wrong:
        with pytest.raises(PlannerBug):
            plan.check(problem)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(2, 15))
def test_a_feasible_plan_that_is_dearer_is_caught_whatever_it_claims(seed, nodes):
    problem = random_problem(np.random.default_rng(seed), nodes=nodes)
    best = solve(problem)
    everything = solve(replace(problem, load_ns=np.full(problem.outputs, UNAVAILABLE)))
    claims = replace(everything, certificate=replace(best.certificate, needed=everything.needed))
    if everything.total_ns > best.total_ns:
        for plan in (everything, claims):
            with pytest.raises(PlannerBug):
                plan.check(problem)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("compute_ns", [-1, 1]),
        ("compute_ns", [1.5, 1]),
        ("compute_ns", [[1, 1]]),
        ("compute_ns", [2**60, 2**60]),
        ("compute_ns", [2**61, 1]),
        ("output_node", [0, 2]),
        ("output_node", [0, -1]),
        ("load_ns", [-2, 1]),
        ("load_ns", [1]),
        ("takes_child", [2]),
        ("takes_output", [0, 1]),
        ("requested", [2]),
    ],
)
def test_a_problem_out_of_range_is_refused(field, value):
    good = chain([1, 1], [1, UNAVAILABLE])
    with pytest.raises(ValueError, match=field.partition("_")[0]):
        replace(good, **{field: np.array(value)})


def test_known_has_to_be_a_mask_over_the_outputs():
    problem = chain([1, 1], [1, 1])
    with pytest.raises(ValueError, match="known"):
        solve(problem, known=np.array([0, 1]))
    with pytest.raises(ValueError, match="known"):
        solve(problem, known=np.array([True]))


def test_a_small_plan_imports_no_solver_library():
    code = (
        "import sys; import mile_rl.planner as p;"
        "p.solve(p.Problem(compute_ns=[9, 9], output_node=[0, 1], load_ns=[1, -1], takes_child=[1],"
        "takes_output=[0], requested=[1]));"
        "sys.exit(any(m.split('.')[0] in ('ortools', 'networkx', 'scipy', 'pandas') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def at_no_cost(requested, takes=((1, 0),)):
    """Two nodes that cost nothing and have no artifact, so that only feasibility can go wrong."""
    return Problem(
        compute_ns=[0, 0],
        output_node=[0, 1],
        load_ns=[UNAVAILABLE] * 2,
        takes_child=[child for child, _ in takes],
        takes_output=[output for _, output in takes],
        requested=requested,
    )


@pytest.mark.parametrize(
    ("requested", "compute", "needed", "why"),
    [
        ([1], [False, False], [False, False], "requested"),
        ([1], [False, True], [False, True], "takes an output"),
        ([0], [True, True], [True, False], "no output of it"),
        ([1], [False, True], [True, True], "neither loaded nor computed"),
    ],
)
def test_an_infeasible_plan_is_caught_even_where_nothing_costs_anything(requested, compute, needed, why):
    problem = at_no_cost(requested)
    plan = tampered(replace(solve(problem), compute=np.array(compute)), needed=np.array(needed))
    with pytest.raises(PlannerBug, match=why):
        plan.check(problem)


def test_loading_what_is_unavailable_is_caught_even_where_the_sum_is_right():
    problem = Problem(
        compute_ns=[0, 1],
        output_node=[0, 1],
        load_ns=[UNAVAILABLE, 2],
        takes_child=[],
        takes_output=[],
        requested=[0, 1],
    )
    nothing = np.array([False, False])
    plan = replace(solve(problem), compute=nothing, load=~nothing)
    with pytest.raises(PlannerBug, match="unavailable"):
        plan.check(problem)


def test_a_flow_that_breaks_one_law_only_is_caught():
    problem = replace(chain([10, 20], [UNAVAILABLE, UNAVAILABLE]), requested=np.array([1, 1]))
    plan = solve(problem)
    flow = plan.certificate
    assert sorted(flow.request_flow.tolist()) == [0, 30]
    laws = {
        "negative": {"request_flow": np.array([-1, 31])},
        "at an output": {"take_flow": flow.take_flow + 1, "compute_flow": flow.compute_flow - [0, 1]},
        "at a node": {"compute_flow": flow.compute_flow - [1, 0]},
        "computing a node": {"compute_flow": np.add(flow.compute_flow, [1, 0])},
        "wrong shape": {"take_flow": flow.take_flow.astype(np.float64)},
    }
    for law, changes in laws.items():
        with pytest.raises(PlannerBug, match=law):
            tampered(plan, **changes).check(problem)
    cheaper = replace(problem, load_ns=np.array([UNAVAILABLE, 29]))
    with pytest.raises(PlannerBug, match="loading an output"):
        plan.check(cheaper)
