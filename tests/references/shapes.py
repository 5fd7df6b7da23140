"""References of the losses for masks and boxes."""

from __future__ import annotations

import math

import numpy as np

from tests.references.table import Arguments, Array, Table, rows

TABLE = Table()


def counts(x: Array, y: Array) -> tuple[float, float, float]:
    """Soft true positives, false positives and false negatives of a mask."""
    tp = fp = fn = 0.0
    for p, label in zip(x, y, strict=True):
        if label == 1:
            tp += p
            fn += 1 - p
        else:
            fp += p
    return tp, fp, fn


def dice_loss(x: Array, y: Array, eps: float) -> float:
    tp, fp, fn = counts(x, y)
    return 1 - (2 * tp + eps) / (2 * tp + fp + fn + eps)


@TABLE.add()
def dice(x, y, eps):
    return rows(lambda a, b: dice_loss(a, b, eps), x, y)


@TABLE.add()
def squared_dice(x, y, eps):
    def one(a: Array, b: Array) -> float:
        # The squared distance of the masks over the sum of their squared lengths.
        return float(np.square(a - b).sum() / (a.dot(a) + b.dot(b) + eps))

    return rows(one, x, y)


@TABLE.add()
def generalized_dice(x, y, eps):
    result = np.zeros(x.shape[:-2])
    for place in np.ndindex(result.shape):
        overlap = total = 0.0
        for probability, label in zip(x[place], y[place], strict=True):
            tp, fp, fn = counts(probability, label)
            weight = 1 / ((label == 1).sum() ** 2 + eps)
            overlap += weight * tp
            total += weight * (2 * tp + fp + fn)
        result[place] = 1 - (2 * overlap + eps) / (total + eps)
    return result


@TABLE.add()
def tversky(x, y, alpha, beta, eps):
    def one(a: Array, b: Array) -> float:
        tp, fp, fn = counts(a, b)
        error = alpha * fp + beta * fn
        return error / (tp + error + eps)

    return rows(one, x, y)


@TABLE.add()
def focal_tversky(x, y, alpha, beta, gamma, eps):
    return tversky(x, y, alpha, beta, eps) ** gamma


@TABLE.add()
def log_cosh_dice(x, y, eps):
    def one(a: Array, b: Array) -> float:
        loss = dice_loss(a, b, eps)
        return float(np.logaddexp(loss, -loss) - math.log(2))

    return rows(one, x, y)


@TABLE.add()
def mcc(x, y, eps):
    def one(a: Array, b: Array) -> float:
        # The coefficient as a correlation: counts of a table with eps more in each cell.
        everything = len(a) + 4 * eps
        predicted, true = a.sum() + 2 * eps, b.sum() + 2 * eps
        covariance = everything * (a.dot(b) + eps) - predicted * true
        spread = predicted * (everything - predicted) * true * (everything - true)
        return float(1 - covariance / math.sqrt(spread))

    return rows(one, x, y)


@TABLE.add()
def boundary(x, dist):
    return rows(lambda a, b: a.dot(b) / len(a), x, dist)


# ---------------------------------------------------------------- boxes


def proper(arguments: Arguments, rng: np.random.Generator) -> None:
    """Boxes of positive size; pairs that overlap, touch nothing, or contain each other."""
    shape = arguments["x"].shape[:-1]
    for name in ("x", "y"):
        corner = rng.uniform(0, 4, size=(*shape, 2))
        size = rng.uniform(0.5, 4, size=(*shape, 2))
        arguments[name] = np.concatenate([corner, corner + size], axis=-1)


class Pair:
    """Two boxes and what the definitions measure of them."""

    def __init__(self, first: Array, second: Array) -> None:
        self.first, self.second = first, second
        overlap = self.hull = 1.0
        self.sides = []
        for low, high in ((0, 2), (1, 3)):
            ends = sorted([first[low], first[high], second[low], second[high]])
            apart = first[high] <= second[low] or second[high] <= first[low]
            overlap *= 0.0 if apart else ends[2] - ends[1]
            self.sides.append(ends[3] - ends[0])
            self.hull *= ends[3] - ends[0]
        self.overlap = overlap
        self.union = self.area(first) + self.area(second) - overlap

    @staticmethod
    def area(box: Array) -> float:
        return (box[2] - box[0]) * (box[3] - box[1])

    @staticmethod
    def size(box: Array) -> tuple[float, float]:
        return box[2] - box[0], box[3] - box[1]

    @property
    def centre_distance(self) -> float:
        """Squared."""
        first, second = (b.reshape(2, 2).mean(0) for b in (self.first, self.second))
        return float(np.square(first - second).sum())

    def distance_loss(self, eps: float) -> float:
        iou = self.overlap / (self.union + eps)
        diagonal = self.sides[0] ** 2 + self.sides[1] ** 2
        return 1 - iou + self.centre_distance / (diagonal + eps)


@TABLE.add(change=proper)
def giou(x, y, eps):
    def one(a: Array, b: Array) -> float:
        pair = Pair(a, b)
        empty = pair.hull - pair.union
        return 1 - (pair.overlap / (pair.union + eps) - empty / (pair.hull + eps))

    return rows(one, x, y)


@TABLE.add(change=proper)
def diou(x, y, eps):
    return rows(lambda a, b: Pair(a, b).distance_loss(eps), x, y)


@TABLE.add(change=proper)
def ciou(x, y, eps):
    def one(a: Array, b: Array) -> float:
        pair = Pair(a, b)
        turn = math.atan2(*pair.size(b)) - math.atan2(*pair.size(a))
        v = (2 * turn / math.pi) ** 2
        iou = pair.overlap / (pair.union + eps)
        return pair.distance_loss(eps) + v * v / (1 - iou + v + eps)

    return rows(one, x, y)


@TABLE.add(change=proper)
def eiou(x, y, eps):
    def one(a: Array, b: Array) -> float:
        pair = Pair(a, b)
        sizes = zip(pair.size(a), pair.size(b), pair.sides, strict=True)
        gaps = sum((p - q) ** 2 / (side**2 + eps) for p, q, side in sizes)
        return pair.distance_loss(eps) + gaps

    return rows(one, x, y)
