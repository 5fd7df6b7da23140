"""Half precision: every pointwise loss of the library at all 65,536 numbers of both formats.

The reference is float64, rounded; it is judged by itself. What runs in float32 inside and is
rounded once is within an ulp.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.sweep import Count, every, narrowed, slices, sweep
from losscodegen.language.parse import load_losses

ROOT = Path(__file__).parents[1]
ULPS = 1.0

FLOAT16 = {
    "reduced_focal": "the gradient at the two numbers next to 0, where it crosses 0",
}
"""The losses that are off by more at some float16, and where."""

BFLOAT16 = {
    **FLOAT16,
    "aft_weibull": "an upper end of an interval that underflows in float32",
    "beta_distribution_nll": "the value at two of its roots, where the density is exactly 1",
    "beta_nll": "a variance whose square underflows in float32",
    "evidential_regression": "gradients that cross 0 for a huge precision",
    "exo_pair": "the value at up to two numbers near its root",
    "generalized_pareto_nll": "the gradient by a tiny shape, the value where it crosses 0",
    "half_gamma": "the gradient where it crosses 0",
    "negative_binomial_logits_nll": "32 subnormal numbers of failures",
    "zero_inflated_negative_binomial_nll": "the gradient by the mean where it crosses 0",
}
"""The losses that are off by more at some bfloat16, which has the range of float32, and where."""


@cache
def library() -> dict[str, Loss]:
    found = {}
    for path in sorted((ROOT / "specs").rglob("*.toml")):
        if path.parent.name != "torch_nn":
            found.update({o.module: o for o in load_losses(path) if any(slices(o))})
    return found


def swept(loss: Loss, dtype: Dtype) -> Count:
    source = (ROOT / "generated" / f"{loss.module}.py").read_text(encoding="utf-8")
    accused = Accused.load(loss, source)
    total = Count()
    for one in slices(loss):
        value, slope = sweep(accused, narrowed(one, dtype), every(dtype), dtype, ULPS)
        total += value + slope
    return total


@pytest.mark.parametrize("module", sorted(library()))
@pytest.mark.parametrize(
    "dtype", [Dtype.FLOAT16, Dtype.BFLOAT16], ids=lambda d: d.value
)
def test_every_number(module: str, dtype: Dtype) -> None:
    found = swept(library()[module], dtype)
    assert found.judged > 10_000
    known = FLOAT16 if dtype is Dtype.FLOAT16 else BFLOAT16
    right = not (found.beyond or found.broken)
    assert right is (module not in known), found


def test_the_formats_are_swept_whole() -> None:
    assert len(every(Dtype.FLOAT16)) == 2**16 - 2**11
    assert len(every(Dtype.BFLOAT16)) == 2**16 - 2**8
    assert len(library()) > 70


def test_a_wrong_module_is_seen() -> None:
    loss = library()["cauchy"]
    text = (ROOT / "generated" / "cauchy.py").read_text(encoding="utf-8")
    naive = text.replace("torch.promote_types(dtype, torch.float32)", "dtype")
    assert naive != text
    accused = Accused.load(loss, naive)
    one = narrowed(next(slices(loss)), Dtype.BFLOAT16)
    value, slope = sweep(accused, one, every(Dtype.BFLOAT16), Dtype.BFLOAT16, ULPS)
    assert value.beyond + slope.beyond > 0
