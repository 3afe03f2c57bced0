"""Which family a flow belongs to, and its components."""

from __future__ import annotations

from traces.errors import BadRow
from traces.flows.flow import Flow, SetupValues
from traces.flows.mlr import is_mlr, read_mlr
from traces.flows.sklearn import is_sklearn, read_sklearn
from traces.flows.weka import is_weka, read_weka
from traces.schema import Component


def read_flow(flow: Flow, values: SetupValues) -> tuple[Component, ...]:
    """Return the components of a flow under a setup, in topological order.

    Raises:
        BadRow: the flow is of no family that can be read, or not put together as its family is.
    """
    if is_sklearn(flow):
        return read_sklearn(flow, values)
    if is_weka(flow):
        return read_weka(flow, values)
    if is_mlr(flow):
        return read_mlr(flow, values)
    raise BadRow("a flow of no known family", flow.name)
