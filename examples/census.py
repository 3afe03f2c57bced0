"""Who earns more than 50,000 dollars a year? The census workflow of Helix (Figure 3 of the paper).

Columns are extracted one by one, some are cut into buckets or crossed, a learner puts weights on them, a
reducer sums up how good it is. It reads UCI Adult as it is: comma separated, no header, `` ?`` for missing.
Make a file of that format (``python make_data.py census .``) or put the real one in its place (OpenML data
1590), then:

    mile run census.py
    mile run census.py regularization=1.0
"""

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from mile_rl import File, op, workflow

COLUMNS = (
    "age", "workclass", "weight", "education", "years", "marital", "occupation", "relationship",
    "race", "sex", "gain", "loss", "hours", "country", "income",
)  # fmt: skip
PLAIN = ("marital", "relationship", "sex")
RARE = 20


@op(stage="preprocess")
def scan(train_path, test_path):
    """Both files in one table; the column ``train`` says which rows to learn from."""
    parts = [scan_file(train_path).assign(train=True), scan_file(test_path).assign(train=False)]
    return pd.concat(parts, ignore_index=True)


def scan_file(path):
    rows = pd.read_csv(path, names=COLUMNS, skipinitialspace=True, na_values="?", comment="|")
    return rows.assign(income=rows["income"].str.rstrip("."))


@op(stage="preprocess")
def field(rows, column):
    return rows[column].fillna("missing")


@op(stage="preprocess")
def bucket(rows, column, bins=10):
    """Cut numbers at the quantiles of the rows to learn from."""
    known = rows.loc[rows["train"], column]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    return pd.Series(np.searchsorted(edges, rows[column], side="right"), name=column).astype(str)


@op(stage="preprocess")
def cross(left, right):
    """The interaction of two columns: one value a pair of values."""
    return (left + " x " + right).rename(f"{left.name} x {right.name}")


@op(stage="preprocess")
def label(rows):
    return (rows["income"] == ">50K").to_numpy()


@op(stage="preprocess")
def encode(rows, columns):
    """One column of 0 and 1 for each value that is common enough among the rows to learn from."""
    learn_from = rows["train"].to_numpy()
    return sparse.hstack([one_hot(column, learn_from) for column in columns], format="csr")


def one_hot(column, learn_from):
    counts = column[learn_from].value_counts()
    common = sorted(counts.index[counts >= RARE])
    codes = pd.Index(common).get_indexer(column)
    seen = np.flatnonzero(codes >= 0)
    ones = np.ones(len(seen))
    return sparse.csr_matrix((ones, (seen, codes[seen])), shape=(len(column), len(common)))


@op(stage="learn")
def learn(rows, features, target, regularization=0.1):
    learn_from = rows["train"].to_numpy()
    model = LogisticRegression(C=1 / regularization, max_iter=1000)
    return model.fit(features[learn_from], target[learn_from])


@op(stage="learn")
def predict(model, features):
    return model.predict_proba(features)[:, 1]


@op(stage="evaluate")
def check(rows, chances, target, threshold=0.5):
    """Helix's reducer: how many of the rows not learned from are told right?"""
    unseen = ~rows["train"].to_numpy()
    said = chances[unseen] >= threshold
    return {"accuracy": float(np.mean(said == target[unseen]))}


@workflow
def census(train=File("adult.data"), test=File("adult.test"), regularization=0.1, bins=10):
    rows = scan(train, test)
    education = field(rows, "education")
    occupation = field(rows, "occupation")
    age = bucket(rows, "age", bins=bins)

    columns = [education, occupation, age, cross(education, occupation)]
    columns += [field(rows, name) for name in PLAIN]

    features = encode(rows, columns)
    target = label(rows)
    model = learn(rows, features, target, regularization=regularization)
    return {"check": check(rows, predict(model, features), target)}
