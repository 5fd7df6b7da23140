"""References of the likelihoods: the densities of SciPy, and scores integrated numerically."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit, gammaln
from sklearn.metrics import mean_gamma_deviance

from tests.references.table import Array, Table, each

TABLE = Table()

HALF_LOG_TWO_PI = math.log(2 * math.pi) / 2


@TABLE.add()
def gaussian_nll(x, y, var, full):
    loss = -stats.norm.logpdf(y, loc=x, scale=np.sqrt(var))
    return loss if full else loss - HALF_LOG_TWO_PI


@TABLE.add()
def gaussian_nll_log_variance(x, y, s, full):
    loss = -stats.norm.logpdf(y, loc=x, scale=np.exp(s / 2))
    return loss if full else loss - HALF_LOG_TWO_PI


@TABLE.add()
def beta_nll(x, y, var, beta):
    loss = -stats.norm.logpdf(y, loc=x, scale=np.sqrt(var)) - HALF_LOG_TWO_PI
    return loss * var**beta


@TABLE.add()
def laplace_nll(x, y, s):
    return -stats.laplace.logpdf(y, loc=x, scale=s)


@TABLE.add()
def student_nll(x, y, s, nu):
    return -stats.t.logpdf(y, df=nu, loc=x, scale=s)


@TABLE.add()
def logistic_nll(x, y, s):
    return -stats.logistic.logpdf(y, loc=x, scale=s)


@TABLE.add()
def poisson_nll(x, y, full):
    loss = -stats.poisson.logpmf(y, np.exp(x))
    return loss if full else loss - gammaln(y + 1)


@TABLE.add()
def poisson_rate_nll(x, y, full):
    loss = -stats.poisson.logpmf(y, x)
    return loss if full else loss - gammaln(y + 1)


@TABLE.add()
def negative_binomial_nll(mu, alpha, y):
    variance = mu + alpha * mu**2
    return -stats.nbinom.logpmf(y, n=mu**2 / (variance - mu), p=mu / variance)


@TABLE.add()
def negative_binomial_logits_nll(n, x, y):
    # SciPy counts the failures before the n-th success, torch the successes before the failure.
    return -stats.nbinom.logpmf(y, n=n, p=expit(-x))


def inflated(probability: Array, extra: Array, y: Array) -> Array:
    """Minus the log-probability of a count that is 0 anyway with probability ``extra``."""
    return -np.log((1 - extra) * probability + np.where(y == 0, extra, 0))


@TABLE.add()
def zero_inflated_poisson_nll(x, a, y):
    return inflated(stats.poisson.pmf(y, np.exp(x)), expit(a), y)


@TABLE.add()
def zero_inflated_negative_binomial_nll(mu, theta, a, y):
    probability = stats.nbinom.pmf(y, n=theta, p=theta / (theta + mu))
    return inflated(probability, expit(a), y)


@TABLE.add()
def half_gamma(x, y):
    def one(a: float, b: float) -> float:
        deviance = mean_gamma_deviance([b], [math.exp(a)])
        return deviance / 2 + math.log(b) + 1

    return each(one, x, y)


@TABLE.add()
def gamma_nll(a, r, y):
    return -stats.gamma.logpdf(y, a, scale=1 / r)


@TABLE.add()
def beta_distribution_nll(a, b, y):
    return -stats.beta.logpdf(y, a, b)


@TABLE.add()
def exponential_nll(x, y):
    return -stats.expon.logpdf(y, scale=np.exp(-x))


@TABLE.add()
def generalized_pareto_nll(xi, s, y):
    return -stats.genpareto.logpdf(y, c=xi, scale=s)


@TABLE.add()
def gaussian_mixture_nll(mu, s, w, y):
    share = np.exp(w) / np.exp(w).sum(-1, keepdims=True)
    return -np.log((share * stats.norm.pdf(y[..., None], loc=mu, scale=s)).sum(-1))


@TABLE.add(tolerance=1e-8)
def crps_gaussian(x, s, y):
    def one(mean: float, scale: float, seen: float) -> float:
        # The squared gap between the predicted distribution function and the step of the target.
        forecast = stats.norm(mean, scale)
        low, high = min(mean, seen) - 12 * scale, max(mean, seen) + 12 * scale
        below, _ = quad(lambda t: forecast.cdf(t) ** 2, low, seen, epsabs=1e-12)
        above, _ = quad(lambda t: forecast.sf(t) ** 2, seen, high, epsabs=1e-12)
        return below + above

    return each(one, x, s, y)
