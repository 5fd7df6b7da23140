"""References of the losses for two classes and for many labels."""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from scipy.special import expit, logsumexp

from tests.references.table import (
    Arguments,
    Array,
    Table,
    each,
    rows,
    tensor,
    tensors,
    weighted_mean,
)

TABLE = Table()


def surprise(weight: float, p: float) -> float:
    """Of an event of probability ``p``, as often as it counts: an event that does not is free."""
    return -weight * math.log(p) if weight else 0.0


def log_loss(p: float, y: float) -> float:
    """Of one probability and one target between 0 and 1."""
    return surprise(y, p) + surprise(1 - y, 1 - p)


def of_true_class(x: float, y: float) -> float:
    """The probability that the logit ``x`` gives to the class ``y``, or to a blend of both."""
    p = 1 / (1 + math.exp(-x))
    return y * p + (1 - y) * (1 - p)


@TABLE.add()
def weighted_log_loss(p, y, w1, w0):
    def one(a: float, b: float) -> float:
        return surprise(w1 * b, a) + surprise(w0 * (1 - b), 1 - a)

    return each(one, p, y)


def some_missing(arguments: Arguments, rng: np.random.Generator) -> None:
    target = arguments["y"]
    drop = rng.random(target.shape) < 0.3
    drop.flat[0] = False
    arguments["y"] = np.where(drop, np.nan, target)


def _masked(p: Array, y: Array, weight: Array | None) -> Array:
    negative, positive = (1.0, 1.0) if weight is None else weight

    def one(a: float, b: float) -> float:
        if math.isnan(b):
            return 0.0
        return surprise(positive * b, a) + surprise(negative * (1 - b), 1 - a)

    return each(one, p, y)


@TABLE.add(
    mean=weighted_mean(_masked, lambda p, y, weight: ~np.isnan(y)), change=some_missing
)
def masked_weighted_log_loss(p, y, weight):
    return _masked(p, y, weight)


@TABLE.add()
def bce(x, y, weight):
    return F.binary_cross_entropy(*tensors(x, y), tensor(weight), reduction="none")


@TABLE.add()
def bce_with_logits(x, y, weight, pos_weight):
    return F.binary_cross_entropy_with_logits(
        *tensors(x, y),
        weight=tensor(weight),
        pos_weight=tensor(pos_weight),
        reduction="none",
    )


def classes_or_ignored(arguments: Arguments, rng: np.random.Generator) -> None:
    choices = [0, 1, arguments["ignore_index"]]
    target = rng.choice(choices, size=arguments["x"].shape)
    target.flat[0] = 1
    arguments["y"] = target


def _soft(x: Array, y: Array, ignore_index: int, smooth: float) -> Array:
    def one(a: float, b: int) -> float:
        if b == ignore_index:
            return 0.0
        right = log_loss(1 / (1 + math.exp(-a)), b)
        wrong = log_loss(1 / (1 + math.exp(-a)), 1 - b)
        return (1 - smooth) * right + smooth * wrong

    return each(one, x, y)


@TABLE.add(
    mean=weighted_mean(_soft, lambda x, y, ignore_index, smooth: y != ignore_index),
    change=classes_or_ignored,
)
def soft_bce_with_logits(x, y, ignore_index, smooth):
    return _soft(x, y, ignore_index, smooth)


@TABLE.add(settings=({"alpha": -1.0}, {"alpha": 0.0}))
def sigmoid_focal(x, y, alpha, gamma):
    def one(a: float, b: float) -> float:
        share = 1.0 if alpha < 0 else alpha * b + (1 - alpha) * (1 - b)
        fade = (1 - of_true_class(a, b)) ** gamma
        return share * fade * log_loss(1 / (1 + math.exp(-a)), b)

    return each(one, x, y)


@TABLE.add(settings=({"threshold": 0.2}, {"threshold": 0.8}))
def reduced_focal(x, y, gamma, threshold):
    def one(a: float, b: float) -> float:
        right = of_true_class(a, b)
        cut = 1.0 if right < threshold else (1 - right) ** gamma / threshold**gamma
        return cut * -math.log(right)

    return each(one, x, y)


@TABLE.add()
def asymmetric(x, y, gp, gn, m):
    def one(a: float, b: float) -> float:
        p = 1 / (1 + math.exp(-a))
        if b == 1:
            return -((1 - p) ** gp) * math.log(p)
        shifted = max(p - m, 0.0)
        return -(shifted**gn) * math.log(1 - shifted)

    return each(one, x, y)


@TABLE.add()
def hinge(x, y):
    return each(lambda a, b: 1 - a * b if a * b < 1 else 0.0, x, y)


@TABLE.add()
def squared_hinge(x, y):
    return each(lambda a, b: (1 - a * b) ** 2 if a * b < 1 else 0.0, x, y)


@TABLE.add()
def soft_margin(x, y):
    return F.soft_margin_loss(*tensors(x, y), reduction="none")


@TABLE.add()
def exponential(x, y):
    return each(lambda a, b: math.exp(-a) if b > 0 else math.exp(a), x, y)


@TABLE.add()
def savage(x, y):
    # The squared probability of the wrong class under logits of twice the score.
    return (1 - expit(2 * y * x)) ** 2


@TABLE.add()
def tangent(x, y):
    return each(lambda a, b: (2 * math.atan2(a * b, 1.0) - 1) ** 2, x, y)


@TABLE.add()
def binary_brier(x, y):
    return (1 - np.vectorize(of_true_class)(x, y)) ** 2


@TABLE.add()
def poly1_bce(x, y, eps):
    def one(a: float, b: float) -> float:
        right = of_true_class(a, b)
        return -math.log(right) + eps * (1 - right)

    return each(one, x, y)


@TABLE.add()
def multi_label_soft_margin(x, y, weight):
    labels = x.shape[-1]
    flat = [t.reshape(-1, labels) for t in tensors(x, y)]
    loss = F.multilabel_soft_margin_loss(*flat, weight=tensor(weight), reduction="none")
    return loss.reshape(x.shape[:-1])


@TABLE.add()
def zlpr(x, y):
    def one(scores: Array, labels: Array) -> float:
        # A zero among the scores stands for the threshold between the two kinds of labels.
        negative = logsumexp([0.0, *scores[labels == 0]])
        positive = logsumexp([0.0, *-scores[labels == 1]])
        return float(negative + positive)

    return rows(one, x, y)
