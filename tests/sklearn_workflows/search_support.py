"""What the tests of searches share: data, steps that count, and equality with scikit-learn."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import make_classification

X, Y = make_classification(n_samples=120, n_features=10, n_informative=6, n_classes=3, random_state=1)


class Calls:
    """How often the steps of these tests ran."""

    fits = 0
    transforms = 0

    @classmethod
    def reset(cls):
        cls.fits = cls.transforms = 0


class Counting(TransformerMixin, BaseEstimator):
    """Scales by a factor, and counts its calls in a place that no signature sees."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        Calls.fits += 1
        self.mean_ = np.asarray(X, dtype=float).mean(axis=0)
        return self

    def transform(self, X):
        Calls.transforms += 1
        return (X - self.mean_) * self.factor


class Drawing(TransformerMixin, BaseEstimator):
    """Adds noise from the global generator, without a ``random_state`` that would tell."""

    def __init__(self, scale=0.5):
        self.scale = scale

    def fit(self, X, y=None):
        Calls.fits += 1
        self.noise_ = np.random.normal(scale=self.scale, size=X.shape[1])
        return self

    def transform(self, X):
        return X + self.noise_


class DrawingLater(TransformerMixin, BaseEstimator):
    """Draws when it transforms, from a generator of its own that fitting made, as IterativeImputer may."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.random_state_ = np.random.RandomState(self.random_state)
        return self

    def transform(self, X):
        return X + self.random_state_.normal(size=X.shape)


class Overwriting(TransformerMixin, BaseEstimator):
    """Changes what it is given in place, without ``copy=False`` that would tell."""

    def __init__(self, factor=2.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        X *= self.factor
        return X


def assert_same_results(ours, theirs):
    """Two ``cv_results_`` are equal to the last bit, apart from times."""
    assert list(ours) == list(theirs)
    for key in ours:
        if key.endswith("_time"):
            assert np.isfinite(ours[key]).all()
        elif key == "params" or key.startswith("param_"):
            assert repr(ours[key]) == repr(theirs[key])
        else:
            np.testing.assert_array_equal(ours[key], theirs[key], err_msg=key, strict=True)
