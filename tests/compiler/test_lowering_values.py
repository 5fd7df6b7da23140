"""What the cases of lowering compute is what their formulas say, by the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from losscodegen.errors import LossCodegenError
from losscodegen.judge.certificate import Severity
from losscodegen.judge.check import verify
from losscodegen.judge.criterion import Limits
from losscodegen.language.parse import losses_from_text
from losscodegen.pipeline import compile_losses

CASES = sorted((Path(__file__).parents[1] / "cases" / "lowering").glob("*.toml"))
LIMITS = Limits(cancellation=Severity.LOOSE)


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_case(case: Path) -> None:
    spec = case.read_text().partition("# output\n")[0]
    losses = losses_from_text(spec, f"{case.stem}.toml")
    source = compile_losses(losses, origin="specs/x.toml").text
    for loss in losses:
        certificate = verify(loss, source, points=6, limits=LIMITS)
        assert [
            str(f) for f in certificate.findings if f.severity.value == "failure"
        ] == []
        assert certificate.points > 0


BEYOND = [
    ("Sum(x[b,h+2], h, where=h < H - 1)", "end of axis H"),
    ("Sum(x[b,h+1] - x[b,h-1], h, where=h < H - 1)", "start of axis H"),
]


@pytest.mark.parametrize(("formula", "where"), BEYOND)
def test_a_read_beyond_an_axis_is_an_error_at_its_place(
    formula: str, where: str
) -> None:
    spec = (
        '[Tried]\nsummary = "For a test."\ninputs.x = "real[B, H]"\n'
        f'loss = "{formula}"\n'
    )
    with pytest.raises(LossCodegenError) as caught:
        compile_losses(losses_from_text(spec, "x.toml"), origin="x.toml")
    (problem,) = caught.value.diagnostics
    assert problem.code == "out-of-range"
    assert where in problem.message
    assert problem.location is not None
    assert problem.location.line == 4
