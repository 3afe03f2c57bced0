"""What a process has done before must not change a signature, or nothing would be found again."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing

from mile_rl import op, workflow
from mile_rl.workflows.sign import Signer


class Plain:
    def __init__(self):
        self.value = 1

    def method(self):
        return self.value


@op
def uses_a_class(x=1):
    return Plain().method() + x


@workflow
def with_a_class():
    return uses_a_class()


def test_using_a_class_leaves_its_signature():
    before = Signer().sign(with_a_class.capture())["uses_a_class"]
    # Each of these makes Python write something into the class.
    pickle.dumps(Plain())
    copy.deepcopy(Plain())
    assert Plain.__annotations__ == {}
    inspect.signature(Plain)
    typing.get_type_hints(Plain)
    assert Signer().sign(with_a_class.capture())["uses_a_class"] == before


LAZY = """
import json, sys
from mile_rl import op, workflow
from mile_rl.workflows.sign import Signer

@op
def a():
    from sklearn.ensemble import RandomForestClassifier
    return RandomForestClassifier(3)
@op
def b():
    import sklearn.ensemble
    return sklearn.ensemble.RandomForestClassifier(3)
@op
def c():
    import sklearn.ensemble as e
    return e.RandomForestClassifier(3)
@op
def d():
    from sklearn import ensemble
    return ensemble.RandomForestClassifier(3)
@op
def e():
    import colorsys, xml.dom.minidom as m
    from wave import open as w
    return colorsys.rgb_to_hls(1, 1, 1), m.parse, w
@op
def f():
    import nowhere.at.all
    from nowhere import x

@workflow
def flow():
    return a(), b(), c(), d(), e(), f()

def signed():
    return {n: [s.digest, s.parts] for n, s in Signer().sign(flow.capture()).items()}

before = signed()
assert "sklearn" not in sys.modules and "colorsys" not in sys.modules
import sklearn.ensemble, colorsys, wave, xml.dom.minidom
print(json.dumps([before, signed()]))
"""


def test_an_import_inside_an_operator_counts_the_same_before_and_after_the_package_is_loaded(desk):
    import json

    desk.write("lazy.py", LAZY)
    before, after = json.loads(desk.python("lazy.py")[0])
    assert before == after
    for name in "abcd":
        assert "package sklearn" in before[name][1], name
    assert not [part for part in before["e"][1] if part.startswith("package")]
