"""How much is worked out before it is known how a gradient is computed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from losscodegen.compiler import choice
from losscodegen.compiler.choice import settled_gradient
from losscodegen.compiler.rules import RULES
from losscodegen.compiler.symbolic import symbolic
from losscodegen.ir.loss import Gradient, Loss
from losscodegen.ir.nodes import Expr, Read
from losscodegen.ir.walk import walk
from losscodegen.language.parse import losses_from_text

SIGMOID = "-(y*log(sigmoid(1.3*x)) + (1 - y)*log(1 - sigmoid(1.3*x)))"
"""The gradient by x is 0 where the sigmoid meets y, and no form of it has digits there."""


def of_two(formula: str) -> Loss:
    text = f'[ProbeLoss]\ninputs.x = "real[...]"\ninputs.y = "unit[...]"\nloss = "{formula}"\n'
    return losses_from_text(text, "probe.toml")[0]


def test_each_first_derivative_is_told() -> None:
    told: list[tuple[str, set[Expr]]] = []

    def weigh(operands: Mapping[str, Expr], name: str, formula: Expr) -> None:
        assert set(operands) == {"x", "y"}
        told.append((name, {n for n in walk(formula) if isinstance(n, Read)}))

    symbolic(of_two("exp(x)*y**2"), RULES, weigh=weigh)
    assert told == [("x", {Read("x"), Read("y")}), ("y", {Read("x"), Read("y")})]


def test_the_first_that_is_no_good_ends_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    weigh = choice._weigh

    def counted(
        where: object, wrt: object, operands: object, name: str, formula: object
    ) -> None:
        told.append(name)
        weigh(where, wrt, operands, name, formula)  # type: ignore[arg-type]

    monkeypatch.setattr(choice, "_weigh", counted)
    assert settled_gradient(of_two(SIGMOID)).gradient is Gradient.AUTOGRAD
    assert told == ["x"]
