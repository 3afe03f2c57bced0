"""The published tables of histories mined from repositories with DVC and MLflow (JSON lines, gzipped).

Their people, repositories and digests are pseudonyms already and are kept, so that splits stay comparable.
"""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from traces.dvc_stages import Dependency, LockStage, lock_components
from traces.errors import BadRow, NotWhatItClaims, TraceError
from traces.link import Seen, link
from traces.schema import History
from traces.sources.base import OnProgress, Tally, no_progress
from traces.tracked import TrackedRun, tracked_histories
from traces.values import plain

Row = dict[str, Any]
_SPLITS = "splits.json"


class DvcTable:
    """``dvc_versions.jsonl.gz``: a row a version of a lock file, the rows of a history together.

    Args:
        path: the table; ``splits.json`` beside it groups repositories, where it is there.

    Raises:
        NotWhatItClaims: the file is not this table.
    """

    name = "dvc-table"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.name
        self._groups = _groups(path)
        _claim(path, {"repo_id", "history_id", "v", "parent_v", "stages"}, "a table of dvc.lock versions")

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history a lock file. See :class:`traces.sources.base.Source`."""
        rows = _json_lines(self.path, tally, on_progress)
        for _, group in itertools.groupby(rows, key=lambda row: row.get("history_id")):
            history = self._history(list(group), tally)
            if history is not None:
                yield history

    def _history(self, rows: Sequence[Row], tally: Tally) -> History | None:
        index_of: dict[int, int] = {}
        runs: list[Seen] = []
        authors: Counter[str] = Counter()
        kept: Row | None = None
        for row in rows:
            try:
                if row["dup"]:
                    tally.left_out["same content on another line of history"] += 1
                    continue
                run = self._run(row, index_of, tally)
            except BadRow as bad:
                tally.count_bad(bad)
                continue
            except (KeyError, TypeError, ValueError) as error:
                tally.count_bad(BadRow("a field is missing or of another type", repr(error)))
                continue
            index_of[row["v"]] = len(runs)
            runs.append(run)
            authors[str(row["author_id"])] += 1
            kept = row
        if kept is None:
            return None
        return History(
            id=f"dvc-{kept['history_id']}",
            source=self.name,
            person=min(authors, key=lambda author: (-authors[author], author)),
            group=self._groups.get(kept["repo_id"], kept["repo_id"]),
            task=kept["repo_id"],
            workflow=kept["lock_path"],
            facts={"authors": len(authors)},
            demo=bool(kept["demo"]),
            iterations=link(runs),
        )

    def _run(self, row: Row, index_of: Mapping[int, int], tally: Tally) -> Seen:
        parent = None if row["parent_v"] is None else index_of.get(row["parent_v"])
        if parent is None and row["parent_v"] is not None:
            tally.left_out["the version it was edited from (it starts anew)"] += 1
        return Seen(
            components=lock_components([_lock_stage(stage) for stage in row["stages"]]),
            parent=parent,
            start_ms=1000 * row["t"],
            scripted=bool(row["bot"]),
        )


def _lock_stage(stage: Mapping[str, Any]) -> LockStage:
    sizes = [out[2] for out in stage["outs"]]
    return LockStage(
        name=stage["name"],
        category=stage["cat"],
        program=stage["cmd"],
        command_digest=stage["cmd_hash"],
        dependencies=tuple(
            Dependency(path=path, digest=digest or "", kind=kind)
            for path, digest, _size, _files, kind in stage["deps"]
        ),
        parameters={str(name): plain(value) for name, value in stage["params"].items()},
        output_bytes=None if None in sizes else sum(sizes),
        parents=tuple(sorted(stage["up"])),
    )


class MlflowTable:
    """``mlflow_runs.jsonl.gz``: a row a run found in a tracking store committed to Git.

    Args:
        path: the table; ``splits.json`` beside it groups repositories, where it is there.

    Raises:
        NotWhatItClaims: the file is not this table.
    """

    name = "mlflow-table"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = path.name
        self._groups = _groups(path)
        _claim(path, {"run_id", "user_id", "experiment_id", "params", "metrics"}, "a table of MLflow runs")

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history a person and experiment. See :class:`traces.sources.base.Source`.

        Rows of an experiment may stand anywhere, so all runs are held; the table has 76,412.
        """
        runs: dict[tuple[str, str], list[TrackedRun]] = defaultdict(list)
        for row in _json_lines(self.path, tally, on_progress):
            try:
                run = _tracked(row, self._groups)
            except (KeyError, TypeError, ValueError) as error:
                tally.count_bad(BadRow("a field is missing or of another type", repr(error)))
                continue
            runs[run.person, run.experiment].append(run)
        for own in runs.values():
            yield from tracked_histories(own, self.name, tally)


def _tracked(row: Row, groups: Mapping[str, str]) -> TrackedRun:
    return TrackedRun(
        run_id=row["run_id"],
        person=row["user_id"],
        experiment=row["experiment_id"],
        group=groups.get(row["repo_id"], row["repo_id"]),
        task=row["repo_id"],
        start_ms=row["start"],
        end_ms=row["end"],
        parent_run_id=row["parent_run_id"],
        program=row["source"] or "",
        estimator=row["estimator_name"],
        parameters={str(name): str(text) for name, text in row["params"].items()},
        metrics={str(name): float(value) for name, value in row["metrics"].items() if value is not None},
    )


def _groups(path: Path) -> Mapping[str, str]:
    splits = path.with_name(_SPLITS)
    try:
        groups: Mapping[str, str] = json.loads(splits.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise TraceError(
            f"{splits} is no JSON ({error}); restore it or move the table away from it"
        ) from error
    return groups


def _claim(path: Path, columns: set[str], what: str) -> None:
    """Raise where the first row lacks a column of what the file claims to be."""
    first = next(_json_lines(path, Tally(), no_progress), None)
    missing = sorted(columns - first.keys()) if first is not None else sorted(columns)
    if missing:
        raise NotWhatItClaims(f"{path} is not {what}: its first row has no {missing[0]!r}")


def _json_lines(path: Path, tally: Tally, on_progress: OnProgress) -> Iterator[Row]:
    """Yield the objects of a gzipped JSON-lines file; a bad line is counted, a bad file raises."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for done, line in enumerate(lines, 1):
                tally.read += 1
                try:
                    row = json.loads(line)
                except ValueError:
                    tally.count_bad(BadRow("the line is no JSON", line.strip()))
                    continue
                if isinstance(row, dict):
                    yield row
                else:
                    tally.count_bad(BadRow("the line is no JSON object", line.strip()))
                if done % 500 == 0:
                    on_progress(done, None, "rows")
    except FileNotFoundError:
        raise TraceError(f"{path} is not there") from None
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise NotWhatItClaims(f"{path} is no complete gzipped text ({error}); fetch it again") from error
