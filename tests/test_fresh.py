"""Losses that the library does not have, written as users would.

Each compiles and gives its worked example; the slow test asks the judge whether it is right
everywhere. Those in ``wrong/`` have one mistake each, and are refused or found wanting.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from losscodegen import pipeline
from losscodegen.errors import LossCodegenError
from losscodegen.judge.accused import Accused
from losscodegen.judge.laws import example_point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import execute
from losscodegen.language.parse import load_losses

FOLDER = Path(__file__).parent / "data" / "fresh"
GOOD = sorted(FOLDER.glob("*.toml"))
WRONG = sorted((FOLDER / "wrong").glob("*.toml"))

FOUND_BY_CHECK = {
    "gather_mask_missing": "the domain does not say that an index may be out of range",
    "gather_outside": "an example reads outside its tensor",
    "impossible_require": "no input satisfies the requirements",
    "sign_error": "a law does not hold",
    "wrong_example": "the example says something else than the formula",
}
"""Mistakes that only evaluation can see."""

CODES = {
    "arity": "wrong-number-of-arguments",
    "caret": "unknown-operator",
    "element_switch": "not-a-scalar",
    "example_shape": "example",
    "gather_by_real": "not-an-integer",
    "index_out_of_scope": "missing-index",
    "law_argument": "unknown-name",
    "learnable_count": "not-learnable",
    "mask_as_number": "sort",
    "mean_weight_axis": "mean-weight",
    "missing_axis": "wrong-number-of-arguments",
    "name_clash": "name-clash",
    "no_denominator": "undefined-constant",
    "optional_summand": "optional-summand",
    "repeated_axis": "needs-subscripts",
    "shift_outside": "out-of-range",
    "toml": "toml-syntax",
    "undeclared_index": "unknown-name",
    "unknown_name": "unknown-name",
    "unused": "unused-input",
    "use_before_definition": "unknown-name",
}
"""What the others are refused for."""


OPEN = {
    "masked_patches": "a variance overflows beside a constant; two entries cancel once centred",
    "total_correlation": "a difference of two logsumexps of sums cancels",
}
"""What compiles and gives its example, but is not right everywhere, and why."""

SAID = "log_of_negative"
"""A formula that has no value on a part of its domain passes elsewhere; the rest is counted."""


def test_every_mistake_is_expected_once() -> None:
    stems = [path.stem for path in WRONG]
    assert sorted([*FOUND_BY_CHECK, *CODES, SAID]) == stems
    assert len(GOOD) >= 20


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_compiles_and_gives_its_example(path: Path) -> None:
    (loss,) = load_losses(path)
    module = Accused.load(loss, pipeline.generate(path).text)
    (result,) = execute(loss, [example_point(loss)], module.call, Dtype.FLOAT64)
    assert result.error is None
    assert loss.example is not None
    want = torch.tensor(loss.example.result, dtype=torch.float64).reshape(-1)
    got = torch.tensor(result.value, dtype=torch.float64)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("stem", CODES)
def test_refused_with_a_place(stem: str) -> None:
    with pytest.raises(LossCodegenError) as caught:
        pipeline.generate(FOLDER / "wrong" / f"{stem}.toml")
    first = caught.value.diagnostics[0]
    assert first.code == CODES[stem]
    assert first.location is not None and first.location.line > 1


@pytest.mark.parametrize("stem", FOUND_BY_CHECK)
def test_found_by_check(stem: str) -> None:
    path = FOLDER / "wrong" / f"{stem}.toml"
    text = pipeline.generate(path).text
    (certificate,) = pipeline.check(path, text, points=20)
    assert not certificate.passed


def test_undefined_points_are_counted() -> None:
    path = FOLDER / "wrong" / f"{SAID}.toml"
    text = pipeline.generate(path).text
    (certificate,) = pipeline.check(path, text, points=20)
    judged = [c for c in certificate.checks if c.order in ("value", "gradient")]
    counts = [dict((*c.classes, *c.beside)) for c in judged]
    assert counts and all(count["undefined"] > 100 for count in counts)


@pytest.mark.slow
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_right(path: Path, request: pytest.FixtureRequest) -> None:
    if path.stem in OPEN:
        request.applymarker(pytest.mark.xfail(reason=OPEN[path.stem], strict=True))
    text = pipeline.generate(path).text
    assert all(c.passed for c in pipeline.check(path, text, points=40))
