"""The planner's exact minimum cut, compiled: what everything in the environments is planned with.

The same problem and the same plan as ``mile_rl.planner.solve`` (the cheapest one with the smallest source side of
the cut, which is unique), tested against it on thousands of DAGs. Most questions are answered by one walk up from
what is requested; only where loading something takes longer than the computation of its own node is there a real
choice, left to Dinic's algorithm.
"""

from __future__ import annotations

import numpy as np

from envs.compiled import compiled

_SOURCE = 0
_SINK = 1


@compiled
def replan(compute_ns, load_ns, output_node, take_ptr, take_output, requested, loaded):
    """Return the least cost of getting the requested outputs; see ``mile_rl.policies.value``.

    Args:
        compute_ns: float64[n], whole numbers; nodes in topological order.
        load_ns: float64[m], whole numbers; negative where an output cannot be loaded.
        output_node: int32[m].
        take_ptr: int32[n + 1].
        take_output: int32[k].
        requested: bool[m].
        loaded: bool[m], overwritten with what that plan loads.
    """
    nodes = compute_ns.shape[0]
    outputs = load_ns.shape[0]
    wanted = np.zeros(outputs, dtype=np.bool_)
    forced = np.zeros(nodes, dtype=np.bool_)
    edge = np.zeros(nodes, dtype=np.float64)
    top = -1
    for o in range(outputs):
        loaded[o] = False
        if requested[o]:
            wanted[o] = True
            i = output_node[o]
            top = max(top, i)
            if load_ns[o] < 0:
                forced[i] = True
    total = 0.0
    for i in range(top, -1, -1):
        if forced[i]:
            total += compute_ns[i]
            for t in range(take_ptr[i], take_ptr[i + 1]):
                o = take_output[t]
                wanted[o] = True
                if load_ns[o] < 0:
                    forced[output_node[o]] = True
    offered = 0.0
    choice = False
    for o in range(outputs):
        if wanted[o] and not forced[output_node[o]]:
            i = output_node[o]
            loaded[o] = True
            offered += load_ns[o]
            edge[i] += load_ns[o]
            if edge[i] > compute_ns[i]:
                choice = True
    if choice:
        offered = _cut(compute_ns, load_ns, output_node, take_ptr, take_output, forced, loaded)
    return total + offered


@compiled
def computed(output_node, take_ptr, take_output, requested, loaded, compute):
    """Mark in ``compute`` (bool[n]) what a plan computes that loads ``loaded``."""
    outputs = output_node.shape[0]
    compute[:] = False
    for o in range(outputs):
        if requested[o] and not loaded[o]:
            compute[output_node[o]] = True
    for i in range(compute.shape[0] - 1, -1, -1):
        if compute[i]:
            for t in range(take_ptr[i], take_ptr[i + 1]):
                if not loaded[take_output[t]]:
                    compute[output_node[take_output[t]]] = True


@compiled
def _cut(compute_ns, load_ns, output_node, take_ptr, take_output, forced, loaded):
    """Load or compute the outputs marked in ``loaded``? Return the least cost; mark what is loaded then."""
    nodes = compute_ns.shape[0]
    outputs = load_ns.shape[0]
    infinite = 1.0
    for i in range(nodes):
        infinite += compute_ns[i]
    vertices = 2 + outputs + nodes  # output o is vertex 2 + o, node i is 2 + outputs + i
    most = 2 * (outputs + outputs + nodes + take_output.shape[0])
    first = np.full(vertices, -1, dtype=np.int32)
    follow = np.empty(most, dtype=np.int32)
    head = np.empty(most, dtype=np.int32)
    room = np.empty(most, dtype=np.float64)
    queue = np.empty(vertices, dtype=np.int32)
    arcs = 0
    seen = np.zeros(vertices, dtype=np.bool_)
    end = 0
    for o in range(outputs):
        if loaded[o]:
            arcs = _arc(first, follow, head, room, arcs, _SOURCE, 2 + o, infinite)
            seen[2 + o] = True
            queue[end] = 2 + o
            end += 1
    at = 0
    while at < end:
        vertex = queue[at]
        at += 1
        if vertex < 2 + outputs:
            o = vertex - 2
            up = 2 + outputs + output_node[o]
            capacity = load_ns[o] if load_ns[o] >= 0 else infinite
            arcs = _arc(first, follow, head, room, arcs, vertex, up, capacity)
            if not seen[up]:
                seen[up] = True
                queue[end] = up
                end += 1
        else:
            i = vertex - 2 - outputs
            arcs = _arc(first, follow, head, room, arcs, vertex, _SINK, compute_ns[i])
            for t in range(take_ptr[i], take_ptr[i + 1]):
                o = take_output[t]
                if not forced[output_node[o]]:  # else it comes for nothing
                    arcs = _arc(first, follow, head, room, arcs, vertex, 2 + o, infinite)
                    if not seen[2 + o]:
                        seen[2 + o] = True
                        queue[end] = 2 + o
                        end += 1
    level = np.empty(vertices, dtype=np.int32)
    flow = _maximise(first, follow, head, room, level, queue)
    for o in range(outputs):
        loaded[o] = (
            level[2 + o] >= 0
            and load_ns[o] >= 0
            and not forced[output_node[o]]
            and level[2 + outputs + output_node[o]] < 0
        )
    return flow


@compiled
def _arc(first, follow, head, room, arcs, tail, to, capacity):
    head[arcs], room[arcs], follow[arcs] = to, capacity, first[tail]
    first[tail] = arcs
    head[arcs + 1], room[arcs + 1], follow[arcs + 1] = tail, 0.0, first[to]
    first[to] = arcs + 1
    return arcs + 2


@compiled
def _maximise(first, follow, head, room, level, queue):
    """Fill the network; afterwards ``level`` is not negative on the smallest source side alone. Dinitz 1970."""
    vertices = first.shape[0]
    place = np.empty(vertices, dtype=np.int32)
    path = np.empty(vertices, dtype=np.int32)
    flow = 0.0
    while True:
        level[:] = -1
        level[_SOURCE] = 0
        queue[0] = _SOURCE
        at, end = 0, 1
        while at < end:
            vertex = queue[at]
            at += 1
            arc = first[vertex]
            while arc >= 0:
                to = head[arc]
                if room[arc] > 0 and level[to] < 0:
                    level[to] = level[vertex] + 1
                    queue[end] = to
                    end += 1
                arc = follow[arc]
        if level[_SINK] < 0:
            return flow
        place[:] = first
        depth = 0
        vertex = _SOURCE
        while True:
            if vertex == _SINK:
                least = room[path[0]]
                for step in range(1, depth):
                    least = min(least, room[path[step]])
                flow += least
                back = depth
                for step in range(depth - 1, -1, -1):
                    arc = path[step]
                    room[arc] -= least
                    room[arc ^ 1] += least
                    if room[arc] <= 0:
                        back = step
                depth = back
                vertex = head[path[depth] ^ 1]
            arc = place[vertex]
            if arc >= 0:
                if room[arc] > 0 and level[head[arc]] == level[vertex] + 1:
                    path[depth] = arc
                    depth += 1
                    vertex = head[arc]
                else:
                    place[vertex] = follow[arc]
            elif depth == 0:
                break
            else:
                depth -= 1
                vertex = head[path[depth] ^ 1]
                place[vertex] = follow[place[vertex]]
