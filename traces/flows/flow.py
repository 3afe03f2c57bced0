"""A flow as OpenML describes it, and what a setup set its parameters to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from traces.openml_http import all_of, text_of

SetupValues = Mapping[tuple[int, str], str]
"""(id of the component's flow, parameter) -> value as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One flow.

    Args:
        id: its OpenML id.
        name: its name, which for scikit-learn and weka holds the names of what is nested in it.
        external_version: the versions of the libraries it was made with.
        parameters: names of its own parameters -> default as text.
        components: identifier -> the flow nested in it, in the order of the description.
    """

    id: int
    name: str
    external_version: str
    parameters: Mapping[str, str]
    components: Mapping[str, Flow]

    @property
    def class_name(self) -> str:
        """Its own class, without what is nested in it."""
        return self.name.split("(", 1)[0]


def parse_flow(element: ElementTree.Element) -> Flow:
    """Return the flow that an ``oml:flow`` element describes, with everything nested in it."""
    nested: dict[str, Flow] = {}
    for component in all_of(element, "component"):
        (inner,) = all_of(component, "flow")
        nested[text_of(component, "identifier")] = parse_flow(inner)
    return Flow(
        id=int(text_of(element, "id")),
        name=text_of(element, "name"),
        external_version=text_of(element, "external_version"),
        parameters={
            text_of(parameter, "name"): text_of(parameter, "default_value")
            for parameter in all_of(element, "parameter")
        },
        components=nested,
    )


def own_values(flow: Flow, values: SetupValues) -> dict[str, str]:
    """Return what the setup set this flow's own parameters to, as text."""
    return {name: values[flow.id, name] for name in flow.parameters if (flow.id, name) in values}
