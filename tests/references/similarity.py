"""References of losses over embeddings of a labelled batch, and of losses with learnt classes."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import expit, log_softmax, logsumexp, softmax

from tests.references.table import Arguments, Array, Table

TABLE = Table()


def cosines(a: Array, b: Array) -> Array:
    """The cosine of every row of one array with every row of the other."""
    return 1 - cdist(a, b, "cosine")


def members(t: Array, i: int) -> tuple[list[int], list[int]]:
    """The other samples of the class of sample ``i``, and those of other classes."""
    others = [j for j in range(len(t)) if j != i]
    same = [j for j in others if t[j] == t[i]]
    return same, [j for j in others if t[j] != t[i]]


def paired(arguments: Arguments, rng: np.random.Generator) -> None:
    """Two samples of a class, and two of different classes."""
    arguments["t"][:3] = (1, 1, 0)


# ---------------------------------------------------------------- pairs of the batch


@TABLE.add(change=paired)
def sup_con(z, t, tau):
    logits = cosines(z, z) / tau
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        chances = {j: math.exp(logits[i, j]) for j in same + rivals}
        terms = [-math.log(chances[j] / sum(chances.values())) for j in same]
        losses.append(np.mean(terms) if terms else 0.0)
    return np.array(losses)


@TABLE.add(change=paired)
def nca(z, t):
    losses = []
    for i, point in enumerate(z):
        same, rivals = members(t, i)
        chances = {j: math.exp(-math.dist(point, z[j]) ** 2) for j in same + rivals}
        picked = sum(chances[j] for j in same) / sum(chances.values()) if same else 1.0
        losses.append(-math.log(picked))
    return np.array(losses)


@TABLE.add()
def n_pairs(a, p):
    losses = []
    for i, anchor in enumerate(a):
        own = np.dot(anchor, p[i])
        rivals = [np.dot(anchor, q) - own for j, q in enumerate(p) if j != i]
        losses.append(math.log1p(sum(map(math.exp, rivals))))
    return np.array(losses)


@TABLE.add(change=paired, settings=({"beta": 3.0},))
def multi_similarity(z, t, alpha, beta, base):
    s = cosines(z, z)
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        near = sum(math.exp(-alpha * (s[i, j] - base)) for j in same)
        far = sum(math.exp(beta * (s[i, j] - base)) for j in rivals)
        losses.append(math.log(1 + near) / alpha + math.log(1 + far) / beta)
    return np.array(losses)


@TABLE.add(change=paired, settings=({"gamma": 4.0},))
def circle(z, t, m, gamma):
    s = cosines(z, z)
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        exponents = []
        for j in same:
            for k in rivals:
                push = gamma * max(0.0, s[i, k] + m) * (s[i, k] - m)
                pull = gamma * max(0.0, 1 + m - s[i, j]) * (s[i, j] - 1 + m)
                exponents.append(push - pull)
        losses.append(logsumexp([0.0, *exponents]))
    return np.array(losses)


@TABLE.add(change=paired)
def threshold_consistent_margin(z, t, mp, mn):
    s = cosines(z, z)
    near, far = [], []
    for i in range(len(z)):
        same, rivals = members(t, i)
        near += [mp - s[i, j] for j in same if s[i, j] < mp]
        far += [s[i, j] - mn for j in rivals if s[i, j] > mn]
    return sum(near) / max(len(near), 1) + sum(far) / max(len(far), 1)


# ---------------------------------------------------------------- triplets of the batch


@TABLE.add(change=paired, settings=({"margin": 3.0},))
def batch_hard_triplet(z, t, margin):
    gap = cdist(z, z)
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        hardest = 0.0
        if same and rivals:
            hardest = margin + max(gap[i][same]) - min(gap[i][rivals])
        losses.append(max(0.0, hardest))
    return np.array(losses)


@TABLE.add(change=paired, settings=({"margin": 3.0},))
def batch_all_triplet(z, t, margin):
    gap = cdist(z, z)
    losses = [0.0]
    for i in range(len(z)):
        same, rivals = members(t, i)
        losses += [margin + gap[i, j] - gap[i, k] for j in same for k in rivals]
    hard = [loss for loss in losses if loss > 0]
    return sum(hard) / max(len(hard), 1)


@TABLE.add(change=paired, settings=({"margin": 9.0},))
def semi_hard_triplet(z, t, margin):
    gap = cdist(z, z, "sqeuclidean")
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        for j in same:
            farther = [gap[i, k] for k in rivals if gap[i, k] > gap[i, j]]
            if farther:
                losses.append(max(0.0, margin + gap[i, j] - min(farther)))
            elif rivals:
                losses.append(max(0.0, margin + gap[i, j] - max(gap[i][rivals])))
            else:
                losses.append(0.0)
    return sum(losses) / max(len(losses), 1)


# ---------------------------------------------------------------- retrieval in the batch


@TABLE.add(change=paired, settings=({"tau": 0.5},))
def pnp(z, t, tau):
    s = cosines(z, z)
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        before = [sum(expit((s[i][rivals] - s[i, j]) / tau)) for j in same]
        losses.append(np.mean(before) if before else 0.0)
    return np.array(losses)


@TABLE.add(change=paired, settings=({"tau": 0.5},))
def smooth_ap(z, t, tau):
    """One minus the ratio of the rank among the positives to the rank among all."""
    s = cosines(z, z)
    losses = []
    for i in range(len(z)):
        same, rivals = members(t, i)
        precisions = []
        for j in same:
            rank = 1.0
            for k in same:
                rank += expit((s[i, k] - s[i, j]) / tau) if k != j else 0.0
            behind = sum(expit((s[i, k] - s[i, j]) / tau) for k in rivals)
            precisions.append(rank / (rank + behind))
        losses.append(1 - np.mean(precisions) if same else 0.0)
    return np.array(losses)


def even_bins(low: float, high: float, count: int):
    """Bins that cover an interval evenly."""

    def change(arguments: Arguments, rng: np.random.Generator) -> None:
        paired(arguments, rng)
        arguments["bins"] = np.linspace(low, high, count)
        arguments["width"] = (high - low) / (count - 1)

    return change


def soft_histogram(values: Array, bins: Array, width: float) -> Array:
    """Each value shared between the two bins that it lies between."""
    result = np.zeros(len(bins))
    for value in values:
        left = min(int((value - bins[0]) / width), len(bins) - 2)
        share = (value - bins[left]) / width
        result[left] += 1 - share
        result[left + 1] += share
    return result


@TABLE.add(change=even_bins(-1.0, 1.0, 5))
def histogram(z, t, bins, width):
    s = cosines(z, z)
    near, far = [], []
    for i in range(len(z)):
        for j in range(i):
            (near if t[i] == t[j] else far).append(s[i, j])
    if not (near and far):
        return 0.0
    positive = soft_histogram(np.array(near), bins, width) / len(near)
    negative = soft_histogram(np.array(far), bins, width) / len(far)
    return float(negative @ np.cumsum(positive))


# ---------------------------------------------------------------- learnt classes


def picked(logits: Array, t: Array) -> Array:
    """The cross-entropy of each row of logits."""
    return -np.array([log_softmax(row)[k] for row, k in zip(logits, t, strict=True)])


@TABLE.add()
def normalized_softmax(z, t, W, tau):
    return picked(cosines(z, W) / tau, t)


@TABLE.add(settings=({"s": 2.0},))
def cos_face(z, t, W, m, s):
    cosine = cosines(z, W)
    for row, k in zip(cosine, t, strict=True):
        row[k] -= m
    return picked(s * cosine, t)


@TABLE.add()
def proxy_nca(z, t, W):
    """Minus the logarithm of exp(-d) of the own proxy over the sum of the others."""
    losses = []
    for row, k in zip(z, t, strict=True):
        apart = [
            np.square(row / np.linalg.norm(row) - w / np.linalg.norm(w)).sum()
            for w in W
        ]
        rivals = sum(math.exp(-d) for c, d in enumerate(apart) if c != k)
        losses.append(-math.log(math.exp(-apart[k]) / rivals))
    return np.array(losses)


@TABLE.add(settings=({"alpha": 2.0},))
def proxy_anchor(z, t, W, margin, alpha):
    s = cosines(z, W)
    pulls, pushes = [], []
    for c in range(len(W)):
        own = [s[b, c] for b in range(len(z)) if t[b] == c]
        others = [s[b, c] for b in range(len(z)) if t[b] != c]
        pull = sum(math.exp(-alpha * (x - margin)) for x in own)
        push = sum(math.exp(alpha * (x + margin)) for x in others)
        pulls += [math.log(1 + pull)] if own else []
        pushes.append(math.log(1 + push))
    return np.mean(pulls) + np.mean(pushes)


@TABLE.add(settings=({"scale": 2.0, "sharpness": 1.0},))
def soft_triple(z, t, W, scale, sharpness, m):
    similarity = np.zeros((len(z), len(W)))
    for c, centers in enumerate(W):
        cosine = cosines(z, centers)
        similarity[:, c] = (softmax(sharpness * cosine, axis=1) * cosine).sum(axis=1)
    for row, k in zip(similarity, t, strict=True):
        row[k] -= m
    return picked(scale * similarity, t)


@TABLE.add()
def p2s_grad(z, t, W):
    return np.square(cosines(z, W) - np.eye(len(W))[t]).sum(axis=1)
