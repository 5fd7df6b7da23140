"""Laws, examples, contract and witnesses, each on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused, CannotLoadError, load_text
from losscodegen.judge.certificate import Severity, Status
from losscodegen.judge.contract import PROMISES, check_contract
from losscodegen.judge.larger import check_shapes
from losscodegen.judge.laws import check_laws, example_point, substituted
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point, Real, Slope, Truth
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import execute, is_pointwise, stacks
from losscodegen.judge.witness import check_witness
from losscodegen.language.parse import load_losses, losses_from_text

DATA = Path(__file__).parent / "data"
LOSSES = {loss.name: loss for loss in load_losses(DATA / "judged.toml")}
F64 = Dtype.FLOAT64


def loss_of(text: str) -> Loss:
    return losses_from_text(f'[TestLoss]\nsummary = "For a test."\n{text}')[0]


def tame(loss: Loss, count: int = 12) -> list[Point]:
    return tidy_points(loss, F64, seed=0, count=count, purpose="test")


# ---------------------------------------------------------------------- laws

SUBSTITUTIONS = (
    ("loss(x=y) >= 0", "x", (3.0, 4.0, 5.0, 6.0)),
    ("loss(x=y, y=x) >= 0", "y", (-1.0, 0.5, 2.0, 0.0)),
    ("loss(x=2*x - 1) >= 0", "x", (-3.0, 0.0, 3.0, -1.0)),
    ("loss(x=0) >= 0", "x", (0.0, 0.0, 0.0, 0.0)),
    ("loss(x=v) >= 0", "x", (7.0, 8.0, 7.0, 8.0)),
    ("loss(x=s*x) >= 0", "x", (-0.5, 0.25, 1.0, 0.0)),
)


@pytest.mark.parametrize(("law", "name", "expected"), SUBSTITUTIONS)
def test_laws_substitute_all_at_once(
    law: str, name: str, expected: tuple[float, ...]
) -> None:
    loss = loss_of(f"""
    inputs.x = {{ type = "real[B, C]", doc = "a" }}
    inputs.y = {{ type = "real[B, C]", doc = "b" }}
    inputs.v = {{ type = "real[C]", doc = "c" }}
    params.s = {{ type = "real = 0.5", doc = "d" }}
    loss = "Sum(abs(x - y)*s + v, c)"
    laws = ["{law}"]
    """)
    point = Point(
        values={
            "x": Array((2, 2), (-1.0, 0.5, 2.0, 0.0)),
            "y": Array((2, 2), (3.0, 4.0, 5.0, 6.0)),
            "v": Array((2,), (7.0, 8.0)),
            "s": 0.5,
        }
    )
    found = substituted(loss, point, loss.laws[0].left.replaced).values[name]
    assert found == Array((2, 2), expected)


def test_scalars_are_substituted_in_their_own_kind() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    params.n = { type = "integer = 1", doc = "b" }
    params.flag = { type = "bool = false", doc = "c" }
    params.kind = { type = "choice(one, two) = one", doc = "d" }
    loss = "n*(x if flag else -x) + (1 if kind == one else 0)"
    laws = ["loss(n=3, flag=True, kind=two) >= 0"]
    """)
    point = Point(
        values={"x": Array((1,), (1.0,)), "n": 1, "flag": False, "kind": "one"}
    )
    found = substituted(loss, point, loss.laws[0].left.replaced).values
    assert (found["n"], found["flag"], found["kind"]) == (3, True, "two")


RELATIONS = (
    ("loss == 1", True),
    ("loss == 1.00001", True),
    ("loss == 1.001", False),
    ("loss != 1", False),
    ("loss <= 1", True),
    ("loss < 0.9", False),
    ("2*loss >= 2", True),
    ("loss/2 > 0.6", False),
    ("-loss == -s", True),
)


@pytest.mark.parametrize(("law", "holds"), RELATIONS)
def test_relations_hold_within_a_stated_tolerance(law: str, holds: bool) -> None:
    loss = loss_of(f"""
    inputs.x = {{ type = "real[...]", doc = "a" }}
    params.s = {{ type = "real = 1.0", doc = "b" }}
    loss = "s + 0*x"
    laws = ["{law}"]
    """)

    def ones(points: Sequence[Point]) -> list[tuple[float, ...] | None]:
        return [(1.0,) for _ in points]

    point = Point(values={"x": Array((1,), (1.0,)), "s": 1.0})
    claims, findings = check_laws(loss, [point], {"spec": ones})
    assert claims[0].status is (Status.PASSED if holds else Status.FAILED)
    assert bool(findings) is not holds
    assert claims[0].checked == 1


def test_a_law_that_is_nowhere_defined_is_vacuous() -> None:
    loss = replace(LOSSES["SoftplusLoss"])

    def nothing(points: Sequence[Point]) -> list[tuple[float, ...] | None]:
        return [(math.nan,) for _ in points]

    claims, findings = check_laws(loss, tame(loss), {"spec": nothing})
    assert {c.status for c in claims} == {Status.VACUOUS}
    # No failure; but the certificate does not keep it to itself.
    assert [f.code for f in findings] == ["law-not-judged"] * len(loss.laws)
    assert {f.severity for f in findings} == {Severity.LOOSE}


def test_examples_become_points() -> None:
    point = example_point(LOSSES["HuberLoss"])
    assert point.values["x"] == Array((2,), (0.5, 3.0))
    assert point.values["delta"] == 1.0


# ---------------------------------------------------------------------- the module


def accused(name: str, file: str, old: str = "", new: str = "") -> Accused:
    text = (DATA / file).read_text(encoding="utf-8")
    assert old in text
    return Accused.load(LOSSES[name], text.replace(old, new))


def test_every_promise_is_tried() -> None:
    loss = LOSSES["MaskedLogLoss"]
    claims, findings = check_contract(
        loss, accused("MaskedLogLoss", "masked_log.py"), tame(loss)
    )
    assert findings == []
    assert [c.text for c in claims] == [p.name for p in PROMISES]
    # It has no parameters; `test_contract_defaults` has losses with some.
    skipped = {c.text for c in claims if c.status is not Status.PASSED}
    assert skipped == {"defaults are those of the spec"}


def test_an_input_that_is_written_to_is_found() -> None:
    loss = LOSSES["LogLoss"]
    module = accused(
        "LogLoss",
        "log.py",
        "loss = -p.log()",
        "loss = -p.log()\n        input.detach().mul_(1.5)",
    )
    claims, _ = check_contract(loss, module, tame(loss))
    broken = {c.text: c.detail for c in claims if c.status is Status.FAILED}
    assert broken["inputs are left alone"] == "p is written to"


def test_chance_is_found() -> None:
    loss = LOSSES["LogLoss"]
    module = accused(
        "LogLoss",
        "log.py",
        "-p.log()",
        "-p.log() * (1 + 1e-9 * p.detach().clone().normal_())",
    )
    claims, _ = check_contract(loss, module, tame(loss))
    broken = {c.text: c.detail for c in claims if c.status is Status.FAILED}
    assert broken["inputs are left alone"] == "two calls with the same inputs differ"


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        ("-p.log() + 0 * p.max()", "raises"),
        ("-p.log().reshape(max(1, p.shape[0]))", "raises"),
        ("-p.log() if p.numel() else p.new_zeros(1)", "gives the shape (1,)"),
    ],
)
def test_an_empty_batch_is_tried(new: str, fault: str) -> None:
    """No other clause has a batch of nothing."""
    loss = LOSSES["LogLoss"]
    claims, _ = check_contract(
        loss, accused("LogLoss", "log.py", "-p.log()", new), tame(loss)
    )
    broken = {c.text: c.detail for c in claims if c.status is Status.FAILED}
    assert [*broken] == ["an empty batch is summed to 0"]
    assert fault in broken["an empty batch is summed to 0"]


def test_a_sum_over_the_wrong_dim_is_found_on_larger_tensors() -> None:
    loss = LOSSES["DistanceLoss"]
    right = accused("DistanceLoss", "distance.py")
    assert check_shapes(loss, right, 0)[1] == []
    wrong = accused(
        "DistanceLoss",
        "distance.py",
        "sum(dim=-1, keepdim=True)",
        "sum(-1, True) * 1.01",
    )
    claims, findings = check_shapes(loss, wrong, 0)
    assert claims[0].status is Status.FAILED
    assert "value" in findings[0].message


FLAT = """
import torch
from torch import nn

class TestLoss(nn.Module):
    def __init__(self, *, reduction):
        super().__init__()

    def forward(self, x, y):
        return y + 1 + {slope} * x
"""


@pytest.mark.parametrize(("slope", "fails"), [(0.0, False), (1e-13, True)])
def test_what_rounding_leaves_of_a_zero_is_no_slope(slope: float, fails: bool) -> None:
    """By ``x`` the formula's own autograd gives some 1e-17 in place of 0."""
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    inputs.y = { type = "real[...]", doc = "b" }
    loss = "y + exp(x)/(3*exp(x))*3"
    """)
    module = Accused.load(loss, FLAT.format(slope=slope))
    claims, findings = check_shapes(loss, module, 0)
    assert [c.status for c in claims] == [Status.FAILED if fails else Status.PASSED]
    assert all("gradient by x" in f.message for f in findings), findings


ZERO = """
import torch
from torch import nn

class TestLoss(nn.Module):
    def __init__(self, *, reduction):
        super().__init__()

    def forward(self, x):
        return {slope} * x.sum(-1)
"""


@pytest.mark.parametrize(("slope", "fails"), [(0.0, False), (1e-12, True)])
def test_what_rounding_leaves_of_a_loss_that_is_zero_is_no_loss(
    slope: float, fails: bool
) -> None:
    """The formula as typed gives some 1e-16 for the value, and for the gradient."""
    loss = loss_of("""
    inputs.x = { type = "real[B, C]", doc = "a" }
    loss = "log(Prod(exp(x[b, c]), c)) - Sum(x[b, c], c)"
    """)
    module = Accused.load(loss, ZERO.format(slope=slope))
    claims, findings = check_shapes(loss, module, 0)
    assert [f.code for f in findings] == ["disagrees-with-formula"] * fails, claims


def test_modules_are_loaded_from_text_alone() -> None:
    module = load_text("losscodegen_test_module", "x = __name__\n")
    assert module.x == "losscodegen_test_module"
    with pytest.raises(CannotLoadError, match="SyntaxError"):
        Accused.load(LOSSES["LogLoss"], "def")
    with pytest.raises(CannotLoadError, match=r"no nn\.Module called LogLoss"):
        Accused.load(LOSSES["LogLoss"], "LogLoss = 1")


def test_gradients_reach_learnable_parameters() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[B]", doc = "a" }
    params.k = { type = "real = 2.0", doc = "b" }
    learnable = ["k"]
    loss = "exp(k)*x"
    """)
    text = """
import torch
from torch import nn

class TestLoss(nn.Module):
    def __init__(self, k=2.0, *, reduction="mean"):
        super().__init__()
        self.k = nn.Parameter(torch.tensor(k))

    def forward(self, x):
        return self.k.exp() * x
"""
    module = Accused.load(loss, text)
    point = Point(values={"x": Array((2,), (1.0, 3.0)), "k": 0.5})
    (result,) = execute(loss, [point], module.call, F64)
    assert result.error is None
    assert result.value == pytest.approx((math.exp(0.5), 3 * math.exp(0.5)))
    assert result.gradient["k"] == pytest.approx((4 * math.exp(0.5),))


# ---------------------------------------------------------------------- stacking


def test_pointwise_points_run_in_one_call_and_come_apart_again() -> None:
    loss = LOSSES["HuberLoss"]
    assert is_pointwise(loss)
    assert not is_pointwise(LOSSES["CrossEntropyLoss"])
    points = [
        Point(values={"x": Array((1,), (x,)), "y": Array((1,), (0.0,)), "delta": d})
        for x, d in ((0.5, 1.0), (3.0, 2.0), (math.nan, 1.0), (2.0, 1.0))
    ]
    assert [s.places for s in stacks(loss, points)] == [(0, 2, 3), (1,)]
    results = execute(loss, points, accused("HuberLoss", "huber.py").call, F64)
    assert [r.value for r in results[:2]] == [(0.125,), (4.0,)]
    assert math.isnan(results[2].value[0])
    assert results[3].value == (1.5,)
    assert results[3].gradient == {"x": (1.0,), "y": (-1.0,)}


def test_entries_of_fixed_axes_stay_together() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[..., 2]", doc = "a" }
    loss = "x[0]*x[1]"
    """)
    points = [
        Point(values={"x": Array((1, 2), pair)}) for pair in ((1.0, 2.0), (3.0, 4.0))
    ]
    results = execute(loss, points, lambda bound: bound["x"].prod(-1), F64)  # type: ignore[union-attr]
    assert [r.value for r in results] == [(2.0,), (12.0,)]
    assert [r.gradient["x"] for r in results] == [(2.0, 1.0), (4.0, 3.0)]


def test_what_a_function_raises_is_kept() -> None:
    loss = LOSSES["LogLoss"]

    def broken(bound: object) -> torch.Tensor:
        raise ValueError("no")

    (result,) = execute(loss, tame(loss, 1)[:1], broken, F64)
    assert result.error == "ValueError: no"


# ---------------------------------------------------------------------- the second witness


@pytest.mark.parametrize(
    "name", ["SoftplusLoss", "HuberLoss", "LogLoss", "MaskedLogLoss"]
)
def test_sympy_agrees_with_the_truth(name: str) -> None:
    claims, findings = check_witness(LOSSES[name], Oracles(), tame(LOSSES[name]))
    assert findings == []
    assert claims[0].status is Status.PASSED
    assert claims[0].checked > 0


def test_losses_over_axes_have_no_second_witness() -> None:
    claims, _ = check_witness(LOSSES["CrossEntropyLoss"], Oracles(), [])
    assert claims[0].status is Status.SKIPPED
    assert "over axes" in claims[0].detail


def test_a_wrong_truth_is_found() -> None:
    loss = LOSSES["SoftplusLoss"]
    oracles = Oracles()

    def liar(asked: Loss, point: Point, dtype: Dtype) -> Truth | None:
        truth = oracles(asked, point, dtype)
        assert truth is not None
        (slope,) = truth.gradient["x"]
        wrong = Real(
            slope.value.kind, slope.value.mantissa * 3, slope.value.exponent - 1
        )
        return replace(truth, gradient={"x": (Slope(value=wrong),)})

    claims, findings = check_witness(loss, liar, tame(loss))
    assert claims[0].status is Status.FAILED
    assert findings[0].code == "witnesses-disagree"
    assert "x = " in findings[0].message


def test_parameters_over_axes_are_not_laid_side_by_side() -> None:
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    params.w = { type = "real[K]", doc = "b" }
    loss = "Sum(w*x, k)"
    """)
    assert not is_pointwise(loss)
    assert len(tame(loss)) > 0


CANCELLING = """
import torch
from torch import nn

class TestLoss(nn.Module):
    def __init__(self, *, reduction):
        super().__init__()

    def forward(self, x, y):
        square = (x * y).pow(6)
        return square / ((1 + square).sqrt() + 1) * {factor}
"""


def test_where_the_formula_itself_cancels_the_truth_decides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Typed, ``sqrt(1 + u) - 1`` is off by more than it may be: the module is not to blame."""
    loss = loss_of("""
    inputs.x = { type = "real[...]", doc = "a" }
    inputs.y = { type = "real[...]", doc = "b" }
    loss = "sqrt(1 + (x*y)**6) - 1"
    """)

    def blamed(factor: float) -> set[int]:
        module = Accused.load(loss, CANCELLING.format(factor=factor))
        return {seed for seed in range(24) if check_shapes(loss, module, seed)[1]}

    assert blamed(1.0) == set()
    assert blamed(1.0 + 1e-4) == set(range(24))
    monkeypatch.setattr("losscodegen.judge.larger.FEW", 0)
    assert blamed(1.0), "without the truth nobody would know"


@pytest.mark.parametrize(
    ("kept", "defined"), [((0, 0, 0, 0), False), ((0, 0, 1, 1), True)]
)
def test_a_loss_without_any_value_has_no_slope(
    kept: tuple[int, ...], defined: bool
) -> None:
    """The mean of nothing is undefined; beside a sample that has a mean it has the slope 0."""
    loss = loss_of("""
    inputs.x = { type = "real[B, C]", doc = "a" }
    inputs.m = { type = "mask[B, C]", doc = "b" }
    loss = "Mean(x[b,c], c, where=m[b,c] > 0)"
    """)
    x = Array((2, 2), (1.0, 2.0, 3.0, 4.0))
    truth = Oracles()(loss, Point(values={"x": x, "m": Array((2, 2), kept)}), F64)
    assert truth is not None
    slopes = [s.value for s in truth.gradient["x"]]
    if defined:
        assert [s.rounded() for s in slopes] == [0.0, 0.0, 0.5, 0.5]
    else:
        assert not any(s.finite or s.infinite for s in slopes)
