"""Every way of running a module, held against the truth by the judge's rule."""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version

from losscodegen.ir.loss import Loss
from losscodegen.judge.accused import Accused, CannotLoadError
from losscodegen.judge.case import Case
from losscodegen.judge.certificate import Fate, Passage, tidy
from losscodegen.judge.check import one_thread
from losscodegen.judge.compare import compare
from losscodegen.judge.criterion import Fault, Limits, Measure, Skip
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.rounding import Dtype
from losscodegen.judge.tally import Tally
from losscodegen.judge.tensors import Result, is_pointwise
from losscodegen.judge.trial import Trial
from losscodegen.survival.plan import Budget, Group, plan
from losscodegen.survival.way import (
    BrokenError,
    NotApplicableError,
    NotCheckedError,
    Subject,
    Way,
    clipped,
)
from losscodegen.survival.ways import EAGER, WAYS

DTYPE = Dtype.FLOAT32
"""In which modules are trained, compiled and exported."""
ORDERS = ("value", "gradient")


def survive(
    loss: Loss,
    source: str,
    *,
    ways: Sequence[Way] = WAYS,
    seed: int = 0,
    limits: Limits | None = None,
    budget: Budget | None = None,
    tell: Callable[[str], None] = lambda way: None,
) -> tuple[Passage, ...]:
    """What becomes of ``source``, the text of a module for ``loss``, in each of ``ways``.

    A way is the end of a module if an entry of its value or gradient fails by the rule of
    `losscodegen.judge.check.verify` that does not fail where the module is run as it is, or if it
    raises. ``tell`` is told the name of each way as its turn comes.
    """
    budget = budget or Budget()
    with one_thread(), _environment_kept():
        try:
            accused = Accused.load(loss, source)
        except CannotLoadError as problem:
            reason = f"the module cannot be loaded: {problem}"
            return tuple(
                Passage(way=w.name, fate=Fate.NOT_CHECKED, reason=reason) for w in ways
            )
        trial = Trial(
            loss=loss,
            accused=accused,
            oracles=Oracles(),
            dtype=DTYPE,
            seed=seed,
            count=budget.points if is_pointwise(loss) else 4 * budget.points,
            limits=(limits or Limits()).within(DTYPE),
        )
        subject = Subject(loss, source, accused)
        groups = plan(trial, budget)
        eager, reason = _eager(subject, trial, groups)
        found = []
        for way in ways:
            tell(way.name)
            if reason:
                passage = Passage(way=way.name, fate=Fate.NOT_CHECKED, reason=reason)
            else:
                passage = _passage(way, subject, trial, groups, eager)
            found.append(passage)
    return tuple(found)


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Compilers note in the environment where they keep things; a verdict depends on settings."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]


@contextmanager
def _silence() -> Iterator[None]:
    """What exporters log and print of what they lack is no news to who reads a verdict."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    unread = io.StringIO()
    try:
        with redirect_stdout(unread), redirect_stderr(unread):
            yield
    finally:
        logging.disable(before)


def _eager(
    subject: Subject, trial: Trial, groups: Sequence[Group]
) -> tuple[list[Sequence[Result]], str]:
    """The results of the module as it is, and why there are none."""
    if not groups:
        return [], "there is no point at which the truth is known"
    found: list[Sequence[Result]] = []
    for group in groups:
        try:
            results = EAGER.run(subject, group, DTYPE)
        except Exception as problem:  # the accused may raise whatever it likes
            return [], f"as it is it raises {subject.told(problem)}"
        assert results is not None
        trial.findings.clear()
        for point, truth, result in zip(
            group.points, group.truths, results, strict=True
        ):
            if not trial.well_formed(point, truth, result):
                return [], f"as it is it {trial.findings[0].message}"
        found.append(results)
    return found, ""


# ---------------------------------------------------------------------- one way


def _passage(
    way: Way,
    subject: Subject,
    trial: Trial,
    groups: Sequence[Group],
    eager: Sequence[Sequence[Result]],
) -> Passage:
    if way.missing:
        lacks = ", ".join(way.missing)
        verb = "is" if len(way.missing) == 1 else "are"
        return Passage(
            way=way.name,
            fate=Fate.NOT_CHECKED,
            reason=f"{lacks} {verb} not installed",
        )
    reached = _Reached()
    reasons: dict[Fate, str] = {}
    for group, beside in zip(groups, eager, strict=True):
        where = f" ({group.setting})" * bool(group.setting)
        try:
            with _silence():
                results = way.run(subject, group, DTYPE)
        except NotApplicableError as problem:
            reasons.setdefault(Fate.NOT_APPLICABLE, str(problem))
        except NotCheckedError as problem:
            reasons.setdefault(Fate.NOT_CHECKED, str(problem))
        except BrokenError as problem:
            reasons.setdefault(Fate.DIES, f"{clipped(str(problem))}{where}")
        except Exception as problem:
            reasons.setdefault(Fate.DIES, f"raises {subject.told(problem)}{where}")
        else:
            reached.points += len(group.points) if results else 1
            reasons.setdefault(Fate.SURVIVES, "")
            for order in _hold(trial, group, results or (), beside, reached):
                reasons.setdefault(Fate.DIES, order)
    least = trial.limits.judged_at_least
    if way.orders and Fate.SURVIVES in reasons and reached.judged < least:
        reasons[Fate.NOT_CHECKED] = f"only {reached.judged} entries can be judged"
    fate = next(
        f
        for f in (Fate.DIES, Fate.NOT_CHECKED, Fate.SURVIVES, Fate.NOT_APPLICABLE)
        if f in reasons
    )
    return Passage(
        way=way.name,
        fate=fate,
        reason=reasons[fate],
        by=", ".join(f"{name} {_version(name)}" for name in way.requires),
        points=reached.points,
        judged=reached.judged,
        value=tidy(reached.ours["value"]),
        gradient=tidy(reached.ours["gradient"]),
        eager_value=tidy(reached.eager["value"]),
        eager_gradient=tidy(reached.eager["gradient"]),
        rim=reached.rim,
        place=reached.worst.place(DTYPE) if reached.worst else None,
    )


@dataclass(slots=True)
class _Reached:
    """What was measured so far, over all groups."""

    points: int = 0
    judged: int = 0
    rim: int = 0
    ours: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ORDERS, 0.0))
    eager: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ORDERS, 0.0))
    worst: Case | None = None


def _hold(
    trial: Trial,
    group: Group,
    results: Sequence[Result],
    eager: Sequence[Result],
    reached: _Reached,
) -> Iterator[str]:
    """Why the module dies, as often as it does; `reached` takes in what was measured."""
    trial.findings.clear()
    ours = {order: Tally(DTYPE, order, trial.limits) for order in ORDERS}
    theirs = {order: Tally(DTYPE, order, trial.limits) for order in ORDERS}
    for k, result in enumerate(results):
        point, truth = group.points[k], group.truths[k]
        if not trial.well_formed(point, truth, result):
            continue
        there = compare(point, truth, eager[k], eager[k], DTYPE, trial.limits)
        known = {(c.order, c.variable, c.entry): (c, e, g) for _, c, e, _, g in there}
        for order, case, error, beside, kind in compare(
            point, truth, result, eager[k], DTYPE, trial.limits
        ):
            ours[order].add(case, error, beside, kind)
            twin, error_there, _ = known[order, case.variable, case.entry]
            theirs[order].add(twin, error_there, beside, kind)
            worse = isinstance(error_there, Measure) and error is Skip.RIM
            reached.rim += worse
    for tallies, worst in ((theirs, reached.eager), (ours, reached.ours)):
        for order, tally in tallies.items():
            tally.name_cancellations()
            trial.excuse(tally)
            settled = [
                min(c.ulp, c.scaled)
                for c in tally.cases
                if c.probed and c.fault is not Fault.CANCELLATION
            ]
            worst[order] = max([worst[order], tally.worst, *settled])
            if tallies is ours:
                reached.judged += sum(tally.classes.values())
    yield from (finding.message for finding in trial.findings)
    for order, tally in ours.items():
        for case in tally.failures():
            if not _fails_as_it_is(trial, case):
                if reached.worst is None or case.scaled > reached.worst.scaled:
                    reached.worst = case
                yield _what(order, case, trial)


def _fails_as_it_is(trial: Trial, case: Case) -> bool:
    """Whether the module itself fails at an entry at which a way does."""
    twin = replace(
        case, got=case.naive, ulp=case.naive_ulp, scaled=math.inf, by_line=math.inf
    )
    if twin.ulp <= trial.limits.fails(case.order):
        return False
    twin.settle(trial.spread(twin, by_line=False), DTYPE)
    if twin.fails(trial.limits) and trial.loss.axes:
        twin.settle_by_line(trial.spread(twin, by_line=True), DTYPE)
    if twin.fails(trial.limits):
        trial.sides.settle(twin, trial.limits)
    return twin.fails(trial.limits)


def _what(order: str, case: Case, trial: Trial) -> str:
    place = case.place(DTYPE)
    what = "value" if case.variable is None else f"gradient by {case.variable}"
    return f"{what} is {place.got}, should be {place.want}, at {place.point}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
