"""Parameter values as sources write them (texts) -> scalars."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from mile_rl.workflows.edits import Scalar

_WORDS: Mapping[str, Scalar] = {
    "null": None,
    "None": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_LONGEST = 500
_NUMBER_START = frozenset("+-.0123456789")


def scalar(text: str) -> Scalar:
    """Return what a text stands for: a word of JSON, Python or R, a number, a quoted text, or itself.

    Numbers keep their kind: "1" is an integer, "1.0" a float. "nan" and "inf" stay texts, since they are
    rarely meant as numbers. Longer texts than 500 characters are cut and marked with "…".

    Example:
        >>> [scalar(text) for text in ("true", "None", "10", "1e-10", '"gini"', "rbf", "[1, 2]")]
        [True, None, 10, 1e-10, 'gini', 'rbf', '[1, 2]']
    """
    if text in _WORDS:
        return _WORDS[text]
    if not text:
        return text
    first = text[0]
    if first in _NUMBER_START and "_" not in text and len(text) <= 40:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            number = float(text)
        except ValueError:
            return text
        return number if math.isfinite(number) else text
    if first == '"':
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        text = value if isinstance(value, str) else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def plain(value: Any) -> Scalar:
    """Return a value from JSON or YAML as a scalar; lists and objects become their JSON text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
