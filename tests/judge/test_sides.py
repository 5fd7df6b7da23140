"""What rounding decides is found, is right on either side, and excuses nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Finding, Severity
from losscodegen.judge.check import verify
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Fault, Limits
from losscodegen.judge.decided import Sides
from losscodegen.judge.oracle_sides import choices
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point
from losscodegen.judge.probes import Spread
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tally import DECIDED, Tally
from losscodegen.judge.tensors import Bound, Result
from losscodegen.judge.trial import Trial, naive_function
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

F32, F64 = Dtype.FLOAT32, Dtype.FLOAT64
EPS = F64.epsilon
BESIDE_TAN = -1.5574077246549023
"""The double next to ``-tan(1)``."""


def loss_of(formula: str, shape: str = "...") -> Loss:
    text = f"""
[SidesLoss]
summary = "For a test."
inputs.x = {{ type = "real[{shape}]", doc = "a" }}
inputs.y = {{ type = "real[{shape}]", doc = "b" }}
loss = "{formula}"
"""
    return losses_from_text(text)[0]


def point_of(x: tuple[float, ...], y: tuple[float, ...]) -> Point:
    if len(x) == 1:
        return Point(values={"x": Array((1,), x), "y": Array((1,), y)})
    shape = (1, len(x))
    return Point(values={"x": Array(shape, x), "y": Array(shape, y)})


# ---------------------------------------------------------------------- what is open

OPEN = (
    ("relu(1 - x*y)", 1 + EPS, 1 - EPS / 2),
    ("abs(x*y - 1)", 1 + EPS, 1.0),
    ("sign(x*y - 1)", 1 + EPS, 1.0),
    ("heaviside(x*y - 1)", 1 + EPS, 1.0),
    ("floor(x*y)", 3 * (1 - EPS), 1.0),
    ("(x*y) % 3", 6 * (1 - EPS), 1.0),
    ("3 % (x*y)", 1.5 * (1 - EPS), 1.0),
    ("Max(x*y, 1)", 1 + EPS, 1.0),
    ("Min(exp(x), 1 + x)*y", 1e-9, 1.0),
    ("clip(atan(x), -1, 2)*y", BESIDE_TAN, 1.0),
    ("where(x*y > 1, 1, x)", 1 + EPS, 1.0),
    ("where(x*y == 1, 1, x)", 1 + EPS, 1.0),
    ("delta(x*y, 1)", 1 + EPS, 1.0),
    ("hypot(x*y - 1, 0)", 1 + EPS, 1.0),
    ("atan2(x*y - 1, -1)", 1 + EPS, 1.0),
    ("Max(sin(x**3), 1/2)*y", 2.0**200, 1.0),
    ("relu(sin(x**3))*y", 2.0**200, 1.0),
    ("Min(abs(x - y)**2, x)", 0.0, 1e-200),
)


@pytest.mark.parametrize(("formula", "x", "y"), OPEN)
def test_what_lies_within_rounding_is_open(formula: str, x: float, y: float) -> None:
    assert opened(formula, x, y)


CLOSED = (
    # Hundreds of ulps away.
    ("relu(1 - x*y)", 1 + 300 * EPS, 1.0),
    ("clip(atan(x), -1, 2)*y", BESIDE_TAN - 300 * EPS, 1.0),
    ("where(x*y > 1, 1, x)", 1 + 300 * EPS, 1.0),
    # A program has these numbers, and their difference never gets on the wrong side of 0.
    ("abs(x - y)", 1 + EPS, 1.0),
    ("relu(x - y)", 1 + EPS, 1.0),
    ("Max(x, y)", 1 + EPS, 1.0),
    ("where(x > y, 1, x)", 1 + EPS, 1.0),
    ("where(x - y > 0, 1, x)", 1 + EPS, 1.0),
    ("clip(x, -1, 1)*y", 1 + EPS, 1.0),
    ("sign(x)*y", 0.0, 1.0),
    # The formula as typed loses its digits, another does not.
    ("relu(sqrt(1 + x**2) - 1)*y", 1e-9, 1.0),
    ("relu(log(1 + x))*y", 1e-18, 1.0),
    ("abs(exp(x) - 1)*y", 1e-18, 1.0),
    ("Max(1 - cos(x), 0)*y", 1e-9, 1.0),
    ("relu(1 + tanh(x))*y", -30.0, 1.0),
    ("where(1 - exp(-x) > 0, y, x)", 1e-18, 1.0),
    ("sign(log(1 + x))*y", 1e-18, 1.0),
    ("hypot(sqrt(1 + x) - 1, 0)*y", 1e-18, 1.0),
    ("floor(x + y)", 0.5, 1.25),
    ("x % y", 3.0, 1.0),
    ("x % y", 3 * (1 - EPS), 1.0),
    ("(x + y) % 1", 0.5, 1.25),
    ("softplus(x*y - 1)", 1 + EPS, 1.0),
)


@pytest.mark.parametrize(("formula", "x", "y"), CLOSED)
def test_what_careful_code_can_tell_is_not(formula: str, x: float, y: float) -> None:
    assert not opened(formula, x, y)


def opened(formula: str, x: float, y: float) -> bool:
    loss, point = loss_of(formula), point_of((x,), (y,))
    return bool(choices(Oracles().at(loss, point), point, F64, 256))


def test_a_norm_is_open_where_all_entries_are() -> None:
    loss = loss_of("norm(x + tanh(y), c)", "B, C")
    ask = Oracles()
    root = -math.tanh(1.0)
    for x, found in (((root, root), True), ((root, 0.5), False)):
        point = point_of(x, (1.0, 1.0))
        assert bool(choices(ask.at(loss, point), point, F64, 256)) is found


# ---------------------------------------------------------------------- what is right there


@dataclass(frozen=True)
class Given:
    """A result at a point, and whether it is right on one of the sides."""

    formula: str
    x: float
    y: float
    variable: str | None
    got: float
    right: bool


RESULTS = (
    # The slopes of both sides, and what lies between them; nothing else.
    *(Given("relu(1 - x*y)", 1 + EPS, 1.0, "x", g, True) for g in (-1.0, 0.0, -0.5)),
    *(Given("relu(1 - x*y)", 1 + EPS, 1.0, "x", g, False) for g in (1.0, -1.1)),
    *(Given("Max(x*y, 1)", 1.0, 1 - EPS / 2, "x", g, True) for g in (0.0, 0.5, 1.0)),
    Given("Max(x*y, 1)", 1.0, 1 - EPS / 2, "x", -0.01, False),
    # The values of both sides, and nothing between them.
    *(Given("where(x*y > 1, 4, 2)", 1 + EPS, 1.0, None, g, True) for g in (2.0, 4.0)),
    *(
        Given("where(x*y > 1, 4, 2)", 1 + EPS, 1.0, None, g, False)
        for g in (3.0, 2.001, 5.0, 0.0)
    ),
    *(Given("sign(x*y - 1)", 1 + EPS, 1.0, None, g, True) for g in (-1.0, 0.0, 1.0)),
    Given("sign(x*y - 1)", 1 + EPS, 1.0, None, 0.5, False),
    *(Given("floor(x*y)", 3 * (1 - EPS), 1.0, None, g, True) for g in (2.0, 3.0)),
    *(Given("floor(x*y)", 3 * (1 - EPS), 1.0, None, g, False) for g in (1.0, 4.0)),
    *(Given("(x*y) % 3", 6 * (1 - EPS), 1.0, None, g, True) for g in (0.0, 3.0)),
    *(Given("(x*y) % 3", 6 * (1 - EPS), 1.0, None, g, False) for g in (1.5, -3.0)),
    *(Given("3 % (x*y)", 1.5 + EPS, 1.0, "x", g, True) for g in (-1.0, -2.0)),
    Given("3 % (x*y)", 1.5 + EPS, 1.0, "x", 1.0, False),
    *(
        Given("atan2(x*y - 1, -1)", 1 - EPS, 1.0, None, s * math.pi, True)
        for s in (1, -1)
    ),
    Given("atan2(x*y - 1, -1)", 1 - EPS, 1.0, None, 0.0, False),
    # At the kink there is no value: any number will do.
    Given("(x*y - 1)/abs(x*y - 1)", 1 + EPS, 1.0, None, 0.0, True),
    # Never NaN, never an infinity in place of a number.
    Given("(x*y - 1)/abs(x*y - 1)", 1 + EPS, 1.0, None, math.nan, False),
    Given("(x*y - 1)/abs(x*y - 1)", 1 + EPS, 1.0, None, math.inf, False),
    Given("where(x*y > 1, 4, 2)", 1 + EPS, 1.0, None, math.nan, False),
    Given("relu(1 - x*y)", 1 + EPS, 1.0, "x", math.nan, False),
    # A kink that another one is found behind: both entries are -1, and share the derivative.
    Given("Min(clip(atan(x), -1, 2), -1)*y", BESIDE_TAN, 1.0, "x", 0.1, True),
    Given("Min(clip(atan(x), -1, 2), -1)*y", BESIDE_TAN, 1.0, "x", 0.4, False),
    # Which side is taken is open, and how large the sine is there.
    *(
        Given("relu(sin(x**3))*y", 2.0**200, 1.0, None, g, True)
        for g in (0.0, 0.3, 1.0)
    ),
    # Both numbers underflow.
    Given("Min(abs(x - y)**2, x)", 0.0, 1e-200, "x", 0.5, True),
)


@pytest.mark.parametrize(
    "given", RESULTS, ids=[f"{k} {g.formula}" for k, g in enumerate(RESULTS)]
)
def test_results_are_right_on_a_side_or_they_are_not(given: Given) -> None:
    loss, point = loss_of(given.formula), point_of((given.x,), (given.y,))
    oracles = Oracles()
    truth = oracles(loss, point, F64)
    assert truth is not None
    slopes = dict.fromkeys(truth.gradient, (given.got,))
    result = Result(
        shape=truth.shape, value=(given.got,), gradient=slopes, dtype="float64"
    )
    (case,) = (
        case
        for _, case, *_ in compare(point, truth, result, result, F64, Limits())
        if case.variable == given.variable
    )
    Sides(loss, oracles, F64).settle(case, Limits())
    assert case.decided is given.right


MANY = (
    # (formula, variable, result, whether it is right): eight entries at a kink or jump each
    *(
        ("Sum(where(x*y > 1, 4, 2), c)", None, g, 16 <= g <= 32)
        for g in (15, 16, 23, 33)
    ),
    *(("Sum(where(x*y > 1, 4, 2), c)", None, g, False) for g in (math.nan, math.inf)),
    *(("Sum(relu(x*y - 1), c)", None, g, g < 1) for g in (0.0, 2 * EPS, 1.0)),
    ("Sum(relu(x*y - 1), c)", None, -1e-9, False),
    *(
        ("Sum(relu(x*y - 1), c)", "x", g, 0 <= g <= 1)
        for g in (0.0, 0.5, 1.0, 2.0, -1.0)
    ),
    *(("Sum(floor(x*y), c)", None, g, 0 <= g <= 8) for g in (0.0, 5.0, 8.0, 9.0)),
    *(("Sum(sign(x*y - 1), c)", None, g, abs(g) <= 8) for g in (-8.0, 8.0, 8.5)),
)


@pytest.mark.parametrize(
    ("formula", "variable", "got", "right"),
    MANY,
    ids=[f"{k} {f}" for k, (f, *_) in enumerate(MANY)],
)
def test_of_more_sides_than_can_be_tried_all_are_enclosed(
    formula: str, variable: str | None, got: float, right: bool
) -> None:
    loss = loss_of(formula, "B, C")
    point = point_of((1 + EPS,) * 8, (1 - EPS / 2,) * 8)
    oracles = Oracles()
    assert choices(oracles.at(loss, point), point, F64, 256) is None
    truth = oracles(loss, point, F64)
    assert truth is not None
    slopes = {name: (got,) * len(s) for name, s in truth.gradient.items()}
    result = Result(shape=truth.shape, value=(got,), gradient=slopes, dtype="float64")
    cases = [
        case
        for _, case, *_ in compare(point, truth, result, result, F64, Limits())
        if case.variable == variable
    ]
    for case in cases:
        Sides(loss, oracles, F64).settle(case, Limits())
        assert case.decided is right


@pytest.mark.parametrize(("got", "right"), [(-0.28, True), (0.3, True), (99.0, False)])
def test_what_is_enclosed_is_as_uncertain_as_the_inputs(
    got: float, right: bool
) -> None:
    """A sine of 1e199 is anything between -1 and 1, whichever argument is the greater."""
    loss = loss_of("norm(Max(tanh(x), sin(x - y)), c)", "B, C")
    point = point_of((0.5,) * 8, tuple(1e199 * (1 + k / 8) for k in range(8)))
    oracles = Oracles()
    assert choices(oracles.at(loss, point), point, F64, 256) is None
    truth = oracles(loss, point, F64)
    assert truth is not None
    slopes = {name: (got,) * len(s) for name, s in truth.gradient.items()}
    result = Result(
        shape=truth.shape,
        value=tuple(v.rounded(F64) for v in truth.value),
        gradient=slopes,
        dtype="float64",
    )
    cases = [
        case
        for _, case, *_ in compare(point, truth, result, result, F64, Limits())
        if case.variable == "y"
    ]
    sides = Sides(loss, oracles, F64)
    for case in cases:
        sides.settle(case, Limits())
    assert all(case.decided for case in cases) is right


def test_entries_that_rounding_decides_are_counted_apart_and_told() -> None:
    loss = loss_of("where(x*y > 1, 4, 2)")
    trial = trial_of(
        loss, lambda x, y: torch.where(x * y * (1 + EPS) > 1, 4.0, 2.0) + 0 * x
    )
    trial.points = [point_of((1.0,), (1.0,)), point_of((3.0,), (1.0,))]
    tally = Tally(F64, "value", trial.limits)
    for point, got in zip(trial.points, (4.0, 4.0), strict=True):
        truth = trial.oracles(loss, point, F64)
        assert truth is not None
        given = Result(
            shape=(1,),
            value=(got,),
            gradient={"x": (0.0,), "y": (0.0,)},
            dtype="float64",
        )
        for order, case, error, beside, group in compare(
            point, truth, given, given, F64, trial.limits
        ):
            if order == "value":
                tally.add(case, error, beside, group)
    (case,) = tally.cases
    case.probed = True
    trial.sides.settle(case, trial.limits)
    assert case.fails(trial.limits) is False
    tally.set_apart_decided()
    check = tally.check()
    assert dict(check.classes) == {DECIDED: 1, "smooth": 1}
    assert check.judged == 2
    assert check.ours.ulp == 0.0


@pytest.mark.parametrize("severity", [Severity.FAILURE, Severity.LOOSE])
@pytest.mark.parametrize("explained", [True, False])
def test_they_are_set_apart_whatever_else_would_excuse_them(
    severity: Severity, explained: bool
) -> None:
    """Negligible beside usual results, or right for inputs that are right as a whole."""
    loss = loss_of("Sum(where(x*y > 1, 4, 2), n)", "N")
    trial = trial_of(loss, lambda x, y: x)
    trial.limits = replace(trial.limits, cancellation=severity)
    point = point_of((1.0,), (1.0,))
    truth = trial.oracles(loss, point, F64)
    assert truth is not None
    given = Result(
        shape=(), value=(4.0,), gradient={"x": (0.0,), "y": (0.0,)}, dtype="float64"
    )
    tally = Tally(F64, "value", trial.limits)
    for order, case, error, beside, group in compare(
        point, truth, given, given, F64, trial.limits
    ):
        if order == "value":
            tally.add(case, error, beside, group)
    (case,) = tally.cases
    case.fault = Fault.CANCELLATION
    still = Spread((0.0,), {"x": (0.0,), "y": (0.0,)})
    trial.spreads[id(point), False] = still
    trial.spreads[id(point), True] = (
        Spread((2.0,), {"x": (0.0,), "y": (0.0,)}) if explained else still
    )
    trial.excuse(tally)
    assert case.decided
    assert not tally.errors.rough


# ---------------------------------------------------------------------- wrong in earnest

Module = Callable[[Tensor, Tensor], Tensor]


@dataclass
class Suspect:
    module: Module

    def call(self, bound: Mapping[str, Bound]) -> Tensor:
        x, y = bound["x"], bound["y"]
        assert isinstance(x, Tensor)
        assert isinstance(y, Tensor)
        return self.module(x, y)


def trial_of(loss: Loss, module: Module, dtype: Dtype = F64) -> Trial:
    return Trial(
        loss=loss,
        accused=Suspect(module),
        oracles=Oracles(),
        dtype=dtype,
        seed=0,
        count=40,
        limits=Limits().within(dtype),
    )


def failures(loss: Loss, module: Module, dtype: Dtype) -> list[Finding]:
    trial = trial_of(loss, module, dtype)
    trial.run()
    return [f for f in trial.findings if f.severity is Severity.FAILURE]


def off(x: Tensor) -> float:
    """1, and 300 ulps."""
    return 1 + 300 * torch.finfo(x.dtype).eps


WRONG: tuple[tuple[str, Module], ...] = (
    # On the wrong side of a kink or a jump by more than rounding.
    ("relu(1 - x*y)", lambda x, y: torch.where(x * y < off(x), 1 - x * y, 0.0)),
    ("abs(x*y - 1)", lambda x, y: (x * y - 1) * (x * y - off(x)).sign().detach()),
    (
        "where(x*y > 1, 4, 2)",
        lambda x, y: torch.where(x * y > off(x), 4.0, 2.0) + 0 * x,
    ),
    ("Max(x*y, 1)", lambda x, y: torch.where(x * y > off(x), x * y, 1.0)),
    (
        "clip(x*y, -1, 1)",
        lambda x, y: torch.where((x * y).abs() < off(x), x * y, (x * y).sign()),
    ),
    ("relu(x - y)", lambda x, y: torch.where(x > y * off(x), x - y, 0.0)),
    # A program has x and y, and compares them exactly.
    ("where(x > y, 2*x, 5)", lambda x, y: torch.where(x >= y, 2 * x, 5.0) + 0 * y),
    ("where(x == y, 1, x)", lambda x, y: x + 0 * y),
    ("sign(x - y)", lambda x, y: torch.where(x >= y, 1.0, -1.0) + 0 * (x + y)),
    ("floor(x)*y", lambda x, y: (x.ceil() - 1).detach() * y + 0 * x),
    ("(x % 1)*y", lambda x, y: (x + 1 - x.ceil().detach()) * y),
    (
        "(x % 1)*y",
        lambda x, y: ((x - x.floor()) + (x + 1 - x.ceil())) / 2 * y,
    ),
    # A value between those of both sides.
    (
        "where(x > y, 2*x, 5)",
        lambda x, y: (torch.where(x > y, 2 * x, 5.0) + torch.where(x < y, 5.0, 2 * x))
        / 2
        + 0 * y,
    ),
    # A convention that is none: outside the hull, or nan.
    (
        "abs(x - y)",
        lambda x, y: (x - y).abs() + torch.where(x == y, 2 * (x - x.detach()), 0.0),
    ),
    (
        "Max(x, y)",
        lambda x, y: torch.maximum(x, y) + torch.where(x == y, x - x.detach(), 0.0),
    ),
    ("abs(x*y - 1)", lambda x, y: ((x * y - 1) ** 2).sqrt()),
    # Guards that are missing.
    (
        "where(x*y > 1, log(x*y), 0)",
        lambda x, y: torch.where(x * y > 1, (x * y).log(), 0.0),
    ),
    ("log(1 + exp(x - y))", lambda x, y: (1 + (x - y).exp()).log()),
    # Digits that a better form keeps.
    ("log(1 + x**2)*y", lambda x, y: (1 + x * x).log() * y),
    ("(sqrt(1 + x**2) - 1)*y", lambda x, y: ((1 + x * x).sqrt() - 1) * y),
    ("(sqrt(1 + abs(x)) - 1)*y", lambda x, y: ((1 + x.abs()).sqrt() - 1) * y),
    ("abs(x - y)", lambda x, y: ((x * x - y * y) / (x + y)).abs()),
    # A kink at the same place is no excuse.
    ("abs(exp(x) - 1)*y", lambda x, y: (x.exp() - 1).abs() * y),
    ("relu(1 + tanh(x))*y", lambda x, y: torch.relu(1 + x.tanh()) * y),
    ("Max(1 - cos(x), 0)*y", lambda x, y: (1 - x.cos()).clamp(min=0) * y),
    (
        "where(exp(x) > 1, exp(x) - 1, 2*x)*y",
        lambda x, y: torch.where(x.exp() > 1, x.exp() - 1, 2 * x) * y,
    ),
    ("sin(2*atan(x))*y", lambda x, y: (2 * x.atan()).sin() * y),
    ("sin(log(1 + x**2))*y", lambda x, y: (1 + x * x).log().sin() * y),
)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize(
    ("formula", "module"), WRONG, ids=[f"{k} {f}" for k, (f, _) in enumerate(WRONG)]
)
def test_what_is_wrong_in_earnest_fails(
    formula: str, module: Module, dtype: Dtype
) -> None:
    assert failures(loss_of(formula), module, dtype)


def naive(formula: str, dtype: Dtype) -> Module:
    function = naive_function(loss_of(formula), dtype)
    return lambda x, y: function({"x": x, "y": y})


RIGHT = (
    "relu(1 - x*y)",
    "Max(x*y, 1) + abs(x*y - 1)",
    "where(x*y > 1, 4, 2) + 0*x",
    "Min(clip(atan(x), -1, 2), -1)*y",
)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("formula", RIGHT)
def test_formulas_that_lose_nothing_pass_as_they_are(
    formula: str, dtype: Dtype
) -> None:
    assert failures(loss_of(formula), naive(formula, dtype), dtype) == []


def test_the_certificate_tells_what_rounding_decided() -> None:
    text = """
[SidesLoss]
summary = "For a test."
inputs.x = { type = "real[B, C]", doc = "a" }
loss = "(amin(clip(atan(x), -1, 2), c))**2"
"""
    (loss,) = losses_from_text(text)
    found = verify(loss, compile_losses([loss], origin="sides.toml").text, points=12)
    assert found.passed, found.findings
    told = [f for f in found.findings if f.code == "decided-by-rounding"]
    assert told
    assert all(f.severity is Severity.NOTE for f in told)
    counted = sum(dict(c.classes).get(DECIDED, 0) for c in found.checks)
    assert counted >= len(told)
