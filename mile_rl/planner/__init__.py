"""The exact reuse plan of an iteration, and the cost estimates it stands on.

Below this border there are no names: nodes and outputs are positions in NumPy arrays.
"""

from mile_rl.planner.costs import Channel, Costs
from mile_rl.planner.plan import Certificate, Plan, PlannerBug
from mile_rl.planner.problem import UNAVAILABLE, Problem
from mile_rl.planner.solver import solve

__all__ = [
    "UNAVAILABLE",
    "Certificate",
    "Channel",
    "Costs",
    "Plan",
    "PlannerBug",
    "Problem",
    "solve",
]
