"""``@op`` and ``@workflow`` keep the types of functions, as mypy sees them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytest.importorskip("mypy")

SNIPPET = """
    from mile_rl import File, op, workflow


    @op
    def plain(x: int, y: str = "a") -> float:
        return x + len(y)


    @op(stage="learn", outputs=("low", "high"))
    def two(x: float) -> tuple[float, float]:
        return x, x


    @workflow
    def flow(x: int, C: float = 1.0) -> dict[str, float]:
        low, high = two(plain(x))
        return {"low": low, "high": high}


    @workflow(name="named")
    def other(x: int) -> float:
        return plain(x)


    class Tools:
        @staticmethod
        @op
        def static(x: int) -> str:
            return str(x)


    reveal_type(plain)  # def (x: int, y: str =) -> float
    reveal_type(plain(1))  # float
    reveal_type(two(1.0))  # tuple[float, float]
    reveal_type(Tools.static(1))  # str
    reveal_type(flow(1))  # dict[str, float]
    reveal_type(flow.run(1, C=2.0))  # mile_rl.api.Iteration[dict[str, float]]
    reveal_type(flow.run(1).outputs)  # dict[str, float]
    reveal_type(flow.using(jobs=2).run(1).outputs)  # dict[str, float]
    reveal_type(flow.plan(1))  # mile_rl.engine.report.Report
    reveal_type(other.run(1).outputs)  # float
    plain("one")  # error: arg-type
    plain(1, 2)  # error: arg-type
    plain(z=1)  # error: call-arg
    plain()  # error: call-arg
    flow("one")  # error: arg-type
    flow.run(x="one")  # error: arg-type
    flow.run(1, D=2.0)  # error: call-arg
    flow.plan()  # error: call-arg
    flow.using(jobs=2).run("one")  # error: arg-type
    op(stage="other")  # error: call-overload
    File(3)  # error: arg-type
"""


def test_mypy_sees_the_types_of_operators_and_workflows(tmp_path):
    path = tmp_path / "snippet.py"
    path.write_text(textwrap.dedent(SNIPPET).lstrip())
    said = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache"),
         "--follow-imports", "silent", str(path)],
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    found: dict[int, list[str]] = {}
    for line, kind, text in re.findall(r"^\S*?snippet\.py:(\d+): (note|error): (.*)$", said.stdout, re.M):
        found.setdefault(int(line), []).append(f"{kind}: {text}")
    wrong = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        code, _, wanted = line.partition("  # ")
        here = found.pop(number, [])
        if wanted.startswith("error: "):
            right = any(f"[{wanted.removeprefix('error: ')}]" in text for text in here)
        elif wanted:
            right = any(_plain(text) == f"note: Revealed type is {_plain(wanted)}" for text in here)
        else:
            right = not here
        if not right:
            wrong.append((code, wanted, here))
    assert not wrong, said.stdout + said.stderr
    assert not found


def _plain(text: str) -> str:
    return text.replace('"', "").replace("builtins.", "").strip()
