# ruff: noqa: E501
"""A function's source counts only where it is what runs; otherwise its bytecode does."""

from __future__ import annotations

import ast
import json
import linecache
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest
from projects import imported, signed

from mile_rl.workflows import code
from mile_rl.workflows.bytecode import scan
from mile_rl.workflows.code import code_of
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.operator import op
from mile_rl.workflows.sign import Signer
from mile_rl.workflows.source import Sources

TEXT = """
from mile_rl.workflows.operator import op
RATE = 2
def helper(x):
    return x + 1
@op
def run(x):
    return helper(x) * RATE
def wf(): return run(1)
"""


def forget():
    code._KNOWN.clear()


def test_a_file_edited_after_its_import_does_not_pass_for_the_running_code(tmp_path):
    edited = TEXT.replace("x + 1", "x + 2")
    old, new = (signed(tmp_path / f"{at}", {"wf.py": text}) for at, text in enumerate((TEXT, edited)))
    with imported(tmp_path / "live", {"wf.py": TEXT}) as dag:
        (tmp_path / "live" / "wf.py").write_text(edited)
        forget()
        live = Signer().sign(dag)["run"]
        # The old code still runs: neither the new file's signature, nor (unseen) the old file's.
        assert live.digest not in (old.digest, new.digest)
        assert live.parts["helper wf.helper"] not in (
            old.parts["helper wf.helper"],
            new.parts["helper wf.helper"],
        )
        # What is as it was is still told by its source.
        assert live.parts["operator run"] == old.parts["operator run"]
        (tmp_path / "live" / "wf.py").write_text(TEXT)
        forget()
        assert Signer().sign(dag)["run"] == old


def test_a_file_edited_after_its_first_signing_changes_nothing_in_this_process(tmp_path):
    with imported(tmp_path, {"wf.py": TEXT}) as dag:
        before = Signer().sign(dag)
        (tmp_path / "wf.py").write_text(TEXT.replace("x + 1", "x + 2"))
        assert Signer().sign(dag) == before
        (tmp_path / "wf.py").unlink()
        assert Signer().sign(dag) == before


def test_lines_that_moved_do_not_matter(tmp_path):
    with imported(tmp_path, {"wf.py": TEXT}) as dag:
        before = Signer().sign(dag)
        (tmp_path / "wf.py").write_text("# a comment\n\n\nimport sys\n" + TEXT)
        forget()
        assert Signer().sign(dag) == before


@pytest.mark.parametrize("text", ["", "def helper(:", "x = 1\n", "\0"])
def test_a_file_that_became_useless_falls_back_to_bytecode(tmp_path, text):
    with imported(tmp_path, {"wf.py": TEXT}) as dag:
        (tmp_path / "wf.py").write_text(text)
        forget()
        assert len(Signer().sign(dag)["run"].digest) == 32


def functions_of(text, name="<typed in>"):
    space: dict = {"__name__": "typed"}
    exec(compile(text, name, "exec", dont_inherit=True), space)
    return space


def digest_of(text, name="f"):
    return code_of(functions_of(text)[name], Sources()).digest


BYTECODE = [
    ("def f(x): return x + 1", "# comment\n\ndef f(x):\n    return (x +\n 1)", True),
    ("def f(x): return x + 1", "def f(x):\n    'doc'\n    return x + 1", None),
    ("def f(x):\n    'doc'\n    return x + 1", "def f(x):\n    'other'\n    return x + 1", True),
    ("def f(x): return x + 1", "def f(x): return x + 2", False),
    ("def f(x): return x + 1", "def f(x): return x + 1.0", False),
    ("def f(x): return x + 1", "def f(x): return x + True", False),
    ("def f(x): return 0.0", "def f(x): return -0.0", False),
    ("def f(x): return x + 1", "def f(y): return y + 1", False),
    ("def f(x): return x + 1", "def f(x): return x - 1", False),
    ("def f(x): return x.a", "def f(x): return x.b", False),
    ("def f(x): return g(x)", "def f(x): return h(x)", False),
    ("def f(x): return x", "def f(*x): return x", False),
    ("def f(x, y): return x", "def f(x, *, y): return x", False),
    ("def f(x): return [y + 1 for y in x]", "def f(x): return [y + 2 for y in x]", False),
    ("def f(x): return x in {1, 2, 3}", "def f(x): return x in {3, 2, 1}", True),
    ("def f(x): return x in {1, 2, 3}", "def f(x): return x in {1, 2, 4}", False),
    (
        "def f(x):\n try: return 1\n except KeyError: return 2",
        "def f(x):\n try: return 1\n except ValueError: return 2",
        False,
    ),
]


@pytest.mark.parametrize(("one", "two", "same"), [row for row in BYTECODE if row[2] is not None])
def test_without_source_bytecode_tells_functions_apart(one, two, same):
    assert (digest_of(one) == digest_of(two)) == same


@pytest.mark.parametrize(("one", "two"), [row[:2] for row in BYTECODE if row[2] is False])
def test_whatever_was_edited_after_the_import_the_new_text_is_not_believed(one, two, tmp_path):
    path = tmp_path / "module.py"
    space: dict = {"__name__": "module", "__file__": str(path)}
    exec(compile(one, str(path), "exec", dont_inherit=True), space)
    path.write_text(two)
    assert not code_of(space["f"], Sources()).from_source
    forget()
    path.write_text(one)
    assert code_of(space["f"], Sources()).from_source


def cell(number, text, monkeypatch):
    """Run a text as a notebook does: known to linecache, in no file."""
    name = f"/tmp/ipykernel_1/{number}.py"
    monkeypatch.setitem(linecache.cache, name, (len(text), None, text.splitlines(True), name))
    return name


def test_a_function_redefined_in_a_notebook_counts_as_its_last_cell(monkeypatch):
    space: dict = {"__name__": "__main__", "op": op}
    main = types.ModuleType("__main__")
    vars(main).update(space)
    monkeypatch.setitem(sys.modules, "__main__", main)
    seen = []
    cells = [
        "def helper(x):\n    return x + 1\n@op\ndef run(x): return helper(x)\n",
        "def helper(x):\n    return x + 2\n",
        "\n# again\ndef helper(x):\n    '''Doc.'''\n    return x + 1\n",
    ]
    for number, text in enumerate(cells):
        exec(compile(text, cell(number, text, monkeypatch), "exec"), vars(main))
        seen.append(Signer().sign(Flow(lambda: vars(main)["run"](1)).capture())["run"].digest)
    assert seen[0] == seen[2] != seen[1]


def test_a_cell_has_its_source(monkeypatch):
    text = "# cell\ndef f(x):\n    '''Doc.'''\n    y: int = x\n    return y\n"
    space: dict = {"__name__": "__main__"}
    exec(compile(text, cell(77, text, monkeypatch), "exec", dont_inherit=True), space)
    assert code_of(space["f"], Sources()).from_source


SOURCED = """
import functools
def plain(x): return x
def outer(k):
    def inner(x): return x + k
    return inner
inner = outer(3)
class A:
    def method(self): return self.__secret
    class B:
        @staticmethod
        def deep(): return 1
method, deep = A.method, A.B.deep
if True:
    def conditional(x): return 1
else:
    def conditional(x): return 2
try:
    lambda_ = lambda x: x * 2
finally:
    pass
two = [lambda x: x + 1, lambda x: x + 2]
first, second = two
def decorate(f): return f
@decorate
@functools.wraps(plain)
def decorated(x): return 1
async def coroutine(): return 1
def generator(): yield 1
def defaults(x, y=lambda z: z + 1, *, w: int = 3): return y(x) + w
"""


@pytest.mark.parametrize(
    "name",
    "plain outer inner method deep conditional lambda_ first second decorated coroutine generator defaults".split(),
)
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_every_kind_of_function_is_found_in_its_source(name, future, tmp_path):
    path = tmp_path / "module.py"
    path.write_text(future + SOURCED)
    space: dict = {"__name__": "module", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), space)
    assert code_of(space[name], Sources()).from_source


def test_the_branch_that_runs_is_the_one_that_counts(tmp_path):
    path = tmp_path / "module.py"
    digests = []
    for one, two in ((1, 2), (1, 3), (3, 2)):
        path.write_text(f"if True:\n    def f(x): return {one}\nelse:\n    def f(x): return {two}\n")
        space: dict = {"__name__": "module", "__file__": str(path)}
        exec(compile(path.read_text(), str(path), "exec", dont_inherit=True), space)
        digests.append(code_of(space["f"], Sources()).digest)
    assert digests[0] == digests[1] != digests[2]


def test_a_body_put_into_a_function_from_outside_is_seen(tmp_path):
    with imported(tmp_path, {"wf.py": TEXT}) as dag:
        before = Signer().sign(dag)["run"].digest
        helper = dag.nodes["run"].operator.function.__globals__["helper"]
        helper.__code__ = helper.__code__.replace(co_consts=(None, 5))
        assert Signer().sign(dag)["run"].digest != before


def test_uses_of_names_are_read_from_bytecode():
    text = """
    import os
    def f(x):
        import a.b as c
        from .d import e
        def g(): return c.used(e)
        y = m.one.two(x)
        m.three = 1
        return [os.environ["K"] + n for n in z], "Q" in os.environ, u
    """
    function = functions_of(textwrap.dedent(text))["f"]
    found = scan(function.__code__)
    names = {(use.name, *use.attributes) for use in found.uses}
    assert {("m", "one", "two"), ("m", "three"), ("u",), ("z",), ("c", "used"), ("e",)} <= names
    assert {use.key for use in found.uses if use.name == "os"} == {"K", "Q"}
    assert {name for name, _ in found.imports} == {"c", "e"}
    assert dict(found.imports)["e"] == (1, "d", "e")
    assert found.stores


SCRIPT = """
import json, sys
from mile_rl.workflows.operator import op
from mile_rl.workflows.file import File
from mile_rl.workflows.flow import Flow
from mile_rl.workflows.sign import Signer
import helpers
import numpy as np
import logging
log = logging.getLogger(__name__)
LETTERS = {"alpha", "beta", "gamma", "delta"}
BOTH = {helpers.go, len}
class Model:
    depth = {"a", "b", "c"}
    def go(self): return LETTERS
@op
def run(path, kinds, xs=np.arange(4), f=None):
    def inner(y): return {z for z in LETTERS}
    log.info("x")
    return helpers.go(Model().go(), inner), __name__, BOTH
@op
def end(a, b): return a
def wf():
    first = run(File("data.csv"), {"x", "y", "z"}, f=helpers.go)
    return end(first, frozenset({"p", "q", ("r", 1)}))
def main():
    dag = Flow(wf).capture()
    print(json.dumps({name: [s.digest, dict(s.parts)] for name, s in Signer().sign(dag).items()}))
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT)
    (folder / "helpers.py").write_text("WORDS = frozenset('abcdef')\ndef go(*x): return WORDS, go\n")
    (folder / "data.csv").write_text("1,2")
    return folder / "script.py"


def run_python(*arguments, cwd, seed, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_signatures_are_the_same_in_every_process_folder_and_hash_seed(script, tmp_path):
    first = run_python(script, cwd=tmp_path, seed=0)
    assert len(first) == 2
    assert run_python(script, cwd="/", seed=1) == first
    assert run_python("script.py", cwd=script.parent, seed=2) == first
    moved = tmp_path / "elsewhere"
    script.parent.rename(moved)
    assert run_python(moved / "script.py", cwd="/", seed=3) == first


def test_a_script_and_the_same_file_imported_sign_alike(script, tmp_path):
    as_script = run_python(script, cwd=tmp_path, seed=0)
    code = "import script; script.main()"
    assert run_python("-c", code, cwd=script.parent, seed=5) == as_script
    assert run_python("-m", "script", cwd=script.parent, seed=6) == as_script


def test_a_script_in_a_package_signs_like_the_package_s_module(script, tmp_path):
    (script.parent / "__init__.py").touch()
    as_script = run_python(script, cwd="/", seed=0)
    path = os.pathsep.join((str(tmp_path), str(script.parent)))
    code = "import project.script; project.script.main()"
    assert run_python("-c", code, cwd="/", seed=5, PYTHONPATH=path) == as_script


def test_signing_imports_no_library_that_is_not_used(script):
    text = SCRIPT.replace("import numpy as np\n", "").replace("np.arange(4)", "4")
    text = text.replace("def main():", "def main():\n    before = set(sys.modules)")
    text = text.replace("print(json", "_ = (json").replace(
        "for name, s in Signer().sign(dag).items()}))",
        "for name, s in Signer().sign(dag).items()}))\n    print(json.dumps(sorted(set(sys.modules) - before)))",
    )
    ast.parse(text)
    script.write_text(text)
    loaded = run_python(script, cwd="/", seed=0)
    heavy = {"numpy", "pandas", "scipy", "polars", "sklearn", "networkx", "importlib.metadata", "sysconfig"}
    assert not heavy & set(loaded), loaded


def test_a_helper_imported_inside_a_function_is_imported_and_an_installed_one_is_not(tmp_path):
    text = """
from mile_rl.workflows.operator import op
@op
def run(x):
    import tools
    import colorsys
    return tools.go()
def wf(): return run(1)
"""
    sys.modules.pop("colorsys", None)
    with imported(tmp_path, {"wf.py": text, "tools.py": "def go(): return 1\n"}) as dag:
        assert "helper tools.go" in Signer().sign(dag)["run"].parts
        assert "colorsys" not in sys.modules


def test_a_module_that_fails_to_import_counts_as_missing(tmp_path):
    text = "from mile_rl.workflows.operator import op\n@op\ndef run(x):\n    import broken\n    return broken.x\ndef wf(): return run(1)\n"
    first = signed(tmp_path / "a", {"wf.py": text, "broken.py": "1 / 0\n"})
    second = signed(tmp_path / "b", {"wf.py": text, "broken.py": "x = 1\n"})
    assert first.digest != second.digest


def test_a_compiled_module_of_the_persons_own_counts_by_its_file(tmp_path):
    text = "from mile_rl.workflows.operator import op\nimport fast\n@op\ndef run(x): return fast.go(x)\ndef wf(): return run(1)\n"

    def sign_with(content):
        module = types.ModuleType("fast")
        folder = tmp_path / content
        folder.mkdir()
        library: Path = folder / "fast.so"
        library.write_text(content)
        module.__file__ = str(library)
        module.go = _builtin_of("fast")  # type: ignore[attr-defined]
        sys.modules["fast"] = module
        try:
            return signed(folder, {"wf.py": text}).digest
        finally:
            del sys.modules["fast"]

    assert sign_with("two") != sign_with("three")


def _builtin_of(module):
    """Stand in for a function of an extension module: a built-in that says it belongs to it."""
    import ctypes

    pythonapi = ctypes.pythonapi
    pythonapi.PyCFunction_NewEx.restype = ctypes.py_object
    pythonapi.PyCFunction_NewEx.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.py_object]
    return pythonapi.PyCFunction_NewEx(_definition(), None, module)


_KEPT: list = []


def _definition():
    import ctypes

    class Definition(ctypes.Structure):
        _fields_ = (
            ("name", ctypes.c_char_p),
            ("function", ctypes.c_void_p),
            ("flags", ctypes.c_int),
            ("doc", ctypes.c_char_p),
        )

    definition = Definition(b"go", None, 0x0008, None)
    _KEPT.append(definition)
    return ctypes.addressof(definition)
