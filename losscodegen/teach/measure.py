"""The formula as typed and the form that replaces it, both against ball arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal

from losscodegen.ir.loss import Loss
from losscodegen.ir.nodes import Select, Switch
from losscodegen.ir.walk import walk
from losscodegen.judge.oracle import differentiable
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Point, Real, Truth
from losscodegen.judge.rounding import Dtype
from losscodegen.teach.batches import both
from losscodegen.teach.inputs import effort, inputs, reads
from losscodegen.teach.model import Inputs, Measured, Numbers, Trouble
from losscodegen.teach.run import Function, Result, Watch, evaluate, trouble

ENOUGH = 4.0
"""Bits by which a replacement has to be better for a point to be shown."""

TRIED = 40
"""Candidates that are held against the truth, the most telling first."""

DIGITS = 12
"""Decimal digits of the truth that are printed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A point where the formula as typed fails, and how."""

    measured: Measured
    trouble: Trouble
    operation: str
    effort: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    point: Point
    order: str
    wrt: str
    place: int
    gap: float
    effort: float


def bits_wrong(real: Real, got: float, dtype: Dtype) -> float:
    """How many significant bits of ``got`` are wrong: 0 within an ulp, all if none is right."""
    ulps = real.ulps(got, dtype)
    if not ulps < math.ldexp(1.0, dtype.precision - 1):
        return float(dtype.precision)
    return math.log2(ulps) if ulps > 1 else 0.0


def findings(
    loss: Loss,
    naive: Function,
    guarded: Function,
    dtype: Dtype,
    *,
    count: int = 400,
    shown: Function | None = None,
) -> list[Finding]:
    """The plainest points where ``naive`` is wrong and ``guarded`` is not, one of each trouble.

    If ``shown`` is what a reader sees in place of ``guarded``, which has other rewrites in it, too,
    then points where that is wrong are no evidence, and left out. Values come first. Points that
    nobody knows the truth of, kinks and jumps are left out.
    """
    wrt = [
        v.name for v in loss.variables if differentiable(v) and v.name in reads(loss)
    ]
    points = list(inputs(loss, dtype, count))
    candidates: list[_Candidate] = []
    for point, one, other in both(loss, (naive, guarded), points, dtype, wrt):
        candidates += _candidates(point, one, other, dtype)
    bench = _Bench(
        loss=loss, naive=naive, guarded=guarded, shown=shown, dtype=dtype, wrt=wrt
    )
    found: list[Finding] = []
    for order in ("value", "derivative"):
        found += _best(bench, [c for c in candidates if c.order == order])
    return found


def _candidates(
    point: Point, one: Result, other: Result, dtype: Dtype
) -> Iterator[_Candidate]:
    pairs = [("value", "", one.value, other.value)]
    pairs += [
        ("derivative", name, one.gradient[name], other.gradient[name])
        for name in one.gradient
    ]
    ease: float | None = None
    for order, name, left, right in pairs:
        if len(left) != len(right):
            continue
        for place, (naive, guarded) in enumerate(zip(left, right, strict=True)):
            gap = _gap(naive, guarded, dtype)
            if gap >= ENOUGH:
                ease = effort(point, dtype) if ease is None else ease
                yield _Candidate(point, order, name, place, gap, ease)


def _gap(naive: float, guarded: float, dtype: Dtype) -> float:
    """Bits by which the two differ, as seen from the second."""
    if math.isnan(guarded) or naive == guarded:
        return 0.0
    if not (math.isfinite(naive) and math.isfinite(guarded)) or guarded == 0:
        return float(dtype.precision)
    relative = abs(naive - guarded) / abs(guarded)
    return min(dtype.precision, dtype.precision + math.log2(relative))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Two forms of a loss, and what is known of them at points that were looked at."""

    loss: Loss
    naive: Function
    guarded: Function
    shown: Function | None
    dtype: Dtype
    wrt: Sequence[str]
    oracles: Oracles = field(default_factory=Oracles)
    truths: dict[int, Truth | None] = field(default_factory=dict)
    runs: dict[int, tuple[Result, Result]] = field(default_factory=dict)
    watches: dict[int, Watch] = field(default_factory=dict)

    @property
    def chooses(self) -> bool:
        """Whether the formula has branches."""
        return any(isinstance(n, Select | Switch) for n in walk(self.loss.expression))

    def truth(self, point: Point) -> Truth | None:
        if id(point) not in self.truths:
            self.truths[id(point)] = self.oracles(self.loss, point, self.dtype)
        return self.truths[id(point)]

    def run(self, point: Point) -> tuple[Result, Result]:
        """What both forms give at this point alone."""
        if id(point) not in self.runs:
            one, other = (
                evaluate(f, self.loss, point, self.dtype, self.wrt)
                for f in (self.naive, self.guarded)
            )
            self.runs[id(point)] = (one, other)
        return self.runs[id(point)]

    def watch(self, point: Point) -> Watch:
        """What happens on the way of the form as typed."""
        if id(point) not in self.watches:
            self.watches[id(point)] = watch = Watch()
            evaluate(self.naive, self.loss, point, self.dtype, self.wrt, watch)
        return self.watches[id(point)]


def _best(bench: _Bench, candidates: list[_Candidate]) -> list[Finding]:
    """One finding of each trouble: most bits lost, then the plainest inputs."""
    best: dict[Trouble, Finding] = {}
    for candidate in sorted(candidates, key=_rank)[:TRIED]:
        finding = _held(bench, candidate)
        if finding is None:
            continue
        known = best.get(finding.trouble)
        if known is None or _order(finding) < _order(known):
            best[finding.trouble] = finding
    return sorted(best.values(), key=_order)[:2]


def _rank(candidate: _Candidate) -> tuple[float, float, str, int]:
    return (
        -round(candidate.gap / 4),
        candidate.effort,
        candidate.wrt,
        candidate.place,
    )


def _order(finding: Finding) -> tuple[int, float]:
    return -round(finding.measured.naive_bits / 4), finding.effort


def _held(bench: _Bench, candidate: _Candidate) -> Finding | None:
    """The candidate beside the truth; None unless the replacement is right and better."""
    loss, point, dtype = bench.loss, candidate.point, bench.dtype
    real = _asked(bench.truth(point), candidate)
    if real is None or not real.finite:
        return None
    naive, guarded = (_number(result, candidate) for result in bench.run(point))
    lost, left = (bits_wrong(real, got, dtype) for got in (naive, guarded))
    true = real.rounded(dtype)
    if left > ENOUGH or lost < left + ENOUGH:
        return None
    if abs(true) < dtype.tiny and (real.mantissa or math.isfinite(naive)):
        return None  # nothing is told by digits of subnormal numbers, or by a rounded 0
    if bench.shown is not None:
        seen = _number(evaluate(bench.shown, loss, point, dtype, bench.wrt), candidate)
        if bits_wrong(real, seen, dtype) > lost - ENOUGH:
            return None  # other rewrites of this part are needed there, too
    entry = point.values.get(candidate.wrt)
    at = float(entry.entries[candidate.place]) if isinstance(entry, Array) else None
    what, operation = trouble(bench.watch(point), naive, true, at, bench.chooses)
    measured = Measured(
        order=candidate.order,
        dtype=dtype.value,
        precision=dtype.precision,
        inputs=as_inputs(point),
        exact=decimal(real),
        true=true,
        naive=naive,
        naive_bits=round(lost, 1),
        guarded=guarded,
        guarded_bits=round(left, 1),
        wrt=entry_name(point, candidate.wrt, candidate.place),
        place=candidate.place,
        defaults=tuple(v.name for v in loss.variables if v.scalar and not v.required),
    )
    return Finding(measured, what, operation, candidate.effort)


def _number(result: Result, asked: _Candidate) -> float:
    numbers = result.value if asked.order == "value" else result.gradient[asked.wrt]
    return numbers[asked.place]


def _asked(known: Truth | None, asked: _Candidate) -> Real | None:
    """The number that was asked for; None at kinks, at jumps and where it is not known."""
    if known is None:
        return None
    if asked.order == "value":
        return None if any(known.jumps) else known.value[asked.place]
    slope = known.gradient[asked.wrt][asked.place]
    return None if slope.kink or slope.jump else slope.value


def as_inputs(point: Point) -> Inputs:
    """A point as nested tuples."""
    return tuple(
        (
            name,
            _nested(entry.shape, entry.entries) if isinstance(entry, Array) else entry,
        )
        for name, entry in point.values.items()
        if entry is not None
    )


def _nested(shape: tuple[int, ...], entries: tuple[float, ...]) -> Numbers:
    if not shape:
        return entries[0]
    step = math.prod(shape[1:])
    return tuple(
        _nested(shape[1:], entries[k * step : (k + 1) * step]) for k in range(shape[0])
    )


def entry_name(point: Point, name: str, place: int) -> str:
    """``x``, or ``x[0, 2]`` for an entry of a tensor."""
    entry = point.values.get(name)
    if not name or not isinstance(entry, Array) or not entry.shape:
        return name
    places = []
    for size in reversed(entry.shape):
        place, at = divmod(place, size)
        places.append(at)
    return f"{name}[{', '.join(map(str, reversed(places)))}]"


_FAR = 20_000
"""Powers of two that no format comes near."""


def decimal(real: Real) -> str:
    """A real number in `DIGITS` significant decimal digits."""
    if not real.finite:
        return real.kind.value
    if not real.mantissa:
        return "0"
    if real.rounded() == 0 or real.exponent < -_FAR:
        return "about 0"
    context = Context(prec=DIGITS + 10, Emin=-99_999, Emax=99_999, traps=[])
    power = context.power(Decimal(2), Decimal(real.exponent))
    exact = context.multiply(Decimal(real.mantissa), power)
    rounded = Context(prec=DIGITS, Emin=-99_999, Emax=99_999, traps=[]).plus(exact)
    plain = rounded.normalize()
    if 0 <= plain.adjusted() < DIGITS:
        return f"{plain:f}"
    return f"{plain:g}".replace("e+", "e").lower()
