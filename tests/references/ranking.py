"""References of losses over lists of items, and over the labels of a sample."""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from scipy.special import expit
from sklearn.metrics import dcg_score

from tests.references.table import Array, Table, rows, tensors

TABLE = Table()


@TABLE.add()
def multi_label_margin(x, y):
    """PyTorch takes the present labels as a list that ends at -1."""
    lists = np.full(x.shape, -1)
    for row, present in zip(lists, y, strict=True):
        labels = np.flatnonzero(present)
        row[: len(labels)] = labels
    return F.multilabel_margin_loss(*tensors(x, lists), reduction="none")


@TABLE.add()
def list_mle(s, y):
    """The chance of each choice among the items that are left; ties are chosen at once."""

    def one(scores: Array, relevance: Array) -> float:
        total = 0.0
        for score, own in zip(scores, relevance, strict=True):
            left = np.exp(scores[relevance <= own]).sum()
            total -= math.log(math.exp(score) / left)
        return total

    return rows(one, s, y)


@TABLE.add()
def rank_net(s, y, sigma):
    def one(scores: Array, relevance: Array) -> float:
        total = 0.0
        for better, r in zip(scores, relevance, strict=True):
            for worse, q in zip(scores, relevance, strict=True):
                if r > q:
                    total -= math.log(expit(sigma * (better - worse)))
        return total

    return rows(one, s, y)


def best(gains: Array) -> float:
    """The discounted cumulative gain of the best order, with natural logarithms."""
    return float(dcg_score([gains], [gains]) / math.log(2))


@TABLE.add(settings=({"tau": 2.0},))
def approx_ndcg(s, g, tau):
    def one(scores: Array, gains: Array) -> float:
        total = 0.0
        for k, gain in enumerate(gains):
            behind = np.delete(scores, k)
            total += gain / math.log(2 + expit((behind - scores[k]) / tau).sum())
        return -total / best(gains)

    return rows(one, s, g)


@TABLE.add()
def lambda_rank(s, g, sigma):
    """What exchanging two items would change in the gain, measured by exchanging them."""

    def gained(order: list[int], gains: Array) -> float:
        return sum(gains[k] / math.log(2 + place) for place, k in enumerate(order))

    def one(scores: Array, gains: Array) -> float:
        order = list(np.argsort(-scores, kind="stable"))
        total = 0.0
        for i in range(len(scores)):
            for j in range(len(scores)):
                if gains[i] <= gains[j]:
                    continue
                other = [{i: j, j: i}.get(k, k) for k in order]
                change = abs(gained(other, gains) - gained(order, gains)) / best(gains)
                total += change * math.log1p(math.exp(-sigma * (scores[i] - scores[j])))
        return total

    return rows(one, s, g)
