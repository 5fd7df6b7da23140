"""References of losses over pairs of samples, neighbours and cumulative sums."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import log_softmax, logsumexp, softmax

from tests.references.table import Arguments, Array, Table, rows

TABLE = Table()


@TABLE.add()
def info_nce(q, k, tau):
    similarity = (1 - cdist(q, k, "cosine")) / tau
    return -np.diag(log_softmax(similarity, axis=1))


@TABLE.add()
def mmd(x, y, sigma):
    def kernel(a: Array, b: Array) -> float:
        return float(np.exp(-cdist(a, b, "sqeuclidean") / (2 * sigma**2)).mean())

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


@TABLE.add()
def total_variation(x):
    down, right = np.diff(x, axis=1), np.diff(x, axis=2)
    return np.abs(down).sum(axis=(1, 2)) + np.abs(right).sum(axis=(1, 2))


@TABLE.add()
def squared_emd(x, q):
    def one(logits: Array, target: Array) -> float:
        moved = np.cumsum(softmax(logits)) - np.cumsum(target)
        return float(np.square(moved).mean())

    return rows(one, x, q)


@TABLE.add()
def crps_ensemble(x, y):
    """The integral of the squared distance of the two distribution functions, piece by piece."""

    def one(members: Array, truth: float) -> float:
        corners = np.sort(np.append(members, truth))
        total = 0.0
        for low, high in pairwise(corners):
            below = (members <= low).mean() - (truth <= low)
            total += (high - low) * below**2
        return total

    return np.array([one(*pair) for pair in zip(x, y, strict=True)])


def tied(arguments: Arguments, rng: np.random.Generator) -> None:
    """Two equal times, and at least one event."""
    arguments["T"][1] = arguments["T"][0]
    arguments["e"][0] = 1.0


@TABLE.add(change=tied)
def cox(x, T, e):
    events = np.flatnonzero(e)
    terms = [logsumexp(x[T[i] <= T]) - x[i] for i in events]
    return np.sum(terms) / len(events)
