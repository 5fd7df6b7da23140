"""No guard without a failing test: each module, with one guard undone, fails where it did not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.undone import Case

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))
DAILY = {
    "huber",
    "softmax_cross_entropy",
    "p_norm_distance",
    "weighted_log_loss",
    "log_cosh",
}
"""Modules whose guards are undone in every run; the others are marked slow."""

SHOWN_ELSEWHERE = {
    # Logits of -inf and targets that are no index: compiler/test_lowering_guards.py.
    "finite-mask",
    "ignored-target",
    # Infinite residuals: their witnesses in compiler/test_rules.py.
    "huber-as-clip",
    "smooth-l1-as-clip",
}
"""Guards for inputs that no domain of the language holds, so that no check visits them."""

UNSHOWN = {
    # A ratio of a sum to a larger one: that it is at most 1 is not known to the compiler.
    ("log_cosh_dice", "dead-branch"),
    # Correlations of standardised numbers: nor is that they are.
    ("barlow_twins", "dead-branch"),
    ("barlow_twins", "coefficient-of-squares"),
    # The log of a positive number and a quotient that the other addend has as well.
    ("aft_weibull", "dead-branch"),
    # The smaller of two numbers over the larger: that it is at most 1 is not known either.
    ("beta_distribution_nll", "dead-branch"),
    # Where the branch is dropped, its ratio is between 3/4 and 5/4, which does not follow from
    # ranges of its terms.
    ("gaussian_kl", "dead-branch"),
    # Near the extremum of the slope it is some twenty roundings without, five with it.
    ("discopop", "blend-of-losses"),
    ("gaussian_mixture_nll", "log-softmax-tail"),
    # Some seven hundred roundings without, thirty-four with it: fewer than what fails.
    ("soft_triple", "mean-from-the-lead"),
    # The tail of log_softmax, which takes its place, has the same digits.
    ("cross_entropy", "cross-entropy-as-margin"),
    # Where the squares of the series overflow, its terms are 0 beside the others either way.
    ("evidential_cross_entropy", "divided-twice"),
    # Needed only where alpha is negative and gamma 0 at once, which settings rarely combine.
    ("sigmoid_focal", "cross-entropy-split"),
    # Needed only for an epsilon below about 1e-22, or ten thousand million positions.
    ("mcc", "root-of-product"),
}
"""Guards that no point shows, with the reason; the aim is to have none."""

POINTS = (60, 300)
"""More points are drawn where few do not show a fault."""


def needless(case: Case) -> list[str]:
    """The guards of a module that nobody misses."""
    return [
        rule
        for rule in case.guards()
        if rule not in SHOWN_ELSEWHERE
        and (case.spec.stem, rule) not in UNSHOWN
        and not any(case.shown(rule, points) for points in POINTS)
        and not case.shown_far_out(rule, POINTS[-1])
    ]


@pytest.mark.parametrize(
    "spec",
    [pytest.param(s, marks=() if s.stem in DAILY else pytest.mark.slow) for s in SPECS],
    ids=lambda s: s.stem,
)
def test_every_guard_is_missed_when_undone(spec: Path) -> None:
    assert needless(Case(spec)) == []
