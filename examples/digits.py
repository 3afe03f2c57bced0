"""Which handwritten digit is it? Images to features, several models, an honest evaluation.

Make the data once (``python make_data.py digits .``), then run, change something and run again:

    mile run digits.py
    mile run digits.py C=10
"""

import numpy as np
from scipy import ndimage
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from mile_rl import File, op, workflow

ANGLES = (-16, -8, 8, 16)
CELL = 8


@op(stage="preprocess", outputs=("images", "labels"))
def read(path):
    with np.load(path) as digits:
        return digits["images"] / 16.0, digits["labels"]


@op(stage="preprocess", outputs=("train_images", "test_images", "train_labels", "test_labels"))
def split(images, labels, test_share=0.25, seed=0):
    return train_test_split(images, labels, test_size=test_share, random_state=seed, stratify=labels)


@op(stage="preprocess", outputs=("images", "labels"))
def augment(images, labels, angles):
    turned = [images]
    for angle in angles:
        turned.append(ndimage.rotate(images, angle, axes=(2, 1), reshape=False, order=1))
    return np.concatenate(turned), np.tile(labels, len(turned))


def enlarge(image):
    return ndimage.zoom(image, 4, order=3)


@op(stage="preprocess")
def hog(images, bins=8):
    """Histograms of oriented gradients (Dalal and Triggs, 2005), one a cell."""
    return np.stack([histograms(enlarge(image), bins) for image in images])


def histograms(image, bins):
    down, right = np.gradient(image)
    strength = np.hypot(down, right)
    bin_of = (np.arctan2(down, right) % np.pi / np.pi * bins).astype(int) % bins
    cell_of = np.arange(len(image)) // CELL
    cells = cell_of[-1] + 1
    address = (cell_of[:, None] * cells + cell_of[None, :]) * bins + bin_of
    counts = np.bincount(address.ravel(), weights=strength.ravel(), minlength=cells * cells * bins)
    return counts / (np.linalg.norm(counts) + 1e-9)


@op(stage="preprocess")
def fourier(images, components=100, gamma=0.02, seed=0):
    """Random Fourier features of the pixels (Rahimi and Recht, 2007)."""
    rng = np.random.default_rng(seed)
    pixels = images.reshape(len(images), -1)
    weights = rng.normal(scale=np.sqrt(2 * gamma), size=(pixels.shape[1], components))
    phase = rng.uniform(0, 2 * np.pi, size=components)
    return np.sqrt(2 / components) * np.cos(16 * pixels @ weights + phase)


@op(stage="preprocess")
def join(columns):
    return np.hstack(columns)


@op(stage="preprocess", outputs=("train", "test"))
def scale(train, test):
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


@op(stage="learn")
def fit_logistic(features, labels, C=1.0):
    return LogisticRegression(C=C, max_iter=300, tol=1e-3).fit(features, labels)


@op(stage="learn")
def fit_trees(features, labels, trees=20, seed=0):
    return ExtraTreesClassifier(n_estimators=trees, random_state=seed).fit(features, labels)


@op(stage="learn")
def predict(model, features):
    return model.predict(features)


@op(stage="evaluate")
def accuracy(predicted, labels):
    return float(np.mean(predicted == labels))


@op(stage="evaluate")
def confusion(predicted, labels):
    return confusion_matrix(labels, predicted)


@workflow
def digits(path=File("digits.npz"), C=1.0, trees=20):
    images, labels = read(path)
    train_images, test_images, train_labels, test_labels = split(images, labels)
    train_images, train_labels = augment(train_images, train_labels, ANGLES)

    train = [hog(train_images), fourier(train_images)]
    test = [hog(test_images), fourier(test_images)]
    train_features, test_features = scale(join(train), join(test))

    logistic = predict(fit_logistic(train_features, train_labels, C=C), test_features)
    trees_say = predict(fit_trees(train_features, train_labels, trees=trees), test_features)
    return {
        "logistic": accuracy(logistic, test_labels),
        "trees": accuracy(trees_say, test_labels),
        "confusion": confusion(logistic, test_labels),
    }
