"""Verification: a module's text against the spec, by the truth alone."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused, CannotLoadError
from losscodegen.judge.certificate import (
    Certificate,
    Check,
    Claim,
    Finding,
    Severity,
    Status,
)
from losscodegen.judge.contract import check_contract
from losscodegen.judge.criterion import Limits
from losscodegen.judge.jumps import jumps
from losscodegen.judge.larger import check_shapes
from losscodegen.judge.laws import check_example, check_laws
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point
from losscodegen.judge.points import tidy_points
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.seal import spec_hash, text_hash
from losscodegen.judge.tensors import execute
from losscodegen.judge.trial import Trial
from losscodegen.judge.versions import judge_version, libraries, python
from losscodegen.judge.witness import check_witness

DTYPES = ("float32", "float64")
POINTS = 300


def verify(
    loss: Loss,
    source: str,
    *,
    dtypes: Sequence[str] = DTYPES,
    seed: int = 0,
    points: int = POINTS,
    limits: Limits | None = None,
    budget: float = 0.0,
) -> Certificate:
    """Judges ``source``, the text of a module, as an implementation of ``loss``.

    ``points`` is the number of random points for the default parameters; edges, kinks, seams and
    other parameters come on top. Everything is seeded: the same arguments give the same
    certificate. Nothing is raised for a bad module: what is wrong with it is a finding. With
    absolute accuracy small results may lose digits, whatever the ``limits`` say of it. With
    ``budget`` judging goes on for so many seconds, with one seed after the other, until something
    fails; the worst of each check is kept.
    """
    with one_thread():
        limits = (limits or Limits()).for_accuracy(loss.accuracy)
        return _verify(loss, source, tuple(dtypes), seed, points, limits, budget)


@contextmanager
def one_thread() -> Iterator[None]:
    """Small tensors gain nothing from threads, and sums must not depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _verify(
    loss: Loss,
    source: str,
    dtypes: tuple[str, ...],
    seed: int,
    points: int,
    limits: Limits,
    budget: float,
) -> Certificate:
    start = time.monotonic()
    checks: list[Check] = []
    claims: list[Claim] = []
    findings: list[Finding] = []
    judged = rejected = 0
    try:
        accused = Accused.load(loss, source)
    except CannotLoadError as problem:
        findings.append(
            Finding(
                code="cannot-load",
                severity=Severity.FAILURE,
                message=f"the module cannot be loaded: {problem}",
            )
        )
    else:
        oracles = Oracles()
        for again in itertools.count():
            further: list[Check] = []
            for name in dtypes:
                trial = Trial(
                    loss=loss,
                    accused=accused,
                    oracles=oracles,
                    dtype=Dtype(name),
                    seed=seed + again,
                    count=points,
                    limits=limits.within(Dtype(name)),
                )
                tallies = trial.run()
                further += [tally.check() for tally in tallies.values()]
                findings += trial.findings
                judged += len(trial.points)
                rejected += trial.rejected
                if not again and name == dtypes[-1]:
                    findings += jumps(loss, oracles, trial.seams)
            checks = worst_of(checks, further)
            failed = any(f.severity is Severity.FAILURE for f in findings)
            if failed or time.monotonic() - start >= budget:
                break
        for found, problems in _claims(loss, accused, oracles, seed):
            claims += found
            findings += problems
    return Certificate(
        loss=loss.name,
        spec=spec_hash(loss),
        source=text_hash(source),
        judge=judge_version(),
        accuracy=loss.accuracy.value,
        torch=torch.__version__,
        python=python(),
        libraries=libraries(),
        seed=seed,
        points=judged,
        rejected=rejected,
        checks=tuple(checks),
        claims=tuple(claims),
        findings=tuple(sorted(findings, key=lambda f: f.order_of_importance)),
    )


def worst_of(checks: Sequence[Check], further: Sequence[Check]) -> list[Check]:
    """Of each order in each dtype the check that says more against the module."""
    found = {(c.dtype, c.order): c for c in checks}
    for check in further:
        key = check.dtype, check.order
        if key not in found or _gravity(check) > _gravity(found[key]):
            found[key] = check
    return list(found.values())


def _gravity(check: Check) -> tuple[bool, bool, float]:
    """A check that failed, then one that could have failed, then the larger error."""
    return (
        check.status is Status.FAILED,
        check.status is not Status.VACUOUS,
        check.ours.scaled,
    )


def _claims(
    loss: Loss, accused: Accused, oracles: Oracles, seed: int
) -> list[tuple[list[Claim], list[Finding]]]:
    """What does not depend on a dtype: laws, example, contract, the witnesses."""
    tame = tidy_points(loss, Dtype.FLOAT64, seed=seed, count=12, purpose="claims")

    def truth(at: Sequence[Point]) -> list[tuple[float, ...] | None]:
        return [oracles.values(loss, p) for p in at]

    def module(at: Sequence[Point]) -> list[tuple[float, ...] | None]:
        results = execute(loss, at, accused.call, Dtype.FLOAT64)
        return [None if r.error is not None else r.value for r in results]

    judges = {"spec": truth, "module": module}
    return [
        check_laws(loss, tame, judges),
        check_example(loss, judges),
        check_contract(loss, accused, tame),
        check_shapes(loss, accused, seed),
        check_witness(loss, oracles, tame),
    ]
