"""Scripts made by hand and at random."""

from __future__ import annotations

import numpy as np

from envs.script import Script
from envs.writing import Expected, NodeRow, Writer
from mile_rl.policies.outlook import EDIT, NOTHING, RETURN

MS = 1_000_000
SECOND = 1_000 * MS
MB = 1_000_000


def chain(times_s, sizes_mb, versions, *, codec=0, outlooks=None, stop=0.1, name="chain") -> Script:
    """A chain a -> b -> c …: each version is the tuple of its nodes' codes; a new code makes new rows."""
    writer, rows = Writer(), {}
    stages = ("preprocess",) * (len(times_s) - 1) + ("learn",)
    turns = []
    for t, codes in enumerate(versions):
        version = []
        for depth in range(len(codes)):
            key = tuple(codes[: depth + 1])
            if key not in rows:
                rows[key] = writer.add_node(
                    NodeRow(
                        name="abcdefgh"[depth],
                        operator=f"op_{depth}",
                        stage=stages[depth],
                        code=codes[depth],
                        takes=((version[-1], 0),) if version else (),
                        compute_ns=int(times_s[depth] * SECOND),
                        outputs=((int(sizes_mb[depth] * MB), codec),),
                    )
                )
            version.append(rows[key])
        turns.append(version)
        expected = [Expected(kind=NOTHING, p=0.2, turn=t)]
        expected += [Expected(kind=EDIT, p=0.8 / len(version), turn=t, roots=(row,)) for row in version]
        if outlooks is not None:
            expected = outlooks(t, version)
        writer.add_turn(version, [writer.output(version[-1])], expected, stop=stop)
    return writer.script(name=name, source="simulated", group=name)


def random_script(rng: np.random.Generator, *, nodes=8, turns=6, name="random") -> Script:
    """A random DAG of random costs, edited at random, with returns; outlooks that are roughly right."""
    writer = Writer()
    codes = list(range(nodes))
    parents = [
        sorted(rng.choice(i, min(i, int(rng.integers(1, 3))), replace=False).tolist()) if i else []
        for i in range(nodes)
    ]
    widths = rng.integers(1, 3, nodes)
    picks = {(i, j): int(rng.integers(widths[j])) for i in range(nodes) for j in parents[i]}
    base_ns = np.exp(rng.uniform(np.log(2 * MS), np.log(20 * SECOND), nodes))
    base_bytes = np.exp(rng.uniform(np.log(1e3), np.log(1e9), (nodes, 2)))
    codecs = rng.choice([-1, 0, 1, 3], (nodes, 2), p=[0.1, 0.4, 0.3, 0.2])
    takers = {j for i in range(nodes) for j in parents[i]}
    leaves = [i for i in range(nodes) if i not in takers]
    rows, histories, fresh = {}, [], nodes
    for t in range(turns):
        move = rng.random()
        if t and move < 0.2 and len(histories) > 1:
            codes = list(histories[int(rng.integers(len(histories)))])
        elif t and move < 0.9:
            for i in rng.choice(nodes, int(rng.integers(1, 3)), replace=False):
                codes[i], fresh = fresh, fresh + 1
        histories.append(tuple(codes))
        version, keys = [], []
        for i in range(nodes):
            key = (i, codes[i], *(keys[j] for j in parents[i]))
            keys.append(key)
            if key not in rows:
                factor = np.exp(rng.normal(0, 0.3))
                rows[key] = writer.add_node(
                    NodeRow(
                        name=f"n{i}",
                        operator=f"op{i % 5}",
                        stage=("preprocess", "learn", "evaluate")[3 * i // nodes],
                        code=codes[i],
                        takes=tuple((version[j], picks[i, j]) for j in parents[i]),
                        compute_ns=int(base_ns[i] * factor),
                        outputs=tuple(
                            (int(base_bytes[i, k] * factor), int(codecs[i, k])) for k in range(widths[i])
                        ),
                    )
                )
            version.append(rows[key])
        share = rng.dirichlet(np.ones(nodes)) * 0.7
        expected = [Expected(kind=EDIT, p=float(share[i]), turn=t, roots=(version[i],)) for i in range(nodes)]
        back = int(rng.integers(t + 1))
        expected.append(Expected(kind=NOTHING, p=0.1, turn=t))
        expected.append(Expected(kind=RETURN, p=0.2, turn=back))
        requested = [writer.output(version[i]) for i in leaves]
        writer.add_turn(version, requested, expected, stop=float(rng.uniform(0, 0.3)))
    return writer.script(name=name, source="simulated", group=name)
