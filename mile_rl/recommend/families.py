"""The learners that the outcome model knows, as code: classes, defaults, what they can do, what they are."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mile_rl.recommend.outcome import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of learner.

    Args:
        module: where its class is imported from.
        class_name: its class.
        says: what it is, in a sentence for a novice.
        defaults: the values of the parameters that the outcomes vary, where code does not give them.
        dense: whether it refuses sparse matrices.
        abilities: the methods and attributes beyond ``predict`` that code may ask of it.
        random: whether it takes ``random_state``.
        per_class: whether it fits as much for each class of several as for two.
        growth: the power of the number of rows that fitting grows with, beyond the sizes of the outcomes.
    """

    module: str
    class_name: str
    says: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    dense: bool = False
    abilities: frozenset[str] = frozenset()
    random: bool = True
    per_class: bool = False
    growth: float = 1.0


_PROBABLE = frozenset(("predict_proba", "predict_log_proba", "classes_"))
_SCORED = frozenset(("decision_function", "classes_"))
_TREES = _PROBABLE | {"feature_importances_"}

FAMILIES: Mapping[str, Family] = {
    "RF": Family(
        module="sklearn.ensemble",
        class_name="RandomForestClassifier",
        says="A random forest lets many decision trees, each grown on a random part of the data, vote.",
        defaults={"min_samples_split": 2, "criterion": "gini"},
        abilities=_TREES,
    ),
    "ExtraTrees": Family(
        module="sklearn.ensemble",
        class_name="ExtraTreesClassifier",
        says="Extra trees are a forest whose trees also split at random places: quicker, often as good.",
        defaults={"min_samples_split": 2, "criterion": "gini"},
        abilities=_TREES,
    ),
    "GBT": Family(
        module="sklearn.ensemble",
        class_name="GradientBoostingClassifier",
        says="Gradient boosting grows small trees one after the other, each correcting those before it.",
        defaults={"learning_rate": 0.1, "max_depth": 3, "max_features": None},
        per_class=True,
        abilities=_TREES | _SCORED,
    ),
    "AB": Family(
        module="sklearn.ensemble",
        class_name="AdaBoostClassifier",
        says="AdaBoost adds weak learners one after the other, each minding the rows that were wrong before.",
        defaults={"n_estimators": 50, "learning_rate": 1.0},
        abilities=_TREES | _SCORED,
    ),
    "DT": Family(
        module="sklearn.tree",
        class_name="DecisionTreeClassifier",
        says="A decision tree asks one question about one column after the other.",
        defaults={"min_samples_split": 2},
        abilities=_TREES,
    ),
    "GNB": Family(
        module="sklearn.naive_bayes",
        class_name="GaussianNB",
        says="Naive Bayes supposes that columns are normally distributed and independent within a class.",
        dense=True,
        abilities=_PROBABLE,
        random=False,
    ),
    "KNN": Family(
        module="sklearn.neighbors",
        class_name="KNeighborsClassifier",
        says="Nearest neighbours gives a row the class of the most similar rows.",
        defaults={"n_neighbors": 5, "p": 2},
        abilities=frozenset(("predict_proba", "classes_", "kneighbors")),
        growth=2.0,
        random=False,
    ),
    "Logit": Family(
        module="sklearn.linear_model",
        class_name="LogisticRegression",
        says="Logistic regression weighs the columns and turns the sum into a probability.",
        defaults={"C": 1.0, "penalty": "l2", "solver": "liblinear"},
        abilities=_PROBABLE | _SCORED | {"coef_", "intercept_"},
    ),
    "MLP": Family(
        module="sklearn.neural_network",
        class_name="MLPClassifier",
        says="A multi-layer perceptron is a small neural network.",
        defaults={
            "learning_rate_init": 0.001,
            "learning_rate": "adaptive",
            "solver": "adam",
            "alpha": 0.0001,
        },
        abilities=_PROBABLE,
    ),
    "Perceptron": Family(
        module="sklearn.linear_model",
        class_name="Perceptron",
        says="The perceptron is the simplest linear classifier.",
        abilities=_SCORED | {"coef_", "intercept_"},
    ),
    "kSVM": Family(
        module="sklearn.svm",
        class_name="SVC",
        says="A support vector machine with a kernel parts the classes by a curved border with a wide margin.",
        defaults={"C": 1.0, "kernel": "rbf", "coef0": 0.0},
        growth=2.0,
        abilities=_SCORED,
    ),
    "lSVM": Family(
        module="sklearn.svm",
        class_name="LinearSVC",
        says="A linear support vector machine parts the classes by a straight border with a wide margin.",
        per_class=True,
        defaults={"C": 1.0},
        abilities=_SCORED | {"coef_", "intercept_"},
    ),
}

ALIKE: Mapping[str, tuple[str, float]] = {
    **{family.class_name: (name, 0.0) for name, family in FAMILIES.items()},
    "HistGradientBoostingClassifier": ("GBT", 0.3),
    "XGBClassifier": ("GBT", 0.3),
    "LGBMClassifier": ("GBT", 0.3),
    "BaggingClassifier": ("RF", 0.4),
    "ExtraTreeClassifier": ("DT", 0.4),
    "SGDClassifier": ("lSVM", 0.3),
    "RidgeClassifier": ("Logit", 0.3),
    "LogisticRegressionCV": ("Logit", 0.2),
    "PassiveAggressiveClassifier": ("Perceptron", 0.3),
    "NuSVC": ("kSVM", 0.3),
    "LinearDiscriminantAnalysis": ("Logit", 0.4),
    "BernoulliNB": ("GNB", 0.5),
    "MultinomialNB": ("GNB", 0.5),
}
"""Class -> (the family that does most alike, how far apart they are: a variance on the logistic scale)."""

BASE_DOUBT = 0.02
"""Another version, another seed: no score is quite what the outcomes' would be."""

LARGEST_ROWS = 10_000
"""How many rows the largest datasets of the outcomes have."""


def fitting_ratio(before: str, after: str, rows: int | None, classes: int | None) -> float:
    """Return by how much fitting one family beside another takes longer than the outcomes tell.

    They hold two classes and at most ``LARGEST_ROWS`` rows.

    Args:
        before, after: the families.
        rows, classes: of the data, None where unknown.
    """
    ratio = 1.0
    if classes is not None and classes > 2 and FAMILIES[after].per_class != FAMILIES[before].per_class:
        ratio *= classes if FAMILIES[after].per_class else 1 / classes
    if rows is not None and rows > LARGEST_ROWS:
        ratio *= (rows / LARGEST_ROWS) ** (FAMILIES[after].growth - FAMILIES[before].growth)
    return ratio


def set_parameters(class_name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values of an object's parameters that are not the class's defaults.

    Args:
        class_name: one of a family; of a class that is merely like one, nothing is known.
        values: all of the object's parameters, and perhaps others.
    """
    family = FAMILIES[ALIKE[class_name][0]]
    if family.class_name != class_name:
        return {}
    known = inspect.signature(getattr(importlib.import_module(family.module), class_name)).parameters
    return {name: value for name, value in values.items() if name in known and known[name].default != value}


_MOST_DOUBT = 0.5


def position(
    configurations: Sequence[Configuration], class_name: str, parameters: Mapping[str, Any]
) -> tuple[int, float] | None:
    """Return the known configuration nearest to code, and the doubt that goes with taking the one for the other.

    Args:
        configurations: those of the outcome model.
        class_name: the class that the code makes.
        parameters: those that it gives, as far as they are known.

    Returns:
        (position, variance on the logistic scale); None where the class is none of the known kinds.
    """
    alike = ALIKE.get(class_name)
    if alike is None:
        return None
    name, apart = alike
    own = {**FAMILIES[name].defaults, **parameters}
    best = min(
        (distance(own, one.parameters), at) for at, one in enumerate(configurations) if one.family == name
    )
    return best[1], min(BASE_DOUBT + apart + 0.05 * best[0], _MOST_DOUBT)


def distance(own: Mapping[str, Any], known: Mapping[str, Any]) -> float:
    """Return how far parameters lie apart: decades for numbers, 1 for each other difference."""
    total = 0.0
    for name, value in known.items():
        mine = own.get(name)
        if mine == value:
            continue
        if mine is not None and _is_positive(mine) and _is_positive(value):
            # A number of rows and a share of them are two ways to say it, and no ratio compares them.
            counted = name == "min_samples_split" and isinstance(mine, int) != isinstance(value, int)
            total += 1.0 if counted else abs(math.log10(float(mine) / float(value)))
        elif isinstance(mine, int | float) and isinstance(value, int | float) and mine is not True:
            total += min(abs(float(mine) - float(value)), 1.0)
        else:
            total += 1.0
    return total


def code_of(configuration: Configuration) -> dict[str, Any]:
    """Return the parameters that code has to give, in today's scikit-learn: those that differ from a default."""
    family = FAMILIES[configuration.family]
    given = {
        name: value
        for name, value in configuration.parameters.items()
        if name not in family.defaults or family.defaults[name] != value
    }
    if configuration.family == "Logit":
        # liblinear and saga reach the same optimum as today's default solver, save for the l1 penalty.
        given.pop("solver", None)
        if given.pop("penalty", "l2") == "l1":
            given |= {"l1_ratio": 1.0, "solver": "saga"}
    if configuration.family == "MLP" and configuration.parameters.get("solver") != "sgd":
        given.pop("learning_rate", None)
    return given


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
