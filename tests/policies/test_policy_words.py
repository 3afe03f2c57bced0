import doctest
from importlib import import_module

import pytest
from policy_contract import artifact

from mile_rl.policies import words


@pytest.mark.parametrize("module", ["words", "registry"])
def test_the_examples_in_the_docs_run(module):
    outcome = doctest.testmod(import_module(f"mile_rl.policies.{module}"))
    assert outcome.attempted
    assert not outcome.failed


@pytest.mark.parametrize(
    ("ns", "text"), [(999, "999 ns"), (1_000, "1.0 µs"), (9_960_000, "10 ms"), (3_600 * 10**9, "3600 s")]
)
def test_times_keep_two_figures(ns, text):
    assert words.duration(ns) == text


def test_many_victims_are_counted_not_listed():
    victims = [artifact(name, size_bytes=12_000_000) for name in "abcde"]
    assert words.displaced(victims) == "; displaces a (12 MB), b (12 MB), c (12 MB) and 2 more"
    assert words.displaced(victims[:1]) == "; displaces a (12 MB)"
    assert words.displaced([]) == ""
