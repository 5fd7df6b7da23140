"""References of losses for preferences, policies, survival times and evidence."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.special import expit

from tests.references.table import (
    Arguments,
    Array,
    Table,
    each,
    empty_row,
    in_turn,
    rows,
)

TABLE = Table()


def wins(first: float, second: float) -> float:
    """The Bradley-Terry probability that the first of two rewards is preferred."""
    return 1 / (1 + math.exp(second - first))


# ---------------------------------------------------------------- preferences


def smoothed(chosen: float, rejected: float, flipped: float) -> float:
    """Cross-entropy of a preference that is the other way round with probability ``flipped``."""
    return -(1 - flipped) * math.log(wins(chosen, rejected)) - flipped * math.log(
        wins(rejected, chosen)
    )


@TABLE.add()
def dpo(pc, pr, rc, rr, beta, label_smoothing):
    def one(a: float, b: float, c: float, d: float) -> float:
        return smoothed(beta * (a - c), beta * (b - d), label_smoothing)

    return each(one, pc, pr, rc, rr)


@TABLE.add()
def dpo_hinge(dc, dr, beta):
    return each(lambda a, b: max(0.0, 1 - (beta * a - beta * b)), dc, dr)


@TABLE.add()
def ipo(dc, dr, beta):
    return each(lambda a, b: ((a - b) - 0.5 / beta) ** 2, dc, dr)


@TABLE.add()
def robust_dpo(dc, dr, beta, eps):
    def one(a: float, b: float) -> float:
        right = -math.log(wins(beta * a, beta * b))
        flipped = -math.log(wins(beta * b, beta * a))
        return ((1 - eps) * right - eps * flipped) / (1 - 2 * eps)

    return each(one, dc, dr)


@TABLE.add()
def exo_pair(dc, dr, beta, eps):
    def one(a: float, b: float) -> float:
        p = wins(beta * a, beta * b)
        return float(stats.entropy([p, 1 - p], [1 - eps, eps]))

    return each(one, dc, dr)


@TABLE.add()
def nca_pair(dc, dr, beta):
    def one(a: float, b: float) -> float:
        chosen, rejected = wins(beta * a, 0.0), wins(beta * b, 0.0)
        noise = math.log(1 - chosen) + math.log(1 - rejected)
        return -math.log(chosen) - noise / 2

    return each(one, dc, dr)


@TABLE.add()
def apo_zero(dc, dr, beta):
    return each(lambda a, b: wins(0.0, beta * a) + wins(beta * b, 0.0), dc, dr)


@TABLE.add()
def discopop(dc, dr, beta, tau):
    def one(a: float, b: float) -> float:
        gap = beta * (a - b)
        blend = wins(gap / tau, 0.0)
        return (1 - blend) * math.log(1 + math.exp(-gap)) + blend * math.exp(-gap)

    return each(one, dc, dr)


def either_side(arguments: Arguments, rng: np.random.Generator) -> None:
    """Divergence estimates whose mean is well above or below 0."""
    arguments["kl"] = arguments["kl"] + rng.choice([-3.0, 3.0])


@TABLE.add(change=either_side, settings=({"beta": 0.5}, {"beta": 1.0}))
def kto(x, good, kl, beta, wd, wu):
    point = max(0.0, sum(kl) / len(kl))

    def one(ratio: float, desirable: float) -> float:
        gain = wins(beta * ratio, beta * point)
        return wd * (1 - gain) if desirable else wu * gain

    return each(one, x, good)


@TABLE.add()
def simpo(lc, lr, beta, gamma, label_smoothing):
    def one(a: float, b: float) -> float:
        return smoothed(beta * a - gamma, beta * b, label_smoothing)

    return each(one, lc, lr)


@TABLE.add()
def cpo(lc, lr, nll, beta, alpha):
    def one(a: float, b: float, likelihood: float) -> float:
        return alpha * likelihood - math.log(wins(beta * a, beta * b))

    return each(one, lc, lr, nll)


# ---------------------------------------------------------------- policies


def close_policies(arguments: Arguments, rng: np.random.Generator) -> None:
    """Log-probabilities that moved a little, so that some ratios are clipped and some are not."""
    moved = rng.normal(0, 0.3, size=arguments["lp"].shape)
    arguments["old"] = arguments["lp"] + moved


def surrogate(ratio: float, advantage: float, low: float, high: float) -> float:
    """The clipped surrogate by cases: only moves beyond the bound that help are cut off."""
    if advantage > 0:
        return min(ratio, high) * advantage
    return max(ratio, low) * advantage


def _clipped(lp, old, A, m, eps_low, eps_high):
    def one(new: float, before: float, advantage: float, kept: float) -> float:
        if kept == 0:
            return 0.0
        ratio = math.exp(new) / math.exp(before)
        return -surrogate(ratio, advantage, 1 - eps_low, 1 + eps_high)

    return each(one, lp, old, A, m)


@TABLE.add(
    mean=lambda m, **others: _clipped(m=m, **others).sum() / m.sum(),
    change=close_policies,
)
def ppo_clip(lp, old, A, m, eps_low, eps_high):
    return _clipped(lp, old, A, m, eps_low, eps_high)


def _values(v, old, R, m, eps):
    def one(new: float, before: float, target: float, kept: float) -> float:
        if kept == 0:
            return 0.0
        moved = min(max(new - before, -eps), eps)
        return max((new - target) ** 2, (before + moved - target) ** 2) / 2

    return each(one, v, old, R, m)


@TABLE.add(mean=lambda m, **others: _values(m=m, **others).sum() / m.sum())
def ppo_value_clip(v, old, R, m, eps):
    return _values(v, old, R, m, eps)


def token_mean(terms: list[float]) -> float:
    return sum(terms) / len(terms) if terms else 0.0


@TABLE.add(change=in_turn(close_policies, empty_row))
def grpo(lp, old, ref, A, m, eps_low, eps_high, beta):
    result = []
    for b, advantage in enumerate(A):
        terms = []
        for k in np.flatnonzero(m[b]):
            gain = surrogate(
                math.exp(lp[b, k] - old[b, k]), advantage, 1 - eps_low, 1 + eps_high
            )
            # The estimator that is unbiased and never negative.
            ratio = math.exp(ref[b, k]) / math.exp(lp[b, k])
            terms.append(-gain + beta * (ratio - math.log(ratio) - 1))
        result.append(token_mean(terms))
    return np.array(result)


@TABLE.add(change=close_policies)
def dr_grpo(lp, old, A, m, eps, max_len):
    each_token = _clipped(lp, old, A[:, None], m, eps, eps)
    return np.array([sum(row) / max_len for row in each_token])


def _truncated(lp, old, A, m, eps_high):
    def one(new: float, before: float, advantage: float, kept: float) -> float:
        ratio = math.exp(new - before)
        return -kept * (eps_high if ratio > eps_high else ratio) * advantage * new

    return each(one, lp, old, A[:, None], m)


@TABLE.add(mean=lambda m, **others: _truncated(m=m, **others).sum() / m.sum())
def cispo(lp, old, A, m, eps_high):
    return _truncated(lp, old, A, m, eps_high)


@TABLE.add(
    change=in_turn(close_policies, empty_row),
    settings=({"eps_low": 0.05}, {"eps_high": 0.05}),
)
def gspo(lp, old, A, m, eps_low, eps_high):
    result = []
    for b, advantage in enumerate(A):
        ratios = [math.exp(lp[b, k] - old[b, k]) for k in np.flatnonzero(m[b])]
        mean = math.prod(ratios) ** (1 / len(ratios)) if ratios else 1.0
        result.append(-surrogate(mean, advantage, 1 - eps_low, 1 + eps_high))
    return np.array(result)


@TABLE.add(change=in_turn(close_policies, empty_row))
def sapo(lp, old, A, m, tp, tn):
    result = []
    for b, advantage in enumerate(A):
        tau = tp if advantage > 0 else tn
        terms = []
        for k in np.flatnonzero(m[b]):
            ratio = math.exp(lp[b, k] - old[b, k])
            terms.append(-4 / tau * float(expit(tau * (ratio - 1))) * advantage)
        result.append(token_mean(terms))
    return np.array(result)


# ---------------------------------------------------------------- survival, evidence


@TABLE.add()
def cox_cc(g, u):
    def one(row: Array) -> float:
        case, controls = math.exp(row[0]), np.exp(row[1:]).sum()
        return -math.log(case / (case + controls))

    return rows(one, np.concatenate([g[..., None], u], axis=-1))


@TABLE.add()
def pc_hazard(x, t, e, f):
    result = []
    for row, interval, event, fraction in zip(x, t, e, f, strict=True):
        hazard = [math.log(1 + math.exp(v)) for v in row]
        cumulative = sum(hazard[:interval]) + fraction * hazard[interval]
        survival = math.exp(-cumulative)
        likelihood = survival * hazard[interval] if event == 1 else survival
        result.append(-math.log(likelihood))
    return np.array(result)


@TABLE.add()
def aft_weibull(x, s, T, e):
    model = stats.weibull_min(c=1 / s, scale=np.exp(x))
    return -np.where(e == 1, model.logpdf(T), model.logsf(T))


@TABLE.add()
def evidential_regression(g, v, a, b, y, lam):
    # Integrating the normal-inverse-gamma prior out leaves Student's t distribution.
    scale = np.sqrt(b * (1 + v) / (v * a))
    likelihood = -stats.t.logpdf(y, df=2 * a, loc=g, scale=scale)
    return likelihood + lam * np.abs(y - g) * (2 * v + a)
