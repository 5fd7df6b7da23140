"""Right modules pass, every spoilt one fails with a finding that says what is wrong, and where."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate, Culprit, Severity, Status
from losscodegen.judge.check import verify, worst_of
from losscodegen.language.parse import load_losses, losses_from_text

DATA = Path(__file__).parent / "data"
MODULES = {
    "SoftplusLoss": "softplus.py",
    "HuberLoss": "huber.py",
    "LogLoss": "log.py",
    "MaskedLogLoss": "masked_log.py",
    "CrossEntropyLoss": "cross_entropy.py",
    "DistanceLoss": "distance.py",
}
LOSSES: dict[str, Loss] = {
    loss.name: loss for loss in load_losses(DATA / "judged.toml")
}
POINTS = 60


@cache
def module(name: str) -> str:
    return (DATA / MODULES[name]).read_text(encoding="utf-8")


def failures(certificate: Certificate) -> list[tuple[str, str | None, str | None]]:
    return [
        (f.code, f.dtype, f.order)
        for f in certificate.findings
        if f.severity is Severity.FAILURE
    ]


@pytest.mark.parametrize("name", MODULES)
def test_right_modules_pass(name: str) -> None:
    certificate = verify(LOSSES[name], module(name), points=POINTS)
    assert failures(certificate) == []
    assert certificate.passed
    for check in certificate.checks:
        reported = check.order == "second"
        assert check.status is (Status.REPORTED if reported else Status.PASSED)
    # The formula as it is written would not have passed, which is why there is a guard.
    naive = {c.culprit for c in certificate.checks}
    assert naive - {Culprit.NOBODY} or name in ("HuberLoss", "LogLoss")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A way to spoil a module: the text to replace, and the finding that it must bring."""

    name: str
    loss: str
    old: str
    new: str
    code: str
    order: str | None
    dtype: str = "float32"

    def __str__(self) -> str:
        return self.name


SOFTPLUS = "-F.logsigmoid(-x)"
HUBER = "c * (r - 0.5 * c)"
LOG = "-p.log()"
MASKED = "torch.where(kept, -torch.where(kept, p, 1.0).log(), 0.0)"
DISTANCE = "(largest * root).squeeze(-1)"
ENTROPY = "F.softplus(total, threshold=40.0)"

MUTANTS = (
    Mutant(
        "naive softplus, value",
        "SoftplusLoss",
        SOFTPLUS,
        "(1 + x.exp()).log()",
        "wrong-infinity",
        "value",
    ),
    Mutant(
        "naive softplus, gradient",
        "SoftplusLoss",
        SOFTPLUS,
        "(1 + x.exp()).log()",
        "wrong-nan",
        "gradient",
    ),
    Mutant(
        "softplus without its tail",
        "SoftplusLoss",
        SOFTPLUS,
        "F.softplus(x)",
        "wrong-digits",
        "value",
        "float64",
    ),
    Mutant(
        "clamped softplus, gradient at 0",
        "SoftplusLoss",
        SOFTPLUS,
        "x.clamp(min=0) + (-x.abs()).exp().log1p()",
        "wrong-digits",
        "gradient",
    ),
    Mutant(
        "wrong sign",
        "SoftplusLoss",
        SOFTPLUS,
        "-F.logsigmoid(x)",
        "wrong-digits",
        "value",
    ),
    Mutant("missing half", "HuberLoss", HUBER, "c * (r - c)", "wrong-zero", "value"),
    Mutant(
        "slope lost",
        "HuberLoss",
        HUBER,
        "c.detach() * (r - 0.5 * c)",
        "wrong-digits",
        "gradient",
    ),
    Mutant(
        "epsilon in the logarithm",
        "LogLoss",
        LOG,
        "-(p + 1e-7).log()",
        "wrong-digits",
        "value",
    ),
    Mutant(
        "clamp kills the gradient",
        "LogLoss",
        LOG,
        "-p.clamp(min=1e-12).log()",
        "wrong-zero",
        "gradient",
    ),
    Mutant(
        "gradient through a detour",
        "LogLoss",
        LOG,
        "-p.log().detach() - p + p.detach()",
        "wrong-digits",
        "gradient",
    ),
    Mutant(
        "dead branch",
        "MaskedLogLoss",
        MASKED,
        "torch.where(kept, -p.log(), 0.0)",
        "wrong-nan",
        "gradient",
    ),
    Mutant(
        "mask as a factor",
        "MaskedLogLoss",
        MASKED,
        "-kept.to(p.dtype) * p.log()",
        "wrong-nan",
        "value",
    ),
    Mutant(
        "logarithm of softmax",
        "CrossEntropyLoss",
        ENTROPY,
        "-x.softmax(1).log().gather(1, index).squeeze(1)",
        "wrong-infinity",
        "value",
    ),
    Mutant(
        "log-softmax loses confident rows",
        "CrossEntropyLoss",
        ENTROPY,
        "-x.log_softmax(1).gather(1, index).squeeze(1)",
        "cancellation",
        "value",
    ),
    Mutant(
        "norm without scaling",
        "DistanceLoss",
        DISTANCE,
        "residual.pow(self.p).sum(dim=-1).pow(1 / self.p)",
        "wrong-infinity",
        "value",
    ),
    Mutant(
        "root at zero",
        "DistanceLoss",
        DISTANCE,
        "residual.pow(self.p).sum(dim=-1).pow(1 / self.p)",
        "wrong-nan",
        "gradient",
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_spoilt_modules_fail(mutant: Mutant) -> None:
    text = module(mutant.loss)
    assert mutant.old in text
    certificate = verify(
        LOSSES[mutant.loss],
        text.replace(mutant.old, mutant.new),
        dtypes=(mutant.dtype,),
        points=POINTS,
    )
    assert not certificate.passed
    assert certificate.verdict == "failed"
    assert (mutant.code, mutant.dtype, mutant.order) in failures(certificate)
    found = next(
        f
        for f in certificate.findings
        if (f.code, f.order) == (mutant.code, mutant.order)
    )
    assert found.place is not None
    assert found.place.point
    assert found.place.point in found.message
    assert found.culprit is not Culprit.NOBODY


BROKEN_PROMISES = (
    ("SoftplusLoss", "loss.to(dtype)", "loss.double()", "wrong-dtype"),
    ("SoftplusLoss", "loss.to(dtype)", "loss.to(dtype).sum()", "wrong-shape"),
    ("SoftplusLoss", "class SoftplusLoss", "class Softplus", "cannot-load"),
    ("SoftplusLoss", "from torch import nn", "from torch import absent", "cannot-load"),
    ("SoftplusLoss", "-F.logsigmoid(-x)", "-F.logsigmoid(y)", "raises"),
    ("SoftplusLoss", "-F.logsigmoid(-x)", "-F.logsigmoid(x.neg_())", "raises"),
    ("SoftplusLoss", 'reduction="mean"', 'reduction="sum"', "contract-broken"),
    ("SoftplusLoss", "raise ValueError", "repr", "contract-broken"),
    ("SoftplusLoss", "loss.to(dtype)", "loss", "contract-broken"),
    ("HuberLoss", "if not delta > 0", "if delta <= 0", "contract-broken"),
    ("HuberLoss", "if not delta > 0", "if False", "contract-broken"),
    ("CrossEntropyLoss", "/ weight.sum()", "/ loss.numel()", "contract-broken"),
    ("MaskedLogLoss", "kept = mask != 0", "kept = 1 - mask < 1", "contract-broken"),
)


@pytest.mark.parametrize(("name", "old", "new", "code"), BROKEN_PROMISES)
def test_broken_promises_are_found(name: str, old: str, new: str, code: str) -> None:
    text = module(name)
    assert old in text
    certificate = verify(
        LOSSES[name], text.replace(old, new), dtypes=("float32",), points=12
    )
    assert code in {f.code for f in certificate.findings}
    assert not certificate.passed
    assert not certificate.vacuous


def test_the_guard_is_to_blame_where_the_formula_is_right() -> None:
    worse = module("LogLoss").replace(LOG, "-(p.sqrt().square() + 1e-6).log()")
    certificate = verify(LOSSES["LogLoss"], worse, dtypes=("float32",), points=20)
    culprits = {f.culprit for f in certificate.findings if f.place is not None}
    assert Culprit.GUARD in culprits


def test_a_check_that_could_not_fail_is_no_pass() -> None:
    loss = losses_from_text("""
        [StepLoss]
        summary = "A step, whose derivative is 0."
        inputs.x = { type = "real[...]", doc = "anything" }
        loss = "sign(x)"
        """)[0]
    text = module("SoftplusLoss").replace("Softplus", "Step")
    text = text.replace("def forward(self, input)", "def forward(self, x)")
    text = text.replace("= input.dtype", "= x.dtype")
    text = text.replace(
        "x = input.float() if dtype.itemsize < 4 else input\n", "x = x.float()\n"
    )
    text = text.replace("x = x.float()", "x = x.float() if dtype.itemsize < 4 else x")
    text = text.replace("-F.logsigmoid(-x)", "x.sign()")
    certificate = verify(loss, text, dtypes=("float32",), points=20)
    assert {c.order: c.status for c in certificate.checks} == {
        "value": Status.PASSED,
        "gradient": Status.VACUOUS,
        "second": Status.REPORTED,
    }
    assert certificate.verdict == "vacuous"
    assert not certificate.passed


LAWS = (
    ("loss <= 0", "law-broken"),
    ("loss(x=-x) == loss", "law-broken"),
    ("loss(x=2*x) == 2*loss", "law-broken"),
)


@pytest.mark.parametrize(("law", "code"), LAWS)
def test_broken_laws_are_found_for_spec_and_module(law: str, code: str) -> None:
    loss = losses_from_text(f"""
        [SoftplusLoss]
        summary = "Softplus of the logits."
        inputs.x = {{ type = "real[...]", arg = "input", doc = "logits" }}
        loss = "softplus(x)"
        laws = ["{law}"]
        """)[0]
    certificate = verify(loss, module("SoftplusLoss"), dtypes=("float32",), points=12)
    messages = [f.message for f in certificate.findings if f.code == code]
    assert len(messages) == 2
    assert all(law in m and "x = " in m for m in messages)
    assert not certificate.passed


def test_an_example_that_is_not_true_is_found() -> None:
    loss = losses_from_text("""
        [SoftplusLoss]
        summary = "Softplus of the logits."
        inputs.x = { type = "real[...]", arg = "input", doc = "logits" }
        loss = "softplus(x)"
        example = { x = [0.0], result = [0.71] }
        """)[0]
    certificate = verify(loss, module("SoftplusLoss"), dtypes=("float32",), points=12)
    assert [f.code for f in certificate.findings] == ["example-wrong"] * 2


# ---------------------------------------------------------------------- going on for longer


def test_a_budget_adds_points_and_keeps_the_worst() -> None:
    once = verify(LOSSES["HuberLoss"], module("HuberLoss"), points=20)
    longer = verify(LOSSES["HuberLoss"], module("HuberLoss"), points=20, budget=1e-9)
    assert longer.points == once.points, "what is spent is spent"
    more = verify(
        LOSSES["HuberLoss"], module("HuberLoss"), points=20, budget=4 * _seconds()
    )
    assert more.points > once.points
    before = {(c.dtype, c.order): c.ours.scaled for c in once.checks}
    after = {(c.dtype, c.order): c.ours.scaled for c in more.checks}
    assert before.keys() == after.keys()
    assert all(after[key] >= size for key, size in before.items())


def test_a_budget_ends_with_the_first_failure() -> None:
    wrong = module("HuberLoss").replace(HUBER, "c * (r - 0.4 * c)")
    found = verify(LOSSES["HuberLoss"], wrong, points=20, budget=1e6)
    assert not found.passed


def _seconds() -> float:
    start = time.monotonic()
    verify(LOSSES["HuberLoss"], module("HuberLoss"), points=20)
    return time.monotonic() - start


def test_a_failed_check_outweighs_a_larger_error_that_passed() -> None:
    loss = LOSSES["HuberLoss"]
    check = verify(loss, module("HuberLoss"), dtypes=("float32",), points=20).checks[0]
    failed = replace(check, status=Status.FAILED)
    vacuous = replace(check, status=Status.VACUOUS)
    larger = replace(check, ours=replace(check.ours, scaled=1e9))
    assert worst_of([larger], [failed]) == [failed]
    assert worst_of([failed], [larger]) == [failed]
    assert worst_of([check], [larger]) == [larger]
    assert worst_of([vacuous], [check]) == [check]
    assert worst_of([], [check]) == [check]
