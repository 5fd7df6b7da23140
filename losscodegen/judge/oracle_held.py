"""What is true beside a point where every decision stays as it is at the point.

How much a result may be off follows from how far it moves when the inputs move a little. Across a
kink or a jump it moves for another reason: ``where(x > y, 2*x, 5)`` is no less certain where x and
y are equal, for a program has both and compares them exactly. So the truth at a neighbour is asked
for with the comparisons, signs and greatest entries of the point itself. What rounding may decide
otherwise is a matter of its own (see `oracle_near`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from losscodegen.ir.loss import Loss
from losscodegen.judge.oracle import Oracle, restored_precision
from losscodegen.judge.oracle_binding import bind
from losscodegen.judge.oracle_deciding import DECIDING, JUMPING, Outcome
from losscodegen.judge.oracle_lane import next_bits
from losscodegen.judge.oracle_sides import registers_of, truth_of
from losscodegen.judge.oracles import Oracles
from losscodegen.judge.point import Point, Truth
from losscodegen.judge.rounding import Dtype

Made = tuple[tuple[int, int, str, Outcome], ...]
"""The decisions at a point: element of the batch, place, op and outcome."""


@dataclass(slots=True)
class Held:
    """The oracle around a point: decisions that the value hangs on are those of the point.

    Those that the gradient alone hangs on are held for the gradient alone. It answers None where
    a variant of the formula decides something else altogether.
    """

    oracles: Oracles
    loss: Loss
    point: Point
    bits: int
    made: Made | None = field(default=None, init=False)

    def __call__(self, loss: Loss, point: Point, dtype: Dtype) -> Truth | None:
        truth = self.oracles(loss, point, dtype)
        oracle = self.oracles.at(loss, point)
        if truth is None or not _decides(oracle):
            return truth
        bits = next_bits(max(self.bits, truth.bits))
        if self.made is None:
            own = self.oracles.at(self.loss, self.point)
            self.made = _made(own, self.point, bits)
        there = _made(oracle, point, bits)
        if [op for *_, op, _ in there] != [op for *_, op, _ in self.made]:
            return None
        if [now for *_, now in there] == [was for *_, was in self.made]:
            return truth
        choice, jumping = {}, {}
        for (lane, place, op, now), (*_, was) in zip(there, self.made, strict=True):
            if now is not None:
                choice[lane, place] = was
                if op in JUMPING:
                    jumping[lane, place] = was
        value = truth_of(oracle, point, jumping, dtype, bits)
        return replace(
            value, gradient=truth_of(oracle, point, choice, dtype, bits).gradient
        )


def _decides(oracle: Oracle) -> bool:
    return any(node.op in DECIDING for node in oracle.lane.tape.nodes)


def _made(oracle: Oracle, point: Point, bits: int) -> Made:
    binding = bind(oracle.loss, oracle.sizes, point)
    found = []
    with restored_precision():
        for lane in range(oracle.lanes(binding)):
            registers = registers_of(oracle.lane, binding, lane, bits)
            for place, node in enumerate(oracle.lane.tape.nodes):
                if node.op in DECIDING:
                    args = [registers[a] for a in node.args]
                    found.append(
                        (lane, place, node.op, DECIDING[node.op].outcome(args))
                    )
    return tuple(found)
