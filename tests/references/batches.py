"""References of losses that look at a whole batch, at two samples or at a whole sequence."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations, product

import numpy as np
import torch
from scipy.signal import convolve2d
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.special import expit, log_softmax, logsumexp, softmax

from tests.references.table import Arguments, Array, Table, tensors

TABLE = Table()


def cosine(one: Array, other: Array) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def unit(points: Array) -> Array:
    return points / np.linalg.norm(points, axis=-1, keepdims=True)


# ---------------------------------------------------------------- regression, images


@TABLE.add()
def mase(x, y, past):
    naive = [np.mean([abs(b - a) for a, b in pairwise(p)]) for p in past]
    return np.abs(x - y) / np.array(naive)[:, None]


@TABLE.add()
def depth_smoothness(z, im):
    """kornia's gradients and weights, image by image."""

    def one(depth: Array, image: Array) -> float:
        total = 0.0
        for axis in (0, 1):
            weights = np.exp(-np.abs(np.diff(image, axis=axis + 1)).mean(axis=0))
            total += float(np.mean(np.abs(np.diff(depth, axis=axis)) * weights))
        return total

    return np.array([one(*pair) for pair in zip(z, im, strict=True)])


@TABLE.add()
def diffusion_regularization(x):
    kernel = np.array([[0.5, 0.0, -0.5]])

    def one(image: Array) -> float:
        across = convolve2d(image, kernel, mode="valid")[1:-1, :]
        down = convolve2d(image, kernel.T, mode="valid")[:, 1:-1]
        return float(np.mean(across**2 + down**2))

    images = x.reshape(-1, *x.shape[-2:])
    return np.array([one(image) for image in images]).reshape(x.shape[:-2])


# ---------------------------------------------------------------- classes


@TABLE.add()
def linear_cross_entropy(h, t, W):
    hidden, target, weight = tensors(h, t, W)
    logits = torch.nn.functional.linear(hidden, weight)
    return torch.nn.functional.cross_entropy(logits, target, reduction="none").numpy()


@TABLE.add()
def weighted_kappa(p, t, eps):
    """The matrices of weights, observed and expected counts, as for Cohen's kappa."""
    samples, classes = p.shape
    weights = np.array([[(i - j) ** 2 for j in range(classes)] for i in range(classes)])
    observed = np.zeros((classes, classes))
    for true, predicted in zip(t, p, strict=True):
        observed[true] += predicted
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0)) / samples
    return np.log((weights * observed).sum() / (weights * expected).sum() + eps)


# ---------------------------------------------------------------- two views of a batch


@TABLE.add()
def moco(q, k, n, tau):
    def one(query: Array, key: Array) -> float:
        logits = [cosine(query, key), *(cosine(query, old) for old in n)]
        return float(-log_softmax(np.array(logits) / tau)[0])

    return np.array([one(*pair) for pair in zip(q, k, strict=True)])


@TABLE.add()
def nt_xent(z, tau):
    views, samples, _ = z.shape
    every = list(product(range(views), range(samples)))
    losses = []
    for u, i in every:
        rivals = [cosine(z[u, i], z[v, j]) / tau for v, j in every if (v, j) != (u, i)]
        for v in range(views):
            if v != u:
                losses.append(logsumexp(rivals) - cosine(z[u, i], z[v, i]) / tau)
    return np.mean(losses)


def labelled(arguments: Arguments, rng: np.random.Generator) -> None:
    """Two classes, so that there are pairs and negatives."""
    arguments["t"][:] = np.arange(len(arguments["t"])) % 2


@TABLE.add(change=labelled)
def labelled_nt_xent(z, t, tau):
    losses = []
    for i, j in permutations(range(len(z)), 2):
        if t[i] == t[j]:
            pair = np.exp(cosine(z[i], z[j]) / tau)
            others = [
                np.exp(cosine(z[i], z[k]) / tau) for k in range(len(z)) if t[k] != t[i]
            ]
            losses.append(-np.log(pair / (pair + sum(others))))
    return np.mean(losses)


@TABLE.add()
def dcl(x, y, tau):
    losses = []
    for i in range(len(x)):
        rivals = [
            np.exp(cosine(x[i], other[j]) / tau)
            for other in (x, y)
            for j in range(len(x))
            if j != i
        ]
        losses.append(np.log(sum(rivals)) - cosine(x[i], y[i]) / tau)
    return np.array(losses)


@TABLE.add()
def clip(x, y, log_scale):
    logits = np.exp(log_scale) * (1 - cdist(x, y, "cosine"))
    rows_, columns = log_softmax(logits, axis=1), log_softmax(logits, axis=0)
    return -(np.diag(rows_) + np.diag(columns)) / 2


@TABLE.add()
def siglip(x, y, log_scale, bias):
    """The pseudocode of the paper, summed over the texts only."""
    logits = np.exp(log_scale) * unit(x) @ unit(y).T + bias
    labels = 2 * np.eye(len(x)) - 1
    return -np.log(expit(labels * logits)).sum(axis=1)


@TABLE.add()
def barlow_twins(x, y, lam, eps):
    """Batch normalisation without weights, then the correlations."""
    first, second = (
        torch.nn.functional.batch_norm(v, None, None, training=True, eps=eps).numpy()
        for v in tensors(x, y)
    )
    total = 0.0
    for d, e in product(range(x.shape[1]), repeat=2):
        entry = np.mean(first[:, d] * second[:, e])
        total += (1 - entry) ** 2 if d == e else lam * entry**2
    return total


@TABLE.add()
def vicreg(x, y, lam, mu, nu, gamma, eps):
    total = lam * np.mean((x - y) ** 2)
    for view in (x, y):
        covariance = np.cov(view, rowvar=False)
        deviations = np.sqrt(np.diag(covariance) + eps)
        total += mu / 2 * np.mean(np.maximum(0, gamma - deviations))
        crossed = covariance - np.diag(np.diag(covariance))
        total += nu * np.square(crossed).sum() / x.shape[1]
    return total


@TABLE.add()
def tico(x, y, M, beta, rho):
    first, second = unit(x), unit(y)
    outer = np.mean([np.outer(row, row) for row in first], axis=0)
    covariance = beta * M + (1 - beta) * outer
    pairs = zip(first, second, strict=True)
    return np.array([1 - u @ v + rho * (u @ covariance @ u) for u, v in pairs])


@TABLE.add()
def koleo(z, eps):
    distances = squareform(pdist(unit(z)))
    nearest = np.sort(distances, axis=1)[:, 1]  # behind the distance to itself
    return -np.log(nearest + eps)


@TABLE.add()
def spectral_contrastive(x, y):
    def one(i: int) -> float:
        others = [(x[i] @ y[j]) ** 2 for j in range(len(x)) if j != i]
        return float(-2 * (x[i] @ y[i]) + np.mean(others))

    return np.array([one(i) for i in range(len(x))])


# ---------------------------------------------------------------- two samples


@TABLE.add()
def unbiased_mmd(x, y, sigma):
    def kernel(a: Array, b: Array) -> float:
        return float(np.exp(-np.sum((a - b) ** 2) / (2 * sigma**2)))

    within = [np.mean([kernel(a, b) for a, b in combinations(s, 2)]) for s in (x, y)]
    between = np.mean([kernel(a, b) for a, b in product(x, y)])
    return sum(within) - 2 * between


@TABLE.add()
def energy_distance(x, y):
    return 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()


@TABLE.add()
def cka(x, y):
    """Through the kernels of the samples and the centring matrix."""
    count = len(x)
    centring = np.eye(count) - np.full((count, count), 1 / count)
    first, second = (centring @ (v @ v.T) @ centring for v in (x, y))
    norms = np.linalg.norm(first) * np.linalg.norm(second)
    return 1 - np.sum(first * second) / norms


@TABLE.add()
def rkd_distance(x, y):
    student, teacher = pdist(x), pdist(y)
    pair = tensors(student / student.mean(), teacher / teacher.mean())
    return torch.nn.functional.smooth_l1_loss(*pair).numpy()


# ---------------------------------------------------------------- decisions, times


def ordered(arguments: Arguments, rng: np.random.Generator) -> None:
    """A last atom above the first one."""
    arguments["hi"] = arguments["lo"] + abs(arguments["hi"]) + 0.5


@TABLE.add(change=ordered)
def c51(x, p, r, f, gamma, lo, hi):
    """Algorithm 1 of the paper: each atom is moved and shared between its two neighbours."""
    atoms = np.linspace(lo, hi, x.shape[1])
    gap = atoms[1] - atoms[0]
    losses = []
    for logits, chances, reward, done in zip(x, p, r, f, strict=True):
        target = np.zeros(len(atoms))
        for atom, chance in zip(atoms, chances, strict=True):
            moved = min(max(reward + gamma * (1 - done) * atom, lo), hi)
            place = min(max((moved - lo) / gap, 0.0), len(atoms) - 1.0)
            below = min(int(place), len(atoms) - 2)
            target[below] += chance * (below + 1 - place)
            target[below + 1] += chance * (place - below)
        losses.append(-np.sum(target * np.log(softmax(logits))))
    return np.array(losses)


def two_ties(arguments: Arguments, rng: np.random.Generator) -> None:
    """Two events at one time, and a censoring there."""
    arguments["T"][:3] = arguments["T"][0]
    arguments["e"][:3] = [1.0, 1.0, 0.0]


@TABLE.add(change=two_ties)
def efron(x, T, e):
    """Time by time: the tied events leave the risk set bit by bit."""
    total = 0.0
    for time in np.unique(T[e == 1]):
        died = (time == T) & (e == 1)
        risk, dying = np.exp(x[time <= T]).sum(), np.exp(x[died]).sum()
        total -= x[died].sum()
        for k in range(died.sum()):
            total += np.log(risk - k / died.sum() * dying)
    return total / e.sum()


@TABLE.add()
def mtlr(x, t, e):
    """Every survival curve as a sequence of zeros and then ones, as in the paper."""

    def one(scores: Array, interval: float, event: float) -> float:
        count = len(scores)
        curves = [[0] * k + [1] * (count - k) for k in range(count + 1)]
        weights = np.exp([np.dot(curve, scores) for curve in curves])
        chances = weights / weights.sum()
        k = int(interval)
        return float(-np.log(chances[k] if event else chances[k + 1 :].sum()))

    found = [one(*row) for row in zip(x, t, e, strict=True)]
    return np.array(found)
