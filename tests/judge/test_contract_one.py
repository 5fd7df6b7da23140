"""One element, and axes of length 1: what is right stays right, what breaks there is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused
from losscodegen.judge.certificate import Severity, Status
from losscodegen.judge.check import verify
from losscodegen.judge.contract_one import one_fault
from losscodegen.language.parse import load_losses, losses_from_text
from losscodegen.pipeline import compile_losses

DATA = Path(__file__).parent / "data"
LOSSES = {loss.name: loss for loss in load_losses(DATA / "judged.toml")}
CLAUSE = "one element and axes of length 1"
RIGHT = (
    ("SoftplusLoss", "softplus.py"),
    ("HuberLoss", "huber.py"),
    ("LogLoss", "log.py"),
    ("MaskedLogLoss", "masked_log.py"),
    ("CrossEntropyLoss", "cross_entropy.py"),
    ("DistanceLoss", "distance.py"),
)


def spoilt(file: str, old: str, new: str) -> str:
    text = (DATA / file).read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(("name", "file"), RIGHT)
def test_right_modules_keep_the_promise(name: str, file: str) -> None:
    loss = LOSSES[name]
    checked, fault = one_fault(loss, Accused.load(loss, spoilt(file, "", "")))
    assert fault == ""
    assert checked > 2


WRONG = (
    # The dim of the batch goes with those that were meant.
    (
        "CrossEntropyLoss",
        "cross_entropy.py",
        "loss = loss.to(dtype)",
        "loss = loss.to(dtype).squeeze(0)",
        "the shape is",
    ),
    # Classes that are told from the only one there is.
    (
        "CrossEntropyLoss",
        "cross_entropy.py",
        "threshold=40.0)",
        "threshold=40.0)\n        loss = loss + 0 * x.std(dim=1)",
        "the value is nan",
    ),
    (
        "CrossEntropyLoss",
        "cross_entropy.py",
        "threshold=40.0)",
        "threshold=40.0)\n        loss = loss + (x - x.detach()).mul(x.size(1) == 1).sum(1)",
        "not 0.0, at x",
    ),
    (
        "CrossEntropyLoss",
        "cross_entropy.py",
        "loss.sum() / weight.sum()",
        "loss.sum() / weight.sum() * (loss.numel() > 1)",
        "the mean of the one element",
    ),
)


@pytest.mark.parametrize(("name", "file", "old", "new", "told"), WRONG)
def test_what_breaks_at_one_is_found(
    name: str, file: str, old: str, new: str, told: str
) -> None:
    loss = LOSSES[name]
    _, fault = one_fault(loss, Accused.load(loss, spoilt(file, old, new)))
    assert told in fault


def test_it_is_this_clause_alone_that_sees_a_mean_without_an_element() -> None:
    """The other clauses reduce several elements at once."""
    name, file, old, new, _ = WRONG[-1]
    found = verify(LOSSES[name], spoilt(file, old, new), points=12)
    failed = [c.text for c in found.claims if c.status is Status.FAILED]
    assert failed == [CLAUSE]
    assert [f.code for f in found.findings if f.severity is Severity.FAILURE] == [
        "contract-broken"
    ]


def generated(text: str) -> tuple[Loss, Accused]:
    loss = losses_from_text(f'[OneLoss]\nsummary = "For a test."\n{text}')[0]
    source = compile_losses([loss], origin="one.toml").text
    return loss, Accused.load(loss, source)


@pytest.mark.parametrize(
    ("formula", "some"),
    [("Sum(softmax(x, c)*x, c)", True), ("x[b,0]/(C - 1) + Sum(x, c)/(B - 1)", False)],
)
def test_what_has_no_truth_is_not_asked(formula: str, some: bool) -> None:
    """A quotient by one less than the number of entries is nothing for a single one."""
    loss, accused = generated(
        f'inputs.x = {{ type = "real[B, C]", doc = "a" }}\nloss = "{formula}"'
    )
    checked, fault = one_fault(loss, accused)
    assert fault == ""
    assert (checked > 0) is some


def test_a_requirement_that_one_entry_cannot_meet_is_respected() -> None:
    loss, accused = generated("""
        inputs.x = { type = "real[..., 2]", doc = "a" }
        loss = "log(x[1] - x[0])"
        require = ["x[1] > x[0]"]
        """)
    checked, fault = one_fault(loss, accused)
    assert fault == ""
    assert checked > 0
