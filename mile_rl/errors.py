"""Everything that MILE-RL raises on purpose, named by cause and carrying the values concerned.

A message says what happened, to which value, and what to do about it. The command line prints it without a
traceback and exits with 1.
"""


class MileError(Exception):
    """Root of all errors of MILE-RL: ``except MileError`` catches whatever it raises on purpose."""


class WorkflowError(MileError):
    """A workflow is not written as it has to be (a handle used as a value, an operator with state, …)."""


class UnhashableValue(MileError):
    """A value cannot be digested, so nobody could tell whether it changed.

    Args:
        where: where the value stands, in the person's words ("argument 'rng' of fit").
        value_type: its type, as text.
        remedy: what to do instead.
    """

    def __init__(self, where: str, value_type: str, remedy: str) -> None:
        super().__init__(f"{where} is a {value_type}, which cannot be digested: {remedy}")
        self.where = where
        self.value_type = value_type
        self.remedy = remedy


class MissingFile(MileError):
    """A declared input file is not there."""


class OperatorFailed(MileError):
    """An operator raised; ``__cause__`` is what it raised.

    Args:
        node: the name of the node whose operator failed.
        cause: the exception it raised.
    """

    def __init__(self, node: str, cause: BaseException) -> None:
        super().__init__(f"node {node!r} failed: {type(cause).__name__}: {cause}")
        self.node = node


class StoreError(MileError):
    """The store or its catalog cannot be used as asked."""


class NewerStore(StoreError):
    """The store was written by a newer version of MILE-RL than this one."""


class SettingsError(MileError):
    """A setting (budget, policy, executor, store URL, …) has a value that cannot be used."""
