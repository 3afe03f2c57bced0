"""The words of a recommendation, each explained in a sentence."""

from __future__ import annotations

from mile_rl.recommend.base import Recommendation
from mile_rl.recommend.families import FAMILIES
from mile_rl.recommend.regressors import REGRESSORS

STAGE_SAYS = {
    "preprocess": "Preprocessing turns raw data into columns that a learner can use.",
    "learn": "Learning fits a model to the data and applies it.",
    "evaluate": "Evaluating measures how good the model is.",
}

PARAMETER_SAYS = {
    "n_components": "So many new columns are made of the old ones; few are quicker and smoother.",
    "C": "C says how closely a linear model or support vector machine follows the data; small is smoother.",
    "learning_rate": "The learning rate says how much each step corrects; small needs more steps.",
    "learning_rate_init": "The learning rate says how much each step corrects; small needs more steps.",
    "max_depth": "The depth says how many questions in a row a tree may ask.",
    "max_features": "Looking at fewer columns a split makes trees differ more, and quicker to grow.",
    "min_samples_split": "A tree goes on splitting as long as so many rows are left; larger is smoother.",
    "n_estimators": "So many learners are combined; more take longer and are rarely worse.",
    "n_neighbors": "So many similar rows are asked; more is smoother.",
    "p": "p = 1 adds up differences column by column, p = 2 measures along the straight line.",
    "criterion": "The criterion says by what measure a tree picks its questions; both do about as well.",
    "kernel": "The kernel says how rows are compared: rbf by distance, poly by products of columns.",
    "coef0": "coef0 shifts a polynomial kernel; it weighs high powers against low ones.",
    "alpha": "alpha draws the weights towards zero; larger is smoother.",
    "l1_ratio": "An l1 penalty sets the weights of useless columns to exactly zero.",
    "solver": "The solver is the way in which the best weights are searched.",
}

METRIC_SAYS = {
    "accuracy": "Accuracy is the share of rows that are told right.",
    "auc": "AUC is the chance that a positive row gets a higher score than a negative one.",
    "f1": "F1 is high only where both precision and recall are.",
    "precision": "Precision is the share of right ones among those that were picked.",
    "recall": "Recall is the share of those to be found that were found.",
    "rmse": "RMSE is the typical error of a prediction, large ones weighing more.",
    "r2": "R² is the share of the differences that the model explains.",
}

ORIGIN_SAYS = {
    "outcome model": "The outcome model was fitted on what learners scored on hundreds of public datasets.",
    "own history": "Your own history: what your earlier edits of this did.",
    "no outcomes": "No outcomes: nothing tells how well this does, only that it differs from what you tried.",
    "traces": "Traces are recorded histories of other people's edits; they say what is tried, not what helps.",
}

INTERVAL_SAYS = "The change will lie inside the interval in about four of five such recommendations."

EXPLORES_SAYS = (
    "It explores: nothing of this family was tried, so it may well be worse, but one learns most from it."
)


def terms_of(one: Recommendation) -> tuple[str, ...]:
    """Return what the terms of a recommendation mean, one sentence each."""
    said = [STAGE_SAYS[one.stage]]
    text = f"{one.change.words} {one.evidence}"
    said += [family.says for family in FAMILIES.values() if f"{family.class_name}(" in text]
    said += [one.says for name, one in REGRESSORS.items() if f"{name}(" in text]
    touched = {edit.parameter for edit in one.change.edits}
    said += [
        words for name, words in PARAMETER_SAYS.items() if name in touched or f"{name}=" in one.change.words
    ]
    said += [words for name, words in METRIC_SAYS.items() if name in one.metric.lower()]
    said += [INTERVAL_SAYS, ORIGIN_SAYS[one.origin]]
    if one.explores:
        said.append(EXPLORES_SAYS)
    return tuple(dict.fromkeys(said))
