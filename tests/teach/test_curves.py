"""What plots show, beside loops over mpmath and over formulas written out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import mpmath
import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.point import Array
from losscodegen.language.parse import load_losses, losses_from_text
from losscodegen.pipeline import generate, generate_text
from losscodegen.resources import specs_directory
from losscodegen.teach.curves import GRADIENT, SECOND, VALUE, curves, errors, forms
from losscodegen.teach.scales import Scale, clear_range, nice, written
from losscodegen.teach.slices import (
    Spread,
    everywhere,
    ordinary,
    slices,
    spread,
    starting_point,
)

SOFTPLUS = """
[Softplus]
inputs.x = "real[...]"
loss = "log(1 + exp(x))"
example = { x = [0.0], result = [0.6931471805599453] }
"""


def library(name: str) -> tuple[Loss, str]:
    path: Path = specs_directory() / f"{name}.toml"
    (loss,) = load_losses(path)
    return loss, generate(path).text


def test_curves_are_the_function_and_its_derivatives() -> None:
    loss, source = library("huber")
    point = starting_point(loss)
    assert point is not None
    one = next(slices(loss, point))
    drawn = curves(loss, one, forms(loss, source).generated, count=41)
    (value,), (slope,), (bend,) = drawn[VALUE], drawn[GRADIENT], drawn[SECOND]
    for x, got, first, second in zip(value.x, value.y, slope.y, bend.y, strict=True):
        inside = abs(x) <= 1
        assert got == pytest.approx(x * x / 2 if inside else abs(x) - 0.5)
        assert first == pytest.approx(x if inside else math.copysign(1, x))
        assert second == pytest.approx(1.0 if inside else 0.0)


def test_a_loss_over_axes_is_drawn_along_one_entry() -> None:
    text = '[Squares]\ninputs.x = "real[B, C]"\nloss = "Sum(x**3, c)"\n'
    text += "example = { x = [[1.0, 2.0], [3.0, 4.0]], result = [9.0, 91.0] }\n"
    (loss,) = losses_from_text(text, "squares.toml")
    point = starting_point(loss)
    assert point is not None
    one = next(slices(loss, point))
    assert one.name == "x[0, 0]"
    compared = forms(loss, generate_text(text, file="squares.toml").text)
    drawn = curves(loss, one, compared.generated, count=13)
    for order, want in (
        (VALUE, lambda x: x**3 + 8 + 27 + 64),
        (GRADIENT, lambda x: 3 * x * x),
        (SECOND, lambda x: 6 * x),
    ):
        (curve,) = drawn[order]
        assert curve.y == pytest.approx([want(x) for x in curve.x])


def test_bits_are_counted_against_exact_numbers() -> None:
    import torch

    (loss,) = losses_from_text(SOFTPLUS, "softplus.toml")
    source = generate_text(SOFTPLUS, file="softplus.toml").text
    point = starting_point(loss)
    assert point is not None
    one = next(slices(loss, point))
    value, gradient = errors(loss, one, forms(loss, source), dense=2)
    typed, generated = dict(value.forms)["as typed"], dict(value.forms)["generated"]
    assert value.total == 24
    assert max(generated) < 1
    for x, bits in zip(value.x, typed, strict=True):
        with mpmath.workprec(200):
            want = mpmath.log1p(mpmath.exp(mpmath.mpf(x)))
            rounded = torch.tensor(float(want), dtype=torch.float32)
            got = torch.log(1 + torch.exp(torch.tensor(x, dtype=torch.float32)))
            if not 1e-37 < want < 1e37:
                continue
            if not math.isfinite(got.item()):
                assert bits == 24
                continue
            unit = mpmath.mpf(2) ** (math.frexp(rounded.item())[1] - 24)
            ulp = abs(mpmath.mpf(got.item()) - want) / unit
        assert bits == pytest.approx(min(24, math.log2(max(1.0, float(ulp)))), abs=1e-6)
    assert max(b for b in dict(gradient.forms)["as typed"] if b == b) == 24
    assert max(b for b in dict(gradient.forms)["generated"] if b == b) < 2


def test_torchs_own_class_stands_beside_one_of_its_name() -> None:
    loss, source = library("bce_with_logits")
    assert [name for name, _ in forms(loss, source).named()] == [
        "as typed",
        "torch.nn",
        "generated",
    ]


def test_a_namesake_with_other_values_is_not_taken_for_torchs_own() -> None:
    text = '[L1Loss]\ninputs.x = "real[...]"\ninputs.y = "real[...]"\nloss = "2*abs(x - y)"\n'
    (loss,) = losses_from_text(text, "l1.toml")
    assert forms(loss, generate_text(text, file="l1.toml").text).torch is None


def test_a_label_gives_a_curve_for_each_value() -> None:
    text = '[Logistic]\ninputs.x = "real[...]"\ninputs.y = "sign[...]"\n'
    text += 'loss = "log(1 + exp(-y*x))"\n'
    (loss,) = losses_from_text(text, "logistic.toml")
    point = starting_point(loss)
    assert point is not None
    (one,) = slices(loss, point)
    assert one.labels == ("y = -1", "y = 1")
    assert [p.values["y"] for p in one.points] == [
        Array((1,), (-1.0,)),
        Array((1,), (1.0,)),
    ]


@pytest.mark.parametrize(
    ("declared", "layout"),
    [
        ("real[...]", Spread.SYMMETRIC),
        ("positive[...]", Spread.POSITIVE),
        ("nonnegative[...]", Spread.POSITIVE),
        ("negative[...]", Spread.NEGATIVE),
        ("unit[...]", Spread.UNIT),
        ("real[...] in [-1, 3]", Spread.LINEAR),
    ],
)
def test_numbers_stay_in_the_domain_and_in_order(declared: str, layout: Spread) -> None:
    text = f'[Some]\ninputs.x = "{declared}"\nloss = "x**2"\n'
    (loss,) = losses_from_text(text, "some.toml")
    (variable,) = loss.inputs
    assert spread(variable) is layout
    wide, usual = everywhere(variable), ordinary(variable)
    for numbers in (wide, usual):
        assert len(set(numbers)) == len(numbers) > 40
        assert list(numbers) == sorted(numbers)
    places = [Scale(wide[0], wide[-1], layout).place(x) for x in wide]
    assert places == sorted(places)
    assert places[0] == pytest.approx(0)
    assert places[-1] == pytest.approx(1)


def test_ticks_are_round_and_written_short() -> None:
    assert nice(0, 1) == pytest.approx((0, 0.2, 0.4, 0.6, 0.8, 1))
    assert nice(-6, 6) == pytest.approx((-5, 0, 5))
    assert written(-0.5) == "\u22120.5"
    assert written(1e-7) == "10⁻⁷"
    assert written(2.5e8) == "2.5·10⁸"
    assert clear_range([[1.0, math.nan]]) == (0.0, 2.0)
    low, high = clear_range([[k / 100 for k in range(100)] + [1e30]])
    assert high < 2
    assert low <= 0
