"""Effects and chains in words: what ``mile impact`` prints."""

from __future__ import annotations

from collections.abc import Sequence

from mile_rl.engine.text import table
from mile_rl.report.impact.chain import Chain
from mile_rl.report.impact.effects import Effect, Impact
from mile_rl.report.impact.estimate import Estimate

_SHOWN = 15
_UNCLEAR = "(shared)"


def impact_text(impact: Impact, *, full: bool = False) -> str:
    """Return an impact as text.

    Args:
        impact: what to tell.
        full: whether to list every effect of a long history.
    """
    lines = [
        f"{impact.workflow}: what changes did to {impact.metric}, over {impact.versions} versions, each corrected "
        f"for the others",
        f"(mean effect, {impact.share:.0%} interval, probability that it raises {impact.metric})",
    ]
    for title, effects in (
        ("kinds of changes", impact.kinds),
        ("parameters", impact.parameters),
        ("other changes", impact.changes),
    ):
        if effects:
            lines.extend(("", *_table(title, effects, full=full)))
    if shared := shared_words([*impact.parameters, *impact.changes]):
        lines.extend(("", *shared))
    if impact.chain is not None:
        lines.extend(("", chain_text(impact.chain, impact.metric)))
    return "\n".join(lines)


def chain_text(chain: Chain, metric: str) -> str:
    """Return a chain as text, its steps with what each did.

    Args:
        chain: what to tell.
        metric: the metric's name.
    """
    gap = chain.end - chain.start
    head = f"from {chain.start:.6g} to {chain.end:.6g} ({gap:+.4g} {metric})"
    if not chain.links:
        return f"{head}: both are the same version"
    steps = len(chain.links)
    rows = [
        (f"{link.before[:10]} -> {link.after[:10]}", f"{link.gain:+.4g}", "; ".join(link.changes))
        for link in chain.links
    ]
    return f"{head} in {steps} step{'s' if steps > 1 else ''}:\n" + table(
        ("versions", "gain", "changes"), rows
    )


def shared_words(effects: Sequence[Effect]) -> list[str]:
    """Return a line for each set of changes that cannot be told apart, with what they did together."""
    lines: dict[frozenset[str], str] = {}
    for effect in effects:
        if not effect.confounded:
            continue
        names = (effect.factor, *effect.confounded)
        text = f"{_UNCLEAR} {', '.join(names[:-1])} and {names[-1]} never changed apart"
        if effect.together is not None:
            text += f": together {interval_words(effect.together)}"
        key = frozenset(names)
        if key not in lines or (effect.together is not None and "together" not in lines[key]):
            lines[key] = text
    return list(lines.values())


def interval_words(told: Estimate) -> str:
    """Return an estimate as "+0.012 [+0.004, +0.02]"."""
    return f"{told.mean:+.3g} [{told.low:+.3g}, {told.high:+.3g}]"


def _table(title: str, effects: Sequence[Effect], *, full: bool) -> list[str]:
    ordered = sorted(effects, key=lambda one: -abs(one.estimate.mean))
    shown = ordered if full else ordered[:_SHOWN]
    rows = [
        (
            f"{one.estimate.mean:+.3g}",
            f"[{one.estimate.low:+.3g}, {one.estimate.high:+.3g}]",
            f"{one.estimate.positive:.0%}",
            f"{one.times}" + (f", {one.alone} alone" if one.alone != one.times else ""),
            one.what + (f" {_UNCLEAR}" if one.confounded else ""),
        )
        for one in shown
    ]
    lines = table(("effect", "interval", "rises", "times", title), rows).split("\n")
    if len(shown) < len(effects):
        lines.append(f"… and {len(effects) - len(shown)} more with smaller effects (--full lists them)")
    return lines
