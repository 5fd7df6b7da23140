"""The compiler's LaTeX as MathML: well-formed for every loss, and structured as it reads."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from losscodegen.compiler.latex import definition_math, latex
from losscodegen.ir.ops import OPS
from losscodegen.language.formula import parse_formula
from losscodegen.language.parse import load_losses
from losscodegen.resources import bundled_specs
from losscodegen.teach.mathml import CannotSetError, block, inline


def tree(source: str) -> ET.Element:
    """What is shown, without the annotation."""
    return ET.fromstring(inline(source))[0][0]


def shape(source: str) -> str:
    """The tree with its attributes left out."""
    return re.sub(r"(<\w+) [^>]*?(/?>)", r"\1\2", ET.tostring(tree(source), "unicode"))


@pytest.mark.parametrize("path", bundled_specs(), ids=lambda path: path.stem)
def test_every_loss_of_the_library_is_set(path: Path) -> None:
    for loss in load_losses(path):
        source = "\n".join(definition_math(loss))
        root = ET.fromstring(block(source))
        note = root.find(".//annotation")
        assert note is not None
        assert note.text == source
        shown = "".join(root[0][0].itertext())
        assert "ℓ" in shown
        assert not re.search(r"[\\&^$]", shown)


@pytest.mark.parametrize("name", [n for n, op in OPS.items() if op.latex])
def test_every_function_of_the_language_is_set(name: str) -> None:
    row = OPS[name]
    count = max(1, row.arity[0])
    arguments = ", ".join("xyz"[:count])
    text = (
        f"x {row.operator} y"
        if row.operator and count == 2
        else f"{row.name}({arguments})"
    )
    if row.operator and count == 1:
        text = f"{row.operator} x"
    if row.name == "not":
        text = "not (x > 0 and y > 0)"
    if row.sort.value == "bool" or row.name in ("and", "or", "not"):
        text = "where(x < 1 and y < 2 or not (x >= 1), x, y)"
    ET.fromstring(inline(latex(parse_formula(text))))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\frac{a}{b}", "<mfrac><mi>a</mi><mi>b</mi></mfrac>"),
        (r"x_{b, c}", "<msub><mi>x</mi><mrow><mi>b</mi><mo>,</mo><mi>c</mi></mrow></msub>"),
        (r"x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"c'", "<msup><mi>c</mi><mo>′</mo></msup>"),
        (r"\sum_i x", "<mrow><munder><mo>∑</mo><mi>i</mi></munder><mi>x</mi></mrow>"),
        (r"\log x", '<mrow><mi>log</mi><mspace/><mi>x</mi></mrow>'),
        (r"12.5", "<mn>12.5</mn>"),
        (r"\text{ or }", "<mtext>\u00a0or\u00a0</mtext>"),
        (
            r"\lVert x \rVert_2",
            "<msub><mrow><mo>‖</mo><mi>x</mi><mo>‖</mo></mrow><mn>2</mn></msub>",
        ),
    ],
)  # fmt: skip
def test_structure(source: str, expected: str) -> None:
    assert shape(source) == expected


def test_minus_is_a_sign_or_an_operator() -> None:
    def forms(source: str) -> list[str | None]:
        return [m.get("form") for m in tree(source).iter("mo") if m.text == "−"]

    assert forms("-x - y") == ["prefix", "infix"]
    assert forms("a = -x") == ["prefix"]
    assert forms("e^{-x} (-y)") == ["prefix", "prefix"]
    assert forms(r"\quad {} - y") == ["infix"]


def test_cases_have_a_row_for_each_choice() -> None:
    source = r"\begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}"
    rows = list(tree(source).iter("mtr"))
    assert [len(row) for row in rows] == [2, 2]
    fences = [m.text for m in tree(source).iter("mo") if m.get("fence")]
    assert fences == ["{"]


def test_names_cannot_leave_the_formula() -> None:
    assert "<mi>&lt;</mi>" not in inline("a < b")
    assert ET.fromstring(inline(r"\mathrm{a\_b}"))[0][0].text == "a_b"


@pytest.mark.parametrize(
    "source",
    [r"\href{x}", "(x", "x)", r"\left( x", "{x", "x}", r"\begin{array} x", "x^", "☃"],
)
def test_what_is_no_latex_of_the_compiler_is_refused(source: str) -> None:
    with pytest.raises(CannotSetError):
        inline(source)
