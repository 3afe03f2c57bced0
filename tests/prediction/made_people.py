"""Made-up people whose habits are known, as mined histories."""

import numpy as np

from traces.link import Seen, link
from traces.schema import Component, History


def made_history(number, length=14):
    """Half of the people only ever tune the model, half only ever change how data is cleaned."""
    rng = np.random.default_rng(number)
    tuner = number % 2 == 0
    depth, code, runs = 3, 0, []
    for index in range(length):
        if index and rng.random() < 0.9:
            depth, code = (depth + 1, code) if tuner else (depth, code + 1)
        runs.append(
            Seen(
                components=(
                    Component(
                        name="clean", operator="clean", stage="preprocess", parts={"code a": str(code)}
                    ),
                    Component(
                        name="fit",
                        operator="Tree",
                        stage="learn",
                        parameters={"depth": depth},
                        parents=("clean",),
                    ),
                    Component(name="score", operator="score", stage="evaluate", parents=("fit",)),
                ),
                start_ms=1_000_000 * index,
                duration_ms=1000,
            )
        )
    return History(
        id=f"h{number}", source="mlflow-table", person=f"p{number}", group=f"g{number}", iterations=link(runs)
    )
