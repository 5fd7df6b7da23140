"""What every generated module promises besides its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from losscodegen.ir.loss import DomainKind, Loss
from losscodegen.judge.accused import Accused, words_as_numbers
from losscodegen.judge.certificate import Claim, Finding, Severity, Status
from losscodegen.judge.contract_defaults import default_fault
from losscodegen.judge.contract_one import one_fault
from losscodegen.judge.contract_parameters import parameter_fault, refusals
from losscodegen.judge.contract_second import second_fault
from losscodegen.judge.contract_sizes import empty_fault
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.point import Entry, Point
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tensors import TORCH, Bound, bind, stacks

CALLS = 6
"""For how many calls a promise is tried."""

HALVES = (Dtype.FLOAT16, Dtype.BFLOAT16)
LABELS = frozenset(
    {DomainKind.BINARY, DomainKind.SIGN, DomainKind.COUNT, DomainKind.MASK}
)


class Broken(Exception):
    """A promise that was not kept, in words."""


@dataclass(frozen=True, slots=True)
class Promise:
    """One clause: its name, and what raises `Broken` (or anything) if it is not kept.

    The check returns how many comparisons it made; none makes the clause vacuous.
    """

    name: str
    check: Callable[[Loss, Accused, Sequence[Point]], int]


def check_contract(
    loss: Loss, accused: Accused, points: Sequence[Point]
) -> tuple[list[Claim], list[Finding]]:
    """Every clause at tame points, in float64 unless the clause says otherwise."""
    claims, findings = [], []
    for promise in PROMISES:
        detail = ""
        checked = 0
        try:
            checked = promise.check(loss, accused, points)
        except Broken as broken:
            detail = str(broken)
        except Exception as problem:  # the accused may raise whatever it likes
            detail = f"raises {type(problem).__name__}: {problem}"
        if detail:
            findings.append(
                Finding(
                    code="contract-broken",
                    severity=Severity.FAILURE,
                    message=f"{promise.name}: {detail}",
                )
            )
        status = (
            Status.FAILED if detail else Status.PASSED if checked else Status.SKIPPED
        )
        claims.append(
            Claim(
                kind="contract",
                text=promise.name,
                status=status,
                checked=checked,
                detail=detail,
            )
        )
    return claims, findings


# ---------------------------------------------------------------------- clauses


def _reductions(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """mean and sum are those of the unreduced loss; the default is the one the spec names."""
    if loss.scalar:
        return 0
    checked = 0
    for bound in _stacked(loss, points, torch.float64):
        none = accused.call(bound)
        if not bool(none.isfinite().all()):
            continue
        total = none.sum()
        if loss.mean_weight is None:
            mean = none.mean()
        else:
            weights = _weights(loss, bound, none.shape)
            mean = total / weights.sum()
        expected = {"none": none, "sum": total, "mean": mean}
        for reduction in ("sum", "mean"):
            got = accused.call(bound, reduction=reduction)
            _same(got, expected[reduction], f"reduction={reduction!r}", 1e-9)
        default = accused.call(bound, reduction=None)
        _same(default, expected[loss.reduction], "the default reduction", 1e-9)
        checked += 3
    return checked


def _weights(loss: Loss, bound: Mapping[str, Bound], shape: torch.Size) -> Tensor:
    evaluator = Evaluator(loss, words_as_numbers(loss, bound), torch.float64)
    weight = evaluator.loss.mean_weight
    assert weight is not None
    return evaluator.arranged(evaluator.evaluate(weight)).expand(shape)


def _halves(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """Half inputs give half results: the float32 result, rounded once."""
    checked = 0
    for dtype in HALVES:
        for values in _stacked_values(loss, points):
            small = bind(loss, values, TORCH[dtype])
            wide = {
                name: (
                    b.float() if isinstance(b, Tensor) and b.is_floating_point() else b
                )
                for name, b in small.items()
            }
            got = accused.call(small)
            if got.dtype != TORCH[dtype]:
                raise Broken(f"{dtype.value} inputs give {_name(got)}")
            want = accused.call(wide).detach()
            # One rounding is half an ulp; parameters that half cannot hold may cost another.
            slack = 1.01 * dtype.epsilon * want.abs() + dtype.tiny
            if want.abs().max() < dtype.largest:
                worst = ((got.detach().float() - want).abs() - slack).nan_to_num(0.0)
                if bool((worst > 0).any()):
                    raise Broken(
                        f"{dtype.value} inputs give {_list(got)}, float32 gives {_list(want)}"
                    )
            checked += 1
    return checked


def _labels(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """Labels and masks may be integers or truth values."""
    names = {v.name: v.domain.kind for v in loss.inputs if v.domain.kind in LABELS}
    checked = 0
    for bound in _stacked(loss, points, torch.float64):
        for name, kind in names.items():
            value = bound[name]
            if not isinstance(value, Tensor):
                continue
            other = value.bool() if kind is DomainKind.MASK else value.long()
            got = accused.call({**bound, name: other})
            _same(got, accused.call(bound), f"{_name(other)} for {name}", 1e-12)
            checked += 1
    return checked


def _untouched(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """Inputs are not written to, and the same inputs give the same bits."""
    checked = 0
    for values in _stacked_values(loss, points):
        bound = bind(loss, values, torch.float64)
        before = {
            name: b.detach().clone()
            for name, b in bound.items()
            if isinstance(b, Tensor)
        }
        first = accused.call(bound).detach()
        for name, copy in before.items():
            now = bound[name]
            assert isinstance(now, Tensor)
            if not torch.equal(now.detach().nan_to_num(7.0), copy.nan_to_num(7.0)):
                raise Broken(f"{name} is written to")
        again = accused.call(bound).detach()
        if not torch.equal(first.nan_to_num(7.0), again.nan_to_num(7.0)):
            raise Broken("two calls with the same inputs differ")
        checked += 1
    return checked


def _parameters(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """What is outside the domain of a parameter is refused, what is inside is taken."""
    if not points:
        return 0
    checked, fault = parameter_fault(loss, accused, points[0])
    if not loss.scalar:
        bound = bind(loss, points[0].values, torch.float64)
        try:
            accused.call(bound, reduction="average")
        except refusals(loss):
            checked += 1
        else:
            fault = fault or "reduction='average' is accepted"
    if fault:
        raise Broken(fault)
    return checked


def _empty(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """A batch of nothing has no losses, a sum of 0 and a mean of NaN."""
    checked, fault = empty_fault(loss, accused)
    if fault:
        raise Broken(fault)
    return checked


def _one(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """Axes of length 1 and a batch of one element are no special case."""
    checked, fault = one_fault(loss, accused)
    if fault:
        raise Broken(fault)
    return checked


def _defaults(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """A parameter that is left out has the value that the spec gives it."""
    checked = 0
    for point in points[:CALLS]:
        compared, fault = default_fault(loss, accused, point)
        if fault:
            raise Broken(fault)
        checked += compared
    return checked


def _second(loss: Loss, accused: Accused, points: Sequence[Point]) -> int:
    """The gradient can be differentiated, and is then the same."""
    checked, fault = second_fault(loss, accused, points)
    if fault:
        raise Broken(fault)
    return checked


PROMISES = (
    Promise("mean and sum agree with none", _reductions),
    Promise("half inputs give half results", _halves),
    Promise("labels and masks of any type", _labels),
    Promise("inputs are left alone", _untouched),
    Promise("parameters are checked", _parameters),
    Promise("defaults are those of the spec", _defaults),
    Promise("the gradient has a gradient", _second),
    Promise("an empty batch is summed to 0", _empty),
    Promise("one element and axes of length 1", _one),
)


# ---------------------------------------------------------------------- helpers


def _stacked_values(
    loss: Loss, points: Sequence[Point]
) -> Iterator[Mapping[str, Entry]]:
    found = stacks(loss, points)
    # Evenly spaced: the later ones are those of further settings.
    for k in range(min(CALLS, len(found))):
        yield found[k * len(found) // CALLS if len(found) > CALLS else k].values


def _stacked(
    loss: Loss, points: Sequence[Point], dtype: torch.dtype
) -> Iterator[dict[str, Bound]]:
    for values in _stacked_values(loss, points):
        yield {
            name: b.detach() if isinstance(b, Tensor) else b
            for name, b in bind(loss, values, dtype).items()
        }


def _same(got: Tensor, want: Tensor, what: str, tolerance: float) -> None:
    got, want = got.detach(), want.detach()
    if got.shape != want.shape:
        raise Broken(
            f"{what} gives the shape {tuple(got.shape)}, not {tuple(want.shape)}"
        )
    slack = tolerance * want.abs().max().nan_to_num(0.0).item() if want.numel() else 0.0
    if not torch.allclose(got, want, rtol=tolerance, atol=slack, equal_nan=True):
        raise Broken(f"{what} gives {_list(got)}, not {_list(want)}")


def _name(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _list(value: Tensor) -> str:
    numbers = value.detach().double().reshape(-1).tolist()
    shown = ", ".join(f"{v:.6g}" for v in numbers[:4])
    return shown if value.ndim == 0 else f"[{shown}{', ...' * (len(numbers) > 4)}]"
