"""What is worth keeping: one policy a file, a registry by name, and the guard before every policy."""

from mile_rl.policies.base import Budget, Candidate, Decision, Kept, Policy
from mile_rl.policies.guard import Guard
from mile_rl.policies.ledger import Ledger, Terms
from mile_rl.policies.registry import POLICIES, make_policy

__all__ = [
    "POLICIES",
    "Budget",
    "Candidate",
    "Decision",
    "Guard",
    "Kept",
    "Ledger",
    "Policy",
    "Terms",
    "make_policy",
]
