"""scikit-learn's pipelines as workflows: searches that share, cross-validation that remembers."""

from mile_rl.sklearn.flow import pipeline_workflow
from mile_rl.sklearn.search import GridSearchCV, RandomizedSearchCV, cross_validate
from mile_rl.sklearn.sharing import Counts

__all__ = ["Counts", "GridSearchCV", "RandomizedSearchCV", "cross_validate", "pipeline_workflow"]
