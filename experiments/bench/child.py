"""Runs one project once, in a process of its own, and prints one JSON line. Only the standard library.

``python child.py PROJECT [WARM_PROJECT]``: with a second project (the same system on tiny data, in a store of
its own) that one runs first, so that the stopwatch finds every import done and every lazily made table there,
as in a notebook. Without it the stopwatch holds whatever a system imports only when it is called.
"""

import json
import resource
import sys
import time


def run(project):
    """Import ``main`` from the folder and call its ``run``.

    Returns:
        What it returned, and the nanoseconds that it took; the import does not count.
    """
    sys.path.insert(0, project)
    import main

    start_ns = time.perf_counter_ns()
    result = main.run()
    in_process_ns = time.perf_counter_ns() - start_ns
    sys.path.remove(project)
    for name in [name for name, module in sys.modules.items() if _lies_in(module, project)]:
        del sys.modules[name]
    return result, in_process_ns


def _lies_in(module, folder):
    return str(getattr(module, "__file__", None) or "").startswith(folder)


def peak_bytes():
    """Return the most memory that this process ever held."""
    try:
        # Since exec only; ru_maxrss would start from what the parent held.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


if __name__ == "__main__":
    project, *warm = sys.argv[1:]
    for folder in warm:
        run(folder)
    result, in_process_ns = run(project)
    print(json.dumps({"in_process_ns": in_process_ns, "peak_bytes": peak_bytes(), "result": result}))
