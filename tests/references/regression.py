"""References of the losses for real targets, robust ones, physics, signals and point sets."""

from __future__ import annotations

import math

import numpy as np
import torch.nn.functional as F
from scipy.integrate import quad
from scipy.spatial import KDTree, distance
from scipy.special import huber as scipy_huber
from scipy.special import pseudo_huber as scipy_pseudo_huber
from scipy.stats import cauchy as cauchy_distribution
from scipy.stats import norm, pearsonr
from sklearn.metrics import r2_score

from tests.references.table import Arguments, Array, Table, each, rows, tensors

TABLE = Table()


def integral(slope, end: float) -> float:
    """Of an influence function from 0 to ``end``: the loss that has it as derivative."""
    return quad(slope, 0.0, end, epsabs=1e-14, epsrel=1e-13)[0]


@TABLE.add()
def mse(x, y):
    return F.mse_loss(*tensors(x, y), reduction="none")


@TABLE.add()
def l1(x, y):
    return F.l1_loss(*tensors(x, y), reduction="none")


@TABLE.add(settings=({"beta": 0.0},))
def smooth_l1(x, y, beta):
    return F.smooth_l1_loss(*tensors(x, y), reduction="none", beta=beta)


@TABLE.add()
def huber(x, y, delta):
    return scipy_huber(delta, x - y)


@TABLE.add()
def pseudo_huber(x, y, delta):
    return scipy_pseudo_huber(delta, x - y)


@TABLE.add()
def log_cosh(x, y):
    # The mean of exp(r) and exp(-r), as a logarithm.
    return np.logaddexp(x - y, y - x) - math.log(2)


@TABLE.add()
def msle(x, y):
    return each(lambda a, b: math.log((1 + a) / (1 + b)) ** 2, x, y)


@TABLE.add()
def mape(x, y, eps):
    def one(a: float, b: float) -> float:
        size = abs(b) if abs(b) > eps else eps
        return abs((a - b) / size)

    return each(one, x, y)


@TABLE.add()
def epsilon_insensitive(x, y, eps):
    def one(a: float, b: float) -> float:
        if b - eps <= a <= b + eps:
            return 0.0
        return a - (b + eps) if a > b else (b - eps) - a

    return each(one, x, y)


@TABLE.add()
def quantile(x, y, q):
    return each(lambda a, b: q * (b - a) if b > a else (1 - q) * (a - b), x, y)


@TABLE.add()
def multi_quantile(x, y, tau):
    result = np.zeros(y.shape)
    for place in np.ndindex(y.shape):
        for level, predicted in zip(tau, x[place], strict=True):
            under = y[place] - predicted
            result[place] += (
                level * under if under > 0 else (level - 1) * under
            ) / len(tau)
    return result


@TABLE.add()
def expectile(x, y, tau):
    return each(lambda a, b: abs(tau - (1 if b < a else 0)) * (b - a) ** 2, x, y)


@TABLE.add()
def lp_power(x, y, p):
    return each(lambda a, b: math.exp(p * math.log(abs(a - b))), x, y)


@TABLE.add()
def scale_invariant_log(x, y, lam):
    def one(a: Array, b: Array) -> float:
        # The form with all pairs of pixels: how far two pixels are from being right together.
        gap = np.log(a / b)
        n = len(gap)
        pairs = sum(gap[i] * gap[j] for i in range(n) for j in range(n))
        return float((gap * gap).sum() / n - lam * pairs / n**2)

    return rows(one, x, y)


@TABLE.add()
def r2(x, y):
    return rows(lambda a, b: 1 - r2_score(b, a), x, y)


def varied(arguments: Arguments, rng: np.random.Generator) -> None:
    """What is drawn varies along every series."""
    assert all(np.all(arguments[name].std(axis=-1) > 0) for name in "xy")


@TABLE.add(change=varied)
def pearson(x, y):
    return rows(lambda a, b: 1 - pearsonr(a, b).statistic, x, y)


@TABLE.add()
def concordance(x, y):
    def one(a: Array, b: Array) -> float:
        rho = np.corrcoef(a, b)[0, 1]
        gap = a.mean() - b.mean()
        return float(1 - 2 * rho * a.std() * b.std() / (a.var() + b.var() + gap**2))

    return rows(one, x, y)


@TABLE.add()
def cosine_distance(x, y, eps):
    return rows(distance.cosine, x, y)


@TABLE.add()
def p_norm_distance(x, y, p):
    return rows(lambda a, b: distance.minkowski(a, b, p), x, y)


# ---------------------------------------------------------------- robust


@TABLE.add()
def charbonnier(x, y, eps):
    return each(lambda a, b: math.hypot(a - b, eps), x, y)


@TABLE.add()
def cauchy(x, y, c):
    # What the density of a Cauchy distribution of scale sqrt(2)*c loses from its peak.
    density = cauchy_distribution(scale=math.sqrt(2) * c)
    return density.logpdf(0) - density.logpdf(x - y)


@TABLE.add()
def geman_mcclure(x, y, c):
    # The influence function that Geman and McClure start from, on Barron's scale.
    def slope(r: float) -> float:
        return r / c**2 / (1 + (r / c) ** 2 / 4) ** 2

    return each(lambda a, b: integral(slope, abs(a - b)), x, y)


@TABLE.add()
def welsch(x, y, c):
    return 1 - norm.pdf((x - y) / c) / norm.pdf(0)


@TABLE.add()
def tukey_biweight(x, y, c):
    def slope(r: float) -> float:
        return r * (1 - (r / c) ** 2) ** 2

    return each(lambda a, b: integral(slope, min(abs(a - b), c)), x, y)


@TABLE.add()
def fair(x, y, c):
    return each(
        lambda a, b: integral(lambda r: r / (1 + r / c), abs(a - b)),
        x,
        y,
    )


@TABLE.add(settings=({"alpha": 2.0}, {"alpha": 0.0}, {"alpha": -2.0}))
def barron_general(x, y, alpha, c):
    def slope(r: float) -> float:
        if alpha == 2:
            return r / c**2
        return r / c**2 * ((r / c) ** 2 / abs(alpha - 2) + 1) ** (alpha / 2 - 1)

    return each(lambda a, b: integral(slope, abs(a - b)), x, y)


# ---------------------------------------------------------------- physics, signals, sets


@TABLE.add()
def relative_l2(x, y):
    return rows(lambda a, b: np.linalg.norm(a - b) / np.linalg.norm(b), x, y)


@TABLE.add()
def eikonal(g):
    return rows(lambda v: (math.hypot(*v) - 1) ** 2, g)


@TABLE.add()
def divergence_free(J):
    return np.trace(J, axis1=-2, axis2=-1) ** 2


@TABLE.add()
def si_sdr(x, y, eps):
    def one(a: Array, b: Array) -> float:
        scaled = a.dot(b) / (b.dot(b) + eps) * b
        noise = a - scaled
        signal_level = 10 * math.log10(scaled.dot(scaled) + eps)
        noise_level = 10 * math.log10(noise.dot(noise) + eps)
        return noise_level - signal_level

    return rows(one, x, y)


@TABLE.add()
def psnr(x, y, max_val):
    def one(a: Array, b: Array) -> float:
        return 10 * math.log10(np.square(a - b).mean()) - 20 * math.log10(max_val)

    return rows(one, x, y)


@TABLE.add()
def ssim_global(x, y, c1, c2):
    def one(a: Array, b: Array) -> float:
        (va, cov), (_, vb) = np.cov(a, b, bias=True)
        ma, mb = a.mean(), b.mean()
        luminance = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        structure = (2 * cov + c2) / (va + vb + c2)
        return float((1 - luminance * structure) / 2)

    return rows(one, x, y)


@TABLE.add()
def chamfer(x, y):
    forth, _ = KDTree(y).query(x)
    back, _ = KDTree(x).query(y)
    return (forth**2).mean() + (back**2).mean()
