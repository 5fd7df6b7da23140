"""Laws: what each side says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from losscodegen.errors import Diagnostic, LossCodegenError
from losscodegen.ir.build import ONE, ZERO, add, call, div, mul, neg, number
from losscodegen.ir.loss import LawSide
from losscodegen.ir.nodes import Expr, Index, Read, Size
from losscodegen.language.laws import read_law
from losscodegen.language.scope import Scope
from losscodegen.language.source import Source

X = Read("x", (Index("b", "B"), Index("c", "C")))
Y, DELTA = Read("y"), Read("delta")


def _loss(factor: Expr = ONE, **replaced: Expr) -> LawSide:
    return LawSide(factor=factor, loss=True, replaced=tuple(replaced.items()))


def _constant(factor: Expr) -> LawSide:
    return LawSide(factor=factor)


LAWS = {
    "loss >= 0": (_loss(), "ge", _constant(ZERO)),
    "loss(x=y, y=0) == loss": (_loss(x=Y, y=ZERO), "eq", _loss()),
    "loss(x=2*x) == 4*loss": (
        _loss(x=mul(number(2), X)),
        "eq",
        _loss(number(4)),
    ),
    "loss(delta=1) <= loss(delta=2)": (
        _loss(delta=ONE),
        "le",
        _loss(delta=number(2)),
    ),
    "loss(x=-x) != -loss": (_loss(x=neg(X)), "ne", _loss(number(-1))),
    "loss*delta < loss(y=1)/2": (
        _loss(DELTA),
        "lt",
        _loss(div(ONE, number(2)), y=ONE),
    ),
    "-2*loss > -(delta*loss)": (_loss(number(-2)), "gt", _loss(neg(DELTA))),
    "2*(3*loss()) == 0": (
        _loss(mul(number(2), number(3))),
        "eq",
        _constant(ZERO),
    ),
    "loss(x=2*x) == loss + log(2)": (
        _loss(x=mul(number(2), X)),
        "eq",
        replace(_loss(), offset=call("log", number(2))),
    ),
    "1 - 2*(loss - 3) >= 0": (
        replace(
            _loss(neg(number(2))),
            offset=add(neg(mul(number(2), neg(number(3)))), ONE),
        ),
        "ge",
        _constant(ZERO),
    ),
    "loss(flag=True) == loss(mode=soft)": (
        _loss(flag=ONE),
        "eq",
        _loss(mode=ONE),
    ),
    "log(C) >= loss": (_constant(call("log", Size("C"))), "ge", _loss()),
}


@pytest.mark.parametrize("text", LAWS)
def test_a_law_is_read(text: str, scope: Scope) -> None:
    law = read_law(Source.plain(f" {text}\n"), scope)
    assert (law.left, law.relation, law.right) == LAWS[text]
    assert law.text == text
    assert law.location is not None
    assert law.location.column == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "loss",
        "loss()",
        "loss >",
        "loss = 0",
        "loss == loss == loss",
        "not loss == 0",
        "loss >= 0 and loss <= 1",
        "loss + loss >= 0",
        "loss + x >= 0",
        "loss*loss >= 0",
        "1/loss >= 0",
        "loss**2 >= 0",
        "loss[b] >= 0",
        "loss(*x) >= 0",
        "loss(**x) >= 0",
        "loss(x) >= 0",
        "loss(x=y, x=y) >= 0",
        "loss(x=loss) >= 0",
        "loss(x=y > 0) >= 0",
        "loss(y=x) >= 0",
        "loss(t=Sum(1, q, q)) >= 0",
        "loss >= y",
        "loss >= b",
        "loss >= Sum(y, b)",
        "loss(flag=0) >= 0",
        "loss(mode=0) >= 0",
        "loss(mode=hardd) >= 0",
        "lossy >= 0",
        "0 >= 1",
    ],
)
def test_what_is_no_law_is_refused(text: str, scope: Scope) -> None:
    with pytest.raises(LossCodegenError) as error:
        read_law(Source.plain(text), scope)
    for diagnostic in error.value.diagnostics:
        assert diagnostic.location is not None


def test_problems_of_laws_can_be_collected(scope: Scope) -> None:
    problems: list[Diagnostic] = []
    read_law(Source.plain("loss(w=y) == zz"), scope, problems=problems)
    assert [d.message for d in problems] == ["unknown name 'w'", "unknown name 'zz'"]


def test_names_in_error_are_not_complained_about() -> None:
    problems: list[Diagnostic] = []
    scope = Scope.of([], broken=["w"])
    read_law(Source.plain("loss(w=1) == w"), scope, problems=problems)
    assert problems == []
