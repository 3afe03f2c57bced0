"""What a contest says: ratios with paired bootstrap intervals over sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

DRAWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How long one policy lets people wait, relative to another on the same cases.

    Args:
        value: the ratio of the means of waiting.
        low: lower end of the 95 % interval.
        high: its upper end.
        sessions: how many were drawn from.
    """

    value: float
    low: float
    high: float
    sessions: int

    def text(self) -> str:
        """Return it as a table shows it."""
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def relative(frame: pd.DataFrame) -> pd.DataFrame:
    """Return waiting relative to keeping nothing: index (group, session, share), a column a policy.

    A session counts as much as any other, however long its operators take.
    """
    wide = waiting(frame)
    return wide.div(wide["none"], axis=0)


def waiting(frame: pd.DataFrame) -> pd.DataFrame:
    """Return waiting in seconds: index (group, session, share), a column a policy."""
    return frame.pivot_table(index=["group", "session", "share"], columns="policy", values="waiting_s")


def ratio(wide: pd.DataFrame, policy: str, reference: str, *, seed: int = 0) -> Ratio:
    """Compare two policies; whole groups of sessions (a person, a repository) are drawn together.

    Args:
        wide: from :func:`relative` or :func:`waiting`; cases that lack one of the two are left out.
        policy: whose waiting is divided.
        reference: by whose.
        seed: of the bootstrap.
    """
    both = wide[[policy, reference]].dropna()
    sums = both.groupby(level="group", sort=True).sum().to_numpy()
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(sums), size=(DRAWS, len(sums)))
    drawn = sums[picks].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    total = sums.sum(axis=0)
    return Ratio(
        value=float(total[0] / total[1]),
        low=float(low),
        high=float(high),
        sessions=both.index.get_level_values("session").nunique(),
    )


def summary(
    frame: pd.DataFrame, references: Sequence[str], *, most_share: float = 0.5, seed: int = 0
) -> pd.DataFrame:
    """Return a row a policy: mean and 90th percentile of relative waiting, and its ratios to the references.

    Args:
        frame: from ``contest``.
        references: policies to divide by.
        most_share: pool the budgets up to this one.
        seed: of the bootstrap.
    """
    wide = relative(frame[frame["share"] <= most_share])
    rows = {}
    for policy in wide.columns:
        sessions = wide[policy].dropna().groupby(level="session").mean()
        row: dict[str, object] = {
            "mean / none": float(wide[policy].mean()),
            "p90 / none": float(sessions.quantile(0.9)),
            "worst / none": float(wide[policy].max()),
        }
        for reference in references:
            if reference in wide.columns and reference != "none":
                row[f"/ {reference}"] = ratio(wide, policy, reference, seed=seed)
        rows[policy] = row
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("mean / none", ascending=False)


def by_budget(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the mean relative waiting: a row a policy, a column a budget."""
    wide = relative(frame)
    return wide.groupby(level="share").mean().T


def gap(frame: pd.DataFrame, policy: str) -> str:
    """Return in words how good a policy is that gives a bound with its waiting: the oracle.

    Args:
        frame: from ``contest``.
        policy: its name.
    """
    rows = frame[frame["policy"] == policy]
    if rows.empty:
        return ""
    above = rows["waiting_s"] / rows["bound_s"].clip(lower=1e-9) - 1
    return (
        f"{policy}: {rows['session'].nunique()} sessions, {rows['proved'].mean():.0%} of the cases proved; its "
        f"schedules lie {above.mean():.2%} above what no schedule can beat, {above.max():.1%} at most."
    )


def totals(
    frame: pd.DataFrame, references: Sequence[str] = (), *, most_share: float = 0.5, seed: int = 0
) -> pd.DataFrame:
    """Return seconds: mean and 90th percentile of cumulative waiting over cases, a row a policy.

    Here a session counts as much as people wait in it, so that a few long ones decide; so they do in the ratios.

    Args:
        frame: from ``contest``.
        references: policies to divide by, on the cases that both played.
        most_share: pool the budgets up to this one.
        seed: of the bootstrap.
    """
    wide = waiting(frame[frame["share"] <= most_share])
    table = pd.DataFrame({"mean [s]": wide.mean(), "p90 [s]": wide.quantile(0.9)})
    for reference in references:
        if reference in wide.columns:
            table[f"/ {reference}"] = [ratio(wide, policy, reference, seed=seed) for policy in wide.columns]
    return table


def markdown(table: pd.DataFrame, *, first: str = "policy") -> str:
    """Return a table in Markdown."""
    lines = [f"| {first} | " + " | ".join(str(name) for name in table.columns) + " |"]
    lines.append("|---" * (len(table.columns) + 1) + "|")
    for name, row in table.iterrows():
        lines.append(f"| {name} | " + " | ".join(_cell(value) for value in row) + " |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, Ratio):
        return value.text()
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    return str(value)
