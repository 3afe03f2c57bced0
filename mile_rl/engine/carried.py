"""What the catalog carries from one run to the next: measured speeds, the guard's sums, the policy's state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mile_rl.engine.opening import NothingYet
from mile_rl.engine.project import Settings
from mile_rl.planner import Channel, Costs
from mile_rl.policies.base import Kept
from mile_rl.policies.guard import Guard
from mile_rl.policies.ledger import Terms
from mile_rl.store import records
from mile_rl.store.catalog import Catalog

_LEDGER = "ledger."
"""Counters of the catalog that begin so are the guard's sums."""

_TRUSTED_SAMPLES = 5
"""How many transfers a channel of the catalog counts as having seen."""


def terms_of(settings: Settings) -> Terms:
    """Return how much time may be spent on writing."""
    return Terms(
        share=settings.write_share,
        fraction=settings.write_fraction,
        allowance_ns=int(settings.write_allowance_ms * 1e6),
    )


def take_up(guard: Guard, catalog: Catalog | NothingYet) -> None:
    """Have a guard and its policy go on where the last run stopped."""
    counters = catalog.counters()
    guard.restore(
        {
            "ledger": {name: counters.get(f"{_LEDGER}{name}", 0) for name in guard.changes()},
            "policy": {guard.name: catalog.policy_state(guard.name) or {}},
        }
    )


def policy_state(guard: Guard) -> dict[str, Any]:
    """Return the state of a guard's policy, by its name, as the catalog takes it."""
    return {guard.name: guard.state()["policy"][guard.name]}


def counters(guard: Guard) -> dict[str, int]:
    """Return what was added to a guard's sums since it took them up, as the catalog takes it."""
    return {f"{_LEDGER}{name}": change for name, change in guard.changes().items() if change}


def costs_of(catalog: Catalog | NothingYet) -> Costs:
    """Return estimates of loads and writes from what was measured."""
    load: dict[str, Channel] = {}
    write: dict[str, Channel] = {}
    for row in catalog.channels():
        (load if row.direction == "load" else write)[row.codec] = Channel(
            codec=row.codec, latency_ns=row.latency_ns, bytes_per_s=row.bytes_per_s, samples=_TRUSTED_SAMPLES
        )
    return Costs(load_channels=load, write_channels=write)


def channels(costs: Costs) -> Iterator[records.Channel]:
    """Yield what was learned of loads and writes, as the catalog takes it."""
    for direction, channel in costs.changed_channels():
        yield records.Channel(
            codec=channel.codec,
            direction=direction,
            latency_ns=channel.latency_ns,
            bytes_per_s=round(channel.bytes_per_s),
        )


def kept_of(artifact: records.Artifact, costs: Costs) -> Kept:
    """Return an artifact as the policy sees it."""
    used = artifact.last_used or 0
    return Kept(
        signature=artifact.signature,
        output=artifact.meta.output,
        node=artifact.meta.node,
        size_bytes=artifact.size_bytes,
        load_ns=costs.load_ns(artifact.codec, artifact.size_bytes),
        recreation_ns=artifact.meta.recreation_ns,
        loads=artifact.loads,
        last_used=used,
        kept_at=used,
        code=artifact.meta.code,
    )
