"""Flows of scikit-learn, weka and mlr -> components."""

import json
from xml.etree import ElementTree

import pytest
from openml_server import Flow

from traces.errors import BadRow
from traces.flows.flow import parse_flow
from traces.flows.read import read_flow


def read(flow, values=None):
    return read_flow(parse_flow(ElementTree.fromstring(flow.xml())), values or {})


def names(components):
    return [(each.name, each.operator, each.stage, each.parents) for each in components]


def reference(*keys):
    steps = [
        {"oml-python:serialized_object": "component_reference", "value": {"key": key, "step_name": key}}
        for key in keys
    ]
    return json.dumps(steps)


IMPUTER = Flow(2, "sklearn.preprocessing.imputation.Imputer", parameters={"strategy": '"mean"'})
SCALER = Flow(3, "sklearn.preprocessing.data.StandardScaler")
ONEHOT = Flow(4, "sklearn.preprocessing._encoders.OneHotEncoder")
TREE = Flow(5, "sklearn.tree.tree.DecisionTreeClassifier", parameters={"max_depth": "null"})
NUMERIC = Flow(
    6,
    "sklearn.pipeline.Pipeline(imp=sklearn.preprocessing.imputation.Imputer,scale=sklearn.preprocessing.data.S)",
    components={"imp": IMPUTER, "scale": SCALER},
)
COLUMNS = Flow(
    7,
    "sklearn.compose._column_transformer.ColumnTransformer(num=...,cat=...)",
    parameters={"transformers": "", "remainder": '"drop"'},
    components={"num": NUMERIC, "cat": ONEHOT},
)
BOOST = Flow(
    8,
    "sklearn.ensemble.weight_boosting.AdaBoostClassifier(base_estimator=sklearn.tree.tree.DecisionTreeClassifier)",
    parameters={"base_estimator": "", "n_estimators": "50"},
    components={"base_estimator": TREE},
)
PIPE = Flow(
    9,
    "sklearn.pipeline.Pipeline(columns=sklearn.compose...,boost=sklearn.ensemble...)",
    parameters={"steps": "", "memory": "null"},
    components={"boost": BOOST, "columns": COLUMNS},
)
SEARCH = Flow(
    10,
    "sklearn.model_selection._search.RandomizedSearchCV(estimator=sklearn.pipeline.Pipeline(...))",
    parameters={"estimator": "", "cv": "3", "param_distributions": "{}"},
    components={"estimator": PIPE},
)


def test_nested_pipelines_column_transformers_and_wrappers_become_a_dag():
    values = {
        (9, "steps"): reference("columns", "boost"),
        (7, "transformers"): reference("num", "cat"),
        (7, "remainder"): '"drop"',
        (2, "strategy"): '"median"',
        (5, "max_depth"): "3",
        (8, "base_estimator"): reference("base_estimator")[1:-1],
        (8, "n_estimators"): "100",
        (10, "cv"): "5",
    }
    components = read(SEARCH, values)
    assert names(components) == [
        ("estimator.columns.num.imp", "Imputer", "preprocess", ()),
        ("estimator.columns.num.scale", "StandardScaler", "preprocess", ("estimator.columns.num.imp",)),
        ("estimator.columns.cat", "OneHotEncoder", "preprocess", ()),
        (
            "estimator.columns",
            "ColumnTransformer",
            "preprocess",
            ("estimator.columns.num.scale", "estimator.columns.cat"),
        ),
        ("estimator.boost.base_estimator", "DecisionTreeClassifier", "learn", ("estimator.columns",)),
        ("estimator.boost", "AdaBoostClassifier", "learn", ("estimator.boost.base_estimator",)),
        ("randomizedsearchcv", "RandomizedSearchCV", "learn", ("estimator.boost",)),
    ]
    assert [dict(each.parameters) for each in components] == [
        {"strategy": "median"},
        {},
        {},
        {"remainder": "drop"},
        {"max_depth": 3},
        {"n_estimators": 100},
        {"cv": 5},
    ]


def test_without_a_list_of_steps_the_names_order_counts():
    assert [each.name for each in read(PIPE)][-1] == "boost"


def test_steps_that_are_passed_through_are_left_out():
    values = {(9, "steps"): reference("columns", "passthrough", "boost")}
    assert [each.name for each in read(PIPE, values)][-1] == "boost"


def test_a_step_without_its_component_is_a_bad_row_not_a_guess():
    with pytest.raises(BadRow, match="a step without a component"):
        read(PIPE, {(9, "steps"): reference("columns", "vanished")})


def test_an_unknown_class_takes_its_stage_from_its_place():
    own = Flow(2, "helper.dual_imputer.Dual", "sklearn==0.18")
    flow = Flow(
        1, "sklearn.pipeline.Pipeline(a=helper,b=helper)", components={"a": own, "b": Flow(3, "helper.Mine")}
    )
    assert [each.stage for each in read(flow)] == ["preprocess", "learn"]


J48 = Flow(21, "weka.J48", "Weka_3.8", {"C": "0.25"})


def test_a_filtered_classifier_of_weka_is_its_filters_before_its_classifier():
    flow = Flow(
        20,
        "weka.FilteredClassifier_Bagging_J48",
        "Weka_3.8",
        {"F": "", "W": ""},
        {"Bagging": Flow(22, "weka.Bagging_J48", "Weka_3.8", {"I": "10"}, {"J48": J48})},
    )
    multi = (
        'weka.filters.MultiFilter -F "weka.filters.unsupervised.attribute.Standardize -unset-class-temporarily" '
        '-F "weka.filters.supervised.attribute.Discretize -R first-last -precision 6"'
    )
    values = {(20, "F"): multi, (20, "W"): "weka.classifiers.meta.Bagging", (22, "I"): "20", (21, "C"): "0.5"}
    components = read(flow, values)
    assert names(components) == [
        ("Standardize", "Standardize", "preprocess", ()),
        ("Discretize", "Discretize", "preprocess", ("Standardize",)),
        ("J48", "J48", "learn", ("Discretize",)),
        ("Bagging", "Bagging", "learn", ("J48",)),
    ]
    assert dict(components[1].parameters) == {"R": "first-last", "precision": 6}
    assert dict(components[2].parameters) == {"C": 0.5}


def test_attribute_selection_of_weka_is_preprocessing():
    flow = Flow(
        30, "weka.AttributeSelectedClassifier_J48", "Weka_3.8", {"E": "", "S": "", "W": ""}, {"J48": J48}
    )
    values = {
        (30, "E"): "weka.attributeSelection.CfsSubsetEval -P 1 -E 1",
        (30, "S"): "weka.attributeSelection.BestFirst -D 1 -N 5",
    }
    assert [(each.operator, each.stage) for each in read(flow, values)] == [
        ("CfsSubsetEval", "preprocess"),
        ("BestFirst", "preprocess"),
        ("J48", "learn"),
    ]


def test_options_of_weka_that_cannot_be_read_are_a_bad_row():
    flow = Flow(20, "weka.FilteredClassifier_J48", "Weka_3.8", {"F": ""}, {"J48": J48})
    with pytest.raises(BadRow, match="options of weka"):
        read(flow, {(20, "F"): 'weka.filters.MultiFilter -F "unclosed'})


def test_wrappers_of_mlr_stand_around_the_learner():
    inside = Flow(41, "randomForest", "R_3.3", {"ntree": "500"})
    flow = Flow(
        40,
        "mlr.classif.randomForest.filtered.imputed.tuned",
        "R_3.3.2-v2",
        {"fw.perc": "", "openml.seed": "1"},
        {"randomForest": inside},
    )
    components = read(flow, {(40, "fw.perc"): "0.5", (40, "openml.seed"): "1", (41, "ntree"): "1000"})
    assert names(components) == [
        ("ImputeWrapper", "ImputeWrapper", "preprocess", ()),
        ("FilterWrapper", "FilterWrapper", "preprocess", ("ImputeWrapper",)),
        ("learner", "classif.randomForest", "learn", ("FilterWrapper",)),
        ("TuneWrapper", "TuneWrapper", "learn", ("learner",)),
    ]
    assert dict(components[1].parameters) == {"fw.perc": 0.5}
    assert dict(components[2].parameters) == {"ntree": 1000, "openml.seed": 1}


@pytest.mark.parametrize("name", ["classif.gbm", "mlr.regr.rpart", "classif.h2o.randomForest.dummied"])
def test_learners_of_mlr_are_recognised(name):
    assert read(Flow(1, name, "R_3.1"))[-1].stage == "learn"


@pytest.mark.parametrize("name", ["azure_two_class_flow", "randomforest", "iBK", ""])
def test_a_flow_of_no_known_family_is_a_bad_row_not_a_guess(name):
    with pytest.raises(BadRow, match="no known family"):
        read(Flow(1, name, ""))
