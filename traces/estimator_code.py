"""An estimator as the Python text that makes it, imports included."""

from __future__ import annotations

import ast
from typing import Any

from traces.errors import BadRow

_LONGEST = 10**6


def code_of(estimator: Any, name: str = "estimator") -> str:
    """Return the text that makes an estimator: parameters that have their defaults are left out.

    Args:
        estimator: of scikit-learn's, not fitted.
        name: the variable that it is assigned to.

    Raises:
        BadRow: a parameter is something that has no such text.

    Example:
        >>> from sklearn.svm import SVC
        >>> print(code_of(SVC(C=10.0)))
        from sklearn.svm import SVC
        <BLANKLINE>
        estimator = SVC(C=10.0)
    """
    text = " ".join(estimator.__repr__(N_CHAR_MAX=_LONGEST).split())
    try:
        tree = ast.parse(text)
    except SyntaxError:
        raise BadRow(
            f"{text} cannot be written as code: make it with traces.estimators.fetch_estimator in Python"
        ) from None
    modules = {type(one).__name__: _public(type(one).__module__) for one in _estimators(estimator)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imports = sorted(f"from {modules[each]} import {each}" for each in used & modules.keys())
    if "nan" in used:
        imports.append("from math import nan")
    return "\n".join([*imports, "", f"{name} = {text}"])


def _estimators(value: Any) -> list[Any]:
    """Return the estimators in a value, itself included."""
    if isinstance(value, list | tuple):
        return [one for item in value for one in _estimators(item)]
    if not hasattr(value, "get_params") or isinstance(value, type):
        return []
    return [value, *(one for item in value.get_params(deep=False).values() for one in _estimators(item))]


def _public(module: str) -> str:
    """Return the module that a class is imported from: without what begins with an underscore."""
    parts = module.split(".")
    hidden = next((at for at, part in enumerate(parts) if part.startswith("_")), len(parts))
    return ".".join(parts[:hidden])
