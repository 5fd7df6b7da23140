"""Second derivatives of a loss, and how sensitive its value and gradient are to the inputs.

Both are asked for at a point whose value and gradient are known already, at the precision that
those took; a second derivative that needs more gets it, up to `MOST_BITS`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import flint
from flint import arb

from losscodegen.judge.oracle import Oracle, restored_precision
from losscodegen.judge.oracle_arithmetic import add
from losscodegen.judge.oracle_binding import Binding, bind
from losscodegen.judge.oracle_graph import Leaf
from losscodegen.judge.oracle_lane import Lane, next_bits
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import Value, ball
from losscodegen.judge.oracle_real import resolve
from losscodegen.judge.oracle_tangents import KinkError, Tangents, number
from losscodegen.judge.oracle_terms import terms
from losscodegen.judge.point import UNDETERMINED, Point, Real
from losscodegen.judge.rounding import Dtype

MOST_BITS = 2048
"""Second derivatives that no such precision settles are left undetermined: they are reported, and
points where they are hard are rare."""

LEAST_BITS = 256
"""A gradient may be known at bits at which its own derivatives are all noise."""

Registers = Mapping[int, Register]


@dataclass(frozen=True, slots=True)
class Bend:
    """A second derivative; at a ``kink`` there is none."""

    value: Real
    kink: bool = False


def bends(
    oracle: Oracle,
    point: Point,
    dtype: Dtype,
    bits: int,
    *,
    only: tuple[str, int] | None = None,
) -> dict[str, tuple[Bend, ...]]:
    """The diagonal of the Hessian of the sum of all values, by variable.

    Entries that several elements of the batch share are left out: what a loss does to one element
    is asked for. ``bits`` is the precision to begin with. ``only`` names the one entry that is
    asked for; all others are 0 then.
    """
    binding = bind(oracle.loss, oracle.sizes, point)
    found: dict[str, list[Bend]] = {}
    lane = oracle.lane
    with restored_precision():
        for n in range(oracle.lanes(binding)):
            own = {
                leaf: p
                for leaf, p in lane.active
                if leaf.spread
                and only in (None, (leaf.name, binding.position(leaf, n)))
            }
            for leaf, bend in _lane_bends(lane, binding, n, own, dtype, bits):
                if binding.absent(leaf.name):
                    continue
                still = Bend(resolve(number(None), (dtype,)))
                entries = found.setdefault(
                    leaf.name, [still] * binding.count(leaf.name)
                )
                entries[binding.position(leaf, n)] = bend
    return {name: tuple(entries) for name, entries in found.items()}


def _lane_bends(
    lane: Lane,
    binding: Binding,
    n: int,
    leaves: dict[Leaf, int],
    dtype: Dtype,
    bits: int,
) -> Iterator[tuple[Leaf, Bend]]:
    entries = binding.registers(lane.tape.leaves, n)
    open_ = dict(leaves)
    while open_:
        tangents = Tangents(lane.machine, lane.run(entries, bits))
        last = bits >= MOST_BITS
        for leaf, place in list(open_.items()):
            bend = _bend(tangents, place, dtype)
            if last or bend.value.known or bend.kink:
                yield leaf, bend
                del open_[leaf]
        bits = next_bits(bits)


def _bend(tangents: Tangents, place: int, dtype: Dtype) -> Bend:
    try:
        value = number(tangents.row(place)[place])
    except KinkError as kink:
        return Bend(UNDETERMINED, kink=kink.settled)
    return Bend(resolve(value, (dtype,)))


# ------------------------------------------------------------------------------- sensitivity


def _logarithm(terms: Iterable[arb]) -> float:
    """The binary logarithm of the sum of the magnitudes, of what is known of them."""
    size = arb(0)
    for term in terms:
        if term.is_finite():
            size += abs(term).abs_lower()
    mantissa, exponent = (int(part) for part in size.mid().man_exp())
    if mantissa <= 0:
        return -math.inf
    drop = max(0, mantissa.bit_length() - 64)
    return math.log2(mantissa >> drop) + drop + exponent


class Sensitivities:
    """How far the inputs move value and gradient, with what is known of a point kept."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, int], tuple[Point, Registers, Tangents]] = {}

    def __call__(
        self, oracle: Oracle, point: Point, variable: str | None, entry: int, bits: int
    ) -> float:
        """The binary logarithm of ``sum(|x*df/dx|)`` over all entries x of all inputs.

        ``f`` is the given entry of the value, or of the gradient by ``variable``. Minus infinity
        where the sum is 0 or not known: then no conditioning excuses anything.
        """
        binding = bind(oracle.loss, oracle.sizes, point)
        with restored_precision():
            bits = flint.ctx.prec = max(bits, LEAST_BITS)
            if variable is None:
                found = self._of_value(oracle, point, binding, entry, bits)
            else:
                found = self._of_slope(oracle, point, binding, (variable, entry), bits)
            return _logarithm(ball(x) * ball(derivative) for x, derivative in found)

    def of_sums(
        self, oracle: Oracle, point: Point, variable: str, entry: int, bits: int
    ) -> float:
        """The binary logarithm of ``sum(|dt/dx|)`` over the terms t of which the loss is a sum.

        ``x`` is the given entry of ``variable``; see `oracle_terms`.
        """
        binding = bind(oracle.loss, oracle.sizes, point)
        lane, asked = oracle.lane, (variable, entry)
        found: list[arb] = []
        with restored_precision():
            bits = flint.ctx.prec = max(bits, LEAST_BITS)
            for n in range(oracle.lanes(binding)):
                keys = [
                    (leaf.name, binding.position(leaf, n)) for leaf, _ in lane.active
                ]
                if asked not in keys:
                    continue
                _, tangents = self._at(oracle, point, binding, n, bits)
                flint.ctx.prec = bits
                moves = tangents.velocities(lane.active[keys.index(asked)][1])
                for output in lane.tape.outputs:
                    for place, factor in terms(lane.tape, tangents.registers, output):
                        move = moves.get(place)
                        if move is not None:
                            found.append(ball(factor) * ball(move))
            return _logarithm(found)

    def _at(
        self, oracle: Oracle, point: Point, binding: Binding, n: int, bits: int
    ) -> tuple[Registers, Tangents]:
        """One element of the batch: its entries by place, and its tape."""
        key = id(point), n
        if key not in self.kept:
            entries = binding.registers(oracle.lane.tape.leaves, n)
            tangents = Tangents(oracle.lane.machine, oracle.lane.run(entries, bits))
            # Holding on to the point keeps its id from being given to another.
            self.kept[key] = point, entries, tangents
        return self.kept[key][1:]

    def _of_value(
        self, oracle: Oracle, point: Point, binding: Binding, entry: int, bits: int
    ) -> Iterator[tuple[Register, Value]]:
        lane = oracle.lane
        order = oracle.grid.order(oracle.lanes(binding))
        n, k = next(place for at, place in enumerate(order) if at == entry)
        entries, tangents = self._at(oracle, point, binding, n, bits)
        outputs = lane.tape.outputs
        adjoints = tangents.adjoints
        if len(outputs) > 1:
            sweep = lane.machine.sweep(
                tangents.registers, settle=True, outputs=(outputs[k],)
            )
            adjoints = sweep.adjoints
        for _, place in lane.active:
            yield entries[place], number(adjoints[place])

    def _of_slope(
        self,
        oracle: Oracle,
        point: Point,
        binding: Binding,
        asked: tuple[str, int],
        bits: int,
    ) -> Iterator[tuple[Register, Value]]:
        """The row of the Hessian of the sum of all values, elements of the batch together."""
        lane = oracle.lane
        total: dict[tuple[str, int], tuple[Register, Value]] = {}
        for n in range(oracle.lanes(binding)):
            keys = [(leaf.name, binding.position(leaf, n)) for leaf, _ in lane.active]
            if asked not in keys:
                continue
            places = [place for _, place in lane.active]
            entries, tangents = self._at(oracle, point, binding, n, bits)
            try:
                row = tangents.row(places[keys.index(asked)])
            except KinkError:
                return
            for key, place in zip(keys, places, strict=True):
                more = number(row[place])
                if key in total:
                    more = add(total[key][1], more)
                total[key] = entries[place], more
        yield from total.values()
