"""Many episodes at once, compiled: what ``envs.session`` does with the production objects, number for number.

The values, the choice of victims and the observation are ``mile_rl.policies.value`` and ``observation``, compiled as
they stand; what ``mile_rl.policies.savings`` plans for is planned for in ``envs.valuing``, one scenario at a time. A
test plays the same scripts both ways and compares every decision, every observation and every nanosecond.

Words: an episode ``e`` is a row of the state; nodes, outputs, iterations and scenarios are numbered as in the pack,
and ``- nb`` and ``- ob`` turn them into places of the episode's own arrays.
"""

from __future__ import annotations

from envs.columns import (
    BUDGET,
    BY_NAME,
    BY_OPERATOR,
    BY_ROW,
    COMPUTE,
    COMPUTED,
    COUNT,
    DECISIONS,
    HELD,
    MULTIPLIER,
    NODE0,
    OUT0,
    OUT_PTR,
    OUTPUT,
    PENDING,
    RUNS,
    SAMPLES,
    SAVED,
    SCRIPT,
    SEED,
    STAMP,
    STEP,
    TIME_COMPUTING,
    TIME_LOADING,
    TIME_WRITING,
    TRANSFER_SIGMA,
    TURN,
    TURN0,
    USED,
    VERSION_PTR,
    WAITING,
    WRITTEN,
)
from envs.compiled import bare
from envs.deciding import answer, consider
from envs.turns import begin_turn, end_turn, enter


@bare
def begin(pack, state, e):
    """Make an episode ready; its script, seed, conditions and channels are set already."""
    n = pack.firsts[state.ints[e, SCRIPT] + 1, NODE0] - pack.firsts[state.ints[e, SCRIPT], NODE0]
    m = pack.firsts[state.ints[e, SCRIPT] + 1, OUT0] - pack.firsts[state.ints[e, SCRIPT], OUT0]
    if state.marks[STAMP] > 1 << 30:  # the marks have 32 bits
        state.marks[STAMP] = 0
        state.node_w[:, :] = 0
        state.out_w[:, :] = 0
    state.ints[e, TURN] = pack.firsts[state.ints[e, SCRIPT], TURN0]
    state.ints[e, STEP] = -1
    state.node_f[e, BY_ROW, :n] = -1.0
    state.name_f[e, BY_NAME, :] = -1.0
    state.name_f[e, BY_OPERATOR, :] = -1.0
    state.out_i[e, HELD, :m] = False
    state.out_f[e, MULTIPLIER, :m] = 1.0
    state.ints[e, COUNT] = 0
    state.ints[e, USED] = 0
    state.ints[e, RUNS] = 0
    state.ints[e, COMPUTED] = 0
    state.ints[e, SAVED] = 0
    state.ints[e, WRITTEN] = 0
    state.ints[e, PENDING] = False
    state.reals[e, WAITING] = 0.0
    state.reals[e, TIME_COMPUTING] = 0.0
    state.reals[e, TIME_LOADING] = 0.0
    state.reals[e, TIME_WRITING] = 0.0
    state.ints[e, DECISIONS] = 0


@bare
def advance(pack, seen, state, constants, e, multiplier, watched, out):
    """Play an episode up to its next decision.

    Args:
        pack, seen, state, constants: the tables.
        e: the episode.
        multiplier: the answer to the decision that is waited for, if any.
        watched: whether to value everything and write the observation, as for a learned policy.
        out: float32[observation.SIZE], overwritten where there is a decision and ``watched``.

    Returns:
        Whether there is a decision; False is the end of the session.
    """
    if state.ints[e, PENDING]:
        state.ints[e, PENDING] = False
        answer(pack, state, constants, e, multiplier)
        state.ints[e, OUTPUT] += 1
    last = pack.firsts[state.ints[e, SCRIPT] + 1, TURN0]
    while state.ints[e, TURN] < last:
        turn = state.ints[e, TURN]
        if state.ints[e, STEP] < 0:
            begin_turn(pack, state, e)
        start, end = pack.turns[turn, VERSION_PTR], pack.turns[turn + 1, VERSION_PTR]
        while start + state.ints[e, STEP] < end:
            g = pack.items[start + state.ints[e, STEP]]
            if state.node_i[e, COMPUTE, g - pack.firsts[state.ints[e, SCRIPT], NODE0]]:
                while state.ints[e, OUTPUT] < pack.nodes[g + 1, OUT_PTR]:
                    if consider(pack, seen, state, constants, e, g, state.ints[e, OUTPUT], watched, out):
                        state.ints[e, PENDING] = True
                        state.ints[e, DECISIONS] += 1
                        return True
                    state.ints[e, OUTPUT] += 1
            state.ints[e, STEP] += 1
            if start + state.ints[e, STEP] < end:
                enter(pack, state, e)
        end_turn(pack, state, e)
        state.ints[e, TURN] += 1
        state.ints[e, STEP] = -1
    return False


def spent(state, e):
    """Return what an episode spent on computing, loading and writing so far, in nanoseconds."""
    return state.reals[e, TIME_COMPUTING : TIME_WRITING + 1]


def used_bytes(state, e):
    """Return how much an episode's store holds."""
    return int(state.ints[e, USED])


@bare
def play_through(pack, seen, state, constants, e, out):
    """Play an episode to its end with multipliers of 1, and return how long the person waited."""
    begin(pack, state, e)
    while advance(pack, seen, state, constants, e, 1.0, False, out):
        pass
    return state.reals[e, WAITING]


@bare
def start(pack, seen, reference_seen, state, constants, reference, e, out):
    """Play the reference in an episode's conditions, then begin the episode and play on to its first decision.

    Args:
        pack, seen, state, constants: the tables.
        reference_seen, reference: those of the reference, which is played in the state's last row.
        e: the episode, whose conditions are set.
        out: float32[observation.SIZE], overwritten with the observation.

    Returns:
        What the person waits under the reference, and whether there is a decision.
    """
    other = state.ints.shape[0] - 1
    state.ints[other, SCRIPT], state.ints[other, SEED] = state.ints[e, SCRIPT], state.ints[e, SEED]
    for column in range(BUDGET, TRANSFER_SIGMA + 1):
        state.reals[other, column] = state.reals[e, column]
    for figure in range(SAMPLES + 1):
        for way in range(state.channel.shape[2]):
            for codec in range(state.channel.shape[3]):
                state.channel[other, figure, way, codec] = state.channel[e, figure, way, codec]
    waited_ns = play_through(pack, reference_seen, state, reference, other, out)
    begin(pack, state, e)
    return waited_ns, advance(pack, seen, state, constants, e, 1.0, True, out)


@bare
def step_all(pack, seen, state, constants, multipliers, out, running):
    """Answer every episode's decision and play on to its next one.

    Args:
        pack, seen, state, constants: the tables.
        multipliers: float64[e].
        out: float32[e, SIZE], the observations of the next decisions.
        running: bool[e], overwritten: whether there is one; episodes where there was none are left alone.
    """
    for e in range(running.shape[0]):
        if running[e]:
            running[e] = advance(pack, seen, state, constants, e, multipliers[e], True, out[e])
