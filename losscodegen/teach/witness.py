"""Both sides of a rule around its witness: how many bits of each are wrong, and where it begins.

One name of the witness runs over numbers of all sizes near it, the others stay where they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from losscodegen.compiler.rule import Fault, Rule
from losscodegen.ir.loss import DomainKind, Role, Variable
from losscodegen.judge.criterion import measure, measure_slope
from losscodegen.judge.oracle_second import bends
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Array, Entry, Point, Truth
from losscodegen.judge.rounding import Dtype, round_float
from losscodegen.judge.tensors import is_pointwise
from losscodegen.teach.curves import GRADIENT, SECOND, VALUE, Errors, wrong_bits
from losscodegen.teach.measure import entry_name
from losscodegen.teach.rules import Row, Sides, sides
from losscodegen.teach.run import Function, bend, evaluate
from losscodegen.teach.slices import moved, point_text

PATTERN, REPLACEMENT = "pattern", "replacement"

REACH = 4
"""How many powers of ten on either side of the witness are shown."""
DENSE, SPARSE = 6, 2
"""Numbers for each power of ten near the witness, and further off."""
SMALLEST, LARGEST = 1e-6, 1e2
"""What is shown on either side of a witness at 0."""
FARTHEST = 1e38
"""What is shown of a witness at infinity, from `LARGEST` on."""
NEAR_ONE = 0.1
"""From so near to 1 on, distances from 1 tell more than sizes do."""

_BITS = 256
_BROKEN = (OverflowError, ZeroDivisionError, ValueError, RuntimeError, IndexError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """The errors of both sides near a witness.

    ``name`` is the entry that runs, ``at`` its value in the witness, ``fixed`` the other names.
    ``centre`` is the number from which distances are logarithmic, 0 or 1.
    """

    name: str
    at: float
    fixed: str
    centre: float
    errors: Errors


def neighbourhood(row: Row, known: Sides | None = None) -> Neighbourhood | None:
    """The name along which the errors of the side that fails change most.

    Where none of them changes anything, all run in proportion. None if none can run at all.
    """
    both = known or sides(row)
    failing = PATTERN if isinstance(row, Rule) else REPLACEMENT
    running = _running(row, both)
    found = [n for v, k in running if (n := _along(row, both, v, k)) is not None]
    best = max(found, key=lambda n: _change(n, failing), default=None)
    if best is not None and _change(best, failing) >= TELLING:
        return best
    tensors = [(v, k) for v, k in running if not v.scalar]
    if len(tensors) > 1 or any(_several(both, v) for v, _ in tensors):
        variable, place = max(tensors, key=lambda pair: _size(both, *pair))
        other = _along(row, both, variable, place, together=True)
        if other is not None and _change(other, failing) >= TELLING:
            return other
    return best


TELLING = 4.0
"""Bits by which an error has to change for a plot of it to say anything."""


def _several(both: Sides, variable: Variable) -> bool:
    entry = both.point.values[variable.name]
    return isinstance(entry, Array) and not is_pointwise(both.loss)


def _size(both: Sides, variable: Variable, place: int) -> float:
    entry = both.point.values[variable.name]
    assert isinstance(entry, Array)
    return abs(entry.entries[place])


def _change(found: Neighbourhood, failing: str) -> float:
    row = [b for b in dict(found.errors.forms)[failing] if not math.isnan(b)]
    return max(row) - min(row) if row else -1.0


MOST = 4
"""Names that are tried."""


def _running(row: Row, both: Sides) -> list[tuple[Variable, int]]:
    """The names that may run, each with the entry that does; first that of the derivative."""
    wrt = row.witness.wrt
    found = []
    for variable in both.loss.variables:
        entry = both.point.values.get(variable.name)
        if variable.domain.kind is DomainKind.INDEX:
            continue
        if isinstance(entry, Array) and entry.entries:
            sizes = [abs(e) for e in entry.entries]
            found.append((variable, sizes.index(max(sizes))))
        elif isinstance(entry, float) and variable.role is Role.PARAMETER:
            found.append((variable, 0))
    return sorted(found, key=lambda pair: pair[0].name != wrt)[:MOST]


def _along(
    row: Row, both: Sides, variable: Variable, place: int, *, together: bool = False
) -> Neighbourhood | None:
    name, dtype = variable.name, both.dtype
    here = both.point.values[name]
    given = here.entries[place] if isinstance(here, Array) else here
    at = round_float(float(given), dtype) if isinstance(given, int | float) else 0.0
    centre = 1.0 if 0 < abs(at - 1) < NEAR_ONE and not together else 0.0
    x = tuple(n for n in around(at, centre, dtype) if admitted(variable, n, at))
    if len(x) < DENSE or (together and (at == 0 or math.isinf(at))):
        return None
    points = [
        _scaled(both, n / at) if together else _with(both.point, name, place, n)
        for n in x
    ]
    pattern, replacement = _errors(row, both, points, row.witness.wrt or name)
    order = {Fault.VALUE: VALUE, Fault.GRADIENT: GRADIENT}.get(
        row.witness.fault, SECOND
    )
    pointwise = is_pointwise(both.loss)
    rest = {
        n: _first(e) if pointwise else e
        for n, e in both.point.values.items()
        if n != name or (isinstance(e, Array) and not pointwise and len(e.entries) > 1)
    }
    fixed = point_text(Point(values=rest), dtype)
    return Neighbourhood(
        name=name if pointwise else entry_name(both.point, name, place),
        at=at,
        fixed=f"{fixed}, all in proportion" if together else fixed,
        centre=centre,
        errors=Errors(
            order=order,
            total=dtype.precision,
            x=x,
            forms=((PATTERN, pattern), (REPLACEMENT, replacement)),
        ),
    )


def _scaled(both: Sides, factor: float) -> Point:
    """The witness with every number of every tensor that much larger."""

    def scaled(variable: Variable, entry: Entry) -> Entry:
        if not isinstance(entry, Array) or variable.domain.kind is DomainKind.INDEX:
            return entry
        entries = (round_float(factor * e, both.dtype) for e in entry.entries)
        return Array(entry.shape, tuple(entries))

    values = {v.name: scaled(v, both.point.values[v.name]) for v in both.loss.variables}
    return replace(both.point, values=values)


def _first(entry: Entry) -> Entry:
    return Array((), entry.entries[:1]) if isinstance(entry, Array) else entry


def around(at: float, centre: float, dtype: Dtype) -> tuple[float, ...]:
    """Numbers of the format near ``at``, ``at`` among them, in order."""
    found = {round_float(x, dtype) for x in _around(at, centre)}
    return tuple(
        sorted(x for x in found if x == 0 or dtype.tiny <= abs(x) <= dtype.largest)
    )


def _around(at: float, centre: float) -> Iterator[float]:
    if at == 0:
        steps = round(math.log10(LARGEST / SMALLEST)) * DENSE
        sizes = [SMALLEST * 10 ** (k / DENSE) for k in range(steps + 1)]
        yield from (0.0, *sizes, *(-s for s in sizes))
        return
    if math.isinf(at):
        steps = round(math.log10(FARTHEST / LARGEST)) * DENSE
        yield from (
            math.copysign(LARGEST * 10 ** (k / DENSE), at) for k in range(steps)
        )
        return
    # Both ways, and on to numbers of usual size, where as a rule nothing goes wrong.
    size = math.log10(abs(at - centre)) if centre == 0 else 0.0
    below, above = max(REACH, round(size) + 1), max(REACH, 1 - round(size))
    near = [k / DENSE for k in range(-REACH * DENSE, REACH * DENSE + 1)]
    low = [-REACH - k / SPARSE for k in range(1, (below - REACH) * SPARSE + 1)]
    high = [REACH + k / SPARSE for k in range(1, (above - REACH) * SPARSE + 1)]
    yield at
    for power in (*low, *near, *high):
        try:
            x = centre + (at - centre) * 10**power if power else at
        except OverflowError:
            continue
        if math.isfinite(x) and (centre == 0 or abs(x - centre) < 1):
            yield x


def admitted(variable: Variable, x: float, at: float) -> bool:
    """Whether the name may have this value where the row is used.

    An end of the interval that the witness ``at`` lies beyond is there for the comparison alone.
    """
    interval = variable.domain.interval
    if interval is None:
        return True
    kept = replace(
        interval,
        low=interval.low if interval.low is None or at >= interval.low else None,
        high=interval.high if interval.high is None or at <= interval.high else None,
    )
    return x in kept


# -------------------------------------------------------------------------------------- errors


def _errors(
    row: Row, both: Sides, points: Sequence[Point], name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The wrong bits of both sides at each point, of the derivative by ``name`` if of one."""
    fault = row.witness.fault
    if fault is Fault.SECOND:
        return _second(both, both.pattern, points, name), _second(
            both, both.replacement, points, name
        )
    wrt = name if fault is Fault.GRADIENT else ""
    if (batch := _batch_of(both, points)) is not None:
        return _batch(both, batch, wrt)
    rows = []
    oracles = Oracles()
    for point in points:
        truth = oracles(both.loss, point, both.dtype)
        rows.append(
            tuple(
                _worst(both, function, point, truth, wrt)
                for function in (both.pattern, both.replacement)
            )
        )
    return tuple(r[0] for r in rows), tuple(r[1] for r in rows)


def _with(point: Point, name: str, place: int, x: float) -> Point:
    if isinstance(point.values[name], Array):
        return moved(point, name, place, x)
    return replace(point, values={**point.values, name: x})


def _batch_of(both: Sides, points: Sequence[Point]) -> Point | None:
    """All points in one; None where that is not the same, because of axes or of a parameter."""
    if not is_pointwise(both.loss):
        return None
    values: dict[str, Entry] = {}
    for name, entry in points[0].values.items():
        entries = [point.values[name] for point in points]
        if isinstance(entry, Array):
            column = tuple(e.entries[0] for e in entries if isinstance(e, Array))
            values[name] = Array((len(points),), column)
        elif any(other != entry for other in entries):
            return None
        else:
            values[name] = entry
    return Point(values=values)


def _batch(
    both: Sides, batch: Point, wrt: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """One entry of a batch for each number."""
    truth = Oracles()(both.loss, batch, both.dtype)
    size = max(len(e.entries) for e in batch.values.values() if isinstance(e, Array))
    first, second = (
        tuple(
            _entry(both, got, truth, wrt, k)
            for k, got in enumerate(_results(both, function, batch, wrt, size))
        )
        for function in (both.pattern, both.replacement)
    )
    return first, second


def _results(
    both: Sides, function: Function, point: Point, wrt: str, size: int
) -> tuple[float, ...]:
    try:
        found = evaluate(function, both.loss, point, both.dtype, [wrt] if wrt else [])
    except _BROKEN:
        return (math.nan,) * size
    return found.gradient[wrt] if wrt else found.value


def _worst(
    both: Sides,
    function: Function,
    point: Point,
    truth: Truth | None,
    wrt: str,
) -> float:
    """The worst entry counts."""
    size = 0 if truth is None else len(truth.gradient[wrt] if wrt else truth.value)
    got = _results(both, function, point, wrt, size)
    bits = [_entry(both, n, truth, wrt, k) for k, n in enumerate(got[:size])]
    return max((b for b in bits if not math.isnan(b)), default=math.nan)


def _entry(both: Sides, got: float, truth: Truth | None, wrt: str, place: int) -> float:
    if truth is None:
        return math.nan
    lost = float(both.dtype.precision)
    if wrt:
        return wrong_bits(
            measure_slope(truth.gradient[wrt][place], got, both.dtype), lost
        )
    return wrong_bits(measure(truth.value[place], got, both.dtype), lost)


def _second(
    both: Sides, function: Function, points: Sequence[Point], name: str
) -> tuple[float, ...]:
    oracles = Oracles()
    found = []
    for point in points:
        one = Point(values={n: _first(e) for n, e in point.values.items()})
        (truth,) = bends(oracles.at(both.loss, one), one, both.dtype, _BITS)[name]
        got = bend(function, both.loss, one, both.dtype, name)
        error = measure(truth.value, got, both.dtype)
        found.append(wrong_bits(error, float(both.dtype.precision)))
    return tuple(found)
