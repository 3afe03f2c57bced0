"""Which column of the kernel's tables holds what.

The state of all episodes lies in a few arrays, because compiled code hands every array of a tuple over by itself.
"""

# ints, int64[e, .]: what is played and where it stands; whether a decision is waited for; the guard's sums.
(
    SCRIPT,
    SEED,
    TURN,
    STEP,
    OUTPUT,
    COUNT,
    USED,
    DECISIONS,
    HEARD,
    PENDING,
    RUNS,
    COMPUTED,
    SAVED,
    WRITTEN,
) = range(14)
# reals, float64[e, .]: the conditions, the outlook's sums, the times so far, and (c_) the candidate.
(
    BUDGET,
    READ_LATENCY,
    READ_RATE,
    WRITE_LATENCY,
    WRITE_RATE,
    COMPUTE_SIGMA,
    TRANSFER_SIGMA,
    NOTHING,
    RETURNING,
    WAITING,
    TIME_COMPUTING,
    TIME_LOADING,
    TIME_WRITING,
    C_RECREATION,
    C_MADE,
    C_LOAD,
    C_WRITE,
    C_ALLOWANCE,
    C_AHEAD,
    C_COMPUTE,
) = range(20)
# node_f, float64[e, ., n], times of nodes: measured (-1 is never), expected, of this iteration; edits.
BY_ROW, EXPECTED, ELAPSED, MEASURED, OWN_EDIT, LINEAGE_EDIT, DEPTH = range(7)
# name_f, float64[e, ., names]: the last time by a node's name and by its operator, -1 is never.
BY_NAME, BY_OPERATOR = range(2)
# node_i, int32[e, ., n]: whether the plan computes it, and the last iteration, plus 1, whose outlook had it.
COMPUTE, LOOKED = range(2)
# out_f, float64[e, ., m + 1]: of artifacts, and by rows (kept, then the candidate) what they are worth.
LOAD_NS, RECREATION_NS, MULTIPLIER, LOADED_NS, VALUE, SURVIVAL, REUSE, WORTH, WEIGHT = range(9)
# out_i, int32[e, ., m + 1]: whether it is kept, whether the plan loads it, the rows kept, uses, and in which
# scenarios it is valid, a bit for each.
HELD, LOADED, ROWS, RECORD_USED, LAST_USED, TAKERS, ALIVE = range(7)
# scene_f, float64[e, ., s].
CHANCE, COST = range(2)
# channel, float64[e, ., 2, codecs].
LATENCY, RATE, SAMPLES = range(3)
# Scratch that all episodes share, so that it stays in the processor's cache. marks, int64[.]: the last stamp, how
# many outputs a plan offers, whether it is simple.
STAMP, OFFERED, SIMPLE, ADDED = range(4)
# node_w, int32[., n].
REACHED, FORCED, EDGED, LOCAL_NODE, AGAIN, STACK = range(6)
# node_x, float64[., n].
EDGE, EXTRA = range(2)
# out_w, int32[., m + 1].
WANTED, OFFERS, CHOSEN, ROW_OF, LOCAL, MORE, NEAR = range(7)
# row_x, float64[., m + 1].
SAVING, FADING, TIMES, RANKED = range(4)
# firsts of the pack.
NODE0, OUT0, TURN0 = range(3)
# nodes of the pack.
NODE_NAME, NODE_OPERATOR, NODE_STAGE, TAKE_PTR, OUT_PTR = range(5)
# outs of the pack.
OUTPUT_NODE, OUTPUT_BYTES, OUTPUT_CODEC = range(3)
# turns of the pack.
VERSION_PTR, REQUEST_PTR, LOOK_PTR, SCENARIO_PTR = range(4)
# scenes of the pack.
SCENARIO_KIND, SCENARIO_TURN, ROOT_PTR = range(3)
# Ways through a channel, and what chance is for.
READS, WRITES = range(2)
# Behind the ten constants stand the powers of the decay, so many of them.
FADES = 10
MOST_FADES = 128
