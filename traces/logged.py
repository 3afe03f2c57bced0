"""What a run of a tracking server logged -> components.

Autologged scikit-learn estimators, pipelines and searches are read as what they are. Any other run is read by
the table ``_PLACES``: each parameter belongs to data, model or evaluation by a word in its name, model where
none matches. That is a rule about names, not knowledge of the code; docs/traces.md says so.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

from mile_rl.workflows.edits import Scalar, Stage
from traces.objectives import words
from traces.operators import stage_of
from traces.schema import Component
from traces.values import scalar
from traces.words import word_set

_CALL = re.compile(r"\s*(?:[\w.]+\.)?([A-Za-z_]\w*)\(")
_STEP = re.compile(r"\(\s*['\"]([^'\"]+)['\"]\s*,\s*((?:[\w.]+\.)?[A-Za-z_]\w*)\s*\(")
_SEARCHES = word_set(
    "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV BayesSearchCV OptunaSearchCV"
)
_MODEL_NAMES = word_set(
    "model model_name model_type model_class algorithm algo classifier regressor estimator "
    "learner architecture arch base_model clf backbone"
)
_NOISE = word_set(
    "__doc__ __weakref__ __module__ __dict__ verbose n_jobs num_workers device debug run_name "
    "experiment_name mlflow nested_run"
)
_PLACES: tuple[tuple[Stage, frozenset[str]], ...] = (
    (
        "preprocess",
        word_set(
            "data dataset datasets path file csv input scaler scaling scale standardize normalize "
            "normalization impute imputer imputation encode encoder encoding feature features vectorizer "
            "tfidf ngram ngrams token tokenizer augment augmentation aug transform transforms preprocess "
            "preprocessing split train_pct test_size train_size val_size resample sampling smote pca crop "
            "image img resize window lag lags lookback horizon columns columns_to_drop drop vocab "
            "stopwords sequence seq"
        ),
    ),
    (
        "evaluate",
        word_set("eval evaluation metric metrics scoring threshold cv fold folds kfold k_fold n_splits topk"),
    ),
)
_NAMES: Mapping[Stage, str] = {"preprocess": "data", "learn": "model", "evaluate": "evaluation"}


def logged_components(
    parameters: Mapping[str, str], *, estimator: str | None, program: str
) -> tuple[Component, ...]:
    """Return the components of one run.

    Args:
        parameters: name -> text, as logged.
        estimator: the class that scikit-learn autologging named ("Pipeline"), None where it named none.
        program: what ran (a script's name), "" if unknown.
    """
    values = {name: scalar(text) for name, text in parameters.items() if name not in _NOISE}
    if estimator in _SEARCHES:
        return _search(parameters, values, str(estimator))
    if estimator == "Pipeline" or ("steps" in parameters and _STEP.search(parameters["steps"])):
        components = _pipeline(parameters, values)
        if components:
            return components
    if estimator:
        return (Component(name="model", operator=estimator, stage=stage_of(estimator), parameters=values),)
    return _by_names(values, program)


def _pipeline(parameters: Mapping[str, str], values: Mapping[str, Scalar]) -> tuple[Component, ...]:
    """Read ``steps`` ("[('scaler', StandardScaler()), …"), whose text may be cut, and ``step__parameter``."""
    steps = dict(_STEP.findall(parameters.get("steps", "")))
    for name in parameters:
        text = parameters[name]
        called = _CALL.match(text)
        if called and any(other.startswith(f"{name}__") for other in parameters):
            steps.setdefault(name, called.group(1))
    components: list[Component] = []
    for name, class_name in steps.items():
        own = {
            key.removeprefix(f"{name}__"): value
            for key, value in values.items()
            if key.startswith(f"{name}__") and not _CALL.match(parameters[key])
        }
        operator = class_name.rsplit(".", 1)[-1]
        components.append(
            Component(
                name=name,
                operator=operator,
                class_name=class_name if "." in class_name else "",
                stage=stage_of(operator),
                parameters=own,
                parents=(components[-1].name,) if components else (),
            )
        )
    return tuple(components)


def _search(
    parameters: Mapping[str, str], values: Mapping[str, Scalar], estimator: str
) -> tuple[Component, ...]:
    """Read a search: the estimator that it tunes, and the search itself as the operator around it."""
    inside = parameters.get("estimator", "")
    nested = {
        name.removeprefix("estimator__"): text
        for name, text in parameters.items()
        if name.startswith("estimator__")
    }
    called = _CALL.match(inside)
    found: tuple[Component, ...] = ()
    if called and called.group(1) == "Pipeline":
        texts = {"steps": inside, **nested}
        found = _pipeline(texts, {name: scalar(text) for name, text in texts.items()})
    elif called:
        inner = called.group(1)
        own = {name: scalar(text) for name, text in nested.items()}
        found = (Component(name="model", operator=inner, stage=stage_of(inner), parameters=own),)
    own = {
        name: value
        for name, value in values.items()
        if name != "estimator" and not name.startswith("estimator__")
    }
    search = Component(
        name="search",
        operator=estimator,
        stage="learn",
        parameters=own,
        parents=(found[-1].name,) if found else (),
    )
    return (*found, search)


def _by_names(values: Mapping[str, Scalar], program: str) -> tuple[Component, ...]:
    places: dict[Stage, dict[str, Scalar]] = {"preprocess": {}, "learn": {}, "evaluate": {}}
    operator = program or "run"
    for name, value in values.items():
        if name.lower() in _MODEL_NAMES and isinstance(value, str) and 0 < len(value) <= 80:
            called = _CALL.match(value)
            operator = called.group(1) if called else value
            continue
        places[_place(name)][name] = value
    components: list[Component] = []
    for stage, own in places.items():
        if own or stage == "learn":
            components.append(
                Component(
                    name=_NAMES[stage],
                    operator=operator if stage == "learn" else _NAMES[stage],
                    stage=stage,
                    parameters=own,
                    parents=(components[-1].name,) if components else (),
                )
            )
    return tuple(components)


def _place(name: str) -> Stage:
    parts = words(name)
    pairs = {"_".join(pair) for pair in itertools.pairwise(parts)}
    for stage, known in _PLACES:
        if known & pairs or known.intersection(parts):
            return stage
    return "learn"
