"""A small project whose workflow makes a scikit-learn learner in its code."""

import importlib.util
import os
import sys

import pytest

LEARNER = '''
"""Two moons, told apart."""
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression

from mile_rl import op, workflow


@op(stage="preprocess", outputs=("train", "train_labels", "test", "test_labels"))
def moons(rows=300, noise=0.25, seed=0):
    table, labels = make_moons(rows, noise=noise, random_state=seed)
    half = rows // 2
    return table[:half], labels[:half], table[half:], labels[half:]


@op(stage="preprocess")
def widen(table, power=1):
    return table**power


@op(stage="learn")
def fit(table, labels, C=1.0):
    return LogisticRegression(C=C).fit(table, labels)


@op(stage="evaluate")
def accuracy(model, table, labels):
    return float((model.predict(table) == labels).mean())


@workflow
def moon(C=1.0, power=1):
    train, train_labels, test, test_labels = moons()
    model = fit(widen(train, power=power), train_labels, C=C)
    return {"accuracy": accuracy(model, widen(test, power=power), test_labels)}
'''

OWN = '''
"""Nothing but the person's own code; the best gain is at 4."""
from mile_rl import op, workflow


@op(stage="preprocess")
def read(rows=100):
    return list(range(rows))


@op(stage="learn")
def fit(rows, strength=1.0, seed=0):
    return strength


@op(stage="evaluate")
def score(model):
    return 1 - abs(model - 4) / 10


@workflow
def own(strength=1.0):
    return {"score": score(fit(read(), strength=strength))}
'''


PIPELINE = '''
"""A pipeline as a workflow."""
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from mile_rl.sklearn import pipeline_workflow

X, y = load_wine(return_X_y=True)
pipe = Pipeline([("reduce", PCA(3)), ("classify", LogisticRegression(C=0.01, solver="liblinear"))])
wine = pipeline_workflow(pipe, X[:, :6], y == 1, cv=3, name="wine")
'''

SUGAR = '''
"""A pipeline that predicts a number."""
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mile_rl.sklearn import pipeline_workflow

X, y = load_diabetes(return_X_y=True)
sugar = pipeline_workflow(make_pipeline(StandardScaler(), Ridge(alpha=100.0)), X[:120], y[:120], cv=3, name="sugar")
'''


class Made:
    """A project of one file."""

    def __init__(self, folder, name, text):
        self.folder, self.name = folder, name
        self.file = folder / f"{name}.py"
        self.file.write_text(text.lstrip())
        (folder / ".mile").mkdir()

    def flow(self):
        """Import the workflow from the file as it is now."""
        sys.modules.pop(self.name, None)
        spec = importlib.util.spec_from_file_location(self.name, self.file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = module
        spec.loader.exec_module(module)
        return getattr(module, self.name)

    def run(self, **arguments):
        return self.flow().using(quiet=True).run(**arguments)

    def edit(self, old, new):
        text = self.file.read_text()
        assert text.count(old) == 1
        self.file.write_text(text.replace(old, new))

    def recommend(self, **wanted):
        from mile_rl.recommend import recommend

        return recommend(self.flow(), **wanted)

    def project(self):
        from mile_rl.engine.project import find

        return find(self.folder)


@pytest.fixture
def clean(monkeypatch):
    for name in [name for name in os.environ if name.startswith("MILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    for name in ("moon", "own", "wine", "sugar"):
        sys.modules.pop(name, None)


@pytest.fixture
def moon(clean, tmp_path):
    return Made(tmp_path, "moon", LEARNER)


@pytest.fixture
def own(clean, tmp_path):
    return Made(tmp_path, "own", OWN)


@pytest.fixture
def wine(clean, tmp_path):
    return Made(tmp_path, "wine", PIPELINE)


@pytest.fixture
def sugar(clean, tmp_path):
    return Made(tmp_path, "sugar", SUGAR)
