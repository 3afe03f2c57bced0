"""What calling a workflow function with handles gives."""

from __future__ import annotations

import functools
import math
import random
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mile_rl.errors import WorkflowError
from mile_rl.workflows import capture
from mile_rl.workflows.dag import Dag, Output
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.operator import op


@op
def one(x=0):
    return x


@op
def many(*values, scale=1, **options):
    return values, scale, options


@op(outputs=("left", "right"))
def two(x):
    return x, x


def captured(function, *args, **kwargs) -> Dag:
    return Flow(function).capture(*args, **kwargs)


def arguments(function) -> dict[str, Any]:
    """Return the arguments of the last node."""
    return list(captured(function).nodes.values())[-1].arguments


def test_an_operator_outside_a_workflow_is_its_function():
    assert one(3) == 3
    assert many(1, 2, scale=3, a=4) == ((1, 2), 3, {"a": 4})
    assert two(1) == (1, 1)


def test_nothing_is_computed_while_capturing():
    @op
    def explodes(x):
        raise AssertionError

    assert set(captured(lambda: explodes(explodes(1))).nodes) == {"explodes[x=1]", "explodes[explodes[x=1]]"}


def test_capturing_ends_with_the_workflow_even_when_it_fails():
    with pytest.raises(ZeroDivisionError):
        captured(lambda: one(1 / 0))
    assert one(2) == 2


def test_handles_may_stand_nested_in_lists_tuples_and_dicts():
    def flow():
        a = one(1)
        b = one(2)
        return many([a, (b, {"deep": a})], scale={"b": b})

    node = list(captured(flow).nodes.values())[-1]
    a, b = Output("one[a]"), Output("one[b]")
    assert node.arguments == {"values": ([a, (b, {"deep": a})],), "scale": {"b": b}}
    assert node.parents == (a, b)


def test_several_outputs_are_taken_by_position_by_name_and_by_unpacking():
    def flow():
        both = two(1)
        left, _ = both
        return many(left, both[1], both["right"], both)

    node = list(captured(flow).nodes.values())[-1]
    left, right = Output("two", "left"), Output("two", "right")
    assert node.arguments == {"values": (left, right, right, (left, right))}
    assert node.parents == (left, right)
    with pytest.raises(WorkflowError, match="no output 'middle'; the outputs are left, right"):
        captured(lambda: one(two(1)["middle"]))
    with pytest.raises(ValueError, match="too many values"):
        captured(lambda: (lambda a: a)(*[x for (x,) in [two(1)]]))


def test_every_kind_of_parameter_is_bound():
    @op
    def every(only, /, both, *rest, keyword, default=5, **others):
        return only, both, rest, keyword, default, others

    def flow():
        a = one(1)
        return every(a, 2, 3, a, keyword=4, extra=a)

    a = Output("one")
    assert arguments(flow) == {
        "only": a, "both": 2, "rest": (3, a), "keyword": 4, "others": {"extra": a},
    }  # fmt: skip
    with pytest.raises(WorkflowError, match="call of operator every: missing a required"):
        captured(lambda: every(1, 2))
    with pytest.raises(WorkflowError, match="call of operator one: got an unexpected keyword argument 'y'"):
        captured(lambda: one(y=1))
    with pytest.raises(WorkflowError, match="call of operator one: too many positional arguments"):
        captured(lambda: one(1, 2))


def test_defaults_are_not_bound():
    assert arguments(lambda: one()) == {}


def test_a_workflow_within_a_workflow_joins_in():
    @Flow
    def inner(x):
        return one(x)

    assert [*captured(lambda: two(inner(1))["left"]).nodes] == ["one", "two"]


def test_parameters_and_a_wrong_call_of_the_workflow():
    def flow(x, C=1.0, *, deep=False):
        return one(x)

    assert captured(flow, 1).parameters == {"x": 1, "C": 1.0, "deep": False}
    with pytest.raises(
        WorkflowError, match=r"workflow flow: .*'D'.* Its parameters: \(x, C=1.0, \*, deep=False\)"
    ):
        captured(flow, 1, D=2)


def test_a_handle_of_another_workflow_is_refused():
    kept = []
    captured(lambda: kept.append(one(1)) or kept[0])
    with pytest.raises(WorkflowError, match="belongs to another workflow"):
        captured(lambda: one(kept[0]))


def test_what_a_person_does_to_an_argument_after_the_call_does_not_count():
    def flow():
        rows, array = [1, [2]], np.zeros(2)
        result = many(rows, array)
        rows[1].append(3)
        array[:] = 7
        return result

    rows, array = arguments(flow)["values"]
    assert rows == [1, [2]]
    assert array.tolist() == [0, 0]


def test_the_nodes_that_nothing_needs_are_sliced_away_and_a_cycle_cannot_be_written():
    def flow():
        a = one(1)
        b = many(a)
        many(b, 2)
        return a, b

    dag = captured(flow)
    assert len(dag.nodes) == 3
    assert dag.needed == {"one", "many[b]"}
    position = {name: at for at, name in enumerate(dag.nodes)}
    assert all(
        position[parent.node] < position[node.name] for node in dag.nodes.values() for parent in node.parents
    )


@dataclass
class Box:
    value: Any


Pair = namedtuple("Pair", "a b")

USES = {
    "a condition": lambda h: 1 if h else 2,
    "not": lambda h: not h,
    "and": lambda h: h and 1,
    "while": lambda h: bool(h),
    "a loop": lambda h: [x for x in h],  # noqa: C416
    "unpacking": lambda h: (lambda a, b: a)(*h),
    "keyword unpacking": lambda h: many(**h),
    "len": len,
    "in": lambda h: 1 in h,
    "an index": lambda h: h[0],
    "an item set": lambda h: h.__setitem__(0, 1),
    "an item deleted": lambda h: h.__delitem__(0),
    "an attribute": lambda h: h.shape,
    "an attribute set": lambda h: setattr(h, "columns", []),
    "an attribute deleted": lambda h: delattr(h, "columns"),
    "a call": lambda h: h(1),
    "==": lambda h: h == 1,
    "!=": lambda h: h != 1,
    "<": lambda h: h < 1,
    "sorted": lambda h: sorted([h, one(2)]),
    "max": lambda h: max(h, 1),
    "sum": lambda h: sum([h, h]),
    "+": lambda h: h + 1,
    "1 +": lambda h: 1 + h,
    "text +": lambda h: "a" + h,
    "array +": lambda h: np.ones(2) + h,
    "*=": lambda h: h.__imul__(2),
    "@": lambda h: h @ h,
    "-": lambda h: -h,
    "abs": abs,
    "round": round,
    "int": int,
    "float": float,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "range": range,
    "np.zeros": np.zeros,
    "np.mean": np.mean,
    "f-string": lambda h: f"{h}",
    "format": "{:.2f}".format,
    "%": lambda h: "%s" % h,  # noqa: UP031
    "str": str,
    "bytes": bytes,
    "a path": Path,
    "open": open,
    "with": lambda h: h.__enter__(),
    "next": next,
    "reversed": reversed,
    "random.choice": random.choice,
    "a dataclass": lambda h: one(Box(h)),
    "a namedtuple": lambda h: one(Pair(h, 1)),
    "a deque": lambda h: one(deque([h])),
    "an ordered dict": lambda h: one(OrderedDict(a=h)),
    "a partial": lambda h: one(functools.partial(many, h)),
    "an array of handles": lambda h: one(np.array([h, h])),
    "a set": lambda h: one({h}),
    "a nested set": lambda h: one([frozenset([h])]),
    "a key": lambda h: one({h: 1}),
    "a set returned": lambda h: {h},
    "a dataclass returned": Box,
    "a namedtuple returned": lambda h: {"a": Pair(h, 1), "b": h},
    "a key returned": lambda h: {h: 1, "b": h},
}


@pytest.mark.parametrize("use", USES)
def test_a_handle_used_as_a_value_says_what_to_do_instead(use):
    with pytest.raises(WorkflowError) as caught:
        captured(lambda: USES[use](one(1)))
    text = str(caught.value)
    assert any(
        remedy in text
        for remedy in ("Do this inside an operator", "pass it to an operator by itself", "use a list",
                       "return a list", "return handles alone", "as values only", "use it as a value")
    ), text  # fmt: skip


@pytest.mark.parametrize("result", [None, 3, [], {"a": 1}, "text"], ids=repr)
def test_a_workflow_that_returns_no_handle_is_told_so(result):
    def flow():
        one(1)
        return result

    with pytest.raises(WorkflowError, match="returns nothing that an operator makes"):
        captured(flow)


def test_constants_may_stand_between_the_results():
    dag = captured(lambda: {"a": one(1), "note": "text", "list": [2, np.zeros(1)]})
    assert dag.requested == (Output("one"),)


def test_a_handle_can_be_shown():
    captured(lambda: one(1) if repr(one(2)) == "<handle of one: result>" else None)


SENTINEL = object()


def test_a_sentinel_stays_itself():
    @op
    def given(x=SENTINEL):
        return x is SENTINEL

    assert arguments(lambda: given(SENTINEL))["x"] is SENTINEL
    assert arguments(lambda: given([SENTINEL]))["x"][0] is SENTINEL


def test_an_argument_that_contains_itself_is_refused_in_clear_words():
    rows = [1]
    rows.append(rows)
    with pytest.raises(WorkflowError, match="argument 'x' of one is nested too deeply, or contains itself"):
        captured(lambda: one(rows))


DATA = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
    ),
    max_leaves=10,
)


@given(DATA)
def test_constants_of_all_shapes_arrive_as_they_are(value):
    found = arguments(lambda: many(value, scale=value))
    assert found["values"] == (value,)
    assert found["scale"] == value
    assert type(found["scale"]) is type(value)


def test_the_instructions_of_a_workflow_are_read_once_for_all_its_nodes(monkeypatch):
    read = []
    plain = capture.dis.get_instructions
    monkeypatch.setattr(capture.dis, "get_instructions", lambda code: read.append(code) or plain(code))

    def flow():
        first = one(1)
        left, right = two(first)
        return many(left, right)

    assert {node.target for node in captured(flow).nodes.values()} >= {"first", "left,right"}
    assert read == [flow.__code__]
