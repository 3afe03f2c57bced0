# ruff: noqa: E501
"""The product's first promise: for every kind of change, whether the result must be recomputed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

import pytest
from projects import signed

HEAD = "from mile_rl.workflows.operator import op\n"
TAIL = "\ndef wf():\n    return run(1)\n"


class Change(NamedTuple):
    name: str
    before: dict[str, str]
    after: dict[str, str]
    recompute: bool


def change(name, files, old, new, recompute, file="wf.py"):
    """A row: in one file of a project a text is replaced by another."""
    if isinstance(files, str):
        files = {"wf.py": files}
    before = {**files, "wf.py": _whole(files["wf.py"])}
    assert old in before[file], name
    return Change(name, before, {**before, file: before[file].replace(old, new)}, recompute)


def _whole(text):
    future = "from __future__ import annotations\n" if "from __future__" in text else ""
    return future + HEAD + text.replace(future, "") + TAIL


PLAIN = '''
@op
def run(x, n=2):
    """Doc."""
    total = 0  # a comment
    for i in range(n):
        total += x
    return total
'''
HELPER = """
@op
def run(x):
    return clean(x)
def clean(x):
    return x.strip()
def unused(x):
    return 1
"""
MODULES = {
    "wf.py": """
import helpers.clean
@op
def run(x):
    return helpers.clean.strip(x)
""",
    "helpers/__init__.py": "",
    "helpers/clean.py": """
from helpers import deep
LIMIT = 3
OTHER = 4
def strip(x):
    return deep.first(x)[:LIMIT]
def unused(x):
    return 1
""",
    "helpers/deep.py": """
from . import deeper
def first(x):
    return deeper.second(x)
""",
    "helpers/deeper.py": """
def second(x):
    return x + 1
""",
}
CLASSES = """
class Base:
    def low(self): return 1
class Other:
    def low(self): return 3
class Cleaner(Base):
    LIMIT = 5
    __slots__ = ()
    def go(self): return self.low() + self.LIMIT
    @property
    def size(self): return 6
    @staticmethod
    def still(): return 7
    @classmethod
    def of(cls): return 8
@op
def run(x):
    return Cleaner().go()
"""
INSTANCE = """
class Config:
    def __init__(self): self.depth = 3
    def get(self): return self.depth + 1
CONFIG = Config()
@op
def run(x): return CONFIG.get()
"""
CLOSURE = """
def make(threshold):
    def helper(x): return x > threshold
    return helper
above = make(10)
@op
def run(x): return above(x)
"""
DECORATED = """
import functools
def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args) * 2
    return wrapper
@op
@twice
def run(x): return x + 1
"""
DECORATED_HELPER = """
from functools import lru_cache, wraps
def scaled(by):
    def decorate(function):
        @wraps(function)
        def wrapper(*args): return function(*args) * by
        return wrapper
    return decorate
@scaled(by=3)
def helper(x): return x + 1
@lru_cache
def cached(x): return x + 2
@op
def run(x): return helper(x) + cached(x)
"""
GLOBALS = """
import math
LIMIT = 10
UNUSED = 11
TABLE = {"a": [1, 2]}
LETTERS = frozenset("abc")
square = lambda x: x * x
pick = [lambda x: x + 1, lambda x: x + 2]
@op
def run(x):
    return TABLE["a"], LIMIT, square(x), pick[0](x), LETTERS, math.pi
"""
RECURSION = """
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
def down(n): return down(n - 1) if n else 0
@op
def run(x): return even(x) + down(x)
"""
SELF = """
@op
def run(x, n=3): return run(x, n) if x else 0
"""
STAR = {
    "wf.py": """
from consts import *
@op
def run(x): return LIMIT + shift(x)
""",
    "consts.py": "LIMIT = 1\nOTHER = 2\ndef shift(x): return x + OFFSET\nOFFSET = 5\n",
}
IMPORTED = {
    "wf.py": """
from consts import LIMIT as BOUND
import consts as c
@op
def run(x): return BOUND + c.RATE
""",
    "consts.py": "LIMIT = 1\nRATE = 2\nOTHER = 3\n",
}
INSIDE = {
    "wf.py": """
@op
def run(x):
    import tools
    import pack.inner as inner
    from pack import outer
    from tools import other as alias
    return tools.used(x) + inner.used(x) + outer.used(x) + alias(x)
""",
    "tools.py": "def used(x): return 1\ndef other(x): return 2\ndef unused(x): return 3\n",
    "pack/__init__.py": "",
    "pack/inner.py": "def used(x): return 4\ndef unused(x): return 5\n",
    "pack/outer.py": "def used(x): return 6\ndef unused(x): return 7\n",
}
WHOLE = {
    "wf.py": """
import tools
@op
def run(x): return getattr(tools, x)()
""",
    "tools.py": "def one(): return 1\nN = 2\n",
}
WHOLE_EVAL = {
    "wf.py": "import tools\n@op\ndef run(x): return eval(x)\nHERE = 4\n",
    "tools.py": "def one(): return 1\n",
}
WHOLE_GLOBALS = "def one(): return 1\n@op\ndef run(x): return globals()[x]\n"
WHOLE_IMPORTLIB = {
    "wf.py": "import importlib, tools\n@op\ndef run(x): return importlib.import_module(x)\n",
    "tools.py": "def one(): return 1\n",
}
NAMED_IMPORTLIB = {
    "wf.py": "import importlib, other\n@op\ndef run(x): return importlib.import_module('tools').one()\n",
    "tools.py": "def one(): return 1\n",
    "other.py": "def two(): return 2\n",
}
DATACLASS = """
from dataclasses import dataclass, field
@dataclass
class Params:
    a: int = 1
    b: list = field(default_factory=list)
    def both(self): return self.a, self.b
@op
def run(x): return Params().both()
"""
ENUM = """
import enum
class Kind(enum.Enum):
    A = 1
    B = 2
    def double(self): return self.value * 2
@op
def run(x): return Kind.A.double()
"""
NAMED = """
from typing import NamedTuple
class Point(NamedTuple):
    x: int
    y: int = 0
@op
def run(x): return Point(x)
"""
PARTIAL = """
from functools import partial
def base(x, scale, shift=0): return x * scale + shift
run = op(partial(base, scale=2))
other = partial(base, scale=3)
"""
METHOD = """
class Tools:
    RATE = 2
    @classmethod
    @op
    def never(cls): ...
    @staticmethod
    def scale(x): return x * 2
    @classmethod
    def shift(cls, x): return x + cls.RATE
run = op(Tools.shift)
"""
DISPATCH = """
from functools import singledispatch
@singledispatch
def show(x): return 1
@show.register
def _(x: int): return 2
@op
def run(x): return show(x)
"""
REGISTRY = """
HANDLERS = {}
def register(function):
    HANDLERS[function.__name__] = function
    return function
@register
def one(x): return 1
@register
def two(x): return HANDLERS["one"](x)
@op
def run(x): return HANDLERS[x](x)
"""
ANNOTATED = """
from __future__ import annotations
class Model:
    depth: int = 1
@op
def run(x: Model) -> int:
    y: int = 1
    return y
"""
NESTED = """
K = 3
@op
def run(x):
    def inner(y):
        return [K + z for z in y]
    return inner(x)
"""
METACLASS = """
class Meta(type):
    def __call__(cls, *a): return super().__call__(*a)
class Thing(metaclass=Meta):
    pass
@op
def run(x): return Thing()
"""
MISSING = "@op\ndef run(x): return later(x)\n"
ATTRIBUTE = "def helper(x): return helper.rate * x\nhelper.rate = 3\n@op\ndef run(x): return helper(x)\n"

LAZY = {
    "wf.py": """
def load():
    global tools
    import tools
@op
def run(x):
    load()
    return tools.go(x)
""",
    "tools.py": "def go(x): return 1\n",
}
LAZY_SELF = {
    "wf.py": """
@op
def run(x):
    global tools
    import tools
    return tools.go(x)
""",
    "tools.py": "def go(x): return 1\n",
}
PLUGINS = {
    "wf.py": """
from base import Base
import plugin
@op
def run(x): return [each().go() for each in Base.__subclasses__()]
""",
    "base.py": "class Base: pass\n",
    "plugin.py": "from base import Base\nclass Plugin(Base):\n    def go(self): return 1\n",
}
LOCAL_FROM = {
    "wf.py": """
@op
def run(x):
    from pack import inner
    return [inner.go(y) for y in x]
""",
    "pack/__init__.py": "",
    "pack/inner.py": "def go(x): return 1\ndef unused(x): return 2\n",
}
CHAINED = {
    "wf.py": """
import pack.tools as t
@op
def run(x): return t.Config.inner.depth, t.TABLE["k"].go()
""",
    "pack/__init__.py": "",
    "pack/tools.py": """
class Inner:
    depth = 1
    def go(self): return 2
class Config:
    inner = Inner
TABLE = {"k": Inner()}
UNUSED = 5
""",
}
SUPER = """
class Base:
    def go(self): return 1
class Child(Base):
    def go(self): return super().go() + 1
child = Child()
method = child.go
@op
def run(x): return method()
"""

LIVE_ANNOTATION = """
class Model:
    depth: int = 1
@op
def run(x: Model, y: list[Model] = ()): return x
"""
DEFAULTS = """
def helper(x, y=1, *, z=(1, 2)): return x
@op
def run(x): return helper(x)
"""
RELATIVE = {
    "wf.py": "from pack.inner.deep import go\n@op\ndef run(x): return go(x)\n",
    "pack/__init__.py": "",
    "pack/inner/__init__.py": "",
    "pack/inner/deep.py": """
def go(x):
    from . import near
    from .. import far
    from ..far import by_name
    return near.one(), far.two(), by_name()
""",
    "pack/inner/near.py": "def one(): return 1\n",
    "pack/far.py": "def two(): return 2\ndef by_name(): return 3\ndef unused(): return 4\n",
}
# More names than one byte can count.
MANY = "".join(f"K{i} = 1\n" for i in range(300)) + (
    "@op\ndef run(x): return [" + ", ".join(f"K{i}" for i in range(300)) + "]\n"
)
PYDANTIC = """
from pydantic import BaseModel, Field, field_validator
class Params(BaseModel):
    model_config = {"frozen": True}
    depth: int = Field(1, gt=0)
    @field_validator("depth", mode="after")
    @classmethod
    def check(cls, value): return value + 7
    def go(self): return 2
@op
def run(x): return Params().go()
"""

PASSING = """
SEEN = []
def mark(function):
    return function
@op
@mark
def run(x): return x
"""

CHANGES = [
    change("a decorator that gives its function back", PASSING, "    return function", "    SEEN.append(1)\n    return function", True),
    change("a class that is an annotation", LIVE_ANNOTATION, "depth: int = 1", "depth: int = 2", True),
    change("a helper's default value", DEFAULTS, "y=1", "y=2", True),
    change("a helper's keyword-only default value", DEFAULTS, "(1, 2)", "(1, 3)", True),
    change("a relative import inside a function", RELATIVE, "return 1", "return 9", True, "pack/inner/near.py"),
    change("one from the package above", RELATIVE, "return 2", "return 9", True, "pack/far.py"),
    change("one from a module of the package above", RELATIVE, "return 3", "return 9", True, "pack/far.py"),
    change("its unused neighbour there", RELATIVE, "return 4", "return 9", False, "pack/far.py"),
    # Ways round a name
    change("a module imported into globals by another function", LAZY, "return 1", "return 2", True, "tools.py"),
    change("a module imported into globals by itself", LAZY_SELF, "return 1", "return 2", True, "tools.py"),
    change("a plugin found by __subclasses__", PLUGINS, "return 1", "return 2", True, "plugin.py"),
    change("a local import used in a comprehension", LOCAL_FROM, "return 1", "return 9", True, "pack/inner.py"),
    change("its unused neighbour", LOCAL_FROM, "return 2", "return 9", False, "pack/inner.py"),
    change("a class attribute behind a chain", CHAINED, "depth = 1", "depth = 3", True, "pack/tools.py"),
    change("a method of an object in a table", CHAINED, "return 2", "return 3", True, "pack/tools.py"),
    change("a neighbour of the chain", CHAINED, "UNUSED = 5", "UNUSED = 6", False, "pack/tools.py"),
    change("a method behind super", SUPER, "return 1", "return 2", True),
    # Layout
    change("a comment", PLAIN, "# a comment", "# another", False),
    change("layout", PLAIN, "total += x", "total += (\n            x\n        )", False),
    change("blank lines above", PLAIN, "@op", "\n\n\n@op", False),
    change("a docstring", PLAIN, "Doc.", "Other doc.", False),
    change("a docstring taken away", PLAIN, '    """Doc."""\n', "", False),
    change("a helper's docstring", HELPER, "return x.strip()", '"""Doc."""\n    return x.strip()', False),
    change("another statement in the module", PLAIN, "@op", "print\nx = 3\n@op", False),
    change("quotes", GLOBALS, 'TABLE["a"]', "TABLE['a']", False),
    change("the operator's stage", PLAIN, "@op", '@op(stage="learn")', False),
    # The operator itself
    change("a constant in the body", PLAIN, "total = 0", "total = 1", True),
    change("an operation", PLAIN, "+=", "-=", True),
    change("1 becomes 1.0", PLAIN, "total = 0", "total = 0.0", True),
    change("1 becomes True", "@op\ndef run(x): return 1\n", "return 1", "return True", True),
    change("1 becomes a text", "@op\ndef run(x): return 1\n", "return 1", "return '1'", True),
    change("the last of many globals", MANY, "K299 = 1", "K299 = 2", True),
    change("0.0 becomes -0.0", "@op\ndef run(x): return 0.0\n", "0.0", "-0.0", True),
    change("an annotation", PLAIN, "run(x, n=2)", "run(x: int, n=2)", True),
    change("an annotation's text", ANNOTATED, "-> int", "-> float", True),
    change("a local annotation", ANNOTATED, "y: int", "y: float", True),
    change("a class that an annotation names", ANNOTATED, "depth: int = 1", "depth: int = 2", True),
    change("a variable's name", PLAIN, "total", "amount", True),
    change("a default of a parameter that is not passed", PLAIN, "n=2", "n=3", True),
    change("a parameter made keyword-only", PLAIN, "x, n=2", "x, *, n=2", True),
    change("the operator's name", PLAIN + "\nrun = run\n", "def run", "def walk", True)._replace(
        after={"wf.py": HEAD + PLAIN.replace("def run", "def walk") + "run = walk\n" + TAIL}
    ),
    change("outputs renamed", PLAIN, "@op", '@op(outputs=("result", "b"))', True),
    # Helpers
    change("a helper in the same module", HELPER, "x.strip()", "x.lower()", True),
    change("a function that is not reached", HELPER, "return 1", "return 2", False),
    change("a helper's new default", HELPER, "def clean(x)", "def clean(x, y=1)", True),
    change("a helper in another module", MODULES, "[:LIMIT]", "[LIMIT:]", True, "helpers/clean.py"),
    change("a constant in another module", MODULES, "LIMIT = 3", "LIMIT = 4", True, "helpers/clean.py"),
    change("an unused constant there", MODULES, "OTHER = 4", "OTHER = 5", False, "helpers/clean.py"),
    change("an unused function there", MODULES, "return 1", "return 2", False, "helpers/clean.py"),
    change("a comment there", MODULES, "LIMIT = 3", "LIMIT = 3  # hm", False, "helpers/clean.py"),
    change("a helper two deep", MODULES, "second(x)", "second(x) + 1", True, "helpers/deep.py"),
    change("a helper three deep", MODULES, "x + 1", "x + 2", True, "helpers/deeper.py"),
    change("a helper put in another's place", HELPER + "pick = clean\n", "return clean(x)", "return pick(x)", True),
    change("what a global name means", "def a(x): return 1\ndef b(x): return 2\nc = [a, b]\nuse = a\n@op\ndef run(x): return use(c)\n", "use = a", "use = b", True),
    change("two helpers that change places", "def a(x): return 1\ndef b(x): return 2\nc = [a, b]\n@op\ndef run(x): return c\n", "[a, b]", "[b, a]", True),
    change("a name that is not bound yet", MISSING, "@op", "later = 3\n@op", True),
    change("a name that stays unbound", MISSING, "@op", "earlier = 3\n@op", False),
    # Classes
    change("a method", CLASSES, "self.low() +", "self.low() -", True),
    change("a base class's method", CLASSES, "def low(self): return 1", "def low(self): return 2", True),
    change("the base class", CLASSES, "Cleaner(Base)", "Cleaner(Other)", True),
    change("a class that is not reached", CLASSES, "return 3", "return 4", False),
    change("a class constant", CLASSES, "LIMIT = 5", "LIMIT = 6", True),
    change("a property", CLASSES, "return 6", "return 9", True),
    change("a static method", CLASSES, "return 7", "return 9", True),
    change("a class method", CLASSES, "return 8", "return 9", True),
    change("methods in another order", CLASSES, "    @property\n    def size(self): return 6\n    @staticmethod\n    def still(): return 7\n", "    @staticmethod\n    def still(): return 7\n    @property\n    def size(self): return 6\n", False),
    change("a method's comment", CLASSES, "return 6", "return 6  # six", False),
    change("a metaclass's method", METACLASS, "super().__call__(*a)", "super().__call__()", True),
    change("the state of an instance", INSTANCE, "self.depth = 3", "self.depth = 4", True),
    change("a method of an instance", INSTANCE, "self.depth + 1", "self.depth + 2", True),
    change("a dataclass's default", DATACLASS, "a: int = 1", "a: int = 2", True),
    change("a dataclass's annotation", DATACLASS, "a: int", "a: float", True),
    change("a dataclass's factory", DATACLASS, "default_factory=list", "default_factory=dict", True),
    change("a dataclass frozen", DATACLASS, "@dataclass\n", "@dataclass(frozen=True)\n", True),
    change("a dataclass's method", DATACLASS, "self.a, self.b", "self.b, self.a", True),
    change("an enum's value", ENUM, "B = 2", "B = 3", True),
    change("an enum's method", ENUM, "self.value * 2", "self.value * 3", True),
    change("a named tuple's default", NAMED, "y: int = 0", "y: int = 1", True),
    change("a named tuple's fields", NAMED, "x: int\n", "z: int\n", True),
    # Closures, lambdas, decorators
    change("a closure's cell", CLOSURE, "make(10)", "make(11)", True),
    change("a closure's code", CLOSURE, "x > threshold", "x >= threshold", True),
    change("a decorator", DECORATED, "* 2", "* 3", True),
    change("what it decorates", DECORATED, "x + 1", "x + 2", True),
    change("a decorator's argument", DECORATED_HELPER, "by=3", "by=4", True),
    change("a function under functools.wraps", DECORATED_HELPER, "x + 1", "x + 9", True),
    change("a function under lru_cache", DECORATED_HELPER, "x + 2", "x + 9", True),
    change("a lambda", GLOBALS, "x * x", "x ** 2", True),
    change("the first of two lambdas on a line", GLOBALS, "x + 1,", "x + 3,", True),
    change("the second of two lambdas on a line", GLOBALS, "x + 2", "x + 3", True),
    change("a function attribute", ATTRIBUTE, "rate = 3", "rate = 4", True),
    change("a single-dispatch function", DISPATCH, "return 2", "return 3", True),
    change("an entry of a registry", REGISTRY, "return 1", "return 3", True),
    change("the code of a registry", REGISTRY, 'HANDLERS["one"](x)', 'HANDLERS["one"](x) + 1', True),
    # Constants
    change("a module constant", GLOBALS, "LIMIT = 10", "LIMIT = 12", True),
    change("a constant that is not used", GLOBALS, "UNUSED = 11", "UNUSED = 12", False),
    change("a constant's type", GLOBALS, "LIMIT = 10", "LIMIT = 10.0", True),
    change("inside a mutable global", GLOBALS, "[1, 2]", "[1, 3]", True),
    change("a set written in another order", GLOBALS, '"abc"', '"cab"', False),
    change("a set", GLOBALS, '"abc"', '"abd"', True),
    change("a constant that is calculated otherwise", GLOBALS, "LIMIT = 10", "LIMIT = 5 + 5", False),
    change("a constant of a nested function", NESTED, "K = 3", "K = 4", True),
    change("an imported constant", IMPORTED, "LIMIT = 1", "LIMIT = 2", True, "consts.py"),
    change("a constant reached by a module", IMPORTED, "RATE = 2", "RATE = 3", True, "consts.py"),
    change("another constant of that module", IMPORTED, "OTHER = 3", "OTHER = 4", False, "consts.py"),
    change("a constant from a star import", STAR, "LIMIT = 1", "LIMIT = 2", True, "consts.py"),
    change("a constant behind a star import", STAR, "OFFSET = 5", "OFFSET = 6", True, "consts.py"),
    change("an unused name of a star import", STAR, "OTHER = 2", "OTHER = 3", False, "consts.py"),
    # Recursion
    change("recursion", RECURSION, "else 0", "else 1", True),
    change("mutual recursion, the near one", RECURSION, "n == 0 or", "n == 1 or", True),
    change("mutual recursion, the far one", RECURSION, "n != 0 and", "n != 1 and", True),
    change("the default of an operator that calls itself", SELF, "n=3", "n=4", True),
    # Imports inside functions
    change("an import inside: what is used", INSIDE, "return 1", "return 9", True, "tools.py"),
    change("an import inside: by another name", INSIDE, "return 2", "return 9", True, "tools.py"),
    change("an import inside: what is not used", INSIDE, "return 3", "return 9", False, "tools.py"),
    change("import a.b as c: what is used", INSIDE, "return 4", "return 9", True, "pack/inner.py"),
    change("import a.b as c: what is not used", INSIDE, "return 5", "return 9", False, "pack/inner.py"),
    change("from a import b: what is used", INSIDE, "return 6", "return 9", True, "pack/outer.py"),
    change("from a import b: what is not used", INSIDE, "return 7", "return 9", False, "pack/outer.py"),
    # Computed names
    change("getattr by a computed name", WHOLE, "return 1", "return 2", True, "tools.py"),
    change("getattr by a computed name: a constant", WHOLE, "N = 2", "N = 3", True, "tools.py"),
    change("eval: own module", WHOLE_EVAL, "HERE = 4", "HERE = 5", True),
    change("eval: another module", WHOLE_EVAL, "return 1", "return 2", True, "tools.py"),
    change("globals()", WHOLE_GLOBALS, "return 1", "return 2", True),
    change("an import by a computed name", WHOLE_IMPORTLIB, "return 1", "return 2", True, "tools.py"),
    change("an import by a name in quotes", NAMED_IMPORTLIB, "return 1", "return 2", True, "tools.py"),
    change("another module then", NAMED_IMPORTLIB, "return 2", "return 3", False, "other.py"),
    # Classes that others make
    *(
        change(f"a pydantic model: {name}", PYDANTIC, old, new, recompute)
        for name, old, new, recompute in (
            ("a comment", "return 2", "return 2  # two", False),
            ("a method", "return 2", "return 3", True),
            ("a default", "Field(1", "Field(2", True),
            ("a constraint", "gt=0", "gt=1", True),
            ("a validator", "value + 7", "value + 8", True),
            ("a validator's mode", "after", "before", True),
            ("its settings", "True", "False", True),
        )
        if importlib.util.find_spec("pydantic")
    ),
    # Partials and methods
    change("the function of a partial", PARTIAL, "x * scale", "x / scale", True),
    change("what a partial binds", PARTIAL, "scale=2", "scale=4", True),
    change("another partial", PARTIAL, "scale=3", "scale=4", False),
    change("a class method as operator", METHOD, "x + cls.RATE", "x - cls.RATE", True),
    change("its class", METHOD, "RATE = 2", "RATE = 3", True),
]  # fmt: skip


@pytest.mark.parametrize("row", CHANGES, ids=[row.name for row in CHANGES])
def test_a_change_recomputes_exactly_where_it_must(row: Change, tmp_path: Path):
    before = signed(tmp_path / "before", row.before)
    after = signed(tmp_path / "after", row.after)
    assert (before.outputs["result"] != after.outputs["result"]) == row.recompute
    # The parts say what changed wherever something did.
    assert (before.parts != after.parts or before.outputs.keys() != after.outputs.keys()) == row.recompute


@pytest.mark.parametrize("row", CHANGES, ids=[row.name for row in CHANGES])
def test_the_same_files_in_another_folder_sign_alike(row: Change, tmp_path: Path):
    assert signed(tmp_path / "one", row.before) == signed(tmp_path / "two", row.before)


def test_the_table_covers_enough():
    assert len(CHANGES) >= 60
    assert len({row.name for row in CHANGES}) == len(CHANGES)
