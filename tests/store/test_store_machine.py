"""Any sequence of puts, loads, evictions and damages keeps the account of bytes exact."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from store_support import META, bytes_on_disk

from mile_rl.store.catalog import Catalog
from mile_rl.store.store import Store

SIGNATURES = st.sampled_from([f"s{i}" for i in range(8)])
VALUES = st.one_of(
    st.integers(0, 3),
    st.builds(lambda n, fill: np.full(n, fill, "u1"), st.integers(0, 3000), st.integers(0, 2)),
    st.builds(lambda n: {"text": "x" * n}, st.integers(0, 4000)),
    st.just(iter(())),
)


class StoreMachine(RuleBasedStateMachine):
    """A store beside a plain dict that says what it must hold."""

    taken = Bundle("taken")

    @initialize(budget=st.integers(0, 12_000))
    def open(self, budget: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.catalog = Catalog.open(self.root / "catalog.db")
        self.budget = budget
        self.store = Store.open(self.root, budget_bytes=budget, catalog=self.catalog)
        self.model: dict[str, Any] = {}

    @rule(signature=SIGNATURES, value=VALUES)
    def put(self, signature: str, value: Any) -> None:
        used = self.store.used_bytes()
        result = self.store.put(signature, value, meta=META)
        if result.kept:
            self.model.setdefault(signature, value)
        else:
            assert result.reason
            assert signature not in self.model
            assert self.store.used_bytes() == used

    @rule(signature=SIGNATURES)
    def get(self, signature: str) -> None:
        result = self.store.get(signature)
        assert result.found == (signature in self.model)
        if result.found:
            value = self.model[signature]
            assert type(result.value) is type(value)
            assert (
                np.array_equal(result.value, value)
                if isinstance(value, np.ndarray)
                else result.value == value
            )

    @rule(signatures=st.lists(SIGNATURES, max_size=3))
    def evict(self, signatures: list[str]) -> None:
        used = self.store.used_bytes()
        freed = self.store.evict(signatures)
        assert self.store.used_bytes() == used - freed
        for signature in signatures:
            self.model.pop(signature, None)

    @rule(signature=SIGNATURES)
    def damage(self, signature: str) -> None:
        found = self.catalog.artifacts_for([signature]).get(signature)
        if found is not None:
            path = self.store.objects.path(found.content, found.suffix)
            path.write_bytes(path.read_bytes()[:-1] + b"?")
            sharing = [a.signature for a in self.store.artifacts() if a.content == found.content]
            if not self.store.get(signature).found:  # unless the last byte happened to be "?"
                for shared in sharing:
                    del self.model[shared]

    @rule()
    def reopen(self) -> None:
        self.catalog.close()
        self.catalog = Catalog.open(self.root / "catalog.db")
        self.store = Store.open(self.root, budget_bytes=self.budget, catalog=self.catalog)

    @rule()
    def clear(self) -> None:
        self.store.clear()
        self.model.clear()

    @invariant()
    def account_is_exact(self) -> None:
        used = self.store.used_bytes()
        assert bytes_on_disk(self.root) == used <= self.budget
        assert self.store.info().reserved_bytes == 0
        assert {artifact.signature for artifact in self.store.artifacts()} == set(self.model)
        sizes = {artifact.content: artifact.size_bytes for artifact in self.store.artifacts()}
        assert sum(sizes.values()) == used

    def teardown(self) -> None:
        self.catalog.close()
        shutil.rmtree(self.root)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
