"""One-sided limits of a derivative, where the chain rule itself says nothing.

At x = y the chain rule makes ``sqrt((x - y)**2)`` a product of oo and 0. The partial derivative
along one entry is the limit of the derivative beside the point, wherever that limit exists. It is
read off at two tiny exact steps: a limit that both agree on, a zero, or a divergence. A limit is
evidence, not proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import flint
from flint import arb, fmpq

from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import (
    INFINITY,
    MINUS_INFINITY,
    UNDEFINED,
    ZERO,
    Value,
    ball,
    finite,
    infinite,
    zero,
)
from losscodegen.judge.oracle_run import Machine

_STEPS = (160, 320)
"""Steps this many bits below the smallest number of the point, and its powers of infinity."""
_BITS = 1024
"""Bits beyond those that a step beside 1 needs."""


_CLOSE = arb(2) ** -60


class Beside:
    """The limits at one point; what they have in common is computed once."""

    def __init__(self, machine: Machine, entries: Mapping[int, Register]) -> None:
        self.machine, self.entries = machine, entries
        self.scale = _scale(entries)

    @cached_property
    def registers(self) -> list[Register]:
        """All values at the point itself, to the digits that a step beside it needs."""
        return self.machine.run(self.entries)

    def limit(self, place: int, way: int) -> Value | None:
        """The derivative by the leaf at ``place`` just above (1) or below (-1) its value.

        At an infinity it is the limit from the finite side, if no other entry is infinite. None
        where the function is not defined there or no limit is seen.
        """
        start = self.entries[place]
        if infinite(start):
            alone = sum(map(bool, map(infinite, self.entries.values()))) == 1
            if infinite(start) == way or not alone:
                return None
        elif not isinstance(start, fmpq):
            return None
        before = flint.ctx.prec
        flint.ctx.prec = _BITS + 4 * (self.scale + _STEPS[1])
        try:
            found = []
            for step in _STEPS:
                distance = fmpq(1 << (step + self.scale))
                there = -way * distance if infinite(start) else start + way / distance
                registers = self.machine.rerun(self.registers, place, there)
                if any(registers[o] is UNDEFINED for o in self.machine.tape.outputs):
                    return None
                sweep = self.machine.sweep(registers, settle=True, leaf=place)
                adjoint = sweep.adjoints[place]
                found.append(ZERO if adjoint is None else adjoint)
            return _limit(*found)
        finally:
            flint.ctx.prec = before


def _scale(entries: Mapping[int, Register]) -> int:
    """The most bits by which an entry is below or above 1."""
    sizes = [
        abs(int(e.p).bit_length() - int(e.q).bit_length())
        for e in entries.values()
        if isinstance(e, fmpq) and e != 0
    ]
    return max(sizes, default=0)


def _limit(near: Value, nearer: Value) -> Value | None:
    if infinite(near) and infinite(near) == infinite(nearer):
        return near
    if near is UNDEFINED or nearer is UNDEFINED:
        return None
    if not (finite(near) and finite(nearer)):
        return None
    if zero(near) and zero(nearer):
        return ZERO
    first, second = ball(near), ball(nearer)
    gap = abs(first - second)
    size, next_size = abs(first), abs(second)
    if gap < next_size * _CLOSE:
        return second + arb(0, gap.upper())
    if next_size < size * _CLOSE:
        return ZERO
    # A power of the step grows by many bits, a logarithm by a factor.
    if size < next_size * _CLOSE or (size > 50 and size * 1.2 < next_size):
        return INFINITY if second > 0 else MINUS_INFINITY
    return None
