"""OpenML's flows and mined iterations -> estimators of the release of scikit-learn that is installed."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from openml_server import Flow, OpenmlServer
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import AdaBoostClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_validate as plainly
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from mile_rl.sklearn import cross_validate, pipeline_workflow
from traces.cli import main
from traces.errors import BadRow
from traces.estimator_code import code_of
from traces.estimators import estimator_of, estimator_of_trace, fetch_estimator
from traces.flows.flow import parse_flow
from traces.flows.read import read_flow
from traces.schema import Component


def built(flow, values=None):
    return estimator_of(parse_flow(ElementTree.fromstring(flow.xml())), values or {})


def step(key, name=None, columns=None):
    value = {"key": key, "step_name": name or key}
    if columns is not None:
        value["argument_1"] = columns
    return {"oml-python:serialized_object": "component_reference", "value": value}


IMPUTER = Flow(2, "sklearn.preprocessing.imputation.Imputer", parameters={"strategy": "", "axis": ""})
SCALER = Flow(3, "sklearn.preprocessing.data.StandardScaler", parameters={"with_mean": ""})
ONEHOT = Flow(4, "sklearn.preprocessing._encoders.OneHotEncoder", parameters={"sparse": "", "dtype": ""})
TREE = Flow(5, "sklearn.tree.tree.DecisionTreeClassifier", parameters={"max_depth": "", "presort": ""})
SUPPORT = Flow(6, "sklearn.svm.classes.SVC", parameters={"C": "", "kernel": "", "gamma": "", "shrinking": ""})
BOOST = Flow(
    7,
    "sklearn.ensemble.weight_boosting.AdaBoostClassifier(base_estimator=sklearn.tree.tree.DecisionTreeClassifier)",
    parameters={"base_estimator": "", "n_estimators": ""},
    components={"base_estimator": TREE},
)
PIPE = Flow(
    8,
    "sklearn.pipeline.Pipeline(imp=sklearn...,scale=sklearn...,svc=sklearn...)",
    parameters={"steps": "", "memory": ""},
    components={"imp": IMPUTER, "scale": SCALER, "svc": SUPPORT},
)


def test_a_setup_sets_the_parameters_of_a_flow():
    values = {(6, "C"): "10.0", (6, "kernel"): '"linear"', (6, "gamma"): '"scale"', (6, "shrinking"): "false"}
    made = built(SUPPORT, values)
    assert repr(made.estimator) == repr(SVC(C=10.0, kernel="linear", shrinking=False))
    assert made.notes == ()


def test_a_pipeline_of_an_old_release_is_one_of_today():
    values = {
        (8, "steps"): json.dumps([step("imp"), step("scale"), step("svc")]),
        (8, "memory"): "null",
        (2, "strategy"): '"median"',
        (2, "axis"): "0",
        (3, "with_mean"): "false",
        (6, "C"): "2.5",
    }
    made = built(PIPE, values)
    assert [name for name, _ in made.estimator.steps] == ["imp", "scale", "svc"]
    assert made.estimator.get_params()["imp__strategy"] == "median"
    assert made.estimator["scale"].with_mean is False
    assert made.estimator["svc"].C == 2.5
    assert made.notes == ("SimpleImputer has no axis in this release",)


def test_without_a_record_of_the_steps_their_order_is_that_of_the_flow():
    assert [type(each) for _, each in built(PIPE).estimator.steps][-1] is SVC


def test_what_a_release_does_not_take_keeps_its_default_and_is_told():
    made = built(TREE, {(5, "max_depth"): "-3", (5, "presort"): "false"})
    assert made.estimator.max_depth is None
    assert sorted(made.notes) == [
        "DecisionTreeClassifier does not take max_depth=-3 in this release",
        "DecisionTreeClassifier has no presort in this release",
    ]


def test_renamed_parameters_find_their_new_names():
    made = built(BOOST, {(7, "n_estimators"): "7", (5, "max_depth"): "2"})
    assert isinstance(made.estimator, AdaBoostClassifier)
    assert isinstance(made.estimator.estimator, DecisionTreeClassifier)
    assert (made.estimator.n_estimators, made.estimator.estimator.max_depth) == (7, 2)


def test_columns_and_types_are_read():
    columns = Flow(
        9,
        "sklearn.compose._column_transformer.ColumnTransformer(num=...,cat=...)",
        parameters={"transformers": "", "remainder": ""},
        components={"num": SCALER, "cat": ONEHOT},
    )
    kind = {"oml-python:serialized_object": "type", "value": "np.float32"}
    values = {
        (9, "transformers"): json.dumps([step("num", columns=[0, 1]), step("cat", columns=[2])]),
        (9, "remainder"): '"drop"',
        (4, "sparse"): "false",
        (4, "dtype"): json.dumps(kind),
    }
    made = built(columns, values).estimator
    assert isinstance(made, ColumnTransformer)
    assert [(name, type(each), where) for name, each, where in made.transformers] == [
        ("num", StandardScaler, [0, 1]),
        ("cat", OneHotEncoder, [2]),
    ]
    assert (made.transformers[1][1].sparse_output, made.transformers[1][1].dtype) == (False, np.float32)
    with pytest.raises(BadRow, match="columns are not recorded"):
        built(columns)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "sklearn.os.system",
        "xgboost.sklearn.XGBClassifier",
        "sklearn.base.clone",
    ],
)
def test_only_estimators_of_scikit_learn_are_made(name):
    with pytest.raises(BadRow, match="does not have"):
        built(Flow(1, name))


@pytest.mark.parametrize("kind", ["function", "rv_frozen", "cv_object"])
def test_nothing_is_evaluated(kind):
    value = json.dumps({"oml-python:serialized_object": kind, "value": "__import__('os').getcwd()"})
    with pytest.raises(BadRow, match="running code"):
        built(SUPPORT, {(6, "gamma"): value})
    made = built(SUPPORT, {(6, "kernel"): "__import__('os').abort()"})
    assert made.estimator.kernel == "rbf"
    assert len(made.notes) == 1


def test_a_flow_and_a_setup_are_fetched_by_their_ids():
    class Server:
        def get(self, call):
            if call == "flow/8":
                return ElementTree.fromstring(PIPE.xml())
            assert call == "setup/44"
            return ElementTree.fromstring(
                '<oml:setup_parameters xmlns:oml="http://openml.org/openml"><oml:flow_id>8</oml:flow_id>'
                "<oml:parameter><oml:id>1</oml:id><oml:flow_id>6</oml:flow_id><oml:parameter_name>C"
                "</oml:parameter_name><oml:value>31.0</oml:value></oml:parameter></oml:setup_parameters>"
            )

    assert fetch_estimator(Server(), 8, 44).estimator["svc"].C == 31.0


def test_the_command_prints_an_openml_flow_and_setup_as_code_that_becomes_a_workflow(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path / "openml"))
    monkeypatch.chdir(tmp_path)
    values = {(6, "C"): "31.0", (2, "strategy"): '"median"', (2, "axis"): "0"}
    with OpenmlServer([], [PIPE], {44: (8, values)}) as server:
        asked = ["--server", server.url, "--interval-ms", "0"]
        assert main(["estimator", "8", "44", *asked]) == 0
        code = capsys.readouterr().out
        assert main(["estimator", "8", "45", *asked]) == 1
        assert main(["estimator", "9", "44", *asked]) == 1
        assert capsys.readouterr().err.count("error: ") == 2
    assert "# SimpleImputer has no axis in this release" in code
    space = {}
    exec(code, space)
    made = space["estimator"]
    assert (made["svc"].C, made["imp"].strategy) == (31.0, "median")
    X, y = load_iris(return_X_y=True)
    (tmp_path / ".mile").mkdir()
    done = pipeline_workflow(made, X, y, name="flow8").using(quiet=True).run()
    np.testing.assert_array_equal(done["test_score"], plainly(made, X, y)["test_score"])


@pytest.mark.parametrize(
    "estimator",
    [
        Pipeline([("c", ColumnTransformer([("o", OneHotEncoder(), [0])])), ("b", AdaBoostClassifier(SVC()))]),
        SimpleImputer(missing_values=np.nan, strategy="constant", fill_value=float("nan")),
        StandardScaler(),
    ],
)
def test_an_estimator_is_written_as_the_code_that_makes_it(estimator):
    space = {}
    exec(code_of(estimator, "made"), space)
    assert repr(space["made"]) == repr(estimator)


def test_what_has_no_code_is_refused_with_the_remedy():
    with pytest.raises(BadRow, match="fetch_estimator"):
        code_of(OneHotEncoder(dtype=np.int8))


def test_a_mined_iteration_becomes_the_pipeline_that_it_came_from():
    values = {(6, "C"): "3.0", (3, "with_mean"): "true"}
    components = read_flow(parse_flow(ElementTree.fromstring(PIPE.xml())), values)
    made = estimator_of_trace(components).estimator
    assert isinstance(made, Pipeline)
    assert [type(each).__name__ for _, each in made.steps] == ["SimpleImputer", "StandardScaler", "SVC"]
    assert made["svc"].C == 3.0
    boosted = read_flow(parse_flow(ElementTree.fromstring(BOOST.xml())), {(7, "n_estimators"): "9"})
    assert estimator_of_trace(boosted).estimator.n_estimators == 9


def test_a_union_in_a_mined_chain_joins_its_members():
    def one(name, operator, *parents, stage="preprocess"):
        return Component(name=name, operator=operator, stage=stage, parents=parents)

    chain = (
        one("scale", "StandardScaler"),
        one("union.pca", "PCA", "scale"),
        one("union.best", "SelectKBest", "scale"),
        one("union", "FeatureUnion", "union.pca", "union.best"),
        one("svc", "SVC", "union", stage="learn"),
    )
    made = estimator_of_trace(chain).estimator
    assert [name for name, _ in made.steps] == ["scale", "union", "svc"]
    assert isinstance(made["union"], FeatureUnion)
    assert [type(each).__name__ for _, each in made["union"].transformer_list] == ["PCA", "SelectKBest"]
    with pytest.raises(BadRow, match=r"joins|chain"):
        estimator_of_trace(chain[:3])
    with pytest.raises(BadRow, match="chain"):
        estimator_of_trace((chain[0], one("svc", "SVC", "elsewhere", stage="learn")))


def test_what_was_made_runs_as_a_shared_workflow():
    made = built(PIPE, {(6, "C"): "2.0"}).estimator
    X, y = load_iris(return_X_y=True)
    ours = cross_validate(made, X, y, store=None)["test_score"]
    np.testing.assert_array_equal(ours, plainly(made, X, y)["test_score"])
