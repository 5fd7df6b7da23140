"""The module on larger tensors and other batch shapes, against the plain formula."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from losscodegen.ir.loss import ELLIPSIS, Loss
from losscodegen.judge.accused import Accused, words_as_numbers
from losscodegen.judge.certificate import Claim, Finding, Severity, Status
from losscodegen.judge.criterion import Limits
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Point
from losscodegen.judge.points import admitted, generator, repaired
from losscodegen.judge.probes import neighbours
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.settings import settings
from losscodegen.judge.shaped import shaped_point
from losscodegen.judge.tensors import Bound, run

RESIDUE = 1e-9
"""Times the largest number of all: where the largest of one gradient is less, it may be what the
formula's own rounding leaves of a zero, as ``softmax - 1`` for a single class. With what is allowed
relative to it, an error of five of the largest number's ulps is excused, and nothing more."""

FEW = 16
"""Entries that the truth is asked about when module and formula disagree."""

Results = Mapping[str, Tensor]
"""The value and the gradients, by what a report calls them."""


class Disagreement(Exception):
    """What the module gives and the formula does not, in words."""


def check_shapes(
    loss: Loss, accused: Accused, seed: int
) -> tuple[list[Claim], list[Finding]]:
    """Value and gradient on larger tensors and other batch shapes, against the plain formula.

    In float64 and at tame numbers the formula is good enough, and shares no line of code with the
    truth that the points are judged by. Where rounding is all that it leaves, as of a loss that is
    0 whatever the inputs are, it moves as much when every input moves by an ulp: no evidence.
    """
    random = generator(loss, seed, "shapes")
    options = settings(loss, Dtype.FLOAT64, random, limit=4)
    batches: tuple[tuple[int, ...], ...] = ((),)
    if any(ELLIPSIS in v.axes for v in loss.inputs):
        batches = ((), (3,), (2, 3), (2, 1, 3))
    checked, worst, detail = 0, 0.0, ""
    for k, batch in enumerate(batches * 2):
        setting = options[0] if k < len(batches) else options[k % len(options)]
        point = _admitted(
            loss,
            [
                shaped_point(loss, setting, Dtype.FLOAT64, random, size=3, batch=batch)
                for _ in range(8 if loss.require else 1)
            ],
        )
        if point is None:
            continue
        try:
            off, entries = _against_naive(loss, accused, point)
        except Disagreement as found:
            detail = f"{found} for a batch of {batch}"
            break
        except Exception as problem:  # the accused may raise whatever it likes
            detail = (
                f"raises {type(problem).__name__}: {problem} for a batch of {batch}"
            )
            break
        worst = max(worst, off)
        checked += entries
    findings = []
    if detail:
        findings.append(
            Finding(
                code="disagrees-with-formula",
                severity=Severity.FAILURE,
                message=f"on larger tensors: {detail}",
            )
        )
    status = Status.FAILED if detail else Status.PASSED if checked else Status.VACUOUS
    claim = Claim(
        kind="shapes",
        text="larger tensors, against the formula in float64",
        status=status,
        checked=checked,
        detail=detail,
    )
    return [claim], findings


def _admitted(loss: Loss, points: Sequence[Point]) -> Point | None:
    fit = admitted(loss, [repaired(loss, p) for p in points])
    return fit[0] if fit else None


def _against_naive(loss: Loss, accused: Accused, point: Point) -> tuple[float, int]:
    """The largest error relative to the largest entry, and how many entries were compared."""

    def naive(bound: Mapping[str, Bound]) -> Tensor:
        arguments = words_as_numbers(loss, bound)
        return Evaluator(loss, arguments, torch.float64).unreduced()

    def results(call: Callable[[Mapping[str, Bound]], Tensor], at: Point) -> Results:
        value, gradient = run(loss, at.values, call, torch.float64)
        return {"value": value, **{f"gradient by {n}": g for n, g in gradient.items()}}

    ours, plain = results(accused.call, point), results(naive, point)
    shape, wanted = ours["value"].shape, plain["value"].shape
    if shape != wanted:
        raise Disagreement(f"shape {tuple(shape)} for {tuple(wanted)}")
    compared = [(name, got, plain[name]) for name, got in ours.items()]
    noise = RESIDUE * max(
        (
            want[want.isfinite()].abs().max().item()
            for _, _, want in compared
            if want.isfinite().any()
        ),
        default=0.0,
    )
    worst, checked = 0.0, 0
    for name, got, want in compared:
        known = want.isfinite()
        if not bool(known.any()):
            continue
        size = want[known].abs().max().clamp(min=max(noise, 1e-300))
        error = ((got - want)[known].abs() / size).nan_to_num(math.inf).max().item()
        if error > 1e-6:
            near = [results(naive, p) for p in neighbours(loss, point, Dtype.FLOAT64)]
            moved = [(other[name] - want)[known].abs().max().item() for other in near]
            if error * size.item() <= Limits().scaled * max(moved, default=0.0):
                continue
            if _formula_is_off(loss, point, name, got, want):
                continue
            raise Disagreement(f"{name} is off by {error:.3g} of its largest entry")
        worst = max(worst, error)
        checked += int(known.sum())
    return worst, checked


def _formula_is_off(
    loss: Loss, point: Point, name: str, got: Tensor, want: Tensor
) -> bool:
    """Whether the exact truth is with the module and not with the formula in float64.

    Asked of few entries only: there the formula may cancel although its result does not.
    """
    if got.numel() > FEW:
        return False
    truth = Oracle.at(loss, point).truth(point)
    exact = (
        truth.value
        if name == "value"
        else tuple(slope.value for slope in truth.gradient[name.split()[-1]])
    )
    known = torch.tensor([e.rounded() for e in exact], dtype=torch.float64)
    one, other = (
        (side.flatten() - known).nan_to_num(math.inf).abs().max().item()
        for side in (got, want)
    )
    return one <= 1e-6 * known.abs().max().item() and other > one
