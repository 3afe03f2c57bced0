"""A script under given conditions as the oracle sees it: everything known in advance, the luck included."""

from __future__ import annotations

import numpy as np

from envs.conditions import Conditions
from envs.noise import COMPUTE, LOAD, WRITE, taken
from envs.script import Script
from experiments.agent.oracle import Story, Turn


def story_of(script: Script, conditions: Conditions) -> Story:
    """Return what really happens in a session, whatever the policy does.

    Args:
        script: the session.
        conditions: the disk and the luck; the same that ``envs.session.play`` is given.
    """
    read, write = (
        latency_ns + script.output_bytes / bytes_per_s * 1e9
        for latency_ns, bytes_per_s in (
            (conditions.read_latency_ns, conditions.read_bytes_per_s),
            (conditions.write_latency_ns, conditions.write_bytes_per_s),
        )
    )
    load_ns = np.full((script.turns, script.outputs), np.inf)
    write_ns = np.full((script.turns, script.outputs), np.inf)
    turns = []
    for t in range(script.turns):
        version = script.version(t)
        for node in version.tolist():
            for output in np.flatnonzero(script.output_node == node).tolist():
                if script.output_codec[output] >= 0:
                    sigma, seed = conditions.transfer_sigma, conditions.seed
                    load_ns[t, output] = taken(read[output], seed, LOAD, output, t, sigma)
                    write_ns[t, output] = taken(write[output], seed, WRITE, output, t, sigma)
        compute_ns = [
            taken(float(script.node_ns[i]), conditions.seed, COMPUTE, i, t, conditions.compute_sigma)
            for i in version.tolist()
        ]
        turns.append(
            Turn(
                nodes=version.astype(np.int64),
                compute_ns=np.array(compute_ns, dtype=np.float64),
                takes=[(i, int(o)) for i in version.tolist() for o in script.takes(i)],
                requested=script.requested(t).tolist(),
            )
        )
    return Story(
        turns=turns,
        output_node=script.output_node.astype(np.int64),
        size_bytes=script.output_bytes,
        load_ns=load_ns,
        write_ns=write_ns,
    )
