"""Asks an OpenML server, through the ``openml`` package, politely and stubbornly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

from traces.errors import TraceError

OFFICIAL = "https://www.openml.org/api/v1/xml/"
_NAMESPACE = "{http://openml.org/openml}"
_NO_RESULT = frozenset({111, 372, 482, 500, 512, 542, 674})
_BUSY = frozenset({107})


class NoResult(Exception):
    """The server says that there is nothing (more) of what was asked for."""


class OpenmlApi:
    """One server. Requests follow each other, never at once.

    Args:
        server: address of its REST interface that answers in XML (its JSON lists leave the uploader out).
        interval_ms: least time between the starts of two requests.
        timeout_s: how long to wait for a connection or for the next bytes.
        attempts: how often one question is asked before giving up.
        clock_ns: a clock; tests pass a fake.
        sleep: waits so many seconds; tests pass a fake.
    """

    def __init__(
        self,
        server: str = OFFICIAL,
        *,
        interval_ms: int = 500,
        timeout_s: float = 60.0,
        attempts: int = 6,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server if server.endswith("/") else f"{server}/"
        self.requests = 0
        self._interval_ns = interval_ms * 1_000_000
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._clock_ns = clock_ns
        self._sleep = sleep
        self._next_ns = 0

    def get(self, call: str) -> ElementTree.Element:
        """Return the answer to ``call`` ("run/list/task/31/limit/100/offset/0") as XML.

        What may pass (no connection, a timeout, a cut or garbled answer, a busy server) is asked again after
        1, 2, 4, … up to 60 seconds.

        Raises:
            NoResult: the server has nothing to list.
            TraceError: it refuses, or did not answer properly in ``attempts`` attempts.
        """
        trouble: Exception | None = None
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(min(60.0, 2.0 ** (attempt - 1)))
            try:
                return ElementTree.fromstring(self._ask(call))
            except ElementTree.ParseError as error:
                trouble = error
            except _Transient as error:
                trouble = error.cause
        raise TraceError(
            f"{self.server}{call} did not answer properly in {self._attempts} attempts (last: "
            f"{type(trouble).__name__}: {_short(trouble)}); what was fetched is kept, so mine again to go on"
        ) from trouble

    def _ask(self, call: str) -> str:
        import openml
        import requests
        from openml import exceptions

        wait_ns = self._next_ns - self._clock_ns()
        if wait_ns > 0:
            self._sleep(wait_ns / 1e9)
        self._next_ns = self._clock_ns() + self._interval_ns
        self.requests += 1
        try:
            with _settings(openml, self.server, self._timeout_s):
                text: str = openml._api_calls._perform_api_call(call, "get")
        except exceptions.OpenMLServerException as error:
            if error.code in _NO_RESULT:
                raise NoResult(call) from None
            if error.code in _BUSY:
                raise _Transient(error) from error
            raise TraceError(
                f"{self.server}{call} was refused with code {error.code}: {error.message}; check the ids asked "
                "for"
            ) from error
        except (exceptions.OpenMLServerError, requests.RequestException, OSError, KeyError) as error:
            raise _Transient(error) from error
        except Exception as error:
            # openml lets what its XML parser raises on a garbled error page through as it is.
            if type(error).__module__.startswith(("xml.", "pyexpat")):
                raise _Transient(error) from error
            raise
        return text


class _Transient(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _short(error: object) -> str:
    return " ".join(str(error).split())[:200]


@contextmanager
def _settings(openml: Any, server: str, timeout_s: float) -> Iterator[None]:
    """Point the package at our server for one call, without its own retries, and with a timeout.

    The package offers no timeout, so the ``requests`` that its one HTTP module sees is one with sessions that
    have one.
    """
    import requests

    class Timed(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs["timeout"] = kwargs.get("timeout") or timeout_s
            return super().request(*args, **kwargs)

    class Requests:
        Session = Timed

        def __getattr__(self, name: str) -> Any:
            return getattr(requests, name)

    config, calls = openml.config, openml._api_calls
    before = config.server, config.connection_n_retries, config.retry_policy
    config.server, config.connection_n_retries = server.rstrip("/"), 1
    calls.requests = Requests()
    try:
        yield
    finally:
        config.server, config.connection_n_retries, config.retry_policy = before
        calls.requests = requests


def text_of(element: ElementTree.Element, name: str, default: str = "") -> str:
    """Return the text of a child element ("upload_time"), ``default`` where there is none."""
    found = element.find(f"{_NAMESPACE}{name}")
    return default if found is None or found.text is None else found.text.strip()


def all_of(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    """Return the child elements of this name."""
    return element.findall(f"{_NAMESPACE}{name}")


def is_a(element: ElementTree.Element, name: str) -> bool:
    """Tell whether an answer is what was asked for ("flow", "runs")."""
    return element.tag == f"{_NAMESPACE}{name}"
