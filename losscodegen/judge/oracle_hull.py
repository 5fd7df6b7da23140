"""All that may be true where rounding makes more decisions than can be tried one by one.

Where most distances of a batch tie, what comes of it cannot be listed, but it can be enclosed: each
open decision gives a ball around all that it may come to, and balls are computed with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from losscodegen.judge.oracle import Oracle, restored_precision
from losscodegen.judge.oracle_arithmetic import hull
from losscodegen.judge.oracle_binding import bind
from losscodegen.judge.oracle_conditions import OPEN
from losscodegen.judge.oracle_deciding import DECIDING, Outcome
from losscodegen.judge.oracle_graph import COMPARISONS
from losscodegen.judge.oracle_kinks import Partials, Tie
from losscodegen.judge.oracle_lane import Derivative, LaneTruth, next_bits, slope_of
from losscodegen.judge.oracle_nodes import Register, partials_at
from losscodegen.judge.oracle_numbers import ZERO, Value
from losscodegen.judge.oracle_real import resolve
from losscodegen.judge.oracle_run import Machine, interval
from losscodegen.judge.oracle_sides import Decision, decisions, registers_of
from losscodegen.judge.point import Point, Slope, Truth
from losscodegen.judge.rounding import Dtype


def hull_of(
    oracle: Oracle, point: Point, dtype: Dtype, bits: int
) -> tuple[Truth, tuple[Slope, ...]]:
    """What encloses the gradient, as the ends of its slopes, and the same of the values."""
    bits, formats = next_bits(bits), (dtype,)
    found = decisions(oracle, point, dtype, bits)
    binding = bind(oracle.loss, oracle.sizes, point)
    lanes, values = [], []
    with restored_precision():
        for n in range(oracle.lanes(binding)):
            lane = oracle.lane
            registers, partials = _opened(
                lane.machine,
                registers_of(lane, binding, n, bits),
                _by_place([d for d in found if d.lane == n]),
            )
            sweep = lane.machine.sweep(registers, chosen=partials)
            slopes = {
                leaf: _enclosed(sweep.adjoints[place]) for leaf, place in lane.active
            }
            outputs = [registers[o] for o in lane.tape.outputs]
            values.append([slope_of(_enclosed(o), formats) for o in outputs])
            lanes.append(
                LaneTruth(
                    value=tuple(resolve(o, formats) for o in outputs),
                    jumps=(False,) * len(outputs),
                    own={
                        f: slope_of(d, formats) for f, d in slopes.items() if f.spread
                    },
                    shared={f: d for f, d in slopes.items() if not f.spread},
                    bits=bits,
                )
            )
        gradient = oracle.gradient(binding, lanes, formats)
    order = list(oracle.grid.order(len(lanes)))
    truth = Truth(
        shape=(len(order),),
        value=tuple(lanes[n].value[k] for n, k in order),
        gradient=gradient,
        dtypes=formats,
        bits=bits,
    )
    return truth, tuple(values[n][k] for n, k in order)


def _by_place(found: Sequence[Decision]) -> dict[int, list[Outcome]]:
    return {
        place: [way[k] for way in decision.ways]
        for decision in found
        for k, place in enumerate(decision.places)
    }


def _enclosed(value: Value | None) -> Derivative:
    """A number that is reported by its ends."""
    known = ZERO if value is None else value
    return Derivative(value=known, options=(known,))


def _opened(
    machine: Machine, registers: Sequence[Register], ways: Mapping[int, list[Outcome]]
) -> tuple[list[Register], dict[int, Partials | Tie]]:
    """``registers`` where nodes are all that they may come to, and their partial derivatives."""
    nodes, again = machine.tape.nodes, list(registers)
    operands: dict[int, list[tuple[list[Register], Register]]] = {}
    users = machine.downstream(list(ways))
    for place, function, args, arity in machine.forward:
        if place not in users:
            continue
        given, op = [again[k] for k in args], nodes[place].op
        changes = (
            [DECIDING[op].held(way) for way in ways[place]] if place in ways else [list]
        )
        each = [change(given) for change in changes]
        results = [function(*e) if arity else function(e) for e in each]
        if place in ways:
            operands[place] = list(zip(each, results, strict=True))
        if op in COMPARISONS:
            again[place] = results[0] if len(set(results)) == 1 else OPEN
        else:
            again[place] = results[0] if len(results) == 1 else hull(results)
    partials: dict[int, Partials | Tie] = {}
    for entry in machine.backward:
        if entry.place in operands:
            options: list[Partials] = []
            for given, result in operands[entry.place]:
                found = partials_at(entry, given, result)
                if isinstance(found, Tie):
                    options += [found.convention, *found.alternatives]
                else:
                    options.append(found)
            partials[entry.place] = interval(Tie(options[0], tuple(options)))
    return again, partials
