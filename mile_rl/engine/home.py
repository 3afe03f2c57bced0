"""What operators go by besides their inputs, and how it is put back after each."""

from __future__ import annotations

import os

from mile_rl.engine.opened import OPENED
from mile_rl.workflows import settings


class Home:
    """The working directory, the environment and libraries' settings, as they were when this was made.

    Attributes:
        settings: the settings.
    """

    def __init__(self) -> None:
        self.settings = settings.current()
        self._folder = _working_directory()
        self._environ = dict(os.environ)

    def settings_changed(self) -> bool:
        """Tell whether somebody has changed libraries' settings that others go by."""
        return settings.current() != self.settings

    def go_back(self) -> None:
        """Undo what an operator did to what others go by."""
        settings.put(self.settings)
        for name in OPENED.take_variables():
            if name in self._environ:
                os.environ[name] = self._environ[name]
            else:
                os.environ.pop(name, None)
        if self._folder and _working_directory() != self._folder:
            os.chdir(self._folder)


def _working_directory() -> str:
    """Return the working directory, "" where it has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
