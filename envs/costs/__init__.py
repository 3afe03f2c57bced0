"""What real operators cost: measured times and bytes, and a small model of them.

``CostModel.load().cost("random_forest_classifier", Shape(rows=20_000, columns=30), {"n_estimators": 300})`` answers
with time to fit, time to apply, bytes of the output and of the fitted model.
"""

from envs.costs.errors import CostError, UnknownOperator
from envs.costs.model import CostModel
from envs.costs.records import Cost, OperatorInfo, Scalar, Shape

__all__ = ["Cost", "CostError", "CostModel", "OperatorInfo", "Scalar", "Shape", "UnknownOperator"]
