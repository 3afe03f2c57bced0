"""OpenML itself, over its REST interface: runs of given tasks, people, flows or a study."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from xml.etree import ElementTree

from traces.errors import BadRow, TraceError
from traces.flows.flow import Flow, parse_flow
from traces.flows.read import read_flow
from traces.link import Seen, link
from traces.objectives import direction
from traces.openml_cache import CachedRun, OpenmlCache
from traces.openml_http import NoResult, OpenmlApi, all_of, is_a, text_of
from traces.people import Pseudonyms
from traces.schema import Component, History
from traces.sources.base import OnProgress, Tally, no_progress

_FLOWS_IN_MEMORY = 5_000
_COMPONENTS_IN_MEMORY = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which runs to mine; at least one field is given, and a run has to fulfil all that are.

    Args:
        tasks: OpenML task ids.
        uploaders: OpenML user ids.
        flows: OpenML flow ids.
        study: a run study's id.
        metric: OpenML's name of the measure to score by.
    """

    tasks: tuple[int, ...] = ()
    uploaders: tuple[int, ...] = ()
    flows: tuple[int, ...] = ()
    study: int | None = None
    metric: str = "predictive_accuracy"

    def __post_init__(self) -> None:
        if not (self.tasks or self.uploaders or self.flows or self.study):
            raise TraceError("name tasks, uploaders, flows or a study; all of OpenML is not mined at once")

    @property
    def query(self) -> str:
        """The filters as they stand in a call: "task/31,59/uploader/1"."""
        parts = [
            f"{name}/{','.join(map(str, sorted(ids)))}"
            for name, ids in (("task", self.tasks), ("uploader", self.uploaders), ("flow", self.flows))
            if ids
        ]
        if self.study:
            parts.append(f"study/{self.study}")
        return "/".join(parts)

    @property
    def words(self) -> str:
        """The query for people to read, without who the uploaders are: their pseudonyms stand beside it."""
        people = len(self.uploaders)
        return re.sub(r"uploader/[\d,]+", f"uploader/({people} of them)", self.query)


class OpenmlLive:
    """Runs on an OpenML server.

    Lists come page by page, then setups in batches and flows one by one, all into the cache; the histories
    are read from there, one at a time. Interrupted, it goes on where it stopped.

    Args:
        selection: which runs.
        api: the server.
        cache: where answers are kept.
        pseudonyms: turns uploaders into pseudonyms.
        page_size: rows a page; OpenML allows 10,000.
        batch_size: setups a request.
    """

    name = "openml"

    def __init__(
        self,
        selection: Selection,
        api: OpenmlApi,
        cache: OpenmlCache,
        pseudonyms: Pseudonyms,
        *,
        page_size: int = 1_000,
        batch_size: int = 100,
    ) -> None:
        self.selection = selection
        self.place = f"OpenML {selection.words}"
        self._api = api
        self._cache = cache
        self._pseudonyms = pseudonyms
        self._page_size = page_size
        self._batch_size = batch_size

    def histories(self, tally: Tally, on_progress: OnProgress = no_progress) -> Iterator[History]:
        """Yield a history an uploader and task. See :class:`traces.sources.base.Source`."""
        query, metric = self.selection.query, self.selection.metric
        self._fetch_list(f"run/list/{query}", self._keep_runs, tally, on_progress)
        self._fetch_list(f"evaluation/list/function/{metric}/{query}", self._keep_scores, tally, on_progress)
        self._fetch_setups(on_progress)
        self._fetch_flows(on_progress)
        read = _Reader(self._cache)
        rows = self._cache.runs(query, metric)
        total, done = self._cache.count_runs(query), 0
        for (uploader, task), group in itertools.groupby(
            rows, key=lambda row: (row[0].uploader, row[0].task_id)
        ):
            runs = []
            for run, score in group:
                done += 1
                tally.read += 1
                try:
                    runs.append(_seen(run, score, read, metric))
                except BadRow as bad:
                    tally.count_bad(bad)
                    if "flow" in bad.cause or "learner" in bad.cause:
                        tally.count_unread("flow", bad.example)
            on_progress(done, total, "runs")
            if runs:
                person = self._pseudonyms("openml-user", uploader)
                yield History(
                    id=f"openml-{person}-{task}",
                    source=self.name,
                    person=person,
                    group=person,
                    task=str(task),
                    objective=metric,
                    iterations=link(runs),
                )

    def _fetch_list(
        self,
        call: str,
        keep: Callable[[ElementTree.Element, str, Tally], int],
        tally: Tally,
        on_progress: OnProgress,
    ) -> None:
        """Fetch the pages of a list that are not here. The last, not full, is asked for each time."""
        for offset in itertools.count(0, self._page_size):
            page = f"{call}/limit/{self._page_size}/offset/{offset}"
            if self._cache.has_page(page):
                continue
            try:
                answer = self._api.get(page)
            except NoResult:
                return
            count = keep(answer, page, tally)
            on_progress(offset + count, None, call.split("/", 1)[0] + " list")
            if count < self._page_size:
                return

    def _keep_runs(self, answer: ElementTree.Element, page: str, tally: Tally) -> int:
        if not is_a(answer, "runs"):
            raise TraceError(f"{page} was answered with <{answer.tag}>, not a list of runs; is this OpenML?")
        elements = all_of(answer, "run")
        runs = []
        for element in elements:
            try:
                runs.append(_cached_run(element))
            except ValueError:
                tally.count_bad(BadRow("a run in the list lacks an id", text_of(element, "run_id")))
        self._cache.add_runs(self.selection.query, runs, page if len(elements) >= self._page_size else None)
        return len(elements)

    def _keep_scores(self, answer: ElementTree.Element, page: str, tally: Tally) -> int:
        if not is_a(answer, "evaluations"):
            raise TraceError(f"{page} was answered with <{answer.tag}>, not evaluations; is this OpenML?")
        elements = all_of(answer, "evaluation")
        scores = []
        for element in elements:
            try:
                scores.append((int(text_of(element, "run_id")), float(text_of(element, "value"))))
            except ValueError:
                tally.count_bad(BadRow("an evaluation without a value", text_of(element, "run_id")))
        full = page if len(elements) >= self._page_size else None
        self._cache.add_scores(self.selection.metric, scores, full)
        return len(elements)

    def _fetch_setups(self, on_progress: OnProgress) -> None:
        missing = self._cache.missing_setups(self.selection.query)
        for start in range(0, len(missing), self._batch_size):
            batch = missing[start : start + self._batch_size]
            ids = ",".join(map(str, batch))
            try:
                answer = self._api.get(f"setup/list/setup/{ids}/limit/{len(batch)}/offset/0")
                found = dict(_setup(element) for element in all_of(answer, "setup"))
            except NoResult:
                found = {}
            self._cache.add_setups((setup_id, found[setup_id]) for setup_id in batch if setup_id in found)
            on_progress(start + len(batch), len(missing), "setups")

    def _fetch_flows(self, on_progress: OnProgress) -> None:
        missing = self._cache.missing_flows(self.selection.query)
        for done, flow_id in enumerate(missing, 1):
            try:
                answer = self._api.get(f"flow/{flow_id}")
            except NoResult:
                self._cache.add_flow(flow_id, None)
            else:
                if not is_a(answer, "flow"):
                    raise TraceError(f"flow {flow_id} was answered with <{answer.tag}>; is this OpenML?")
                self._cache.add_flow(flow_id, answer)
            on_progress(done, len(missing), "flows")


class _Reader:
    """Reads the cached flows and setups, keeping the latest used in memory."""

    def __init__(self, cache: OpenmlCache) -> None:
        self._cache = cache
        self._flow = lru_cache(maxsize=_FLOWS_IN_MEMORY)(self._read_flow)
        self.components = lru_cache(maxsize=_COMPONENTS_IN_MEMORY)(self._read_components)

    def _read_flow(self, flow_id: int) -> Flow | None:
        element = self._cache.flow(flow_id)
        return None if element is None else parse_flow(element)

    def _read_components(self, flow_id: int, setup_id: int) -> tuple[Component, ...]:
        flow = self._flow(flow_id)
        if flow is None:
            raise BadRow("a flow that the server does not have", str(flow_id))
        values = self._cache.setup(setup_id)
        if values is None:
            raise BadRow("a setup that the server does not have", str(setup_id))
        return read_flow(flow, values)


def _seen(run: CachedRun, score: float | None, read: _Reader, metric: str) -> Seen:
    try:
        moment = datetime.fromisoformat(run.upload_time)
    except ValueError:
        raise BadRow("the upload time is no time", run.upload_time) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Seen(
        components=read.components(run.flow_id, run.setup_id),
        start_ms=int(moment.timestamp() * 1000),
        score=None if score is None else (direction(metric) or 1) * score,
        metrics={} if score is None else {metric: score},
    )


def _cached_run(element: ElementTree.Element) -> CachedRun:
    return CachedRun(
        run_id=int(text_of(element, "run_id")),
        task_id=int(text_of(element, "task_id")),
        flow_id=int(text_of(element, "flow_id")),
        setup_id=int(text_of(element, "setup_id")),
        uploader=int(text_of(element, "uploader")),
        upload_time=text_of(element, "upload_time"),
    )


def _setup(element: ElementTree.Element) -> tuple[int, Sequence[tuple[int, str, str]]]:
    """Return a setup's id and settings; each names the flow of the component that it belongs to."""
    settings = [
        (
            int(text_of(parameter, "flow_id")),
            text_of(parameter, "parameter_name"),
            text_of(parameter, "value"),
        )
        for parameter in all_of(element, "parameter")
    ]
    return int(text_of(element, "setup_id")), settings
