"""Docstrings: symbols, domains, kinks, worked examples."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.compiler.docs import class_docstring, module_docstring
from losscodegen.compiler.example import example_lines, print_tensor
from losscodegen.compiler.kinks import kink_sentences
from losscodegen.ir.loss import Loss
from losscodegen.language.parse import losses_from_text


def one(text: str) -> Loss:
    (loss,) = losses_from_text(f"[ProbeLoss]\n{text}", "probe.toml")
    return loss


def docstring(text: str) -> str:
    return "\n".join(class_docstring(one(text)))


# ---------------------------------------------------------------- kinks

ABS = "The derivative of the absolute value at 0 is 0."
RELU = "The derivative of the positive part at 0 is 0."
TIE = "Arguments that tie for a maximum share its derivative equally."
TIES = "Arguments that tie for a maximum or minimum share its derivative equally."
ENTRIES = "Entries that tie for the maximum share its derivative equally."
NORM = "The gradient of the norm at 0 is 0."

KINKS = [
    ("abs(x - y)", ABS),
    ("abs(x)*abs(y)", ABS),
    ("relu(x) + abs(x)", f"{RELU} {ABS}"),
    ("max(x, y)", TIE),
    ("min(x, 1) + max(x, y)", TIES),
    (
        "clip(x, -a, a)",
        "At the ends of a clipped range the derivative is that of the inside.",
    ),
    # Nothing that is differentiated moves the argument.
    ("abs(a - 2)*x", ""),
    ("x*max(b, 0)", ""),
    ("x*detach(abs(y))", ""),
    # The kink is outside of the domain.
    ("abs(p)*x", ""),
    ("hypot(x, a)", ""),
    ("hypot(x, y)", "The gradient of the length at 0 is 0."),
    ("max(p, -1)", ""),
    # A power flattens it, unless it is the first.
    ("abs(x)**2", ""),
    ("abs(x)**3", ""),
    ("relu(1 - x*y)**2", ""),
    ("max(1 - x*y, 0)**2", ""),
    ("max(x, y)**2", TIE),
    ("sqrt(abs(x))", ABS),
    ("cosh(abs(x))", ""),
    # A condition is not differentiated, and rules points out.
    ("where(abs(x) <= 1, x**2/2, x)", ""),
    ("Piecewise((x**2/2, abs(x) <= a), (a*(abs(x) - a/2), True))", ""),
    ("Piecewise((abs(x), abs(x) <= a), (x**2, True))", ABS),
    ("where(x > 0, abs(x), x)", ""),
]


DECLARED = (
    'inputs.x = "real[...]"',
    'inputs.y = "real[...]"',
    'inputs.p = "positive[...]"',
    'inputs.b = "binary[...]"',
    'params.a = "positive = 1.0"',
)


@pytest.mark.parametrize(("formula", "expected"), KINKS)
def test_kinks(formula: str, expected: str) -> None:
    used = set(re.findall(r"\b[a-z]\b", formula))
    declared = [line for line in DECLARED if line[len("inputs.")] in used]
    loss = one("\n".join([*declared, f'loss = "{formula}"']))
    assert kink_sentences(loss) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("amax(x, d)", ENTRIES),
        ("norm(x, d)", NORM),
        ("norm(x, d)**2", ""),
        ("Sum(abs(x), d)", ABS),
    ],
)
def test_kinks_of_axes(formula: str, expected: str) -> None:
    loss = one(f'inputs.x = "real[B, D]"\nloss = "{formula}"')
    assert kink_sentences(loss) == expected


def test_kinks_of_definitions() -> None:
    """A definition of parameters alone has none, one of inputs has."""
    text = 'inputs.x = "real[...]"\nparams.a = "real = 1.0"\nlet = "{}"\nloss = "k*a*x"'
    assert kink_sentences(one(text.format("k = abs(a - 2)"))) == ""
    assert kink_sentences(one(text.format("k = abs(x - 2)"))) == ABS


# ---------------------------------------------------------------- symbols and domains


def test_symbols_are_explained_once() -> None:
    """By a sentence, or together with the domain of a number; not where they are plain."""
    text = docstring("""
        inputs.x = { type = "real[...]", arg = "prediction" }
        inputs.weight = "real[...]"
        params.d = { type = "positive = 1.0", arg = "delta", doc = "slope" }
        params.full = { type = "bool = false", doc = "whether to add 1" }
        loss = "weight*x*d + (1 if full else 0)"
        """)
    assert "Here :math:`x` is ``prediction``.\n" in text
    assert "    delta: Slope, :math:`d > 0`.\n" in text
    assert "    full: Whether to add 1.\n" in text


def test_stopped_gradients_are_explained() -> None:
    text = docstring('inputs.x = "real[...]"\nloss = "x*detach(x)"')
    assert "Here :math:`\\operatorname{sg}` holds its argument constant" in text


SCALARS = [
    ("positive = 1.0", r":math:`a > 0`"),
    ("nonnegative = 1.0", r":math:`a \ge 0`"),
    ("negative = -1.0", r":math:`a < 0`"),
    ("unit = 0.5", r":math:`0 \le a \le 1`"),
    ("real = 0.5", "a real number :math:`a`"),
    ("count = 2", r"an integer :math:`a \ge 0`"),
    ("integer = 2", "an integer"),
    ("real in (0, 1) = 0.5", ":math:`0 < a < 1`"),
    ("real in [1, oo) = 2.0", r":math:`1 \le a < \infty`"),
    ("real in (-oo, 1] = 0.5", r":math:`-\infty < a \le 1`"),
]


@pytest.mark.parametrize(("declared", "expected"), SCALARS)
def test_domain_of_a_number(declared: str, expected: str) -> None:
    text = docstring(f"""
        inputs.x = "real[...]"
        params.a = {{ type = "{declared}", doc = "scale." }}
        loss = "a*x"
        """)
    assert f"    a: Scale, {expected}.\n" in text


TENSORS = [
    ("real", "predictions", "; predictions"),
    ("real", "", ""),
    ("positive", "rates", "; rates, positive"),
    ("nonnegative", "rates", "; rates, non-negative"),
    ("unit", "rates", "; rates, in :math:`[0, 1]`"),
    ("real in (0, 1)", "rates", "; rates, in :math:`(0, 1)`"),
    ("real in (-1, oo)", "rates", r"; rates, in :math:`(-1, \infty)`"),
    ("binary", "true classes", "; true classes, 0 or 1"),
    ("binary", "1 for an event", "; 1 for an event, otherwise 0"),
    ("binary", "1 for an event, 0 for none", "; 1 for an event, 0 for none"),
    ("mask", "1 for tokens that count", "; 1 for tokens that count, otherwise 0"),
    ("sign", "true classes, -1 or 1", "; true classes, -1 or 1"),
    ("sign", "1 for a pair", "; 1 for a pair, otherwise -1"),
    ("count", "observed counts", "; observed counts, non-negative integers"),
    ("count", "ranks, 0 to K", "; ranks, 0 to K"),
]


@pytest.mark.parametrize(("domain", "doc", "expected"), TENSORS)
def test_domain_of_an_input(domain: str, doc: str, expected: str) -> None:
    """Neither what the documentation says already nor what the name says is said again."""
    kind, _, interval = domain.partition(" ")
    text = docstring(f"""
        inputs.x = "real[...]"
        inputs.y = {{ type = "{kind}[...] {interval}", doc = "{doc}" }}
        loss = "x*y"
        """)
    assert f"- y: :math:`(*)`, same shape as x{expected}.\n" in text


def test_an_input_is_not_documented_by_its_own_name() -> None:
    text = docstring("""
        inputs.x = { type = "real[...]", arg = "prediction", doc = "predictions" }
        loss = "x"
        """)
    assert "- prediction: :math:`(*)`, any shape.\n" in text


def test_indices_and_distributions() -> None:
    text = docstring("""
        inputs.x = { type = "real[B, C, ...]", doc = "scores" }
        inputs.q = { type = "simplex(C)[B, C, ...]", doc = "probabilities" }
        inputs.t = { type = "index(C)[B, ...]", doc = "classes, or `-100`" }
        loss = "x[b, t] + Sum(q, c)"
        """)
    assert (
        "- q: :math:`(B, C, *)`, same shape as x; probabilities, summing to 1 over\n"
        "      :math:`C`." in text
    )
    assert (
        "- t: :math:`(B, *)`, integers in :math:`[0, C)`; classes, or ``-100``." in text
    )
    assert "- output: scalar, or :math:`(B, *)` if" in text


def test_optional_tensors() -> None:
    text = docstring("""
        inputs.x = "real[B, C]"
        params.w = { type = "nonnegative[C] = none", doc = "weights, one if left out" }
        loss = "Sum(w*x, c)"
        """)
    assert (
        "    w: Weights, one if left out. A tensor of shape :math:`(C)`, non-negative.\n"
        in text
    )


# ---------------------------------------------------------------- free text


def test_back_quotes_become_code_and_mathematics_stays() -> None:
    text = docstring("""
        inputs.x = "real[...]"
        description = "See `eps` and ``old`` and :math:`x + y`."
        loss = "x"
        """)
    assert "See ``eps`` and ``old`` and :math:`x + y`." in text


def test_quoted_text_is_not_broken() -> None:
    words = " ".join(["word"] * 30)
    text = docstring(f"""
        inputs.x = "real[...]"
        notes = "{words} :math:`a + b + c + d + e + f + g` {words}."
        loss = "x"
        """)
    assert ":math:`a + b + c + d + e + f + g`" in text
    assert max(map(len, text.split("\n"))) <= 84


@pytest.mark.parametrize("length", [10, 82, 83, 200])
def test_module_docstring_fits(length: int) -> None:
    text = ("word " * length)[: length - 1] + "x"
    lines = module_docstring(text)
    assert " ".join(lines).strip() == text
    quoted = "\n".join(["", *lines]).replace("\n", '"""', 1) + '"""'
    assert max(map(len, quoted.split("\n"))) <= 88


# ---------------------------------------------------------------- examples


def example(text: str, values: str) -> list[str]:
    return example_lines(one(f"{text}\nexample = {values}"))


def test_short_example() -> None:
    lines = example(
        'inputs.x = "real[...]"\nparams.a = "positive = 1.0"\nloss = "a*x"',
        "{ x = [1.0, 2.0], a = 2.0, result = [2.0, 4.0] }",
    )
    assert lines == [
        ">>> import torch",
        '>>> loss = ProbeLoss(a=2.0, reduction="none")',
        ">>> loss(torch.tensor([1.0, 2.0]))",
        "tensor([2., 4.])",
    ]


def test_long_example() -> None:
    numbers = ", ".join(["0.125"] * 9)
    lines = example(
        'inputs.x = "real[B, D]"\nparams.w = "positive[D]"\nloss = "Sum(w*x, d)"',
        f"{{ x = [[{numbers}], [{numbers}]], w = [{numbers}], result = [0.140625, 0.140625] }}",
    )
    assert max(map(len, lines)) <= 80
    assert '>>> loss = ProbeLoss(w=w, reduction="none")' in lines
    assert "...         [" + numbers + "]," in lines


def test_long_constructor() -> None:
    """Broken where Black would break it."""
    names = [f"parameter_number_{k}" for k in range(4)]
    declared = "\n".join(f'params.{n} = "positive = 1.0"' for n in names)
    given_ = ", ".join(f"{n} = 2.0" for n in names)
    lines = example(
        f'inputs.x = "real[...]"\n{declared}\nloss = "x*{"*".join(names)}"',
        f"{{ x = [1.0], {given_}, result = [16.0] }}",
    )
    assert lines[1:4] == [
        ">>> loss = ProbeLoss(",
        "...     parameter_number_0=2.0,",
        "...     parameter_number_1=2.0,",
    ]


def test_learnable_parameters_are_detached() -> None:
    """Else the doctest would print their grad_fn; a number is given as a number."""
    lines = example(
        'inputs.x = "real[...]"\nparams.s = "real = 1.0"\nlearnable = ["s"]\nloss = "s*x"',
        "{ x = [1.0], s = 2.0, result = [2.0] }",
    )
    assert lines[1:] == [
        '>>> loss = ProbeLoss(s=2.0, reduction="none")',
        ">>> loss(torch.tensor([1.0])).detach()",
        "tensor([2.])",
    ]


def test_no_example_no_section() -> None:
    assert "Example:" not in docstring('inputs.x = "real[...]"\nloss = "x"')


# ---------------------------------------------------------------- how torch prints

PRINTED: list[Any] = [
    (0.125, 2.5),
    (0.6931471805, 2.061e-9),
    (1.0, 2.0),
    (1.0, 2000.0),
    (1.0, 1000.0, 0.0),
    (-0.0, 1.0),
    (-0.0, 0.5),
    (0.0, 0.0),
    (0.0, math.inf),
    (1.0, -math.inf, math.nan),
    (0.5, math.nan),
    (2e9, 1e9),
    (1e-5, 2e-5),
    (123456.0, 0.5),
    (1e38, 1e-38),
    (1e-45, 0.0),
    ((3.0, 4.0), (0.5, -1.0)),
    (((1.0,), (-2.0,)), ((3.0,), (4.0,))),
    ((((0.5, 1.0),),), (((2.0, 3.0),),)),
    tuple(float(k) for k in range(40)),
    (tuple(k / 7 for k in range(20)), tuple(-k / 7 for k in range(20))),
    0.25,
    -0.0,
    1e-7,
    12345678.0,
    123456789.0,
    math.nan,
    math.inf,
]


@pytest.mark.parametrize("value", PRINTED, ids=str)
def test_print_tensor(value: Any) -> None:
    assert print_tensor(value) == repr(torch.tensor(value))


FLOATS = st.one_of(
    st.floats(width=32),
    st.integers(-(10**6), 10**6).map(float),
    st.floats(-10, 10).map(lambda x: round(x, 3)),
)


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=4))
def test_print_tensor_of_any_matrix(rows: list[list[float]]) -> None:
    value = tuple(map(tuple, rows))
    assert print_tensor(value) == repr(torch.tensor(value, dtype=torch.float32))


@given(st.lists(FLOATS, min_size=1, max_size=30))
def test_print_tensor_of_any_vector(entries: list[float]) -> None:
    assert print_tensor(tuple(entries)) == repr(
        torch.tensor(entries, dtype=torch.float32)
    )


def test_an_overflowing_number_is_infinite() -> None:
    assert print_tensor((1e39, -1e39)) == repr(torch.tensor([1e39, -1e39]))


def test_summary_is_the_name_where_there_is_none() -> None:
    loss = replace(one('inputs.x = "real[...]"\nloss = "x"'), summary="")
    assert class_docstring(loss)[0] == "ProbeLoss"
