"""What is true on the other sides of decisions that rounding may make either way.

A program compares what it has computed. Where the exact arguments of a kink or of a jump lie nearer
to it than careful code can know them (see `oracle_near`), it may end up on the other side, or on
the kink itself, and its result is then right for numbers that no format tells from the given ones.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from losscodegen.judge.oracle import Oracle, restored_precision
from losscodegen.judge.oracle_binding import Binding, bind
from losscodegen.judge.oracle_deciding import DECIDING, Outcome
from losscodegen.judge.oracle_kinks import Partials, Tie
from losscodegen.judge.oracle_lane import (
    MOST_BITS,
    Derivative,
    Lane,
    LaneTruth,
    next_bits,
    slope_of,
)
from losscodegen.judge.oracle_near import OPEN, Near, compared
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import ZERO, Value
from losscodegen.judge.oracle_real import resolve
from losscodegen.judge.point import Point, Truth
from losscodegen.judge.rounding import Dtype

AT_MOST = 128
"""So many combinations of sides are tried."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What rounding decides in one element of the batch: nodes that do so alike.

    The ways are all that it may come to, the one that is exact among them: an outcome for each of
    the places.
    """

    lane: int
    places: tuple[int, ...]
    ways: tuple[tuple[Outcome, ...], ...]


Choice = Mapping[tuple[int, int], Outcome]
"""What is decided, by element of the batch and place."""


def choices(
    oracle: Oracle, point: Point, dtype: Dtype, bits: int
) -> list[Choice] | None:
    """What rounding may make of the decisions at a point.

    Empty if it decides nothing; None if there are more ways than can be tried.
    """
    open_ = decisions(oracle, point, dtype, next_bits(bits))
    if math.prod(len(d.ways) for d in open_) > AT_MOST:
        return None
    found = []
    for ways in itertools.product(*(d.ways for d in open_)):
        choice: dict[tuple[int, int], Outcome] = {}
        for decision, way in zip(open_, ways, strict=True):
            for place, outcome in zip(decision.places, way, strict=True):
                choice[decision.lane, place] = outcome
        found.append(choice)
    return [choice for choice in found if choice]


def truth_of(
    oracle: Oracle, point: Point, choice: Choice, dtype: Dtype, bits: int
) -> Truth:
    """Value and gradient where the decisions are made as in ``choice``.

    What ``bits`` do not settle is undetermined.
    """
    binding = bind(oracle.loss, oracle.sizes, point)
    formats, nodes = (dtype,), oracle.lane.tape.nodes
    lanes = []
    with restored_precision():
        for n in range(oracle.lanes(binding)):
            changes = {
                place: DECIDING[nodes[place].op].held(outcome)
                for (lane, place), outcome in choice.items()
                if lane == n
            }
            registers = registers_of(oracle.lane, binding, n, bits)
            changed, partials = oracle.lane.machine.changed(registers, changes)
            lanes.append(_lane_truth(oracle.lane, changed, partials, formats, bits))
        gradient = oracle.gradient(binding, lanes, formats)
    value = [lanes[n].value[k] for n, k in oracle.grid.order(len(lanes))]
    return Truth(
        shape=(len(value),),
        value=tuple(value),
        gradient=gradient,
        dtypes=formats,
        bits=bits,
    )


def registers_of(lane: Lane, binding: Binding, n: int, bits: int) -> list[Register]:
    return lane.run(binding.registers(lane.tape.leaves, n), min(bits, MOST_BITS))


def _lane_truth(
    lane: Lane,
    registers: Sequence[Register],
    partials: Mapping[int, Partials | Tie],
    formats: tuple[Dtype, ...],
    bits: int,
) -> LaneTruth:
    machine = lane.machine
    sweep = machine.sweep(registers, settle=True, chosen=partials)
    others: list[list[Value | None]] = []
    if any(t.alternatives for t in sweep.ties.values()):
        others = machine.alternatives(registers, sweep.ties, partials)
    derivatives = {}
    for leaf, place in lane.active:
        value = _number(sweep.adjoints[place])
        options = tuple(_number(o[place]) for o in others)
        derivatives[leaf] = Derivative(
            value=value, options=(*options, value) if options else ()
        )
    return LaneTruth(
        value=tuple(resolve(registers[o], formats) for o in lane.tape.outputs),
        jumps=(False,) * len(lane.tape.outputs),
        own={f: slope_of(d, formats) for f, d in derivatives.items() if f.spread},
        shared={f: d for f, d in derivatives.items() if not f.spread},
        bits=bits,
    )


def _number(adjoint: Value | None) -> Value:
    return ZERO if adjoint is None else adjoint


# ------------------------------------------------------------------------------ what is open


def decisions(oracle: Oracle, point: Point, dtype: Dtype, bits: int) -> list[Decision]:
    """What rounding decides at a point."""
    binding = bind(oracle.loss, oracle.sizes, point)
    found = []
    with restored_precision():
        for n in range(oracle.lanes(binding)):
            near = Near(oracle.lane, registers_of(oracle.lane, binding, n, bits), dtype)
            alike: dict[Hashable, list[tuple[int, tuple[Outcome, ...]]]] = {}
            for place, node in enumerate(oracle.lane.tape.nodes):
                ask = OPEN.get(node.op)
                if ask is not None and any(near.active(a) for a in node.args):
                    ways = tuple(ask(near, node.args))
                    if not ways:
                        continue
                    name, turned = compared(near, place)
                    if turned < 0:
                        ways = (ways[0], *ways[:0:-1])
                    alike.setdefault((name, len(ways)), []).append((place, ways))
            for group in alike.values():
                places, each = zip(*group, strict=True)
                found.append(Decision(n, places, tuple(zip(*each, strict=True))))
    return found
