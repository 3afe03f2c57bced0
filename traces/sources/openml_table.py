"""The CC0 table of scikit-learn runs on OpenML, ``helix-ml/openml_workflows``, zipped as it is published.

Source: Lee et al., "Demystifying a Dark Art: Understanding Real-World Machine Learning Model Development",
HILDA 2020. A history is a group by (user_id, task_id). The cells hold texts of Python sets, which are read by
a tokeniser and, where that does not fit, by ``ast.literal_eval``; nothing is ever evaluated.
"""

from __future__ import annotations

import csv
import io
import os
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

from mile_rl.workflows.edits import change_class
from traces.errors import BadRow, NotWhatItClaims, TraceError
from traces.link import Seen, link
from traces.people import Pseudonyms
from traces.schema import History
from traces.sources.base import OnProgress, Tally, no_progress
from traces.table_cells import CellReader

COLUMNS = (
    "rid",
    "user_id",
    "task_id",
    "auc",
    "dist_from_mean_auc",
    "model",
    "model_params",
    "ppr",
    "ppr_params",
    "iter",
    "change_type",
    "delta_auc",
    "start_time",
    "time_delta_in_mins",
)
_NEEDED = frozenset(COLUMNS) - {"dist_from_mean_auc", "delta_auc", "time_delta_in_mins", "iter"}
_PROGRESS_ROWS = 5_000
_TIMEOUT_S = 60


class _Row(NamedTuple):
    """What is kept of a row until its history is complete; equal texts are one object."""

    order: float
    start_ms: int | None
    run_id: int
    auc: float | None
    change_type: str
    model: str
    model_params: str
    ppr: str
    ppr_params: str


@dataclass(slots=True)
class Agreement:
    """Our change classes beside the table's ``change_type``: (theirs, ours) -> rows."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The share of rows on which both say the same; 1.0 where there is none."""
        total = self.pairs.total()
        return sum(n for (theirs, ours), n in self.pairs.items() if theirs == ours) / total if total else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the share, and the rows on which the two differ, the commonest first."""
        differ = {
            f"{theirs} -> {ours}": n for (theirs, ours), n in self.pairs.most_common() if theirs != ours
        }
        return {"share": self.share, "rows": self.pairs.total(), "theirs -> ours": differ}


class OpenmlTable:
    """The zipped CSV, by path or URL.

    Args:
        location: a path, or an http(s) URL, of the zip (a bare CSV is taken as well).
        pseudonyms: turns user ids into pseudonyms.
        synthetic: marks the histories as made up (for generated tables).

    Raises:
        NotWhatItClaims: it is no zip with one CSV of these columns.
        TraceError: it is not there.
    """

    name = "openml-table"

    def __init__(self, location: str, pseudonyms: Pseudonyms, *, synthetic: bool = False) -> None:
        self.location = location
        self.place = location.rsplit("/", 1)[-1]
        self.agreement = Agreement()
        self._pseudonyms = pseudonyms
        self._synthetic = synthetic

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history a user and task. See :class:`traces.sources.base.Source`.

        The file is read once; equal texts are held once, so 475,297 rows take well below 2 GB. Rows may stand
        in any order: within a history they are put in order of ``iter``, where it is there, then of time.
        """
        self.agreement = Agreement()
        groups: dict[tuple[str, str], list[_Row]] = {}
        with _open_csv(self.location) as file:
            for key, row in _rows(file, self.location, tally, on_progress):
                groups.setdefault(key, []).append(row)
        cells = CellReader()
        total = len(groups)
        for done, key in enumerate(list(groups), 1):
            history = self._history(key, groups.pop(key), cells, tally)
            if history is not None:
                yield history
            if done % 100 == 0:
                on_progress(done, total, "histories")
        tally.notes["agreement with change_type"] = self.agreement.to_json()

    def _history(
        self, key: tuple[str, str], rows: list[_Row], cells: CellReader, tally: Tally
    ) -> History | None:
        rows.sort(key=lambda row: (row.order, row.start_ms or 0, row.run_id))
        runs: list[Seen] = []
        theirs: list[str] = []
        for row in rows:
            try:
                components = cells.components(row.model, row.model_params, row.ppr, row.ppr_params)
            except BadRow as bad:
                tally.count_bad(bad)
                continue
            theirs.append(row.change_type)
            runs.append(
                Seen(
                    components=components,
                    start_ms=row.start_ms,
                    score=row.auc,
                    metrics={} if row.auc is None else {"auc": row.auc},
                )
            )
        if not runs:
            return None
        iterations = link(runs)
        for iteration, their in zip(iterations, theirs, strict=True):
            ours = change_class(iteration.edits, first=iteration.parent is None)
            self.agreement.pairs[their, ours.value] += 1
        user, task = key
        person = self._pseudonyms("openml-user", user)
        return History(
            id=f"openml-{person}-{task}",
            source=self.name,
            person=person,
            group=person,
            task=task,
            objective="auc",
            iterations=iterations,
            synthetic=self._synthetic,
        )


@contextmanager
def _open_csv(location: str) -> Iterator[IO[str]]:
    """Open the one CSV inside a zip (or a bare CSV), from a path or a URL."""
    raw = _fetch(location)
    with raw:
        head = raw.read(4)
        raw.seek(0)
        if not head.startswith(b"PK"):
            yield io.TextIOWrapper(raw, "utf-8", newline="")
            return
        try:
            with zipfile.ZipFile(raw) as archive:
                names = [
                    name for name in archive.namelist() if name.endswith(".csv") and "__MACOSX" not in name
                ]
                if len(names) != 1:
                    raise NotWhatItClaims(f"{location} holds {len(names)} CSV files, not one")
                with archive.open(names[0]) as member:
                    yield io.TextIOWrapper(member, "utf-8", newline="")
        except zipfile.BadZipFile as error:
            raise NotWhatItClaims(f"{location} is no complete zip ({error}); fetch it again") from error


def _fetch(location: str) -> IO[bytes]:
    if not location.startswith(("http://", "https://")):
        try:
            return Path(location).open("rb")
        except OSError as error:
            raise TraceError(f"{location} cannot be opened ({os.strerror(error.errno or 0)})") from error
    import shutil
    import tempfile

    spooled = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with urllib.request.urlopen(location, timeout=_TIMEOUT_S) as answer:
            shutil.copyfileobj(answer, spooled)
            expected = answer.headers.get("Content-Length")
    except (urllib.error.URLError, OSError) as error:
        spooled.close()
        raise TraceError(f"{location} cannot be fetched ({error}); try again, or give a path") from error
    if expected is not None and int(expected) != spooled.tell():
        spooled.close()
        raise TraceError(f"{location} was cut off after {expected} bytes were promised; try again")
    spooled.seek(0)
    return spooled


def _rows(
    file: IO[str], location: str, tally: Tally, on_progress: OnProgress
) -> Iterator[tuple[tuple[str, str], _Row]]:
    csv.field_size_limit(1 << 24)
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        missing = sorted(_NEEDED - set(header))
        if missing:
            raise NotWhatItClaims(
                f"{location} is not the table of OpenML workflows: it has no column {missing[0]!r}"
            )
        place = {name: header.index(name) for name in COLUMNS if name in header}
        texts: dict[str, str] = {}
        for done, cells in enumerate(reader, 1):
            tally.read += 1
            try:
                if len(cells) != len(header):
                    raise BadRow("another number of cells than columns", f"row {done}")
                yield _row(cells, place, texts)
            except BadRow as bad:
                tally.count_bad(bad)
            if done % _PROGRESS_ROWS == 0:
                on_progress(done, None, "rows")
    except (csv.Error, UnicodeDecodeError, zipfile.BadZipFile, EOFError) as error:
        raise NotWhatItClaims(f"{location} is no readable CSV ({error}); fetch it again") from error


def _row(cells: list[str], place: dict[str, int], texts: dict[str, str]) -> tuple[tuple[str, str], _Row]:
    user, task = cells[place["user_id"]], cells[place["task_id"]]
    if not user or not task:
        raise BadRow("no user or no task", cells[place["rid"]])
    try:
        run_id = int(float(cells[place["rid"]]))
    except ValueError:
        raise BadRow("the run id is no number", cells[place["rid"]]) from None
    start_ms = _time_ms(cells[place["start_time"]])
    position = cells[place["iter"]] if "iter" in place else ""
    kept = [texts.setdefault(cells[place[name]], cells[place[name]]) for name in _TEXTS]
    return (user.removesuffix(".0"), task.removesuffix(".0")), _Row(
        _number(position) if position else float(start_ms or run_id),
        start_ms,
        run_id,
        _number(cells[place["auc"]]) if cells[place["auc"]] else None,
        *kept,
    )


_TEXTS = ("change_type", "model", "model_params", "ppr", "ppr_params")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRow("a number is expected", text) from None


def _time_ms(text: str) -> int | None:
    """Return a time as Unix milliseconds: ISO text (UTC where no zone is given) or seconds; None if empty."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return int(_number(text) * 1000)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
