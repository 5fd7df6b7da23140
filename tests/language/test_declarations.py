"""Declarations: what they say, what is wrong with them, and that they are written as read."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from losscodegen.errors import LossCodegenError
from losscodegen.ir.loss import (
    Absent,
    Default,
    Domain,
    DomainKind,
    Interval,
    Role,
    Variable,
)
from losscodegen.language.declarations import (
    Declaration,
    parse_interval,
    read_declaration,
)
from losscodegen.language.domains import (
    BASE,
    admits,
    format_fraction,
    format_interval,
    meet,
)
from losscodegen.language.names import (
    argument_objection,
    axis_objection,
    camel_case,
    class_objection,
    closest,
    quoted,
    snake_case,
    symbol_objection,
)
from losscodegen.language.source import Source
from losscodegen.language.write import format_declaration

REAL, POSITIVE = Domain(kind=DomainKind.REAL), Domain(kind=DomainKind.POSITIVE)
HALF = Fraction(1, 2)


def real_in(low: int | None, high: int | None, brackets: str) -> Domain:
    interval = Interval(
        low=None if low is None else Fraction(low),
        high=None if high is None else Fraction(high),
        low_open=brackets[0] == "(",
        high_open=brackets[1] == ")",
    )
    return Domain(kind=DomainKind.REAL, interval=interval)


def says(
    domain: Domain, *axes: str, default: Default = Absent.REQUIRED
) -> tuple[Domain, tuple[str, ...], Default]:
    return domain, axes, default


def of(kind: DomainKind, axis: str | None = None, *choices: str) -> Domain:
    return Domain(kind=kind, axis=axis, choices=choices)


READ = {
    "real": says(REAL),
    "  real  ": says(REAL),
    "real[...]": says(REAL, "..."),
    "real[B, C, ...]": says(REAL, "B", "C", "..."),
    "real [ B ,\n ... , 4 ]": says(REAL, "B", "...", "4"),
    "real[N, D, D]": says(REAL, "N", "D", "D"),
    "real[Batch_1]": says(REAL, "Batch_1"),
    "real[..., 04]": says(REAL, "...", "4"),
    "positive = 1.0": says(POSITIVE, default=Fraction(1)),
    "positive=1e-7": says(POSITIVE, default=Fraction(1, 10**7)),
    "real = -10.0": says(REAL, default=Fraction(-10)),
    "real = +.5": says(REAL, default=HALF),
    "real = 3.": says(REAL, default=Fraction(3)),
    "real = 1/3": says(REAL, default=Fraction(1, 3)),
    "unit = 1 / 2": says(of(DomainKind.UNIT), default=HALF),
    "nonnegative[C] = none": says(of(DomainKind.NONNEGATIVE), "C", default=Absent.NONE),
    "positive = none": says(POSITIVE, default=Absent.NONE),
    "real in (0, 1) = 0.5": says(real_in(0, 1, "()"), default=HALF),
    "real[Q] in (0, 1) = none": says(real_in(0, 1, "()"), "Q", default=Absent.NONE),
    "real in [1, oo) = 2.0": says(real_in(1, None, "[)"), default=Fraction(2)),
    "real in (-oo, 0]": says(real_in(None, 0, "(]")),
    "real in (-oo, +oo)": says(real_in(None, None, "()")),
    "interval(0, 1) = 1": says(real_in(0, 1, "[]"), default=Fraction(1)),
    "interval(-oo, 1)": says(real_in(None, 1, "(]")),
    "interval(0, 1)[Q]": says(real_in(0, 1, "[]"), "Q"),
    "index(C)[B]": says(of(DomainKind.INDEX, "C"), "B"),
    "index(2)[...]": says(of(DomainKind.INDEX, "2"), "..."),
    "index(4) = 3": says(of(DomainKind.INDEX, "4"), default=Fraction(3)),
    "simplex(C)[B, C]": says(of(DomainKind.SIMPLEX, "C"), "B", "C"),
    "logprob(3)[..., 3]": says(of(DomainKind.LOGPROB, "3"), "...", "3"),
    "mask[B, L]": says(of(DomainKind.MASK), "B", "L"),
    "binary = 1": says(of(DomainKind.BINARY), default=Fraction(1)),
    "sign[...]": says(of(DomainKind.SIGN), "..."),
    "count = 1": says(of(DomainKind.COUNT), default=Fraction(1)),
    "integer = -100": says(of(DomainKind.INTEGER), default=Fraction(-100)),
    "bool = false": says(of(DomainKind.BOOL), default=False),
    "bool = true": says(of(DomainKind.BOOL), default=True),
    "bool": says(of(DomainKind.BOOL)),
    "choice(hard, soft)": says(of(DomainKind.CHOICE, None, "hard", "soft")),
    "choice(a, b, c) = b": says(
        of(DomainKind.CHOICE, None, "a", "b", "c"), default="b"
    ),
}

WRONG = {
    "": "^ expected a domain, got the end",
    "real[]": ".....^ expected an axis, got ']'",
    "real[B": "......^ expected ',' or ']', got the end",
    "real[B C]": ".......^ expected ',' or ']', got 'C'",
    "real[B,]": ".......^ expected an axis, got ']'",
    "real(B)": "....^ 'real' has no argument",
    "reel": "^^^^ unknown domain 'reel'",
    "Real": "^^^^ unknown domain 'Real'",
    "5": "^ expected a domain, got '5'",
    "real[b]": ".....^ 'b' is no axis name: it starts with a capital letter",
    "real[In]": ".....^^ 'In' makes an index called 'in', which is a keyword of Python",
    "real[Pi]": ".....^^ 'Pi' makes an index called 'pi', which is the number pi",
    "real[1.5]": ".....^^^ expected a size from 1 to 1000000, got '1.5'",
    "real[-1]": ".....^^ expected a size from 1 to 1000000, got '-1'",
    "real[99999999999]": ".....^^^^^^^^^^^ expected a size from 1 to 1000000, "
    "got '99999999999'",
    "real[12x]": ".....^^^ expected an axis, got '12x'",
    "real[..]": ".....^^ expected an axis, got '..'",
    "index": ".....^ expected '(', got the end",
    "index()": "......^ expected an axis, got ')'",
    "index(C": ".......^ expected ')', got the end",
    "index(...)[B]": "......^^^ expected an axis, got '...'",
    "simplex(D)[D, D]": "^^^^^^^^^^^^^^^^ 'simplex(D)' must have the axis D once",
    "choice": "......^ expected '(', got the end",
    "choice()": ".......^ expected a word, got ')'",
    "choice(a, a)": "..........^ the word 'a' stands twice",
    "choice(a, 1)": "..........^ expected a word, got '1'",
    "choice(a, b)[B]": "^^^^^^^^^^^^^^^ a choice has no axes",
    "bool[B]": "^^^^^^^ a bool has no axes",
    "mask": "^^^^ a mask has axes",
    "real in": ".......^ expected '(' or '[', got the end",
    "real in 0, 1": "........^ expected '(' or '[', got '0'",
    "real in (0 1)": "...........^ expected ',', got '1'",
    "real in (0, 1": ".............^ expected ')' or ']', got the end",
    "real in (0, x)": "............^ expected a number, got 'x'",
    "real in (1, 1)": "........^^^^^^ the lower end of the interval is not below the upper "
    "one",
    "real in (oo, 1)": ".........^^ 'oo' is no lower end of an interval",
    "real in (0, -oo)": "............^^^ '-oo' is no upper end of an interval",
    "real in [-oo, 1)": "........^ an infinite end is open",
    "unit in (1, 2)": "........^^^^^^ no unit number is in (1, 2)",
    "sign in (0, 2)": ".....^^ 'sign' has no interval",
    "interval(0, 1) in (0, 1)": "...............^^ the interval is there already",
    "interval(1, 0)": "........^^^^^^ the lower end of the interval is not below the upper one",
    "real =": "......^ expected a number, got the end",
    "real = oo": ".......^^ a default is finite",
    "real = -oo": ".......^^^ a default is finite",
    "real = x": ".......^ expected a number or none, got 'x'",
    "real = nan": ".......^^^ expected a number or none, got 'nan'",
    "real = 1 2": ".........^ expected the end, got '2'",
    "real = 1/0": ".........^ expected a positive integer, got '0'",
    "real = 1/x": ".........^ expected a positive integer, got 'x'",
    "real = 1e400": ".......^^^^^ the number does not fit into float64",
    "real = 1e-400": ".......^^^^^^ the number does not fit into float64",
    "real = 1e0000001000": ".......^^^^^^^^^^^^ the number does not fit into float64",
    f"real = {'1' * 101}": f".......{'^' * 101} a number has at most 100 digits",
    "count = 0.5": "........^^^ the default 0.5 is not count",
    "count = -1": "........^^ the default -1 is not count",
    "binary = 2": ".........^ the default 2 is not binary",
    "sign = 0": ".......^ the default 0 is not sign",
    "index(4) = 4": "...........^ the default 4 is not index(4)",
    "real in (0, 1) = 1/1": ".................^^^ the default 1/1 is not real in (0, 1)",
    "bool = 1": ".......^ expected true or false, got '1'",
    "bool =": "......^ expected true or false, got the end",
    "choice(a, b) = c": "...............^ expected a or b, got 'c'",
    "real[B] # batch": "........^ expected the end, got '#'",
    "real" + " " * 1000 + "x": "^ a declaration has at most 1000 characters, not 1005",
}


@pytest.mark.parametrize("text", READ)
def test_what_a_declaration_says(text: str) -> None:
    declaration = read_declaration(Source.plain(text))
    assert READ[text] == (declaration.domain, declaration.axes, declaration.default)
    assert len(declaration.axis_locations) == len(declaration.axes)


def test_numbers_keep_their_spelling() -> None:
    assert read_declaration(Source.plain("positive = 1e-7 ")).default_text == "1e-7"
    assert read_declaration(Source.plain("real = 1 / 3")).default_text == "1 / 3"
    assert read_declaration(Source.plain("real")).default_text is None


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_declaration(text: str) -> None:
    with pytest.raises(LossCodegenError) as error:
        read_declaration(Source.plain(text))
    (problem,) = error.value.diagnostics
    place = problem.location
    assert place is not None
    marks = "." * (place.column - 1) + "^" * (place.end_column - place.column)
    assert f"{marks} {problem.message}" == WRONG[text]


HINTS = {
    "reel[B]": "did you mean 'real'?",
    "Positive = 1": "did you mean 'positive'?",
    "intervall(0, 1)": "did you mean 'interval'?",
    "real[c]": "did you mean 'C'?",
    "real = 1 in (0, 2)": "the order is: domain[axes] in (a, b) = default",
    "real in (0, inf)": "infinity is oo",
    "real in (0, oo]": "did you mean ')'?",
    "bool = True": "did you mean 'true'?",
    "bool = None": "did you mean 'none'?",
    "choice(mean, median) = medain": "did you mean 'median'?",
    "index[B]": "write index(C) for an axis C",
}


@pytest.mark.parametrize("text", HINTS)
def test_hints(text: str) -> None:
    with pytest.raises(LossCodegenError) as error:
        read_declaration(Source.plain(text))
    assert error.value.diagnostics[0].hint == HINTS[text]


def test_intervals_alone() -> None:
    assert parse_interval("[0, oo)") == Interval(low=Fraction(0), low_open=False)
    for text in ("(0, 1", "(0, 1) x", "0"):
        with pytest.raises(LossCodegenError):
            parse_interval(text)


# ---------------------------------------------------------------------- written as read


NUMBERS = st.one_of(
    st.fractions(-1000, 1000, max_denominator=1000),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: Fraction(repr(x))),
    st.decimals(-1000, 1000, places=6).map(Fraction),
)
AXES = st.lists(st.sampled_from(["B", "C", "Dim", "4"]), max_size=3)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    ends = sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2, unique=True)))
    low, high = (draw(st.sampled_from([end, None])) for end in ends)
    return Interval(
        low=low,
        high=high,
        low_open=low is None or draw(st.booleans()),
        high_open=high is None or draw(st.booleans()),
    )


@st.composite
def variables(draw: st.DrawFn) -> Variable:
    kind = draw(st.sampled_from(DomainKind))
    axes = draw(AXES)
    if draw(st.booleans()):
        axes.insert(draw(st.integers(0, len(axes))), "...")
    axis = None
    choices: tuple[str, ...] = ()
    if kind in (DomainKind.INDEX, DomainKind.SIMPLEX, DomainKind.LOGPROB):
        axis = draw(st.sampled_from(["C", "3"]))
    if kind in (DomainKind.SIMPLEX, DomainKind.LOGPROB):
        axes = [*(a for a in axes if a != axis), axis or ""]
    if kind is DomainKind.MASK and not axes:
        axes = ["B"]
    if kind is DomainKind.CHOICE:
        words = st.sampled_from(["hard", "soft", "none_", "in_", "true"])
        choices = tuple(draw(st.lists(words, min_size=2, max_size=5, unique=True)))
    if kind in (DomainKind.BOOL, DomainKind.CHOICE):
        axes = []
    interval = None
    if kind in BASE and draw(st.booleans()):
        drawn = draw(intervals())
        interval = drawn if meet(BASE[kind], drawn) else None
    domain = Domain(kind=kind, axis=axis, choices=choices, interval=interval)
    default: Default = draw(st.sampled_from(Absent))
    if kind is DomainKind.BOOL:
        default = draw(st.sampled_from([default, True, False]))
    elif kind is DomainKind.CHOICE:
        default = draw(st.sampled_from([default, *choices]))
    else:
        number = draw(NUMBERS)
        default = number if admits(domain, number) else default
    return Variable(
        name="v",
        arg="v",
        role=Role.PARAMETER,
        domain=domain,
        axes=tuple(axes),
        default=default,
    )


@given(variables())
def test_a_declaration_is_written_as_it_is_read(variable: Variable) -> None:
    text = format_declaration(variable)
    read = read_declaration(Source.plain(text))
    assert (read.domain, read.axes, read.default) == (
        variable.domain,
        variable.axes,
        variable.default,
    )


@given(NUMBERS)
def test_fractions_are_exact(value: Fraction) -> None:
    assert Fraction(format_fraction(value)) == value


@given(intervals())
def test_intervals_are_written_as_they_are_read(interval: Interval) -> None:
    assert parse_interval(format_interval(interval)) == interval


# ---------------------------------------------------------------------- what domains admit


ADMITTED: dict[str, tuple[list[float | Fraction], list[float | Fraction]]] = {
    "real": ([-1, 0.5, Fraction(1, 3), float("inf")], [float("nan")]),
    "positive": ([1e-300, 1], [0, -1]),
    "nonnegative": ([0, 1], [-1e-300]),
    "negative": ([-1], [0]),
    "unit": ([0, 1, 0.5], [-0.1, 1.1]),
    "real in (0, 1]": ([0.5, 1], [0, 1.5]),
    "positive in (-1, 1)": ([0.5], [-0.5, 0]),
    "binary": ([0, 1], [0.5, 2, -1]),
    "mask[B]": ([0, 1], [0.5]),
    "sign": ([-1, 1], [0]),
    "count": ([0, 7], [-1, 0.5]),
    "integer": ([-3, 0], [0.5]),
    "index(C)[B]": ([0, 10**6], [-1, 0.5]),
    "index(3)[B]": ([0, 2], [3, -1]),
    "simplex(C)[C]": ([0, 1, 0.2], [-0.1, 1.1]),
    "logprob(C)[C]": ([0, -5.5, -float("inf")], [0.1]),
    "bool": ([0, 1], [2]),
    "choice(a, b)": ([], [0, 1]),
}


@pytest.mark.parametrize("text", ADMITTED)
def test_what_a_domain_admits(text: str) -> None:
    domain = read_declaration(Source.plain(text)).domain
    inside, outside = ADMITTED[text]
    assert [v for v in inside if not admits(domain, v)] == []
    assert [v for v in outside if admits(domain, v)] == []


def test_every_domain_is_tried() -> None:
    words = {read_declaration(Source.plain(text)).domain.kind for text in ADMITTED}
    assert words == set(DomainKind)
    assert isinstance(read_declaration(Source.plain("real")), Declaration)


# ---------------------------------------------------------------------- names


FUNCTIONS = {
    "HuberLoss": "huber_loss",
    "SoftmaxCELoss": "softmax_ce_loss",
    "L1Loss": "l1_loss",
    "NTXentLoss": "nt_xent_loss",
    "BCEWithLogitsLoss": "bce_with_logits_loss",
    "CRPSGaussian": "crps_gaussian",
    "Poly1CELoss": "poly1_ce_loss",
    "MSE": "mse",
    "A": "a",
}


def test_functions_are_called_like_their_classes() -> None:
    assert {name: snake_case(name) for name in FUNCTIONS} == FUNCTIONS
    assert camel_case("huber loss-2_b") == "HuberLoss2B"


OBJECTIONS = {
    class_objection: (
        ["HuberLoss", "L1Loss", "A", "Loss2"],
        [
            "huberLoss",
            "Huber_Loss",
            "",
            "None",
            "True",
            "Tensor",
            "Max",
            "Torch",
            "Größe",
        ],
    ),
    symbol_objection: (
        ["x", "beta", "gamma", "lambda_", "S", "N", "E", "var", "match", "ξ", "input"],
        [
            "lambda",
            "None",
            "x y",
            "",
            "_",
            "__x__",
            "pi",
            "oo",
            "loss",
            "result",
            "\U0001d465",
        ],
    ),
    argument_objection: (
        ["input", "target", "margin", "weight", "p", "var", "E"],
        ["self", "dtype", "torch", "F", "max", "float", "reduction", "class", "_x"],
    ),
    axis_objection: (
        ["B", "Batch", "N2", "C_in", "E"],
        ["b", "1B", "B-C", "", "If", "Loss", "Oo", "True", "Größe"],
    ),
}


@pytest.mark.parametrize("objection", OBJECTIONS, ids=lambda f: f.__name__)
def test_objections_to_names(objection) -> None:  # type: ignore[no-untyped-def]
    good, bad = OBJECTIONS[objection]
    assert [name for name in good if objection(name)] == []
    assert [name for name in bad if not objection(name)] == []


def test_what_generated_code_uses_is_no_argument() -> None:
    naming = pytest.importorskip("losscodegen.compiler.naming")
    assert [name for name in naming.RESERVED if not argument_objection(name)] == []


def test_quoting_shows_what_cannot_be_seen() -> None:
    assert quoted("a\x1b[31m\u202eb") == "'a\\x1b[31m\\u202eb'"
    assert len(quoted("x" * 1000)) == 62


def test_the_closest_name_ignores_case_if_it_must() -> None:
    assert closest("DELTA", ["delta", "x"]) == "did you mean 'delta'?"
    assert closest("zzz", ["delta", "x"]) is None
