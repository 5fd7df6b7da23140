"""Tests of `losscodegen.judge.diagnoses` that look at numbers; each says what it found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from losscodegen.ir.loss import DomainKind
from losscodegen.judge.criterion import Fault
from losscodegen.judge.diagnosis_ratio import factor
from losscodegen.judge.foreign_evidence import (
    Evidence,
    Failing,
    Record,
    differs,
    isolated,
    relative_error,
)
from losscodegen.judge.foreign_trace import CHOOSING
from losscodegen.judge.point import Entry

_LABELS = (DomainKind.BINARY, DomainKind.MASK, DomainKind.BOOL, DomainKind.COUNT)


def mask_by_product(evidence: Evidence) -> str | None:
    if evidence.wrong_records and all(map(_finite_record, evidence.wrong_records)):
        return None
    labels = any(v.domain.kind in _LABELS for v in evidence.loss.inputs)
    for failing in evidence.sample:
        if failing.case.order != "value" or failing.finite:
            continue
        seen = evidence.trace(failing)
        if (
            seen.nan is not None
            and not seen.nan.backward
            and seen.nan.zero_times_infinity
        ):
            logarithm = seen.infinity is None or seen.infinity.op.startswith("log")
            if (labels or logarithm) and seen.nan.op in (
                "mul",
                "mul_",
                "sum",
                "bmm",
                "mm",
                "dot",
                "xlogy",
            ):
                return f"{seen.nan.op} multiplies 0 by an infinity"
        missing = any(
            isinstance(e, float) and math.isnan(e)
            for entry in failing.case.point.values.values()
            for e in getattr(entry, "entries", ())
        )
        if missing and math.isnan(failing.case.got):
            return "NaN in an entry that is masked out comes through"
    return None


def _finite_record(record: Record) -> bool:
    return all(map(math.isfinite, record.got))


def overflow(evidence: Evidence) -> str | None:
    if evidence.wrong_records and all(map(_finite_record, evidence.wrong_records)):
        return None
    for failing in evidence.sample:
        if failing.finite or failing.case.fault is Fault.CANCELLATION:
            continue
        seen = evidence.trace(failing)
        born = seen.infinity
        chosen = CHOOSING & seen.forward
        if failing.case.order == "value":
            if (seen.nan is not None and not seen.nan.backward) or born is not None:
                op = born.op if born is not None else seen.nan and seen.nan.op
                return f"{op} gives an infinity where the loss is finite"
        elif (
            born is not None
            and not born.backward
            and not (chosen and _value_right(evidence))
        ):
            return f"{born.op} gives an infinity, and its gradient is NaN"
    return None


def _value_right(evidence: Evidence) -> bool:
    return not evidence.value_wrong


def kink_convention(evidence: Evidence) -> str | None:
    """Wrong at points and not around them; NaN from a branch not taken is another thing."""
    if not evidence.sample:
        return None
    verdicts = [(f, isolated(evidence, f)) for f in evidence.sample]
    known = [(f, v) for f, v in verdicts if v is not None]
    if not known or 4 * sum(bool(v) for _, v in known) < 3 * len(known):
        return None
    if dead_branch(evidence) is not None:
        return None
    if any(f.case.order == "value" or f.case.truth.kink for f, _ in known):
        return "right a little to either side of every failing point"
    return None


def dead_branch(evidence: Evidence) -> str | None:
    """A gradient that is NaN where the value is right, of a module that selects."""
    if evidence.value_wrong:
        return None
    for failing in evidence.sample:
        if failing.case.fault is Fault.NAN:
            seen = evidence.trace(failing)
            if not CHOOSING & seen.forward:
                continue
            op = seen.nan.op if seen.nan is not None else "an operation"
            return f"{op} gives NaN in the backward pass"
    return None


def cancellation(evidence: Evidence) -> str | None:
    if not evidence.failing or evidence.wrong_records:
        return None
    for failing in evidence.sample:
        if not failing.finite:
            return None
        size = evidence.trace(failing).largest
        want = failing.case.want.rounded(failing.dtype)
        rounding = 4096 * failing.dtype.epsilon * max(size, abs(want))
        if abs(failing.case.got - want) > rounding:
            return None
    worst = evidence.sample[0]
    return (
        f"off by {abs(worst.case.got - worst.case.want.rounded(worst.dtype)):.3g} beside "
        f"intermediate results of {evidence.trace(worst).largest:.3g}"
    )


def wrong_sign(evidence: Evidence) -> str | None:
    if not evidence.wrong_records:
        return None
    records = evidence.records
    for names in evidence.flips():
        flipped = [evidence.flipped(r.point, names) for r in records]
        results = evidence.values(flipped) if names else [r.got for r in records]
        for sign in (1.0, -1.0):
            if not names and sign > 0:
                continue
            pairs = [
                (sign * g, w)
                for r, got in zip(records, results, strict=True)
                if got is not None
                for g, w in zip(got, r.want, strict=True)
            ]
            if len(pairs) >= 4 and not any(
                differs(g, w, evidence.usual) for g, w in pairs
            ):
                what = f" for {', '.join('-' + n for n in names)}" if names else ""
                return f"gives {'minus ' * (sign < 0)}the loss{what} at every point"
    return None


def wrong_normaliser(evidence: Evidence) -> str | None:
    return factor(evidence)


def clamp_kills_gradient(evidence: Evidence) -> str | None:
    """A gradient of exactly 0 where the loss has one, beyond a threshold, and a wrong value."""
    if not evidence.value_wrong:
        return None
    flat, place = 0, ""
    for failing in evidence.sample:
        found = _flat_entry(failing, evidence)
        if found is None:
            continue
        flat, place = flat + 1, place or found
    alive = (
        any(
            not differs(g, w) and w != 0
            for r in evidence.records
            for _, g, w in r.slopes
        )
        or not evidence.wrong_records
    )
    return (
        f"no gradient by {place}, where the loss has one"
        if alive and flat * 2 > len(evidence.sample)
        else None
    )


def _flat_entry(failing: Failing, evidence: Evidence) -> str | None:
    from losscodegen.judge.tensors import execute

    (result,) = execute(
        evidence.loss, [failing.case.point], evidence.foreign.call, failing.dtype
    )
    for name, slopes in result.gradient.items():
        for k, (got, slope) in enumerate(
            zip(slopes, failing.case.truth.gradient.get(name, ()), strict=False)
        ):
            want = slope.value.rounded(failing.dtype)
            if got == 0 and want != 0 and math.isfinite(want) and not slope.kink:
                entry = failing.case.point.values[name]
                at = getattr(entry, "entries", (entry,))[k]
                return f"{name} at {name} = {at!r}"
    return None


def detached_gradient(evidence: Evidence) -> str | None:
    if evidence.wrong_records:
        return None
    wrong: dict[str, list[float]] = {}
    for record in evidence.records:
        for name, got, want in record.slopes:
            if differs(got, want, 1e-3 * abs(want)):
                wrong.setdefault(name, []).append(got)
    if wrong:
        zero = [name for name, got in wrong.items() if all(g == 0 for g in got)]
        names = ", ".join(wrong)
        return (
            f"the value is right, the gradient by {names} is {'0' if zero else 'not'}"
        )
    if evidence.value_wrong:
        return None
    if evidence.failing and all(f.case.order == "gradient" for f in evidence.failing):
        names = ", ".join(dict.fromkeys(str(f.case.variable) for f in evidence.failing))
        return f"the value is right, the gradient by {names} is not"
    return None


def eps_bias(evidence: Evidence) -> str | None:
    """Errors that are small where numbers are ordinary, and larger the nearer an edge."""
    errors = [
        abs(g - w) / max(abs(w), 1e6 * evidence.usual, 1e-30)
        for r in evidence.records
        for g, w in zip(r.got, r.want, strict=True)
        if math.isfinite(g) and math.isfinite(w)
    ]
    if errors and evidence.failing:
        usual = sorted(errors)[len(errors) * 3 // 4]
        if (usual < 0.03 and max(errors) > 0) or not evidence.wrong_records:
            worst = filter(math.isfinite, map(relative_error, _finite(evidence)))
            return (
                f"off by {usual:.2g} of the value at ordinary points, "
                f"and by {max(worst, default=math.inf):.2g} at worst"
            )
    return _vanishing(evidence)


def _finite(evidence: Evidence) -> list[Failing]:
    return [f for f in evidence.failing if f.finite]


def _vanishing(evidence: Evidence) -> str | None:
    """A small parameter of the spec without which everything is right."""
    points: Sequence[Failing] = evidence.sample
    for variable in evidence.loss.parameters:
        name = evidence.foreign.plan.argument(variable.name)
        default = variable.default
        small = variable.domain.kind in (DomainKind.POSITIVE, DomainKind.NONNEGATIVE)
        if not (
            (small and name and isinstance(default, int | float)) or (small and name)
        ):
            continue
        if not 0 < float(default if not isinstance(default, str) else 0) <= 1e-3:  # type: ignore[arg-type]
            continue
        tiny: Entry = 1e-12
        foreign = replace(
            evidence.foreign,
            plan=replace(
                evidence.foreign.plan,
                init={k: v for k, v in evidence.foreign.plan.init.items() if k != name},
            ),
        )
        other = replace(evidence, foreign=foreign)
        healed = [
            other.right_at(
                replace(r.point, values={**r.point.values, variable.name: tiny})
            )
            for r in evidence.wrong_records[:6]
        ]
        if points and healed and all(h is not False for h in healed) and any(healed):
            return f"right for {name} = 1e-12"
    return None


def wrong_formula(evidence: Evidence) -> str | None:
    for finding in evidence.findings:
        if not evidence.failing and finding.code == "raises":
            return finding.message
    return "no simple relation between what it gives and what it should give"
