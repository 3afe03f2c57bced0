"""Recommendations and trials in words."""

from __future__ import annotations

import textwrap

from mile_rl.policies.words import duration
from mile_rl.recommend.advise import Advice
from mile_rl.recommend.base import Recommendation
from mile_rl.recommend.trial import Trial

WIDTH = 100


def advice_text(advice: Advice) -> str:
    """Return recommendations as text, one paragraph each."""
    lines = [f"{advice.workflow}  what to try after iteration {advice.iteration}"]
    for number, one in enumerate(advice.recommendations, start=1):
        lines += ["", *recommendation_lines(number, one)]
    if advice.recommendations:
        lines += ["", "try one without touching your file: mile try 1"]
    lines += [f"note: {note}" for note in advice.notes]
    return "\n".join(lines)


def recommendation_lines(number: int, one: Recommendation) -> list[str]:
    """Return one recommendation as lines."""
    marks: list[str] = [one.stage]
    if one.explores:
        marks.append("not tried yet")
    if not one.change.applicable:
        marks.append("up to you")
    lines = [f"{number}. {one.change.words}  [{', '.join(marks)}]"]
    lines.append(
        f"   {one.metric} {_number(one.now)} {one.expected:+.3g} (80 %: {one.low:+.3g} to {one.high:+.3g}), "
        f"better with a chance of {100 * one.improves:.0f} %; {_waiting(one)}"
    )
    lines += textwrap.wrap(
        f"{one.origin}: {one.evidence}", WIDTH, initial_indent="   ", subsequent_indent="   "
    )
    for term in one.terms:
        lines += textwrap.wrap(term, WIDTH, initial_indent="   · ", subsequent_indent="     ")
    return lines


def trial_text(trial: Trial) -> str:
    """Return what came of a recommendation as text, with the code to change."""
    one = trial.recommendation
    lines = [f"what if: {one.change.words}"]
    if trial.after is None:
        lines.append(f"{one.metric} is not among its results")
    else:
        moved = trial.after - trial.before
        inside = "inside" if one.low <= moved <= one.high else "outside"
        lines.append(
            f"{one.metric} {_number(trial.before)} -> {_number(trial.after)} ({moved:+.3g}, {inside} the expected "
            f"{one.low:+.3g} to {one.high:+.3g})"
        )
    report = trial.done.report
    lines.append(f"waited {duration(report.waited_ns)}, expected {duration(one.waiting_ns)}")
    lines.append("your file is as it was. To make the change:")
    lines += ["", trial.code.rstrip("\n"), ""] if trial.code else [""]
    lines.append(f"  {trial.command}")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.4g}"


def _waiting(one: Recommendation) -> str:
    return f"about {duration(one.waiting_ns)} to try"
