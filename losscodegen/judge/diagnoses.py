"""The table of what is wrong with hand-written losses, each row with the test that tells it.

The rows are tried in order; the first whose test finds its evidence is the diagnosis. A test
measures: it gets the failing points, the module, the truth, and calls what it likes. It returns
what it found in words, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from losscodegen.judge import diagnosis_shapes as shapes
from losscodegen.judge import diagnosis_tests as tests
from losscodegen.judge.foreign_evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One row: a stable code, the test, what it means and what to do."""

    code: str
    test: Callable[[Evidence], str | None]
    explanation: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """A diagnosis of a module, with what was measured."""

    code: str
    evidence: str
    explanation: str
    remedy: str


def diagnose(evidence: Evidence) -> Diagnosed:
    """The first diagnosis whose evidence is there; the last row takes what is left."""
    for row in DIAGNOSES:
        found = row.test(evidence)
        if found is not None:
            return Diagnosed(
                code=row.code,
                evidence=found,
                explanation=row.explanation,
                remedy=row.remedy,
            )
    raise AssertionError("the last row takes everything")


DIAGNOSES = (
    Diagnosis(
        code="state",
        test=shapes.state,
        explanation="the result depends on earlier calls, or the call changes what it was given",
        remedy="compute from the arguments alone: no in-place operations on inputs, no counters "
        "or running averages in forward",
    ),
    Diagnosis(
        code="missing-reduction",
        test=shapes.missing_reduction,
        explanation="the result has another shape than the loss: an axis is not reduced that "
        "should be, or one is that should not",
        remedy="name the axes of every sum and mean (dim=...), and apply `reduction` once, at the "
        "end",
    ),
    Diagnosis(
        code="dtype-or-device",
        test=shapes.dtype_or_device,
        explanation="a constant or an intermediate result has a dtype or a device of its own",
        remedy="make constants with torch.as_tensor(..., dtype=x.dtype, device=x.device) or "
        "register_buffer; no .float(), .half(), .long() on inputs",
    ),
    Diagnosis(
        code="broadcast",
        test=shapes.broadcast,
        explanation="shapes are broadcast against each other that do not belong together",
        remedy="give both operands the same number of axes: unsqueeze the one that lacks one, "
        "keepdim=True in reductions, and check shapes at the start",
    ),
    Diagnosis(
        code="mask-by-product",
        test=tests.mask_by_product,
        explanation="what should not count is multiplied by 0, and 0 times infinity is NaN",
        remedy="select instead of multiplying: torch.where(mask, x, 0) before exp, log, sqrt and "
        "division; torch.xlogy for p*log(p)",
    ),
    Diagnosis(
        code="overflow",
        test=tests.overflow,
        explanation="an intermediate result leaves the range of the format while the loss does not",
        remedy="use the forms that do not: logsigmoid, softplus, logsumexp, log_softmax, log1p",
    ),
    Diagnosis(
        code="cancellation",
        test=tests.cancellation,
        explanation="the formula is right, but small results are differences of large numbers",
        remedy="use expm1, log1p, sinh or a form without the difference near the minimum",
    ),
    Diagnosis(
        code="kink-convention",
        test=tests.kink_convention,
        explanation="right everywhere but exactly at a kink or at the border of two cases",
        remedy="give the border to one of the cases (<= and >), and use abs, norm or a guarded "
        "root, whose gradient at 0 is finite",
    ),
    Diagnosis(
        code="dead-branch",
        test=tests.dead_branch,
        explanation="the value is right, but a branch that is not taken has an infinite "
        "derivative, and 0 times infinity is NaN",
        remedy="make the argument of the branch safe before it is used: "
        "torch.where(ok, f(torch.where(ok, x, 1)), other)",
    ),
    Diagnosis(
        code="wrong-sign",
        test=tests.wrong_sign,
        explanation="right but for a sign",
        remedy="look for a missing minus, or for arguments that are exchanged",
    ),
    Diagnosis(
        code="wrong-normaliser",
        test=tests.wrong_normaliser,
        explanation="right but for a constant factor",
        remedy="look at what is divided by: the batch, the classes, the sum of weights",
    ),
    Diagnosis(
        code="detached-gradient",
        test=tests.detached_gradient,
        explanation="the value is right and its gradient is not that of the loss",
        remedy="look for .detach(), .data, .item(), torch.no_grad() and torch.tensor(x), for a "
        "stop-gradient that is missing, and for a backward of your own",
    ),
    Diagnosis(
        code="clamp-kills-gradient",
        test=tests.clamp_kills_gradient,
        explanation="beyond a threshold the loss stops to change, so nothing there learns",
        remedy="no clamp on inputs: use a form that is finite without (log-space, softplus)",
    ),
    Diagnosis(
        code="eps-bias",
        test=tests.eps_bias,
        explanation="a small constant that the loss does not have is added to something",
        remedy="treat the edge exactly (xlogy, where, logsigmoid of logits) instead of adding eps",
    ),
    Diagnosis(
        code="wrong-formula",
        test=tests.wrong_formula,
        explanation="another function than the loss of the spec",
        remedy="compare the formula with the spec at the smallest failing input",
    ),
)
