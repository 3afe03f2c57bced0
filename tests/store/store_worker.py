"""A process that works on a shared store until it is told to stop or is killed.

Run as ``python store_worker.py ROOT BUDGET SEED ROUNDS``; prints "wrong …" for anything that must not be.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from store_shared import META, make

from mile_rl.store.catalog import Catalog
from mile_rl.store.store import Store


def work(root: Path, budget_bytes: int, seed: int, rounds: int) -> None:
    """Put, load and evict at random; values depend on their signature alone, so that all can be checked."""
    rng = random.Random(seed)
    catalog = Catalog.open(root / "catalog.db")
    store = Store.open(root, budget_bytes=budget_bytes, catalog=catalog)
    print("ready", flush=True)
    for _ in range(rounds):
        number = rng.randrange(24)
        signature = f"s{number}"
        action = rng.random()
        if action < 0.5:
            store.put(signature, make(number), meta=META)
        elif action < 0.85:
            result = store.get(signature)
            if result.found and result.value != make(number):
                print("wrong value of", signature, flush=True)
        else:
            store.evict([signature, f"s{rng.randrange(24)}"])
    counters = store.info().counters
    if counters:
        print("wrong counters", counters, flush=True)
    catalog.close()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
