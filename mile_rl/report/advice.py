"""What to try next, for the page: the recommendations of the workflow as its file stands now."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mile_rl.engine.loading import load_workflow, parse_arguments
from mile_rl.engine.project import Project
from mile_rl.errors import MileError
from mile_rl.policies.words import duration
from mile_rl.report.gather import Suggestion
from mile_rl.store.records import Iteration

if TYPE_CHECKING:
    from mile_rl.recommend.base import Recommendation

_FILE = re.compile(r"File\('(.*)'\)")


def advised(project: Project, latest: Iteration) -> tuple[tuple[Suggestion, ...], str]:
    """Return what to try after an iteration; the workflow's file is imported for that.

    They are kept as `mile recommend` keeps them, so that ``mile try N`` means the same ones.

    Args:
        project: where its state lives.
        latest: the workflow's latest iteration.

    Returns:
        The suggestions, and why there are none ("" where there are).
    """
    record = latest.record
    if not record.source:
        return (), "it was run from a notebook, or is a search: put its pipeline into a workflow of its own"
    file, _, name = record.workflow.rpartition(":")
    # The key names the file within the project, which may have moved since.
    places = (project.root / (file or f"{name}.py"), Path(record.source))
    source = next((place for place in places if place.is_file()), None)
    if source is None:
        return (), "its file is not known or not there any more"
    from mile_rl.recommend.advise import advise, save

    try:
        flow = load_workflow(f"{source}:{name}")
        given = parse_arguments(flow, _texts(record.parameters, set(flow.signature.parameters)))
        advice = advise(flow, arguments=given, project=project)
        save(advice, project)
    except MileError as error:
        return (), str(error)
    except (
        Exception,
        SystemExit,
    ) as error:  # the person's own file, under construction: the page is made all the same
        return (), f"{source.name} cannot be imported: {type(error).__name__}: {error}"
    found = tuple(_suggestion(number, one) for number, one in enumerate(advice.recommendations, start=1))
    return found, "" if found else "nothing is known that is better than what was tried"


def _suggestion(number: int, one: Recommendation) -> Suggestion:
    facts = {
        "expected": f"{one.metric} {one.now:.4g} {one.expected:+.3g} (80 %: {one.low:+.3g} to {one.high:+.3g}), "
        f"better with a chance of {one.improves:.0%}",
        "waiting": f"about {duration(one.waiting_ns)} to try",
        "why": f"{one.origin}: {one.evidence}",
        "stage": one.stage + (", not tried yet" if one.explores else ""),
    }
    if one.change.applicable:
        facts["try it"] = f"mile try {number}"
    lines = [f"{name} = {value!r}" for name, value in one.change.arguments.items()]
    lines += [f"- {change.old}\n+ {change.new}" for change in one.change.replacements]
    return Suggestion(title=one.change.words, facts=facts, code="\n".join(lines))


def _texts(parameters: Mapping[str, object], known: set[str]) -> list[str]:
    """Return recorded arguments as the command line would say them; one that it cannot say has its default."""
    texts = []
    for name, recorded in parameters.items():
        if name not in known:
            continue
        text = str(recorded)
        if file := _FILE.fullmatch(text):
            texts.append(f"{name}={file[1]}")
            continue
        try:
            texts.append(f"{name}={ast.literal_eval(text)}")
        except (ValueError, SyntaxError):
            continue
    return texts
