"""What is read from a workflow's text, and what is written into it."""

import pytest

from mile_rl.recommend.base import Replacement
from mile_rl.recommend.families import ALIKE, FAMILIES, code_of, position
from mile_rl.recommend.outcome import Configuration, shipped
from mile_rl.recommend.rewrite import apply, other_class, other_parameters
from mile_rl.recommend.scan import Scan

TEXT = '''"""Umlauts before code count: größer."""
import sklearn.svm as machines
from sklearn.linear_model import LogisticRegression as Logistic

DEPTH = 3


def helper(table):
    return machines.SVC(kernel="poly", coef0=1).fit(table)


def fit(table, labels, C=1.0):
    größe = 1; return Logistic(C=C, max_iter=100 * größe, random_state=7).fit(table, labels)


def both(table):
    helper = 3
    return helper


def indirect(table):
    return helper(table)
'''


@pytest.fixture
def scan():
    return Scan(TEXT)


def test_a_learner_is_found_with_its_parameters_and_its_place(scan):
    (found,) = scan.learners("fit")
    assert (found.class_name, found.called) == ("LogisticRegression", "Logistic")
    assert found.bound == {"C": "C"}
    assert found.given == {"random_state": 7}
    assert found.span.text == "Logistic(C=C, max_iter=100 * größe, random_state=7)"
    assert TEXT[found.span.start :].startswith(found.span.text)
    assert found.parameters({"C": 5.0}) == {"random_state": 7, "C": 5.0}


def test_helpers_count_and_variables_of_their_name_do_not(scan):
    assert [one.class_name for one in scan.learners("indirect")] == ["SVC"]
    assert scan.learners("both") == []


@pytest.mark.parametrize(
    "body",
    [
        "GridSearchCV(SVC(), {})",
        "VotingClassifier([('a', SVC()), ('b', SVC())])",
        "SVC() or SVC(C=2)",
        "BaggingClassifier(estimator=SVC())",
        "SVC(**options)",
        "KMeans()",
    ],
)
def test_where_a_score_is_not_one_learners_nothing_is_taken_for_it(body):
    text = (
        "from sklearn.cluster import KMeans\nfrom sklearn.ensemble import BaggingClassifier, VotingClassifier\n"
        f"from sklearn.model_selection import GridSearchCV\nfrom sklearn.svm import SVC\n\n\ndef fit(options):\n"
        f"    return {body}\n"
    )
    assert Scan(text).learners("fit") == []


def test_the_last_step_of_a_pipeline_is_a_learner():
    text = (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\n"
        "from sklearn.svm import SVC\n\n\ndef fit(t):\n    return make_pipeline(StandardScaler(), SVC()).fit(t)\n"
    )
    (found,) = Scan(text).learners("fit")
    assert (found.class_name, found.beside) == ("SVC", ("StandardScaler",))
    assert Scan(text).pipeline_around(found) is not None


def test_another_class_takes_the_place_with_its_import(scan):
    (found,) = scan.learners("fit")
    written = other_class(scan, found, Configuration(family="RF", parameters={"min_samples_split": 8}))
    text = apply(TEXT, written[1])
    assert "from sklearn.ensemble import RandomForestClassifier\n" in text
    assert "RandomForestClassifier(min_samples_split=8, random_state=7).fit(table, labels)" in text
    assert Scan(text).learners("fit")[0].class_name == "RandomForestClassifier"


def test_a_class_that_is_imported_already_is_called_by_its_name_there(scan):
    (found,) = scan.learners("indirect")
    written = other_class(scan, found, Configuration(family="Logit", parameters={"C": 4}))
    assert [one.new for one in written[1]] == ["Logistic(C=4)"]


def test_an_expression_of_the_persons_own_is_not_overwritten(scan):
    (found,) = scan.learners("fit")
    assert other_parameters(found, {"max_iter": 5}, {}) is None
    assert other_parameters(found, {"C": 5}, {"C": None}) is None


def test_a_text_that_changed_meanwhile_is_refused():
    with pytest.raises(ValueError, match="does not stand"):
        apply("a = 2", (Replacement(start=4, old="1", new="3"),))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_known_configuration_is_code_that_todays_scikit_learn_fits(family):
    import importlib

    import numpy as np

    about = FAMILIES[family]
    made = getattr(importlib.import_module(about.module), about.class_name)
    rng = np.random.default_rng(0)
    table, labels = rng.normal(size=(12, 2)), np.arange(12) % 2
    configurations = [one for one in shipped().configurations if one.family == family]
    assert configurations
    for one in {repr(code_of(one)): one for one in configurations}.values():
        model = made(**code_of(one))
        model.get_params()
    quick = made(**code_of(configurations[0]), **({"max_iter": 500} if family == "MLP" else {}))
    if family != "MLP":
        quick.fit(table, labels)
        assert all(hasattr(quick, name) for name in about.abilities)
    assert ALIKE[about.class_name] == (family, 0.0)


def test_code_is_taken_for_the_nearest_known_configuration():
    known = shipped().configurations
    at, doubt = position(known, "SVC", {"C": 9.0, "kernel": "rbf"})
    assert known[at].family == "kSVM"
    assert (known[at].parameters["C"], known[at].parameters["kernel"]) == (8, "rbf")
    counted, _ = position(known, "RandomForestClassifier", {"min_samples_split": 3})
    shared, _ = position(known, "RandomForestClassifier", {"min_samples_split": 0.2})
    assert known[counted].parameters["min_samples_split"] in (2, 4)
    assert known[shared].parameters["min_samples_split"] == 0.1
    assert position(known, "HistGradientBoostingClassifier", {})[1] > doubt
    assert position(known, "KMeans", {}) is None
