"""The formulas that tools for rounding errors are compared on, as losses.

Most are from Hamming's Numerical Methods for Scientists and Engineers (1973), chapter 3, and the
collections that grew from it. None is in the library; what the compiler makes of them it has to
find. Each is judged; `LIMITS` holds what may be lost.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from losscodegen import pipeline

FOLDER = Path(__file__).parent / "data" / "rounding"
FORMULAS = sorted(FOLDER.glob("*.toml"))

GOOD_ULPS = 64.0
"""The most that is lost by a formula that is right everywhere, where it is well-conditioned."""

WRONG = {
    "cbrt_step": "the backward of the cube root is nan at 0, where the slope is infinite",
    "exp_ratio": "a product of two small numbers underflows in the denominator",
    "sqrt_sum_prod": "the square under the root overflows although the root does not",
}
"""What the judge finds wrong somewhere, and why."""

LOSING = {
    "acosh_from_log": "the backward of acosh squares its argument, which overflows",
    "atan_step": "in float32 the square of the argument overflows in the derivative",
    "compound": "the power is far more sensitive to its base than to the inputs",
    "cube_root_sum": "at the smallest numbers an intermediate has no digits to lose",
    "inverse_step": "the derivative underflows in float32 before it is 0",
    "ln_step": "the derivative, log(1 + 1/x), is a difference of two logarithms for autograd",
    "power_mean": "the derivative by q cancels near q = 0",
    "power_step": "far from 0 the power of the ratio is left to pow",
    "quadratic_minus": "in float32 squares of the coefficients leave the range",
    "softsign_gap": "for negative x autograd adds two slopes that cancel",
}
"""What passes, but loses more than `GOOD_ULPS` somewhere, and why."""


def test_the_lists_name_formulas() -> None:
    stems = {path.stem for path in FORMULAS}
    assert set(WRONG) | set(LOSING) <= stems
    assert not set(WRONG) & set(LOSING)
    assert len(stems) == 50


@pytest.mark.slow
@pytest.mark.parametrize("path", FORMULAS, ids=lambda path: path.stem)
def test_right(path: Path, request: pytest.FixtureRequest) -> None:
    reason = WRONG.get(path.stem) or LOSING.get(path.stem)
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    text = pipeline.generate(path).text
    (certificate,) = pipeline.check(path, text, points=40)
    assert certificate.passed
    assert max(check.ours.scaled for check in certificate.checks) <= GOOD_ULPS
