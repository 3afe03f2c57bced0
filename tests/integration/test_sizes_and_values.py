"""Long and wide workflows, big arrays, odd values, operators with workers of their own."""

from __future__ import annotations

import json
import socket
import threading

import numpy as np
import pytest

from mile_rl import OperatorFailed, op, workflow
from mile_rl.errors import WorkflowError

MEMORY = """
import json, resource, sys, time

import numpy as np
from mile_rl import op, workflow

N = 6_000_000  # 48 MB


@op
def start(k):
    time.sleep(0.02)
    return np.full(N, float(k))


@op
def step(array, k):
    time.sleep(0.02)
    result = array + k
    return result


@op
def end(array):
    return float(array[0])


@workflow
def chain(k=1):
    array = start(k)
    for n in range(8):
        array = step(array, n)
    return end(array)


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


import mile_rl.engine.iteration, mile_rl.store.codecs, mile_rl.planner.ortools_cut

before = peak()
if sys.argv[1] == "plain":
    # As a person writes it, so that nothing is held longer than needed.
    array = start(1)
    for n in range(8):
        array = step(array, n)
    value = end(array)
else:
    value = chain.using(quiet=True).run(k=1).outputs
print(json.dumps([value, peak() - before, N * 8]))
"""


def test_memory_stays_within_a_little_more_than_one_array_of_plain_python(desk):
    desk.write("chain.py", MEMORY)
    value, plain, array = json.loads(desk.python("chain.py", "plain")[0])
    for policy in ("all", "none", "gdsf"):
        for _ in range(2):
            again, peak, _ = json.loads(desk.python("chain.py", "mile", MILE_POLICY=policy)[0])
            assert again == value
            assert peak <= plain + 1.2 * array, (policy, peak / array, plain / array)


@op
def add(x, k):
    return x + k


@op(stage="evaluate")
def total(values):
    return sum(values)


def test_a_chain_of_a_thousand_nodes(desk, states):
    @workflow
    def chain(last=0):
        value = 0
        for k in range(1000):
            value = add(value, k)
        return add(value, last)

    assert desk.run(chain).outputs == 499500
    done = desk.run(chain, last=5)
    assert done.outputs == 499505
    assert len(done.report.edits) == 1


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_thousand_nodes_side_by_side(desk, jobs):
    @workflow
    def wide(last=0):
        return total([add(k, 1) for k in range(1000)] + [last])

    assert desk.run(wide, jobs=jobs).outputs == 500500
    done = desk.run(wide, last=1, jobs=jobs)
    assert done.outputs == 500501
    assert len(done.report.edits) == 1


@pytest.mark.usefixtures("always_decide")
def test_one_changed_node_of_many_recomputes_only_what_depends_on_it(desk, states):
    @workflow
    def wide(first=0):
        return total([add(first, 1), *(add(k, 1) for k in range(1, 100))])

    desk.run(wide)
    done = desk.run(wide, first=1000)
    assert done.outputs == 5050 + 1000
    computed = [name for name, state in states(done).items() if state == "compute"]
    assert len(computed) == 2
    assert computed[1] == "total"


def test_operators_may_use_workers_of_their_own(desk):
    desk.write(
        "workers.py",
        """
        import multiprocessing
        from concurrent.futures import ThreadPoolExecutor
        from mile_rl import op, workflow


        def square(x):
            return x * x


        @op
        def processes(n):
            with multiprocessing.Pool(2) as pool:
                return pool.map(square, range(n))


        @op
        def threads(n):
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(square, range(n)))


        @op
        def with_joblib(n):
            from joblib import Parallel, delayed

            return Parallel(n_jobs=2)(delayed(square)(k) for k in range(n))


        @workflow
        def flow(n=5):
            return [processes(n), threads(n), with_joblib(n)]


        if __name__ == "__main__":
            assert flow.using(quiet=True).run().outputs == [[0, 1, 4, 9, 16]] * 3
        """,
    )
    for jobs in ("1", "3"):
        report = desk.mile_json("run", "workers.py", "--jobs", jobs)
        assert report["outputs"] == [[0, 1, 4, 9, 16]] * 3
    desk.python("workers.py")


@op(outputs=("a", "b"))
def pair(result):
    return result


@pytest.mark.parametrize("result", [(1, 2), [1, 2], {"b": 2, "a": 1}], ids=repr)
def test_several_outputs_come_as_a_tuple_a_list_or_a_dict(desk, result):
    @workflow
    def flow():
        a, b = pair(result)
        return {"a": a, "b": b}

    assert desk.run(flow).outputs == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "result", [(1,), (1, 2, 3), {"a": 1}, {"a": 1, "b": 2, "c": 3}, 5, None, "ab"], ids=repr
)
def test_a_wrong_number_of_outputs_is_said_with_what_is_wanted(desk, result):
    @workflow
    def flow():
        return pair(result)

    with pytest.raises(WorkflowError, match=r"operator pair returned .* outputs are a, b"):
        desk.run(flow)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (x for x in "ab"),
        lambda: iter([1]),
        lambda: map(str, [1]),
        lambda: zip([1], [2]),
        lambda: enumerate("a"),
    ],
    ids=["generator", "iter", "map", "zip", "enumerate"],
)
def test_what_can_be_read_only_once_is_refused(desk, make):
    @op
    def once():
        return make()

    @workflow
    def flow():
        return once()

    with pytest.raises(
        WorkflowError, match=r"operator once returned its result as a .*, which can be read only once"
    ):
        desk.run(flow)


@pytest.mark.usefixtures("always_decide")
@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_kept_is_computed_each_time_with_one_line_a_run(desk, jobs):
    @op
    def resource():
        return threading.Lock(), socket.gethostname

    @op
    def locked(held, k=0):
        return held[0].locked(), k

    @workflow
    def flow(k=0):
        held = resource()
        return locked(held, k), locked(held, 5)

    for k in (0, 1):
        done = desk.run(flow, k=k, jobs=jobs)
        assert done.outputs == ((False, k), (False, 5))
        assert sum("cannot be serialised" in note for note in done.report.notes) == 1


def test_a_handle_as_a_key_or_an_object_that_cannot_be_digested_is_refused_by_name(desk):
    from mile_rl.errors import UnhashableValue

    @op
    def takes(thing):
        return 1

    @workflow
    def flow(thing):
        return takes(thing)

    for thing in (threading.Lock(), iter([1]), (x for x in "a"), {}.values(), open("/dev/null")):  # noqa: SIM115
        with pytest.raises(UnhashableValue, match="argument 'thing' of takes"):
            desk.run(flow, thing)
        if hasattr(thing, "close"):
            thing.close()


@pytest.mark.usefixtures("always_decide")
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_failure_keeps_what_others_earned_and_shows_what_was_raised(desk, states, jobs):
    fails = [True]

    @op(version="1")
    def fragile(x):
        if fails[0]:
            raise KeyError("missing")
        return x

    @workflow
    def flow():
        made = add(1, 2)
        return fragile(made)

    with pytest.raises(OperatorFailed, match="node 'fragile' failed: KeyError: 'missing'") as caught:
        desk.run(flow, jobs=jobs)
    assert isinstance(caught.value.__cause__, KeyError)
    fails[0] = False
    done = desk.run(flow, jobs=jobs)
    assert done.outputs == 3
    assert states(done) == {"add": "load", "fragile": "compute"}


@pytest.mark.usefixtures("always_decide")
@pytest.mark.parametrize("wrong", [(1, 2, 3), KeyError("missing")], ids=["wrong outputs", "raises"])
def test_what_runs_beside_a_failure_is_waited_for_and_kept(desk, states, wrong):
    @op(version="1", outputs=("a", "b"))
    def fragile():
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    @op(version="1")
    def beside():
        for thread in threading.enumerate():
            if thread.name == "mile-fragile":
                thread.join(10)
        return 5

    @workflow
    def flow():
        a, b = fragile()
        return a, b, beside()

    @workflow
    def alone():
        return beside()

    with pytest.raises((WorkflowError, OperatorFailed)):
        desk.run(flow, jobs=2)
    assert states(desk.run(alone)) == {"beside": "load"}


@pytest.mark.usefixtures("always_decide")
@pytest.mark.parametrize(
    "value",
    [None, float("nan"), -0.0, True, (), {1: {2}}, b"", "é", 2**200, np.float32(1.5), np.array(3),
     np.datetime64("NaT"), np.zeros((0, 3)),
     np.asfortranarray(np.arange(6).reshape(2, 3)), np.ma.masked_array([1, 2], [True, False])],
    ids=lambda value: f"{type(value).__name__} {value!r}"[:40],
)  # fmt: skip
def test_odd_values_come_back_from_the_store_as_they_were(desk, states, value):
    import pickle

    @op
    def makes():
        return value

    @workflow
    def flow():
        return makes()

    first = desk.run(flow).outputs
    again = desk.run(flow)
    assert type(again.outputs) is type(first)
    assert pickle.dumps(again.outputs) == pickle.dumps(first)
    if isinstance(first, np.ndarray):
        assert again.outputs.flags.f_contiguous == first.flags.f_contiguous
        assert again.outputs.flags.writeable == first.flags.writeable
