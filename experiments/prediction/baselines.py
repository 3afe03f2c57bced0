"""What the model has to beat: simple ways to say what comes next, each fitted on the same decisions.

Every function takes (dataset, train, weight) and returns a probability for every decision or node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.prediction.dataset import Dataset
from experiments.prediction.personal import decisions_of_people
from mile_rl.prediction.base import CLASSES
from mile_rl.prediction.node_features import NODE_NAMES
from mile_rl.workflows.edits import STAGES

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
N = len(CLASSES)


def marginal(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
    """Return how often each change class occurs, by granularity."""
    out = np.zeros((len(dataset.y), N))
    for run in (False, True):
        own = train & (dataset.run == run)
        counts = np.bincount(dataset.y[own], weights=weight[own], minlength=N) + 0.05
        out[dataset.run == run] = counts / counts.sum()
    return out


def _table(
    keys: Sequence[Hashable], base: Floats, dataset: Dataset, train: Mask, weight: Floats, strength: float
) -> Floats:
    """Return the class frequencies by key, pulled towards ``base`` as by ``strength`` decisions."""
    cells: dict[Hashable, Floats] = defaultdict(lambda: np.zeros(N))
    scaled = weight / weight[train].mean()
    for index in np.flatnonzero(train):
        cells[keys[index]][dataset.y[index]] += scaled[index]
    counts = np.array([cells[key] for key in keys])
    shares: Floats = (counts + strength * base) / (counts.sum(axis=1, keepdims=True) + strength)
    return shares


def last_again(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
    """Return the class of the iteration before, with the chance that repeating has, the rest marginal."""
    base = marginal(dataset, train, weight)
    out = base.copy()
    for run in (False, True):
        own = train & (dataset.run == run) & (dataset.last >= 0)
        again = np.average(dataset.y[own] == dataset.last[own], weights=weight[own]) if own.any() else 0.5
        chosen = np.flatnonzero((dataset.run == run) & (dataset.last >= 0))
        rest = base[chosen].copy()
        rest[np.arange(len(chosen)), dataset.last[chosen]] = 0
        out[chosen] = (1 - again) * rest / rest.sum(axis=1, keepdims=True)
        out[chosen, dataset.last[chosen]] = again
    return out


def markov_1(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
    """Return the class frequencies after the last class, by granularity."""
    keys = list(zip(dataset.run.tolist(), dataset.last.tolist()))
    return _table(keys, marginal(dataset, train, weight), dataset, train, weight, 2.0)


def markov_2(dataset: Dataset, train: Mask, weight: Floats) -> Floats:
    """Return the class frequencies after the last two classes, backing off to :func:`markov_1`."""
    keys = list(zip(dataset.run.tolist(), dataset.last.tolist(), dataset.second.tolist()))
    return _table(keys, markov_1(dataset, train, weight), dataset, train, weight, 5.0)


def markov_people(
    dataset: Dataset, train: Mask, weight: Floats, kinds: int = 6, rounds: int = 40, seed: int = 0
) -> Floats:
    """Return the forecast of a mixture of Markov people, each person's kind inferred from their own edits.

    Fitted by expectation maximisation with a Dirichlet prior around first-order Markov; the forecast is the
    mixture's, weighted by the posterior over kinds after the edits seen so far.
    """
    rng = np.random.default_rng(seed)
    base = markov_1(dataset, train, weight)
    context = dataset.run * (N + 1) + dataset.last + 1
    prior = np.full((2 * (N + 1), N), 1 / N)
    prior[context] = base
    everyone = decisions_of_people(dataset)
    fitted = [own for own in everyone if train[own[0]]]
    tables = np.stack([prior * rng.gamma(2.0, 0.5, prior.shape) + 0.02 for _ in range(kinds)])
    tables /= tables.sum(axis=2, keepdims=True)
    mix = np.full(kinds, 1 / kinds)
    for _ in range(rounds):
        counts = np.zeros_like(tables)
        totals = np.zeros(kinds)
        for own in fitted:
            logs = np.log(mix) + np.log(tables[:, context[own], dataset.y[own]]).sum(axis=1)
            shares = np.exp(logs - logs.max())
            shares /= shares.sum()
            totals += shares
            for kind in range(kinds):
                np.add.at(counts[kind], (context[own], dataset.y[own]), shares[kind] * weight[own])
        tables = (counts + 3.0 * prior) / (counts + 3.0 * prior).sum(axis=2, keepdims=True)
        mix = (totals + 1) / (totals + 1).sum()
    out = base.copy()
    for own in everyone:
        logs = np.log(mix)
        for index in own:
            shares = np.exp(logs - logs.max())
            out[index] = (shares / shares.sum()) @ tables[:, context[index]]
            logs = logs + np.log(tables[:, context[index], dataset.y[index]])
    return out


def recurrent(
    dataset: Dataset, train: Mask, weight: Floats, width: int = 24, epochs: int = 25, seed: int = 0
) -> Floats:
    """Return the forecast of a small recurrent network (GRU) that reads each person's classes and features."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    mean, spread = dataset.rows[train].mean(axis=0), dataset.rows[train].std(axis=0) + 1e-6
    table = torch.tensor(np.clip((dataset.rows - mean) / spread, -4, 4), dtype=torch.float32)
    labels = torch.tensor(dataset.y)
    scaled = torch.tensor(weight / weight[train].mean(), dtype=torch.float32)
    everyone = decisions_of_people(dataset)
    pieces = [own[i : i + 100] for own in everyone if train[own[0]] for i in range(0, len(own), 100)]
    squeeze = torch.nn.Sequential(
        torch.nn.Linear(table.shape[1], width), torch.nn.Tanh(), torch.nn.Dropout(0.2)
    )
    gru = torch.nn.GRU(width, width, batch_first=True)
    head = torch.nn.Sequential(torch.nn.Dropout(0.2), torch.nn.Linear(2 * width, N))
    parts = torch.nn.ModuleList([squeeze, gru, head])
    optimizer = torch.optim.AdamW(parts.parameters(), lr=4e-3, weight_decay=0.05)

    def scores(own: NDArray[np.int64]) -> torch.Tensor:
        inside = squeeze(table[own][None])
        return head(torch.cat([gru(inside)[0], inside], dim=2))[0]

    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(pieces))
        for start in range(0, len(order), 8):
            losses = [
                (
                    torch.nn.functional.cross_entropy(scores(own), labels[own], reduction="none")
                    * scaled[own]
                ).sum()
                for own in (pieces[i] for i in order[start : start + 8])
            ]
            optimizer.zero_grad()
            (sum(losses) / sum(len(pieces[i]) for i in order[start : start + 8])).backward()
            torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
            optimizer.step()
    parts.eval()
    out = marginal(dataset, train, weight)
    with torch.no_grad():
        for own in everyone:
            out[own] = torch.softmax(scores(own), dim=1).numpy()
    return out


CLASS_BASELINES = {
    "marginal": marginal,
    "last edit again": last_again,
    "first-order Markov": markov_1,
    "second-order Markov": markov_2,
    "mixture of Markov people": markov_people,
    "recurrent network": recurrent,
}

SLOW_BASELINES = ("recurrent network",)
"""Those that take minutes; they are compared where models are chosen, not in every fit."""


def _node_stage(dataset: Dataset) -> NDArray[np.int64]:
    columns = [NODE_NAMES.index(f"stage_{stage}") for stage in STAGES]
    stage: NDArray[np.int64] = dataset.nodes[:, columns].argmax(axis=1)
    return stage


def _rates(dataset: Dataset, keys: NDArray[np.int64], chosen: Mask, weight: Floats) -> Floats:
    """Return how often nodes with a key are touched, by granularity, pulled towards the granularity's mean."""
    run = dataset.run[dataset.node_decision].astype(np.int64)
    full = keys * 2 + run
    size = int(full.max()) + 1
    scaled = weight / weight[chosen].mean()
    hits = np.bincount(full[chosen], weights=(scaled * dataset.node_y)[chosen], minlength=size)
    total = np.bincount(full[chosen], weights=scaled[chosen], minlength=size)
    base = np.zeros(2)
    for kind in (0, 1):
        own = chosen & (run == kind)
        base[kind] = np.average(dataset.node_y[own], weights=weight[own]) if own.any() else 0.5
    rates: Floats = (hits[full] + 2.0 * base[run]) / (total[full] + 2.0)
    return rates


def stage_rate(dataset: Dataset, chosen: Mask, weight: Floats) -> Floats:
    """Return how often a node of its stage is touched."""
    return _rates(dataset, _node_stage(dataset), chosen, weight)


def recency(dataset: Dataset, chosen: Mask, weight: Floats) -> Floats:
    """Return how often a node of its stage is touched that was last touched so many iterations ago."""
    since = np.round(np.expm1(dataset.nodes[:, NODE_NAMES.index("since")])).astype(np.int64)
    step = np.digitize(since, [1, 2, 3, 5, 10, 20, 60])
    return _rates(dataset, _node_stage(dataset) * 10 + step, chosen, weight)


def touched_again(dataset: Dataset, chosen: Mask, weight: Floats) -> Floats:
    """Return how often a node is touched that was, or was not, touched in the iteration before."""
    last = dataset.nodes[:, NODE_NAMES.index("recent_1")].astype(np.int64)
    return _rates(dataset, last, chosen, weight)


NODE_BASELINES = {
    "stage base rate": stage_rate,
    "last edit again": touched_again,
    "Markov of how lately touched": recency,
}
