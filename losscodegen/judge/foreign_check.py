"""The verdict on a loss that losscodegen did not write: what is wrong, where, and why."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from losscodegen.ir.loss import Loss
from losscodegen.judge.certificate import Certificate, Check, Finding, Severity, Status
from losscodegen.judge.check import DTYPES, one_thread
from losscodegen.judge.criterion import Limits
from losscodegen.judge.diagnoses import Diagnosed, diagnose
from losscodegen.judge.foreign import Foreign, Kind, reduced, separable
from losscodegen.judge.foreign_batches import (
    BatchRecord,
    batch_points,
    record,
    returned_kind,
)
from losscodegen.judge.foreign_confinement import Confinement, confinement
from losscodegen.judge.foreign_digits import excusable, lost
from losscodegen.judge.foreign_evidence import Evidence, Failing
from losscodegen.judge.foreign_judgement import Judgement
from losscodegen.judge.foreign_plan import make_plan
from losscodegen.judge.foreign_state import batch_message, state
from losscodegen.judge.foreign_trial import ForeignTrial
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Entry, Point
from losscodegen.judge.points import default_values, tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.seal import spec_hash, text_hash
from losscodegen.judge.shrink import Shrunk, shrink
from losscodegen.judge.tally import Tally
from losscodegen.judge.versions import judge_version, libraries, python

POINTS = 16
"""Random points for the default parameters; edges, kinks and seams come on top."""
TAME = 12


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
        self.lost: list[Failing] = []
        self.judged = self.rejected = 0

    def run(self, budget: float) -> Judgement:
        start = time.monotonic()
        whole = self.whole_batches()
        tame = self.tame()
        changed = state(self.foreign, tame + [r.point for r in whole[:2]])
        if changed:
            self.fail("state", changed)
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
            failing=self.failing or self.lost,
            findings=self.findings,
            tame=tame,
            batches=whole,
            state=changed,
        )
        diagnosis = None
        if self.wrong and not self.excuse(evidence):
            diagnosis = diagnose(evidence)
        smallest = None
        if diagnosis is not None and evidence.failing:
            smallest = shrink(evidence, self.limits)
        return self.judgement(diagnosis, smallest)

    def excuse(self, evidence: Evidence) -> bool:
        """Whether rounding explains whatever is wrong, so that it is listed and fails nothing."""
        strict = self.limits.cancellation is Severity.FAILURE
        if (
            strict
            or not self.failing
            or any(
                f.severity is Severity.FAILURE and f.code != "wrong-digits"
                for f in self.findings
            )
        ):
            return False
        if not all(excusable(f, evidence.trace(f).largest) for f in self.failing):
            return False
        self.findings = [
            (
                replace(f, code="cancellation", severity=Severity.LOOSE)
                if f.severity is Severity.FAILURE
                else f
            )
            for f in self.findings
        ]
        self.checks = [
            replace(c, status=Status.PASSED) if c.status is Status.FAILED else c
            for c in self.checks
        ]
        self.failing = []
        return True

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
            self.fail("wrong-batch", batch_message(wrong[0]))
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
            trial = ForeignTrial(
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
        """Values that cancellation has left no digits fail, where the inputs are small, too."""
        limits = self.limits.within(dtype)
        cases = lost(tally, dtype, limits, self.loss, self.oracles)
        if not cases:
            return
        self.lost += [Failing(dtype, c) for c in cases]
        self.checks = [
            (
                replace(c, status=Status.FAILED)
                if (c.dtype, c.order) == (dtype.value, "value")
                else c
            )
            for c in self.checks
        ]
        place = cases[0].place(dtype)
        self.findings.append(
            Finding(
                code="cancellation",
                severity=Severity.FAILURE,
                message=(
                    f"value is {place.got}, should be {place.want}: "
                    f"not six bits are right at {place.point}"
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
            spec=spec_hash(loss) if loss.batch is not None or loss.free else "",
            source=text_hash(_source(self.foreign.target)),
            judge=judge_version(),
            torch=torch.__version__,
            python=python(),
            libraries=libraries(),
            seed=self.seed,
            points=self.judged,
            rejected=self.rejected,
            checks=tuple(self.checks),
            claims=(),
            findings=tuple(sorted(self.findings, key=lambda f: f.order_of_importance)),
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


def _source(target: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(inspect.getmodule(target) or target)
    except (OSError, TypeError):
        return repr(target)
