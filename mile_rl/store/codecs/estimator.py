"""Fitted scikit-learn estimators: pickle, bound to the version of scikit-learn that wrote it."""

from __future__ import annotations

import sys
from typing import Any

from mile_rl.store.codecs.base import NotValidHere
from mile_rl.store.codecs.pickled import PickledCodec


class EstimatorCodec(PickledCodec):
    """Anything that derives from ``sklearn.base.BaseEstimator``.

    scikit-learn promises nothing across versions, so an estimator of another version is not loaded.
    """

    name = "estimator"
    suffix = ".estimator"
    version = 1

    def accepts(self, value: Any) -> bool:
        """Accept an estimator, if scikit-learn is loaded at all."""
        base = sys.modules.get("sklearn.base")
        return base is not None and isinstance(value, base.BaseEstimator)

    def estimate_bytes(self, value: Any) -> int | None:
        """Return None: an estimator's size is known once it is written."""
        return None

    def versions(self) -> dict[str, str]:
        """Return the version of scikit-learn."""
        return {"scikit-learn": str(sys.modules["sklearn"].__version__)}

    def check_versions(self, versions: dict[str, str]) -> None:
        """Raise where the file's scikit-learn is not this one."""
        import sklearn

        if versions.get("scikit-learn") != sklearn.__version__:
            raise NotValidHere(
                f"written by scikit-learn {versions.get('scikit-learn')}, this is {sklearn.__version__}"
            )
