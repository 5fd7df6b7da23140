"""Functions that do not ask for the sign of their argument."""

import pytest

from losscodegen.compiler.simplify import even
from losscodegen.language.formula import parse_formula


@pytest.mark.parametrize("function", ["abs", "cosh", "cos"])
@pytest.mark.parametrize(
    ("argument", "expected"), [("-x", "x"), ("-2*x", "2*x"), ("x*y", "x*y")]
)
def test_the_sign_does_not_matter(function: str, argument: str, expected: str) -> None:
    found = even(parse_formula(f"{function}({argument})"))
    assert found == even(parse_formula(f"{function}({expected})"))
    assert found.args[0] == parse_formula(expected)


def test_elsewhere_it_does() -> None:
    sine = parse_formula("sin(-x)")
    assert even(sine) is sine
