"""The mixed criterion: it forgives what the inputs do not decide, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from losscodegen.ir.loss import Loss
from losscodegen.ir.ops import OPS
from losscodegen.judge.case import Case
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Limits, Measure
from losscodegen.judge.mixed import (
    ELEMENTARY,
    OVER_AXES,
    PROBED_AT_MOST,
    SPECIAL,
    Errors,
    mixed_error,
    target,
)
from losscodegen.judge.oracle_second import Sensitivities
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Kind, Point, Real
from losscodegen.judge.rounding import Dtype, neighbour
from losscodegen.judge.tensors import Result
from losscodegen.language.parse import losses_from_text

F32, F64 = Dtype.FLOAT32, Dtype.FLOAT64

ONE = 'inputs.x = { type = "real[...]", doc = "a" }\n'
TWO = ONE + 'inputs.y = { type = "real[...]", doc = "b" }\n'


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def real(value: float) -> Real:
    numerator, denominator = value.as_integer_ratio()
    return Real(Kind.FINITE, numerator, 1 - denominator.bit_length())


def case_of(loss: Loss, dtype: Dtype, got: float, **entries: float) -> Case:
    """The first entry of the value at a point, where a module gives ``got``."""
    point = Point(values={n: Array((1,), (e,)) for n, e in entries.items()})
    truth = Oracles()(loss, point, dtype)
    assert truth is not None
    result = Result(shape=(1,), value=(got,), dtype=dtype.value)
    found = next(compare(point, truth, result, result, dtype, Limits()))
    assert isinstance(found[2], Measure)
    return found[1]


def error_of(loss: Loss, dtype: Dtype, got: float, **entries: float) -> float:
    case = case_of(loss, dtype, got, **entries)
    return mixed_error(case.want, case.ulp, condition(loss, case), dtype)


def condition(loss: Loss, case: Case) -> float:
    oracle = Oracles().at(loss, case.point)
    return Sensitivities()(
        oracle, case.point, case.variable, case.entry, case.truth.bits
    )


def float32(x: torch.Tensor) -> float:
    return float(x)


# -------------------------------------------------------------------------------- the criterion


@pytest.mark.parametrize("want", [1.0, 1.5, 1.999, -3.25, 1e-30])
@pytest.mark.parametrize("dtype", [F32, F64])
def test_well_conditioned_errors_are_ulp_or_nearly(want: float, dtype: Dtype) -> None:
    found = mixed_error(real(want), 10.0, -math.inf, dtype)
    assert 5.0 < found <= 10.0


def test_it_is_never_more_than_the_ulp() -> None:
    assert mixed_error(real(1.0), 3.0, -2000.0, F64) == 3.0
    assert mixed_error(real(1e-40), 1.0, -math.inf, F32) == 1.0
    assert mixed_error(Real(Kind.FINITE, 1, 200), 7.0, 300.0, F32) == 7.0
    assert mixed_error(real(1.0), math.inf, 300.0, F32) == math.inf
    assert mixed_error(real(1.0), 5.0, math.inf, F32) == pytest.approx(0.0)


def test_a_sum_is_measured_beside_its_largest_terms() -> None:
    loss = loss_of('inputs.x = { type = "real[N]", doc = "a" }\nloss = "Sum(x, n)"')
    point = Point(values={"x": Array((3,), (1e8, -1e8, 1.0))})
    oracle = Oracles().at(loss, point)
    sum_ = Sensitivities()(oracle, point, None, 0, 128)
    # Off by one rounding of 1e8 in float32, which is 8: half of eps*sum(|x|).
    ulp = 8.0 / F32.epsilon
    assert mixed_error(real(1.0), ulp, sum_, F32) == pytest.approx(
        8.0 / (F32.epsilon * 2e8), rel=1e-6
    )


def test_an_entry_counts_as_a_whole_beside_the_largest() -> None:
    loss = loss_of(ONE + 'loss = "x**2"')
    point = Point(values={"x": Array((2,), (0.5, 0.5e-6))})
    truth = Oracles()(loss, point, F32)
    assert truth is not None
    right = (1.0, float(torch.tensor(0.5e-6) * 2))
    off = (right[0], right[1] + F32.epsilon / 2)
    result = Result(
        shape=(2,),
        value=(0.25, 0.25e-12),
        dtype=F32.value,
        gradient={"x": off},
    )
    found = compare(point, truth, result, result, F32, Limits())
    small = next(c for _, c, *_ in found if c.order == "gradient" and c.entry == 1)
    errors = Errors(F32, target=8.0)
    errors.add(small, naive=False)
    errors.settle(lambda case: -math.inf, lambda case: case.mixed)
    # Half an eps beside the entry of 1; a million times that beside itself.
    assert errors.worst > 1e5
    assert errors.whole == pytest.approx(0.5, rel=1e-3)
    off = (right[0], math.nan)
    result = replace(result, gradient={"x": off})
    found = compare(point, truth, result, result, F32, Limits())
    lost = next(c for _, c, *_ in found if c.order == "gradient" and c.entry == 1)
    errors.add(lost, naive=False)
    errors.settle(lambda case: -math.inf, lambda case: case.mixed)
    assert errors.whole == math.inf


def test_an_irrational_root_is_forgiven() -> None:
    # The inverse softplus is 0 at log(2), which no format has.
    loss = loss_of(
        'inputs.x = { type = "positive[...]", doc = "a" }\nloss = "log(exp(x) - 1)"'
    )
    x = float(torch.tensor(math.log(2.0), dtype=torch.float32))
    there = torch.tensor(x, dtype=torch.float32)
    good = float32(there + torch.log(-torch.expm1(-there)))
    case = case_of(loss, F32, good, x=x)
    assert case.ulp > 100
    assert error_of(loss, F32, good, x=x) < 2
    # Ten roundings of the input off is not.
    assert error_of(loss, F32, good + 10 * F32.epsilon, x=x) > 5


def test_cancellation_at_a_minimum_is_not_forgiven() -> None:
    # log(cosh(x)) is x**2/2 there: the inputs decide every digit of it.
    loss = loss_of(ONE + 'loss = "log(cosh(x))"')
    x = float(torch.tensor(3e-4))
    there = torch.tensor(x, dtype=torch.float32)
    naive = float32(torch.log(torch.cosh(there)))
    case = case_of(loss, F32, naive, x=x)
    assert case.ulp > 1e5
    assert error_of(loss, F32, naive, x=x) > case.ulp / 8
    half = there / 2
    good = float32(torch.log1p(2 * torch.sinh(half) ** 2))
    assert error_of(loss, F32, good, x=x) < 3


def test_a_difference_of_inputs_is_forgiven_by_their_size() -> None:
    loss = loss_of(TWO + 'loss = "exp(x) - exp(y)"')
    x, y = 1.0, float(torch.tensor(1.0) + F32.epsilon)
    got = float32(torch.exp(torch.tensor(x)) - torch.exp(torch.tensor(y)))
    assert case_of(loss, F32, got, x=x, y=y).ulp >= 0
    assert error_of(loss, F32, got, x=x, y=y) <= 1


def test_what_is_below_the_smallest_normal_number_is_right() -> None:
    loss = loss_of(ONE + 'loss = "exp(x)"')
    assert error_of(loss, F32, 0.0, x=-95.0) == 0.0
    assert error_of(loss, F32, 0.0, x=-80.0) > 1e5


# --------------------------------------------------------------------------------- the targets


def test_targets_follow_the_formula() -> None:
    assert target(loss_of(TWO + 'loss = "log(1 + exp(x - y))"')) == ELEMENTARY
    positive = 'inputs.x = { type = "positive[...]", doc = "a" }\n'
    assert target(loss_of(positive + 'loss = "lgamma(x)"')) == SPECIAL
    axes = 'inputs.x = { type = "positive[N]", doc = "a" }\n'
    assert target(loss_of(axes + 'loss = "Sum(lgamma(x), n)"')) == OVER_AXES
    assert [ELEMENTARY.of(o) for o in ("value", "gradient", "second")] == [4, 8, 64]


def test_special_functions_are_no_elementary_ones() -> None:
    special = {name for name, op in OPS.items() if op.special}
    assert special == {
        "besseli",
        "digamma",
        "erf",
        "erfc",
        "erfinv",
        "gamma",
        "lgamma",
        "polygamma",
    }


# ------------------------------------------------------------------------------- adding them up


def cases(*ulps: float) -> list[Case]:
    loss = loss_of(ONE + 'loss = "x"')
    plain = case_of(loss, F64, 1.0, x=1.0)
    return [replace(plain, ulp=u, naive_ulp=2 * u) for u in ulps]


def settled(*ulps: float, log_condition: float = -math.inf) -> Errors:
    errors = Errors(F64, 4.0)
    for case in cases(*ulps):
        errors.add(case, naive=True)
    errors.settle(lambda case: log_condition, lambda case: case.ulp)
    return errors


def test_the_worst_and_the_share_within_the_target() -> None:
    errors = settled(0.0, 0.5, 3.0, 7.0, 5.0)
    assert errors.judged == 5
    assert errors.worst == 7.0
    assert errors.beyond == 2
    assert errors.hardest is errors.roughest
    assert errors.naive_worst == 14.0


def test_conditioning_changes_the_worst_and_not_the_roughest() -> None:
    errors = settled(0.5, 64.0, log_condition=10.0)
    assert errors.worst == 0.5
    assert errors.beyond == 0
    assert errors.roughest is not None
    assert errors.roughest.ulp == 64.0
    assert errors.roughest.mixed == 64.0 / 1024


def test_a_probe_may_explain_what_is_beyond_the_target() -> None:
    errors = Errors(F64, 4.0)
    for case in cases(100.0, 2.0):
        errors.add(case, naive=False)
    errors.settle(lambda case: -math.inf, lambda case: 1.5)
    assert errors.worst == 2.0
    assert errors.beyond == 0
    assert errors.naive_worst == 0.0


@pytest.mark.parametrize("apart", [False, True])
def test_what_is_around_a_point_counts_for_all_its_entries(apart: bool) -> None:
    errors = Errors(F64, 4.0)
    many = cases(*[100.0] * (2 * PROBED_AT_MOST))
    for case in many:
        point = replace(case.point) if apart else case.point
        errors.add(replace(case, point=point), naive=False)
    errors.settle(lambda case: -math.inf, lambda case: 1.5)
    assert errors.beyond == apart * PROBED_AT_MOST


def test_what_is_not_looked_at_counts_by_its_ulp() -> None:
    errors = Errors(F64, 4.0)
    for case in cases(100.0, 50.0, 40.0, 2.0):
        errors.add(case, naive=False)
    errors.settle(lambda case: 10.0, lambda case: case.ulp, at_most=2)
    assert errors.worst == 100.0 / 1024
    assert errors.beyond == 1


def test_nan_and_kinks_are_not_excused() -> None:
    assert settled(math.inf, log_condition=100.0).worst == math.inf
    errors = Errors(F64, 4.0)
    errors.add(replace(cases(9.0)[0], smooth=False), naive=False)
    errors.settle(lambda case: 100.0, lambda case: case.ulp)
    assert errors.worst == 9.0


def test_neighbours_are_within_every_target() -> None:
    want = neighbour(1.0, 1, F64)
    assert mixed_error(real(want), 1.0, -math.inf, F64) <= 1.0
