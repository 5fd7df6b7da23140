"""Every rule as a loss: its pattern with inputs for names, points in its domain, exact truths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from random import Random

import torch

from losscodegen.compiler.instantiate import Ready, fill, ready
from losscodegen.compiler.intervals import Range, read_range
from losscodegen.compiler.match import Bindings, Template
from losscodegen.compiler.ranges import TRUE, Ranges
from losscodegen.compiler.rule import INDICES, Refuted, Rule, Witness
from losscodegen.ir.loss import Domain, DomainKind, Interval, Loss, Role, Variable
from losscodegen.ir.nodes import Call, Expr, Index, Keep, Number, Read, Reduce
from losscodegen.ir.walk import transform, walk
from losscodegen.judge.naive import Evaluator
from losscodegen.judge.oracle import Oracle
from losscodegen.judge.point import Array, Point, Truth
from losscodegen.judge.rounding import Dtype
from losscodegen.language.formula import parse_formula

Row = Rule | Refuted
SIZE = 3


def masked(row: Row) -> bool:
    """Whether the pattern has a ``where=`` that may be left out."""
    return bool(_conditions(parse_formula(row.pattern, indices=INDICES)))


@cache
def instance(rule: Rule, *, mask: bool = False) -> Loss:
    """The loss that the pattern of ``rule`` spells."""
    found = ready(rule)
    pattern = found.matcher.pattern
    return _loss(rule, _filled(pattern, found, mask))


def _filled(expr: Expr, found: Ready, mask: bool) -> Expr:
    pattern = found.matcher.pattern
    conditions = _conditions(pattern)
    names: dict[str, Template] = {}
    indices = {Index(n, a): (Index(n, a),) for n, a in INDICES.items()}
    for node in walk(pattern):
        if not isinstance(node, Read) or node.name in names:
            continue
        inner = tuple(s for s in node.subscripts if isinstance(s, Index))
        if node.name in conditions:
            kept = Call("gt", (Read("kept", inner), Number(Fraction(0))))
            names[node.name] = Template((kept if mask else TRUE,), inner)
        elif inner or not node.subscripts:
            names[node.name] = Template((Read(node.name, inner),), inner)
    return fill(expr, Bindings(names, indices))


def _conditions(expr: Expr) -> set[str]:
    return {
        n.where.name
        for n in walk(expr)
        if isinstance(n, Reduce) and isinstance(n.where, Read)
    }


def _loss(row: Row, expression: Expr) -> Loss:
    subscripts = {
        s.name for n in walk(expression) if isinstance(n, Read) for s in n.subscripts
        if isinstance(s, Read)
    } | {n.at.name for n in walk(expression) if isinstance(n, Keep) and isinstance(n.at, Read)}
    domains = dict(row.domain) if isinstance(row, Rule) else {}
    inputs: dict[str, Variable] = {}
    for node in walk(expression):
        if isinstance(node, Read) and node.name not in inputs:
            axes = tuple(s.axis for s in node.subscripts if isinstance(s, Index))
            if node.subscripts and not axes:
                axes = ("I",)
            domain = Domain(kind=DomainKind.REAL, interval=_interval(domains.get(node.name)))
            if node.name in subscripts:
                domain = Domain(kind=DomainKind.INDEX, axis="I")
            inputs[node.name] = Variable(
                name=node.name,
                arg=node.name,
                role=Role.INPUT,
                domain=domain,
                axes=axes or ("...",),
            )
    return Loss(
        name="Instance",
        function="instance",
        module="instance",
        expression=expression,
        inputs=tuple(inputs.values()),
        batch=0,
    )


def _interval(text: str | None) -> Interval | None:
    if text is None:
        return None
    found = read_range(text)
    return Interval(
        low=None if math.isinf(found.low) else Fraction(found.low),
        high=None if math.isinf(found.high) else Fraction(found.high),
        low_open=found.low_open,
        high_open=found.high_open,
    )


def rewritten(rule: Rule, loss: Loss) -> Expr | None:
    """What the rule itself makes of the loss; None if it does not fire."""
    found = ready(rule)
    for match in found.matches(loss.expression, Ranges.of_loss(loss)):
        return found.apply(loss.expression, match)
    return None


def with_expression(loss: Loss, expression: Expr) -> Loss:
    return replace(loss, expression=expression)


# ---------------------------------------------------------------- points


def points(row: Row, loss: Loss, count: int, seed: int = 0) -> Iterator[Point]:
    """Points of moderate size inside the domains."""
    random = Random(f"{row.name} {row.pattern} {seed}")
    for _ in range(count):
        yield Point(values={v.name: _entry(v, random) for v in loss.inputs})


def _entry(variable: Variable, random: Random) -> Array:
    size = SIZE if variable.subscripted_axes else 1
    shape = (SIZE,) if variable.subscripted_axes else ()
    if variable.domain.kind is DomainKind.INDEX:
        return Array((), (random.randrange(SIZE),))
    interval = variable.domain.interval
    found = Range() if interval is None else read_range(_text(interval))
    return Array(shape, tuple(_number(found, random) for _ in range(size)))


def _text(interval: Interval) -> str:
    low = "-oo" if interval.low is None else str(float(interval.low))
    high = "oo" if interval.high is None else str(float(interval.high))
    return f"{'(' if interval.low_open else '['}{low}, {high}{')' if interval.high_open else ']'}"


def _number(found: Range, random: Random) -> float:
    low, high = max(found.low, -6.0), min(found.high, 6.0)
    if random.random() < 0.5:
        return random.uniform(low, high)
    small = random.choice((-1.0, 1.0)) * 10.0 ** random.uniform(-6, 0.5)
    return min(max(small, low + 1e-9), high - 1e-9)


def witness_point(loss: Loss, witness: Witness) -> Point:
    """The witness as a point; ``kept`` is 1 everywhere."""
    values = {}
    for variable in loss.inputs:
        given = witness.point.get(variable.name, 1.0)
        if isinstance(given, tuple):
            values[variable.name] = Array((len(given),), given)
        elif variable.domain.kind is DomainKind.INDEX:
            values[variable.name] = Array((), (int(given),))
        elif variable.subscripted_axes:
            values[variable.name] = Array((SIZE,), (given,) * SIZE)
        else:
            values[variable.name] = Array((), (given,))
    return Point(values=values)


# ---------------------------------------------------------------- values


@cache
def oracle(loss: Loss, size: int = SIZE) -> Oracle:
    wrt = [v.name for v in loss.inputs if v.domain.kind is DomainKind.REAL]
    return Oracle(loss, {"I": size}, wrt=wrt)


def truth(loss: Loss, point: Point, dtype: Dtype = Dtype.FLOAT64) -> Truth:
    sizes = [len(a.entries) for a in point.values.values() if isinstance(a, Array) and a.shape]
    return oracle(loss, sizes[0] if sizes else SIZE).truth(point, dtype)


def rounded_point(point: Point, dtype: torch.dtype) -> Point:
    """The point with every number rounded to the format."""
    values = {}
    for name, array in point.values.items():
        assert isinstance(array, Array)
        if all(isinstance(e, int) for e in array.entries):
            values[name] = array
        else:
            numbers = torch.tensor(array.entries, dtype=dtype).tolist()
            values[name] = Array(array.shape, tuple(numbers))
    return Point(values=values)


def computed(
    loss: Loss, point: Point, dtype: torch.dtype
) -> tuple[float, dict[str, tuple[float, ...]]]:
    """Value and gradient in floating point, op by op, by autograd."""
    arguments = {}
    for variable in loss.inputs:
        array = point.values[variable.name]
        assert isinstance(array, Array)
        whole = variable.domain.kind is DomainKind.INDEX
        tensor = torch.tensor(array.entries, dtype=torch.long if whole else dtype)
        arguments[variable.name] = tensor.reshape(array.shape).requires_grad_(not whole)
    value = Evaluator(loss, arguments, dtype).unreduced().sum()
    leaves = {n: t for n, t in arguments.items() if t.requires_grad}
    if value.requires_grad:
        slopes = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    else:
        slopes = (None,) * len(leaves)
    gradient = {
        name: tuple((torch.zeros_like(leaf) if slope is None else slope).reshape(-1).tolist())
        for (name, leaf), slope in zip(leaves.items(), slopes, strict=True)
    }
    return float(value), gradient


def simplified(expr: Expr) -> Expr:
    """``expr`` without the marks of origin, to compare by eye when a test fails."""
    return transform(expr, lambda e: e)
