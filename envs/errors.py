"""What the environments refuse."""

from mile_rl.errors import MileError


class ScriptError(MileError):
    """A script or a bank of scripts is not what it has to be."""


class EnvironmentFailed(MileError):
    """An environment was asked for something that it cannot do."""
