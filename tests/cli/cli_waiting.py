"""Waiting for what another process does. Not in conftest.py, since every folder of tests has one of those."""

import time


def wait_for(condition, seconds=60.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
