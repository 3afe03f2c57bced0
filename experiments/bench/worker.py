"""Plays a list of versions in one process, as a notebook would, and writes a JSON line a version.

``python worker.py PROJECT VERSIONS RESULTS``: PROJECT is the folder whose files are rewritten before each
run, VERSIONS a JSON list of ``{file name: text}``, RESULTS the file that gets a line ``{"version": index,
"result": ...}`` (or ``"error"``) as soon as each run has returned. Only the standard library, so that a kill
can hit it while the system works and not while something of ours is imported.
"""

import json
import sys
from pathlib import Path


def play(project, files):
    """Write the files of a version, import them afresh and run."""
    for name in ("main", "nodes", "helper", "deeper"):
        sys.modules.pop(name, None)
    for name, text in files.items():
        (project / name).write_text(text)
    import main

    return main.run()


if __name__ == "__main__":
    project, versions, results = map(Path, sys.argv[1:])
    sys.path.insert(0, str(project))
    sys.dont_write_bytecode = True
    with open(results, "a") as lines:
        for index, files in enumerate(json.loads(versions.read_text())):
            try:
                line = {"version": index, "result": play(project, files)}
            except Exception as error:
                line = {"version": index, "error": f"{type(error).__name__}: {error}"[:500]}
            lines.write(json.dumps(line) + "\n")
            lines.flush()
