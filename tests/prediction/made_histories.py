"""Small histories, made by hand."""

from mile_rl.prediction.base import PastIteration, PastNode
from mile_rl.workflows.edits import Edit, change_class


def node(name, stage="learn", parents=(), **parameters):
    return PastNode(name=name, stage=stage, operator=name, parents=parents, parameters=parameters)


def version(c=1.0, depth=3, text="raw"):
    return (
        node("load", "preprocess", path=text),
        node("clean", "preprocess", ("load",)),
        node("fit", "learn", ("clean",), C=c, depth=depth),
        node("score", "evaluate", ("fit",)),
    )


def tuned(old, new, *, returns_to=None, name="C", looped=False, gap_s=60.0, **versions):
    edits = (
        Edit(kind="parameter", node="fit", stage="learn", operator="fit", parameter=name, old=old, new=new),
    )
    return PastIteration(
        nodes=version(**({"c": new} if name == "C" else {"depth": new})),
        edits=edits,
        change=change_class(edits, returned=returns_to is not None),
        returns_to=returns_to,
        version=f"{name}={new}",
        gap_s=gap_s,
        looped=looped,
    )


def first(c=1.0):
    return PastIteration(nodes=version(c), version=f"C={c}")
