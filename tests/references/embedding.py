"""References of metric losses and of losses for generative models."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial import distance
from torch.distributions import Normal, kl_divergence

from tests.references.table import Array, Table, each, rows, tensors

TABLE = Table()


@TABLE.add()
def pairwise_distance(x, y, p, eps):
    return F.pairwise_distance(*tensors(x, y), p=p, eps=eps)


@TABLE.add(settings=({"margin": 4.0}, {"margin": 8.0}))
def contrastive(x, y, s, margin):
    apart = rows(distance.euclidean, x, y)

    def one(gap: float, same: float) -> float:
        if same == 1:
            return gap**2
        return (margin - gap) ** 2 if gap < margin else 0.0

    return each(one, apart, s)


@TABLE.add()
def cosine_embedding(x, y, s, margin):
    apart = rows(distance.cosine, x, y)

    def one(gap: float, same: float) -> float:
        return gap if same > 0 else max(0.0, 1 - gap - margin)

    return each(one, apart, s)


@TABLE.add()
def hinge_embedding(x, y, margin):
    return F.hinge_embedding_loss(*tensors(x, y), margin=margin, reduction="none")


@TABLE.add()
def triplet_margin(a, b, n, margin, p, swap):
    size = a.shape[-1]
    flat = [t.reshape(-1, size) for t in tensors(a, b, n)]
    loss = F.triplet_margin_loss(
        *flat, margin=margin, p=p, eps=0.0, swap=swap, reduction="none"
    )
    return loss.reshape(a.shape[:-1])


@TABLE.add()
def center(z, t, W):
    return np.array(
        [distance.sqeuclidean(v, W[k]) / 2 for v, k in zip(z, t, strict=True)]
    )


@TABLE.add()
def ring(z, R, lam):
    return rows(lambda v: lam / 2 * (math.hypot(*v) - R) ** 2, z)


@TABLE.add()
def margin_ranking(x, z, y, margin):
    return F.margin_ranking_loss(*tensors(x, z, y), margin=margin, reduction="none")


@TABLE.add()
def negative_cosine_similarity(p, z):
    return -F.cosine_similarity(*tensors(p, z), dim=-1)


# ---------------------------------------------------------------- adversarial


def judged(logits: Array, label: float) -> torch.Tensor:
    """Cross-entropy of a discriminator's logits with a constant label."""
    x = tensors(logits)[0]
    target = torch.full_like(x, label)
    return F.binary_cross_entropy_with_logits(x, target, reduction="none")


@TABLE.add()
def gan_discriminator(r, f):
    return judged(r, 1.0) + judged(f, 0.0)


@TABLE.add()
def gan_generator(f):
    return judged(f, 1.0)


@TABLE.add()
def gan_hinge_discriminator(r, f):
    return each(lambda a, b: -min(0.0, a - 1) - min(0.0, -b - 1), r, f)


@TABLE.add()
def gan_hinge_generator(f):
    return np.negative(f)


@TABLE.add()
def lsgan_discriminator(r, f):
    return each(lambda a, b: ((a - 1) * (a - 1) + b * b) / 2, r, f)


@TABLE.add()
def lsgan_generator(f):
    return each(lambda b: (b - 1) * (b - 1) / 2, f)


# ---------------------------------------------------------------- variational, diffusion


@TABLE.add()
def gaussian_kl(m1, s1, m2, s2):
    first, second = Normal(*tensors(m1, s1)), Normal(*tensors(m2, s2))
    return kl_divergence(first, second)


def from_standard(mu: Array, lv: Array) -> torch.Tensor:
    predicted = Normal(*tensors(mu, np.sqrt(np.exp(lv))))
    return kl_divergence(predicted, Normal(0.0, 1.0))


@TABLE.add()
def standard_normal_kl(mu, lv):
    return from_standard(mu, lv).sum(-1)


@TABLE.add()
def free_bits(mu, lv, lam):
    per_dimension = from_standard(mu, lv).mean(0).tolist()
    return sum(max(lam, bits) for bits in per_dimension)


@TABLE.add()
def vq_commitment(z, e, beta):
    # Both terms have the same value; they differ in where the gradient goes.
    return rows(lambda a, b: (1 + beta) * np.square(a - b).mean(), z, e)


@TABLE.add()
def min_snr(x, y, snr, gamma, v_pred):
    result = np.zeros(x.shape)
    for k, ratio in enumerate(snr):
        bounded = gamma if ratio > gamma else ratio
        weight = bounded / (ratio + 1 if v_pred else ratio)
        result[k] = weight * np.square(x[k] - y[k])
    return result


@TABLE.add()
def v_prediction(v, x0, eps, a):
    result = np.zeros(v.shape)
    for k, signal in enumerate(a):
        velocity = math.sqrt(signal) * eps[k] - math.sqrt(1 - signal) * x0[k]
        result[k] = (velocity - v[k]) ** 2
    return result


@TABLE.add()
def flow_matching(v, x0, x1):
    return F.mse_loss(*tensors(v, x1 - x0), reduction="none")
