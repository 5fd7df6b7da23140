"""Random well-typed specs: right, or refused with a place. Never a crash, never silently wrong.

The first seeds run here; ``python -m benchmarks.fuzz`` runs any number of them, see docs/fuzz.md.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import fuzz
from benchmarks.fuzz import MEANINGS, Outcome, Verdict, compiled, run_seed, table
from losscodegen.errors import LossCodegenError
from losscodegen.judge.accused import Accused
from losscodegen.language.parse import losses_from_text
from losscodegen.language.write import format_loss
from tests.fuzz.random_specs import random_spec

COUNT = 50
POINTS = 6
"""Fewer than in the record; edges, kinks and seams come on top all the same."""

OPEN: dict[int, str] = {}
"""Seeds that are wrong, and why. A seed that comes out right must leave."""


@pytest.mark.parametrize("seed", range(COUNT))
def test_right_or_refused(seed: int) -> None:
    outcome = run_seed(seed, points=POINTS)
    said = f"{outcome.spec}{outcome.verdict}: {outcome.detail}"
    if seed in OPEN:
        assert outcome.verdict == Verdict.WRONG, f"{seed} may leave the table\n{said}"
    else:
        assert not Verdict(outcome.verdict).bad, said


MENDED = {
    443: "logits and their sizes that cancel to what functions have beside these",
    1159: "a constant beside logits of any size, less one of their arguments",
    1475: "a hyperbolic cosine of parameters near 0",
    1700: "a cube that overflows over a product, although the quotient does not",
    1704: "a power that overflows beside a ramp that is 0 there",
    1721: "a root less 1 among logits of any size, less one of their arguments",
    1801: "a constant beside sizes of logits",
    2053: "a reciprocal in a divisor",
}
"""Seeds beyond the first that were wrong once, and what of."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", MENDED)
def test_what_was_wrong_once_is_right(seed: int) -> None:
    outcome = run_seed(seed, points=fuzz.POINTS)
    assert outcome.verdict == Verdict.PASSED, f"{outcome.spec}{outcome.detail}"


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_can_be_written_and_read_again(random: object) -> None:
    (loss,) = losses_from_text(random_spec(random), "random.toml")  # type: ignore[arg-type]
    text = format_loss(loss)
    (again,) = losses_from_text(text, "again.toml")
    assert format_loss(again) == text
    assert again.expression == loss.expression


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_compiles_or_is_refused_with_a_place(random: object) -> None:
    made = compiled(random_spec(random))  # type: ignore[arg-type]
    assert not isinstance(made, tuple) or made[0] is Verdict.REFUSED, made


def test_a_mistake_is_refused_with_a_place() -> None:
    text = '[RandomLoss]\ninputs.x = "real[...]"\nloss = "lgo(x)"\n'
    verdict, reason = compiled(text)  # type: ignore[misc]
    assert verdict is Verdict.REFUSED and "random.toml:3:" in reason


@pytest.mark.parametrize(
    "problem", [RecursionError("without end"), LossCodegenError([])]
)
def test_a_crash_is_told_from_a_refusal(
    problem: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr("benchmarks.fuzz.compile_losses", broken)
    outcome = run_seed(0)
    placed = isinstance(problem, LossCodegenError)
    assert outcome.verdict == (Verdict.REFUSED if placed else Verdict.CRASHED)


def test_a_wrong_module_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(losses: object, *, origin: str) -> object:
        text = right(losses, origin=origin).text.replace(
            "    loss = ", "    loss = 1 + "
        )
        return type("Source", (), {"text": text})

    right = fuzz.compile_losses
    monkeypatch.setattr(fuzz, "compile_losses", other)
    assert run_seed(1, points=POINTS).verdict == Verdict.WRONG


@pytest.mark.parametrize(("kind", "value"), [("Sum", 1.0), ("Mean", 0.25)])
def test_a_loss_that_is_the_same_along_an_axis_compiles(
    kind: str, value: float
) -> None:
    text = f'[R]\ninputs.x = "real[B, C]"\nloss = "{kind}(softmax(x, c), c)"\n'
    made = compiled(text)
    assert not isinstance(made, tuple), made
    x = torch.randn(5, 4)
    got = Accused.load(made.loss, made.text).call({"x": x})
    assert torch.equal(got, torch.full((5,), value))


def test_the_same_module_is_not_judged_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_seed(4, points=POINTS)

    def verify(*_: object, **__: object) -> None:
        raise AssertionError("judged again")

    monkeypatch.setattr("benchmarks.fuzz.verify", verify)
    assert run_seed(4, first, points=POINTS) is first
    assert run_seed(4, first, points=POINTS + 1).verdict == Verdict.CRASHED


def test_the_table_counts_every_verdict() -> None:
    outcomes = [Outcome(k, v, "", "", 0.0, "") for k, v in enumerate(Verdict)]
    lines = list(table([*outcomes, outcomes[0]]))
    assert len(lines) == 2 + len(Verdict)
    assert lines[2] == f"| passed | 2 | {MEANINGS[Verdict.PASSED]} |"
