"""What a bank holds, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from envs.bank import Bank
from envs.script import Script
from mile_rl.policies.outlook import EDIT, NOTHING, RETURN


def describe(bank: Bank) -> dict[str, Any]:
    """Return figures about a bank; of what varies, the 10th, 50th and 90th percentile."""
    if not len(bank):
        return {"sessions": 0}
    turns = [(script, turn) for script in bank for turn in range(script.turns)]
    reused = [_reused(script, turn) for script, turn in turns if turn]
    kinds = np.concatenate([script.scenario_kind for script in bank])
    chances = np.concatenate([script.scenario_p for script in bank])
    total = max(float(chances.sum()), 1e-12)
    return {
        "sessions": len(bank),
        "sources": dict(Counter(script.source for script in bank)),
        "groups": len({script.group for script in bank}),
        "families": dict(
            Counter(script.name.split("-")[0] for script in bank if script.source == "simulated")
        ),
        "iterations": _spread(script.turns for script in bank),
        "nodes": _spread(len(script.version(turn)) for script, turn in turns),
        "outlook nodes": _spread(len(script.look(turn)) for script, turn in turns),
        "plain seconds": _spread(script.plain_ns(turn) / 1e9 for script, turn in turns),
        "megabytes": _spread(script.intermediate_bytes / 1e6 for script in bank),
        "reused share": round(float(np.mean(reused)), 3) if reused else None,
        "same again": round(float(np.mean([share == 1 for share in reused])), 3) if reused else None,
        "expected edit": round(float(chances[kinds == EDIT].sum()) / total, 3),
        "expected nothing": round(float(chances[kinds == NOTHING].sum()) / total, 3),
        "expected return": round(float(chances[kinds == RETURN].sum()) / total, 3),
        "facts": bank.facts,
    }


def _reused(script: Script, turn: int) -> float:
    version, before = script.version(turn), script.version(turn - 1)
    return float(np.isin(version, before).mean()) if version.size else 1.0


def _spread(values: Iterable[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in np.percentile(list(values), (10, 50, 90))]
