"""Value and gradient of one element of the batch, at the precision that it takes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import flint

from losscodegen.judge.oracle_arithmetic import add, hull
from losscodegen.judge.oracle_binding import Binding
from losscodegen.judge.oracle_conditions import OPEN
from losscodegen.judge.oracle_graph import Leaf
from losscodegen.judge.oracle_limits import Beside
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import UNDEFINED, ZERO, Cut, Value
from losscodegen.judge.oracle_real import bounds, greatest, least, resolve
from losscodegen.judge.oracle_run import MOST_CHOICES, Machine, Sweep
from losscodegen.judge.oracle_tape import Tape
from losscodegen.judge.point import UNDETERMINED, Kind, Real, Slope
from losscodegen.judge.rounding import Dtype

Formats = tuple[Dtype, ...]

FIRST_BITS = 128
MOST_BITS = 16384


def next_bits(bits: int) -> int:
    return min(4 * bits, MOST_BITS)


def first_bits(formats: Formats) -> int:
    """A precision that settles most points for these formats at once."""
    return FIRST_BITS if any(f.precision > 32 for f in formats) else FIRST_BITS // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivative:
    """An entry of a gradient before rounding; ``options`` are all candidates at a kink."""

    value: Value
    options: tuple[Value, ...] = ()
    jump: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTruth:
    """What is true in one lane.

    ``own`` are the entries that belong to the lane, ``shared`` its part in those that do not.
    """

    value: tuple[Real, ...]
    jumps: tuple[bool, ...]
    own: Mapping[Leaf, Slope]
    shared: Mapping[Leaf, Derivative]
    bits: int


class Lane:
    """A tape, and what is asked of it."""

    def __init__(self, tape: Tape) -> None:
        self.machine = Machine(tape)
        self.tape = tape
        active = [(f, p) for f, p in tape.leaves.items() if tape.nodes[p].active]
        self.active = tuple(active)
        self.spread = any(leaf.spread for leaf in tape.leaves)

    def values(
        self, binding: Binding, lane: int, formats: Formats, bits: int, most: int
    ) -> tuple[Real, ...]:
        """The outputs alone."""
        entries = binding.registers(self.tape.leaves, lane)
        while True:
            registers = self.run(entries, bits)
            found = tuple(_settled(registers[o], formats) for o in self.tape.outputs)
            if bits >= most or all(v.known for v in found):
                return found
            bits = next_bits(bits)

    def codes(self, binding: Binding, lane: int, bits: int, most: int) -> list[int]:
        """The codes of outputs that are conditions."""
        entries = binding.registers(self.tape.leaves, lane)
        while True:
            registers = self.run(entries, bits)
            found = [int(registers[o]) for o in self.tape.outputs]
            if bits >= most or OPEN not in found:
                return found
            bits = next_bits(bits)

    def truth(
        self, binding: Binding, lane: int, formats: Formats, bits: int, most: int
    ) -> LaneTruth:
        entries = binding.registers(self.tape.leaves, lane)
        while True:
            registers = self.run(entries, bits)
            value = tuple(_settled(registers[o], formats) for o in self.tape.outputs)
            sweep = self.machine.sweep(registers, settle=bits >= most)
            slopes: dict[Leaf, Real] = {}
            for leaf, place in self.active:
                if leaf.spread:
                    adjoint = sweep.adjoints[place]
                    slopes[leaf] = _settled(_number(adjoint), formats)
            known = all(v.known for v in value) and all(
                s.known for s in slopes.values()
            )
            if known or bits >= most:
                break
            bits = next_bits(bits)
        derivatives = self._derivatives(registers, entries, sweep)
        jumps = self._jumps(registers)
        if any(jumps):
            derivatives = self._marked(derivatives, jumps)
        return LaneTruth(
            value=value,
            jumps=jumps,
            own={
                leaf: (
                    slope_of(d, formats)
                    if d.options or d.jump or slopes[leaf].kind is Kind.UNDEFINED
                    else Slope(value=slopes[leaf])
                )
                for leaf, d in derivatives.items()
                if leaf.spread
            },
            shared={leaf: d for leaf, d in derivatives.items() if not leaf.spread},
            bits=bits,
        )

    def run(self, entries: Mapping[int, Register], bits: int) -> list[Register]:
        flint.ctx.prec = bits
        Cut.on, Cut.made = bits >= MOST_BITS, False
        # Finding equal numbers takes time, which few points are worth.
        return self.machine.run(entries, unify=bits > FIRST_BITS)

    def _derivatives(
        self,
        registers: Sequence[Register],
        entries: Mapping[int, Register],
        sweep: Sweep,
    ) -> dict[Leaf, Derivative]:
        others: list[list[Value | None]] = []
        singular: set[int] = set()
        if sweep.ties:
            ties = self.machine.reachable_ties(registers)
            others = self.machine.alternatives(registers, ties)
            singular = self.machine.upstream(
                [p for p, t in ties.items() if t.removable]
            )
        beside = Beside(self.machine, entries)
        found = {}
        for leaf, place in self.active:
            value = _number(sweep.adjoints[place])
            options = [_number(o[place]) for o in others]
            if value is UNDEFINED:
                found[leaf] = self._limit(registers, beside, place)
                continue
            if place in singular:
                options += _sides(beside, place)
            if options:
                options.append(value)
            found[leaf] = Derivative(value=value, options=tuple(options))
        return found

    def _limit(
        self,
        registers: Sequence[Register],
        beside: Beside,
        place: int,
    ) -> Derivative:
        """The derivative beside the point, where the chain rule has none at it."""
        using = self.machine.downstream([place])
        if any(registers[o] is UNDEFINED for o in self.tape.outputs if o in using):
            return Derivative(value=UNDEFINED)
        known = _sides(beside, place)
        if not known:
            return Derivative(value=UNDEFINED)
        if len(known) == 1 or _same(*known):
            return Derivative(value=known[0])
        return Derivative(value=UNDEFINED, options=tuple(known))

    def _jumps(self, registers: Sequence[Register]) -> tuple[bool, ...]:
        places = self.machine.jumps(registers) if self.machine.steps else []
        if not places:
            return (False,) * len(self.tape.outputs)
        reached = self.machine.downstream(places)
        return tuple(o in reached for o in self.tape.outputs)

    def _marked(
        self, derivatives: Mapping[Leaf, Derivative], jumps: Sequence[bool]
    ) -> dict[Leaf, Derivative]:
        used = self.machine.upstream(
            [o for o, jump in zip(self.tape.outputs, jumps, strict=True) if jump]
        )
        places = self.tape.leaves
        return {
            leaf: Derivative(
                value=d.value, options=d.options, jump=places[leaf] in used
            )
            for leaf, d in derivatives.items()
        }


def _sides(beside: Beside, place: int) -> list[Value]:
    """The limits of the derivative from both sides, as far as there are any."""
    sides = [beside.limit(place, way) for way in (-1, 1)]
    return [s for s in sides if s is not None]


def _number(adjoint: Value | None) -> Value:
    return ZERO if adjoint is None else adjoint


def _settled(value: Value, formats: Formats) -> Real:
    """The number as it is reported, no infinity where a sum was only taken for 0."""
    found = resolve(value, formats)
    return UNDETERMINED if Cut.made and found.infinite else found


def _same(one: Value, other: Value) -> bool:
    """Whether two limits are one number, as far as any format can tell."""
    a, b = resolve(one, ()), resolve(other, ())
    return a.kind is b.kind and (not a.finite or a.rounded() == b.rounded())


def slope_of(derivative: Derivative, formats: Formats) -> Slope:
    """The derivative as it is reported: a kink only where its sides can be told apart."""
    value = resolve(derivative.value, formats)
    if derivative.options:
        ends = [bounds(option) for option in derivative.options]
        low, high = least(e[0] for e in ends), greatest(e[1] for e in ends)
        if value.kind is Kind.UNDEFINED or any(
            not low.rounded(f) == value.rounded(f) == high.rounded(f) for f in formats
        ):
            return Slope(value=value, low=low, high=high, jump=derivative.jump)
    return Slope(value=value, jump=derivative.jump)


def total(derivatives: Sequence[Derivative]) -> Derivative:
    """The derivative of a sum, any choice at the kink of one term with any at another's."""
    value = reduce(add, (d.value for d in derivatives))
    jump = any(d.jump for d in derivatives)
    if not any(d.options for d in derivatives):
        return Derivative(value=value, jump=jump)
    choices = [d.options or (d.value,) for d in derivatives]
    if math.prod(len(c) for c in choices) > MOST_CHOICES:
        choices = [(hull(list(c)),) for c in choices]
    options = tuple(reduce(add, chosen) for chosen in itertools.product(*choices))
    return Derivative(value=value, options=options, jump=jump)
