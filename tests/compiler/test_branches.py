"""Branches not taken: guarded where the gradient would be NaN, left alone where it would not."""

from __future__ import annotations

import math

import pytest
import torch

from losscodegen.compiler.branches import GUARDS, Protector
from losscodegen.compiler.extents import Extent
from losscodegen.compiler.ranges import Ranges
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Select
from losscodegen.ir.walk import walk
from losscodegen.judge.accused import Accused
from losscodegen.language.parse import losses_from_text
from losscodegen.language.printer import format_expression
from losscodegen.pipeline import compile_losses

NO_RULES = frozenset(rule.name for rule in RULES)


def loss_of(formula: str, **inputs: str) -> Loss:
    declared = "\n".join(f'{name} = "{text}"' for name, text in inputs.items())
    text = f'[Tried]\nsummary = "For a test."\nloss = "{formula}"\n[Tried.inputs]\n{declared}\n'
    (loss,) = losses_from_text(text)
    return loss


def guarded(formula: str, **inputs: str) -> str:
    """The formula with the guards of this stage and without any rule."""
    return format_expression(stabilize(loss_of(formula, **inputs), ()).loss.expression)


def gradient(loss: Loss, without: frozenset[str], **values: float) -> dict[str, float]:
    source = compile_losses((loss,), origin="test", without=without)
    accused = Accused.load(loss, source.text)
    bound = {
        n: torch.tensor([v], dtype=torch.float32, requires_grad=True)
        for n, v in values.items()
    }
    parameters = {v.name: 1.0 for v in loss.parameters}
    accused.call({**parameters, **bound}).sum().backward()
    return {n: math.nan if t.grad is None else float(t.grad) for n, t in bound.items()}


POISONED = [
    ("where(x > 0, log(x), 0)", {"x": "real[...]"}, {"x": 0.0}),
    ("where(x > 0, sqrt(x), -x)", {"x": "real[...]"}, {"x": 0.0}),
    ("where(x < 1, exp(x), 2 + x)", {"x": "real[...]"}, {"x": 200.0}),
    ("where(x != 0, sin(x)/x, 1)", {"x": "real[...]"}, {"x": 0.0}),
    ("where(abs(x) <= 1, (1 - x**2)**3, 0)", {"x": "real[...]"}, {"x": 1e30}),
    ("Max(log(x), -100)", {"x": "nonnegative[...]"}, {"x": 0.0}),
    (
        "Min(exp(x)*y, y)",
        {"x": "real[...]", "y": "positive[...]"},
        {"x": 200.0, "y": 1.0},
    ),
    ("clip(exp(x) - 2, -1, 1)", {"x": "real[...]"}, {"x": 200.0}),
    ("relu(1 + log(x))", {"x": "unit[...]"}, {"x": 0.0}),
    (
        "relu(1 + x*log(y))",
        {"x": "real[...]", "y": "unit[...]"},
        {"x": 2.0, "y": 0.0},
    ),
    ("relu(2 - exp(x))", {"x": "real[...]"}, {"x": 200.0}),
    (
        "where(isnan(y), 0, (x - y)**2)",
        {"x": "real[...]", "y": "real[...]"},
        {"x": 1.0, "y": math.nan},
    ),
    (
        "where(x == 0 and y == 0, 0, hypot(x, y))",
        {"x": "real[...]", "y": "real[...]"},
        {"x": 0.0, "y": 0.0},
    ),
    (
        "where(n > 0, x/n, 0)",
        {"x": "real[...]", "n": "count[...]"},
        {"x": 1.0, "n": 0.0},
    ),
    ("relu(x)*x**6", {"x": "real[...]"}, {"x": -1e20}),
    ("Max(0, x)/exp(x)", {"x": "real[...]"}, {"x": -200.0}),
    (
        "clip(y, 0, 2)**2*exp(x)",
        {"x": "real[...]", "y": "real[...]"},
        {"x": 200.0, "y": -1.0},
    ),
]


@pytest.mark.parametrize(("formula", "inputs", "point"), POISONED, ids=lambda p: str(p))
def test_the_gradient_is_a_number(
    formula: str, inputs: dict[str, str], point: dict[str, float]
) -> None:
    loss = loss_of(formula, **inputs)
    naive = gradient(loss, NO_RULES | GUARDS, **point)
    assert math.isnan(naive["x"])
    found = gradient(loss, NO_RULES, **point)
    assert not math.isnan(found["x"])


HARMLESS = [
    ("where(x > 0, x, -x)", {"x": "real[...]"}),
    ("where(x > 0, 2*x, x/3)", {"x": "real[...]"}),
    ("where(x < 1, log1p(exp(-abs(x))), x)", {"x": "real[...]"}),
    (
        "where(y == 1, softplus(-x), softplus(x))",
        {"x": "real[...]", "y": "binary[...]"},
    ),
    ("where(x > 0, sqrt(1 + abs(x)), x)", {"x": "real[...]"}),
    ("where(x > 0.25, log(x + 1), 0)", {"x": "unit[...]"}),
    ("where(x < 0, exp(x), x)", {"x": "negative[...]"}),
    ("Max(x*y, (x - 1)*y)", {"x": "real[...]", "y": "real[...]"}),
    ("Max(0, 1 - x*y)", {"x": "real[...]", "y": "sign[...]"}),
    ("clip(x - y, -1, 1)", {"x": "real[...]", "y": "real[...]"}),
    ("m*abs(x)", {"x": "real[...]", "m": "binary[...]"}),
    ("relu(x)*exp(x)", {"x": "real[...]"}),
    ("relu(x)*y", {"x": "real[...]", "y": "real[...]"}),
    # What loses a maximum has not overflowed.
    ("Max(1, x**2 + exp(x) - x)", {"x": "real[...]"}),
    ("Max(1, Mean(x[b]**2 + exp(x[b]), b)/2)", {"x": "real[B]"}),
    (
        "where(Max(x, y) >= 16, Min(x, y)*log(20 + Min(x, y)), 0)",
        {"x": "positive[...]", "y": "positive[...]"},
    ),
]


@pytest.mark.parametrize(("formula", "inputs"), HARMLESS, ids=lambda p: str(p))
def test_nothing_is_guarded_without_need(formula: str, inputs: dict[str, str]) -> None:
    stable = stabilize(loss_of(formula, **inputs), ())
    assert not stable.steps
    assert stable.loss.expression == loss_of(formula, **inputs).expression


@pytest.mark.parametrize(
    ("formula", "inputs", "expected"),
    [
        (
            "where(x > 0, log(x), 0)",
            {"x": "real[...]"},
            "where(x > 0, log(where(x > 0, x, 1)), 0)",
        ),
        (
            "where(x <= 0, 0, log(x))",
            {"x": "real[...]"},
            "where(x <= 0, 0, log(where(x <= 0, 1, x)))",
        ),
        (
            "Sum(log(x[i]), i, where=x[i] > 0)",
            {"x": "real[I]"},
            "Sum(log(where(x[i] > 0, x[i], 1)), i, where=x[i] > 0)",
        ),
        (
            "m*log(x)",
            {"x": "positive[...]", "m": "mask[...]"},
            "where(m != 0, log(where(m != 0, x, 1)), 0)",
        ),
        (
            "where(n > 0, x/n, 0)",
            {"x": "real[...]", "n": "count[...]"},
            "where(n > 0, x/where(n > 0, n, 1), 0)",
        ),
        ("s*x**2", {"x": "real[...]", "s": "binary[...]"}, "where(s == 1, x**2, 0)"),
        (
            "(1 - s)*x**2",
            {"x": "real[...]", "s": "binary[...]"},
            "where(s == 0, x**2, 0)",
        ),
    ],
)
def test_what_is_emitted(formula: str, inputs: dict[str, str], expected: str) -> None:
    assert guarded(formula, **inputs) == expected


def test_only_what_is_needed_is_replaced() -> None:
    found = guarded("where(x > 0, y*log(x), 0)", x="real[...]", y="unit[...]")
    assert found == "where(x > 0, y*log(where(x > 0, x, 1)), 0)"


def test_a_choice_that_python_makes_needs_no_guard() -> None:
    text = (
        '[Tried]\nsummary = "For a test."\ninputs.x = "real[...]"\nparams.a = "real = 1.0"\n'
        'loss = "where(a > 0, exp(x), x**3)"\n'
    )
    (loss,) = losses_from_text(text)
    assert not stabilize(loss, ()).steps


def test_what_a_parameter_may_make_small_is_guarded_by_its_result() -> None:
    text = (
        '[Tried]\nsummary = "For a test."\ninputs.x = "real[...]"\ninputs.t = "real[...]"\n'
        'params.c = "positive = 2.0"\n'
        'loss = "where(abs(x*exp(t)/c) <= 1, 0, log(abs(x*exp(t)/c)))"\n'
    )
    (loss,) = losses_from_text(text)
    bare = gradient(loss, NO_RULES | GUARDS, x=0.0, t=0.0)
    assert math.isnan(bare["x"]) or math.isnan(bare["t"])
    assert gradient(loss, NO_RULES, x=0.0, t=0.0) == {"x": 0.0, "t": 0.0}
    far = gradient(loss, NO_RULES, x=4.0, t=1.0)
    assert far == pytest.approx({"x": 0.25, "t": 1.0})


def test_guards_are_named_after_what_they_guard() -> None:
    stable = stabilize(loss_of("where(x > 0, log(x), 0)", x="real[...]"), ())
    (safe,) = [
        n
        for n in walk(stable.loss.expression)
        if isinstance(n, Select) and n != stable.loss.expression
    ]
    assert safe.origin.name == "safe_x"
    assert safe.origin.guard is not None
    assert safe.origin.guard.rule == "dead-branch"


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_guards_can_be_left_out(guard: str) -> None:
    formulas = {
        "dead-branch": ("where(x > 0, log(x), 0)", {"x": "real[...]"}),
        "mask-as-select": ("m*log(x)", {"x": "positive[...]", "m": "mask[...]"}),
        "choice-as-select": ("Max(log(x), -100)", {"x": "nonnegative[...]"}),
        "vanishing-factor": ("relu(x)*x**6", {"x": "real[...]"}),
    }
    formula, inputs = formulas[guard]
    loss = loss_of(formula, **inputs)
    assert guard in [s.rule for s in stabilize(loss, ()).steps]
    assert guard not in [
        s.rule for s in stabilize(loss, (), without=frozenset({guard})).steps
    ]


@pytest.mark.parametrize(
    ("formula", "slope"),
    [
        ("relu(x)*exp(-x)", 0.0),
        ("Max(0, x)*exp(-x)", 0.5),
        ("clip(x, 0, 1)*exp(-x)", 1),
    ],
)
def test_the_end_of_a_region_keeps_its_derivative(formula: str, slope: float) -> None:
    loss = loss_of(formula, x="real[...]")
    assert "vanishing-factor" in [s.rule for s in stabilize(loss, ()).steps]
    assert gradient(loss, NO_RULES, x=0.0) == {"x": slope}


def test_what_a_dropped_select_drops_is_harmless_too() -> None:
    # Where x is beyond 1 the inner select is dropped, and what it would not take overflows.
    formula = "where(abs(x) > 1, y, where(abs(x) < 1, sinh(x), x))"
    loss = loss_of(formula, x="real[...]", y="real[...]")
    assert gradient(loss, NO_RULES, x=1e4, y=1.0) == {"x": 0.0, "y": 1.0}


def test_a_root_has_no_slope_at_0_whatever_its_sign_is_elsewhere() -> None:
    loss = loss_of("sqrt(x*y - x)", x="real[...]", y="real[...]")
    assert gradient(loss, frozenset(), x=0.0, y=0.0) == {"x": 0.0, "y": 0.0}


PAIRS = """
[Tried]
summary = "For a test."
inputs.z = "real[B, D]"
indices = { i = "B", j = "B" }
loss = "FORMULA"
"""


def pairs(formula: str) -> Loss:
    (loss,) = losses_from_text(PAIRS.replace("FORMULA", formula))
    return loss


def test_what_other_pairs_need_is_not_guarded() -> None:
    """``u[j]`` is dropped at ``i == j`` and kept beside every other ``i``."""
    length = "sqrt(Sum(z[{0},d]**2, d) + 1)"
    difference = f"{length.format('i')} - {length.format('j')}"
    loss = pairs(f"Sum(exp({difference}), j, where=i != j)")
    text = format_expression(stabilize(loss, ()).loss.expression)
    assert text.count("where(i != j") == 1
    assert "sqrt(where" not in text


def test_what_every_true_class_needs_is_not_guarded() -> None:
    """Each sample has its class, so that ``x[b]`` is kept beside one ``c``."""
    formula = "where(c == t[b], sqrt(1 + 1/x[b]), y[b, c])"
    assert (
        guarded(formula, x="nonnegative[B]", y="real[B, C]", t="index(C)[B]") == formula
    )


def test_what_classes_without_samples_drop_is_guarded() -> None:
    found = guarded(
        "where(c == t[b], 1/w[c], y[b,c])",
        w="nonnegative[C]",
        y="real[B, C]",
        t="index(C)[B]",
    )
    assert found == "where(c == t[b], 1/where(c == t[b], w[c], 1), y[b, c])"


def test_directions_of_true_classes_stay_short() -> None:
    """What every class needs is known to be bounded where it is left out of the branch, too."""
    formula = "where(c == t[b], y[b], Sum((normalize(x[b,d], d) - normalize(w[c,d], d))**2, d))"
    loss = loss_of(
        formula, x="real[B, D]", w="real[C, D]", y="real[B]", t="index(C)[B]"
    )
    assert "dead-branch" not in {step.rule for step in stabilize(loss).steps}


@pytest.mark.parametrize(
    ("side", "guarded"), [("normalize({}, d)", False), ("{}", True)]
)
def test_cosines_need_no_guard(side: str, guarded: bool) -> None:
    """Sums of products of directions are small, whatever they are multiplied by."""
    left, right = side.format("x[b,d]"), side.format("w[c,d]")
    loss = loss_of(
        f"where(c == t[b], a[b]*Sum({left}*{right}, d), 0)",
        x="real[B, D]",
        w="real[C, D]",
        a="unit[B]",
        t="index(C)[B]",
    )
    rules = {step.rule for step in stabilize(loss).steps}
    assert ("dead-branch" in rules) == guarded


def test_labels_that_are_no_places_say_nothing_of_what_is_kept() -> None:
    found = guarded(
        "where(c == t[b], 1/x[b], y[b,c])",
        x="nonnegative[B]",
        y="real[B, C]",
        t="integer[B]",
    )
    assert found == "where(c == t[b], 1/where(c == t[b], x[b], 1), y[b, c])"


def test_what_belongs_to_the_pair_is_guarded() -> None:
    loss = pairs("Sum(sqrt(Sum((z[i,d] - z[j,d])**2, d)), j, where=i != j)")
    assert "where(i != j, z" in format_expression(stabilize(loss, ()).loss.expression)
    source = compile_losses((loss,), origin="test", without=NO_RULES)
    z = torch.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    Accused.load(loss, source.text).call({"z": z}).sum().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


@pytest.mark.parametrize(
    ("factor", "row"),
    [
        ("z[i,d]**3", (1e15, 1.0)),
        ("(z[i,d] - log(relu(z[i,d])))", (0.0, 1.0)),
    ],
)
def test_an_infinite_factor_of_a_dropped_pair(
    factor: str, row: tuple[float, float]
) -> None:
    """The product of matrices would multiply it with the gradient 0 of the pair."""
    loss = pairs(f"Mean(Sum({factor}*z[j,d], d), j, where=i > j)")
    source = compile_losses((loss,), origin="test", without=NO_RULES)
    z = torch.tensor([[2.0, 1.0], row], dtype=torch.float32, requires_grad=True)
    Accused.load(loss, source.text).call({"z": z})[0].backward()
    assert z.grad is not None
    assert not z.grad[1].isnan().any()


@pytest.mark.parametrize(
    "factor",
    [
        "exp(z[i,d])",
        "log(z[i,d]**2)",
        "normalize(z[i,d] + log(relu(z[i,d])), d)",
    ],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_what_no_pair_keeps_is_not_right_anyway(factor: str, rows: int) -> None:
    """Of ``i > j`` the first row keeps none, and so does a batch of one."""
    loss = pairs(f"Sum(Sum((z[i,d] + {factor})*z[j,d], d), j, where=i > j)")
    source = compile_losses((loss,), origin="test", without=NO_RULES)
    far = [200.0, 0.0]
    z = torch.tensor([far, [1.0, 2.0]][:rows], requires_grad=True)
    value = Accused.load(loss, source.text).call({"z": z}, reduction="sum")
    (slope,) = torch.autograd.grad(value, z, create_graph=True)
    assert slope.isfinite().all()
    if slope.requires_grad:
        (second,) = torch.autograd.grad(slope.sum(), z, allow_unused=True)
        assert second is None or not second.isnan().any()
    if rows == 1:
        assert (value.item(), slope.abs().sum().item()) == (0, 0)


def test_what_is_finite_needs_no_pair_that_keeps_it() -> None:
    loss = pairs("Sum(Sum(exp(-z[i,d]**2)*z[j,d], d), j, where=i != j)")
    assert "Sum(1" not in format_expression(stabilize(loss, ()).loss.expression)


def test_ramps_of_what_is_finite_stay_ramps() -> None:
    """A slope of 0 takes no harm from what only grows, nor from a variance."""
    for formula in (
        "relu(1 - sqrt(Sum(z[i,d]**2, d) + 1))",
        "relu(1 - var(z[i,d], d))",
    ):
        loss = pairs(formula)
        assert "relu(" in format_expression(stabilize(loss, ()).loss.expression)


def test_the_end_of_a_ramp_has_the_slope_0() -> None:
    loss = loss_of("relu(log(x))", x="nonnegative[...]")
    assert gradient(loss, NO_RULES, x=1.0) == {"x": 0.0}
    assert gradient(loss, NO_RULES, x=2.0) == {"x": 0.5}


def test_finite_factors_of_pairs_stay_a_product_of_matrices() -> None:
    loss = pairs("Mean(Sum(exp(-z[i,d]**2)*z[j,d], d), j, where=i != j)")
    assert "where(i != j, exp" not in format_expression(
        stabilize(loss, ()).loss.expression
    )
    assert " @ " in compile_losses((loss,), origin="test").text


@pytest.mark.parametrize(
    "formula",
    [
        "hypot(exp(x), 1)",
        "logaddexp(exp(x), 1)",
        "lgamma(1 + exp(x))",
        "xlogy(exp(x), 2)",
    ],
)
def test_what_is_as_large_as_its_argument_may_overflow_with_it(formula: str) -> None:
    spec = f'[ProbeLoss]\ninputs.x = "real[...]"\nloss = "{formula}"\n'
    (loss,) = losses_from_text(spec, "probe.toml")
    tame = Protector.of_loss(loss, RULES, []).tame
    found = tame.analyse(loss.expression, Ranges.of_loss(loss))
    assert found.size is Extent.HUGE
