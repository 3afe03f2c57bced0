"""Memory that an operator has freed is used again, in processes of their own: a process can be set only once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FAULTS = """
import json, resource
import numpy
from mile_rl.engine.allocator import reuse_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(12 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

done = {call}
first, second = faults(), faults()
print(json.dumps([done, first, second]))
"""
PAGES = 12 * 2**20 // os.sysconf("SC_PAGE_SIZE")

glibc = pytest.mark.skipif(
    not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="needs glibc"
)


def run(call: str, **environ: str) -> tuple[bool, int, int]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))
    }
    code = FAULTS.replace("{call}", call)
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    done, first, second = json.loads(said.stdout)
    return done, first, second


@glibc
def test_a_block_takes_the_pages_that_one_of_its_size_has_freed() -> None:
    done, first, second = run("reuse_memory()")
    assert done
    assert first > PAGES // 2
    assert second < PAGES // 10


@glibc
def test_without_it_the_second_block_has_to_be_given_fresh_pages() -> None:
    done, _, second = run("False")
    assert not done
    assert second > PAGES // 2, "glibc does by itself what this module is for"


@glibc
@pytest.mark.parametrize(
    "given", [{"MALLOC_TRIM_THRESHOLD_": "65536"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_max=7"}]
)
def test_thresholds_that_the_person_has_set_stay_as_they_are(given: dict[str, str]) -> None:
    done, _, second = run("reuse_memory()", **given)
    assert not done
    assert second > PAGES // 2
