"""Whom is the news about? Information extraction: find the names of people and of organisations.

Every token gets features by hand (its shape, its affixes, its neighbours, lists of names learned from the
training sentences), a linear model weighs tags, Viterbi's algorithm picks the best sequence of tags a
sentence. Make a corpus (``python make_data.py text .``) or put a CoNLL file with two columns in its place,
then:

    mile run text.py
    mile run text.py C=3
"""

import re
from collections import Counter

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from mile_rl import File, op, workflow

TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
WINDOW = 1
START = "<s>"


@op(stage="preprocess")
def read(path):
    """A list of sentences; a sentence is a pair: its tokens, their tags."""
    with open(path, encoding="utf-8") as corpus:
        blocks = corpus.read().strip().split("\n\n")
    rows = [[line.split() for line in block.splitlines()] for block in blocks]
    return [([token for token, _ in lines], [tag for _, tag in lines]) for lines in rows]


@op(stage="preprocess", outputs=("train", "test"))
def split(sentences, test_share=0.3, seed=0):
    order = np.random.default_rng(seed).permutation(len(sentences))
    cut = int(len(sentences) * test_share)
    return [sentences[i] for i in order[cut:]], [sentences[i] for i in order[:cut]]


@op(stage="preprocess")
def gazetteer(train, kind, at_least=2):
    """The tokens that are often part of a name of this kind."""
    counts = Counter(
        token for tokens, tags in train for token, tag in zip(tokens, tags) if tag.endswith(kind)
    )
    return sorted(token for token, count in counts.items() if count >= at_least)


def shape(token):
    classes = re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", re.sub(r"[0-9]", "9", token)))
    return re.sub(r"(.)\1+", r"\1+", classes)


@op(stage="preprocess")
def describe(sentences, people, firms):
    """One dict of features a token, sentence after sentence."""
    lists = {"person": set(people), "firm": set(firms)}
    return [describe_token(tokens, at, lists) for tokens, _ in sentences for at in range(len(tokens))]


def describe_token(tokens, at, lists):
    token = tokens[at]
    features = {"shape": shape(token), "word": token.lower(), "end": token[-2:], "first": at == 0}
    for step in range(-WINDOW, WINDOW + 1):
        if step:
            near = tokens[at + step] if 0 <= at + step < len(tokens) else START
            features[f"word{step:+d}"] = near.lower()
            features[f"shape{step:+d}"] = shape(near)
    for name, known in lists.items():
        features[f"in {name} list"] = token in known
    return features


@op(stage="preprocess")
def tags_of(sentences):
    return [tag for _, tags in sentences for tag in tags]


@op(stage="preprocess", outputs=("train", "test"))
def vectorize(train, test):
    vectorizer = DictVectorizer().fit(train)
    return vectorizer.transform(train), vectorizer.transform(test)


@op(stage="learn")
def fit(features, tags, C=1.0):
    return LogisticRegression(C=C, max_iter=200, tol=1e-3).fit(features, tags)


@op(stage="learn")
def transitions(train, smoothing=1.0):
    """The logarithm of how likely a tag follows another; the first row is the start of a sentence."""
    counts = np.full((len(TAGS) + 1, len(TAGS)), smoothing)
    for _, tags in train:
        for before, after in zip((None, *tags), tags):
            counts[TAGS.index(before) + 1 if before else 0, TAGS.index(after)] += 1
    return np.log(counts / counts.sum(axis=1, keepdims=True))


@op(stage="learn")
def decode(model, features, sentences, follow):
    """The best sequence of tags for each sentence (Viterbi)."""
    emission = np.full((features.shape[0], len(TAGS)), -50.0)
    emission[:, [TAGS.index(tag) for tag in model.classes_]] = model.predict_log_proba(features)
    ends = np.cumsum([len(tokens) for tokens, _ in sentences])
    return [tag for part in np.split(emission, ends[:-1]) for tag in best_path(part, follow)]


def best_path(emission, follow):
    score, back = follow[0] + emission[0], []
    for row in emission[1:]:
        ways = score[:, None] + follow[1:]
        back.append(ways.argmax(axis=0))
        score = ways.max(axis=0) + row
    path = [int(score.argmax())]
    for step in reversed(back):
        path.append(int(step[path[-1]]))
    return [TAGS[tag] for tag in reversed(path)]


def mentions(tags):
    """The names in a sequence of tags, as a set of (start, end, kind)."""
    found, start = set(), None
    for at, tag in enumerate((*tags, "O")):
        if start is not None and not tag.startswith("I-"):
            found.add((start, at, tags[start][2:]))
            start = None
        if tag.startswith("B-"):
            start = at
    return found


@op(stage="evaluate")
def score(said, truth):
    """Precision, recall and F1 over whole names."""
    told, true = mentions(said), mentions(truth)
    right = len(told & true)
    precision, recall = right / max(len(told), 1), right / max(len(true), 1)
    return {"precision": precision, "recall": recall, "f1": 2 * right / max(len(told) + len(true), 1)}


@workflow
def text(path=File("corpus.conll"), C=1.0):
    train, test = split(read(path))
    people, firms = gazetteer(train, "PER"), gazetteer(train, "ORG")
    train_features, test_features = vectorize(describe(train, people, firms), describe(test, people, firms))

    model = fit(train_features, tags_of(train), C=C)
    said = decode(model, test_features, test, transitions(train))
    return {"score": score(said, tags_of(test))}
