"""MILE-RL: run an edited machine-learning workflow again and wait only for what really changed.

>>> from mile_rl import File, op, workflow
>>> @op
... def double(x):
...     return 2 * x
>>> @workflow
... def doubled(x=3):
...     return double(x)
>>> doubled()
6

``doubled.run()`` runs it as an iteration: see the README.
"""

from mile_rl._version import __version__
from mile_rl.api import Iteration, Workflow, workflow
from mile_rl.errors import MileError, OperatorFailed
from mile_rl.workflows.file import File
from mile_rl.workflows.operator import op

__all__ = ["File", "Iteration", "MileError", "OperatorFailed", "Workflow", "__version__", "op", "workflow"]
