"""What an operator is for, from its class name: preprocess, learn or evaluate."""

from __future__ import annotations

import re

from mile_rl.workflows.edits import Stage

_LEARN = re.compile(
    r"(Classif\w*|Regress\w*|SVC|SVR|SVM|LinearSVC|LinearSVR|NuSVC|NuSVR|NB|Bayes\w*|Lasso\w*|Ridge\w*|"
    r"ElasticNet\w*|Lars\w*|SMO\w*|J48|JRip|IBk|LMT|PART|OneR|ZeroR|REPTree|RandomTree|RandomForest\w*|Forest\w*|"
    r"Perceptron|MLP\w*|Logistic\w*|KMeans\w*|DBSCAN|HDBSCAN|GaussianMixture\w*|Stump|Tree|Booster|Boost\w*|"
    r"Learner|Bagging|Vote|Stacking|\w*SearchCV|Estimator|Network|Net|LDA|QDA|DiscriminantAnalysis)\d?$"
)
_PREPROCESS = re.compile(
    r"(Scaler|Imputer\d?|Encoder|Vectorizer|Transformer|Binarizer|Discretizer|Selector|Select\w+|PCA|SVD|ICA|NMF|"
    r"Features|FeatureUnion|FeatureAgglomeration|Normalizer|Threshold|RFE|RFECV|Decomposition|Embedding|Sampler|"
    r"Nystroem|Projection|Kernel\w*PCA|Fastfood|MissingIndicator|SMOTE|Hasher|Transform|Extractor|Filter|Isomap|"
    r"Agglomeration|TfidfTransformer|DictVectorizer|LabelEncoder|OrdinalEncoder|Centerer|Whitener|Columns?|"
    r"Dropper|FactorAnalysis|DictionaryLearning|IdentityTransformer|NoneType|TSNE|UMAP)$"
)
_PREPROCESS_PLACES = (
    "preprocessing",
    "impute",
    "feature_selection",
    "feature_extraction",
    "decomposition",
    "random_projection",
    "kernel_approximation",
    "compose",
    "imblearn.over_sampling",
    "imblearn.under_sampling",
    "imblearn.combine",
    "weka.filters",
    "weka.attributeselection",
    "category_encoders",
)


def known_stage(class_name: str) -> Stage | None:
    """Return what a class is for where its module or name tells, else None.

    Args:
        class_name: short ("PCA") or full ("sklearn.decomposition.pca.PCA").
    """
    module, _, short = class_name.rpartition(".")
    lowered = module.lower()
    if any(place in lowered for place in _PREPROCESS_PLACES):
        return "preprocess"
    if _PREPROCESS.search(short):
        return "preprocess"
    return "learn" if _LEARN.search(short) or "classifiers" in lowered or "linear_model" in lowered else None


def stage_of(class_name: str, *, last: bool = True) -> Stage:
    """Return what a class is for; where nothing tells, by its place.

    Args:
        class_name: short or full.
        last: whether it is the last step of its pipeline (then it learns), or stands before it.
    """
    return known_stage(class_name) or ("learn" if last else "preprocess")
