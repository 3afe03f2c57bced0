"""``mile policies``."""

from __future__ import annotations

import inspect

from mile_rl.cli import console
from mile_rl.cli.guard import guarded
from mile_rl.cli.options import Json


@guarded
def policies(json: Json = False) -> None:
    """List what decides which results are worth keeping.

    Give one to --policy, or set it in [tool.mile].

    \b
    Examples:
      mile policies
      mile run digits.py --policy lru
    """
    from mile_rl.engine.text import table
    from mile_rl.policies.registry import DEFAULT, POLICIES

    lines = {
        name: (inspect.getdoc(policy) or "").split("\n\n")[0].replace("\n", " ").partition(" Source:")[0]
        for name, policy in POLICIES.items()
    }
    if json:
        console.out_json(
            [{"name": name, "default": name == DEFAULT, "keeps": line} for name, line in lines.items()]
        )
        return
    rows = [(name + (" (default)" if name == DEFAULT else ""), line) for name, line in lines.items()]
    console.out(table(("policy", "what it does"), rows))
