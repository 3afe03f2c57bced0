from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.agent.oracle import Story, Turn, oracle
from mile_rl.policies.ledger import Terms


def subsets(items):
    items = list(items)
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))


def brute_force(story, budget_bytes, terms=None):
    """Every schedule: what is computed, loaded and kept in every iteration; with the book under the terms."""
    best = {(frozenset(), 0.0): 0.0}
    for t, turn in enumerate(story.turns):
        following = {}
        for (kept, slack), spent in best.items():
            for compute in map(set, subsets(int(i) for i in turn.nodes)):
                needed = set(turn.requested) | {o for child, o in turn.takes if child in compute}
                load = {o for o in needed if int(story.output_node[o]) not in compute}
                if not load <= kept:
                    continue
                times = dict(zip(map(int, turn.nodes), turn.compute_ns))
                cost = sum(times[i] for i in compute) + sum(story.load_ns[t, o] for o in load)
                made = {o for o in range(len(story.size_bytes)) if int(story.output_node[o]) in compute}
                for after in map(frozenset, subsets(kept | made)):
                    if sum(story.size_bytes[o] for o in after) > budget_bytes:
                        continue
                    written = sum(story.write_ns[t, o] for o in after - kept)
                    left = slack
                    if terms is not None:
                        computed = sum(times[i] for i in compute)
                        left += terms.allowance_ns + terms.fraction * computed - written
                        left += terms.share * (sum(turn.compute_ns) - cost)
                        if left < -1e-6:
                            continue
                    key, total = (after, round(left, 6)), spent + cost + written
                    if total < following.get(key, np.inf):
                        following[key] = total
        best = following
    return min(best.values())


@st.composite
def stories(draw, turns=3, nodes=4):
    count = draw(st.integers(1, nodes))
    parents = [draw(st.sets(st.integers(0, i - 1))) if i else set() for i in range(count)]
    told = []
    for _ in range(draw(st.integers(1, turns))):
        wanted = draw(st.sets(st.integers(0, count - 1), min_size=1))
        needed, stack = set(), list(wanted)
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                stack += parents[node]
        ordered = sorted(needed)
        told.append(
            Turn(
                nodes=np.array(ordered),
                compute_ns=np.array([float(draw(st.integers(0, 20))) for _ in ordered]),
                takes=[(i, j) for i in ordered for j in sorted(parents[i])],
                requested=sorted(wanted),
            )
        )
    numbers = st.lists(st.integers(0, 8), min_size=count, max_size=count)
    times = st.lists(numbers, min_size=len(told), max_size=len(told))
    return Story(
        turns=told,
        output_node=np.arange(count),
        size_bytes=np.array(draw(numbers)),
        load_ns=np.array(draw(times), dtype=float),
        write_ns=np.array(draw(times), dtype=float),
    )


@settings(deadline=None, max_examples=150)
@given(stories(), st.integers(0, 20))
def test_no_schedule_waits_less_and_some_schedule_waits_just_that(story, budget_bytes):
    found = oracle(story, budget_bytes, gap=0.0)
    assert found.proved
    assert found.waiting_ns == pytest.approx(brute_force(story, budget_bytes), abs=1e-4)
    assert found.bound_ns <= found.waiting_ns + 1e-4


@settings(deadline=None, max_examples=80)
@given(stories(nodes=3), st.integers(0, 20), st.sampled_from((0.0, 0.5, 1.0)), st.integers(0, 6))
def test_under_the_guard_it_is_a_bound_and_never_below_the_free_one(story, budget_bytes, share, allowance_ns):
    terms = Terms(share=share, fraction=0.04, allowance_ns=allowance_ns)
    held = oracle(story, budget_bytes, terms=terms, gap=0.0)
    assert held.waiting_ns <= brute_force(story, budget_bytes, terms) + 1e-4
    assert held.waiting_ns >= oracle(story, budget_bytes, gap=0.0).waiting_ns - 1e-4


def test_what_is_used_again_is_kept_when_it_fits():
    turn = Turn(nodes=np.array([0, 1]), compute_ns=np.array([100.0, 10.0]), takes=[(1, 0)], requested=[1])
    other = Turn(nodes=np.array([0, 2]), compute_ns=np.array([100.0, 10.0]), takes=[(2, 0)], requested=[2])
    story = Story(
        turns=[turn, other],
        output_node=np.array([0, 1, 2]),
        size_bytes=np.array([5, 1, 1]),
        load_ns=np.array([[3.0, 1.0, 1.0]] * 2),
        write_ns=np.array([[2.0, 0.0, 0.0]] * 2),
    )
    assert oracle(story, 5).waiting_ns == pytest.approx(110 + 2 + 3 + 10)
    assert oracle(story, 4).waiting_ns == pytest.approx(220)
