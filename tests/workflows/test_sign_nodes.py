# ruff: noqa: E501
from __future__ import annotations

import enum
import gc
import os
import random
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from projects import imported, signed
from sklearn.linear_model import Ridge

from mile_rl.errors import MissingFile, UnhashableValue
from mile_rl.workflows import digest, sign_operators
from mile_rl.workflows.file import File
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.operator import op
from mile_rl.workflows.sign import Signer

TABLE = {"a": 1}
LIMIT = 3
LOCK = threading.Lock()


class Kind(enum.Enum):
    ONE = 1
    TWO = 2


@dataclass
class Point:
    x: int


def helper(x):
    return x


def other(x):
    return x + 1


@op
def load(x, C=1.0):
    return x


@op(outputs=("train", "test"))
def split(rows, seed=0):
    return rows, seed


@op
def join(left, right=None):
    return left


@op
def table(x):
    return TABLE


@op
def writes(x):
    global LIMIT
    LIMIT = x
    return LIMIT


@op
def locked(x):
    return LOCK


@op
def annotated(x: LOCK):  # type: ignore[valid-type]
    return x


@op(volatile=True)
def clock(x=1):
    return x


def nodes(wire):
    dag = Flow(wire).capture()
    return dag, Signer().sign(dag)


def last(wire):
    dag, signatures = nodes(wire)
    return signatures[dag.requested[0].node].outputs[dag.requested[0].name]


PAIRS = [
    (1, 1.0), (1, True), (0.0, -0.0), (float("nan"), 0.0), ("a", b"a"), ([1], (1,)), ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({1, 2}, {1, 3}), (np.arange(3), np.arange(4)), (np.arange(3), np.arange(3.0)), (np.float64(1), 1.0),
    (np.int8(1), np.int16(1)), (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})), (Kind.ONE, Kind.TWO),
    (Point(1), Point(2)), (Ridge(alpha=1.0), Ridge(alpha=2.0)), (random.Random(1), random.Random(2)),
    (np.random.default_rng(1), np.random.default_rng(2)), (Path("a"), Path("b")), (Path("a"), "a"), (helper, other),
    (None, "None"), ([1, [2]], [[1], 2]), (range(3), [0, 1, 2]),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=[f"{one!r} | {two!r}"[:40] for one, two in PAIRS])
def test_another_argument_makes_another_signature(one, two):
    assert last(lambda: load(one)) == last(lambda: load(one))
    assert last(lambda: load(one)) != last(lambda: load(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (float("nan"), -float("nan")),
        ({"b", "a", "c"}, {"c", "b", "a"}),
        (np.arange(3), np.arange(3)),
        (Ridge(alpha=1.0), Ridge()),
        (np.random.default_rng(5), np.random.default_rng(5)),
    ],
)
def test_an_equal_argument_makes_the_same_signature(one, two):
    assert last(lambda: load(one)) == last(lambda: load(two))


def test_a_default_counts_like_a_passed_argument():
    assert last(lambda: load(1)) == last(lambda: load(1, C=1.0)) == last(lambda: load(1, 1.0))
    assert last(lambda: load(1)) == last(lambda: load(C=1.0, x=1))
    assert last(lambda: load(1)) != last(lambda: load(1, C=1))


def test_a_default_edited_in_the_code_is_an_edit_of_the_argument(tmp_path):
    text = "from mile_rl.workflows.operator import op\n@op\ndef run(x, C=1.0): return x\ndef wf(): return run(1{})\n"
    before = signed(tmp_path / "a", {"wf.py": text.format("")})
    after = signed(tmp_path / "b", {"wf.py": text.replace("C=1.0", "C=2.0").format("")})
    passed = signed(tmp_path / "c", {"wf.py": text.format(", C=2.0")})
    assert {label for label in before.parts if before.parts[label] != after.parts[label]} == {"argument C"}
    assert after.digest == passed.digest != before.digest


def test_parents_are_bound_to_parameter_and_position():
    def wired(wire):
        return last(lambda: wire(load(1), load(2)))

    signatures = {
        wired(lambda a, b: join(a, b)),
        wired(lambda a, b: join(b, a)),
        wired(lambda a, b: join([a, b])),
        wired(lambda a, b: join([b, a])),
        wired(lambda a, b: join((a, b))),
        wired(lambda a, b: join([a, [b]])),
        wired(lambda a, b: join({"a": a, "b": b})),
        wired(lambda a, b: join({"a": b, "b": a})),
        wired(lambda a, b: join(a)),
        wired(lambda a, b: join(a, a)),
        wired(lambda a, b: join([a], [b])),
        wired(lambda a, b: join([a, b], [])),
        wired(lambda a, b: join([a, b, 1])),
        wired(lambda a, b: join([a, 1, b])),
    }
    assert len(signatures) == 14


def test_two_outputs_of_one_node_taken_by_the_same_child():
    def swapped(swap):
        def wire():
            train, test = split(load(1))
            return join(test, train) if swap else join(train, test)

        return last(wire)

    assert swapped(False) == swapped(False) != swapped(True)


def test_a_node_signs_alike_whatever_it_is_called_and_wherever_it_stands():
    def one():
        first = load(1)
        return join(first)

    def two():
        load(7)
        renamed = load(1)
        return join(renamed)

    assert last(one) == last(two)


def test_a_change_spreads_to_all_descendants_and_to_nothing_else():
    def wire(x):
        a = load(x)
        b = load(2)
        return join(join(a), b)

    _, before = nodes(lambda: wire(1))
    _, after = nodes(lambda: wire(9))
    changed = [name for name, other in zip(before, after) if before[name].digest != after[other].digest]
    assert len(changed) == 3
    # A descendant shows it in the part of its parent alone.
    child = changed[1]
    assert [k for k in before[child].parts if before[child].parts[k] != after[child].parts.get(k)] == [
        "parent load[a]"
    ]


def test_outputs_in_another_order_are_others(tmp_path):
    text = 'from mile_rl.workflows.operator import op\n@op(outputs=({}))\ndef run(x): return x\ndef wf(): return run(1)["a"]\n'
    one = signed(tmp_path / "one", {"wf.py": text.format('"a", "b"')})
    two = signed(tmp_path / "two", {"wf.py": text.format('"b", "a"')})
    assert one.outputs["a"] != one.outputs["b"]
    assert one.outputs["a"] != two.outputs["a"]


def test_volatile_nodes_and_their_descendants_are_new_every_time():
    def wire():
        return join(clock(), load(1))

    (_, one), (_, two) = nodes(wire), nodes(wire)
    same = [name for name in one if one[name].digest == two[name].digest]
    assert len(one) == 3
    assert same == [next(name for name in one if "load" in name)]


def test_a_version_stands_for_the_code_but_not_for_arguments_or_parents(tmp_path):
    text = "from mile_rl.workflows.operator import op\n@op(version={})\ndef run(x): return x + {}\ndef wf(): return run({})\n"

    def sign_with(*values):
        return signed(tmp_path / str(values), {"wf.py": text.format(*values)})

    base = sign_with(1, 1, 1)
    assert sign_with(1, 2, 1).digest == base.digest
    assert sign_with(2, 1, 1).digest != base.digest
    assert sign_with(1, 1, 2).digest != base.digest
    assert base.parts["version"] == "1"
    assert not [label for label in base.parts if label.startswith(("operator", "python", "package"))]


def test_two_operators_of_one_version_differ():
    one, two = op(version=1)(helper), op(version=1)(other)
    assert last(lambda: one(1)) != last(lambda: two(1))


def test_a_version_vouches_for_the_operator_of_one_module_only(tmp_path):
    text = "from mile_rl.workflows.operator import op\n@op(version=1)\ndef load(x): return {}\n"
    files = {"one.py": text.format(1), "two.py": text.format(2)}
    wf = "from {} import load\ndef wf(): return load(1)\n"
    one = signed(tmp_path / "a", {**files, "wf.py": wf.format("one")})
    assert signed(tmp_path / "b", {**files, "wf.py": wf.format("two")}).digest != one.digest
    assert signed(tmp_path / "c", {**files, "wf.py": wf.format("one")}).digest == one.digest


def test_code_that_looks_where_it_stands_counts_by_its_place(tmp_path):
    text = "from mile_rl.workflows.operator import op\n@op\ndef run(x): return {}\ndef wf(): return run(1)\n"

    def in_place(place, word):
        return signed(tmp_path / place, {"wf.py": text.format(word)}).digest

    assert in_place("one", "__file__") != in_place("two", "__file__")
    assert in_place("one", "__name__") == in_place("two", "__name__")


def test_a_docstring_counts_where_code_asks_for_it(tmp_path):
    head = "from mile_rl.workflows.operator import op\n"
    text = head + "def ask():\n    '{}'\n@op\ndef run(x): return {}\ndef wf(): return run(1)\n"

    def with_doc(doc, use):
        return signed(tmp_path / doc / use, {"wf.py": text.format(doc, use)}).digest

    assert with_doc("one", "ask.__doc__") != with_doc("two", "ask.__doc__")
    assert with_doc("one", "ask()") == with_doc("two", "ask()")


def test_the_command_line_counts_where_code_asks_for_it(tmp_path, monkeypatch):
    text = "import sys\nfrom mile_rl.workflows.operator import op\n@op\ndef run(x): return {}\ndef wf(): return run(1)\n"

    def called_with(word, use):
        monkeypatch.setattr("sys.argv", ["run.py", word])
        return signed(tmp_path / word / use, {"wf.py": text.format(use)}).digest

    assert called_with("one", "sys.argv") != called_with("two", "sys.argv")
    assert called_with("one", "sys.maxsize") == called_with("two", "sys.maxsize")


def test_the_minor_version_of_python_counts(monkeypatch):
    before = last(lambda: load(1))
    monkeypatch.setattr(sign_operators, "PYTHON", "3.99")
    assert last(lambda: load(1)) != before


def test_an_environment_variable_counts_by_its_value(tmp_path, monkeypatch):
    for at, read in enumerate(
        (
            'os.environ["MILE_TEST_KEY"]',
            'os.environ.get("MILE_TEST_KEY", 3)',
            'os.getenv("MILE_TEST_KEY")',
            'environ["MILE_TEST_KEY"]',
            'getenv("MILE_TEST_KEY")',
            '"MILE_TEST_KEY" in os.environ',
        )
    ):
        text = (
            "import os\nfrom os import environ, getenv\nfrom mile_rl.workflows.operator import op\n"
            f"@op\ndef run(x): return {read}\ndef wf(): return run(1)\n"
        )
        seen = set()
        for value in ("one", "two", "", None):
            monkeypatch.setenv("MILE_TEST_KEY", value or "")
            if value is None:
                monkeypatch.delenv("MILE_TEST_KEY")
            signature = signed(tmp_path / f"{at}{value}", {"wf.py": text})
            seen.add(signature.digest)
            # It may be a secret.
            assert value != signature.parts["environment variable MILE_TEST_KEY"]
        assert len(seen) == 4, read


def test_the_environment_read_as_a_whole_is_named_with_the_remedy(tmp_path):
    text = "import os\nfrom mile_rl.workflows.operator import op\n@op\ndef run(x): return os.environ[x]\ndef wf(): return run(1)\n"
    with imported(tmp_path, {"wf.py": text}) as dag:
        signer = Signer()
        signer.sign(dag)
    assert len(signer.warnings) == 1
    assert signer.warnings[0].startswith("run: wf.run reads environment variables")
    assert "pass the value as an argument" in signer.warnings[0]


def test_an_argument_that_cannot_be_digested_is_named_with_the_remedy():
    with pytest.raises(UnhashableValue, match=r"argument 'x' of load is a generator.*list"):
        nodes(lambda: load(i for i in range(3)))


def test_a_global_that_cannot_be_digested_is_named_with_the_remedy():
    with pytest.raises(UnhashableValue, match=r"LOCK', which .*locked uses, is a _thread.lock.*version="):
        nodes(lambda: locked(1))


def test_files_count_by_content_and_last_name(tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text("1")
    before, status = last(lambda: load(File(data))), data.stat()
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "rows.csv").write_text("1")
    assert last(lambda: load(File(tmp_path / "moved" / "rows.csv"))) == before
    (tmp_path / "other.csv").write_text("1")
    assert last(lambda: load(File(tmp_path / "other.csv"))) != before
    data.write_text("2")
    os.utime(data, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert last(lambda: load(File(data))) != before
    _, signatures = nodes(lambda: join([File(data), File(tmp_path / "moved" / "rows.csv")]))
    (parts,) = [signature.parts for signature in signatures.values()]
    assert {label for label in parts if label.startswith("file")} == {"file rows.csv", "file rows.csv (2)"}
    data.unlink()
    with pytest.raises(MissingFile, match=r"rows\.csv"):
        nodes(lambda: load(File(data)))


def test_a_file_is_digested_once_a_run(tmp_path, monkeypatch):
    data = tmp_path / "rows.csv"
    data.write_text("1")
    read = []
    digest_file = digest.digest_file
    monkeypatch.setattr(digest, "digest_file", lambda path: read.append(path) or digest_file(path))
    nodes(lambda: join([load(File(data)), load(File(data), C=2)]))
    assert read == [data]


def wired_for_hidden():
    a = load(1)
    return join(join(a), load(5))


def test_files_opened_undeclared_count_from_then_on(tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text("1")
    dag = Flow(wired_for_hidden).capture()
    signer = Signer()
    first = signer.sign(dag)
    changed = signer.resign(dag, first, "load[a]", [data])
    assert set(changed) == {"load[a]", *(name for name in dag.nodes if name.startswith("join"))}
    assert changed["load[a]"].base == first["load[a]"].base
    assert changed["load[a]"].digest != first["load[a]"].digest
    assert "hidden file rows.csv" in changed["load[a]"].parts
    hidden = {first["load[a]"].base: [data]}
    again = Signer(hidden=hidden).sign(dag)
    assert again == {**first, **changed}
    data.write_text("2")
    assert Signer(hidden=hidden).sign(dag)["load[a]"].digest not in (
        first["load[a]"].digest,
        changed["load[a]"].digest,
    )
    data.unlink()
    gone = Signer(hidden=hidden).sign(dag)["load[a]"].digest
    assert gone not in (first["load[a]"].digest, changed["load[a]"].digest)
    data.write_text("1")
    assert Signer(hidden=hidden).sign(dag) == again


def test_a_volatile_node_keeps_its_signature_within_a_run(tmp_path):
    dag = Flow(lambda: join(clock())).capture()
    signer = Signer()
    first = signer.sign(dag)
    node = next(iter(first))
    (tmp_path / "x").write_text("1")
    assert signer.resign(dag, first, node, [tmp_path / "x"])[node].base == first[node].base


def test_arguments_count_as_they_were_when_they_were_signed(tmp_path):
    (tmp_path / "x").write_text("1")
    rows = [1, 2]
    dag = Flow(lambda: load(rows)).capture()
    signer = Signer()
    first = signer.sign(dag)
    (node,) = dag.nodes
    dag.nodes[node].arguments["x"].append(3)
    assert signer.resign(dag, first, node, [tmp_path / "x"])[node].base == first[node].base


def test_a_mutable_global_that_changes_is_noticed():
    dag = Flow(lambda: join(table(1), load(1))).capture()
    signer = Signer()
    signer.sign(dag)
    operators = {node.operator.name: node.operator for node in dag.nodes.values()}
    assert signer.changed_globals(operators["table"]) == ()
    TABLE["b"] = 2
    try:
        assert [label.rpartition(".")[2] for label in signer.changed_globals(operators["table"])] == ["TABLE"]
        assert signer.changed_globals(operators["load"]) == ()
    finally:
        del TABLE["b"]
    assert signer.changed_globals(operators["table"]) == ()


def test_a_global_that_the_operator_assigns_is_noticed(monkeypatch):
    dag = Flow(lambda: writes(7)).capture()
    signer = Signer()
    signer.sign(dag)
    (node,) = dag.nodes.values()
    assert signer.changed_globals(node.operator) == ()
    monkeypatch.setitem(globals(), "LIMIT", 7)
    assert [label.rpartition(".")[2] for label in signer.changed_globals(node.operator)] == ["LIMIT"]


def test_globals_are_looked_at_afresh_in_every_run(monkeypatch):
    before = last(lambda: table(1))
    monkeypatch.setitem(TABLE, "c", 3)
    assert last(lambda: table(1)) != before


def test_operators_made_and_let_go_within_a_run_are_not_mixed_up():
    def wire():
        results = []
        for constant in range(30):
            results.append(op(_adder(constant))(1))
            gc.collect()
        return join(results)

    _, signatures = nodes(wire)
    assert len({signature.digest for signature in signatures.values()}) == 31


def _adder(constant):
    def add(x):
        return x + constant

    return add


def test_an_operator_used_as_a_helper_counts(tmp_path):
    text = (
        "from mile_rl.workflows.operator import op\n@op(stage={stage!r})\ndef inner(x): return x + {n}\n"
        "@op\ndef run(x): return inner(x)\ndef wf(): return run(1)\n"
    )
    base = signed(tmp_path / "a", {"wf.py": text.format(stage="learn", n=1)})
    assert signed(tmp_path / "b", {"wf.py": text.format(stage="learn", n=2)}).digest != base.digest
    assert signed(tmp_path / "c", {"wf.py": text.format(stage="evaluate", n=1)}).digest == base.digest


def test_a_function_passed_as_an_argument_counts_with_what_it_reaches(tmp_path):
    text = (
        "from mile_rl.workflows.operator import op\nN = {n}\ndef deep(x): return x + N\ndef go(x): return deep(x)\n"
        "@op\ndef run(f): return f(1)\ndef wf(): return run(go)\n"
    )
    one, two = (signed(tmp_path / str(n), {"wf.py": text.format(n=n)}) for n in (1, 2))
    assert {label for label in one.parts if one.parts[label] != two.parts[label]} == {"constant wf.N"}
    assert one.digest != two.digest


def test_parts_name_everything_that_went_in(tmp_path):
    text = """
import numpy as np
from tools import clean
from mile_rl.workflows.operator import op
LIMIT = 3
@op
def run(x, C=1.0): return clean(np.mean(x))[:LIMIT]
def wf(): return run([1])
"""
    tools = "RATE = 2\nclass Base:\n    def f(self): return RATE\ndef clean(x): return Base().f()\n"
    signature = signed(tmp_path, {"wf.py": text, "tools.py": tools})
    assert list(signature.parts) == [
        "operator run", "class tools.Base", "constant tools.RATE", "constant wf.LIMIT", "helper tools.Base.f",
        "helper tools.clean", "package numpy", "python", "format", "argument x", "argument C",
    ]  # fmt: skip
    assert signature.parts["package numpy"] == np.__version__


def test_a_hidden_folder_counts_by_its_names(tmp_path):
    (tmp_path / "data").mkdir()
    dag = Flow(wired_for_hidden).capture()
    hidden = {Signer().sign(dag)["load[a]"].base: [tmp_path / "data"]}
    before = Signer(hidden=hidden).sign(dag)["load[a]"]
    (tmp_path / "data" / "x").write_text("1")
    after = Signer(hidden=hidden).sign(dag)["load[a]"]
    assert before.base == after.base
    assert before.digest != after.digest


TWICE = """
from mile_rl.workflows.operator import op
import threading
import weakref
LOCK = threading.Lock()
def helper(x: LOCK): return x
@op
def run(x: LOCK): return helper(x){more}
def wf(): return run(1)
"""


def test_what_an_annotation_may_be_a_use_may_not(tmp_path):
    # The lock is met first where it does not matter; that must not let it pass where it does.
    assert signed(tmp_path / "a", {"wf.py": TWICE.format(more="")}).digest
    with pytest.raises(UnhashableValue, match="LOCK"):
        signed(tmp_path / "b", {"wf.py": TWICE.format(more=", LOCK")})
    with pytest.raises(UnhashableValue, match="LOCK"):
        nodes(lambda: join(annotated(1), locked(1)))
    lock = threading.Lock()

    def two(a: lock = None, b: lock = lock):  # type: ignore[valid-type]
        return a

    for _ in range(2):
        with pytest.raises(UnhashableValue, match=r"two\(b\)"):
            nodes(lambda: load(two))


def test_code_that_evaluates_text_says_what_it_might_reach_and_does_not_count(tmp_path):
    text = "from mile_rl.workflows.operator import op\nimport tools\n@op\ndef run(x): return eval(x){}\ndef wf(): return run(1)\n"
    tools = "import threading\nLOCK = threading.Lock()\nN = {}\ndef go(): return LOCK\n"
    digests = set()
    for n in (1, 2):
        with imported(tmp_path / str(n), {"wf.py": text.format(""), "tools.py": tools.format(n)}) as dag:
            signer = Signer()
            digests.add(signer.sign(dag)["run"].digest)
            assert any("tools.LOCK" in warning for warning in signer.warnings)
    assert len(digests) == 2
    with pytest.raises(UnhashableValue, match=r"tools\.LOCK"):
        signed(tmp_path / "b", {"wf.py": text.format(", tools.LOCK"), "tools.py": tools.format(1)})


def test_a_signer_is_freed_at_once():
    # It holds arguments; the memory of a run must not wait for the garbage collector.
    dag = Flow(lambda: load(np.arange(3), C=helper)).capture()
    gc.disable()
    try:
        signer = Signer()
        signer.sign(dag)
        held = weakref.ref(signer._reach)
        del signer
        assert held() is None
    finally:
        gc.enable()


def test_a_hidden_file_is_looked_at_again_when_a_node_was_seen_to_read_it(tmp_path):
    data = tmp_path / "rows.csv"
    data.write_text("1")
    dag = Flow(wired_for_hidden).capture()
    base = Signer().sign(dag)["load[a]"].base
    signer = Signer(hidden={base: [data]})
    first = signer.sign(dag)
    data.write_text("2")
    changed = signer.resign(dag, first, "load[a]", [data])
    assert changed["load[a]"].digest != first["load[a]"].digest
    assert changed["load[a]"] == Signer(hidden={base: [data]}).sign(dag)["load[a]"]
