"""References of the losses for classes, of divergences and of ordinal targets."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon
from scipy.special import boxcox, rel_entr, softmax
from scipy.stats import entropy as shannon_entropy
from sklearn.metrics import log_loss

from tests.references.table import (
    Arguments,
    Array,
    Table,
    each,
    empty_row,
    ignoring,
    rows,
    samples,
    tensor,
    tensors,
)

TABLE = Table()


def _softmax_ce(x, t, weight, reduction="mean"):
    return F.cross_entropy(*tensors(x, t), tensor(weight), reduction=reduction)


@TABLE.add(mean=_softmax_ce)
def softmax_cross_entropy(x, t, weight):
    return _softmax_ce(x, t, weight, "none")


def _cross_entropy(x, t, weight, ignore_index, label_smoothing, reduction="mean"):
    return F.cross_entropy(
        *tensors(x, t),
        weight=tensor(weight),
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction=reduction,
    )


@TABLE.add(mean=_cross_entropy, change=ignoring("t"))
def cross_entropy(x, t, weight, ignore_index, label_smoothing):
    return _cross_entropy(x, t, weight, ignore_index, label_smoothing, "none")


def _class_log_loss(p: Array, t: Array, weight: Array | None, ignore_index: int):
    """Mean log loss of the kept targets as scikit-learn defines it, by sample weights."""
    kept = t.ravel() != ignore_index
    table = np.moveaxis(p, 1, -1).reshape(-1, p.shape[1])[kept]
    seen = t.ravel()[kept]
    each_weight = None if weight is None else weight[seen]
    classes = list(range(p.shape[1]))
    return log_loss(seen, table, sample_weight=each_weight, labels=classes)


@TABLE.add(mean=_class_log_loss, change=ignoring("t"))
def weighted_multiclass_log_loss(p, t, weight, ignore_index):
    def one(chances: Array, seen: int) -> float:
        if seen == ignore_index:
            return 0.0
        share = 1.0 if weight is None else weight[seen]
        return share * math.log(1 / chances[seen])

    return samples(one, p, t)


@TABLE.add()
def soft_target_cross_entropy(x, y, weight, label_smoothing):
    return F.cross_entropy(
        *tensors(x, y),
        weight=tensor(weight),
        label_smoothing=label_smoothing,
        reduction="none",
    )


def _nll(lp, t, weight, ignore_index, reduction="mean"):
    return F.nll_loss(
        *tensors(lp, t),
        weight=tensor(weight),
        ignore_index=ignore_index,
        reduction=reduction,
    )


@TABLE.add(mean=_nll, change=ignoring("t"))
def nll(lp, t, weight, ignore_index):
    return _nll(lp, t, weight, ignore_index, "none")


@TABLE.add()
def poly1_cross_entropy(x, t, eps):
    def one(logits: Array, seen: int) -> float:
        right = softmax(logits)[seen]
        return math.log(1 / right) + eps * (1 - right)

    return samples(one, x, t)


@TABLE.add()
def symmetric_cross_entropy(x, t, alpha, beta, A):
    def one(logits: Array, seen: int) -> float:
        p = softmax(logits)
        label = np.eye(len(p))[seen]
        forward = -sum(q * math.log(chance) for q, chance in zip(label, p, strict=True))
        log_label = [0.0 if q == 1 else A for q in label]
        backward = -sum(chance * lq for chance, lq in zip(p, log_label, strict=True))
        return alpha * forward + beta * backward

    return samples(one, x, t)


@TABLE.add()
def normalized_cross_entropy(x, t):
    def one(logits: Array, seen: int) -> float:
        # The cross-entropy with this label over the cross-entropies with every label.
        costs = [
            F.cross_entropy(*tensors(logits, np.int64(k))).item()
            for k in range(len(logits))
        ]
        return costs[seen] / sum(costs)

    return samples(one, x, t)


@TABLE.add()
def generalized_cross_entropy(x, t, q):
    return samples(lambda logits, seen: -boxcox(softmax(logits)[seen], q), x, t)


@TABLE.add()
def multiclass_mae(x, t):
    def one(logits: Array, seen: int) -> float:
        return float(np.abs(softmax(logits) - np.eye(len(logits))[seen]).sum())

    return samples(one, x, t)


@TABLE.add()
def confidence_penalty(x, t, beta):
    def one(logits: Array, seen: int) -> float:
        p = softmax(logits)
        return -math.log(p[seen]) - beta * shannon_entropy(p)

    return samples(one, x, t)


@TABLE.add()
def entropy(x):
    return samples(lambda logits: shannon_entropy(softmax(logits)), x)


@TABLE.add()
def logit_adjusted(x, t, prior, tau):
    def one(logits: Array, seen: int) -> float:
        # The pairwise form: each rival's lead, scaled by the ratio of the frequencies.
        rivals = [k for k in range(len(logits)) if k != seen]
        leads = (
            (prior[k] / prior[seen]) ** tau * math.exp(logits[k] - logits[seen])
            for k in rivals
        )
        return math.log1p(sum(leads))

    return samples(one, x, t)


@TABLE.add()
def class_balanced_cross_entropy(x, t, n, beta):
    effective = (1 - np.power(beta, n)) / (1 - beta)
    weight = 1 / effective
    weight = weight / weight.sum() * len(weight)
    return F.cross_entropy(*tensors(x, t), weight=tensor(weight), reduction="none")


@TABLE.add()
def multi_margin(x, t, p, margin, weight):
    def one(scores: Array, seen: int) -> float:
        total = 0.0
        for k, score in enumerate(scores):
            short = margin - (scores[seen] - score)
            if k != seen and short > 0:
                total += short**p
        return total * (1.0 if weight is None else weight[seen]) / len(scores)

    return samples(one, x, t)


@TABLE.add()
def multiclass_hinge(x, t):
    def one(scores: Array, seen: int) -> float:
        rival = max(s for k, s in enumerate(scores) if k != seen)
        return max(0.0, 1 - (scores[seen] - rival))

    return samples(one, x, t)


@TABLE.add()
def multiclass_perceptron(x, t):
    return samples(lambda scores, seen: max(scores) - scores[seen], x, t)


@TABLE.add()
def multiclass_brier(x, t):
    def one(logits: Array, seen: int) -> float:
        p = softmax(logits)
        rest = sum(chance**2 for k, chance in enumerate(p) if k != seen)
        return (1 - p[seen]) ** 2 + rest

    return samples(one, x, t)


# ---------------------------------------------------------------- divergences


def divergence(p: Array, q: Array) -> float:
    """Kullback-Leibler, of q from p."""
    return float(rel_entr(p, q).sum())


@TABLE.add()
def kl_div(lq, y):
    return F.kl_div(*tensors(lq, y), reduction="none").sum(1)


@TABLE.add()
def distillation(x, y, T):
    def one(student: Array, teacher: Array) -> float:
        return T * T * divergence(softmax(teacher / T), softmax(student / T))

    return samples(one, x, y)


@TABLE.add()
def reverse_kl(x, y):
    return samples(lambda s, t: divergence(softmax(s), softmax(t)), x, y)


def with_zeros(arguments: Arguments, rng: np.random.Generator) -> None:
    """Classes without probability: in one distribution, in the other, in both."""
    for name, classes in (("p", [0, 1]), ("q", [1, 2])):
        chances = arguments[name].copy()
        chances[:, classes] = 0.0
        arguments[name] = chances / chances.sum(1, keepdims=True)


@TABLE.add(change=with_zeros)
def js_divergence(p, q):
    return samples(lambda a, b: jensenshannon(a, b) ** 2, p, q)


@TABLE.add()
def hellinger(p, q):
    # By the Bhattacharyya coefficient.
    return samples(lambda a, b: math.sqrt(1 - np.sqrt(a * b).sum()), p, q)


@TABLE.add()
def coral(x, t):
    levels = (t[:, None] > np.arange(x.shape[1])).astype(float)
    terms = F.binary_cross_entropy_with_logits(*tensors(x, levels), reduction="none")
    return terms.sum(1)


@TABLE.add()
def list_net(s, y):
    def one(scores: Array, relevance: Array) -> float:
        true, predicted = torch.softmax(tensors(relevance)[0], 0), tensors(scores)[0]
        return F.cross_entropy(predicted, true).item()

    return rows(one, s, y)


@TABLE.add()
def reinforce(x, t, A, ent):
    def one(logits: Array, action: int, advantage: float) -> float:
        policy = torch.distributions.Categorical(logits=tensors(logits)[0])
        log_probability = policy.log_prob(torch.tensor(int(action)))
        return float(-advantage * log_probability - ent * policy.entropy())

    return samples(one, x, t, A)


@TABLE.add()
def evidential_cross_entropy(al, t):
    # The expected surprise over Dirichlet draws, from the beta distribution of the true class.
    from mpmath import digamma

    def one(concentration: Array, seen: int) -> float:
        strength = concentration.sum()
        return float(digamma(strength) - digamma(concentration[seen]))

    return samples(one, al, t)


def _patches(s: Array, t: Array, m: Array) -> Array:
    flat_s, flat_t = (v.reshape(-1, s.shape[-1]) for v in (s, t))
    teacher = torch.softmax(tensors(flat_t)[0], 1)
    loss = F.cross_entropy(tensors(flat_s)[0], teacher, reduction="none").numpy()
    return np.where(m == 1, loss.reshape(m.shape), 0.0)


@TABLE.add(mean=lambda s, t, m: _patches(s, t, m).sum() / m.sum())
def ibot(s, t, m):
    return _patches(s, t, m)


@TABLE.add(change=empty_row)
def sequence_nll(x, t, m):
    result = []
    for logits, tokens, mask in zip(x, t, m, strict=True):
        kept = mask == 1
        if not kept.any():
            result.append(0.0)
            continue
        result.append(F.cross_entropy(*tensors(logits[kept], tokens[kept])).item())
    return np.array(result)


@TABLE.add()
def bce_surv(x, t, e):
    def one(logit: float, k: int, interval: int, event: float) -> float:
        alive = k < interval
        if not alive and event == 0:
            return 0.0
        p = 1 / (1 + math.exp(-logit))
        return -math.log(p if alive else 1 - p)

    return each(one, x, np.arange(x.shape[1])[None, :], t[:, None], e[:, None])
