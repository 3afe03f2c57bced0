"""Prediction models that never saw some people, kept in a folder so that each is fitted once.

Groups of people fall into four quarters by their pseudonyms alone, as where the model is judged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.prediction.dataset import QUARTERS, Dataset, build, quarter
from experiments.prediction.fit import FitSettings, fit
from experiments.prediction.leanings import corrected
from traces.schema import History

LOG = logging.getLogger(__name__)


class HeldOut:
    """Fits on some quarters of the people, made when they are first asked for.

    Args:
        histories: everybody's; made-up ones are left out.
        folder: where the fits are kept: without_0.json, only_0.json …; what is there is not fitted again.
        seed: of the fits.
    """

    def __init__(self, histories: Sequence[History], folder: Path, *, seed: int = 0) -> None:
        self.histories = [history for history in histories if not history.synthetic]
        self.folder, self.settings = folder, FitSettings(seed=seed)
        self._dataset: Dataset | None = None

    def without(self, number: int) -> Path:
        """Return the file of a model that saw everybody but one quarter."""
        return self._fitted(f"without_{number}", [each for each in range(QUARTERS) if each != number])

    def only(self, number: int) -> Path:
        """Return the file of a model that saw one quarter and nobody else."""
        return self._fitted(f"only_{number}", [number])

    def _fitted(self, name: str, quarters: Sequence[int]) -> Path:
        path = self.folder / f"{name}.json"
        if path.exists():
            return path
        if self._dataset is None:
            self._dataset = build(self.histories)
        LOG.info("fit %s", name)
        seen = np.isin(quarter(self._dataset.group), quarters)
        model = fit(self._dataset, seen, self.settings, {"quarters": list(quarters)}).model
        groups = quarter(history.group for history in self.histories)
        own = [history for history, number in zip(self.histories, groups) if number in quarters]
        model = corrected(model, own, self.settings.seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(model.to_json(), separators=(",", ":")) + "\n", encoding="utf-8")
        return path
