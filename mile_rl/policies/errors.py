"""What can go wrong with a policy's file."""

from __future__ import annotations

from mile_rl.errors import MileError


class PolicyRefused(MileError):
    """A file does not hold a policy that this version can follow."""
