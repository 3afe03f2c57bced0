"""Word lists written as one text, as the tables of rules have them."""

from __future__ import annotations


def word_tuple(text: str) -> tuple[str, ...]:
    """Return the words of a text in order."""
    return tuple(text.split())


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())
