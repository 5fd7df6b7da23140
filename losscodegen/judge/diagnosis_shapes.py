"""Tests of `losscodegen.judge.diagnoses` that look at shapes, dtypes, state and what is raised."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from losscodegen.judge.diagnosis_ratio import factor
from losscodegen.judge.foreign import elements
from losscodegen.judge.foreign_batches import BatchRecord, plain_bound
from losscodegen.judge.foreign_evidence import Evidence, relative_error
from losscodegen.judge.rounding import Dtype

_SIZES = ("size of tensor", "must match the size", "broadcast", "mat1 and mat2")
_IN_PLACE = ("modified inplace", "in-place operation")
_TYPES = ("dtype", "scalar type", "Float", "Double", "Half", "device")


def _raised(evidence: Evidence) -> Iterator[str]:
    for finding in evidence.findings:
        if finding.code == "raises":
            yield finding.message
    yield from (r.error for r in evidence.batches if r.error)


def state(evidence: Evidence) -> str | None:
    if evidence.state:
        return evidence.state
    for message in _raised(evidence):
        if any(words in message for words in _IN_PLACE):
            return "the call writes to its arguments, which autograd refuses"
    return None


def missing_reduction(evidence: Evidence) -> str | None:
    """Another shape, from which reducing further axes gives the right one, or none is left."""
    for record in evidence.batches:
        got, want = record.got, record.want
        if got is None or got.shape == want.shape:
            continue
        shapes = f"{tuple(got.shape)} for {tuple(want.shape)}"
        asked = f" for reduction={record.asked!r}" * (record.asked is not None)
        if got.numel() == 1 < want.numel():
            return f"one number for a batch of {want.numel()}{asked}"
        if want.ndim == 0 and got.shape == record.entries.shape:
            return f"the elements, {tuple(got.shape)}, where their {record.expected} is due"
        if want.ndim < got.ndim and _reducible(record):
            return f"gives the shape {shapes}: reducing the further axes makes it right"
        if got.ndim == want.ndim and want.ndim and not _square(record):
            return f"gives the shape {shapes}: reduces another axis"
    return None


def _reducible(record: BatchRecord) -> bool:
    assert record.got is not None
    axes = [
        d
        for d in range(record.got.ndim)
        for kept in [record.got.sum(d), record.got.mean(d)]
        if kept.shape == record.want.shape
        and bool(torch.allclose(kept, record.want, 1e-6))
    ]
    if record.want.ndim == 0:
        total = record.got.sum()
        axes += [0] * bool(torch.allclose(total, record.want, 1e-6))
    return bool(axes)


def _square(record: BatchRecord) -> bool:
    """Every element against every other: the shape of the batch twice."""
    assert record.got is not None
    got, want = tuple(record.got.shape), tuple(record.entries.shape)
    return len(got) > len(want) and got[-1:] == want[-1:] and got[-2:-1] == want[-1:]


def dtype_or_device(evidence: Evidence) -> str | None:
    for finding in evidence.findings:
        if finding.code == "wrong-dtype":
            return finding.message.split(" at ")[0]
    for message in _raised(evidence):
        if any(word in message for word in _TYPES) and "size" not in message:
            return message.split(" at ")[0]
    for failing in evidence.sample:
        if not failing.finite:
            continue
        seen = evidence.trace(failing)
        if (
            failing.dtype is Dtype.FLOAT64
            and seen.narrowed
            and _digits_of_float32(evidence)
        ):
            return f"float64 goes through {seen.narrowed} with fewer digits"
        if seen.truncated and evidence.value_wrong:
            return f"numbers are made integers by {seen.truncated}"
    return None


def _digits_of_float32(evidence: Evidence) -> bool:
    """Right in float32, and in float64 to as many digits."""
    wide = [f for f in evidence.failing if f.dtype is Dtype.FLOAT64 and f.finite]
    narrow = [f for f in evidence.failing if f.dtype is Dtype.FLOAT32]
    return len(narrow) * 4 <= len(wide) and all(relative_error(r) < 1e-5 for r in wide)


def broadcast(evidence: Evidence) -> str | None:
    for message in _raised(evidence):
        if any(word in message for word in _SIZES):
            return message.split(" at ")[0]
    for record in evidence.batches:
        got, want = record.got, record.want
        if got is None or record.right:
            continue
        if got.shape != want.shape:
            return f"gives the shape {tuple(got.shape)} for {tuple(want.shape)}"
    mixed = _mixes(evidence)
    if mixed:
        return mixed
    return None


def _mixes(evidence: Evidence) -> str | None:
    """Elements that hang on each other where the loss has each by itself."""
    wrong = [r for r in evidence.batches if r.got is not None and not r.right]
    if (
        not wrong
        or len(wrong) * 2 < len([r for r in evidence.batches if r.got is not None])
    ) and (not wrong or evidence.failing):
        return None
    if factor(evidence) is not None:
        return None
    if (
        evidence.failing
        and evidence.wrong_records
        and evidence.foreign.returns != "none"
    ):
        return None  # wrong for a single element already
    record = wrong[0]
    if record.expected == "none":
        found = evidence_of_mixing(evidence, record)
        return found
    return (
        f"a batch of {tuple(record.entries.shape)} gives {record.got.item():.6g}, "  # type: ignore[union-attr]
        f"its elements one by one give {record.want.item():.6g}"
    )


def evidence_of_mixing(evidence: Evidence, record: BatchRecord) -> str | None:
    """Whether an element of the result has a gradient by another element of the batch."""
    bound = plain_bound(evidence.loss, record.point)
    _, lanes = elements(evidence.loss, bound)
    try:
        alone = [evidence.foreign.plainly(lane).reshape(-1) for lane in lanes]
    except Exception:  # the code may raise whatever it likes
        return None
    assert record.got is not None
    flat = record.got.reshape(-1)
    if len(alone) != flat.numel() or any(a.numel() != 1 for a in alone):
        return None
    together = torch.stack([a[0].double() for a in alone])
    close = torch.isclose(together, flat, rtol=1e-6, atol=1e-12, equal_nan=True)
    if bool(close.all()):
        return None
    at = int((~close).nonzero()[0])
    return f"element {at} is {flat[at].item():.6g} in a batch and {together[at].item():.6g} alone"
