"""The verdict on a loss that losscodegen did not write: what is wrong, where, and why."""

from __future__ import annotations

import hashlib
import inspect
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate, Check, Finding, Severity, Status
from losscodegen.judge.check import DTYPES, judge_version, one_thread
from losscodegen.judge.criterion import Fault, Limits
from losscodegen.judge.diagnoses import Diagnosed, diagnose
from losscodegen.judge.foreign import (
    Confinement,
    Foreign,
    Kind,
    confinement,
    reduced,
    separable,
)
from losscodegen.judge.foreign_batches import (
    BatchRecord,
    batch_points,
    plain_bound,
    record,
    returned_kind,
)
from losscodegen.judge.foreign_evidence import Evidence, Failing
from losscodegen.judge.foreign_plan import make_plan
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Entry, Point
from losscodegen.judge.points import default_values, tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.shrink import Shrunk, shrink
from losscodegen.judge.tally import Tally
from losscodegen.judge.trial import Trial
from losscodegen.language.write import format_loss

POINTS = 16
"""Random points for the default parameters; edges, kinks and seams come on top."""
TAME = 12
MERELY = 0.01
"""A relative error below which a result that lost digits is not perfect and not wrong."""
LOST = 0.5
"""One above which nothing of it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The certificate of a module, and in words what is wrong with it.

    ``returns`` is what it gives for a batch; ``judged`` the parameters that it was judged at alone.
    """

    certificate: Certificate
    module: str
    returns: str
    arguments: Mapping[str, str]
    judged: Mapping[str, Entry]
    diagnosis: Diagnosed | None = None
    smallest: Shrunk | None = None

    @property
    def passed(self) -> bool:
        return self.certificate.passed

    def as_dict(self) -> dict[str, Any]:
        """The certificate as it is for generated modules, with what is known of this one."""
        from dataclasses import asdict

        return {
            **self.certificate.as_dict(),
            "module": self.module,
            "returns": self.returns,
            "arguments": dict(self.arguments),
            "judged_at": {n: str(e) for n, e in self.judged.items()},
            "diagnosis": None if self.diagnosis is None else asdict(self.diagnosis),
            "smallest": None if self.smallest is None else self.smallest.as_dict(),
        }


def verify_module(
    target: Callable[..., Any],
    loss: Loss,
    *,
    arguments: Mapping[str, str] | None = None,
    init: Mapping[str, Any] | None = None,
    settings: Mapping[str, Entry] | None = None,
    reduction: Kind | None = None,
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    points: int = POINTS,
    budget: float = 0.0,
    strict: bool = False,
) -> Judgement:
    """Judges ``target``, an `nn.Module` class or a function, as an implementation of ``loss``.

    In this process: the code may do whatever it likes. ``arguments`` maps symbols of the loss to
    arguments of the target, ``init`` are constructor arguments, ``settings`` parameters of the
    loss (by symbol) that the target has built in. ``reduction`` is what it returns for a batch;
    found out if None, a scalar then being what the spec says. With ``budget`` sampling goes on
    for so many seconds, with one seed after the other.

    Raises:
        LossCodegenError: if its arguments cannot be told.
    """
    plan = make_plan(target, loss, arguments=arguments, init=init)
    where = confinement(loss, plan, settings or {}, default_values(loss))
    foreign = Foreign(loss=loss, target=target, plan=plan)
    limits = Limits(cancellation=Severity.FAILURE if strict else Severity.LOOSE)
    with one_thread():
        job = _Job(foreign, where, reduction, tuple(dtypes), seed, points, limits)
        return job.run(budget)


class _Job:
    def __init__(
        self,
        foreign: Foreign,
        where: Confinement,
        told: Kind | None,
        dtypes: tuple[str, ...],
        seed: int,
        points: int,
        limits: Limits,
    ) -> None:
        self.foreign, self.where, self.told = foreign, where, told
        self.dtypes, self.seed, self.points, self.limits = dtypes, seed, points, limits
        self.loss = foreign.loss
        self.oracles = Oracles()
        self.findings: list[Finding] = []
        self.checks: list[Check] = []
        self.failing: list[Failing] = []
        self.judged = self.rejected = 0

    def run(self, budget: float) -> Judgement:
        start = time.monotonic()
        whole = self.whole_batches()
        tame = self.tame()
        state = _state(self.foreign, tame + [r.point for r in whole[:2]])
        if state:
            self.fail("state", state)
        self.trials(self.seed)
        seed = self.seed
        while time.monotonic() - start < budget and not self.wrong:
            seed += 1
            self.checks = []
            self.trials(seed)
        evidence = Evidence(
            loss=self.loss,
            foreign=self.foreign,
            oracles=self.oracles,
            confinement=self.where,
            failing=self.failing,
            findings=self.findings,
            tame=tame,
            batches=whole,
            told=self.told,
            state=state,
        )
        diagnosis = diagnose(evidence) if self.wrong else None
        merely = all(relative(f) < MERELY for f in self.failing)
        if diagnosis is not None and diagnosis.code == "cancellation" and merely:
            self.excuse()
            diagnosis = None
        smallest = None
        if diagnosis is not None and self.failing:
            smallest = shrink(evidence, self.limits)
        return self.judgement(diagnosis, smallest)

    def excuse(self) -> None:
        """Digits lost to cancellation, with most of them right, fail nothing."""
        if self.limits.cancellation is Severity.FAILURE:
            return
        self.findings = [
            (
                replace(f, code="cancellation", severity=Severity.LOOSE)
                if f.code == "wrong-digits"
                else f
            )
            for f in self.findings
        ]
        self.checks = [
            replace(c, status=Status.PASSED) if c.status is Status.FAILED else c
            for c in self.checks
        ]
        self.failing = []

    @property
    def wrong(self) -> bool:
        return any(f.severity is Severity.FAILURE for f in self.findings)

    def fail(self, code: str, message: str) -> None:
        self.findings.append(
            Finding(code=code, severity=Severity.FAILURE, message=message)
        )

    def tame(self) -> list[Point]:
        return tidy_points(
            self.loss,
            Dtype.FLOAT64,
            seed=self.seed,
            count=TAME,
            purpose="tame",
            confine=self.where,
        )

    # ------------------------------------------------------------------ batches

    def whole_batches(self) -> list[BatchRecord]:
        """What it gives for whole batches; settles how the points are judged."""
        points = batch_points(self.loss, self.where, self.seed)
        seen = returned_kind(self.foreign, points)
        if self.loss.scalar:
            return []
        kind: Kind = self.told or (seen if seen == "none" else self.spec_kind)
        records = [
            record(self.foreign, self.oracles, batch, point, asked, expected)
            for asked, expected in self.asked(kind)
            for batch, point in points
        ]
        records = [r for r in records if bool(r.want.isfinite().all())]
        works = [r for r in records if not r.error]
        if works:
            # Not everything is made for more than one axis of batch; that is no fault.
            several = {r.asked for r in works}
            records = [
                r
                for r in records
                if not r.error or r.asked not in several or len(r.batch) < 2
            ]
        wrong = [r for r in records if not r.right]
        if wrong and all(len(r.batch) < 2 or not r.error for r in wrong):
            self.fail("wrong-batch", _batch_message(wrong[0]))
        if seen == "none":
            return records
        if separable(self.loss):
            how = self.spec_kind if kind == "none" else kind
            self.foreign = replace(self.foreign, returns=how)
        elif kind != "none":
            self.loss = reduced(self.loss, kind)
            self.foreign = replace(self.foreign, loss=self.loss)
        return records

    @property
    def spec_kind(self) -> Kind:
        return "sum" if self.loss.reduction == "sum" else "mean"

    def asked(self, kind: Kind) -> list[tuple[str | None, Kind]]:
        """The reductions to ask for, and what each should give."""
        if not self.foreign.plan.reduction:
            return [("none", kind)]
        if kind != "none" and self.told is not None:
            return [(None, kind)]
        found: list[tuple[str | None, Kind]] = [("none", "none")]
        return [*found, ("mean", "mean"), ("sum", "sum")]

    # ------------------------------------------------------------------ points

    def trials(self, seed: int) -> None:
        for name in self.dtypes:
            dtype = Dtype(name)
            trial = _Trial(
                loss=self.loss,
                accused=self.foreign,
                oracles=self.oracles,
                dtype=dtype,
                seed=seed,
                count=self.points,
                limits=self.limits.within(dtype),
                confine=self.where,
            )
            tallies = trial.run()
            self.checks += [tally.check() for tally in tallies.values()]
            self.findings += trial.findings
            self.judged += len(trial.points)
            self.rejected += trial.rejected
            self.failing += [
                Failing(dtype, case)
                for order in ("value", "gradient")
                for case in tallies[order].failures()
            ]
            self.nothing_left(dtype, tallies["value"])

    def nothing_left(self, dtype: Dtype, tally: Tally) -> None:
        """Values at tame points of which cancellation has left not one digit fail."""
        lost = [
            Failing(dtype, c)
            for c in tally.cases
            if c.fault is Fault.CANCELLATION
            and c.tame
            and c.probed
            and min(c.scaled, c.by_line) > self.limits.scaled
            and relative(Failing(dtype, c)) > LOST
            and abs(c.want.rounded(dtype)) > dtype.epsilon**1.5
        ]
        if lost and not self.wrong:
            self.failing += lost
            place = lost[0].case.place(dtype)
            self.findings.append(
                Finding(
                    code="cancellation",
                    severity=Severity.FAILURE,
                    message=(
                        f"value is {place.got}, should be {place.want}: "
                        f"no digit is left at {place.point}"
                    ),
                    dtype=dtype.value,
                    order="value",
                    place=place,
                )
            )

    def judgement(
        self, diagnosis: Diagnosed | None, smallest: Shrunk | None
    ) -> Judgement:
        loss, plan = self.foreign.loss, self.foreign.plan
        certificate = Certificate(
            loss=loss.name,
            spec=(
                _sha256(format_loss(loss))
                if loss.batch is not None or loss.free
                else ""
            ),
            source=_sha256(_source(self.foreign.target)),
            judge=judge_version(),
            torch=torch.__version__,
            python=platform.python_version(),
            seed=self.seed,
            points=self.judged,
            rejected=self.rejected,
            checks=tuple(self.checks),
            claims=(),
            findings=tuple(sorted(self.findings, key=_importance)),
        )
        return Judgement(
            certificate=certificate,
            module=getattr(self.foreign.target, "__qualname__", "?"),
            returns=self.foreign.returns,
            arguments={**plan.built, **plan.called},
            judged=self.where.fixed,
            diagnosis=diagnosis,
            smallest=smallest,
        )


@dataclass(slots=True)
class _Trial(Trial):
    """A trial at those points alone that the module can be asked about."""

    def gather(self) -> None:
        Trial.gather(self)
        confine = self.confine
        fixed: Mapping[str, Entry] = {}
        if isinstance(confine, Confinement):
            fixed = confine.fixed
        pairs = [
            (p, t)
            for p, t in zip(self.points, self.truths, strict=True)
            if all(_same(p.values.get(n), e) for n, e in fixed.items())
        ]
        self.points = [p for p, _ in pairs]
        self.truths = [t for _, t in pairs]


def _same(one: Entry, other: Entry) -> bool:
    """Equal, but for what a format makes of a number."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return abs(one - other) <= 1e-6 * max(abs(one), abs(other))
    return True if not isinstance(one, str) else one == other


def relative(failing: Failing) -> float:
    """The error relative to the truth."""
    want = failing.case.want.rounded(failing.dtype)
    return abs(failing.case.got - want) / abs(want) if want else math.inf


def _batch_message(wrong: BatchRecord) -> str:
    asked = f" for reduction={wrong.asked!r}" * (wrong.asked is not None)
    shape = tuple(wrong.entries.shape)
    if wrong.got is None:
        return f"a batch of {shape}{asked} raises {wrong.error}"
    got, want = wrong.got, wrong.want
    if got.shape != want.shape:
        return (
            f"a batch of {shape}{asked} gives the shape {tuple(got.shape)}, "
            f"expected {tuple(want.shape)}"
        )
    return f"a batch of {shape}{asked} gives {_short(got)}, should be {_short(want)}"


def _short(value: Tensor) -> str:
    numbers = value.reshape(-1).tolist()
    text = ", ".join(f"{v:.6g}" for v in numbers[:4])
    return text if value.ndim == 0 else f"[{text}{', ...' * (len(numbers) > 4)}]"


def _state(foreign: Foreign, points: Sequence[Point]) -> str:
    """What is different after a call: the arguments, or what the next call gives."""
    kind = "none" if foreign.plan.reduction else None
    for point in points:
        bound = plain_bound(foreign.loss, point)
        before = {n: b.clone() for n, b in bound.items() if isinstance(b, Tensor)}
        try:
            function: Any = foreign.target
            if isinstance(foreign.target, type):
                function = foreign.instance(bound, kind)
            keywords = foreign.keywords(bound, kind)
            buffers = _buffers(function)
            first = function(**keywords).detach().clone()
            for name, copy in before.items():
                if not _equal(bound[name], copy):
                    return f"the call writes to {foreign.plan.argument(name) or name}"
            changed = [
                n for n, b in _buffers(function).items() if not _equal(b, buffers[n])
            ]
            again = function(**foreign.keywords(bound, kind)).detach()
        except Exception:  # judged elsewhere
            continue
        if not _equal(first, again):
            return f"two calls give {_short(first)} and {_short(again)}"
        if changed:
            return f"the call changes its buffer {changed[0]}"
    return ""


def _buffers(function: Any) -> dict[str, Tensor]:
    if not isinstance(function, torch.nn.Module):
        return {}
    return {n: b.detach().clone() for n, b in function.named_buffers()}


def _equal(one: Any, other: Any) -> bool:
    if not isinstance(one, Tensor):
        return True
    one, other = one.detach(), other.detach()
    if one.shape != other.shape:
        return False
    if one.is_floating_point():
        one, other = one.nan_to_num(7.0), other.nan_to_num(7.0)
    return bool(torch.equal(one, other))


def _source(target: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(inspect.getmodule(target) or target)
    except (OSError, TypeError):
        return repr(target)


def _importance(finding: Finding) -> tuple[int, float]:
    rank = list(Severity).index(finding.severity)
    return rank, -(finding.place.ulp if finding.place else 0.0)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
