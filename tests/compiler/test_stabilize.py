"""The whole stage: what comes out, what is noted, and that it comes to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

from losscodegen.compiler.stabilize import stabilize
from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Call, Read, Use
from losscodegen.ir.walk import free_indices, inline_loss, walk
from losscodegen.language.parse import load_losses, losses_from_text
from losscodegen.language.printer import format_expression

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.toml"))


def loss_of(formula: str, let: str = "", **inputs: str) -> Loss:
    declared = "\n".join(f'{name} = "{text}"' for name, text in inputs.items())
    text = (
        f'[Tried]\nsummary = "For a test."\nloss = "{formula}"\nlet = "{let}"\n'
        f"[Tried.inputs]\n{declared}\n"
    )
    (loss,) = losses_from_text(text)
    return loss


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_library(path: Path) -> None:
    for loss in load_losses(path):
        stable = stabilize(loss)
        after = stable.loss
        assert not any(isinstance(n, Use) for n in walk(after.expression))
        assert set(free_indices(after.expression)) <= set(loss.free)
        assert (after.inputs, after.parameters) == (loss.inputs, loss.parameters)
        known = {v.name for v in loss.variables}
        for step in stable.steps:
            assert step.before != step.after
            assert step.why.endswith(".")
        read = {n.name for n in walk(after.expression) if isinstance(n, Read)}
        assert read <= known
        assert stabilize(loss) == stable


@pytest.mark.parametrize(
    ("formula", "inputs", "expected"),
    [
        ("log(1 + exp(-y*x))", {"x": "real[...]", "y": "sign[...]"}, "softplus(-y*x)"),
        ("-log(1/(1 + exp(-x)))", {"x": "real[...]"}, "-logsigmoid(x)"),
        ("1/(1 + exp(2*x))**2", {"x": "real[...]"}, "exp(logsigmoid(-2*x))**2"),
        (
            "sqrt((x - y)**2 + 4)",
            {"x": "real[...]", "y": "real[...]"},
            "where(abs(x - y) <= 2, hypot(x - y, 2), "
            "abs(x - y) + 4/(hypot(x - y, 2) + abs(x - y)))",
        ),
        (
            "where(abs(x - y) > 2, 2*(abs(x - y) - 1), (x - y)**2/2)",
            {"x": "real[...]", "y": "real[...]"},
            "clip(x - y, -2, 2)*((x - y) - 0.5*clip(x - y, -2, 2))",
        ),
        (
            "where(abs(x - y) < 1, (x - y)**2/2, abs(x - y) - 1/2)",
            {"x": "real[...]", "y": "real[...]"},
            "clip(x - y, -1, 1)*((x - y) - 0.5*clip(x - y, -1, 1))",
        ),
        (
            "(x - y)**2/v",
            {"x": "real[...]", "y": "real[...]", "v": "positive[...]"},
            "((x - y)/sqrt(v))**2",
        ),
        (
            "2 - 2*sigmoid(x) + x",
            {"x": "real[...]"},
            "2*where(abs(x) < 1, 0.5 + 0.5*tanh(-0.5*x), exp(logsigmoid(-x))) + x",
        ),
        ("exp(x)*exp(-x)", {"x": "real[...]"}, "exp(x - x)"),
    ],
)
def test_formulas(formula: str, inputs: dict[str, str], expected: str) -> None:
    assert (
        format_expression(stabilize(loss_of(formula, **inputs)).loss.expression)
        == expected
    )


@pytest.mark.parametrize(
    "formula",
    [
        "(x - y)**2",
        "x*y/2 - x",
        "abs(x - y)*2 + 1/3",
        "Max(x, y) - exp(x)",
        "-x**2/3*y",
    ],
)
def test_what_needs_no_rule_stays_as_written(formula: str) -> None:
    loss = loss_of(formula, x="real[...]", y="real[...]")
    stable = stabilize(loss)
    assert not stable.steps
    assert stable.loss.expression is inline_loss(loss).expression or (
        stable.loss.expression == loss.expression
    )


_MIXTURE = "(1 - y)*softplus(x) + y*softplus(-x)"


@pytest.mark.parametrize(
    ("formula", "inputs", "rule", "fires"),
    [
        # The split serves the gradient by y, and a label has none.
        (_MIXTURE, {"y": "unit[...]"}, "cross-entropy-split", True),
        (_MIXTURE, {"y": "binary[...]"}, "cross-entropy-split", False),
        # relu hands nothing on where it is 0.
        ("abs(x)**y", {"y": "nonnegative[...]"}, "power-at-zero", True),
        ("relu(x)**y", {"y": "nonnegative[...]"}, "power-at-zero", False),
        ("sigmoid(x)**y", {"y": "nonnegative[...]"}, "sigmoid-power", True),
        # What weights may be of any size; pairs are many.
        ("y*softplus(x)", {"y": "real[...]"}, "weighted-softplus", True),
        ("y*softplus(x)", {"y": "unit[...]"}, "weighted-softplus", False),
        (
            "Sum(y[c]*softplus(x + y[c]), c)",
            {"y": "real[..., C]"},
            "weighted-softplus",
            False,
        ),
        # Second derivatives are for losses of one element.
        ("softplus(x) + y", {"y": "real[...]"}, "softplus-tail", True),
        ("softplus(-abs(x)) + y", {"y": "real[...]"}, "softplus-tail", False),
        # The slope of a sigmoid in a product counts for more than how it bends.
        ("3*sigmoid(x) + y", {"y": "real[...]"}, "sigmoid-bend", True),
        ("sigmoid(x)**2 + y", {"y": "real[...]"}, "sigmoid-bend", False),
        ("x*sigmoid(x) + y", {"y": "real[...]"}, "sigmoid-bend", False),
        # A width that is learned has a second derivative of its own.
        ("sqrt(x**2 + 1) + y", {"y": "real[...]"}, "hypot-tail", True),
        ("sqrt(x**2 + y**2)", {"y": "positive[...]"}, "hypot-tail", False),
        ("Mean(softplus(x + z[c]), c)", {"z": "real[..., C]"}, "softplus-tail", False),
    ],
)
def test_a_rule_stays_out_where_its_fault_cannot_be(
    formula: str, inputs: dict[str, str], rule: str, fires: bool
) -> None:
    steps = stabilize(loss_of(formula, x="real[...]", **inputs)).steps
    assert (rule in {step.rule for step in steps}) is fires


def test_what_is_computed_anew_in_one_place_is_so_in_all() -> None:
    loss = loss_of("where(x < 0, softplus(x), 2*softplus(x))", x="real[...]")
    found = {
        node.origin.helped
        for node in walk(stabilize(loss).loss.expression)
        if isinstance(node, Call) and node.op == "softplus"
    }
    assert found == {True}


def test_the_code_of_balanced_rules_is_left_as_it_is() -> None:
    loss = loss_of("exp(x) - x - 1", x="real[...]")
    assert [s.rule for s in stabilize(loss).steps] == ["exp-minus-tangent"]


def test_names_of_definitions_survive() -> None:
    loss = loss_of("r**2 + log(1 + exp(r))", "r = x - y", x="real[...]", y="real[...]")
    names = {n.origin.name for n in walk(stabilize(loss).loss.expression)}
    assert "r" in names


def test_rules_name_what_they_introduce() -> None:
    loss = loss_of("logsumexp(x, c) - x[b,t]", x="real[B, C]", t="index(C)[B]")
    stable = stabilize(loss)
    names = {n.origin.name for n in walk(stable.loss.expression)}
    assert "rivals" in names
    guards = {
        n.origin.guard.rule for n in walk(stable.loss.expression) if n.origin.guard
    }
    assert guards == {"cross-entropy-as-margin"}


def test_steps_tell_what_happened() -> None:
    loss = loss_of("-log(1/(1 + exp(-x)))", x="real[...]")
    steps = stabilize(loss).steps
    names = [s.rule for s in steps]
    assert names == ["sigmoid", "logsigmoid", "logsigmoid-tail"]
    assert format_expression(steps[1].before) == "log(sigmoid(x))"
    assert format_expression(steps[1].after) == "logsigmoid(x)"


def test_without_rules_nothing_is_rewritten() -> None:
    loss = loss_of("log(1 + exp(x))", x="real[...]")
    assert not stabilize(loss, ()).steps


def test_a_margin_does_not_make_a_matrix_of_a_vector() -> None:
    loss = loss_of("Sum(log_softmax(x, c), c)", x="real[B, C]")
    assert "cross-entropy-as-margin" not in [s.rule for s in stabilize(loss).steps]


def test_a_known_domain_makes_a_guard_needless() -> None:
    formula = "where(x == 0, 0, log(x + y))"
    loose = stabilize(loss_of(formula, x="nonnegative[...]", y="nonnegative[...]"))
    assert [s.rule for s in loose.steps] == ["dead-branch"]
    tight = stabilize(loss_of(formula, x="nonnegative[...]", y="real[...] in [1, 2]"))
    assert not tight.steps


@pytest.mark.parametrize(
    ("kind", "expected"), [("integer", "x - 1"), ("real", "where(t == t, x - 1, x)")]
)
def test_whole_numbers_equal_themselves(kind: str, expected: str) -> None:
    loss = loss_of("where(t == t, x - 1, x)", x="real[...]", t=f"{kind}[...]")
    assert format_expression(stabilize(loss, ()).loss.expression) == expected


def test_a_choice_inside_the_same_choice_is_made_once() -> None:
    from fractions import Fraction

    from losscodegen.compiler.decided import decided
    from losscodegen.ir.nodes import Call, Number, Read, Switch

    def word(n: int) -> Call:
        return Call("eq", (Read("kind"), Number(Fraction(n))))

    x, y = Read("x"), Read("y")
    inner = Switch(word(0), x, Switch(word(1), y, Call("exp", (x,))))
    found = decided(Switch(word(1), inner, inner))
    assert found == Switch(word(1), y, Switch(word(0), x, Call("exp", (x,))))


def test_numbers_that_cancel_keep_their_digits() -> None:
    # float64 sees that an eps of 5e-4 lost three digits when it was taken from 1
    text = """
        [Tried]
        summary = "For a test."
        inputs.x = "real[...]"
        params.eps = "real in (0, 0.5) = 5e-4"
        loss = "x - log(1 - eps)"
    """
    (loss,) = losses_from_text(text)
    stable = stabilize(loss).loss
    assert format_expression(stable.expression) == "x - log1p(-eps)"


def test_the_hyperbolic_cosine_of_a_parameter_keeps_its_digits() -> None:
    text = '[T]\ninputs.x = "real[...]"\nparams.a = "real = 0.1"\nloss = "x*log(cosh(a))"\n'
    (loss,) = losses_from_text(text)
    assert "log-cosh" in [step.rule for step in stabilize(loss).steps]
