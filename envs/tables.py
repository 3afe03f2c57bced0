"""A bank's arrays and the episodes' states, as compiled code reads them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from envs import columns
from envs.bank import Bank
from envs.conditions import Conditions
from envs.errors import ScriptError
from envs.script import CODECS
from mile_rl.policies.appraisal import UNTUNED, ExpectedSettings
from mile_rl.policies.ledger import Terms
from mile_rl.policies.outlook import MOST_SCENARIOS

Array = npt.NDArray[Any]


class Pack(NamedTuple):
    """All scripts of a bank end to end; nodes, outputs, iterations and scenarios are numbered through.

    Columns are named in ``envs.columns``. Tables with ``*_ptr`` columns have a last row that only ends them.
    """

    firsts: Array  # int64[scripts + 1, .], where each script begins
    nodes: Array  # int64[n + 1, .]
    outs: Array  # int64[m, .]
    turns: Array  # int64[t + 1, .]
    scenes: Array  # int64[s + 1, .]
    items: Array  # int64[.], what the pointers point into: takes, versions, requests, outlooks, roots
    times: Array  # float64[n], what nodes truly take
    scenario_p: Array  # float64[s]
    stop: Array  # float64[t]


class State(NamedTuple):
    """The episodes that are under way, a row each; columns are named in ``envs.columns``.

    Nodes and outputs are those of the episode's script, counted from its first.
    """

    ints: Array
    reals: Array
    node_f: Array
    name_f: Array
    node_i: Array
    out_f: Array
    out_i: Array
    scene_f: Array
    channel: Array
    marks: Array  # scratch, shared, from here on
    node_w: Array
    node_x: Array
    out_w: Array
    row_x: Array
    sizes: Array  # int64[m + 1]
    victims: Array  # bool[m + 1]
    pattern: Array  # int64[s]
    spared: Array  # float64[s, m + 1]


def pack_bank(bank: Bank) -> Pack:
    """Return a bank's arrays, numbered through.

    Raises:
        ScriptError: the bank is empty, or an outlook has more scenarios than a policy looks at.
    """
    if not len(bank):
        raise ScriptError("the bank is empty: make one with `python -m envs make --sessions 2000 --out FILE`")
    arrays, starts = bank.packed()
    node0, out0, turn0 = starts["node_ns"], starts["output_bytes"], starts["think_s"]
    items: list[Array] = []

    def shifted(name: str, by: Array) -> Array:
        whole: Array = arrays[name] + np.repeat(by[:-1], np.diff(starts[name]))
        return whole

    def chained(name: str, by: Array) -> Array:
        """Return CSR pointers of all scripts as one: each script's last is the next one's first."""
        keep = np.ones(arrays[name].size, dtype=np.bool_)
        keep[starts[name][1:-1] - 1] = False
        return shifted(name, by)[keep]

    def pointed(pointers: str, values: str, by: Array) -> Array:
        before = sum(part.size for part in items)
        items.append(shifted(values, by))
        return chained(pointers, starts[values]) + before

    output_node = shifted("output_node", node0)
    scenario_ptr = chained("scenario_ptr", starts["scenario_p"])
    if np.diff(scenario_ptr).max() > MOST_SCENARIOS:
        raise ScriptError(f"an outlook has more than {MOST_SCENARIOS} scenarios; make the bank again")
    last = np.zeros(1, dtype=np.int64)
    nodes = (
        *(np.concatenate([arrays[name], last]) for name in ("node_name", "node_operator", "node_stage")),
        pointed("take_ptr", "take_output", out0),
        np.searchsorted(output_node, np.arange(node0[-1] + 1)),
    )
    turns = (
        pointed("version_ptr", "version_node", node0),
        pointed("request_ptr", "request_output", out0),
        pointed("look_ptr", "look_node", node0),
        scenario_ptr,
    )
    scenes = (
        np.concatenate([arrays["scenario_kind"], last]),
        np.concatenate([shifted("scenario_turn", turn0), last]),
        pointed("root_ptr", "root_node", node0),
    )
    return Pack(
        firsts=_table(node0, out0, turn0),
        nodes=_table(*nodes),
        outs=_table(output_node, arrays["output_bytes"], arrays["output_codec"]),
        turns=_table(*turns),
        scenes=_table(*scenes),
        items=np.concatenate(items).astype(np.int64),
        times=arrays["node_ns"].astype(np.float64),
        scenario_p=arrays["scenario_p"],
        stop=arrays["stop"],
    )


def _table(*columns: Array) -> Array:
    return np.ascontiguousarray(np.stack(columns, axis=1).astype(np.int64))


def new_state(bank: Bank, episodes: int) -> State:
    """Return room for so many episodes at once, of any scripts of a bank."""
    e, s = episodes, MOST_SCENARIOS
    n = max(script.nodes for script in bank)
    m = max(script.outputs for script in bank)
    names = max(len(script.names) for script in bank)
    return State(
        ints=np.zeros((e, columns.WRITTEN + 1), dtype=np.int64),
        reals=np.zeros((e, columns.C_COMPUTE + 1)),
        node_f=np.zeros((e, columns.DEPTH + 1, n)),
        name_f=np.zeros((e, columns.BY_OPERATOR + 1, names)),
        node_i=np.zeros((e, columns.LOOKED + 1, n), dtype=np.int32),
        out_f=np.zeros((e, columns.WEIGHT + 1, m + 1)),
        out_i=np.zeros((e, columns.ALIVE + 1, m + 1), dtype=np.int32),
        scene_f=np.zeros((e, columns.COST + 1, s)),
        channel=np.zeros((e, columns.SAMPLES + 1, 2, len(CODECS))),
        marks=np.zeros(columns.ADDED + 1, dtype=np.int64),
        node_w=np.zeros((columns.STACK + 1, n), dtype=np.int32),
        node_x=np.zeros((columns.EXTRA + 1, n)),
        out_w=np.zeros((columns.NEAR + 1, m + 1), dtype=np.int32),
        row_x=np.zeros((columns.RANKED + 1, m + 1)),
        sizes=np.zeros(m + 1, dtype=np.int64),
        victims=np.zeros(m + 1, dtype=np.bool_),
        pattern=np.zeros(s, dtype=np.int64),
        spared=np.zeros((s, m + 1)),
    )


def constants(settings: ExpectedSettings = UNTUNED, terms: Terms | None = None) -> Array:
    """Return the policy's and the guard's constants and the powers of the decay, as the kernel reads them."""
    terms = terms or Terms()
    return np.array(
        [
            settings.discount,
            settings.least_end,
            settings.return_weight,
            settings.write_weight,
            settings.background,
            settings.decay,
            settings.blind,
            terms.share,
            terms.fraction,
            terms.allowance_ns,
            *(settings.decay**age for age in range(columns.MOST_FADES)),
        ],
        dtype=np.float64,
    )


def set_conditions(state: State, episode: int, script: int, conditions: Conditions) -> None:
    """Write down what an episode plays and where; the kernel's ``begin`` does the rest."""
    state.ints[episode, columns.SCRIPT] = script
    state.ints[episode, columns.SEED] = conditions.seed
    state.reals[episode, columns.BUDGET : columns.TRANSFER_SIGMA + 1] = (
        conditions.budget_bytes,
        conditions.read_latency_ns,
        conditions.read_bytes_per_s,
        conditions.write_latency_ns,
        conditions.write_bytes_per_s,
        conditions.compute_sigma,
        conditions.transfer_sigma,
    )
    for way, channel in enumerate((conditions.believed_read, conditions.believed_write)):
        state.channel[episode, columns.LATENCY, way] = channel.latency_ns
        state.channel[episode, columns.RATE, way] = channel.bytes_per_s
        state.channel[episode, columns.SAMPLES, way] = channel.samples
