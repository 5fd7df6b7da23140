"""The terms of the sums in which a loss is linear.

A loss that is a sum over an axis has the sum of their derivatives for its derivative, and a
program that has each of them right to a rounding is off by roundings of the largest when it adds
them up. So the gradient has a condition number of its own there, ``sum(|terms|)/|sum|``. All
values of a loss are added up, too, before it is differentiated.

Nothing else is an excuse: not the rounding of a sum within a logarithm or a quotient, nor that of
one that is taken from a number, such as a cosine from 1, whose derivative is lost with the value.
"""

from __future__ import annotations

from collections.abc import Sequence

from losscodegen.judge import oracle_conditions as conditions
from losscodegen.judge.oracle_arithmetic import divide, multiply, negate
from losscodegen.judge.oracle_nodes import Register
from losscodegen.judge.oracle_numbers import ONE, Value, zero
from losscodegen.judge.oracle_tape import Tape

Term = tuple[int, Value]
"""The place of a term, and what it is multiplied by."""


def terms(tape: Tape, registers: Sequence[Register], output: int) -> list[Term]:
    """The terms of an output, itself where it is no sum."""
    return _terms(tape, registers, output, ONE) or [(output, ONE)]


def _terms(
    tape: Tape, registers: Sequence[Register], place: int, factor: Value
) -> list[Term]:
    """The terms of what is a sum over an axis, a multiple of one, or a sum of such; else none."""

    def at(place: int, factor: Value) -> list[Term]:
        return _terms(tape, registers, place, factor)

    node = tape.nodes[place]
    moving = [a for a in node.args if tape.nodes[a].active]
    match node.op:
        case "add" | "sub":
            signs = [factor, negate(factor) if node.op == "sub" else factor]
            parts = [
                (a, signs[min(k, 1)]) for k, a in enumerate(node.args) if a in moving
            ]
            absent = {a for a, _ in parts if _nothing(tape, registers, a)}
            parts = [(a, sign) for a, sign in parts if a not in absent]
            found = [at(*part) for part in parts]
            if place in tape.sums:
                split = zip(found, parts, strict=True)
                return [t for own, part in split for t in own or [part]]
            whole = absent.union(a for a, _ in parts) == {*node.args} and all(found)
            return [t for own in found for t in own] if whole else []
        case "neg":
            return at(node.args[0], negate(factor))
        case "mul" if len(moving) == 1:
            for other in node.args:
                if other != moving[0]:
                    factor = multiply(factor, registers[other])
            return at(moving[0], factor)
        case "div" if moving == [node.args[0]]:
            return at(moving[0], divide(factor, registers[node.args[1]]))
        case "select":
            holds = conditions.written(registers[node.args[0]])
            return [] if holds is None else at(node.args[1 if holds else 2], factor)
        case _:
            return []


def _nothing(tape: Tape, registers: Sequence[Register], place: int) -> bool:
    """Whether a part is 0 times something, and so no part of the loss at all."""
    node = tape.nodes[place]
    match node.op:
        case "neg":
            return _nothing(tape, registers, node.args[0])
        case "mul":
            fixed = [a for a in node.args if not tape.nodes[a].active]
            return any(zero(registers[a]) for a in fixed) or any(
                _nothing(tape, registers, a) for a in node.args if a not in fixed
            )
        case _:
            return False
