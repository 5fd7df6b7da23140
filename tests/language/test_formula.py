"""What formulas mean: the expressions they are read as."""

from __future__ import annotations

from fractions import Fraction

import pytest

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.ir.build import ONE, ZERO, add, call, div, mul, neg, number, power
from losscodegen.ir.nodes import (
    Call,
    Constant,
    Expr,
    Index,
    Keep,
    Keeper,
    Named,
    Number,
    Read,
    Reduce,
    Reduction,
    Select,
    Size,
    Switch,
)
from losscodegen.ir.ops import OPS, SPELLINGS, Op, Sort
from losscodegen.language.formula import parse_formula, read_expression
from losscodegen.language.printer import format_expression
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source

A, B, C, D = (Read(name) for name in "abcd")
IB, IC, ID, IE, II, IJ, IH, IQ = (
    Index(name, axis)
    for name, axis in zip(
        "bcdeijhq", ["B", "C", "D", "D", "B", "B", "H", "4"], strict=True
    )
)
TWO, HALF = number(2), number(Fraction(1, 2))
X, T, Y = Read("x", (IB, IC)), Read("t", (IB,)), Read("y")

FREE = {
    # numbers are exact
    "0.1": number(Fraction(1, 10)),
    "1e-7": number(Fraction(1, 10**7)),
    ".5": HALF,
    "2.": TWO,
    "12345678901234567890": number(12345678901234567890),
    "Rational(1, 3)": number(Fraction(1, 3)),
    "Rational(-4, 6)": number(Fraction(-2, 3)),
    "Rational(7)": number(7),
    "pi + E": add(Constant(Named.PI), Constant(Named.E)),
    "-oo": neg(Constant(Named.OO)),
    # a minus before a number belongs to it
    "-2": number(-2),
    "-(2)": neg(TWO),
    "- 2": number(-2),
    "--2": neg(number(-2)),
    "-2**2": neg(power(TWO, TWO)),
    "(-2)**2": power(number(-2), TWO),
    "2**-2": power(TWO, number(-2)),
    "a - 2": add(A, neg(TWO)),
    "a + -2": add(A, number(-2)),
    # Python's precedence
    "-a*b": mul(neg(A), B),
    "-a**2": neg(power(A, TWO)),
    "a**b**c": power(A, power(B, C)),
    "(a**b)**c": power(power(A, B), C),
    "a*b/c*d": mul(div(mul(A, B), C), D),
    "a/b/c": div(div(A, B), C),
    "a/(b/c)": div(A, div(B, C)),
    "a % b": call("mod", A, B),
    "+a": A,
    # chains are flat, parentheses nest
    "a + b - c": add(A, B, neg(C)),
    "a + (b + c)": add(A, add(B, C)),
    "(a + b) + c": add(add(A, B), C),
    "(a) + b + c": add(A, B, C),
    "a - (b - c)": add(A, neg(add(B, neg(C)))),
    "a*b*c": mul(A, B, C),
    "(a*b)*c": mul(mul(A, B), C),
    "a*(b*c)": mul(A, mul(B, C)),
    "((a + b))": add(A, B),
    # conditions
    "a < b": call("lt", A, B),
    "a < b <= c": call("and", call("lt", A, B), call("le", B, C)),
    "Eq(a, b)": call("eq", A, B),
    "And(a > 0, b > 0, c > 0)": call("and", *(call("gt", v, ZERO) for v in (A, B, C))),
    "(a > 0) & (b > 0) & (c > 0)": call(
        "and", *(call("gt", v, ZERO) for v in (A, B, C))
    ),
    "(a > 0) | (b != 0)": call("or", call("gt", A, ZERO), call("ne", B, ZERO)),
    "not a == b": call("not", call("eq", A, B)),
    "~(a == b)": call("not", call("eq", A, B)),
    "Not(a == b)": call("not", call("eq", A, B)),
    "a > 0 and b > 0 or c > 0": call(
        "or",
        call("and", call("gt", A, ZERO), call("gt", B, ZERO)),
        call("gt", C, ZERO),
    ),
    # choices
    "where(a > 0, b, c)": Select(call("gt", A, ZERO), B, C),
    "Piecewise((b, a > 0), (c, a < 0), (d, True))": Select(
        call("gt", A, ZERO), B, Select(call("lt", A, ZERO), C, D)
    ),
    "Piecewise((a, True))": A,
    "a if b else c": Switch(B, A, C),
    "a if b else c if d else a": Switch(B, A, Switch(D, C, A)),
    # SymPy's spellings
    "Abs(a)": call("abs", A),
    "loggamma(a)": call("lgamma", A),
    "Heaviside(a)": call("heaviside", A),
    "KroneckerDelta(a, b)": call("delta", A, B),
    "Max(a)": call("max", A),
    "Min(a, b, c)": call("min", A, B, C),
    "polygamma(2, a)": call("polygamma", TWO, A),
    # layout
    "\n  a\n  + b  # a comment (\n": add(A, B),
    "exp(\ta,\r\n)": call("exp", A),
}


@pytest.mark.parametrize("text", FREE)
def test_a_formula_without_declarations(text: str) -> None:
    assert parse_formula(text) == FREE[text]


DECLARED: dict[str, Expr] = {
    # bare names are read at their own indices
    "x": X,
    "t": T,
    "y": Y,
    "delta": Read("delta"),
    "x[i, c]": Read("x", (II, IC)),
    "x[b, 0]": Read("x", (IB, ZERO)),
    "x[b, C - 1]": Read("x", (IB, add(Size("C"), neg(ONE)))),
    "x[b, t]": Read("x", (IB, T)),
    "x[i, t[i]]": Read("x", (II, Read("t", (II,)))),
    "x[b, floor(y)]": Read("x", (IB, call("floor", Y))),
    "x[b, n]": Read("x", (IB, Read("n", (IB,)))),
    "x[b, Sum(1, j, where=n[j] > n[b])]": Read(
        "x",
        (
            IB,
            Reduce(
                Reduction.SUM,
                ONE,
                (IJ,),
                call("gt", Read("n", (IJ,)), Read("n", (IB,))),
            ),
        ),
    ),
    "x[b, where(y > 0, t, 0)]": Read("x", (IB, Select(call("gt", Y, ZERO), T, ZERO))),
    "img[b, h + 1]": Read("img", (IB, add(IH, ONE))),
    "img[b, h - 1]": Read("img", (IB, add(IH, neg(ONE)))),
    "J[b, d, d]": Read("J", (IB, ID, ID)),
    "J[b, d, e]": Read("J", (IB, ID, IE)),
    "box[3]": Read("box", (number(3),)),
    "box[q]": Read("box", (IQ,)),
    # axes and indices as numbers
    "C*c": mul(Size("C"), IC),
    "where(i == j, 1, C)": Select(call("eq", II, IJ), ONE, Size("C")),
    "gamma*E": mul(Read("gamma"), Constant(Named.E)),
    "gamma(delta)": call("gamma", Read("delta")),
    # masks and words
    "where(m, y, 0)": Select(call("ne", Read("m", (IB,)), ZERO), Y, ZERO),
    "y if mode == soft else 0": Switch(call("eq", Read("mode"), ONE), Y, ZERO),
    "y if hard != mode else 0": Switch(call("ne", ZERO, Read("mode")), Y, ZERO),
    "y if not flag else 0": Switch(call("not", Read("flag")), Y, ZERO),
    "y if flag and delta > 1 else 0": Switch(
        call("and", Read("flag"), call("gt", Read("delta"), ONE)), Y, ZERO
    ),
    # binders and keepers
    "Sum(x, c)": Reduce(Reduction.SUM, X, (IC,)),
    "Sum(x, (c, 0, C - 1))": Reduce(Reduction.SUM, X, (IC,)),
    "Sum(x, (c, 0, -1 + C), (b, 0, B - 1))": Reduce(Reduction.SUM, X, (IC, IB)),
    "Sum(box[q], (q, 0, 3))": Reduce(Reduction.SUM, Read("box", (IQ,)), (IQ,)),
    "Mean(x, b, c, where=c != t)": Reduce(
        Reduction.MEAN, X, (IB, IC), call("ne", IC, T)
    ),
    "norm(z, d)": Reduce(Reduction.NORM, Read("z", (IB, ID)), (ID,), None, TWO),
    "norm(z, d, p=delta, where=d > 0)": Reduce(
        Reduction.NORM,
        Read("z", (IB, ID)),
        (ID,),
        call("gt", ID, ZERO),
        Read("delta"),
    ),
    "log_softmax(x, c)": Keep(Keeper.LOG_SOFTMAX, X, IC, IC),
    "softmax(x, c, at=t)": Keep(Keeper.SOFTMAX, X, IC, T),
    "softmin(x, c, at=0)": Keep(Keeper.SOFTMIN, X, IC, ZERO),
    # an inner binder may use the index of an outer one
    "Mean((x - Mean(x, b))**2, b)": Reduce(
        Reduction.MEAN,
        power(add(X, neg(Reduce(Reduction.MEAN, X, (IB,)))), TWO),
        (IB,),
    ),
}


@pytest.mark.parametrize("text", DECLARED)
def test_a_formula_in_a_scope(text: str, scope: Scope) -> None:
    assert read_expression(Source.plain(text), scope) == DECLARED[text]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_the_op_table_is_read(spelling: str) -> None:
    row = SPELLINGS[spelling]
    count = max(1, row.arity[0])
    args: list[Expr]
    if row.args is Sort.BOOL:
        args = [call("gt", Read(f"v{k}"), ZERO) for k in range(count)]
        texts = [f"v{k} > 0" for k in range(count)]
    else:
        args = [Read(f"v{k}") for k in range(count)]
        texts = [f"v{k}" for k in range(count)]
    if row.order is not None:
        args[0], texts[0] = number(row.order[0]), str(row.order[0])
    assert parse_formula(f"{spelling}({', '.join(texts)})") == Call(
        row.name, tuple(args)
    )


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_the_number_of_arguments_is_checked(op: Op) -> None:
    if op.operator is not None and not op.also:
        return
    name = op.name if op.operator is None else op.also[0]
    least, most = op.arity
    wrong = [least - 1] + ([] if most is None else [most + 1])
    for count in wrong:
        text = (
            f"{name}({', '.join(['a > 0' if op.args is Sort.BOOL else 'a'] * count)})"
        )
        with pytest.raises(LossCodegenError) as error:
            parse_formula(text)
        assert error.value.diagnostics[0].code == "wrong-number-of-arguments"


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_the_formulas_of_the_op_table_are_read_and_printed(op: Op) -> None:
    columns = (op.meaning, op.domain, op.kinks, op.singular, *op.derivative)
    for text in columns:
        if text is not None and text != "True":
            expr = parse_formula(text)
            assert parse_formula(format_expression(expr)) == expr


def test_the_sort_that_is_asked_for_is_given(scope: Scope) -> None:
    condition = Source.plain("0 <= delta <= 1")
    assert read_expression(condition, scope, sort=Sort.BOOL) == read_expression(
        condition, scope, sort=None
    )
    for text, sort in (("y > 0", Sort.REAL), ("y", Sort.BOOL)):
        with pytest.raises(LossCodegenError) as error:
            read_expression(Source.plain(text), scope, sort=sort)
        assert [d.code for d in error.value.diagnostics] == ["sort"]


@pytest.mark.parametrize("text", ["1e-7", "-0.10", "2.", ".5", "1E+3"])
def test_numbers_remember_how_they_were_written(text: str) -> None:
    expr = parse_formula(text)
    assert isinstance(expr, Number)
    assert expr.text == text


def test_every_node_knows_where_it_stands(scope: Scope) -> None:
    text = "1 +\n  exp(x[b, c]/delta)"
    expr = read_expression(Source.plain(text, "f.toml"), scope)
    assert isinstance(expr, Call)
    places = [str(arg.origin.location) for arg in expr.args]
    assert places == ["f.toml:1:1", "f.toml:2:3"]
    inner = expr.args[1]
    assert isinstance(inner, Call)
    location = inner.args[0].origin.location
    assert location is not None
    assert (location.column, location.end_column) == (7, 20)


def test_columns_count_characters_not_bytes() -> None:
    scope = Scope.of([])
    with pytest.raises(LossCodegenError) as error:
        read_expression(Source.plain("ëë + äöü*lgo(1)"), scope)
    found = [
        (d.location.column, d.location.end_column)
        for d in error.value.diagnostics
        if d.location is not None
    ]
    assert found == [(1, 3), (6, 9), (10, 13)]


def test_all_problems_are_reported_at_once(scope: Scope) -> None:
    text = "lgo(x) + where(x, 1/0, zz) - x[b] + Sum(y, C)"
    with pytest.raises(LossCodegenError) as error:
        read_expression(Source.plain(text), scope)
    assert [d.code for d in error.value.diagnostics] == [
        "unknown-function",
        "sort",
        "undefined-constant",
        "unknown-name",
        "wrong-number-of-subscripts",
        "not-an-index",
    ]


def test_problems_can_be_collected(scope: Scope) -> None:
    problems: list[Diagnostic] = []
    read_expression(Source.plain("lgo(y)"), scope, problems=problems)
    read_expression(Source.plain("y + 1"), scope, problems=problems)
    assert [d.code for d in problems] == ["unknown-function"]


def test_broken_names_are_not_complained_about() -> None:
    scope = Scope.of([], broken=["w"])
    for text in ("w[0, 1] + w + w(1)", "1 if w else Sum(1, w)"):
        problems: list[Diagnostic] = []
        read_expression(Source.plain(text), scope, problems=problems)
        assert problems == []


def test_long_chains_stay_flat() -> None:
    expr = parse_formula("+".join(["a"] * 900))
    assert isinstance(expr, Call)
    assert len(expr.args) == 900
