"""Writes the code of a learner anew: other parameters, or another class in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mile_rl.recommend.base import Replacement
from mile_rl.recommend.families import FAMILIES, code_of
from mile_rl.recommend.outcome import Configuration
from mile_rl.recommend.places import Place
from mile_rl.recommend.scan import Scan
from mile_rl.recommend.written import Learner
from mile_rl.workflows.edits import Scalar

Written = tuple[dict[str, Scalar], tuple[Replacement, ...]]


def other_class(scan: Scan, learner: Learner, configuration: Configuration) -> Written:
    """Return what puts a configuration of another class in a learner's place.

    A seed that the code gives is kept where the new class takes one; an import is added where it is missing.
    """
    family = FAMILIES[configuration.family]
    arguments = {name: repr(value) for name, value in code_of(configuration).items()}
    if family.random and "random_state" in learner.written:
        arguments["random_state"] = learner.written["random_state"]
    return {}, calling(scan, learner, family.module, family.class_name, arguments)


def calling(
    scan: Scan, learner: Learner, module: str, class_name: str, arguments: Mapping[str, str]
) -> tuple[Replacement, ...]:
    """Return what puts a call of another class in a learner's place, and an import where it is missing.

    Args:
        scan: of the file.
        learner: what stands there.
        module, class_name: what to call.
        arguments: parameter -> text.
    """
    full = f"{module}.{class_name}"
    local = next((name for name, dotted in scan.imported.items() if dotted == full), None)
    listed = ", ".join(f"{name}={text}" for name, text in arguments.items())
    call = Replacement(
        start=learner.span.start, old=learner.span.text, new=f"{local or class_name}({listed})"
    )
    return (call,) if local is not None else (importing(scan, {class_name: module}), call)


def importing(scan: Scan, wanted: Mapping[str, str]) -> Replacement:
    """Return what adds imports to a file: name -> module."""
    lines = "".join(f"from {module} import {name}\n" for name, module in wanted.items())
    place = scan.import_place()
    if place and scan.text[place - 1] != "\n":
        lines = "\n" + lines.rstrip("\n")
    return Replacement(start=place, old="", new=lines)


def other_parameters(
    learner: Learner, changed: Mapping[str, Any], places: Mapping[str, Place | None]
) -> Written | None:
    """Return what gives a learner other parameters, None where it is not plain to see how.

    Args:
        learner: the code.
        changed: parameter of the class -> its new value.
        places: parameter of the operator -> where its value is written.
    """
    arguments: dict[str, Scalar] = {}
    replacements: list[Replacement] = []
    inside: dict[str, Any] = {}
    for name, value in changed.items():
        own = learner.bound.get(name)
        if own is None:
            if name in learner.written and name not in learner.given:
                return None  # an expression of the person's own: not ours to overwrite
            inside[name] = value
            continue
        place = places.get(own)
        if place is None:
            return None
        more, replaced = place.put(value)
        arguments |= more
        replacements += replaced
    if inside:
        replacements.append(learner.rewritten({name: repr(value) for name, value in inside.items()}))
    return arguments, tuple(replacements)


def apply(text: str, replacements: tuple[Replacement, ...]) -> str:
    """Return a text after replacements.

    Raises:
        ValueError: the text is not the one that they were made for.
    """
    for one in sorted(replacements, key=lambda one: -one.start):
        end = one.start + len(one.old)
        if text[one.start : end] != one.old:
            raise ValueError(f"{one.old!r} does not stand at position {one.start} any more")
        text = text[: one.start] + one.new + text[end:]
    return text
